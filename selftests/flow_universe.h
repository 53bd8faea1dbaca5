/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_universe.h - a small universe of flows for the tests of the flow table
 *
 * Keys and actions made from a number, so that whoever finds a flow can tell
 * whose it ought to be; a table in plain memory; and the lookup of the fast path.
 * The seed is printed; SEED=n repeats a run.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <agent/flow_table.h>
#include <mirach/port.h>

#define N_KEYS 3000u			/* the universe */
#define N_OWNERS 7u

static uint32_t secret[FLOW_SECRET_WORDS];
static uint64_t random_state;

static inline uint32_t random32(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state >> 16;
}

static inline uint32_t below(uint32_t n)
{
	return random32() % n;
}

static inline int seed(void **state)
{
	const char *given = getenv("SEED");

	(void)state;
	random_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u | 1;
	print_message("# SEED=%llu\n", (unsigned long long)random_state);
	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		secret[i] = random32();
	return 0;
}

/* Keys of seven owners, five vports and two hosts of the fabric; a few owners have most of them. */
static inline struct flow_key key_of(uint32_t id)
{
	uint32_t owner = id % 100 < 60 ? 0 : id % N_OWNERS;
	struct flow_key key = { .proto = 6, .tuple = id % 2 ? FLOW_TUPLE_5 : FLOW_TUPLE_3 };

	ip_addr_set_v4(&key.src, id);
	ip_addr_set_v4(&key.dst, ~id);
	if (owner < 5) {
		key.scope = SCOPE_VPORT | (owner + 1);
	} else {
		key.scope = SCOPE_FABRIC | 100;
		ip_addr_set_v4(&key.outer, owner * 77);
	}
	return key;
}

static inline uint32_t owner_of(uint32_t id)
{
	struct flow_key key = key_of(id);

	return flow_owner(&key);
}

/* An action that betrays whose it is and which variant: every field repeats it. */
static inline struct action action_of(uint32_t id, uint32_t variant)
{
	struct action action = {
		.verdict = variant % 4 == 3 ? ACTION_DROP : ACTION_FORWARD,
		.nexthop = variant,
		.vni = id,
		.sample = id ^ variant,
	};

	memset(action.dmac, variant, sizeof(action.dmac));
	memset(action.smac, variant, sizeof(action.smac));
	return action;
}

/* All but gen, which moves on when a grace period begins, under the eyes of those who still run the action. */
static inline bool is_action_of(const struct action *action, uint32_t id)
{
	const size_t gen = offsetof(struct action, gen), rest = gen + sizeof(action->gen);
	struct action want = action_of(id, action->nexthop);

	return !memcmp(&want, action, gen) &&
	       !memcmp((char *)&want + rest, (const char *)action + rest, sizeof(want) - rest);
}

static inline struct flow_table_memory memory(uint32_t n_buckets, uint32_t n_flows)
{
	return (struct flow_table_memory){
		.index = aligned_alloc(64, n_buckets * sizeof(struct flow_bucket)),
		.flows = aligned_alloc(64, n_flows * sizeof(struct flow)),
		.n_buckets = n_buckets,
		.n_flows = n_flows,
		.secret = secret,
	};
}

static inline struct flow_table *table(struct flow_table_memory *m)
{
	struct flow_table *t;

	memset(m->index, 0, m->n_buckets * sizeof(*m->index));
	memset(m->flows, 0, m->n_flows * sizeof(*m->flows));
	assert_int_equal(flow_table_new(m, 0, &t), 0);
	return t;
}

static inline void release(struct flow_table *t, struct flow_table_memory *m)
{
	flow_table_free(t);
	free(m->index);
	free(m->flows);
}

/* What the fast path does: both buckets, tag first, then the whole key. */
static inline uint32_t lookup(const struct flow_table_memory *m, const struct flow_key *key)
{
	__u64 digest = flow_digest(key, secret);

	for (unsigned int choice = 0; choice < 2; choice++) {
		struct flow_bucket *b = &m->index[flow_bucket_of(digest, choice, m->n_buckets - 1)];

		for (unsigned int i = 0; i < FLOW_BUCKET_SLOTS; i++) {
			__u64 slot = __atomic_load_n(&b->slot[i], __ATOMIC_ACQUIRE);
			uint32_t index = FLOW_SLOT_INDEX(slot);

			if (FLOW_SLOT_TAG(slot) == flow_tag(digest) && index &&
			    flow_key_equal(&m->flows[index].key, key))
				return index;
		}
	}
	return 0;
}
