// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_endpoint_table.c - the hoverboard's table beside a stupid twin, full, adopted, and at rest
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <agent/endpoint_table.h>

#define N 4000u				/* endpoints that there may be */
#define UNIVERSE 6000u			/* that are tried */

static const __u32 seed[FLOW_SECRET_WORDS] = FLOW_SECRET_DEFAULT;

struct arrays {
	struct flow_bucket *index;
	struct endpoint *entries;
};

static struct arrays arrays_new(uint32_t n)
{
	struct arrays a = { .entries = calloc(n + 1, sizeof(*a.entries)) };

	a.index = aligned_alloc(64, endpoint_buckets(n + 1) * sizeof(*a.index));
	memset(a.index, 0, endpoint_buckets(n + 1) * sizeof(*a.index));
	return a;
}

static void arrays_free(struct arrays *a)
{
	free(a->index);
	free(a->entries);
}

static struct ip_addr addr_of(uint32_t i)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, __builtin_bswap32(0x0a000000 + i / 2));
	return a;
}

/* Two networks with the same addresses. */
static uint32_t vni_of(uint32_t i)
{
	return 100 + i % 2;
}

static int put(struct endpoint_table *t, uint32_t i, uint16_t nexthop, struct endpoint_to *ret_old)
{
	const struct endpoint_to to = { .nexthop = nexthop, .mac = { 2, 0, i >> 16, i >> 8, i } };
	struct ip_addr addr = addr_of(i);

	return endpoint_table_put(t, vni_of(i), &addr, &to, ret_old);
}

static bool del(struct endpoint_table *t, uint32_t i, struct endpoint_to *ret_old)
{
	struct ip_addr addr = addr_of(i);

	return endpoint_table_del(t, vni_of(i), &addr, ret_old);
}

static uint16_t get(const struct endpoint_table *t, uint32_t i)
{
	struct ip_addr addr = addr_of(i);
	const struct endpoint *e = endpoint_table_get(t, vni_of(i), &addr);

	return e ? e->to.nexthop : 0;
}

static void check_twin(const struct endpoint_table *t, const uint16_t *twin)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < UNIVERSE; i++) {
		assert_int_equal(get(t, i), twin[i]);
		n += twin[i] != 0;
	}
	assert_int_equal(t->n_used, n);
	assert_int_equal(t->n_used + t->n_free + t->n_resting, N);
}

static void test_twin(void **state)
{
	static uint16_t twin[UNIVERSE];
	struct arrays a = arrays_new(N);
	struct endpoint_table t, later;
	struct endpoint_to old;

	(void)state;
	assert_int_equal(endpoint_table_init(&t, a.index, a.entries, N + 1, seed), 0);
	for (uint32_t step = 0; step < 200000; step++) {
		uint32_t i = rand() % UNIVERSE;

		if (rand() % 100 < 55) {
			uint16_t nexthop = 1 + rand() % 65535;
			int err = put(&t, i, nexthop, &old);

			if (err == -EAGAIN) {
				assert_int_equal(t.n_free, 0);
				endpoint_table_rested(&t);
				err = put(&t, i, nexthop, &old);
			}
			if (err) {
				assert_int_equal(err, -ENOSPC);
				assert_int_equal(t.n_used, N);
				continue;
			}
			assert_int_equal(old.nexthop, twin[i]);
			twin[i] = nexthop;
		} else {
			assert_int_equal(del(&t, i, &old), twin[i] != 0);
			twin[i] = 0;
		}
		if (step % 20000 == 0)
			check_twin(&t, twin);
	}
	check_twin(&t, twin);
	/* What is adopted is what was there, whatever rested. */
	assert_int_equal(endpoint_table_init(&later, a.index, a.entries, N + 1, seed), 0);
	check_twin(&later, twin);
	endpoint_table_done(&later);
	endpoint_table_done(&t);
	arrays_free(&a);
}

/* Every place can be used: two choices of eight slots, half of them. */
static void test_full(void **state)
{
	const uint32_t n = 200000;
	struct arrays a = arrays_new(n);
	struct endpoint_table t;
	struct endpoint_to old;

	(void)state;
	assert_int_equal(endpoint_table_init(&t, a.index, a.entries, n + 1, seed), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(put(&t, i, 1, &old), 0);
	assert_int_equal(put(&t, n, 1, &old), -ENOSPC);
	endpoint_table_done(&t);
	arrays_free(&a);
}

static void test_an_index_rests(void **state)
{
	struct arrays a = arrays_new(1);
	struct endpoint_table t;
	struct endpoint_to old;

	(void)state;
	assert_int_equal(endpoint_table_init(&t, a.index, a.entries, 2, seed), 0);
	assert_int_equal(put(&t, 0, 7, &old), 0);
	assert_int_equal(put(&t, 1, 7, &old), -ENOSPC);
	assert_true(del(&t, 0, &old));
	assert_int_equal(old.nexthop, 7);
	assert_int_equal(put(&t, 1, 7, &old), -EAGAIN);
	endpoint_table_rested(&t);
	assert_int_equal(put(&t, 1, 7, &old), 0);
	endpoint_table_done(&t);
	arrays_free(&a);
}

static void test_mark(void **state)
{
	struct arrays a = arrays_new(100);
	struct endpoint_table t;
	const struct endpoint *e;
	struct endpoint_to old;
	uint32_t at = 0, n = 0;

	(void)state;
	assert_int_equal(endpoint_table_init(&t, a.index, a.entries, 101, seed), 0);
	for (uint32_t i = 0; i < 10; i++)
		put(&t, i, 1, &old);
	endpoint_table_mark(&t);
	for (uint32_t i = 5; i < 15; i++)
		put(&t, i, 2, &old);
	while ((e = endpoint_table_next(&t, &at, true))) {
		assert_int_equal(e->to.nexthop, 1);
		n++;
	}
	assert_int_equal(n, 5);
	endpoint_table_done(&t);
	arrays_free(&a);
}

/* Garbage in the arrays is not followed. */
static void test_adopts_no_nonsense(void **state)
{
	struct arrays a = arrays_new(N);
	struct endpoint_table t;
	struct endpoint_to old;

	(void)state;
	for (uint32_t b = 0; b < endpoint_buckets(N + 1); b++)
		for (unsigned int i = 0; i < FLOW_BUCKET_SLOTS; i++)
			a.index[b].slot[i] = (uint64_t)rand() << 32 | rand();
	for (uint32_t i = 0; i <= N; i++)
		a.entries[i].to.nexthop = rand();
	assert_int_equal(endpoint_table_init(&t, a.index, a.entries, N + 1, seed), 0);
	assert_int_equal(t.n_used, 0);
	assert_int_equal(t.n_free, N);
	for (uint32_t i = 0; i < N; i++)
		assert_int_equal(put(&t, i, 1, &old), 0);
	endpoint_table_done(&t);
	arrays_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_an_index_rests),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_adopts_no_nonsense),
	};

	srand(5);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
