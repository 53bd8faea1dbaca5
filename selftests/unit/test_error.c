// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_error.c - an errno and a sentence, cut where they do not fit
 */
#include <lib/error.h>

#include <errno.h>

#include <selftests/unit/expect.h>

static void test_set(void **state)
{
	struct error e = {};

	(void)state;
	expect_int("set", error_set(&e, -ENOENT, "%s: no such %s", "tap0", "device"), -ENOENT);
	expect_int("err", e.err, -ENOENT);
	expect_text("text", e.text, "tap0: no such device");
	expect_int("again", error_set(&e, -EPERM, "denied"), -EPERM);
	expect_text("text", e.text, "denied");
}

static void test_prefix(void **state)
{
	struct error e = {};

	(void)state;
	error_set(&e, -ENOENT, "no such device");
	expect_int("prefix", error_prefix(&e, "vport %s", "web-1"), -ENOENT);
	expect_int("again", error_prefix(&e, "reload"), -ENOENT);
	expect_text("text", e.text, "reload: vport web-1: no such device");
}

static void test_nobody_listens(void **state)
{
	(void)state;
	expect_int("set", error_set(NULL, -EINVAL, "%d", 1), -EINVAL);
	expect_int("prefix", error_prefix(NULL, "%d", 1), 0);
}

/* Prefixes of every length around the end of the text. */
static void test_cut(void **state)
{
	static char longest[2 * ERROR_TEXT_LEN];

	(void)state;
	for (size_t len = 0; len < sizeof(longest) - 1; len++) {
		struct error e = {};

		memset(longest, 'p', len);
		longest[len] = '\0';
		error_set(&e, -EINVAL, "the sentence");
		error_prefix(&e, "%s", longest);
		assert_true(strlen(e.text) < sizeof(e.text));
		assert_memory_equal(e.text, longest, len < 1023 ? len : 1023);
		if (len + 2 + 12 < sizeof(e.text))
			expect_text("whole", e.text + len, ": the sentence");
	}
	memset(longest, 's', sizeof(longest) - 1);
	for (size_t len = 0; len < sizeof(longest); len += 7) {
		struct error e = {};

		error_set(&e, -EINVAL, "%.*s", (int)len, longest);
		error_prefix(&e, "p");
		expect_int("length", strlen(e.text), len + 3 < 1023 ? len + 3 : 1023);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_nobody_listens),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
