// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_programming.c - revisions, who holds them, and who waits for them
 */
#include <ctl/controller/programming.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <selftests/unit/expect.h>

struct told {
	int err;
	unsigned int calls, n;
	char first[64];
};

static void tell(void *arg, int err, const char *const *missing, unsigned int n)
{
	struct told *t = arg;

	t->err = err;
	t->calls++;
	t->n = n;
	strcpy(t->first, n ? missing[0] : "");
}

static void name_host(void *arg, uint64_t revision, void (*add)(void *to, const char *host), void *to)
{
	(void)arg;
	if (revision == 2)
		add(to, "host-b");
}

static struct programming *begin(void)
{
	struct programming *p = programming_new(&(struct programming_options){ .missing = name_host });

	assert_non_null(p);
	programming_close(p, programming_open(p, 0), 1, 0);
	return p;
}

/* Revision @revision with a holder. */
static struct tracks hold(struct programming *p, uint64_t revision)
{
	struct track *t = programming_open(p, 100);
	struct tracks h = {};

	tracks_add(p, &h, t, 0);
	programming_close(p, t, revision, 0);
	return h;
}

static void test_order(void **state)
{
	struct programming *p = begin();
	struct told two = {}, three = {}, nine = {};
	struct tracks a, b;

	(void)state;
	a = hold(p, 2);
	b = hold(p, 3);
	programming_wait(p, 2, 1000, tell, &two);
	programming_wait(p, 3, 1000, tell, &three);
	programming_wait(p, 9, 1000, tell, &nine);
	tracks_release(p, &b, 150);
	expect_int("revision 3 does not wait for 2", three.calls, 1);
	expect_int("programmed", three.err, 0);
	expect_int("revision 2 waits", two.calls, 0);
	tracks_release(p, &a, 160);
	expect_int("then it does not", two.calls, 1);
	expect_int("what is to come waits", nine.calls, 0);
	programming_close(p, programming_open(p, 0), 9, 170);
	expect_int("concerns nobody", nine.calls, 1);
	programming_wait(p, 2, 1000, tell, &two);
	expect_int("at once when it is over", two.calls, 2);
	expect_int("samples", programming_stats(p).programmed, 2);
	assert_true(programming_stats(p).p50_ns == 50 && programming_stats(p).max_ns == 60);
	programming_free(p);
}

static void test_deadline(void **state)
{
	struct programming *p = begin();
	struct tracks a = hold(p, 2);
	struct told t = {}, gone = {};
	struct programming_wait *w;

	(void)state;
	programming_wait(p, 2, 1000, tell, &t);
	w = programming_wait(p, 2, 900, tell, &gone);
	programming_wait_cancel(p, w);
	assert_true(programming_tick(p, 999) == 1000);
	expect_int("not yet", t.calls, 0);
	assert_true(programming_tick(p, 1000) == UINT64_MAX);
	expect_int("timed out", t.err, -ETIMEDOUT);
	expect_text("names who", t.first, "host-b");
	expect_int("cancelled", gone.calls, 0);
	tracks_release(p, &a, 0);
	expect_int("once only", t.calls, 1);
	programming_free(p);
}

/* A change that moves from hand to hand is one until the last lets go. */
static void test_hands(void **state)
{
	struct programming *p = begin();
	struct tracks queue = hold(p, 2), host = {}, sent = {}, other = {};
	struct told t = {};

	(void)state;
	programming_wait(p, 2, 1000, tell, &t);
	tracks_add(p, &other, queue.v[0], 0);
	tracks_move(p, &host, &queue, 0);
	assert_true(tracks_hold(&host, 2) && !tracks_hold(&queue, 2));
	tracks_take(&sent, &host);
	tracks_release(p, &sent, 0);
	expect_int("another host has not", t.calls, 0);
	tracks_release(p, &other, 0);
	expect_int("now it has", t.calls, 1);
	programming_free(p);
}

static void test_away_too_long(void **state)
{
	struct programming *p = begin();
	struct tracks host = {};
	struct told first = {}, last = {};

	(void)state;
	for (uint64_t r = 2; r < 2 + TRACKS_MAX + 10; r++) {
		struct tracks one = hold(p, r);

		if (r == 2)
			programming_wait(p, 2, 1000, tell, &first);
		tracks_move(p, &host, &one, 0);
	}
	expect_int("nobody knows any more", first.err, -EIO);
	assert_true(host.n <= TRACKS_MAX);
	programming_wait(p, 1 + TRACKS_MAX, 1000, tell, &last);
	expect_int("the newest are kept", last.calls, 0);
	tracks_release(p, &host, 0);
	expect_int("and answered", last.calls == 1 && !last.err, 1);
	programming_free(p);
}

