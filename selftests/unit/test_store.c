// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_store.c - one suite for both stores: what store.h promises, call by call
 *
 * Every case runs against SQLite and against a real etcd, each in its own part of
 * the key space of one store. Random sequences are test_store_model.c, what a crash
 * or a full disk may do is test_store_crash.c, elections are test_store_election.c.
 */
#include <ctl/controller/store.h>

#include <selftests/unit/store_world.h>

#define HISTORY 300			/* revisions SQLite keeps here */

static struct world *world_of(void **state)
{
	struct world **w = *state;

	if (!*w)
		skip();
	return *w;
}

static void put_get_delete(void **state)
{
	struct world *w = world_of(state);
	struct seen s = put(w, "/pgd/a", "1"), g;
	int64_t first = s.revision;

	expect_int("put", s.err, 0);
	g = get(w, "/pgd/a");
	expect_int("n", g.n, 1);
	expect_text("value", g.kvs[0].value, "1");
	expect_int("created", g.kvs[0].create_revision, first);
	expect_int("revision", g.revision, first);
	free(g.kvs);
	s = put(w, "/pgd/a", "22");
	expect_int("next", s.revision, first + 1);
	g = get(w, "/pgd/a");
	expect_text("value", g.kvs[0].value, "22");
	expect_int("len", g.kvs[0].value_len, 2);
	expect_int("created", g.kvs[0].create_revision, first);
	expect_int("modified", g.kvs[0].mod_revision, first + 1);
	free(g.kvs);
	expect_int("delete", del(w, "/pgd/a").revision, first + 2);
	has_value(w, "/pgd/a", NULL);
	expect_int("delete nothing", del(w, "/pgd/a").revision, first + 2);
	expect_int("recreate", put(w, "/pgd/a", "3").err, 0);
	g = get(w, "/pgd/a");
	expect_int("created anew", g.kvs[0].create_revision, first + 3);
	free(g.kvs);
}

static void values_are_bytes(void **state)
{
	static const char bytes[] = "a\0b\xff\n\"\\\x01";
	struct world *w = world_of(state);
	struct store_op ops[] = { { .key = "/bytes/a", .value = bytes, .value_len = sizeof(bytes) },
				  { .key = "/bytes/\xc3\xa9 \"x\"", .value = NULL, .value_len = 0 } };
	struct seen s = txn(w, NULL, 0, ops, 2);

	expect_int("put", s.err, 0);
	s = range(w, "/bytes/", NULL, 0);
	expect_int("n", s.n, 2);
	expect_int("len", s.kvs[0].value_len, sizeof(bytes));
	expect_text("odd key", s.kvs[1].key, "/bytes/\xc3\xa9 \"x\"");
	expect_int("empty", s.kvs[1].value_len, 0);
	free(s.kvs);
}

static void compares_guard(void **state)
{
	struct world *w = world_of(state);
	int64_t r = put(w, "/cmp/a", "1").revision;
	struct store_compare c[] = { { "/cmp/b", 0 }, { "/cmp/a", r } };
	struct store_op ops[] = { { .key = "/cmp/a", .value = "2", .value_len = 1 },
				  { .key = "/cmp/b", .value = "2", .value_len = 1 } };
	struct seen s = txn(w, c, 2, ops, 2);

	expect_int("both hold", s.err, 0);
	expect_int("one revision", s.revision, r + 1);
	s = txn(w, c, 2, ops, 2);
	expect_int("neither holds", s.err, -ESTALE);
	expect_int("the first", s.failed, 0);
	expect_part("says", s.text, "/cmp/b");
	c[0].mod_revision = r + 1;
	s = txn(w, c, 2, ops, 2);
	expect_int("one does not hold", s.err, -ESTALE);
	expect_int("the second", s.failed, 1);
	expect_part("says", s.text, "/cmp/a");
	has_value(w, "/cmp/a", "2");
	c[1].mod_revision = r + 1;
	expect_int("only compares", txn(w, c, 2, NULL, 0).err, 0);
	ops[0].del = true;
	s = txn(w, c, 2, ops, 2);
	expect_int("delete and put", s.revision, r + 2);
	has_value(w, "/cmp/a", NULL);
}

