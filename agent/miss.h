/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * miss.h - answers a batch of flow misses
 *
 *	| hub header | inner frame |  ─►  parse ► find ► compile ► publish  ─►  same bytes,
 *	                                                                  verdict filled in
 *
 * The frame stays where it is; only its hub header changes. What the policy
 * forbids becomes a flow as well, so that repeats are dropped by the fast path,
 * and the frame goes back to be counted there like any other. Pure but for the
 * flow table it writes: no sockets, no clock. The flow thread calls it, and so do
 * its tests.
 */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

#include <agent/flow_table.h>
#include <agent/policy/policy.h>

struct miss_counts {
	uint64_t misses;		/* frames answered */
	uint64_t installed;		/* flows published */
	uint64_t resumed;		/* frames to act on */
	uint64_t dropped;		/* frames to drop, or discarded here */
};

/*
 * Answers @frames[0..n-1], each a hub header and the frame behind it. A frame too
 * short to hold a header cannot be answered: its iov_len becomes 0 and the caller
 * discards it. Adds to @counts.
 */
void miss_answer(struct flow_table *table, const struct policy *policy, uint64_t now_ns,
		 struct iovec *frames, unsigned int n, struct miss_counts *counts);