/* Hosts that come from another controller may lack anything up to now. */
static void test_taken_over(void **state)
{
	struct programming *p = begin();
	struct tracks a = hold(p, 2), came;
	struct told t = {}, end = {};
	struct track *all;

	(void)state;
	tracks_release(p, &a, 0);
	all = programming_open(p, 0);
	came = (struct tracks){};
	tracks_add(p, &came, all, 0);
	programming_close(p, all, 5, 0);
	programming_from(p, 5);
	programming_wait(p, 2, 1000, tell, &t);
	expect_int("an old revision waits for them", t.calls, 0);
	tracks_release(p, &came, 0);
	expect_int("until they are in step", t.calls, 1);
	programming_wait(p, 77, 1000, tell, &end);
	programming_free(p);
	expect_int("the end", end.err, -ECANCELED);
}

/* A host that another controller leads now has not got it, as far as we know. */
static void test_moved(void **state)
{
	struct programming *p = begin();
	struct tracks stays = hold(p, 2), goes = {};
	struct told exact = {}, older = {};

	(void)state;
	tracks_add(p, &goes, stays.v[0], 0);
	programming_from(p, 2);
	programming_wait(p, 2, 1000, tell, &exact);
	programming_wait(p, 1, 1000, tell, &older);
	tracks_end(p, &goes, -ESTALE, 0);
	expect_int("another host has not got it either", exact.calls, 0);
	tracks_release(p, &stays, 0);
	expect_int("the other leader is to be asked", exact.err, -ESTALE);
	expect_int("also about what came before", older.err, -ESTALE);
	expect_int("nothing was measured", (long)programming_stats(p).programmed, 0);
	programming_free(p);
}

/* What is asked for without a revision: nobody may lack anything up to it. */
static void test_everything(void **state)
{
	struct programming *p = begin();
	struct told own = {}, all = {}, later = {}, late = {};
	struct tracks a = hold(p, 2), b = hold(p, 3);

	(void)state;
	tracks_release(p, &b, 0);
	programming_wait(p, 3, 1000, tell, &own);
	programming_wait_all(p, 3, 1000, tell, &all);
	programming_wait_all(p, 3, 500, tell, &late);
	expect_int("revision 3's own changes are everywhere", own.calls, 1);
	expect_int("not everything up to it", all.calls, 0);
	programming_tick(p, 600);
	expect_int("patience ends", late.err, -ETIMEDOUT);
	expect_text("who lacks something older is named", late.first, "host-b");
	b = hold(p, 5);
	programming_wait_all(p, 4, 1000, tell, &later);
	tracks_release(p, &a, 0);
	expect_int("then it is", all.calls == 1 && !all.err, 1);
	expect_int("what is newer is not waited for", later.calls == 1 && !later.err, 1);
	tracks_release(p, &b, 0);
	programming_wait_all(p, 9, 1000, tell, &late);
	expect_int("what is to come is", late.calls, 1);
	programming_free(p);
}

struct others {
	bool there, answered;
	unsigned int asked;
};

static bool ask_others(void *arg, uint64_t revision)
{
	struct others *o = arg;

	(void)revision;
	o->asked++;
	return o->there;
}

static void name_others(void *arg, uint64_t revision, void (*add)(void *to, const char *host), void *to)
{
	const struct others *o = arg;

	(void)revision;
	add(to, o->answered ? "host-z" : "hosts of somebody");
	add(to, o->answered ? "host-z" : "hosts of somebody");
}

/* Other leaders know who of theirs is behind; they are asked when somebody wants to know. */
static void test_asking(void **state)
{
	struct others o = { .there = true };
	struct programming *p = programming_new(&(struct programming_options){ name_others, ask_others, &o });
	struct told first = {}, second = {};
	struct tracks a;

	(void)state;
	programming_close(p, programming_open(p, 0), 1, 0);
	a = hold(p, 2);
	programming_wait(p, 2, 1000, tell, &first);
	programming_tick(p, 999);
	expect_int("nobody is asked before", o.asked, 0);
	assert_true(programming_tick(p, 1000) == 1000 + ASK_NS);
	expect_int("asked", o.asked, 1);
	expect_int("they have a moment", first.calls, 0);
	o.answered = true;
	programming_tick(p, 1000 + ASK_NS);
	expect_int("once", o.asked, 1);
	expect_text("who they named", first.first, "host-z");
	expect_int("is named once", first.n, 1);
	o.there = false;
	programming_wait(p, 2, 2000, tell, &second);
	programming_tick(p, 2000);
	expect_int("with nobody to ask there is no delay", second.err, -ETIMEDOUT);
	tracks_release(p, &a, 0);
	programming_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),	       cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_hands),	       cmocka_unit_test(test_away_too_long),
		cmocka_unit_test(test_taken_over),     cmocka_unit_test(test_moved),
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_asking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
