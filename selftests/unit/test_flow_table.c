// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_flow_table.c - the flow table against a stupid twin, and after a crash
 *
 * The twin is an array that remembers every flow and finds everything by looking
 * at all of it. Random operations run on both; whatever the table evicts must be
 * what the twin would have. Its concurrent reader is test_flow_readers.c.
 */
#include <agent/flow_table.h>

#include <errno.h>
#include <stdio.h>

#include <selftests/flow_universe.h>

#define SECOND 1000000000ull

static void pass_grace(struct flow_table *t)
{
	flow_table_grace_begin(t);
	flow_table_grace_end(t);
}

/* ---- the twin ---- */

struct twin {
	struct {
		uint32_t index;		/* 0: not there */
		uint32_t variant;
		uint64_t used, stamp;	/* time, and the order within a time */
	} flow[N_KEYS];
	uint64_t stamp;
	uint32_t published;
};

static uint32_t twin_id(const struct twin *w, uint32_t index)
{
	for (uint32_t id = 0; id < N_KEYS; id++)
		if (w->flow[id].index == index)
			return id;
	return N_KEYS;
}

/* The evicted flow's owner must have had the most flows, and none of them unused for longer. */
static void check_fair(const struct twin *w, uint32_t victim)
{
	static uint32_t count[SENDERS];
	uint32_t owner = owner_of(victim);

	memset(count, 0, sizeof(count));
	for (uint32_t id = 0; id < N_KEYS; id++)
		count[owner_of(id)] += w->flow[id].index != 0;
	for (uint32_t id = 0; id < N_KEYS; id++) {
		assert_true(count[owner_of(id)] <= count[owner]);
		if (w->flow[id].index && owner_of(id) == owner)
			assert_true(w->flow[id].stamp >= w->flow[victim].stamp);
	}
}

static void twin_forget(struct twin *w, uint32_t id)
{
	w->flow[id].index = 0;
	w->published--;
}

static void zero(uint32_t index, void *arg)
{
	struct flow_stats *stats = arg;

	stats[index] = (struct flow_stats){};
}

static void twin_grace(struct flow_table *t, struct flow_stats *stats)
{
	flow_table_grace_begin(t);
	flow_table_grace_each(t, zero, stats);
	flow_table_grace_end(t);
}

static void random_add(struct flow_table *t, struct twin *w, struct flow_stats *stats, uint64_t now)
{
	uint32_t id = below(N_KEYS), variant = below(8), evicted;
	struct action action = action_of(id, variant);
	struct flow_key key = key_of(id);
	uint32_t old = w->flow[id].index;
	int64_t index = flow_table_add(t, &key, &action, now, &evicted);

	if (evicted) {
		uint32_t victim = twin_id(w, evicted);

		assert_int_not_equal(victim, N_KEYS);
		assert_int_equal(w->published, flow_table_counts(t).capacity);
		check_fair(w, victim);
		twin_forget(w, victim);
	}
	if (index < 0) {
		assert_int_equal(index, -ENOSPC);
		assert_int_equal(flow_table_counts(t).free, 0);
		twin_grace(t, stats);
		return;
	}
	assert_int_equal(old == index, old && w->flow[id].variant == variant);
	w->flow[id].index = index;
	w->flow[id].variant = variant;
	if (!old) {
		w->flow[id].used = now;
		w->flow[id].stamp = ++w->stamp;
		w->published++;
	}
}

static void random_del(struct flow_table *t, struct twin *w)
{
	uint32_t id = below(N_KEYS);

	if (!w->flow[id].index)
		return;
	flow_table_del(t, w->flow[id].index);
	twin_forget(w, id);
}

/* Some flows carried packets since the last time, the others did not. */
static void random_age(struct flow_table *t, struct twin *w, struct flow_stats *stats,
		       uint32_t n_flows, uint64_t now)
{
	uint64_t idle = 20 * SECOND;

	for (uint32_t i = 1; i < n_flows; i++) {
		uint32_t id = twin_id(w, i);
		bool used = below(3) == 0;

		if (id == N_KEYS)
			continue;
		if (used) {
			stats[i].packets += 1 + below(5);
			w->flow[id].used = now;
			w->flow[id].stamp = ++w->stamp;
		} else if (now - w->flow[id].used >= (w->flow[id].variant % 4 == 3 ? 5 * SECOND : idle)) {
			twin_forget(w, id);
		}
	}
	flow_table_age(t, 1, n_flows / 2, stats + 1, now, idle);
	flow_table_age(t, 1 + n_flows / 2, n_flows, stats + 1 + n_flows / 2, now, idle);
}

static void compare(struct flow_table *t, const struct twin *w, const struct flow_table_memory *m)
{
	struct flow_table_counts c = flow_table_counts(t);

	assert_int_equal(c.published, w->published);
	assert_int_equal(c.published + c.retired + c.free, m->n_flows - 1);
	for (uint32_t id = 0; id < N_KEYS; id++) {
		struct flow_key key = key_of(id);
		uint32_t index = w->flow[id].index;

		assert_int_equal(lookup(m, &key), index);
		assert_int_equal(flow_table_find(t, &key), index);
		if (!index)
			continue;
		assert_true(flow_table_is_published(t, index));
		assert_true(is_action_of(&m->flows[index].action, id));
		assert_int_equal(m->flows[index].action.nexthop, w->flow[id].variant);
		assert_int_equal(flow_table_last_used(t, index), w->flow[id].used);
	}
}

