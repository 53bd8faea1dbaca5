// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_names.c - what one side prints the other takes back
 */
#include <lib/names.h>

#include <errno.h>

#include <selftests/unit/expect.h>

static void test_protos(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 256; i++) {
		char text[PROTO_STRLEN];
		uint8_t back;

		expect_int("parse", proto_parse(proto_format(i, text), &back), 0);
		expect_int(text, back, i);
	}
}

static void test_protos_refused(void **state)
{
	static const char *const texts[] = { "", "256", "-1", "+6", "6x", "TCP", " 6" };
	uint8_t proto = 99;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		expect_int(texts[i], proto_parse(texts[i], &proto), -EINVAL);
	expect_int("untouched", proto, 99);
}

static void test_reasons(void **state)
{
	unsigned int named = 0;

	(void)state;
	for (unsigned int i = 1; i < REASON_MAX; i++) {
		enum drop_reason back;

		if (!*reason_text(i))
			continue;
		named++;
		expect_int(reason_name(i), reason_parse(reason_name(i), &back), 0);
		expect_int(reason_name(i), back, i);
	}
	assert_true(named > 30);
	expect_text("hole", reason_name(REASON_MAX - 1), "unknown");
	expect_text("beyond", reason_name(REASON_MAX), "unknown");
}

static void test_hex(void **state)
{
	static const struct {
		const char *text;
		int n;
	} cases[] = {
		{ "", 0 },	      { "00ff", 2 },   { "00 ff", 2 },	   { "00:fF", 2 },
		{ " 0a\n0b\t0c ", 3 }, { "0", -EINVAL }, { "0 0", -EINVAL }, { "0g", -EINVAL },
		{ "0011223344", -E2BIG },
	};
	uint8_t bytes[4];
	char text[16];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_int(cases[i].text, hex_parse(cases[i].text, bytes, sizeof(bytes)), cases[i].n);
	expect_text("format", hex_format("\x0a\xff", 2, ' ', text, sizeof(text)), "0a ff");
	expect_text("no separator", hex_format("\x0a\xff", 2, 0, text, sizeof(text)), "0aff");
	expect_text("too small", hex_format("\x0a\xff", 2, ' ', text, 4), "0a");
	expect_text("empty", hex_format("", 0, ' ', text, sizeof(text)), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protos),
		cmocka_unit_test(test_protos_refused),
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
