// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_index.c - the hash table against a plain array, with hashes that collide
 */
#include <ctl/controller/index.h>

#include <stdlib.h>

#include <selftests/unit/expect.h>

#define N 400

struct entry {
	unsigned int key;
};

static unsigned int spread;		/* how many different hashes there are */

static uint64_t hash(const void *entry)
{
	return ((const struct entry *)entry)->key % spread * 0x9e3779b97f4a7c15ull >> 20;
}

static bool same(const void *a, const void *b)
{
	return ((const struct entry *)a)->key == ((const struct entry *)b)->key;
}

static void check(const struct index *x, struct entry *entries, const bool *in)
{
	size_t n = 0, walked = 0;

	for (unsigned int k = 0; k < N; k++) {
		struct entry like = { k };

		assert_ptr_equal(index_find(x, &like), in[k] ? &entries[k] : NULL);
		assert_null(index_find_other(x, &like, &entries[k]));
		n += in[k];
	}
	for (size_t i = 0; index_next(x, &i);)
		walked++;
	assert_int_equal(x->n, n);
	assert_int_equal(walked, n);
}

static void test_against_array(void **state)
{
	static const unsigned int spreads[] = { 1, 7, 1000000 };

	(void)state;
	srandom(7);
	for (size_t s = 0; s < COUNT(spreads); s++) {
		struct entry entries[N];
		bool in[N] = {};
		struct index x;

		spread = spreads[s];
		index_init(&x, hash, same);
		for (unsigned int k = 0; k < N; k++)
			entries[k].key = k;
		for (int step = 0; step < 3000; step++) {
			unsigned int k = random() % N;

			if (in[k])
				assert_true(index_del(&x, &entries[k]));
			else
				assert_int_equal(index_add(&x, &entries[k]), 0);
			in[k] = !in[k];
			assert_int_equal(index_del(&x, &(struct entry){ k }), false);
			if (step % 50 == 0)
				check(&x, entries, in);
		}
		check(&x, entries, in);
		index_done(&x);
	}
}

static void test_equal_keys(void **state)
{
	struct entry a = { 1 }, b = { 1 };
	struct index x;

	(void)state;
	spread = 1000;
	index_init(&x, hash, same);
	index_add(&x, &a);
	index_add(&x, &b);
	assert_ptr_equal(index_find_other(&x, &a, &a), &b);
	assert_ptr_equal(index_find_other(&x, &a, &b), &a);
	assert_true(index_del(&x, &a));
	assert_ptr_equal(index_find(&x, &a), &b);
	assert_null(index_find_other(&x, &a, &b));
	index_done(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array), cmocka_unit_test(test_equal_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