static void agrees_with_twin(void **state)
{
	struct flow_table_memory m = memory(256, 801);
	struct flow_table *t = table(&m);
	struct flow_stats *stats = calloc(2 * 801, sizeof(*stats));
	struct twin *w = calloc(1, sizeof(*w));
	uint64_t now = 1;

	(void)state;
	for (int i = 0; i < 30000; i++) {
		uint32_t what = below(1000);

		now += below(SECOND / 50);
		if (what < 850)
			random_add(t, w, stats, now);
		else if (what < 995)
			random_del(t, w);
		else if (what < 998)
			twin_grace(t, stats);
		else
			random_age(t, w, stats, 801, now);
		if (i % 500 == 0)
			compare(t, w, &m);
	}
	compare(t, w, &m);
	assert_true(flow_table_counts(t).evicted > 0);
	assert_true(flow_table_counts(t).aged > 0);
	free(w);
	free(stats);
	release(t, &m);
}

/* ---- single promises ---- */

static int64_t add(struct flow_table *t, uint32_t id, uint32_t variant)
{
	struct action action = action_of(id, variant);
	struct flow_key key = key_of(id);

	return flow_table_add(t, &key, &action, 0, NULL);
}

static void index_waits_for_grace(void **state)
{
	struct flow_table_memory m = memory(16, 5);
	struct flow_table *t = table(&m);
	int64_t index = add(t, 1, 1), again;
	uint32_t gen = m.flows[index].action.gen;

	(void)state;
	flow_table_del(t, index);
	for (uint32_t id = 2; id < 5; id++) {
		again = add(t, id, 1);
		assert_true(again > 0 && again != index);
	}
	assert_int_equal(add(t, 9, 1), -ENOSPC);
	assert_int_equal(m.flows[index].action.gen, gen);
	assert_int_equal(flow_table_grace_begin(t), 1);
	assert_int_not_equal(m.flows[index].action.gen, gen);	/* nobody resumes it any more */
	assert_int_equal(add(t, 9, 1), -ENOSPC);
	flow_table_grace_end(t);
	assert_int_equal(add(t, 9, 1), index);
	assert_true(m.flows[index].action.gen > gen);
	release(t, &m);
}

static void replace_takes_a_new_index(void **state)
{
	struct flow_table_memory m = memory(16, 9);
	struct flow_table *t = table(&m);
	int64_t first = add(t, 1, 1), second;
	struct action action = action_of(1, 1);
	struct flow_key key = key_of(1);

	(void)state;
	action.rule = 42;
	assert_int_equal(flow_table_add(t, &key, &action, 0, NULL), first);
	assert_int_equal(m.flows[first].action.rule, 42);
	second = add(t, 1, 2);
	assert_true(second > 0 && second != first);
	assert_int_equal(lookup(&m, &key), second);
	assert_int_equal(m.flows[first].action.nexthop, 1);	/* whoever still runs it */
	assert_int_equal(flow_table_counts(t).published, 1);
	assert_int_equal(flow_table_counts(t).replaced, 1);
	flow_table_del(t, second);
	assert_int_equal(flow_table_counts(t).published, 0);
	release(t, &m);
}

/* One owner floods; the others keep what they had. */
static void flood_evicts_the_flooder(void **state)
{
	struct flow_table_memory m = memory(512, 1001);
	struct flow_table *t = table(&m);
	struct action action = action_of(0, 0);
	struct flow_key key = { .proto = 17, .tuple = FLOW_TUPLE_5, .scope = SCOPE_VPORT | 2 };

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		key.src.w[3] = i;
		assert_true(flow_table_add(t, &key, &action, i, NULL) > 0);
	}
	key.scope = SCOPE_VPORT | 3;
	for (uint32_t i = 0; i < 20000; i++) {
		key.src.w[3] = i;
		assert_true(flow_table_add(t, &key, &action, 100 + i, NULL) > 0);
		if (i % 50 == 0)
			pass_grace(t);
	}
	for (uint32_t i = 0; i < 100; i++) {
		key.scope = SCOPE_VPORT | 2;
		key.src.w[3] = i;
		assert_int_not_equal(flow_table_find(t, &key), 0);
	}
	key.scope = SCOPE_VPORT | 3;
	key.src.w[3] = 19999;
	assert_int_not_equal(flow_table_find(t, &key), 0);	/* the newest, not the oldest */
	key.src.w[3] = 10;
	assert_int_equal(flow_table_find(t, &key), 0);
	assert_int_equal(flow_table_counts(t).refused, 0);
	release(t, &m);
}

