/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_grace.h - waits out grace periods so that nobody else has to
 *
 *	retired ──begin──► closed ──dp_synchronize(), counters to zero──► ──end──► free
 *	         on the flow thread          here                 on the flow thread
 *
 * A grace period takes milliseconds to tens of them: too long for the thread that
 * answers misses, and for the main loop. A thread of its own sleeps until it is
 * kicked, then does one round. Closed indices belong to nobody, so their packet
 * counters are zeroed here as well.
 */
#pragma once

#include <stdint.h>

#include <lib/error.h>

struct dp;
struct flow_grace;
struct flow_thread;

int flow_grace_new(struct flow_thread *flows, struct dp *dp, struct flow_grace **ret,
		   struct error *e);
/* Ends the thread and a round under way; needs the flow thread still running. Later kicks do nothing. */
void flow_grace_stop(struct flow_grace *g);
void flow_grace_free(struct flow_grace *g);	/* stopped, or NULL */
/* From any thread; asks for a round and returns at once. */
void flow_grace_kick(struct flow_grace *g);
/* From any thread but the flow thread: does a round and waits for it. Returns how many indices it freed. */
uint32_t flow_grace_round(struct flow_grace *g);
