// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_objset.c - digests follow the set, whatever the order; against a plain array
 */
#include <lib/objset.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <selftests/unit/expect.h>

#define IDS 500

static const char *id_of(unsigned int i)
{
	static char buf[2][64];
	static unsigned int turn;

	turn ^= 1;
	snprintf(buf[turn], sizeof(buf[turn]), "endpoint/acme.front/10.0.%u.%u", i / 256, i % 256);
	return buf[turn];
}

static void test_text(void **state)
{
	struct digest d = digest_of("mirach", 6), back;
	char buf[DIGEST_STRLEN];

	(void)state;
	assert_int_equal(digest_parse(digest_format(&d, buf), &back), 0);
	assert_true(digest_equal(&d, &back));
	assert_int_equal(strlen(buf), 32);
	buf[3] = 'G';
	assert_int_not_equal(digest_parse(buf, &back), 0);
	assert_int_not_equal(digest_parse("00000000000000000000000000000000f", &back), 0);
	assert_int_not_equal(digest_parse("00000000", &back), 0);
}

/* The layout of the digest is a promise between programs: XXH3-128 of id, NUL and v. */
static void test_known(void **state)
{
	struct objset_digest d = {};
	struct digest v = { 0, 1 }, want;
	static const char text[] = "vport/a.b\0"
				   "00000000000000000000000000000001";

	(void)state;
	want = digest_of(text, sizeof(text) - 1);
	objset_digest_add(&d, "vport/a.b", &v);
	assert_true(digest_equal(&d.root, &want));
	assert_true(digest_equal(&d.bucket[objset_bucket("vport/a.b")], &want));
	objset_digest_del(&d, "vport/a.b", &v);
	assert_true(digest_equal(&d.root, &(struct digest){}));
	assert_int_equal(d.count, 0);
}

static void check_same(const struct objset *s, const uint64_t *model)
{
	struct objset_digest d = {};
	struct digest buckets[OBJSET_BUCKETS];
	uint64_t n = 0;

	for (unsigned int i = 0; i < IDS; i++) {
		const struct objset_entry *e = objset_find(s, id_of(i));
		struct digest v = { .lo = model[i] };

		assert_int_equal(!!e, !!model[i]);
		if (!e)
			continue;
		assert_true(digest_equal(&e->v, &v));
		objset_digest_add(&d, id_of(i), &v);
		n++;
	}
	assert_int_equal(s->count, n);
	assert_true(digest_equal(&s->root, &d.root));
	objset_buckets(s, buckets);
	assert_memory_equal(buckets, d.bucket, sizeof(buckets));
}

static void test_random(void **state)
{
	uint64_t model[IDS] = {};
	unsigned int seed = 42;
	struct objset s;

	(void)state;
	objset_init(&s);
	for (unsigned int step = 0; step < 20000; step++) {
		unsigned int i = rand_r(&seed) % IDS;
		struct digest v = { .lo = 1 + rand_r(&seed) % 3 };

		if (rand_r(&seed) % 2) {
			assert_int_equal(objset_put(&s, id_of(i), &v), model[i] != v.lo);
			model[i] = v.lo;
		} else {
			assert_int_equal(objset_del(&s, id_of(i)), !!model[i]);
			model[i] = 0;
		}
		if (step % 500 == 0)
			check_same(&s, model);
	}
	check_same(&s, model);
	for (unsigned int i = 0; i < IDS; i++)
		objset_del(&s, id_of(i));
	assert_true(digest_equal(&s.root, &(struct digest){}));
	assert_int_equal(s.bytes, 0);
	objset_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
