/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_offload_far.c - pairs whose hosts different controllers lead, and controllers that come and go
 *
 *	controller 0 ◄── messages, late or lost ──► controller 1 ◄──► controller 2
 *	   │ leads some hosts, for now                 │
 *	 hosts: apply what their leader told, some time after
 *
 * The single steps first; then a world in which shards move, controllers die with all they know, and
 * channels break. What is asked of it all the time is what packets need: whoever
 * sends a pair straight sends it to a host that takes it. In the end, when nobody sends any
 * more, nothing is left anywhere. Seeds are printed.
 */
#include <ctl/controller/offload.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <lib/addr.h>

#define S 1000000000ull
#define START (1000 * S)
#define THRESHOLD 20000u
#define CONTROLLERS 3
#define HOSTS 6
#define GUESTS 18			/* guest i lives on host i % HOSTS */
#define NETWORK 7
#define QUEUE 4096

static struct ip_addr guest(uint32_t i)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, 0x0a000000u | (i + 1));
	return a;
}

static uint32_t guest_of(const struct ip_addr *a)
{
	return ip_addr_is_zero(a) ? GUESTS : (a->w[3] & 0xff) - 1;
}

static struct offload_route use(uint32_t s, uint32_t d)
{
	return (struct offload_route){ .host = s % HOSTS, .network = NETWORK, .src = guest(s),
				       .dst = guest(d), .peer = d % HOSTS };
}

static struct offload_route permit(uint32_t host, uint32_t s)
{
	return (struct offload_route){ .host = host, .network = NETWORK, .src = guest(s),
				       .peer = s % HOSTS };
}

static void report(struct offload *o, uint32_t s, uint32_t d, uint64_t bps, bool direct,
		   uint64_t now)
{
	const struct offload_pair p = { .network = NETWORK, .src = guest(s), .dst = guest(d),
					.src_host = s % HOSTS, .dst_host = d % HOSTS,
					.bps = bps, .threshold_bps = THRESHOLD, .direct = direct };

	assert_int_equal(offload_report(o, &p, now), 0);
}

static struct offload_stats stats(const struct offload *o)
{
	struct offload_stats st;

	offload_stats(o, &st);
	return st;
}

/* Single steps: host 0 is ours, host 1 another's. */

static struct offload *sender_side(void)
{
	struct offload *o = offload_new(&(struct offload_options){});

	assert_non_null(o);
	offload_host_connected(o, 0, true, START);
	offload_host_led(o, 1, false, 5, START);
	return o;
}

static struct offload_change next(struct offload *o, enum offload_say say, bool present)
{
	struct offload_change c;

	assert_true(offload_next(o, &c));
	assert_int_equal(c.say, say);
	assert_int_equal(c.present, present);
	return c;
}

static void nothing_more(struct offload *o)
{
	struct offload_change c;

	assert_false(offload_next(o, &c));
}

static void test_asked_first(void **state)
{
	struct offload *o = sender_side();
	struct offload_change c;

	(void)state;
	report(o, 0, 1, 2 * THRESHOLD, false, START);
	c = next(o, OFFLOAD_ASK, true);
	assert_int_equal(c.route.host, 1);
	assert_int_equal(c.bps, 2 * THRESHOLD);
	nothing_more(o);
	offload_tick(o, START + S);			/* unanswered: once more, by the same number */
	assert_int_equal(next(o, OFFLOAD_ASK, true).seq, c.seq);
	offload_acked(o, &c.route, c.seq, START + S);
	c = next(o, OFFLOAD_TELL, true);
	assert_int_equal(c.route.host, 0);
	offload_acked(o, &c.route, c.seq, START + S);
	offload_tick(o, START + 2 * S);
	nothing_more(o);
	assert_int_equal(stats(o).n_direct, 1);
	offload_tick(o, START + 40 * S);		/* cold: the sender first, then it is given back */
	c = next(o, OFFLOAD_TELL, false);
	nothing_more(o);
	offload_acked(o, &c.route, c.seq, START + 40 * S);
	c = next(o, OFFLOAD_ASK, false);
	offload_acked(o, &c.route, c.seq, START + 40 * S);
	assert_int_equal(stats(o).n_routes, 0);
	offload_free(o);
}

