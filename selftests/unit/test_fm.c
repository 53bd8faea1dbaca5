// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fm.c - fabric managers on a real SQLite store: racing, restarting, falling behind
 */
#include <ctl/controller/fm.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include <lib/clock.h>
#include <lib/log.h>
#include <selftests/unit/expect.h>
#include <selftests/unit/model_random.h>

#define PATIENCE_S 120

struct site {
	struct event_base *base;
	struct store *store;
	struct fm *fm;
};

static char dir[64];

static void turn(struct event_base *base)
{
	static const struct timeval short_while = { .tv_usec = 1000 };

	event_base_loopexit(base, &short_while);
	event_base_dispatch(base);
}

static void open_site(struct site *s, struct event_base *base)
{
	static const struct fm_options options;
	char where[96];
	struct store_options store = { .where = where };
	uint64_t deadline = clock_now_ns() + PATIENCE_S * NS_PER_S;
	struct error e = {};

	s->base = base;
	snprintf(where, sizeof(where), "sqlite:%s/store.db", dir);
	if (store_open(base, &store, &s->store, &e))
		fail_msg("%s", e.text);
	s->fm = fm_new(base, s->store, &options);
	assert_non_null(s->fm);
	while (!fm_revision(s->fm) && clock_now_ns() < deadline)
		turn(base);
	assert_true(fm_revision(s->fm) > 0);
}

static void close_site(struct site *s)
{
	fm_free(s->fm);
	store_close(s->store);
}

/* What came of a request. */
struct outcome_seen {
	bool done;
	int err;
	int64_t revision;
	enum outcome first;
	char why[512];
};

static void on_done(void *arg, const struct fm_result *r)
{
	struct outcome_seen *seen = arg;

	seen->done = true;
	seen->err = r->err;
	seen->revision = r->revision;
	seen->first = r->changes->n ? r->changes->v[0].outcome : OUTCOME_UNCHANGED;
	problems_first(r->problems, seen->why, sizeof(seen->why));
	if (!seen->why[0])
		snprintf(seen->why, sizeof(seen->why), "%s", r->text ?: "");
}

/* Documents apart by newlines; "-Kind tenant/name" deletes. */
static void submit(struct site *s, const char *text, bool dry_run, struct outcome_seen *ret)
{
	char *copy = strdup(text), *save = NULL;
	struct changes c = {};

	*ret = (struct outcome_seen){};
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char kind[32], tenant[16], name[32];

		if (sscanf(line, "-%31s %15[^/]/%31s", kind, tenant, name) == 3)
			changes_add(&c, model_new(kind_find(kind, NULL), tenant[0] == '_' ? "" : tenant,
						  name), true, c.n, 0);
		else
			changes_add(&c, object_of(line), false, c.n, 0);
	}
	free(copy);
	assert_non_null(fm_apply(s->fm, &c, NULL, dry_run, on_done, ret));
	assert_false(ret->done);			/* never from within */
}

static void await(struct site *s, const struct outcome_seen *seen)
{
	uint64_t deadline = clock_now_ns() + PATIENCE_S * NS_PER_S;

	while (!seen->done && clock_now_ns() < deadline)
		turn(s->base);
	assert_true(seen->done);
}

static struct outcome_seen apply(struct site *s, const char *text)
{
	struct outcome_seen seen;

	submit(s, text, false, &seen);
	await(s, &seen);
	return seen;
}

static void catch_up(struct site *s, int64_t revision)
{
	uint64_t deadline = clock_now_ns() + PATIENCE_S * NS_PER_S;

	while (fm_revision(s->fm) < revision && clock_now_ns() < deadline)
		turn(s->base);
	assert_true(fm_revision(s->fm) >= revision);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The whole set as sorted lines with revisions; to free(). */
static char *set_text(struct site *s)
{
	char *lines[512], *text;
	unsigned int n = 0;
	struct object *o;
	size_t len;
	FILE *out;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; (o = model_set_next(fm_set(s->fm), k, &i)) && n < COUNT(lines);) {
			char *one = model_text(o);

			if (asprintf(&lines[n++], "%llu %s", (unsigned long long)o->revision, one) < 0)
				abort();
			free(one);
		}
	qsort(lines, n, sizeof(*lines), by_text);
	out = open_memstream(&text, &len);
	for (unsigned int i = 0; i < n; i++) {
		fprintf(out, "%s\n", lines[i]);
		free(lines[i]);
	}
	fclose(out);
	return text;
}

