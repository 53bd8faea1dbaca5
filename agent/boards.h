/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boards.h - which hoverboard serves which slot
 *
 *	flow --hash--> slot 0..63 --board_set--> hoverboard
 *
 * Flows are compiled to a slot, and a slot has a next hop of its own: when a
 * hoverboard dies its slots are given to others, and no flow is touched.
 *
 * Every slot has an order of preference among the hoverboards, the same on every
 * host, and is served by the first that is healthy. So a slot moves only if its own
 * hoverboard died, or a better one is back: flows of healthy hoverboards stay where they are.
 * First places are dealt out evenly; the others follow a hash, which spreads the slots of a
 * dead one over all that are left. If none is healthy all slots stay as they are: a
 * doubtful way is better than none.
 *
 * Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/types.h>

#define BOARD_SLOTS 64u			/* of a set; power of two */
#define BOARDS_MAX 32u			/* hoverboards of a set */
#define BOARD_NONE 255u

struct board_set {
	struct ip_addr addr[BOARDS_MAX];
	bool healthy[BOARDS_MAX];
	uint32_t n;
	uint8_t first[BOARD_SLOTS];	/* who has the first place */
	uint8_t slot[BOARD_SLOTS];	/* who serves; BOARD_NONE before the first assignment */
};

/* @addrs: sorted, each once, at most BOARDS_MAX. All are healthy until another thing is said. */
void board_set_init(struct board_set *s, const struct ip_addr *addrs, uint32_t n);
/* Takes the verdict on every hoverboard. Returns which slots have moved, a bit each. */
uint64_t board_set_assign(struct board_set *s);
/* Slots that hoverboard @i serves now. */
uint32_t board_set_count(const struct board_set *s, uint32_t i);
/* Names the set by what is in it: never 0. */
uint64_t board_set_digest(const struct board_set *s);