/* Two buckets for a hundred flows: the seventeenth makes room among its neighbours. */
static void full_buckets_evict(void **state)
{
	struct flow_table_memory m = memory(2, 101);
	struct flow_table *t = table(&m);
	uint32_t evicted;

	(void)state;
	for (uint32_t id = 0; id < 200; id++) {
		struct action action = action_of(id, 0);
		struct flow_key key = key_of(id);
		int64_t index = flow_table_add(t, &key, &action, id, &evicted);

		assert_true(index > 0);
		assert_int_equal(lookup(&m, &key), index);
		assert_int_equal(flow_table_counts(t).published, id < 16 ? id + 1 : 16);
		assert_int_equal(evicted != 0, id >= 16);
		if (id % 20 == 0)
			pass_grace(t);
	}
	release(t, &m);
}

/* Both choices together hold as many flows as the agent sizes the index for. */
static void index_holds_its_flows(void **state)
{
	struct flow_table_memory m = memory(4096, 16384);
	struct flow_table *t = table(&m);
	uint64_t first = 0, capacity = flow_table_counts(t).capacity;
	struct action action = action_of(0, 0);

	(void)state;
	for (uint32_t i = 0; i < capacity; i++) {
		struct flow_key key = { .scope = SCOPE_VPORT | (i % 5), .tuple = FLOW_TUPLE_3 };

		ip_addr_set_v4(&key.src, i);
		ip_addr_set_v4(&key.dst, ~i);
		assert_true(flow_table_add(t, &key, &action, i, NULL) > 0);
	}
	assert_int_equal(flow_table_counts(t).evicted, 0);
	for (uint32_t i = 0; i < capacity; i++) {
		struct flow_key key = { .scope = SCOPE_VPORT | (i % 5), .tuple = FLOW_TUPLE_3 };
		uint32_t index;
		__u64 digest;

		ip_addr_set_v4(&key.src, i);
		ip_addr_set_v4(&key.dst, ~i);
		index = lookup(&m, &key);
		assert_int_not_equal(index, 0);
		digest = flow_digest(&key, secret);
		for (unsigned int s = 0; s < FLOW_BUCKET_SLOTS; s++)
			first += FLOW_SLOT_INDEX(m.index[flow_bucket_of(digest, 0, 4095)].slot[s]) == index;
	}
	print_message("# %llu of %llu flows in their first bucket\n", (unsigned long long)first,
		      (unsigned long long)capacity);
	assert_true(first > capacity * 8 / 10);
	release(t, &m);
}

static void adopts_what_is_sound(void **state)
{
	struct flow_table_memory m = memory(64, 101);
	struct flow_table *t = table(&m);
	struct flow_key key;
	uint32_t gen;

	(void)state;
	for (uint32_t id = 0; id < 50; id++)
		assert_true(add(t, id, 1) > 0);
	flow_table_del(t, 7);
	gen = m.flows[7].action.gen;
	flow_table_free(t);			/* killed: the arrays stay as they are */
	m.index[3].slot[7] = FLOW_SLOT(5, 20);	/* strays: wrong tag, out of range */
	m.index[4].slot[7] = FLOW_SLOT(5, 101);
	m.index[5].slot[7] = FLOW_SLOT(1, 0);

	assert_int_equal(flow_table_new(&m, 5, &t), 0);
	assert_int_equal(flow_table_counts(t).published, 49);
	assert_int_equal(flow_table_counts(t).free, 51);
	assert_int_equal(m.index[3].slot[7] | m.index[4].slot[7] | m.index[5].slot[7], 0);
	for (uint32_t id = 0; id < 50; id++) {
		key = key_of(id);
		assert_int_equal(flow_table_find(t, &key), id == 6 ? 0 : id + 1);
	}
	assert_int_equal(flow_table_created(t, 1), 5);
	assert_int_equal(add(t, 77, 1), 7);	/* the hole is used, under another gen */
	assert_true(m.flows[7].action.gen > gen);
	release(t, &m);
}

static bool visit(struct flow_table *t, uint32_t index, void *arg)
{
	uint32_t *n = arg;

	(*n)++;
	if (index % 2)
		flow_table_del(t, index);
	return true;
}

static void each_may_delete(void **state)
{
	struct flow_table_memory m = memory(64, 101);
	struct flow_table *t = table(&m);
	uint32_t n = 0, next = 1, steps = 0;

	(void)state;
	for (uint32_t id = 0; id < 60; id++)
		add(t, id, 1);
	while (next) {
		next = flow_table_each_in(t, next, 16, visit, &n);
		steps++;
	}
	assert_int_equal(n, 60);
	assert_int_equal(steps, 4);
	assert_int_equal(flow_table_counts(t).published, 30);
	release(t, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_twin),
		cmocka_unit_test(index_waits_for_grace),
		cmocka_unit_test(replace_takes_a_new_index),
		cmocka_unit_test(flood_evicts_the_flooder),
		cmocka_unit_test(full_buckets_evict),
		cmocka_unit_test(index_holds_its_flows),
		cmocka_unit_test(adopts_what_is_sound),
		cmocka_unit_test(each_may_delete),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
