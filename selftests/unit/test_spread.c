/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_spread.c - places of a next hop's table go to ways that are well, and stay with them
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <agent/spread.h>

static uint16_t places[NEXTHOP_WAYS];

static int set_up(void **state)
{
	(void)state;
	memset(places, 0, sizeof(places));
	return 0;
}

static unsigned int share(uint32_t id)
{
	unsigned int i, n = 0;

	for (i = 0; i < NEXTHOP_WAYS; i++)
		n += places[i] == id;
	return n;
}

static unsigned int changed(const uint16_t *before)
{
	unsigned int i, n = 0;

	for (i = 0; i < NEXTHOP_WAYS; i++)
		n += places[i] != before[i];
	return n;
}

static void equal_ways_share_equally(void **state)
{
	const struct spread_way two[] = { { 7, 1 }, { 9, 1 } }, three[] = { { 7, 1 }, { 9, 1 }, { 4, 1 } };

	(void)state;
	spread_fill(places, two, 2);
	assert_int_equal(share(7), 16);
	assert_int_equal(share(9), 16);
	set_up(NULL);
	spread_fill(places, three, 3);
	assert_in_range(share(7), 10, 11);
	assert_in_range(share(9), 10, 11);
	assert_in_range(share(4), 10, 11);
}

static void weights_count(void **state)
{
	const struct spread_way uneven[] = { { 7, 3 }, { 9, 1 } }, tiny[] = { { 7, 256 }, { 9, 1 } };

	(void)state;
	spread_fill(places, uneven, 2);
	assert_int_equal(share(7), 24);
	assert_int_equal(share(9), 8);
	spread_fill(places, tiny, 2);
	assert_int_equal(share(9), 1);
}

static void only_places_of_the_dead_change_hands(void **state)
{
	const struct spread_way three[] = { { 7, 1 }, { 9, 1 }, { 4, 1 } }, two[] = { { 7, 1 }, { 4, 1 } };
	uint16_t before[NEXTHOP_WAYS];
	unsigned int dead;

	(void)state;
	spread_fill(places, three, 3);
	memcpy(before, places, sizeof(places));
	dead = share(9);
	spread_fill(places, two, 2);
	assert_int_equal(share(9), 0);
	assert_int_equal(changed(before), dead);

	memcpy(before, places, sizeof(places));
	spread_fill(places, three, 3);
	assert_in_range(share(9), 10, 11);
	assert_int_equal(changed(before), share(9));
}

static void nothing_changes_without_need(void **state)
{
	const struct spread_way two[] = { { 7, 1 }, { 9, 1 } }, turned[] = { { 9, 1 }, { 7, 1 } };
	uint16_t before[NEXTHOP_WAYS];

	(void)state;
	spread_fill(places, two, 2);
	memcpy(before, places, sizeof(places));
	spread_fill(places, turned, 2);
	assert_int_equal(changed(before), 0);
}

static void no_way_no_places(void **state)
{
	const struct spread_way one[] = { { 7, 1 } };

	(void)state;
	spread_fill(places, one, 1);
	assert_int_equal(share(7), NEXTHOP_WAYS);
	spread_fill(places, NULL, 0);
	assert_int_equal(share(0), NEXTHOP_WAYS);
}

/* Random ways that come and go: every place is with a way that is well, every share is fair. */
static void shares_stay_fair(void **state)
{
	unsigned int seed = time(NULL), round, i;

	(void)state;
	print_message("seed %u\n", seed);
	srandom(seed);
	for (round = 0; round < 10000; round++) {
		struct spread_way ways[8];
		unsigned int n = 0, total = 0;

		for (i = 0; i < 8; i++)
			if (random() & 1) {
				ways[n] = (struct spread_way){ i + 1, 1 + random() % 4 };
				total += ways[n++].weight;
			}
		spread_fill(places, ways, n);
		assert_int_equal(share(0), n ? 0 : NEXTHOP_WAYS);
		for (i = 0; i < n; i++) {
			unsigned int fair = NEXTHOP_WAYS * ways[i].weight / total;

			assert_in_range(share(ways[i].id), fair > 2 ? fair - 2 : 1, fair + 2);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(equal_ways_share_equally, set_up),
		cmocka_unit_test_setup(weights_count, set_up),
		cmocka_unit_test_setup(only_places_of_the_dead_change_hands, set_up),
		cmocka_unit_test_setup(nothing_changes_without_need, set_up),
		cmocka_unit_test_setup(no_way_no_places, set_up),
		cmocka_unit_test_setup(shares_stay_fair, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
