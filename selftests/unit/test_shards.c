// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_shards.c - controllers share hosts, join, leave and die
 *
 *	a ─┐             each has a store of its own, as a process would
 *	b ─┼─► SQLite
 *	c ─┘             c only watches
 *
 * Asked at every change: does anybody else lead what I lead? How long a takeover takes is
 * not asserted, but that it comes.
 */
#include <ctl/controller/shards.h>

#include <ctl/controller/ring.h>
#include <lib/log.h>
#include <selftests/unit/store_world.h>

#define SHARDS 4u
#define LONG_MS 60000			/* no lease ends before the test does */
#define SHORT_MS 1000

struct member {
	struct store *store;
	struct shards *shards;
	const char *name;
	unsigned int n_changes;
};

static struct member a = { .name = "a" }, b = { .name = "b" }, c = { .name = "c" };
static struct member *const members[] = { &a, &b, &c };
static char hosts[SHARDS][8];		/* one of each shard */

static void find_hosts(void)
{
	char name[8];

	for (unsigned int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "h%u", i);
		strcpy(hosts[ring_shard(name, SHARDS)], name);
	}
	for (unsigned int i = 0; i < SHARDS; i++)
		assert_true(*hosts[i]);
}

static void changed(void *arg)
{
	struct member *m = arg;

	m->n_changes++;
	for (unsigned int i = 0; i < SHARDS; i++) {
		unsigned int n = 0;

		for (unsigned int k = 0; k < 3; k++)
			n += members[k]->shards && shards_lead(members[k]->shards, hosts[i]);
		assert_true(n <= 1);
	}
}

static void join(struct world *w, struct member *m, bool candidate, unsigned int ttl_ms)
{
	struct shards_options o = { .base = w->base, .name = m->name, .channel = "192.0.2.1:6660",
				    .n = SHARDS, .candidate = candidate, .ttl_ms = ttl_ms,
				    .changed = changed, .arg = m };
	struct error e = {};

	m->store = o.store = world_open_store(w);
	if (shards_new(&o, &m->shards, &e))
		fail_msg("%s", e.text);
}

static void leave(struct member *m)
{
	shards_free(m->shards);
	m->shards = NULL;
	store_close(m->store);
}

static void stop_waiting(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	fail_msg("it did not come");
}

static void until(struct world *w, bool (*true_now)(void))
{
	static const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct event *limit = evtimer_new(w->base, stop_waiting, NULL);

	event_add(limit, &patience);
	while (!true_now())
		event_base_loop(w->base, EVLOOP_ONCE);
	event_free(limit);
}

/* Whom the ring prefers, of a and b. */
static struct member *preferred(unsigned int shard)
{
	const char *names[] = { "a", "b" };
	uint32_t order[2];

	ring_prefer(shard, names, 2, order);
	return order[0] ? &b : &a;
}

static bool sees(const struct member *m, unsigned int shard, const struct member *leader)
{
	const struct shard_leader *l = shards_leader(m->shards, hosts[shard]);

	return l && !strcmp(l->name, leader->name) && !strcmp(l->channel, "192.0.2.1:6660") &&
	       shards_term(m->shards, hosts[shard]) == shards_term(leader->shards, hosts[shard]) &&
	       shards_lead(leader->shards, hosts[shard]);
}

static bool led_as(struct member *(*who)(unsigned int shard))
{
	for (unsigned int i = 0; i < SHARDS; i++)
		for (unsigned int k = 0; k < 3; k++)
			if (members[k]->shards && !sees(members[k], i, who(i)))
				return false;
	return true;
}

static struct member *always_a(unsigned int shard)
{
	(void)shard;
	return &a;
}

static struct member *always_b(unsigned int shard)
{
	(void)shard;
	return &b;
}

static bool all_by_a(void) { return led_as(always_a); }
static bool all_by_b(void) { return led_as(always_b); }
static bool all_as_preferred(void) { return led_as(preferred); }

/* Who joins takes its share, and nothing else moves. */
static void test_share(void **state)
{
	struct world *w = world_new("sqlite", 0);
	int64_t terms[SHARDS];

	(void)state;
	join(w, &a, true, LONG_MS);
	join(w, &c, false, LONG_MS);
	until(w, all_by_a);			/* as c sees it, too */
	expect_int("a leads", shards_count(a.shards), SHARDS);
	expect_int("c leads", shards_count(c.shards), 0);
	for (unsigned int i = 0; i < SHARDS; i++)
		terms[i] = shards_term(c.shards, hosts[i]);
	join(w, &b, true, LONG_MS);
	until(w, all_as_preferred);
	expect_int("shards led", shards_count(a.shards) + shards_count(b.shards), SHARDS);
	for (unsigned int i = 0; i < SHARDS; i++)
		if (preferred(i) == &a)
			expect_int("term of what stayed", shards_term(c.shards, hosts[i]), terms[i]);
		else
			assert_true(shards_term(c.shards, hosts[i]) > terms[i]);
	leave(&a);
	leave(&b);
	leave(&c);
	world_free(w);
}

/* Who dies loses its shards when its leases have ended; back again, it gets its share. */
static void test_takeover(void **state)
{
	struct world *w = world_new("sqlite", 0);
	int64_t terms[SHARDS];

	(void)state;
	join(w, &a, true, SHORT_MS);
	until(w, all_by_a);
	for (unsigned int i = 0; i < SHARDS; i++)
		terms[i] = shards_term(a.shards, hosts[i]);
	leave(&a);
	join(w, &b, true, SHORT_MS);
	until(w, all_by_b);
	for (unsigned int i = 0; i < SHARDS; i++)
		assert_true(shards_term(b.shards, hosts[i]) > terms[i]);
	join(w, &a, true, SHORT_MS);
	until(w, all_as_preferred);
	leave(&a);
	leave(&b);
	world_free(w);
}

static void test_bad_names(void **state)
{
	const struct {
		const char *name, *channel;
	} bad[] = { { "a/b", "x" }, { "a\"", "x" }, { "a", "x\\" },
		    { "a23456789012345678901234567890123456789012345678901234567890123456", "x" } };
	struct shards *s = NULL;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct shards_options o = { .name = bad[i].name, .channel = bad[i].channel };

		e = (struct error){};
		assert_int_equal(shards_new(&o, &s, &e), -EINVAL);
		assert_true(*e.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_takeover),
		cmocka_unit_test(test_bad_names),
	};

	log_set_level(LOG_LEVEL_ERROR);
	find_hosts();
	return cmocka_run_group_tests_name("shards", tests, NULL, NULL);
}
