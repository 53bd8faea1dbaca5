/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * miss.h - answers a batch of flow misses
 *
 *	| hub header | inner frame |  ─►  parse ► find ► compile ► publish  ─►  same bytes,
 *	                                    │                             verdict filled in
 *	                                    └──► hold ──(first fragment)──►
 *
 * The frame stays where it is; only its hub header changes. What the policy
 * forbids becomes a flow as well, so that repeats are dropped by the fast path,
 * and the frame goes back to be counted there like any other. A fragment whose
 * ports are not known yet is held (frag_hold.h) and goes back later. Pure but for the
 * flow table it writes: no sockets, no clock. The flow thread calls it, and so do
 * its tests.
 */
#pragma once

#include <stdint.h>
#include <sys/uio.h>

#include <agent/flow_table.h>
#include <agent/frag_hold.h>
#include <agent/policy/policy.h>

struct miss_counts {
	uint64_t misses;		/* frames taken */
	uint64_t installed;		/* flows published */
	uint64_t resumed;		/* frames to act on */
	uint64_t dropped;		/* frames to drop, or discarded here */
};

/* What an answer is made with. */
struct miss {
	struct flow_table *table;
	const struct policy *policy;
	struct frag_hold *hold;
	uint64_t now_ns;
	struct miss_counts *counts;	/* added to */
};

/*
 * Answers @frames[0..n-1], each a hub header and the frame behind it. A frame too
 * short to hold a header cannot be answered: its iov_len becomes 0 and the caller
 * discards it. Frames that are held are taken out of the array, others that were held
 * are appended: it has room for 2 x @n + FRAG_HOLD_MAX. Returns how many are to be sent.
 */
unsigned int miss_answer(const struct miss *m, struct iovec *frames, unsigned int n);
/* Up to @max frames that were held for too long, with their verdict. Returns how many. */
unsigned int miss_expire(const struct miss *m, struct iovec *ret_frames, unsigned int max);
