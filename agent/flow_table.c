// SPDX-License-Identifier: BSD-2-Clause
/*
 * flow_table.c - bookkeeping of the flow index and the flows
 *
 *	          add                 del, age, evict,         grace_begin
 *	  FREE ─────────► PUBLISHED ── replaced ────► RETIRED ────────────► CLOSED
 *	   ▲                                                                  │
 *	   └────────────────────────── grace_end ─────────────────────────────┘
 *
 * Every index is in one state; it moves along the arrows and nowhere else.
 *
 * Room is made ahead of need. A retired index comes back only after a grace
 * period, so a share of the indices is a reserve: when the published ones reach
 * the capacity, each add evicts one flow and takes its own index from the
 * reserve, while the evicted one waits. Only a flood faster than the grace
 * periods can empty the reserve; then adds are refused, nothing more is evicted.
 *
 * Pages of flows that were never published are never touched.
 *
 * See also: flow_owners.h (whom to evict), mirach/flow.h (the arrays).
 */
#include "flow_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/flow_owners.h>
#include <agent/flow_watch.h>

#define RESERVE_SHARE 8u		/* one index in so many is kept back */
#define NEARLY_FULL 6u			/* slots used in the first bucket before the second is considered */

enum flow_state { FREE, PUBLISHED, RETIRED, CLOSED };

/* Indices linked through flow_side.next. */
struct list {
	uint32_t head, n;
};

struct flow_table {
	struct flow_table_memory m;
	uint32_t secret[FLOW_SECRET_WORDS];
	struct flow_side *sides;	/* beside m.flows, by the same index */
	uint32_t capacity;		/* flows that may be published */
	uint32_t published;
	uint32_t fresh;			/* indices from here on were never used */
	struct list free, retired, closed;
	uint64_t added, replaced, deleted, aged, evicted, refused;
	struct flow_owners owners;
	struct flow_watch watch;
};

/* Where a key is, or would go. */
struct place {
	struct flow_bucket *bucket[2];
	uint32_t tag;
	__u64 *slot;			/* names the flow, or NULL */
	__u64 *vacant;			/* NULL: both buckets are full */
};

uint32_t flow_owner(const struct flow_key *key)
{
	if (key->scope & SCOPE_VPORT)
		return SCOPE_ID(key->scope) & (PORT_MAX - 1);
	return PORT_MAX + fabric_class(&key->outer);
}

static void push(struct flow_table *t, struct list *list, uint32_t index, enum flow_state state)
{
	t->sides[index].state = state;
	t->sides[index].next = list->head;
	list->head = index;
	list->n++;
}

/* An index that nobody uses, or 0. Used ones come first: their memory is there already. */
static uint32_t take(struct flow_table *t)
{
	uint32_t index = t->free.head;

	if (index) {
		t->free.head = t->sides[index].next;
		t->free.n--;
		return index;
	}
	return t->fresh < t->m.n_flows ? t->fresh++ : 0;
}

static uint32_t n_free(const struct flow_table *t)
{
	return t->free.n + t->m.n_flows - t->fresh;
}

static void store_slot(__u64 *slot, __u64 value)
{
	__atomic_store_n(slot, value, __ATOMIC_RELEASE);
}

static __u64 *slot_with_key(const struct flow_table *t, struct flow_bucket *b, uint32_t tag,
			    const struct flow_key *key)
{
	for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++) {
		uint32_t index = FLOW_SLOT_INDEX(b->slot[i]);

		if (index && FLOW_SLOT_TAG(b->slot[i]) == tag &&
		    flow_key_equal(&t->m.flows[index].key, key))
			return &b->slot[i];
	}
	return NULL;
}

static uint32_t n_used(const struct flow_bucket *b)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++)
		n += b->slot[i] != 0;
	return n;
}

static __u64 *slot_vacant(struct flow_bucket *b)
{
	for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++)
		if (!b->slot[i])
			return &b->slot[i];
	return NULL;
}

