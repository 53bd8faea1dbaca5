/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_owners.h - who has how many flows, and which of them were used last
 *
 *	owner 7:  head ► 12 ► 4 ► 90 ◄ tail      least to most recently used
 *	heap:     owner with the most flows on top
 *
 * When the flow table must make room it asks one question: the least recently
 * used flow of the owner with the most flows. Lists are links in the side data
 * and a heap keeps the owners by count, so every operation costs the same
 * however many flows and owners there are. Pure; part of flow_table.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/port.h>

#define FLOW_OWNERS SENDERS		/* vport slots, then classes of fabric senders */

/* What the agent remembers of one flow beside the arrays that the fast path reads. */
struct flow_side {
	uint32_t prev, next;		/* owner's list; `next` alone in the other lists; 0 ends */
	uint64_t used_ns;		/* last seen carrying packets */
	uint64_t created_ns;
	uint32_t seen;			/* low half of its packet count when last looked at */
	uint16_t owner;
	uint8_t state;			/* enum flow_state of flow_table.c */
	bool drop;			/* its action is ACTION_DROP */
};
_Static_assert(sizeof(struct flow_side) == 32, "half a cache line per flow");

struct flow_owners {
	struct flow_side *sides;	/* the table's; index 0 unused */
	uint32_t count[FLOW_OWNERS];
	uint32_t head[FLOW_OWNERS], tail[FLOW_OWNERS];
	uint16_t heap[FLOW_OWNERS];	/* owners; a parent has at least as many flows as its children */
	uint16_t place[FLOW_OWNERS];	/* where in the heap an owner is */
};

void flow_owners_init(struct flow_owners *o, struct flow_side *sides);
/* Appends @index, whose side data names its owner, as the most recently used. */
void flow_owners_add(struct flow_owners *o, uint32_t index);
void flow_owners_del(struct flow_owners *o, uint32_t index);
/* Moves @index to the most recently used end. */
void flow_owners_touch(struct flow_owners *o, uint32_t index);
/* Puts @index where @old was; both have the same owner. */
void flow_owners_replace(struct flow_owners *o, uint32_t old, uint32_t index);
/* The flow to evict, or 0 if there is none. */
uint32_t flow_owners_victim(const struct flow_owners *o);
/* Of two flows the one to evict rather: larger owner, then longer unused. 0 stands for none. */
uint32_t flow_owners_choose(const struct flow_owners *o, uint32_t a, uint32_t b);
