// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_store_election.c - one leads, whatever happens to it; on both stores
 *
 *	a ─┐            each candidate has a store of its own, as a process would; a
 *	b ─┼─► key      store can be made deaf: renewals neither done nor answered
 *	c ─┘
 *
 * What matters is an order, not a time: who cannot renew has said lost() before
 * another says elected().
 */
#include <ctl/controller/store_election.h>

#include <ctl/controller/store_impl.h>
#include <selftests/unit/store_world.h>

#define TTL_MS 2000

struct race;

struct candidate {
	struct race *race;
	char name[8];
	struct store *store;
	struct store_election *election;
	int64_t token;
	bool leads;
	bool forced;			/* the key was taken from it: not counted as leading any more */
	unsigned int n_elected, n_lost;
	char sees[32];			/* value of the leader it knows */
};

struct race {
	struct world w;
	struct candidate c[3];
	bool moved;			/* somebody was elected */
	unsigned int n_leading;
	int64_t last_token;
};

/* ---- a store that keeps the answer to a renewal to itself for as long as the test wants ---- */

static store_fn unanswered;
static void *unanswered_arg;

static void swallow_keepalive(struct store *s, int64_t lease, store_fn fn, void *arg)
{
	(void)s;
	(void)lease;
	unanswered = fn;
	unanswered_arg = arg;
}

static void make_deaf(struct store *s, struct store_class *deaf)
{
	*deaf = *s->class;
	deaf->lease_keepalive = swallow_keepalive;
	s->class = deaf;
}

/* ---- candidates ---- */

static void elected(void *arg, int64_t token)
{
	struct candidate *c = arg;

	assert_false(c->leads);
	expect_int("leaders beside it", c->race->n_leading, 0);
	assert_true(token > c->race->last_token);
	assert_true(store_election_is_leader(c->election));
	c->leads = true;
	c->token = c->race->last_token = token;
	c->n_elected++;
	c->race->n_leading++;
	c->race->moved = true;
}

static void lost(void *arg, const char *why)
{
	struct candidate *c = arg;

	assert_true(c->leads);
	assert_non_null(why);
	assert_false(store_election_is_leader(c->election));
	c->leads = false;
	c->n_lost++;
	c->race->n_leading -= !c->forced;
	c->forced = false;
}

static void see_leader(void *arg, const struct store_kv *kv)
{
	struct candidate *c = arg;

	snprintf(c->sees, sizeof(c->sees), "%s", kv ? kv->value : "nobody");
}

static void join(struct race *r, int i)
{
	struct candidate *c = &r->c[i];
	struct store_election_options o = { .base = r->w.base, .key = "/leader/shard-1", .value = c->name,
					    .ttl_ms = TTL_MS, .elected = elected, .lost = lost,
					    .leader = see_leader, .arg = c };

	c->race = r;
	snprintf(c->name, sizeof(c->name), "%c", 'a' + i);
	o.store = c->store = world_open_store(&r->w);
	c->election = store_election_new(&o);
	assert_non_null(c->election);
}

static int wait_for_leader(struct race *r)
{
	await(&r->w, &r->moved, "election");
	r->moved = false;
	for (int i = 0; i < 3; i++)
		if (r->c[i].leads)
			return i;
	return -1;
}

static struct world *begin(struct race *r, const char *kind)
{
	struct world *w = world_new(kind, 0);

	*r = (struct race){};
	if (!w)
		return NULL;
	r->w = *w;
	for (int i = 0; i < 3; i++)
		join(r, i);
	return w;
}

static void end(struct race *r, struct world *w)
{
	for (int i = 0; i < 3; i++) {
		store_election_free(r->c[i].election);
		store_close(r->c[i].store);
	}
	world_free(w);
}

/* ---- what must hold ---- */

