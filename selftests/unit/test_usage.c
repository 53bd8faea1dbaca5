/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_usage.c - rates and reports, with a clock that the test turns; a slow twin as oracle
 */
#include <agent/usage.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lib/addr.h>

#define MS 1000000ull
#define S 1000000000ull
#define THRESHOLD 20000u
#define START (1000 * S)

static struct usage_pair out[64];

static struct ip_addr host(uint32_t i)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, 0x0a000000u | i);
	return a;
}

static void add(struct usage *u, uint32_t i, enum usage_way way, uint64_t bytes, uint64_t now)
{
	struct ip_addr src = host(i), dst = host(1000 + i);

	usage_add(u, 100, &src, &dst, way, THRESHOLD, bytes, now);
}

static uint32_t report(struct usage *u, uint64_t now)
{
	return usage_report(u, now, out, 64);
}

static void test_heavy_at_once(void **state)
{
	struct usage *u = usage_new(8);
	struct ip_addr src = host(1), dst = host(1001);

	(void)state;
	add(u, 1, USAGE_HOVERBOARD, 2500, START);
	assert_int_equal(report(u, START), 0);		/* exactly 20 kb/s is not above */
	add(u, 1, USAGE_HOVERBOARD, 1, START + 50 * MS);
	assert_int_equal(report(u, START + 50 * MS), 1);
	assert_int_equal(out[0].vni, 100);
	assert_int_equal(out[0].bps, 2501 * 8);
	assert_int_equal(out[0].way, USAGE_HOVERBOARD);
	assert_true(ip_addr_equal(&out[0].src, &src) && ip_addr_equal(&out[0].dst, &dst));
	usage_free(u);
}

/* 100 bytes each 50 ms are 16 kb/s, 150 are 24 kb/s: the one never, the other within the window. */
static void test_steady(void **state)
{
	struct usage *u = usage_new(8);
	uint64_t now = START, first = 0;

	(void)state;
	for (unsigned int i = 0; i < 200; i++, now += 50 * MS) {
		add(u, 1, USAGE_HOVERBOARD, 100, now);
		add(u, 2, USAGE_HOVERBOARD, 150, now);
		for (uint32_t n = report(u, now); n; n--) {
			struct ip_addr two = host(2);

			assert_true(ip_addr_equal(&out[n - 1].src, &two));
			first = first ? first : now;
		}
	}
	assert_true(first && first - START <= USAGE_WINDOW_NS);
	usage_free(u);
}

static void test_repeats_once_a_second(void **state)
{
	struct usage *u = usage_new(8);
	unsigned int n = 0;

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {		/* 5 s */
		add(u, 1, USAGE_HOVERBOARD, 10000, START + i * 50 * MS);
		n += report(u, START + i * 50 * MS);
	}
	assert_int_equal(n, 5);
	usage_free(u);
}

static void test_direct_every_five_seconds_and_its_silence(void **state)
{
	struct usage *u = usage_new(8);
	unsigned int n = 0;
	uint64_t now;

	(void)state;
	add(u, 1, USAGE_HOVERBOARD, 5000, START);
	assert_int_equal(report(u, START), 1);
	for (now = START + 50 * MS; now < START + 11 * S; now += 50 * MS) {
		add(u, 1, USAGE_DIRECT, 10, now);
		n += report(u, now);
	}
	assert_int_equal(n, 3);				/* its new way at once, then at 5 and 10 s */
	assert_int_equal(out[0].way, USAGE_DIRECT);
	assert_in_range(out[0].bps, 1500, 1700);
	for (n = 0; usage_pairs(u) && now < START + 60 * S; now += 50 * MS)
		n += report(u, now);
	assert_int_equal(n, 1);				/* silence is said once, then it is forgotten */
	assert_int_equal(out[0].bps, 0);
	assert_in_range(now, START + 14 * S, START + 17 * S);
	usage_free(u);
}

static void test_full(void **state)
{
	struct usage *u = usage_new(3);

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		add(u, i, USAGE_HOVERBOARD, 9000, START);
	assert_int_equal(usage_pairs(u), 3);
	assert_int_equal(usage_missed(u), 2);
	assert_int_equal(usage_report(u, START, out, 2), 2);
	assert_int_equal(usage_report(u, START, out, 2), 1);	/* the one that found no room */
	assert_int_equal(report(u, START + USAGE_IDLE_NS), 0);
	assert_int_equal(usage_pairs(u), 0);
	add(u, 4, USAGE_HOVERBOARD, 9000, START + 3 * S);
	assert_int_equal(report(u, START + 3 * S), 1);
	usage_free(u);
}

/* The clock stands still, then jumps a year. */
static void test_clock(void **state)
{
	struct usage *u = usage_new(3);
	uint64_t year = 365 * 86400 * S;

	(void)state;
	for (unsigned int i = 0; i < 10; i++)
		add(u, 1, USAGE_HOVERBOARD, 1000, START);
	assert_int_equal(report(u, START), 1);
	assert_int_equal(out[0].bps, 80000);
	add(u, 1, USAGE_HOVERBOARD, 1000, START + year);
	assert_int_equal(report(u, START + year), 0);
	usage_free(u);
}

/* Random pairs come, send and go; what the table says of each is what a plain sum says. */
static void test_against_sums(void **state)
{
	enum { PAIRS = 40, STEPS = 4000 };
	static uint32_t sent[STEPS][PAIRS];
	struct usage *u = usage_new(PAIRS);
	unsigned int seed = 7;

	(void)state;
	for (unsigned int step = 0; step < STEPS; step++) {
		uint64_t now = START + step * USAGE_SLOT_NS;
		uint32_t n;

		for (uint32_t i = 0; i < PAIRS; i++) {
			if (rand_r(&seed) % 8 || (step / 100 + i) % 3 == 0)
				continue;
			sent[step][i] = rand_r(&seed) % 2000;
			add(u, i, USAGE_HOVERBOARD, sent[step][i], now);
		}
		n = report(u, now);
		for (uint32_t k = 0; k < n; k++) {
			uint32_t i, want = 0;

			for (i = 0; i < PAIRS; i++) {
				struct ip_addr a = host(i);

				if (ip_addr_equal(&a, &out[k].src))
					break;
			}
			for (unsigned int s = step >= 9 ? step - 9 : 0; s <= step; s++)
				want += sent[s][i];
			assert_int_equal(out[k].bps, want * 8);
			assert_true(out[k].bps > THRESHOLD);
		}
	}
	usage_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heavy_at_once),
		cmocka_unit_test(test_steady),
		cmocka_unit_test(test_repeats_once_a_second),
		cmocka_unit_test(test_direct_every_five_seconds_and_its_silence),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_against_sums),
	};

	return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
