// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_digest.c - the flow digest and the buckets it leads to
 *
 * Properties, not values: the digest is a function of the whole key and the
 * secret, the two tuples of a packet share its costly part, and keys as real
 * networks have them (counting up in one field) spread like random ones. The
 * limits are chi-squared bounds a good digest passes with probability 1 - 10^-6.
 */
#include <mirach/flow.h>		/* first: the header must stand alone */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <mirach/wire.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint32_t secret[FLOW_SECRET_WORDS];

static uint32_t roll(void)
{
	return (uint32_t)random() << 16 ^ random();
}

static struct flow_key random_key(void)
{
	struct flow_key k;
	uint32_t *words = (uint32_t *)&k;

	for (unsigned int i = 0; i < sizeof(k) / sizeof(*words); i++)
		words[i] = roll();
	k.tuple = FLOW_TUPLE_5;
	k.pad = 0;
	return k;
}

static void test_equal_keys(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct flow_key a = random_key(), b = a;

		assert_true(flow_key_equal(&a, &b));
		assert_int_equal(flow_digest(&a, secret), flow_digest(&b, secret));
	}
}

/* Every bit of the key counts, for equality and for the digest; only the pad is not digested. */
static void test_every_bit_counts(void **state)
{
	struct flow_key a = random_key();

	(void)state;
	for (unsigned int bit = 0; bit < 8 * sizeof(a); bit++) {
		struct flow_key b = a;

		((uint8_t *)&b)[bit / 8] ^= 1 << bit % 8;
		assert_false(flow_key_equal(&a, &b));
		if (bit / 8 < offsetof(struct flow_key, pad))
			assert_true(flow_digest(&a, secret) != flow_digest(&b, secret));
	}
}

static void test_every_secret_word_counts(void **state)
{
	struct flow_key a = random_key();
	uint64_t digest = flow_digest(&a, secret);

	(void)state;
	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++) {
		uint32_t other[FLOW_SECRET_WORDS];

		memcpy(other, secret, sizeof(other));
		other[i] += 1;
		assert_true(flow_digest(&a, other) != digest);
	}
}

static void test_tuples_share_the_first_part(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct flow_key five = random_key(), three = five;
		uint64_t addrs = flow_digest_addrs(&five, secret);

		three.tuple = FLOW_TUPLE_3;
		three.sport = three.dport = 0;
		assert_int_equal(flow_digest_addrs(&three, secret), addrs);
		assert_int_equal(flow_digest_finish(addrs, &five, secret), flow_digest(&five, secret));
		assert_int_equal(flow_digest_finish(addrs, &three, secret), flow_digest(&three, secret));
		assert_true(flow_digest(&five, secret) != flow_digest(&three, secret));
	}
}

/* A 5-tuple whose ports are zero is still another key than the 3-tuple. */
static void test_zero_ports(void **state)
{
	struct flow_key five = random_key(), three;

	(void)state;
	five.sport = five.dport = 0;
	three = five;
	three.tuple = FLOW_TUPLE_3;
	assert_false(flow_key_equal(&five, &three));
	assert_true(flow_digest(&five, secret) != flow_digest(&three, secret));
}

static void test_slot_words(void **state)
{
	uint64_t slot = FLOW_SLOT(0xdeadbeef, 0x12345678);

	(void)state;
	assert_int_equal(FLOW_SLOT_TAG(slot), 0xdeadbeef);
	assert_int_equal(FLOW_SLOT_INDEX(slot), 0x12345678);
	assert_int_equal(flow_tag(0xdeadbeef12345678ull), 0xdeadbeef);
	assert_int_equal(flow_bucket_of(0xdeadbeef12345678ull, 0, 0xffff), 0x5678);
}

/* Where both choices fall together a flow has one bucket only; it must be rare: 1 in n. */
static void test_choices_differ(void **state)
{
	const uint32_t masks[] = { 15, 255, 16383, 0xfffff };
	const int n = 200000;

	(void)state;
	for (unsigned int m = 0; m < COUNT(masks); m++) {
		double expected = (double)n / (masks[m] + 1);
		int same = 0;

		for (int i = 0; i < n; i++) {
			struct flow_key k = random_key();
			uint64_t d = flow_digest(&k, secret);
			uint32_t a = flow_bucket_of(d, 0, masks[m]), b = flow_bucket_of(d, 1, masks[m]);

			assert_true(a <= masks[m] && b <= masks[m]);
			same += a == b;
		}
		assert_true(same < 2.5 * expected + 12);
	}
}