static void test_refused(void **state)
{
	struct offload *o = sender_side();
	struct offload_change c;

	(void)state;
	report(o, 0, 1, 2 * THRESHOLD, false, START);
	c = next(o, OFFLOAD_ASK, true);
	offload_refused(o, &c.route, c.seq);
	c = next(o, OFFLOAD_ASK, false);
	offload_acked(o, &c.route, c.seq, START);
	assert_int_equal(stats(o).n_pairs, 0);
	assert_int_equal(stats(o).n_routes, 0);
	assert_int_equal(stats(o).n_refused, 1);
	offload_free(o);
}

/* Another leader of the receiver that has no room: the pair goes back in order. */
static void test_refused_later(void **state)
{
	struct offload *o = sender_side();
	struct offload_change c;

	(void)state;
	report(o, 0, 1, 2 * THRESHOLD, false, START);
	c = next(o, OFFLOAD_ASK, true);
	offload_acked(o, &c.route, c.seq, START);
	c = next(o, OFFLOAD_TELL, true);
	offload_acked(o, &c.route, c.seq, START);
	offload_host_led(o, 1, false, 6, START);		/* another leader */
	c = next(o, OFFLOAD_ASK, true);
	assert_int_equal(stats(o).n_direct, 1);		/* nothing happens until there is an answer */
	offload_refused(o, &c.route, c.seq);
	c = next(o, OFFLOAD_TELL, false);
	report(o, 0, 1, 9 * THRESHOLD, true, START);	/* however warm: nobody takes it there */
	nothing_more(o);
	offload_acked(o, &c.route, c.seq, START);
	next(o, OFFLOAD_ASK, false);
	offload_free(o);
}

static void test_receivers_side(void **state)
{
	struct offload *o = offload_new(&(struct offload_options){ .host_max = 1 });
	const struct offload_route p = permit(0, 1), other = permit(0, 2);

	(void)state;
	offload_host_led(o, 1, false, 5, START);
	offload_host_led(o, 2, false, 5, START);
	assert_int_equal(offload_asked(o, &p, THRESHOLD, 5, START), OFFLOAD_LATER);
	assert_false(offload_is_granted(o, &p));
	offload_acked(o, &p, next(o, OFFLOAD_TELL, true).seq, START);
	assert_true(offload_is_granted(o, &p));
	assert_int_equal(offload_asked(o, &p, THRESHOLD, 7, START), OFFLOAD_GRANTED);
	assert_int_equal(offload_asked(o, &other, THRESHOLD, 5, START), OFFLOAD_REFUSED);
	offload_given_back(o, &p, 5);			/* another leads the sender meanwhile */
	assert_int_equal(offload_asked(o, &p, THRESHOLD, 6, START), OFFLOAD_STALE);
	nothing_more(o);
	offload_given_back(o, &p, 7);
	next(o, OFFLOAD_TELL, false);
	offload_free(o);
}

/* Nobody asks any more: it is not taken back, but whoever leads the sender is asked. */
static void test_doubt(void **state)
{
	struct offload *o = offload_new(&(struct offload_options){});
	const struct offload_route p = permit(0, 1);
	struct offload_change c;

	(void)state;
	offload_host_led(o, 1, false, 5, START);
	offload_asked(o, &p, THRESHOLD, 5, START);
	offload_acked(o, &p, next(o, OFFLOAD_TELL, true).seq, START);
	offload_tick(o, START + 59 * S);
	nothing_more(o);
	offload_tick(o, START + 60 * S);
	c = next(o, OFFLOAD_DOUBT, true);
	offload_tick(o, START + 100 * S);		/* no answer changes nothing */
	nothing_more(o);
	offload_asked(o, &p, THRESHOLD, 5, START + 100 * S);
	offload_unused(o, &p, c.seq);			/* said before it asked again */
	nothing_more(o);
	offload_tick(o, START + 160 * S);
	c = next(o, OFFLOAD_DOUBT, true);
	offload_unused(o, &p, c.seq);
	next(o, OFFLOAD_TELL, false);
	offload_free(o);
}