#define WORLD "{kind: Tenant, name: a}\n{kind: Network, tenant: a, name: n}\n" \
	      "{kind: Subnet, tenant: a, name: s, spec: {network: n, prefix: 10.0.0.0/24}}"

static void test_one(void **state)
{
	struct event_base *base = event_base_new();
	struct outcome_seen seen, again;
	struct site s;
	char *before, *behind;

	(void)state;
	open_site(&s, base);
	submit(&s, WORLD, true, &seen);
	await(&s, &seen);
	assert_int_equal(seen.err, 0);
	assert_int_equal(seen.first, OUTCOME_CREATED);
	assert_null(model_set_find(fm_set(s.fm), KIND_TENANT, "", "a"));	/* a dry run */
	seen = apply(&s, WORLD);
	assert_int_equal(seen.err, 0);
	assert_int_equal(fm_revision(s.fm), seen.revision);	/* answered when the set shows it */
	again = apply(&s, WORLD);
	assert_int_equal(again.first, OUTCOME_UNCHANGED);
	assert_int_equal(again.revision, seen.revision);
	again = apply(&s, "{kind: Subnet, tenant: a, name: t, spec: {network: n, prefix: 10.0.0.0/25}}");
	assert_int_equal(again.err, -EINVAL);
	expect_part("why", again.why, "overlaps");
	assert_int_equal(apply(&s, "{kind: Tenant, name: a, revision: 1, labels: {x: y}}").err, -ESTALE);
	apply(&s, "{kind: Instance, tenant: a, name: i, spec: {network: n}}");
	before = set_text(&s);
	close_site(&s);
	open_site(&s, base);			/* everything survives, allocations too */
	behind = set_text(&s);
	assert_string_equal(behind, before);
	again = apply(&s, "{kind: Instance, tenant: a, name: i, spec: {network: n}}");
	assert_int_equal(again.first, OUTCOME_UNCHANGED);
	close_site(&s);
	free(before);
	free(behind);
	event_base_free(base);
}

static uint64_t vni_of(struct site *s, const char *name)
{
	const struct object *o = model_set_find(fm_set(s->fm), KIND_NETWORK, "a", name);

	return o ? ((const struct network *)o)->spec.vni : 0;
}

/* A VNI that was given up is the last to be given away: by any manager, behind a restart. */
static void test_vnis_go_round(void **state)
{
	struct event_base *base = event_base_new();
	struct site s, other;
	uint64_t first;

	(void)state;
	open_site(&s, base);
	open_site(&other, base);
	assert_int_equal(apply(&s, WORLD "\n{kind: Network, tenant: a, name: x}").err, 0);
	first = vni_of(&s, "x");
	assert_int_equal(apply(&s, "-Network a/x").err, 0);
	assert_int_equal(apply(&s, "{kind: Network, tenant: a, name: x}").err, 0);
	expect_int("declared again", vni_of(&s, "x"), first + 1);
	catch_up(&other, apply(&s, "-Network a/x").revision);
	catch_up(&s, apply(&other, "{kind: Network, tenant: a, name: y}").revision);
	expect_int("by another manager", vni_of(&s, "y"), first + 2);
	catch_up(&other, apply(&s, "-Network a/y\n{kind: Network, tenant: a, name: z}").revision);
	expect_int("by the first one again", vni_of(&s, "z"), first + 3);
	close_site(&other);
	assert_int_equal(apply(&s, "-Network a/z").err, 0);
	close_site(&s);
	open_site(&s, base);
	assert_int_equal(apply(&s, "{kind: Network, tenant: a, name: x}").err, 0);
	expect_int("behind a restart", vni_of(&s, "x"), first + 4);
	close_site(&s);
	event_base_free(base);
}

