/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_flow_watch.c - what was marked is collected once a round, for as long as it is there
 */
#include <agent/flow_watch.h>

#include <stdlib.h>

#include <agent/flow_table.h>
#include <selftests/unit/expect.h>

#define N_FLOWS 65u
#define N_BUCKETS 16u

struct world {
	struct flow_bucket index[N_BUCKETS];
	struct flow flows[N_FLOWS];
	uint32_t secret[FLOW_SECRET_WORDS];
	struct flow_table *t;
	struct flow_watched seen[N_FLOWS];
};

static struct world *make(void)
{
	struct world *w = aligned_alloc(64, (sizeof(*w) + 63) / 64 * 64);
	struct flow_table_memory m;

	memset(w, 0, sizeof(*w));
	m = (struct flow_table_memory){ w->index, w->flows, N_BUCKETS, N_FLOWS, w->secret };
	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		w->secret[i] = i * 2654435761u + 1;
	assert_int_equal(flow_table_new(&m, 0, &w->t), 0);
	return w;
}

static void done(struct world *w)
{
	flow_table_free(w->t);
	free(w);
}

static uint32_t add(struct world *w, uint32_t i, uint8_t way)
{
	struct flow_key key = { .scope = SCOPE_VPORT | 5, .proto = 6, .tuple = FLOW_TUPLE_3 };
	struct action action = { .verdict = ACTION_FORWARD, .nexthop = 1 };
	int64_t index;

	ip_addr_set_v4(&key.src, i);
	ip_addr_set_v4(&key.dst, 99);
	index = flow_table_add(w->t, &key, &action, 0, NULL);
	assert_true(index > 0);
	flow_watch_set(flow_table_watch(w->t), index, way);
	return index;
}

static uint32_t collect(struct world *w, uint32_t max)
{
	return flow_watch_collect(flow_table_watch(w->t), w->t, w->seen, max);
}

static void pass_grace(struct world *w)
{
	flow_table_grace_begin(w->t);
	flow_table_grace_end(w->t);
}

static void test_marked_only(void **state)
{
	struct world *w = make();
	uint32_t board, direct;

	(void)state;
	board = add(w, 1, 1);
	add(w, 2, 0);
	direct = add(w, 3, 2);
	expect_int("n", collect(w, N_FLOWS), 2);
	expect_int("first", w->seen[0].index, board);
	expect_int("way", w->seen[0].way, 1);
	expect_int("second", w->seen[1].index, direct);
	expect_int("way", w->seen[1].way, 2);
	expect_int("gen", w->seen[1].gen, flow_table_get(w->t, direct)->action.gen);
	expect_int("the round is over", collect(w, N_FLOWS), 0);
	expect_int("the next one", collect(w, N_FLOWS), 2);
	done(w);
}

static void test_in_pieces(void **state)
{
	struct world *w = make();
	unsigned int n = 0, some;

	(void)state;
	for (uint32_t i = 1; i <= 10; i++)
		add(w, i, 1);
	while ((some = collect(w, 3)))
		n += some;
	expect_int("all", n, 10);
	done(w);
}

/* A flow that changes its way, goes, or gives its index to another, which may be marked or not. */
static void test_changes(void **state)
{
	struct world *w = make();
	struct flow_watch *watch = flow_table_watch(w->t);
	uint32_t index = add(w, 1, 1), again;

	(void)state;
	flow_watch_set(watch, index, 2);
	expect_int("once", collect(w, N_FLOWS), 1);
	expect_int("new way", w->seen[0].way, 2);
	collect(w, N_FLOWS);

	flow_table_del(w->t, index);
	expect_int("gone", collect(w, N_FLOWS), 0);
	pass_grace(w);
	again = add(w, 2, 0);
	expect_int("the index comes back", again, index);
	expect_int("for one that is not marked", collect(w, N_FLOWS), 0);

	flow_table_del(w->t, again);
	pass_grace(w);
	add(w, 3, 1);
	flow_table_del(w->t, index);
	pass_grace(w);
	expect_int("and for one that is, before it was read", add(w, 4, 1), index);
	expect_int("still once", collect(w, N_FLOWS), 1);
	done(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_marked_only),
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests_name("flow_watch", tests, NULL, NULL);
}