static void locate(const struct flow_table *t, const struct flow_key *key, struct place *ret)
{
	__u64 digest = flow_digest(key, t->secret);

	ret->tag = flow_tag(digest);
	for (unsigned int i = 0; i < 2; i++)
		ret->bucket[i] = &t->m.index[flow_bucket_of(digest, i, t->m.n_buckets - 1)];
	ret->slot = slot_with_key(t, ret->bucket[0], ret->tag, key) ?:
		    slot_with_key(t, ret->bucket[1], ret->tag, key);
}

/* The first bucket keeps lookups short; the emptier one keeps both from filling up. */
static void find_vacant(struct place *p)
{
	uint32_t first = n_used(p->bucket[0]);

	if (first >= NEARLY_FULL && n_used(p->bucket[1]) < first)
		p->vacant = slot_vacant(p->bucket[1]);
	else
		p->vacant = slot_vacant(p->bucket[0]);
}

/* The slot that names @index, which is published. */
static __u64 *slot_of(const struct flow_table *t, uint32_t index)
{
	__u64 digest = flow_digest(&t->m.flows[index].key, t->secret);

	for (unsigned int choice = 0; choice < 2; choice++) {
		uint32_t b = flow_bucket_of(digest, choice, t->m.n_buckets - 1);

		for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++)
			if (FLOW_SLOT_INDEX(t->m.index[b].slot[i]) == index)
				return &t->m.index[b].slot[i];
	}
	return NULL;
}

static void retire(struct flow_table *t, uint32_t index)
{
	__u64 *slot = slot_of(t, index);

	assert(slot && t->sides[index].state == PUBLISHED);
	store_slot(slot, 0);
	flow_owners_del(&t->owners, index);
	t->published--;
	push(t, &t->retired, index, RETIRED);
}

/* Fills in a free index; nobody can see it before a slot names it. */
static void write_flow(struct flow_table *t, uint32_t index, const struct flow_key *key,
		       const struct action *action, struct flow_side side)
{
	struct flow *flow = &t->m.flows[index];
	uint32_t gen = flow->action.gen + 1;

	flow->key = *key;
	flow->action = *action;
	flow->action.gen = gen;
	side.seen = 0;
	side.state = PUBLISHED;
	side.drop = action->verdict == ACTION_DROP;
	t->sides[index] = side;
}

static void evict(struct flow_table *t, uint32_t index, uint32_t *ret_evicted)
{
	if (!index)
		return;
	retire(t, index);
	t->evicted++;
	*ret_evicted = index;
}

static uint32_t bucket_victim(const struct flow_table *t, const struct place *p)
{
	uint32_t victim = 0;

	for (unsigned int b = 0; b < 2; b++)
		for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++)
			victim = flow_owners_choose(&t->owners, victim,
						    FLOW_SLOT_INDEX(p->bucket[b]->slot[i]));
	return victim;
}

/* At most one eviction; false if the flow cannot be added now. */
static bool make_room(struct flow_table *t, struct place *p, uint32_t *ret_evicted)
{
	if (!n_free(t)) {
		if (!t->retired.n && !t->closed.n)	/* so small a table that nothing is on its way back */
			evict(t, flow_owners_victim(&t->owners), ret_evicted);
		return false;
	}
	find_vacant(p);
	if (!p->vacant) {
		evict(t, bucket_victim(t, p), ret_evicted);
		find_vacant(p);
	} else if (t->published >= t->capacity) {
		evict(t, flow_owners_victim(&t->owners), ret_evicted);
	}
	return true;
}

static bool same_effect(const struct action *a, const struct action *b)
{
	struct action x = *a, y = *b;

	x.gen = y.gen = 0;
	x.rule = y.rule = 0;
	return !memcmp(&x, &y, sizeof(x));
}

/* Another action for the flow in @slot: a new index takes over its place everywhere. */
static int64_t replace(struct flow_table *t, __u64 *slot, const struct action *action)
{
	uint32_t old = FLOW_SLOT_INDEX(*slot), index;
	struct flow *flow = &t->m.flows[old];

	if (same_effect(&flow->action, action)) {
		/* read by people only, so the one field that may change in place */
		__atomic_store_n(&flow->action.rule, action->rule, __ATOMIC_RELAXED);
		return old;
	}
	index = take(t);
	if (!index) {
		t->refused++;
		return -ENOSPC;
	}
	write_flow(t, index, &flow->key, action, t->sides[old]);
	flow_owners_replace(&t->owners, old, index);
	store_slot(slot, FLOW_SLOT(FLOW_SLOT_TAG(*slot), index));
	push(t, &t->retired, old, RETIRED);
	t->replaced++;
	return index;
}