/* ---------------------------------------------------------------------- spread */

/* Keys as networks make them: the i-th of a family that counts up in one place. */
typedef struct flow_key (*family_fn)(uint32_t i);

static struct flow_key plain_key(void)
{
	struct flow_key k = { .scope = SCOPE_VPORT | 5, .proto = 6, .tuple = FLOW_TUPLE_5 };

	ip_addr_set_v4(&k.src, wire32(0x0a00000b));
	ip_addr_set_v4(&k.dst, wire32(0x0a00000c));
	return k;
}

static struct flow_key by_source(uint32_t i)
{
	struct flow_key k = plain_key();

	ip_addr_set_v4(&k.src, wire32(0x0a000000 + i));
	return k;
}

static struct flow_key by_destination_v6(uint32_t i)
{
	struct flow_key k = plain_key();

	k.dst = (struct ip_addr){ { wire32(0xfd000001), 0, 0, wire32(i) } };
	return k;
}

static struct flow_key by_source_port(uint32_t i)
{
	struct flow_key k = plain_key();

	k.sport = wire16(i);
	k.dport = wire16(443 + (i >> 16));
	return k;
}

static struct flow_key by_slot(uint32_t i)
{
	struct flow_key k = plain_key();

	k.scope = SCOPE_VPORT | (i & 4095);
	k.dport = wire16(i >> 12);
	return k;
}

static struct flow_key by_outer(uint32_t i)
{
	struct flow_key k = plain_key();

	k.scope = SCOPE_FABRIC | 100;
	ip_addr_set_v4(&k.outer, wire32(0xc0000200 + i));
	return k;
}

/* Both ends count: the classic way to make sums collide. */
static struct flow_key by_pair(uint32_t i)
{
	struct flow_key k = plain_key();

	ip_addr_set_v4(&k.src, wire32(0x0a000000 + (i & 255)));
	ip_addr_set_v4(&k.dst, wire32(0x0a000000 + (i >> 8)));
	return k;
}

/* Chi-squared of @counts around @expected, as distance from its mean in standard deviations. */
static double deviation(const uint32_t *counts, uint32_t n, double expected)
{
	double chi = 0;

	for (uint32_t i = 0; i < n; i++)
		chi += (counts[i] - expected) * (counts[i] - expected) / expected;
	return (chi - (n - 1)) / __builtin_sqrt(2.0 * (n - 1));
}

static void spread(family_fn family, unsigned int choice)
{
	enum { BUCKETS = 4096, KEYS = 65536 };
	static uint32_t counts[BUCKETS];

	memset(counts, 0, sizeof(counts));
	for (uint32_t i = 0; i < KEYS; i++) {
		struct flow_key k = family(i);

		counts[flow_bucket_of(flow_digest(&k, secret), choice, BUCKETS - 1)]++;
	}
	assert_true(deviation(counts, BUCKETS, (double)KEYS / BUCKETS) < 5.5);
}

static void test_spread(void **state)
{
	static const family_fn families[] = { by_source, by_destination_v6, by_source_port, by_slot,
					      by_outer, by_pair };

	(void)state;
	for (unsigned int i = 0; i < COUNT(families); i++) {
		spread(families[i], 0);
		spread(families[i], 1);
	}
}

/* Tags are compared before keys: equal ones within a bucket cost a second look, and must be rare. */
static void test_tags(void **state)
{
	enum { KEYS = 65536 };
	static const family_fn families[] = { by_source, by_source_port, by_pair };
	static uint32_t counts[256];

	(void)state;
	for (unsigned int f = 0; f < COUNT(families); f++) {
		memset(counts, 0, sizeof(counts));
		for (uint32_t i = 0; i < KEYS; i++) {
			struct flow_key k = families[f](i);

			counts[flow_tag(flow_digest(&k, secret)) >> 24]++;
		}
		assert_true(deviation(counts, COUNT(counts), KEYS / 256.0) < 5.5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equal_keys),
		cmocka_unit_test(test_every_bit_counts),
		cmocka_unit_test(test_every_secret_word_counts),
		cmocka_unit_test(test_tuples_share_the_first_part),
		cmocka_unit_test(test_zero_ports),
		cmocka_unit_test(test_slot_words),
		cmocka_unit_test(test_choices_differ),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_tags),
	};
	const char *seed = getenv("MIRACH_TEST_SEED");
	unsigned int rng = seed ? strtoul(seed, NULL, 0) : (unsigned int)time(NULL);

	printf("# seed %u\n", rng);
	srandom(rng);
	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		secret[i] = roll();
	return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