static void refused_at_once(void **state)
{
	static char big[STORE_VALUE_MAX + 1], name[STORE_KEY_MAX + 2];
	struct world *w = world_of(state);
	struct store_op twice[] = { { .key = "/r/a", .value = "" }, { .del = true, .key = "/r/a" } };
	struct store_op large = { .key = "/r/a", .value = big, .value_len = sizeof(big) };

	memset(name, 'n', sizeof(name) - 1);
	name[0] = '/';
	expect_int("no slash", put(w, "r", "1").err, -EINVAL);
	expect_int("empty", del(w, "").err, -EINVAL);
	expect_int("long", put(w, name, "1").err, -EINVAL);
	expect_int("large", txn(w, NULL, 0, &large, 1).err, -EINVAL);
	expect_int("twice", txn(w, NULL, 0, twice, 2).err, -EINVAL);
	expect_int("lease 5 ms", grant(w, 5).err, -EINVAL);
	expect_int("lease -1", put_leased(w, "/r/a", "", -1).err, -EINVAL);
	assert_null(store_watch(w->store, "x", 0, write_down, NULL));
	name[STORE_KEY_MAX] = '\0';
	large.value_len--;
	expect_int("as large as can be", txn(w, NULL, 0, &large, 1).err, 0);
	expect_int("as long as can be", put(w, name, "1").err, 0);
	expect_int("gone", del(w, name).err, 0);
}

static void put_many(struct world *w, const char *format, int n)
{
	struct store_op *ops = calloc(n, sizeof(*ops));
	char (*keys)[64] = calloc(n, sizeof(*keys));

	for (int i = 0; i < n; i++) {
		snprintf(keys[i], sizeof(keys[i]), format, i);
		ops[i] = (struct store_op){ .key = keys[i], .value = keys[i], .value_len = strlen(keys[i]) };
	}
	expect_int("put many", txn(w, NULL, 0, ops, n).err, 0);
	free(keys);
	free(ops);
}

static void ranges(void **state)
{
	struct world *w = world_of(state);
	struct seen s;

	put_many(w, "/range/a/%05d", 2500);
	put(w, "/range/a", "");
	put(w, "/range/b/1", "");
	s = range(w, "/range/a/", NULL, 0);
	expect_int("all", s.n, 2500);
	assert_true(s.pages > 1);
	for (unsigned int i = 0; i < s.n; i++) {
		expect_text("same", s.kvs[i].key, s.kvs[i].value);
		expect_int("number", atoi(s.kvs[i].key + strlen("/range/a/")), i);
	}
	free(s.kvs);
	s = range(w, "/range/a/", "/range/a/00017", 3);
	expect_int("three", s.n, 3);
	expect_text("from", s.kvs[0].key, "/range/a/00018");
	free(s.kvs);
	s = range(w, "/range/a/", "/range/a/00017", 1500);
	expect_int("more than a page", s.n, 1500);
	expect_text("to", s.kvs[1499].key, "/range/a/01517");
	free(s.kvs);
	s = range(w, "/range/a/", "/range/a/02499", 0);
	expect_int("behind the last", s.n, 0);
	free(s.kvs);
	s = range(w, "/range/a/", "/other", 1);
	expect_int("after what is before", s.n, 1);
	free(s.kvs);
	s = range(w, "/range/", NULL, 0);
	expect_int("above", s.n, 2502);
	expect_text("order", s.kvs[0].key, "/range/a");
	free(s.kvs);
}

static void watch_sees_all(void **state)
{
	struct world *w = world_of(state);
	int64_t r = put(w, "/watch/a", "0").revision;
	struct store_op ops[] = { { .key = "/watch/b", .value = "2", .value_len = 1 },
				  { .key = "/elsewhere", .value = "2", .value_len = 1 },
				  { .del = true, .key = "/watch/a" } };
	struct diary d, late;

	diary_open(&d, w, "/watch/", r);
	d.base = r;
	put(w, "/watch/a", "1");
	put(w, "/watchman", "no");
	txn(w, NULL, 0, ops, 3);
	del(w, "/watch/nothing");
	put(w, "/watch/c", "3");
	diary_wait(&d, w, 5);
	expect_text("seen", d.text, "0:+/watch/a=0 1:+/watch/a=1 3:+/watch/b=2 3:-/watch/a 4:+/watch/c=3");
	diary_open(&late, w, "/watch/", r + 3);
	late.base = r;
	diary_wait(&late, w, 3);
	expect_text("late", late.text, "3:+/watch/b=2 3:-/watch/a 4:+/watch/c=3");
	store_watch_cancel(late.watch);
	put(w, "/watch/d", "4");
	diary_wait(&d, w, 6);
	expect_int("cancelled", late.n_events, 3);
	store_watch_cancel(d.watch);
}

