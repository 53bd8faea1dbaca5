/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage.c - who talks to whom through hoverboards, and how much
 *
 * Pairs lie densely in an array, in no order; a hash table of indices with linear
 * probing finds them. To remove one, the last takes its place.
 */
#include <agent/usage.h>

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct pair {
	struct ip_addr src, dst;
	uint32_t vni;
	uint8_t way;			/* enum usage_way */
	bool said;			/* said_ns means something */
	uint64_t threshold_bps;
	uint64_t slot;			/* number of the newest slot: time / USAGE_SLOT_NS */
	uint64_t said_ns;		/* last time it was in a report */
	uint64_t used_ns;
	uint64_t bytes[USAGE_SLOTS];	/* by slot number modulo USAGE_SLOTS */
};

struct usage {
	struct pair *pairs;
	uint32_t *table;		/* index + 1, 0 = empty; a power of two, at most half full */
	uint32_t n, max, mask;
	uint32_t next;			/* reports go on here, so that nobody starves */
	uint64_t missed;
};

struct usage *usage_new(uint32_t max)
{
	struct usage *u = calloc(1, sizeof(*u));
	uint32_t size = 2;

	if (!u)
		return NULL;
	while (size < 2 * max)
		size *= 2;
	u->max = max;
	u->mask = size - 1;
	u->pairs = calloc(max, sizeof(*u->pairs));
	u->table = calloc(size, sizeof(*u->table));
	if (u->pairs && u->table)
		return u;
	usage_free(u);
	return NULL;
}

void usage_free(struct usage *u)
{
	if (!u)
		return;
	free(u->pairs);
	free(u->table);
	free(u);
}

uint32_t usage_pairs(const struct usage *u)
{
	return u->n;
}

uint64_t usage_missed(const struct usage *u)
{
	return u->missed;
}

/* The table. */

static uint32_t home(const struct usage *u, uint32_t vni, const struct ip_addr *src,
		     const struct ip_addr *dst)
{
	struct ip_addr both[2] = { *src, *dst };

	return XXH3_64bits_withSeed(both, sizeof(both), vni) & u->mask;
}

static bool is_pair(const struct pair *p, uint32_t vni, const struct ip_addr *src,
		    const struct ip_addr *dst)
{
	return p->vni == vni && ip_addr_equal(&p->src, src) && ip_addr_equal(&p->dst, dst);
}

/* The place of the pair, or the empty one where it belongs. */
static uint32_t *place(const struct usage *u, uint32_t vni, const struct ip_addr *src,
		       const struct ip_addr *dst)
{
	uint32_t i = home(u, vni, src, dst);

	while (u->table[i] && !is_pair(&u->pairs[u->table[i] - 1], vni, src, dst))
		i = (i + 1) & u->mask;
	return &u->table[i];
}

static uint32_t home_of(const struct usage *u, uint32_t index)
{
	const struct pair *p = &u->pairs[index];

	return home(u, p->vni, &p->src, &p->dst);
}

/* Empties a place; those behind it that had to step aside move up. */
static void vacate(struct usage *u, uint32_t hole)
{
	uint32_t i = hole;

	u->table[hole] = 0;
	for (;;) {
		uint32_t want;

		i = (i + 1) & u->mask;
		if (!u->table[i])
			return;
		want = home_of(u, u->table[i] - 1);
		if (((i - want) & u->mask) < ((i - hole) & u->mask))
			continue;
		u->table[hole] = u->table[i];
		u->table[i] = 0;
		hole = i;
	}
}

static void drop(struct usage *u, uint32_t index)
{
	struct pair *p = &u->pairs[index], *last = &u->pairs[u->n - 1];

	vacate(u, place(u, p->vni, &p->src, &p->dst) - u->table);
	if (p != last) {
		*place(u, last->vni, &last->src, &last->dst) = index + 1;
		*p = *last;
	}
	u->n--;
}

static struct pair *enter(struct usage *u, uint32_t vni, const struct ip_addr *src,
			  const struct ip_addr *dst)
{
	uint32_t *at = place(u, vni, src, dst);

	if (*at)
		return &u->pairs[*at - 1];
	if (u->n == u->max) {
		u->missed++;
		return NULL;
	}
	u->pairs[u->n] = (struct pair){ .vni = vni, .src = *src, .dst = *dst };
	*at = ++u->n;
	return &u->pairs[u->n - 1];
}

/* The window. */

/* Moves the window on to @now; what falls out is forgotten. */
static void advance(struct pair *p, uint64_t now_ns)
{
	uint64_t slot = now_ns / USAGE_SLOT_NS;

	if (slot <= p->slot)
		return;
	if (slot - p->slot >= USAGE_SLOTS)
		memset(p->bytes, 0, sizeof(p->bytes));
	else
		for (uint64_t s = p->slot + 1; s <= slot; s++)
			p->bytes[s % USAGE_SLOTS] = 0;
	p->slot = slot;
}

static uint64_t rate(const struct pair *p)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < USAGE_SLOTS; i++)
		sum += p->bytes[i];
	return sum * 8;
}

void usage_add(struct usage *u, uint32_t vni, const struct ip_addr *src, const struct ip_addr *dst,
	       enum usage_way way, uint64_t threshold_bps, uint64_t bytes, uint64_t now_ns)
{
	struct pair *p = enter(u, vni, src, dst);

	if (!p)
		return;
	advance(p, now_ns);
	if (p->way != way)
		p->said = false;	/* its new way is news */
	p->way = way;
	p->threshold_bps = threshold_bps;
	p->bytes[p->slot % USAGE_SLOTS] += bytes;
	if (bytes || !p->used_ns)
		p->used_ns = now_ns;
}

/* Reports. */

static bool is_due(const struct pair *p, uint64_t bps, uint64_t now_ns)
{
	if (p->way == USAGE_DIRECT)
		return !p->said || now_ns - p->said_ns >= USAGE_DIRECT_NS;
	return bps > p->threshold_bps && (!p->said || now_ns - p->said_ns >= USAGE_REPEAT_NS);
}

/* A direct pair is kept until its silence has been reported, or the offload would stay. */
static bool is_over(const struct pair *p, uint64_t now_ns)
{
	if (now_ns - p->used_ns < USAGE_IDLE_NS)
		return false;
	return p->way != USAGE_DIRECT || (p->said && p->said_ns - p->used_ns >= USAGE_WINDOW_NS &&
					  p->said_ns > p->used_ns);
}

static void say(struct pair *p, uint64_t bps, uint64_t now_ns, struct usage_pair *ret)
{
	*ret = (struct usage_pair){ .vni = p->vni, .src = p->src, .dst = p->dst, .way = p->way,
				    .bps = bps };
	p->said = true;
	p->said_ns = now_ns;
}

uint32_t usage_report(struct usage *u, uint64_t now_ns, struct usage_pair *ret, uint32_t max)
{
	uint32_t n = 0, left = u->n, i = u->next;

	for (; left && n < max; left--) {
		struct pair *p;
		uint64_t bps;

		if (i >= u->n)
			i = 0;
		p = &u->pairs[i];
		if (is_over(p, now_ns)) {
			drop(u, i);
			continue;
		}
		advance(p, now_ns);
		bps = rate(p);
		if (is_due(p, bps, now_ns))
			say(p, bps, now_ns, &ret[n++]);
		i++;
	}
	u->next = i;
	return n;
}
