/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * samples.c - the newest sampled packets, kept for whoever asks
 */
#include <agent/samples.h>

_Static_assert(!(SAMPLES_KEPT & (SAMPLES_KEPT - 1)), "index by mask");

static void keep(const struct sample *sample, void *arg)
{
	struct samples *s = arg;

	s->kept[s->n_seen++ & (SAMPLES_KEPT - 1)] = *sample;
}

void samples_drain(struct samples *s, struct dp *dp)
{
	dp_samples_drain(dp, keep, s);
}
