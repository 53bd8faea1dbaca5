// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_flow_readers.c - the fast path reads while the flow table churns
 *
 * A thread looks flows up as the fast path does; the table adds, replaces,
 * deletes and evicts as fast as it can, and waits for the reader where it would
 * wait for the kernel. Whatever the reader finds must be its own flow's action,
 * whole. Without the wait in synchronize() this test fails nearly every time.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>

#include <selftests/flow_universe.h>

static int64_t add(struct flow_table *t, uint32_t id, uint32_t variant)
{
	struct action action = action_of(id, variant);
	struct flow_key key = key_of(id);

	return flow_table_add(t, &key, &action, 0, NULL);
}

struct reader {
	struct flow_table_memory *m;
	uint64_t run;			/* odd: a program run is under way */
	bool stop;
	uint64_t hits, wrong;
};

static void *read_flows(void *arg)
{
	struct reader *r = arg;
	uint32_t id = 0;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		struct flow_key key = key_of(id = (id + 7) % N_KEYS);
		uint32_t index;

		__atomic_fetch_add(&r->run, 1, __ATOMIC_SEQ_CST);
		index = lookup(r->m, &key);
		if (index) {
			r->hits++;
			r->wrong += !is_action_of(&r->m->flows[index].action, id);
		}
		__atomic_fetch_add(&r->run, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* As the kernel's: what was unpublished before is out of sight for every run that begins after the look at `run`. */
static void synchronize(struct reader *r)
{
	uint64_t run;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	run = __atomic_load_n(&r->run, __ATOMIC_SEQ_CST);

	while (run & 1 && __atomic_load_n(&r->run, __ATOMIC_SEQ_CST) == run)
		sched_yield();
}

static void readers_never_see_another_action(void **state)
{
	struct flow_table_memory m = memory(128, 401);
	struct flow_table *t = table(&m);
	struct reader r = { .m = &m };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, read_flows, &r), 0);
	for (int i = 0; i < 400000; i++) {
		uint32_t id = below(N_KEYS);
		struct flow_key key = key_of(id);
		uint32_t index;

		if (below(8) == 0 && (index = flow_table_find(t, &key)))
			flow_table_del(t, index);
		else if (add(t, id, below(200)) < 0 || i % 2 == 0) {
			flow_table_grace_begin(t);
			synchronize(&r);
			flow_table_grace_end(t);
		}
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	print_message("# %llu hits while the table churned\n", (unsigned long long)r.hits);
	assert_int_equal(r.wrong, 0);
	assert_true(r.hits > 0);
	release(t, &m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_never_see_another_action),
	};

	return cmocka_run_group_tests(tests, seed, NULL);
}
