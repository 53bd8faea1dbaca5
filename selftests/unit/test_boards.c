// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_boards.c - slots of hoverboards: even shares, and nothing moves without need
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <agent/boards.h>

static struct board_set set_of(uint32_t n)
{
	struct ip_addr addrs[BOARDS_MAX];
	struct board_set s;

	for (uint32_t i = 0; i < n; i++)
		ip_addr_set_v4(&addrs[i], __builtin_bswap32(0xc0000200u + i));
	board_set_init(&s, addrs, n);
	return s;
}

static void test_even_shares(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= BOARDS_MAX; n++) {
		struct board_set s = set_of(n);

		for (uint32_t i = 0; i < n; i++)
			assert_in_range(board_set_count(&s, i), BOARD_SLOTS / n,
					(BOARD_SLOTS + n - 1) / n);
	}
}

/* Whoever is healthy keeps its slots; whoever is dead has none; the change says which moved. */
static void check_change(const struct board_set *before, const struct board_set *after,
			 uint64_t moved)
{
	bool any = false;

	for (uint32_t i = 0; i < after->n; i++)
		any |= after->healthy[i];
	for (uint32_t k = 0; k < BOARD_SLOTS; k++) {
		uint8_t was = before->slot[k], is = after->slot[k];

		assert_int_equal(was != is, moved >> k & 1);
		if (any)
			assert_true(after->healthy[is]);
		else
			assert_int_equal(was, is);
		if (was != is && after->healthy[was])	/* only for one that is back */
			assert_true(after->healthy[is] && !before->healthy[is]);
	}
}

static void test_random_deaths(void **state)
{
	(void)state;
	srand(7);
	for (int round = 0; round < 2000; round++) {
		struct board_set s = set_of(1 + rand() % BOARDS_MAX);
		const struct board_set fresh = s;

		for (int k = 0; k < 12; k++) {
			const struct board_set before = s;
			uint32_t i = rand() % s.n;

			s.healthy[i] = !s.healthy[i];
			check_change(&before, &s, board_set_assign(&s));
		}
		memset(s.healthy, true, sizeof(s.healthy));
		board_set_assign(&s);
		assert_memory_equal(s.slot, fresh.slot, sizeof(s.slot));
	}
}

static void test_dead_ones_slots_are_spread(void **state)
{
	struct board_set s = set_of(8);

	(void)state;
	s.healthy[3] = false;
	assert_int_equal(__builtin_popcountll(board_set_assign(&s)), BOARD_SLOTS / 8);
	for (uint32_t i = 0; i < 8; i++)
		assert_in_range(board_set_count(&s, i), i == 3 ? 0 : 8, i == 3 ? 0 : 13);
}

static void test_all_dead_keep_the_last(void **state)
{
	struct board_set s = set_of(2), before;

	(void)state;
	s.healthy[0] = false;
	board_set_assign(&s);
	before = s;
	s.healthy[1] = false;
	assert_int_equal(board_set_assign(&s), 0);
	assert_memory_equal(s.slot, before.slot, sizeof(s.slot));
}

static void test_digest(void **state)
{
	struct board_set a = set_of(3), b = set_of(3), c = set_of(4), none = set_of(0);

	(void)state;
	b.healthy[1] = false;
	assert_true(board_set_digest(&a) == board_set_digest(&b));
	assert_true(board_set_digest(&a) != board_set_digest(&c));
	assert_true(board_set_digest(&none) != 0);
	assert_int_equal(board_set_assign(&none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_even_shares),
		cmocka_unit_test(test_random_deaths),
		cmocka_unit_test(test_dead_ones_slots_are_spread),
		cmocka_unit_test(test_all_dead_keep_the_last),
		cmocka_unit_test(test_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
