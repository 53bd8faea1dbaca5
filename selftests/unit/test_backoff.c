/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_backoff.c - the wait grows, is bounded, and is spread over all of its range
 */
#include <agent/backoff.h>

#include <selftests/unit/expect.h>

static void test_ceiling(void **state)
{
	static const uint32_t ceilings[] = { 500, 1000, 2000, 4000, 8000, 15000, 15000 };

	(void)state;
	for (uint32_t n = 1; n <= 7; n++) {
		expect_int("highest", backoff_ms(n, ceilings[n - 1]), ceilings[n - 1]);
		expect_int("turns", backoff_ms(n, ceilings[n - 1] + 1), 0);
	}
	expect_int("for ever", backoff_ms(UINT32_MAX, 15000), 15000);
}

/* 5,000 hosts whose first attempt failed: no tenth of the time gets more than twice its share. */
static void test_spread(void **state)
{
	uint64_t dice = 88172645463325252ull;
	unsigned int tenth[10] = {};

	(void)state;
	for (int i = 0; i < 5000; i++) {
		dice ^= dice << 13;
		dice ^= dice >> 7;
		dice ^= dice << 17;
		tenth[backoff_ms(4, dice) * 10 / 4001]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenth[i], 250, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