int64_t flow_table_add(struct flow_table *t, const struct flow_key *key,
		       const struct action *action, uint64_t now_ns, uint32_t *ret_evicted)
{
	struct flow_side side = { .used_ns = now_ns, .created_ns = now_ns };
	uint32_t evicted = 0, index;
	struct place p;
	bool room;

	locate(t, key, &p);
	if (p.slot) {
		if (ret_evicted)
			*ret_evicted = 0;
		return replace(t, p.slot, action);
	}
	room = make_room(t, &p, &evicted);
	if (ret_evicted)
		*ret_evicted = evicted;
	if (!room) {
		t->refused++;
		return -ENOSPC;
	}
	index = take(t);
	side.owner = flow_owner(key);
	write_flow(t, index, key, action, side);
	flow_owners_add(&t->owners, index);
	store_slot(p.vacant, FLOW_SLOT(p.tag, index));
	t->published++;
	t->added++;
	return index;
}

uint32_t flow_table_find(const struct flow_table *t, const struct flow_key *key)
{
	struct place p;

	locate(t, key, &p);
	return p.slot ? FLOW_SLOT_INDEX(*p.slot) : 0;
}

void flow_table_del(struct flow_table *t, uint32_t index)
{
	retire(t, index);
	t->deleted++;
}

uint32_t flow_table_grace_begin(struct flow_table *t)
{
	assert(!t->closed.n);
	t->closed = t->retired;
	t->retired = (struct list){};
	for (uint32_t i = t->closed.head; i; i = t->sides[i].next) {
		struct action *action = &t->m.flows[i].action;

		t->sides[i].state = CLOSED;
		__atomic_store_n(&action->gen, action->gen + 1, __ATOMIC_RELEASE);
	}
	return t->closed.n;
}

void flow_table_grace_each(const struct flow_table *t, void (*fn)(uint32_t index, void *arg),
			   void *arg)
{
	for (uint32_t i = t->closed.head; i; i = t->sides[i].next)
		fn(i, arg);
}

void flow_table_grace_end(struct flow_table *t)
{
	uint32_t next;

	for (uint32_t i = t->closed.head; i; i = next) {
		next = t->sides[i].next;
		push(t, &t->free, i, FREE);
	}
	t->closed = (struct list){};
}

static bool is_idle(struct flow_table *t, uint32_t index, const struct flow_stats *stats,
		    uint64_t now_ns, uint64_t idle_ns)
{
	struct flow_side *side = &t->sides[index];

	if (side->seen != (uint32_t)stats->packets) {
		side->seen = stats->packets;
		side->used_ns = now_ns;
		flow_owners_touch(&t->owners, index);
		return false;
	}
	if (side->drop && idle_ns > FLOW_DROP_IDLE_NS)
		idle_ns = FLOW_DROP_IDLE_NS;
	return now_ns - side->used_ns >= idle_ns;
}

uint32_t flow_table_age(struct flow_table *t, uint32_t first, uint32_t n,
			const struct flow_stats *stats, uint64_t now_ns, uint64_t idle_ns)
{
	uint32_t n_retired = 0;

	for (uint32_t i = 0; i < n && first + i < t->fresh; i++) {
		if (t->sides[first + i].state != PUBLISHED ||
		    !is_idle(t, first + i, &stats[i], now_ns, idle_ns))
			continue;
		retire(t, first + i);
		n_retired++;
	}
	t->aged += n_retired;
	return n_retired;
}

uint32_t flow_table_each_in(struct flow_table *t, uint32_t first, uint32_t n, flow_table_fn fn,
			    void *arg)
{
	uint32_t i = first ?: 1;

	for (; n && i < t->fresh; i++, n--)
		if (t->sides[i].state == PUBLISHED && !fn(t, i, arg))
			return 0;
	return i < t->fresh ? i : 0;
}

void flow_table_each(struct flow_table *t, flow_table_fn fn, void *arg)
{
	flow_table_each_in(t, 1, UINT32_MAX, fn, arg);
}

