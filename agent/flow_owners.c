// SPDX-License-Identifier: BSD-2-Clause
/*
 * flow_owners.c - who has how many flows, and which of them were used last
 *
 * A count changes by one at a time, so an owner rarely moves in the heap at all,
 * and then past owners that had exactly as many.
 *
 * See also: flow_owners.h (the picture), flow_table.c (the only caller).
 */
#include "flow_owners.h"

static void put(struct flow_owners *o, uint32_t place, uint16_t owner)
{
	o->heap[place] = owner;
	o->place[owner] = place;
}

static void sift_up(struct flow_owners *o, uint16_t owner)
{
	uint32_t place = o->place[owner];

	while (place) {
		uint32_t parent = (place - 1) / 2;

		if (o->count[o->heap[parent]] >= o->count[owner])
			break;
		put(o, place, o->heap[parent]);
		place = parent;
	}
	put(o, place, owner);
}

static void sift_down(struct flow_owners *o, uint16_t owner)
{
	uint32_t place = o->place[owner];

	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= FLOW_OWNERS)
			break;
		if (child + 1 < FLOW_OWNERS &&
		    o->count[o->heap[child + 1]] > o->count[o->heap[child]])
			child++;
		if (o->count[o->heap[child]] <= o->count[owner])
			break;
		put(o, place, o->heap[child]);
		place = child;
	}
	put(o, place, owner);
}

static void append(struct flow_owners *o, uint32_t index)
{
	struct flow_side *side = &o->sides[index];
	uint32_t last = o->tail[side->owner];

	side->prev = last;
	side->next = 0;
	if (last)
		o->sides[last].next = index;
	else
		o->head[side->owner] = index;
	o->tail[side->owner] = index;
}

static void unlink_flow(struct flow_owners *o, uint32_t index)
{
	struct flow_side *side = &o->sides[index];

	if (side->prev)
		o->sides[side->prev].next = side->next;
	else
		o->head[side->owner] = side->next;
	if (side->next)
		o->sides[side->next].prev = side->prev;
	else
		o->tail[side->owner] = side->prev;
}

void flow_owners_init(struct flow_owners *o, struct flow_side *sides)
{
	*o = (struct flow_owners){ .sides = sides };
	for (uint32_t i = 0; i < FLOW_OWNERS; i++)
		put(o, i, i);
}

void flow_owners_add(struct flow_owners *o, uint32_t index)
{
	uint16_t owner = o->sides[index].owner;

	append(o, index);
	o->count[owner]++;
	sift_up(o, owner);
}

void flow_owners_del(struct flow_owners *o, uint32_t index)
{
	uint16_t owner = o->sides[index].owner;

	unlink_flow(o, index);
	o->count[owner]--;
	sift_down(o, owner);
}

void flow_owners_touch(struct flow_owners *o, uint32_t index)
{
	if (o->tail[o->sides[index].owner] == index)
		return;
	unlink_flow(o, index);
	append(o, index);
}

void flow_owners_replace(struct flow_owners *o, uint32_t old, uint32_t index)
{
	struct flow_side *side = &o->sides[index];

	side->prev = o->sides[old].prev;
	side->next = o->sides[old].next;
	if (side->prev)
		o->sides[side->prev].next = index;
	else
		o->head[side->owner] = index;
	if (side->next)
		o->sides[side->next].prev = index;
	else
		o->tail[side->owner] = index;
}

uint32_t flow_owners_victim(const struct flow_owners *o)
{
	return o->head[o->heap[0]];
}

uint32_t flow_owners_choose(const struct flow_owners *o, uint32_t a, uint32_t b)
{
	const struct flow_side *x = &o->sides[a], *y = &o->sides[b];

	if (!a || !b)
		return a ?: b;
	if (o->count[x->owner] != o->count[y->owner])
		return o->count[x->owner] > o->count[y->owner] ? a : b;
	return x->used_ns <= y->used_ns ? a : b;
}