static void test_of_use(void **state)
{
	struct offload *o = sender_side();
	const struct offload_route p = permit(1, 0);

	(void)state;
	assert_true(offload_is_of_use(o, &p, START + 59 * S));	/* its host may say so yet */
	assert_false(offload_is_of_use(o, &p, START + 60 * S));
	report(o, 0, 1, 2 * THRESHOLD, false, START + 60 * S);
	assert_true(offload_is_of_use(o, &p, START + 60 * S));
	offload_host_led(o, 0, false, 6, START + 60 * S);
	assert_true(offload_is_of_use(o, &p, START + 900 * S));	/* not ours to say */
	offload_free(o);
}

/* The world. */

enum kind { WANTED, GIVEN_BACK, DOUBT, UNUSED, GRANTED, REFUSED };

struct message {
	enum kind kind;
	uint64_t n;
	struct offload_route route;
	int64_t term;
};

struct queue {
	struct message v[QUEUE];
	uint32_t head, tail;
};

struct asker {
	bool waits;
	uint32_t who;
	uint64_t n;
};

struct controller {
	struct offload *o;
	struct asker askers[HOSTS][GUESTS];
};

struct world {
	struct controller c[CONTROLLERS];
	struct queue to[CONTROLLERS][CONTROLLERS];	/* from, to; of a stream that from dialled, and its answers */
	struct offload_change inbox[HOSTS][QUEUE];
	uint32_t head[HOSTS], tail[HOSTS];
	int leader[HOSTS];			/* -1: nobody for the moment */
	int64_t term[HOSTS];
	bool permit[HOSTS][GUESTS], direct[GUESTS][GUESTS];
	uint64_t now, offloads, moves, deaths;
	uint32_t host_max;
};

static void send(struct world *w, uint32_t from, uint32_t to, const struct message *m)
{
	struct queue *q = &w->to[from][to];

	if (q->tail - q->head < QUEUE)			/* else it is lost */
		q->v[q->tail++ % QUEUE] = *m;
}

static void hand_out(struct world *w, uint32_t c, const struct offload_change *x)
{
	bool doubt = x->say == OFFLOAD_DOUBT;
	int to = w->leader[doubt ? x->route.peer : x->route.host];
	const struct message m = { doubt ? DOUBT : x->present ? WANTED : GIVEN_BACK, x->seq,
				   x->route, w->term[x->route.peer] };

	if (x->say == OFFLOAD_TELL) {
		assert_int_equal(to, c);
		w->inbox[x->route.host][w->tail[x->route.host]++ % QUEUE] = *x;
		return;
	}
	if (to >= 0 && to != (int)c)
		send(w, c, to, &m);
	if (!doubt && !x->present)
		offload_acked(w->c[c].o, &x->route, x->seq, w->now);
}

static void drain(struct world *w, uint32_t c)
{
	struct offload_change x;

	while (offload_next(w->c[c].o, &x))
		hand_out(w, c, &x);
}

static void host_applies(struct world *w, uint32_t h)
{
	struct offload_change c;
	uint32_t src, dst;
	struct asker *a;

	if (w->head[h] == w->tail[h] || w->leader[h] < 0)
		return;
	c = w->inbox[h][w->head[h]++ % QUEUE];
	src = guest_of(&c.route.src);
	dst = guest_of(&c.route.dst);
	if (dst == GUESTS)
		w->permit[h][src] = c.present;
	else
		w->direct[src][dst] = c.present;
	offload_acked(w->c[w->leader[h]].o, &c.route, c.seq, w->now);
	a = &w->c[w->leader[h]].askers[h][src];
	if (dst == GUESTS && a->waits && offload_is_granted(w->c[w->leader[h]].o, &c.route)) {
		send(w, w->leader[h], a->who, &(struct message){ GRANTED, a->n, c.route, 0 });
		a->waits = false;
	}
	drain(w, w->leader[h]);
}

