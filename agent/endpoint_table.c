// SPDX-License-Identifier: BSD-2-Clause
/*
 * endpoint_table.c - the rules are in endpoint_table.h
 *
 * Free entries have nexthop 0, so that a walk over the entries finds the published ones.
 *
 * See also: flow_table.c, the same index under a table that evicts.
 */
#include <agent/endpoint_table.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void push(struct endpoint_table *t, uint32_t *list, uint32_t i)
{
	t->next[i] = *list;
	*list = i;
}

static void store_to(struct endpoint *e, const struct endpoint_to *to)
{
	uint64_t word;

	memcpy(&word, to, sizeof(word));
	__atomic_store_n((uint64_t *)&e->to, word, __ATOMIC_RELEASE);
}

static bool is_key(const struct endpoint *e, uint32_t vni, const struct ip_addr *addr)
{
	return e->vni == vni && ip_addr_equal(&e->addr, addr);
}

static __u64 *slots_of(const struct endpoint_table *t, uint64_t digest, unsigned int choice)
{
	return t->index[flow_bucket_of(digest, choice, t->mask)].slot;
}

/* The slot that names the endpoint, or NULL. */
static __u64 *find(const struct endpoint_table *t, uint32_t vni, const struct ip_addr *addr,
		   uint64_t digest)
{
	for (unsigned int choice = 0; choice < 2; choice++) {
		__u64 *slots = slots_of(t, digest, choice);

		for (unsigned int i = 0; i < FLOW_BUCKET_SLOTS; i++) {
			uint32_t index = FLOW_SLOT_INDEX(slots[i]);

			if (index && FLOW_SLOT_TAG(slots[i]) == flow_tag(digest) &&
			    is_key(&t->entries[index], vni, addr))
				return &slots[i];
		}
	}
	return NULL;
}

static unsigned int vacancies(const __u64 *slots, __u64 **ret)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < FLOW_BUCKET_SLOTS; i++) {
		if (slots[i])
			continue;
		*ret = (__u64 *)&slots[i];
		n++;
	}
	return n;
}

/* In the emptier bucket; of two equal ones in the first, which is looked at first. */
static __u64 *vacant(const struct endpoint_table *t, uint64_t digest)
{
	__u64 *first = NULL, *second = NULL;
	unsigned int n = vacancies(slots_of(t, digest, 0), &first);

	return vacancies(slots_of(t, digest, 1), &second) > n ? second : first;
}

/* Adoption: a slot counts if its entry's own digest leads back to it, and no other slot named it before. */
static void adopt_slot(struct endpoint_table *t, uint32_t bucket, __u64 *slot)
{
	uint32_t index = FLOW_SLOT_INDEX(*slot);
	const struct endpoint *e = &t->entries[index < t->n ? index : 0];
	uint64_t digest = endpoint_digest(e->vni, &e->addr, t->seed);
	bool here = flow_bucket_of(digest, 0, t->mask) == bucket ||
		    flow_bucket_of(digest, 1, t->mask) == bucket;

	if (index && index < t->n && here && flow_tag(digest) == FLOW_SLOT_TAG(*slot) &&
	    e->to.nexthop && !t->marked[index]) {
		t->marked[index] = 1;
		t->n_used++;
		return;
	}
	__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
}

static void adopt(struct endpoint_table *t)
{
	static const struct endpoint_to none;

	for (uint32_t b = 0; b <= t->mask; b++)
		for (unsigned int i = 0; i < FLOW_BUCKET_SLOTS; i++)
			if (t->index[b].slot[i])
				adopt_slot(t, b, &t->index[b].slot[i]);
	for (uint32_t i = t->n - 1; i; i--) {
		if (t->marked[i])
			continue;
		if (t->entries[i].to.nexthop)
			store_to(&t->entries[i], &none);
		push(t, &t->free, i);
		t->n_free++;
	}
	memset(t->marked, 0, t->n);
}

