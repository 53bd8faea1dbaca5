/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_offload.c - pairs leave and come back; hosts that answer late never lose a packet
 *
 * A small world stands for the hosts: each applies its changes in order, some time after
 * they were told, and answers. What is asked of it all the time is what packets need:
 * whoever sends a pair straight sends it to a host that takes it.
 */
#include <ctl/controller/offload.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lib/addr.h>

#define S 1000000000ull
#define START (1000 * S)
#define THRESHOLD 20000u
#define HOSTS 6
#define GUESTS 24			/* guest i lives on host i % HOSTS */
#define NETWORK 7

static struct ip_addr guest(uint32_t i)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, 0x0a000000u | i);
	return a;
}

static struct offload_pair pair(uint32_t src, uint32_t dst, uint64_t bps, bool direct)
{
	return (struct offload_pair){ .network = NETWORK, .src = guest(src), .dst = guest(dst),
				      .src_host = src % HOSTS, .dst_host = dst % HOSTS,
				      .bps = bps, .threshold_bps = THRESHOLD, .direct = direct };
}

static void say(struct offload *o, uint32_t src, uint32_t dst, uint64_t bps, bool direct,
		uint64_t now)
{
	const struct offload_pair p = pair(src, dst, bps, direct);

	assert_int_equal(offload_report(o, &p, now), 0);
}

static struct offload *begin(uint32_t host_max)
{
	struct offload *o = offload_new(&(struct offload_options){ .host_max = host_max });

	assert_non_null(o);
	for (uint32_t h = 0; h < HOSTS; h++)
		offload_host_connected(o, h, true, START);
	return o;
}

/* The next change is the one for this host, and says this; it is acknowledged if @ack. */
static struct offload_change expect(struct offload *o, uint32_t host, bool present, bool permit)
{
	struct offload_change c;

	assert_true(offload_next(o, &c));
	assert_int_equal(c.route.host, host);
	assert_int_equal(c.present, present);
	assert_int_equal(ip_addr_is_zero(&c.route.dst), permit);
	return c;
}

static void ack(struct offload *o, struct offload_change c, uint64_t now)
{
	offload_acked(o, &c.route, c.seq, now);
}

static void nothing_more(struct offload *o)
{
	struct offload_change c;

	assert_false(offload_next(o, &c));
}

static struct offload_stats stats(const struct offload *o)
{
	struct offload_stats st;

	offload_stats(o, &st);
	return st;
}

/* Guest 0 on host 0 sends to guest 1 on host 1; everything is acknowledged. */
static void make_direct(struct offload *o, uint64_t now)
{
	say(o, 0, 1, THRESHOLD + 1, false, now);
	ack(o, expect(o, 1, true, true), now);
	ack(o, expect(o, 0, true, false), now);
	nothing_more(o);
}

static void test_receiver_first(void **state)
{
	struct offload *o = begin(0);
	struct offload_change c;

	(void)state;
	say(o, 0, 1, THRESHOLD, false, START);		/* at the threshold is not above it */
	nothing_more(o);
	say(o, 0, 1, THRESHOLD + 1, false, START);
	c = expect(o, 1, true, true);
	assert_int_equal(c.route.peer, 0);
	nothing_more(o);				/* the sender waits for the receiver's word */
	ack(o, c, START + S);
	c = expect(o, 0, true, false);
	assert_int_equal(c.route.peer, 1);
	assert_int_equal(stats(o).n_direct, 0);
	ack(o, c, START + 2 * S);
	assert_int_equal(stats(o).n_direct, 1);
	assert_int_equal(stats(o).p50_ns, 2 * S);
	nothing_more(o);
	offload_free(o);
}

static void test_one_host(void **state)
{
	struct offload *o = begin(0);

	(void)state;
	say(o, 0, HOSTS, 10 * THRESHOLD, false, START);
	nothing_more(o);
	assert_int_equal(stats(o).n_pairs, 0);
	offload_free(o);
}