static void wanted(struct world *w, uint32_t from, uint32_t at, struct message *m)
{
	struct asker *a = &w->c[at].askers[m->route.host][guest_of(&m->route.src)];
	enum offload_answer said;

	if (w->leader[m->route.host] != (int)at)
		return;
	said = offload_asked(w->c[at].o, &m->route, THRESHOLD, m->term, w->now);
	*a = (struct asker){ said == OFFLOAD_LATER, from, m->n };
	if (a->waits || said == OFFLOAD_STALE)
		return;
	m->kind = said == OFFLOAD_GRANTED ? GRANTED : REFUSED;
	send(w, at, from, m);
}

static void hear(struct world *w, uint32_t from, uint32_t at)
{
	struct offload *o = w->c[at].o;
	struct queue *q = &w->to[from][at];
	struct message m;

	if (q->head == q->tail)
		return;
	m = q->v[q->head++ % QUEUE];
	if (m.kind == WANTED)
		wanted(w, from, at, &m);
	else if (m.kind == GIVEN_BACK)
		offload_given_back(o, &m.route, m.term);
	else if (m.kind == UNUSED)
		offload_unused(o, &m.route, m.n);
	else if (m.kind == GRANTED)
		offload_acked(o, &m.route, m.n, w->now);
	else if (m.kind == REFUSED)
		offload_refused(o, &m.route, m.n);
	else if (!offload_is_of_use(o, &m.route, w->now))
		send(w, at, from, &(struct message){ UNUSED, m.n, m.route, 0 });
	drain(w, at);
}

/* Its new leader compares what the host has, adopts it, and hears it from then on. */
static void compare(struct world *w, uint32_t h)
{
	struct offload *o = w->c[w->leader[h]].o;

	for (uint32_t s = 0; s < GUESTS; s++) {
		const struct offload_route p = permit(h, s);

		if (w->permit[h][s])
			assert_int_equal(offload_adopt(o, &p, w->now), 0);
		for (uint32_t d = 0; d < GUESTS && s % HOSTS == h; d++) {
			const struct offload_route r = use(s, d);

			if (w->direct[s][d])
				assert_int_equal(offload_adopt(o, &r, w->now), 0);
		}
	}
	offload_host_connected(o, h, true, w->now);
}

static void lead(struct world *w, uint32_t h, int leader)
{
	int old = w->leader[h];

	if (old >= 0) {
		offload_host_connected(w->c[old].o, h, false, w->now);
		offload_host_led(w->c[old].o, h, false, w->term[h], w->now);
	}
	w->term[h] += leader >= 0;
	w->head[h] = w->tail[h];			/* what was on its way never arrives */
	w->leader[h] = leader;
	for (uint32_t c = 0; c < CONTROLLERS; c++) {
		memset(w->c[c].askers[h], 0, sizeof(w->c[c].askers[h]));
		if (leader != (int)c)
			offload_host_led(w->c[c].o, h, false, w->term[h], w->now);
	}
	if (leader >= 0) {
		offload_host_led(w->c[leader].o, h, true, w->term[h], w->now);
		drain(w, leader);
		compare(w, h);
	}
	w->moves++;
}

static void break_channels(struct world *w, uint32_t c)
{
	for (uint32_t other = 0; other < CONTROLLERS; other++) {
		w->to[c][other].head = w->to[c][other].tail;
		w->to[other][c].head = w->to[other][c].tail;
		for (uint32_t h = 0; h < HOSTS; h++)
			for (uint32_t s = 0; s < GUESTS; s++)
				w->c[other].askers[h][s].waits &= w->c[other].askers[h][s].who != c;
	}
}

static void begin_controller(struct world *w, uint32_t c)
{
	w->c[c] = (struct controller){};
	w->c[c].o = offload_new(&(struct offload_options){ .host_max = w->host_max });
	assert_non_null(w->c[c].o);
	for (uint32_t h = 0; h < HOSTS; h++)
		offload_host_led(w->c[c].o, h, false, w->term[h], w->now);
}

/* With all it knows; its hosts have no leader for a while. */
static void die(struct world *w, uint32_t c)
{
	break_channels(w, c);
	for (uint32_t h = 0; h < HOSTS; h++)
		if (w->leader[h] == (int)c)
			lead(w, h, -1);
	w->offloads += stats(w->c[c].o).n_offloaded;
	offload_free(w->c[c].o);
	begin_controller(w, c);
	w->deaths++;
}