int endpoint_table_init(struct endpoint_table *t, struct flow_bucket *index,
			struct endpoint *entries, uint32_t n, const __u32 *seed)
{
	*t = (struct endpoint_table){ .index = index, .entries = entries, .seed = seed, .n = n,
				      .mask = endpoint_buckets(n) - 1 };
	t->next = calloc(n, sizeof(*t->next));
	t->marked = calloc(n, sizeof(*t->marked));
	if (!t->next || !t->marked) {
		endpoint_table_done(t);
		return -ENOMEM;
	}
	adopt(t);
	return 0;
}

void endpoint_table_done(struct endpoint_table *t)
{
	free(t->next);
	free(t->marked);
	*t = (struct endpoint_table){};
}

const struct endpoint *endpoint_table_get(const struct endpoint_table *t, uint32_t vni,
					  const struct ip_addr *addr)
{
	const __u64 *slot = find(t, vni, addr, endpoint_digest(vni, addr, t->seed));

	return slot ? &t->entries[FLOW_SLOT_INDEX(*slot)] : NULL;
}

static int add(struct endpoint_table *t, uint32_t vni, const struct ip_addr *addr,
	       const struct endpoint_to *to, uint64_t digest)
{
	__u64 *slot = vacant(t, digest);
	uint32_t index = t->free;
	struct endpoint *e = &t->entries[index];

	if (!slot || (!index && !t->n_resting))
		return -ENOSPC;
	if (!index)
		return -EAGAIN;
	t->free = t->next[index];
	t->n_free--;
	t->n_used++;
	t->marked[index] = 0;
	e->addr = *addr;
	e->vni = vni;
	store_to(e, to);
	__atomic_store_n(slot, FLOW_SLOT(flow_tag(digest), index), __ATOMIC_RELEASE);
	return 0;
}

int endpoint_table_put(struct endpoint_table *t, uint32_t vni, const struct ip_addr *addr,
		       const struct endpoint_to *to, struct endpoint_to *ret_old)
{
	uint64_t digest = endpoint_digest(vni, addr, t->seed);
	const __u64 *slot = find(t, vni, addr, digest);
	uint32_t index = slot ? FLOW_SLOT_INDEX(*slot) : 0;

	*ret_old = (struct endpoint_to){};
	if (!slot)
		return add(t, vni, addr, to, digest);
	*ret_old = t->entries[index].to;
	t->marked[index] = 0;
	store_to(&t->entries[index], to);
	return 0;
}

bool endpoint_table_del(struct endpoint_table *t, uint32_t vni, const struct ip_addr *addr,
			struct endpoint_to *ret_old)
{
	static const struct endpoint_to none;
	__u64 *slot = find(t, vni, addr, endpoint_digest(vni, addr, t->seed));
	uint32_t index;

	if (!slot)
		return false;
	index = FLOW_SLOT_INDEX(*slot);
	*ret_old = t->entries[index].to;
	__atomic_store_n(slot, 0, __ATOMIC_RELEASE);
	store_to(&t->entries[index], &none);
	push(t, &t->resting, index);
	t->n_resting++;
	t->n_used--;
	return true;
}

void endpoint_table_rested(struct endpoint_table *t)
{
	while (t->resting) {
		uint32_t i = t->resting;

		t->resting = t->next[i];
		push(t, &t->free, i);
	}
	t->n_free += t->n_resting;
	t->n_resting = 0;
}

void endpoint_table_mark(struct endpoint_table *t)
{
	memset(t->marked, 1, t->n);
}

const struct endpoint *endpoint_table_next(const struct endpoint_table *t, uint32_t *at,
					   bool marked_only)
{
	for (uint32_t i = *at ? *at : 1; i < t->n; i++) {
		if (!t->entries[i].to.nexthop || (marked_only && !t->marked[i]))
			continue;
		*at = i + 1;
		return &t->entries[i];
	}
	return NULL;
}