static void test_hysteresis(void **state)
{
	struct offload *o = begin(0);
	struct offload_change c;
	uint64_t now = START;

	(void)state;
	make_direct(o, now);
	for (; now < START + 100 * S; now += 5 * S) {	/* below the threshold, not below half of it */
		say(o, 0, 1, THRESHOLD / 2, true, now);
		offload_tick(o, now);
		nothing_more(o);
	}
	for (int i = 0; i < 6; i++, now += 5 * S) {
		say(o, 0, 1, THRESHOLD / 2 - 1, true, now);
		offload_tick(o, now);
		nothing_more(o);
	}
	offload_tick(o, now);				/* cold for 30 s */
	c = expect(o, 0, false, false);			/* the sender first, this time */
	nothing_more(o);
	ack(o, c, now);
	ack(o, expect(o, 1, false, true), now);
	assert_int_equal(stats(o).n_pairs, 0);
	assert_int_equal(stats(o).n_routes, 0);
	offload_free(o);
}

static void test_silence(void **state)
{
	struct offload *o = begin(0);

	(void)state;
	make_direct(o, START);
	offload_tick(o, START + 29 * S);
	nothing_more(o);
	offload_host_connected(o, 0, false, START + 29 * S);
	offload_tick(o, START + 500 * S);		/* who cannot report is not cold */
	nothing_more(o);
	offload_host_connected(o, 0, true, START + 500 * S);
	offload_tick(o, START + 529 * S);
	nothing_more(o);
	offload_tick(o, START + 530 * S);
	expect(o, 0, false, false);
	offload_free(o);
}

static void test_warm_again(void **state)
{
	struct offload *o = begin(0);
	struct offload_change gone, back;

	(void)state;
	make_direct(o, START);
	offload_tick(o, START + 31 * S);
	gone = expect(o, 0, false, false);
	say(o, 0, 1, 2 * THRESHOLD, false, START + 31 * S);
	back = expect(o, 0, true, false);
	ack(o, gone, START + 32 * S);			/* an old answer decides nothing */
	nothing_more(o);
	assert_int_equal(stats(o).n_direct, 0);
	ack(o, back, START + 32 * S);
	assert_int_equal(stats(o).n_direct, 1);
	nothing_more(o);
	offload_free(o);
}

static void test_bounded(void **state)
{
	struct offload *o = begin(2);

	(void)state;
	make_direct(o, START);
	say(o, 0, 2, 2 * THRESHOLD, false, START);	/* a second route of host 0 */
	ack(o, expect(o, 2, true, true), START);
	ack(o, expect(o, 0, true, false), START);
	say(o, 0, 3, THRESHOLD + 1, false, START);	/* no warmer than the coldest */
	nothing_more(o);
	assert_int_equal(stats(o).n_refused, 1);
	say(o, 0, 3, 3 * THRESHOLD, false, START);	/* warmer: the coldest makes way */
	ack(o, expect(o, 0, false, false), START);
	ack(o, expect(o, 1, false, true), START);
	assert_int_equal(stats(o).n_evicted, 1);
	say(o, 0, 3, 3 * THRESHOLD, false, START + S);
	ack(o, expect(o, 3, true, true), START);
	ack(o, expect(o, 0, true, false), START);
	nothing_more(o);
	offload_free(o);
}

static void test_forget(void **state)
{
	struct offload *o = begin(0);
	struct ip_addr moved = guest(1);
	struct offload_change c;
	int n = 0;

	(void)state;
	make_direct(o, START);
	say(o, 1, 2, 2 * THRESHOLD, false, START);
	say(o, 3, 1, 2 * THRESHOLD, false, START);	/* never told to anybody */
	say(o, 3, 4, 2 * THRESHOLD, false, START);	/* somebody else's */
	offload_forget(o, NETWORK, &moved);
	assert_int_equal(stats(o).n_pairs, 1);
	while (offload_next(o, &c)) {
		n += !c.present;
		ack(o, c, START);
	}
	assert_int_equal(n, 4);				/* 0->1: both; 1->2 and 3->1: the permits asked for */
	assert_int_equal(stats(o).n_routes, 2);
	offload_free(o);
}