static void check_nothing_is_refused(const struct world *w)
{
	for (uint32_t s = 0; s < GUESTS; s++)
		for (uint32_t d = 0; d < GUESTS; d++)
			if (w->direct[s][d] && !w->permit[d % HOSTS][s])
				fail_msg("guest %u sends straight to %u, whose host refuses it", s, d);
}

static void misfortune(struct world *w)
{
	uint32_t h = rand() % HOSTS, c = rand() % CONTROLLERS;

	switch (rand() % 16) {
	case 0:
		die(w, c);
		return;
	case 1:
	case 2:
		break_channels(w, c);
		return;
	case 3:
	case 4:
		lead(w, h, -1);
		return;
	default:
		if (w->leader[h] != (int)c)
			lead(w, h, c);
	}
}

static void everybody_goes_on(struct world *w)
{
	for (uint32_t c = 0; c < CONTROLLERS; c++)
		drain(w, c);
	for (uint32_t i = 0; i < 4; i++) {
		host_applies(w, rand() % HOSTS);
		hear(w, rand() % CONTROLLERS, rand() % CONTROLLERS);
		check_nothing_is_refused(w);
	}
}

static void step(struct world *w)
{
	uint32_t s = rand() % GUESTS, d = rand() % GUESTS;
	int leader = w->leader[s % HOSTS];

	w->now += rand() % 200 * (S / 1000);
	if (leader >= 0 && s % HOSTS != d % HOSTS && rand() % 4)
		report(w->c[leader].o, s, d, rand() % 4 * THRESHOLD, w->direct[s][d], w->now);
	if (!(rand() % 4))
		offload_tick(w->c[rand() % CONTROLLERS].o, w->now);
	if (!(rand() % 80))
		misfortune(w);
	everybody_goes_on(w);
}

/* Nobody sends any more, all is in order: in the end nothing is left. */
static void fall_silent(struct world *w)
{
	for (uint32_t h = 0; h < HOSTS; h++)
		if (w->leader[h] < 0)
			lead(w, h, h % CONTROLLERS);
	for (int i = 0; i < 600; i++) {
		w->now += S;
		for (uint32_t c = 0; c < CONTROLLERS; c++)
			offload_tick(w->c[c].o, w->now);
		for (int k = 0; k < 30; k++)
			everybody_goes_on(w);
	}
	for (uint32_t c = 0; c < CONTROLLERS; c++) {
		assert_int_equal(stats(w->c[c].o).n_pairs, 0);
		assert_int_equal(stats(w->c[c].o).n_routes, 0);
	}
	for (uint32_t h = 0; h < HOSTS; h++)
		for (uint32_t g = 0; g < GUESTS; g++)
			assert_false(w->permit[h][g]);
}

static void run_world(unsigned int seed, uint32_t host_max)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	printf("# seed %u, at most %u routes a host\n", seed, host_max);
	srand(seed);
	w->now = START;
	w->host_max = host_max;
	for (uint32_t h = 0; h < HOSTS; h++)
		w->leader[h] = -1;
	for (uint32_t c = 0; c < CONTROLLERS; c++)
		begin_controller(w, c);
	for (uint32_t h = 0; h < HOSTS; h++)
		lead(w, h, h % CONTROLLERS);
	for (int i = 0; i < 20000; i++)
		step(w);
	fall_silent(w);
	for (uint32_t c = 0; c < CONTROLLERS; c++) {
		w->offloads += stats(w->c[c].o).n_offloaded;
		offload_free(w->c[c].o);
	}
	assert_true(w->offloads > 100 && w->moves > 100 && w->deaths > 5);
	free(w);
}

static void test_world(void **state)
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
		cmocka_unit_test(test_asked_first),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_later),
		cmocka_unit_test(test_receivers_side),
		cmocka_unit_test(test_doubt),
		cmocka_unit_test(test_of_use),
		cmocka_unit_test(test_world),
	};

	return cmocka_run_group_tests_name("offload_far", tests, NULL, NULL);
}