static void one_of_three(void **state)
{
	struct race r;
	struct world *w = begin(&r, *state);
	struct store_compare guard;
	int first;

	if (!w)
		skip();
	first = wait_for_leader(&r);
	idle(&r.w, TTL_MS * 2);			/* it keeps its lease alive */
	for (int i = 0; i < 3; i++) {
		expect_int("elected", r.c[i].n_elected, i == first);
		expect_int("lost", r.c[i].n_lost, 0);
		expect_text("sees", r.c[i].sees, r.c[first].name);
		expect_int("guard", store_election_guard(r.c[i].election, &guard), i == first);
	}
	end(&r, w);
}

static void resigning_is_quick(void **state)
{
	struct race r;
	struct world *w = begin(&r, *state);
	struct store_op op = { .key = "/guarded", .value = "1", .value_len = 1 };
	struct store_compare guard;
	int old, next;

	if (!w)
		skip();
	old = wait_for_leader(&r);
	assert_true(store_election_guard(r.c[old].election, &guard));
	expect_int("as leader", txn(&r.w, &guard, 1, &op, 1).err, 0);
	r.c[old].leads = false;
	r.n_leading--;
	store_election_free(r.c[old].election);
	r.c[old].election = NULL;
	next = wait_for_leader(&r);
	assert_int_not_equal(next, old);
	expect_int("not lost, left", r.c[old].n_lost, 0);
	guard.key = "/leader/shard-1";
	expect_int("as who led", txn(&r.w, &guard, 1, &op, 1).err, -ESTALE);
	end(&r, w);
}

static void deaf_leader_steps_down_first(void **state)
{
	struct race r;
	struct world *w = begin(&r, *state);
	struct store_class deaf;
	int old, next;

	if (!w)
		skip();
	old = wait_for_leader(&r);
	make_deaf(r.c[old].store, &deaf);
	while (!r.c[old].n_lost)
		idle(&r.w, 50);
	assert_false(store_election_is_leader(r.c[old].election));
	next = wait_for_leader(&r);		/* elected() looked that nobody led beside it */
	assert_int_not_equal(next, old);
	assert_non_null(unanswered);
	unanswered(unanswered_arg, &(struct store_reply){ .err = -ETIMEDOUT, .text = "late" });
	idle(&r.w, 300);
	expect_int("goes on as a standby", r.c[old].n_elected, 1);
	expect_text("sees", r.c[old].sees, r.c[next].name);
	end(&r, w);
}

/* By hand, that is; the old leader hears of it as soon as the others do, its guard fails at once. */
static void deleting_the_key_deposes(void **state)
{
	struct race r;
	struct world *w = begin(&r, *state);
	struct store_compare guard;
	int old;

	if (!w)
		skip();
	old = wait_for_leader(&r);
	assert_true(store_election_guard(r.c[old].election, &guard));
	r.n_leading--;
	r.c[old].forced = true;
	expect_int("delete", del(&r.w, "/leader/shard-1").err, 0);
	expect_int("guard", txn(&r.w, &guard, 1, NULL, 0).err, -ESTALE);
	await(&r.w, &r.moved, "another leader");
	while (!r.c[old].n_lost)
		idle(&r.w, 20);
	end(&r, w);
}

int main(void)
{
	static char sqlite[] = "sqlite", etcd[] = "etcd";
	const struct CMUnitTest tests[] = {
		{ "sqlite: one_of_three", one_of_three, NULL, NULL, sqlite },
		{ "etcd: one_of_three", one_of_three, NULL, NULL, etcd },
		{ "sqlite: resigning_is_quick", resigning_is_quick, NULL, NULL, sqlite },
		{ "etcd: resigning_is_quick", resigning_is_quick, NULL, NULL, etcd },
		{ "sqlite: deaf_leader_steps_down_first", deaf_leader_steps_down_first, NULL, NULL, sqlite },
		{ "etcd: deaf_leader_steps_down_first", deaf_leader_steps_down_first, NULL, NULL, etcd },
		{ "sqlite: deleting_the_key_deposes", deleting_the_key_deposes, NULL, NULL, sqlite },
		{ "etcd: deleting_the_key_deposes", deleting_the_key_deposes, NULL, NULL, etcd },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