static void test_adopt(void **state)
{
	struct offload *o = begin(0);
	const struct offload_route use = { .host = 0, .network = NETWORK, .src = guest(0),
					   .dst = guest(1), .peer = 1 };
	const struct offload_route permit = { .host = 1, .network = NETWORK, .src = guest(0),
					      .peer = 0 };

	(void)state;
	assert_int_equal(offload_adopt(o, &use, START), 0);
	assert_int_equal(offload_adopt(o, &permit, START), 0);
	say(o, 0, 1, 2 * THRESHOLD, true, START + S);
	nothing_more(o);				/* it is all as it should be */
	assert_int_equal(stats(o).n_direct, 1);
	for (uint64_t now = START; now < START + 100 * S; now += 5 * S) {
		say(o, 0, 1, 2 * THRESHOLD, true, now);
		offload_tick(o, now);
		nothing_more(o);
	}
	offload_tick(o, START + 200 * S);		/* from here on it is a pair like any other */
	ack(o, expect(o, 0, false, false), START);
	ack(o, expect(o, 1, false, true), START);
	assert_int_equal(stats(o).n_routes, 0);
	offload_free(o);
}

static void test_adopt_unused(void **state)
{
	struct offload *o = begin(0);
	const struct offload_route use = { .host = 0, .network = NETWORK, .src = guest(0),
					   .dst = guest(1), .peer = 1 };
	const struct offload_route permit = { .host = 1, .network = NETWORK, .src = guest(0),
					      .peer = 0 };

	(void)state;
	assert_int_equal(offload_adopt(o, &use, START), 0);
	assert_int_equal(offload_adopt(o, &permit, START), 0);
	offload_tick(o, START + 30 * S);
	ack(o, expect(o, 0, false, false), START);
	nothing_more(o);
	offload_tick(o, START + 60 * S);
	ack(o, expect(o, 1, false, true), START);
	assert_int_equal(stats(o).n_routes, 0);
	offload_free(o);
}

/* The receiver comes back long after the sender: no reason for the pair to return to the hoverboards. */
static void test_adopt_receiver_late(void **state)
{
	struct offload *o = begin(0);
	const struct offload_route use = { .host = 0, .network = NETWORK, .src = guest(0),
					   .dst = guest(1), .peer = 1 };
	const struct offload_route permit = { .host = 1, .network = NETWORK, .src = guest(0),
					      .peer = 0 };
	struct offload_change c;

	(void)state;
	offload_host_connected(o, 1, false, START);
	assert_int_equal(offload_adopt(o, &use, START), 0);
	say(o, 0, 1, 2 * THRESHOLD, true, START);
	c = expect(o, 1, true, true);
	for (uint64_t now = START; now < START + 200 * S; now += 5 * S) {
		say(o, 0, 1, 2 * THRESHOLD, true, now);
		offload_tick(o, now);
		nothing_more(o);
	}
	assert_int_equal(stats(o).n_direct, 1);
	offload_host_connected(o, 1, true, START + 200 * S);
	assert_int_equal(offload_adopt(o, &permit, START + 200 * S), 0);
	ack(o, c, START + 200 * S);
	nothing_more(o);
	assert_int_equal(stats(o).n_pairs, 1);
	offload_free(o);
}

/* The sender comes back long after the receiver, which has taken its packets all the while. */
static void test_adopt_sender_late(void **state)
{
	struct offload *o = begin(0);
	const struct offload_route use = { .host = 0, .network = NETWORK, .src = guest(0),
					   .dst = guest(1), .peer = 1 };
	const struct offload_route permit = { .host = 1, .network = NETWORK, .src = guest(0),
					      .peer = 0 };

	(void)state;
	offload_host_connected(o, 0, false, START);
	assert_int_equal(offload_adopt(o, &permit, START), 0);
	offload_tick(o, START + 900 * S);
	nothing_more(o);
	assert_int_equal(offload_adopt(o, &use, START + 900 * S), 0);
	offload_host_connected(o, 0, true, START + 900 * S);
	offload_tick(o, START + 929 * S);
	nothing_more(o);
	offload_tick(o, START + 930 * S);		/* it says nothing of the pair */
	expect(o, 0, false, false);
	offload_tick(o, START + 990 * S);
	nothing_more(o);				/* not before it has stopped */
	offload_free(o);
}

