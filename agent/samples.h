/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * samples.h - the newest sampled packets, kept for whoever asks
 *
 * The main loop drains the kernel's ring once a second and whenever somebody
 * asks, so sampling never wakes the agent; a ring that overflows in between loses
 * samples, never packets. Main thread only.
 */
#pragma once

#include <agent/dp.h>

#define SAMPLES_KEPT 256u		/* a power of two */

struct samples {
	uint64_t n_seen;		/* the newest is kept[(n_seen - 1) % SAMPLES_KEPT] */
	struct sample kept[SAMPLES_KEPT];
};

void samples_drain(struct samples *s, struct dp *dp);
