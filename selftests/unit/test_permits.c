// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_permits.c - what controllers say about permits, read and written
 */
#include <ctl/controller/permits.h>

#include <errno.h>
#include <string.h>

#include <selftests/unit/expect.h>

static int read_text(const char *text, struct permit_text *ret)
{
	struct error e = {};
	int err = permit_read(text, strlen(text), ret, &e);

	assert_int_equal(!err, !*e.text);
	return err;
}

static void test_round_trip(void **state)
{
	struct permit_text p = { .host = "h2", .network = "acme.front", .from = "h1", .term = 7,
				 .bps = 30000 }, again;
	char buf[PERMIT_TEXT_LEN];

	(void)state;
	ip_addr_parse("fd00::1", &p.src);
	assert_int_equal(read_text(permit_format(&p, buf), &again), 0);
	assert_string_equal(again.host, "h2");
	assert_string_equal(again.network, "acme.front");
	assert_string_equal(again.from, "h1");
	assert_true(ip_addr_equal(&again.src, &p.src));
	assert_int_equal(again.term, 7);
	assert_int_equal(again.bps, 30000);
}

/* The longest names there can be find room. */
static void test_longest(void **state)
{
	struct permit_text p = { .term = 1ll << 53, .bps = 1ull << 53 }, again;
	char buf[PERMIT_TEXT_LEN];

	(void)state;
	memset(p.host, 'h', MSG_NAME_MAX);
	memset(p.network, 'n', MSG_NAME_MAX);
	memset(p.from, 'f', MSG_NAME_MAX);
	ip_addr_parse("2001:db8:1111:2222:3333:4444:5555:6666", &p.src);
	assert_int_equal(read_text(permit_format(&p, buf), &again), 0);
	assert_memory_equal(&p.host, &again.host, sizeof(p.host));
	assert_int_equal(again.term, p.term);
}

/* Of a later version: more fields, and some that make no sense here. */
static void test_unknown(void **state)
{
	struct permit_text p;

	(void)state;
	assert_int_equal(read_text("{\"host\":\"h2\",\"network\":\"a.n\",\"src\":\"10.0.0.1\",\"from\":\"h1\","
				   "\"color\":[1,{}],\"bps\":\"much\",\"term\":-4}", &p), 0);
	assert_int_equal(p.bps, 0);
	assert_int_equal(p.term, 0);
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"", "{", "[]", "7", "{}",
		"{\"network\":\"a.n\",\"src\":\"10.0.0.1\",\"from\":\"h1\"}",
		"{\"host\":7,\"network\":\"a.n\",\"src\":\"10.0.0.1\",\"from\":\"h1\"}",
		"{\"host\":\"\",\"network\":\"a.n\",\"src\":\"10.0.0.1\",\"from\":\"h1\"}",
		"{\"host\":\"h\\\"2\",\"network\":\"a.n\",\"src\":\"10.0.0.1\",\"from\":\"h1\"}",
		"{\"host\":\"h2\",\"network\":\"a.n\",\"src\":\"10.0.0\",\"from\":\"h1\"}",
		"{\"host\":\"h2\",\"network\":\"a.n\",\"src\":\"10.0.0.1\",\"from\":\"a234567890123456789012345678901234567890123456789012345678901234\"}",
	};
	struct permit_text p = { .host = "as it was" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		expect_int(bad[i], read_text(bad[i], &p), -EBADMSG);
		assert_string_equal(p.host, "as it was");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests_name("permits", tests, NULL, NULL);
}
