/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_table.h - bookkeeping of the flow index and the flows
 *
 *	free --add--> published --retire--> unpublished --(grace period)--> free
 *
 * The table writes the two arrays that the fast path reads (mapped BPF arrays in
 * the agent, plain memory in tests) and keeps beside them what only the agent
 * needs: last use, owner, free list. It does no I/O and takes time as argument.
 * One thread owns it.
 *
 * Publishing is one atomic 64-bit store of a slot; a changed action gets a new
 * index and the slot is swapped, so a reader sees the old or the new, never a
 * mix. Retired indices wait in a list until the owner says that a grace period
 * has passed.
 *
 * Fairness: every flow has an owner (a vport slot, or a fabric class); when the
 * table is full, the least recently used flow of the owner with the most flows
 * makes room.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/flow.h>

struct flow_table;
struct flow_watch;

struct flow_table_memory {
	struct flow_bucket *index;	/* n_buckets, a power of two */
	struct flow *flows;		/* n_flows entries, [0] unused */
	uint32_t n_buckets, n_flows;
	const uint32_t *secret;		/* FLOW_SECRET_WORDS */
};

/* A flow that only drops is forgotten after this long without packets, or after idle_ns if that is less. */
#define FLOW_DROP_IDLE_NS 5000000000ull

/* Owner of a flow for fairness: vport slot, or PORT_MAX + class of its outer source. */
uint32_t flow_owner(const struct flow_key *key);

/* Adopts whatever the arrays hold: published flows are kept, strays are freed. 0 or -ENOMEM. */
int flow_table_new(const struct flow_table_memory *m, uint64_t now_ns, struct flow_table **ret);
void flow_table_free(struct flow_table *t);

/* Index of the flow with @key, or 0. */
uint32_t flow_table_find(const struct flow_table *t, const struct flow_key *key);

/*
 * Publishes @action (its gen is filled in) for @key. An equal key's action is
 * replaced, under a new index; if it is the same but for gen and rule, the flow
 * stays as it is and only the rule's number is stored. May evict one flow,
 * reported in @ret_evicted (its index, or 0; NULL is allowed), when the indices
 * run low or both buckets are full. Returns the index, or -ENOSPC: every index is
 * in use or still waiting for its grace period.
 */
int64_t flow_table_add(struct flow_table *t, const struct flow_key *key,
		       const struct action *action, uint64_t now_ns, uint32_t *ret_evicted);
/* Unpublishes; the index waits for grace. */
void flow_table_del(struct flow_table *t, uint32_t index);

/*
 * Grace: _grace_begin() closes the list of indices retired so far and returns
 * how many; after a grace period _grace_end() frees exactly those. Between the
 * two _grace_each() may visit the closed indices, from any one thread: nobody
 * else touches them. A packet that is still on its way back to a closed index
 * finds another gen there.
 */
uint32_t flow_table_grace_begin(struct flow_table *t);
void flow_table_grace_each(const struct flow_table *t, void (*fn)(uint32_t index, void *arg),
			   void *arg);
void flow_table_grace_end(struct flow_table *t);

/*
 * Ageing: compares @stats of indices first..first+n-1 with what was seen before
 * and retires flows unchanged for @idle_ns (flows that drop: FLOW_DROP_IDLE_NS).
 * Returns how many were retired.
 */
uint32_t flow_table_age(struct flow_table *t, uint32_t first, uint32_t n,
			const struct flow_stats *stats, uint64_t now_ns, uint64_t idle_ns);

/*
 * Revalidation and listing: calls @fn for every published index until it returns
 * false; @fn may delete or replace that flow. The second form visits at most @n
 * indices from @first on and returns where to go on, 0 at the end; with it a long
 * walk leaves room for misses.
 */
typedef bool (*flow_table_fn)(struct flow_table *t, uint32_t index, void *arg);
void flow_table_each(struct flow_table *t, flow_table_fn fn, void *arg);
uint32_t flow_table_each_in(struct flow_table *t, uint32_t first, uint32_t n, flow_table_fn fn,
			    void *arg);

bool flow_table_is_published(const struct flow_table *t, uint32_t index);
const struct flow *flow_table_get(const struct flow_table *t, uint32_t index);
uint64_t flow_table_last_used(const struct flow_table *t, uint32_t index);
uint64_t flow_table_created(const struct flow_table *t, uint32_t index);

/* The flows whose bytes somebody wants to know; the same thread's. */
struct flow_watch *flow_table_watch(struct flow_table *t);

struct flow_table_counts {
	uint64_t published, retired, free; /* indices now */
	uint64_t capacity;		/* most that may be published; the rest is the reserve */
	uint64_t high;			/* largest index used so far */
	uint64_t added, replaced, deleted, aged, evicted, refused;
};
struct flow_table_counts flow_table_counts(const struct flow_table *t);