/* Two fabric managers, each with its own view of the store, write at the same time. */
static void test_race(void **state)
{
	struct event_base *base = event_base_new();
	struct outcome_seen seen[2][40];
	struct site s[2];
	int64_t newest = 0;
	char text[256], *a, *b;

	(void)state;
	open_site(&s[0], base);
	open_site(&s[1], base);
	catch_up(&s[1], apply(&s[0], WORLD).revision);
	for (unsigned int i = 0; i < 40; i++)
		for (unsigned int w = 0; w < 2; w++) {
			snprintf(text, sizeof(text), "{kind: Instance, tenant: a, name: r-%u-%u, spec:"
				 " {network: n, addresses: [10.0.0.%u]}}", w, i, 100 + i);
			submit(&s[w], text, false, &seen[w][i]);
		}
	for (unsigned int i = 0; i < 40; i++) {
		await(&s[0], &seen[0][i]);
		await(&s[1], &seen[1][i]);
		/* Both want the same address: exactly one gets it. */
		if ((seen[0][i].err == 0) + (seen[1][i].err == 0) != 1)
			fail_msg("%u: %d (%s), %d (%s)", i, seen[0][i].err, seen[0][i].why, seen[1][i].err,
				 seen[1][i].why);
		for (unsigned int w = 0; w < 2; w++)
			newest = seen[w][i].revision > newest ? seen[w][i].revision : newest;
	}
	catch_up(&s[0], newest);
	catch_up(&s[1], newest);
	a = set_text(&s[0]);
	b = set_text(&s[1]);
	assert_string_equal(a, b);
	free(a);
	free(b);
	close_site(&s[0]);
	close_site(&s[1]);
	event_base_free(base);
}

/* What is allocated is nobody else's, however many write at once. */
static void test_race_for_addresses(void **state)
{
	struct event_base *base = event_base_new();
	struct outcome_seen seen[2][30];
	struct site s[2];
	struct network *net;
	char text[128];
	unsigned int n = 0;

	(void)state;
	open_site(&s[0], base);
	open_site(&s[1], base);
	catch_up(&s[1], apply(&s[0], WORLD "\n{kind: Network, tenant: a, name: m}\n{kind: Subnet, tenant: a,"
			      " name: small, spec: {network: m, prefix: 10.1.0.0/27}}").revision);
	for (unsigned int i = 0; i < 30; i++)
		for (unsigned int w = 0; w < 2; w++) {
			snprintf(text, sizeof(text), "{kind: Instance, tenant: a, name: m-%u-%u, spec: {network: m}}",
				 w, i);
			submit(&s[w], text, false, &seen[w][i]);
		}
	for (unsigned int i = 0; i < 30; i++)
		for (unsigned int w = 0; w < 2; w++) {
			await(&s[w], &seen[w][i]);
			n += !seen[w][i].err;
			if (seen[w][i].err)
				expect_part("full", seen[w][i].why, "no IPv4 address is free");
		}
	assert_int_equal(n, 29);		/* 32 without first, last and gateway */
	net = (struct network *)model_set_find(fm_set(s[0].fm), KIND_NETWORK, "a", "m");
	for (const struct ref *r = net->instances; r; r = r->next) {
		const struct instance *i = ref_from(r, struct instance);

		assert_null(model_set_by_address(fm_set(s[0].fm), net, &i->spec.addresses.v[0].ip, i));
		assert_null(model_set_by_mac(fm_set(s[0].fm), net, i->spec.mac, i));
	}
	close_site(&s[0]);
	close_site(&s[1]);
	event_base_free(base);
}