static void watch_from_now(void **state)
{
	struct world *w = world_of(state);
	struct diary d, probe;
	int64_t r = put(w, "/now/a", "before").revision;

	diary_open(&d, w, "/now/", 0);
	diary_open(&probe, w, "/now/", r);
	diary_wait(&probe, w, 1);
	store_watch_cancel(probe.watch);
	idle(w, 300);
	put(w, "/now/a", "after");
	diary_wait(&d, w, 1);
	assert_null(strstr(d.text, "before"));
	store_watch_cancel(d.watch);
}

static void watch_of_the_future(void **state)
{
	struct world *w = world_of(state);
	int64_t r = put(w, "/future/a", "1").revision;
	struct diary d;

	diary_open(&d, w, "/future/", r + 2);
	d.base = r;
	put(w, "/future/b", "2");
	put(w, "/future/c", "3");
	diary_wait(&d, w, 1);
	expect_text("seen", d.text, "2:+/future/c=3");
	store_watch_cancel(d.watch);
}

/* Makes the store forget what was before the revision it returns. */
static int64_t compact(struct world *w)
{
	struct store_op op = { .key = "/compact/a", .value = "x", .value_len = 1 };
	unsigned int n = strcmp(w->kind, "etcd") ? 2 * HISTORY : 5;
	struct seen *s = calloc(n, sizeof(*s));
	char command[256];
	int64_t last;

	for (unsigned int i = 0; i < n; i++)
		store_txn(w->store, NULL, 0, &op, 1, see, &s[i]);
	for (unsigned int i = 0; i < n; i++) {
		await(w, &s[i].done, "put");
		expect_int("put", s[i].err, 0);
		free(s[i].kvs);
	}
	free(s);
	last = put(w, "/compact/a", "last").revision;
	if (strcmp(w->kind, "etcd"))
		return last;
	snprintf(command, sizeof(command), "ETCDCTL_API=3 etcdctl --endpoints=%s compaction %lld >/dev/null",
		 strchr(w->where, ':') + 1, (long long)last);
	assert_int_equal(system(command), 0);
	return last;
}

static void history_that_is_gone(void **state)
{
	struct world *w = world_of(state);
	int64_t r = put(w, "/compact/a", "0").revision, last;
	struct diary d;

	last = compact(w);
	diary_open(&d, w, "/compact/", r);
	await(w, &d.over, "compacted");
	expect_int("says so", d.e.err, -ESTALE);
	expect_part("and what to do", d.e.text, "again");
	expect_int("saw nothing", d.n_events, 0);
	store_watch_cancel(d.watch);
	has_value(w, "/compact/a", "last");
	diary_open(&d, w, "/compact/", last + 1);
	put(w, "/compact/a", "new");
	diary_wait(&d, w, 1);
	expect_int("goes on", d.e.err, 0);
	store_watch_cancel(d.watch);
}

struct quitter {
	struct store_watch *watch;
	bool done;
	unsigned int n;
};

static void quit_at_once(void *arg, const struct store_change *c)
{
	struct quitter *q = arg;

	(void)c;
	q->n++;
	q->done = true;
	store_watch_cancel(q->watch);
}

static void cancel_from_within(void **state)
{
	struct world *w = world_of(state);
	int64_t r = put(w, "/quit/a", "1").revision;
	struct quitter q = {};

	put(w, "/quit/b", "2");
	q.watch = store_watch(w->store, "/quit/", r, quit_at_once, &q);
	await(w, &q.done, "watch");
	put(w, "/quit/c", "3");
	idle(w, 100);
	expect_int("once", q.n, 1);
}

static void leases(void **state)
{
	struct world *w = world_of(state);
	struct seen l = grant(w, 2000), s;
	struct diary d;
	int64_t r;

	expect_int("grant", l.err, 0);
	assert_true(l.ttl_ms >= 2000);
	put(w, "/lease/stays", "1");
	r = put_leased(w, "/lease/a", "1", l.lease).revision;
	put_leased(w, "/lease/b", "1", l.lease);
	s = get(w, "/lease/a");
	expect_int("lease of the key", s.kvs[0].lease, l.lease);
	free(s.kvs);
	diary_open(&d, w, "/lease/", r + 2);
	s = lease_call(w, store_lease_keepalive, l.lease);
	expect_int("keepalive", s.err, 0);
	expect_int("as granted", s.ttl_ms, l.ttl_ms);
	diary_wait(&d, w, 2);			/* nobody keeps it: both go, at once */
	expect_int("one transaction", d.n_changes, 1);
	expect_part("one", d.text, "-/lease/a");
	expect_part("other", d.text, "-/lease/b");
	store_watch_cancel(d.watch);
	has_value(w, "/lease/stays", "1");
	expect_int("too late", lease_call(w, store_lease_keepalive, l.lease).err, -ENOENT);
	expect_int("cannot be used", put_leased(w, "/lease/c", "", l.lease).err, -ENOENT);
	has_value(w, "/lease/c", NULL);
}

