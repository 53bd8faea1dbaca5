/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage.h - who talks to whom through hoverboards, and how much
 *
 *	usage_add()    bytes of one flow since the last look   ──► pair: 10 slots of 100 ms
 *	usage_report() now ──► pairs via a hoverboard above their threshold, at once,
 *	                       and direct pairs every 5 s, so that they can be seen to cool
 *
 * A pair is (network, source, destination) and one way. Its rate is what it sent in
 * the trailing second: a heavy pair is above 20 kb/s with its first large packets, a
 * steady one at exactly that rate after a second. A pair that stays above is said
 * again once a second, for a controller that was not there.
 *
 * The table is bounded. When it is full, new pairs are not seen until idle ones go,
 * which takes two seconds without packets; usage_missed() counts them.
 *
 * Pure: no I/O, time is an argument (and may stand still, or jump ahead).
 *
 * See also: usage_poll.h (where the bytes come from), docs/protocol.md (the message).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/types.h>

#define USAGE_SLOTS 10u
#define USAGE_SLOT_NS 100000000ull
#define USAGE_WINDOW_NS (USAGE_SLOTS * USAGE_SLOT_NS)
#define USAGE_REPEAT_NS 1000000000ull	/* a pair that stays above its threshold is said again */
#define USAGE_DIRECT_NS 5000000000ull	/* direct pairs are said this often */
#define USAGE_IDLE_NS 2000000000ull	/* forgotten; a direct pair only after it was said to be silent */

enum usage_way { USAGE_HOVERBOARD, USAGE_DIRECT };

struct usage_pair {
	uint32_t vni;
	struct ip_addr src, dst;
	enum usage_way way;
	uint64_t bps;			/* bits in the trailing second */
};

struct usage;

/* @max: pairs at a time. NULL without memory. */
struct usage *usage_new(uint32_t max);
void usage_free(struct usage *u);

/* @threshold_bps: of the pair's network. A pair that changes its way keeps its rate. */
void usage_add(struct usage *u, uint32_t vni, const struct ip_addr *src, const struct ip_addr *dst,
	       enum usage_way way, uint64_t threshold_bps, uint64_t bytes, uint64_t now_ns);

/*
 * What is to be said now, at most @max pairs; returns how many. Those that found no
 * room are said next time. Forgets idle pairs.
 */
uint32_t usage_report(struct usage *u, uint64_t now_ns, struct usage_pair *ret, uint32_t max);

uint32_t usage_pairs(const struct usage *u);
uint64_t usage_missed(const struct usage *u);