/* One that takes many turns of the loop; another manager writes in the middle of it. */
static void test_large(void **state)
{
	struct event_base *base = event_base_new();
	struct outcome_seen large, small;
	struct changes c = {};
	struct site a, b;

	(void)state;
	open_site(&a, base);
	open_site(&b, base);
	small = apply(&a, WORLD);
	catch_up(&b, small.revision);
	for (unsigned int i = 0; i < 2000; i++) {
		char line[128];

		snprintf(line, sizeof(line), "{kind: Instance, tenant: a, name: i%u, spec: {network: big}}", i);
		changes_add(&c, object_of(line), false, i, 0);
	}
	changes_add(&c, object_of("{kind: Network, tenant: a, name: big}"), false, 2000, 0);
	changes_add(&c, object_of("{kind: Subnet, tenant: a, name: big, spec: {network: big, prefix: 10.8.0.0/16}}"),
		    false, 2001, 0);
	large = (struct outcome_seen){};
	assert_non_null(fm_apply(a.fm, &c, NULL, false, on_done, &large));
	turn(base);
	small = apply(&b, "{kind: Network, tenant: a, name: other}");
	assert_int_equal(small.err, 0);
	await(&a, &large);
	expect_text("large", large.why, "");
	assert_int_equal(large.err, 0);
	assert_int_equal(fm_set(a.fm)->n_present[KIND_INSTANCE], 2000);
	catch_up(&b, large.revision);
	assert_int_equal(fm_set(b.fm)->n_present[KIND_INSTANCE], 2000);
	close_site(&a);
	close_site(&b);
	event_base_free(base);
}

static void on_put(void *arg, const struct store_reply *r)
{
	assert_int_equal(r->err, 0);
	*(bool *)arg = true;
}

/* Garbage from another region, or under a regional key, changes nothing here. */
static void test_scopes(void **state)
{
	static const struct store_op garbage[] = {
		{ .key = "/mirach/global/RemoteNetwork/us/bad", .value = "{nonsense", .value_len = 9 },
		{ .key = "/mirach/global/RemoteNetwork/us/wrong", .value = "{\"kind\":\"Tenant\"}", .value_len = 17 },
		{ .key = "/mirach/objects/Tenant/-/bad", .value = "[]", .value_len = 2 },
	};
	struct event_base *base = event_base_new();
	struct outcome_seen seen;
	bool done = false;
	struct site s;

	(void)state;
	open_site(&s, base);
	apply(&s, WORLD);
	store_txn(s.store, NULL, 0, garbage, COUNT(garbage), on_put, &done);
	while (!done)
		turn(base);
	seen = apply(&s, "{kind: Tenant, name: a, labels: {still: works}}");
	assert_int_equal(seen.err, 0);
	seen = apply(&s, "{kind: RemoteNetwork, region: us, name: good, spec: {network: a/n, vni: 7,"
			 " prefixes: [10.9.0.0/16], gateways: [198.51.100.1]}}");
	assert_int_equal(seen.err, 0);
	assert_non_null(model_set_find(fm_set(s.fm), KIND_REMOTE_NETWORK, "us", "good"));
	assert_null(model_set_find(fm_set(s.fm), KIND_REMOTE_NETWORK, "us", "bad"));
	assert_int_equal(apply(&s, "{kind: Tenant, name: b}\n{kind: RemoteNetwork, region: us, name: x, spec:"
				   " {network: a/n, vni: 7, prefixes: [10.9.0.0/16], gateways: [198.51.100.1]}}").err,
			 -EINVAL);
	/* A network that another region announces prefixes of may go. */
	assert_int_equal(apply(&s, "-Network a/n\n-Subnet a/s").err, 0);
	close_site(&s);
	event_base_free(base);
}

/* A site goes away with work under way: nothing is left behind. */
static void test_leaves_early(void **state)
{
	struct event_base *base = event_base_new();
	struct outcome_seen seen;
	struct site s;

	(void)state;
	open_site(&s, base);
	submit(&s, WORLD, false, &seen);
	turn(base);
	close_site(&s);
	event_base_free(base);
}

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/mirach-fm-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const files[] = { "store.db", "store.db-wal", "store.db-shm", "store.db.lock" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
	return 0;
}

#define in_dir(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		in_dir(test_one), in_dir(test_vnis_go_round), in_dir(test_race),
		in_dir(test_race_for_addresses), in_dir(test_large), in_dir(test_scopes), in_dir(test_leaves_early),
	};

	log_init("test_fm");
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