bool flow_table_is_published(const struct flow_table *t, uint32_t index)
{
	return index && index < t->m.n_flows && t->sides[index].state == PUBLISHED;
}

const struct flow *flow_table_get(const struct flow_table *t, uint32_t index)
{
	return &t->m.flows[index];
}

uint64_t flow_table_last_used(const struct flow_table *t, uint32_t index)
{
	return t->sides[index].used_ns;
}

uint64_t flow_table_created(const struct flow_table *t, uint32_t index)
{
	return t->sides[index].created_ns;
}

struct flow_watch *flow_table_watch(struct flow_table *t)
{
	return &t->watch;
}

struct flow_table_counts flow_table_counts(const struct flow_table *t)
{
	return (struct flow_table_counts){
		.published = t->published,
		.retired = t->retired.n + t->closed.n,
		.free = n_free(t),
		.capacity = t->capacity,
		.high = t->fresh - 1,
		.added = t->added,
		.replaced = t->replaced,
		.deleted = t->deleted,
		.aged = t->aged,
		.evicted = t->evicted,
		.refused = t->refused,
	};
}

/* A slot is a flow if it names an index of its own and the key there belongs into this bucket. */
static bool is_sound(const struct flow_table *t, uint32_t bucket, __u64 slot)
{
	uint32_t index = FLOW_SLOT_INDEX(slot), mask = t->m.n_buckets - 1;
	__u64 digest;

	if (!index || index >= t->m.n_flows || t->sides[index].state == PUBLISHED)
		return false;
	digest = flow_digest(&t->m.flows[index].key, t->secret);
	return flow_tag(digest) == FLOW_SLOT_TAG(slot) &&
	       (flow_bucket_of(digest, 0, mask) == bucket || flow_bucket_of(digest, 1, mask) == bucket);
}

static void adopt(struct flow_table *t, uint32_t index, uint64_t now_ns)
{
	const struct flow *flow = &t->m.flows[index];

	t->sides[index] = (struct flow_side){
		.used_ns = now_ns,
		.created_ns = now_ns,
		.owner = flow_owner(&flow->key),
		.state = PUBLISHED,
		.drop = flow->action.verdict == ACTION_DROP,
	};
	flow_owners_add(&t->owners, index);
	t->published++;
	if (index >= t->fresh)
		t->fresh = index + 1;
}

/* Takes over what the arrays hold, looking at published flows only; the rest below them is free. */
static void adopt_all(struct flow_table *t, uint64_t now_ns)
{
	for (uint32_t b = 0; b < t->m.n_buckets; b++) {
		for (uint32_t i = 0; i < FLOW_BUCKET_SLOTS; i++) {
			__u64 *slot = &t->m.index[b].slot[i];

			if (!*slot)
				continue;
			if (is_sound(t, b, *slot))
				adopt(t, FLOW_SLOT_INDEX(*slot), now_ns);
			else
				store_slot(slot, 0);
		}
	}
	for (uint32_t i = t->fresh - 1; i; i--)
		if (t->sides[i].state != PUBLISHED)
			push(t, &t->free, i, FREE);
}

int flow_table_new(const struct flow_table_memory *m, uint64_t now_ns, struct flow_table **ret)
{
	uint32_t usable = m->n_flows - 1;
	struct flow_table *t;

	assert(m->n_flows > 1 && m->n_buckets && !(m->n_buckets & (m->n_buckets - 1)));
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	t->sides = calloc(m->n_flows, sizeof(*t->sides));
	if (!t->sides || flow_watch_init(&t->watch, m->n_flows)) {
		flow_table_free(t);
		return -ENOMEM;
	}
	t->m = *m;
	memcpy(t->secret, m->secret, sizeof(t->secret));
	t->m.secret = t->secret;
	t->fresh = 1;
	t->capacity = usable - usable / RESERVE_SHARE;
	flow_owners_init(&t->owners, t->sides);
	adopt_all(t, now_ns);
	*ret = t;
	return 0;
}

void flow_table_free(struct flow_table *t)
{
	if (!t)
		return;
	flow_watch_done(&t->watch);
	free(t->sides);
	free(t);
}