static void revoked_lease(void **state)
{
	struct world *w = world_of(state);
	int64_t lease = grant(w, 600000).lease, other = grant(w, 600000).lease;

	assert_int_not_equal(lease, other);
	put_leased(w, "/revoke/a", "1", lease);
	put_leased(w, "/revoke/b", "1", lease);
	put_leased(w, "/revoke/c", "1", lease);
	put(w, "/revoke/b", "without");
	put_leased(w, "/revoke/c", "moved", other);
	expect_int("revoke", lease_call(w, store_lease_revoke, lease).err, 0);
	has_value(w, "/revoke/a", NULL);
	has_value(w, "/revoke/b", "without");
	has_value(w, "/revoke/c", "moved");
	expect_int("again", lease_call(w, store_lease_revoke, lease).err, -ENOENT);
	expect_int("other", lease_call(w, store_lease_revoke, other).err, 0);
	has_value(w, "/revoke/c", NULL);
}

/* Somebody else writes what we watch: a second store on the same file or cluster. */
static void two_of_them(void **state)
{
	struct world *w = world_of(state), twin = *w;
	int64_t r = put(w, "/two/a", "1").revision;
	struct diary d;

	twin.store = world_open_store(&twin);
	diary_open(&d, w, "/two/", r + 1);
	d.base = r;
	for (int i = 1; i <= 5; i++) {
		put(&twin, "/two/a", "theirs");
		diary_wait(&d, w, 2 * i - 1);
		has_value(w, "/two/a", "theirs");
		expect_int("ours", put(w, "/two/a", "ours").revision, r + 2 * i);
		diary_wait(&d, w, 2 * i);
		has_value(&twin, "/two/a", "ours");
	}
	store_watch_cancel(d.watch);
	store_close(twin.store);
}

static void close_answers_all(void **state)
{
	struct world *w = world_of(state), twin = *w;
	struct store_op op = { .key = "/close/a", .value = "1", .value_len = 1 };
	struct seen s[40] = {};
	struct diary d;
	int n = COUNT(s);

	twin.store = world_open_store(&twin);
	diary_open(&d, &twin, "/close/", 1);
	for (int i = 0; i < n; i += 4) {
		store_txn(twin.store, NULL, 0, &op, 1, see, &s[i]);
		store_get(twin.store, "/close/a", see, &s[i + 1]);
		store_range(twin.store, "/", NULL, 0, see, &s[i + 2]);
		store_lease_grant(twin.store, 5000, see, &s[i + 3]);
	}
	store_close(twin.store);
	for (int i = 0; i < n; i++) {
		assert_true(s[i].done);
		assert_true(s[i].err == 0 || s[i].err == -ECANCELED);
		free(s[i].kvs);
	}
}

static const struct CMUnitTest cases[] = {
	cmocka_unit_test(put_get_delete),
	cmocka_unit_test(values_are_bytes),
	cmocka_unit_test(compares_guard),
	cmocka_unit_test(refused_at_once),
	cmocka_unit_test(ranges),
	cmocka_unit_test(watch_sees_all),
	cmocka_unit_test(watch_from_now),
	cmocka_unit_test(watch_of_the_future),
	cmocka_unit_test(history_that_is_gone),
	cmocka_unit_test(cancel_from_within),
	cmocka_unit_test(leases),
	cmocka_unit_test(revoked_lease),
	cmocka_unit_test(two_of_them),
	cmocka_unit_test(close_answers_all),
};

int main(void)
{
	static const char *const kinds[] = { "sqlite", "etcd" };
	static struct CMUnitTest tests[COUNT(kinds) * COUNT(cases)];
	static char names[COUNT(kinds) * COUNT(cases)][64];
	struct world *worlds[COUNT(kinds)];
	int failed;

	for (size_t k = 0; k < COUNT(kinds); k++) {
		worlds[k] = world_new(kinds[k], HISTORY);
		for (size_t i = 0; i < COUNT(cases); i++) {
			size_t at = k * COUNT(cases) + i;

			snprintf(names[at], sizeof(names[at]), "%s: %s", kinds[k], cases[i].name);
			tests[at] = cases[i];
			tests[at].name = names[at];
			tests[at].initial_state = &worlds[k];
		}
	}
	if (!worlds[1])
		fprintf(stderr, "test_store: SKIPPED: etcd is not installed\n");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	for (size_t k = 0; k < COUNT(kinds); k++)
		world_free(worlds[k]);
	return failed;
}