/* The world of hosts that answer late. */

struct world {
	struct offload *o;
	struct offload_change inbox[HOSTS][65536];
	uint32_t head[HOSTS], tail[HOSTS];
	bool permit[HOSTS][GUESTS];		/* this host takes that guest straight */
	bool direct[GUESTS][GUESTS];		/* the pair is sent straight */
	uint64_t now;
};

static uint32_t guest_of(const struct ip_addr *a)
{
	return ip_addr_is_zero(a) ? GUESTS : a->w[3] & 0xff;
}

static void tell(struct world *w)
{
	struct offload_change c;

	while (offload_next(w->o, &c)) {
		assert_true(w->tail[c.route.host] < 65536);
		w->inbox[c.route.host][w->tail[c.route.host]++] = c;
	}
}

static void host_applies(struct world *w, uint32_t h)
{
	struct offload_change c;
	uint32_t src, dst;

	if (w->head[h] == w->tail[h])
		return;
	c = w->inbox[h][w->head[h]++];
	src = guest_of(&c.route.src);
	dst = guest_of(&c.route.dst);
	if (dst == GUESTS)
		w->permit[h][src] = c.present;
	else
		w->direct[src][dst] = c.present;
	ack(w->o, c, w->now);
}

static void check_nothing_is_refused(const struct world *w)
{
	for (uint32_t s = 0; s < GUESTS; s++)
		for (uint32_t d = 0; d < GUESTS; d++)
			if (w->direct[s][d] && !w->permit[d % HOSTS][s])
				fail_msg("guest %u sends straight to %u, whose host refuses it", s, d);
}

static void run_world(unsigned int seed, uint32_t host_max)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->o = begin(host_max);
	w->now = START;
	print_message("# seed %u, at most %u routes a host\n", seed, host_max);
	srand(seed);
	for (int i = 0; i < 20000; i++) {
		uint32_t s = rand() % GUESTS, d = rand() % GUESTS;

		w->now += rand() % 200 * (S / 1000);
		if (rand() % 3)
			say(w->o, s, d, rand() % 3 * THRESHOLD, w->direct[s][d], w->now);
		if (rand() % 10 == 0)
			offload_tick(w->o, w->now);
		tell(w);
		host_applies(w, rand() % HOSTS);
		host_applies(w, rand() % HOSTS);
		check_nothing_is_refused(w);
	}
	assert_true(stats(w->o).n_withdrawn > 0);
	for (int i = 0; i < 100; i++) {			/* everybody falls silent */
		w->now += 10 * S;
		offload_tick(w->o, w->now);
		tell(w);
		for (uint32_t h = 0; h < HOSTS; h++)
			while (w->head[h] < w->tail[h])
				host_applies(w, h);
		check_nothing_is_refused(w);
	}
	assert_int_equal(stats(w->o).n_pairs, 0);
	assert_int_equal(stats(w->o).n_routes, 0);
	for (uint32_t h = 0; h < HOSTS; h++)
		for (uint32_t g = 0; g < GUESTS; g++)
			assert_false(w->permit[h][g]);
	offload_free(w->o);
	free(w);
}

static void test_late_answers(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 5; seed++) {
		run_world(seed, 0);
		run_world(seed, 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_receiver_first),
		cmocka_unit_test(test_one_host),
		cmocka_unit_test(test_hysteresis),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_warm_again),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_adopt),
		cmocka_unit_test(test_adopt_unused),
		cmocka_unit_test(test_adopt_receiver_late),
		cmocka_unit_test(test_adopt_sender_late),
		cmocka_unit_test(test_late_answers),
	};

	return cmocka_run_group_tests_name("offload", tests, NULL, NULL);
}
