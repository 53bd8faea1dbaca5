/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_object_set.c - random transactions against a plain list, some of them taken back
 */
#include <agent/object_set.h>

#include <stdio.h>
#include <stdlib.h>

#include <selftests/unit/expect.h>

#define N_IDS 300			/* two of three have a tree */

static struct object *make(unsigned int i, unsigned int v)
{
	static const char *const kinds[] = { "network", "vport", "endpoint" };
	char text[300], addr[32];
	struct object *o = NULL;
	cJSON *json;

	snprintf(addr, sizeof(addr), "10.0.%u.%u", i / 250, i % 250 + 1);
	snprintf(text, sizeof(text),
		 "{\"id\":\"%s/t.n/%s\",\"v\":\"%032x\",\"spec\":{\"network\":\"t.n\",\"address\":\"%s\","
		 "\"mac\":\"02:00:00:00:00:01\",\"host\":\"192.0.2.1\"}}", kinds[i % 3], addr, v, addr);
	json = cJSON_Parse(text);
	assert_int_equal(object_new(json, &o, NULL), 0);
	cJSON_Delete(json);
	return o;
}

static void id_of(unsigned int i, char buf[64])
{
	struct object *o = make(i, 0);

	snprintf(buf, 64, "%s", o->id);
	object_put(o);
}

static void add(struct object_set *s, struct object *o)
{
	assert_int_equal(object_set_add(s, o), 0);
	object_put(o);
}

struct bucket {
	unsigned int number, n;
};

static void count(const struct object *o, void *arg)
{
	struct bucket *b = arg;

	expect_int(o->id, objset_bucket(o->id), b->number);
	b->n++;
}

static void check_buckets(const struct object_set *s, unsigned int n)
{
	for (struct bucket b = {}; b.number < OBJSET_BUCKETS; b.number++) {
		unsigned int before = b.n;

		object_set_bucket(s, b.number, count, &b);
		n -= b.n - before;
	}
	expect_int("left over", n, 0);
}

static void check(const struct object_set *s, const unsigned int model[N_IDS])
{
	unsigned int n_config, n = 0, with_tree = 0;
	struct objset_digest digest = {};
	struct object **config = object_set_config(s, &n_config);

	for (unsigned int i = 0; i < N_IDS; i++) {
		struct object *o;
		char id[64], v[40], seen[DIGEST_STRLEN];

		id_of(i, id);
		o = object_set_find(s, id);
		expect_int(id, o != NULL, model[i] != 0);
		if (!o)
			continue;
		snprintf(v, sizeof(v), "%032x", model[i]);
		expect_text(id, digest_format(&o->v, seen), v);
		objset_digest_add(&digest, o->id, &o->v);
		n++;
		with_tree += i % 3 != 2;
	}
	assert_memory_equal(&digest, object_set_digest(s), sizeof(digest));
	expect_int("count", digest.count, n);
	check_buckets(s, n);
	expect_int("sorted", n_config, with_tree);
	for (unsigned int i = 1; i < n_config; i++)
		assert_true(strcmp(config[i - 1]->id, config[i]->id) < 0);
}

static void test_random_transactions(void **state)
{
	unsigned int model[N_IDS] = {}, before[N_IDS], v = 0, seed = 3;
	struct object_set *s = object_set_new();

	(void)state;
	for (unsigned int t = 0; t < 400; t++) {
		unsigned int n = rand_r(&seed) % 40;

		memcpy(before, model, sizeof(model));
		while (n--) {
			unsigned int i = rand_r(&seed) % N_IDS;
			char id[64];

			if (rand_r(&seed) % 2) {
				id_of(i, id);
				assert_int_equal(object_set_del(s, id), 0);
				model[i] = 0;
			} else {
				model[i] = ++v;
				add(s, make(i, v));
			}
		}
		check(s, model);
		if (rand_r(&seed) % 3) {
			object_set_commit(s);
			continue;
		}
		object_set_rollback(s);
		memcpy(model, before, sizeof(model));
		check(s, model);
	}
	object_set_free(s);
}

/* What is held stays as it was, whatever becomes of the set. */
static void test_held(void **state)
{
	struct object_set *s = object_set_new();
	struct object **held;
	uint64_t n;

	(void)state;
	for (unsigned int i = 0; i < N_IDS; i++)
		add(s, make(i, 1));
	object_set_commit(s);
	held = object_set_hold(s, &n);
	assert_non_null(held);
	assert_int_equal(n, N_IDS);
	for (unsigned int i = 0; i < N_IDS; i++)
		add(s, make(i, 2));
	object_set_commit(s);
	for (uint64_t i = 0; i < n; i++) {
		const struct object *now = object_set_find(s, held[i]->id);

		assert_non_null(now);
		assert_false(digest_equal(&now->v, &held[i]->v));
	}
	object_set_free(s);
	for (uint64_t i = 0; i < n; i++)
		object_put(held[i]);
	free(held);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_transactions),
		cmocka_unit_test(test_held),
	};

	return cmocka_run_group_tests_name("object_set", tests, NULL, NULL);
}
