/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * feed.h - words that feed.bpf.c shares with the tools that load it
 */
#pragma once

#include <mirach/types.h>

#define FEED_HEAD_MAX 128u
#define FEED_BURST_NS 2000000ull	/* feed_tx catches up with at most so much delay */

/* How to make the next packet out of what the last run left. */
struct feed_plan {
	__u8 head[FEED_HEAD_MAX];	/* first bytes of every packet */
	__u32 words;			/* of 8 bytes: how much of head is written */
	__u32 frame_len;		/* bytes of a pristine packet */
	__u32 vary;			/* offset of a 32-bit word that names the flow */
	__u32 base;			/* value of that word for flow 0, host order */
	__u32 n_flows;
	__u32 in_order;			/* flows come one after the other; otherwise at random */
	__u32 gap_ns;			/* feed_tx: between two packets, 0 = flat out */
	__u32 sum;			/* offset of the IPv4 checksum that covers the word; 0 = none does */
	__u64 limit;			/* feed_tx: packets in all; later runs drop theirs */
};

/* How far a generator is; one per CPU. */
struct feed_turn {
	__u64 next_ns;			/* feed_tx: when the next packet is due */
	__u64 first_ns, last_ns;	/* feed_tx, paced: when the first and the last packet left */
	__u64 sent;			/* feed_tx: packets so far */
	__u32 flow;			/* the last one, or the state of the draw */
	__u32 pad;
};
