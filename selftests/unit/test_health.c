// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_health.c - when a hoverboard counts as dead, when as back, and what counts as an answer
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <agent/health.h>
#include <lib/clock.h>

#define START (1000 * NS_PER_S)
#define MINE wire32(0x11223344)
#define THEIRS wire32(0xc0000209)

/* Asks and answers until @until; answers stop at @dead. Returns when it went down, 0 if it did not. */
static uint64_t run(struct health *h, uint64_t from, uint64_t until, uint64_t dead, uint32_t *asked)
{
	for (uint64_t now = from; now < until; now += NS_PER_MS) {
		if (now < h->due_ns)
			continue;
		if (!health_tick(h, now, rand() << 16 | rand()))
			continue;
		(*asked)++;
		if (!h->up)
			return now;
		if (now < dead)
			health_answer(h, now);
	}
	return 0;
}

static void test_stays_up(void **state)
{
	struct health h;
	uint32_t asked = 0;

	(void)state;
	health_init(&h, START);
	assert_true(h.up);
	assert_int_equal(run(&h, START, START + 100 * NS_PER_S, UINT64_MAX, &asked), 0);
	assert_in_range(asked, 500, 667);	/* every 150 to 200 ms */
	assert_int_equal(h.changes, 0);
}

static void test_death_is_noticed_in_time(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t dead = START + NS_PER_S + rand() % NS_PER_S, down;
		uint32_t asked = 0;
		struct health h;

		health_init(&h, START);
		down = run(&h, START, START + 10 * NS_PER_S, dead, &asked);
		assert_in_range(down - dead, 450 * NS_PER_MS, 801 * NS_PER_MS);
	}
}

/* The agent was busy for a minute: nothing was asked, nothing is concluded. */
static void test_a_pause_is_no_death(void **state)
{
	struct health h;

	(void)state;
	health_init(&h, START);
	assert_true(health_tick(&h, START, 0));
	health_answer(&h, START);
	assert_true(health_tick(&h, START + 60 * NS_PER_S, 0));
	assert_true(h.up);
	health_answer(&h, START + 60 * NS_PER_S);
	assert_true(h.up);
}

/* A gateway that is no Mirach never answers, and is asked seldom; one that did is missed. */
static void test_a_gateway_may_be_silent(void **state)
{
	struct health h;
	uint32_t asked = 0;
	uint64_t down;

	(void)state;
	health_init(&h, START);
	h.may_be_silent = true;
	assert_int_equal(run(&h, START, START + 100 * NS_PER_S, START, &asked), 0);
	assert_true(health_silent(&h));
	assert_in_range(asked, 100, 135);
	health_answer(&h, START + 100 * NS_PER_S);
	assert_false(health_silent(&h));
	down = run(&h, START + 100 * NS_PER_S, START + 110 * NS_PER_S, START, &asked);
	assert_in_range(down, START + 100 * NS_PER_S + 1, START + 103 * NS_PER_S);
	/* One that turns out to be a hoverboard is expected to answer. */
	health_init(&h, START);
	h.may_be_silent = true;
	assert_int_equal(run(&h, START, START + 10 * NS_PER_S, START, &asked), 0);
	h.may_be_silent = false;
	assert_int_not_equal(run(&h, START + 10 * NS_PER_S, START + 20 * NS_PER_S, START, &asked), 0);
}

static void test_comes_back(void **state)
{
	uint32_t asked = 0;
	struct health h;
	uint64_t now;

	(void)state;
	health_init(&h, START);
	now = run(&h, START, START + 10 * NS_PER_S, START, &asked);
	assert_true(now && !h.up);
	assert_in_range(h.due_ns - now, 750 * NS_PER_MS, NS_PER_S);	/* rarely, while it is down */
	health_answer(&h, now + 1);
	assert_false(h.up);						/* one is not enough, ... */
	assert_true(health_tick(&h, now + 1, 0));			/* ... but the next is asked at once */
	health_answer(&h, now + 2);
	assert_true(h.up);
	assert_int_equal(h.changes, 2);
	assert_int_equal(h.since_ns, now + 2);
}

/* What the reflector makes of a question (bpf/reflect.h). */
static struct bfd_header turned(const struct bfd_header *q)
{
	struct bfd_header a = *q;

	a.state_flags = BFD_STATE_UP | BFD_INDEPENDENT;
	a.my_discriminator = q->your_discriminator;
	a.your_discriminator = q->my_discriminator;
	return a;
}

static void test_answers(void **state)
{
	struct bfd_header q, a;

	(void)state;
	health_question(&q, MINE, THEIRS);
	assert_false(health_is_answer(&q, sizeof(q), MINE, THEIRS));	/* itself, come back */
	a = turned(&q);
	assert_true(health_is_answer(&a, sizeof(a), MINE, THEIRS));
	assert_false(health_is_answer(&a, sizeof(a) - 1, MINE, THEIRS));
	assert_false(health_is_answer(&a, sizeof(a), THEIRS, MINE));
	assert_false(health_is_answer(&a, 0, MINE, THEIRS));
	a.state_flags &= ~BFD_STATE_MASK;				/* administratively down */
	assert_false(health_is_answer(&a, sizeof(a), MINE, THEIRS));
	a = turned(&q);
	a.version_diag = 2 << 5;
	assert_false(health_is_answer(&a, sizeof(a), MINE, THEIRS));
	a = turned(&q);
	a.len++;
	assert_false(health_is_answer(&a, sizeof(a), MINE, THEIRS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stays_up),
		cmocka_unit_test(test_death_is_noticed_in_time),
		cmocka_unit_test(test_a_pause_is_no_death),
		cmocka_unit_test(test_a_gateway_may_be_silent),
		cmocka_unit_test(test_comes_back),
		cmocka_unit_test(test_answers),
	};

	srand(3);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
