/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage_poll.h - reads the bytes of watched flows, and tells the controller who sends much
 *
 *	flow thread: who is watched ─► counters of those ─► what is new since last time
 *	                                                     └─► usage.h ─► session_usage()
 *
 * A round every usage_ms (the controller says; 50) looks at POLL_FLOWS flows at most; a
 * host with more of them needs several rounds to see all. Without a session nobody asks,
 * and nothing is done. Main thread only.
 */
#pragma once

#include <stdint.h>

#include <lib/error.h>

#define POLL_FLOWS 4096u

struct agent;
struct usage_poll;

int usage_poll_new(struct agent *a, struct usage_poll **ret, struct error *e);
void usage_poll_free(struct usage_poll *p);

struct usage_poll_view {
	uint64_t rounds, flows;		/* so far: looked at */
	uint64_t cost_ns;		/* of all rounds, on this thread */
	uint32_t pairs;			/* now */
	uint64_t missed, reported;	/* so far: found no room, were told */
};
void usage_poll_show(const struct usage_poll *p, struct usage_poll_view *ret);
