/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_ring.c - shares are even, and a change moves its own share only
 */
#include <ctl/controller/ring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define HOSTS 5000
#define SHARDS 64
#define CONTROLLERS 8

static const char *host(uint32_t i)
{
	static char name[16];

	snprintf(name, sizeof(name), "host-%u", i);
	return name;
}

static const char *const controllers[CONTROLLERS] = {
	"c-1", "c-2", "c-3", "c-4", "c-5", "c-6", "c-7", "c-8",
};

static void test_shards_are_even(void **state)
{
	uint32_t count[SHARDS] = {};

	(void)state;
	for (uint32_t i = 0; i < HOSTS; i++)
		count[ring_shard(host(i), SHARDS)]++;
	for (uint32_t s = 0; s < SHARDS; s++)
		assert_in_range(count[s], HOSTS / SHARDS / 2, HOSTS / SHARDS * 2);
}

static void test_new_shard_takes_its_share(void **state)
{
	uint32_t moved = 0;

	(void)state;
	for (uint32_t n = 1; n < 20; n++) {
		moved = 0;
		for (uint32_t i = 0; i < HOSTS; i++) {
			uint32_t before = ring_shard(host(i), n), after = ring_shard(host(i), n + 1);

			if (before == after)
				continue;
			assert_int_equal(after, n);	/* to the new one, never between old ones */
			moved++;
		}
		assert_in_range(moved, HOSTS / (n + 1) * 8 / 10, HOSTS / (n + 1) * 12 / 10);
	}
}

static void test_controller_joins_and_goes(void **state)
{
	uint32_t few[CONTROLLERS], all[CONTROLLERS], taken = 0;

	(void)state;
	for (uint32_t s = 0; s < 1000; s++) {
		ring_prefer(s, controllers, CONTROLLERS - 1, few);
		ring_prefer(s, controllers, CONTROLLERS, all);
		if (all[0] == CONTROLLERS - 1) {
			taken++;
			assert_int_equal(all[1], few[0]);	/* who led is next in line */
		} else {
			assert_int_equal(all[0], few[0]);
		}
	}
	assert_in_range(taken, 1000 / CONTROLLERS * 7 / 10, 1000 / CONTROLLERS * 13 / 10);
}

static void test_order_names_everybody(void **state)
{
	(void)state;
	for (uint32_t s = 0; s < SHARDS; s++) {
		uint32_t order[CONTROLLERS], seen = 0;

		ring_prefer(s, controllers, CONTROLLERS, order);
		for (uint32_t i = 0; i < CONTROLLERS; i++)
			seen |= 1u << order[i];
		assert_int_equal(seen, (1u << CONTROLLERS) - 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shards_are_even),
		cmocka_unit_test(test_new_shard_takes_its_share),
		cmocka_unit_test(test_controller_joins_and_goes),
		cmocka_unit_test(test_order_names_everybody),
	};

	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
