// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_auth.c - who asks: names, tokens, their file and its mistakes
 */
#include <ctl/controller/auth.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <selftests/unit/expect.h>

/* SHA-256 of "secret" and of "other". */
#define SECRET "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"
#define OTHER "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"

static char path[32];

static int make_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/mirach-auth-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static void write_file(const char *text)
{
	FILE *out = fopen(path, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void test_identities(void **state)
{
	static const char *const bad[] = {
		"", "operator", "operator:", "tenant:", "tenant:Acme", "tenant:a/b", "tenant:sixteen-letters-",
		"host:h1", "controller:c1", "operator acme", "tenant:acme ",
	};
	struct identity who;

	(void)state;
	assert_int_equal(auth_identity("operator:ann b", &who), 0);
	assert_true(who.known && who.operator);
	assert_int_equal(auth_identity("tenant:acme", &who), 0);
	assert_true(who.known && !who.operator);
	assert_string_equal(who.tenant, "acme");
	for (size_t i = 0; i < COUNT(bad); i++)
		expect_int(bad[i], auth_identity(bad[i], &who), -EINVAL);
}

static void test_tokens(void **state)
{
	struct identity who = {};
	struct error e = {};
	struct auth *a;
	char hash[AUTH_HASH_LEN];

	(void)state;
	auth_hash("secret", hash);
	assert_string_equal(hash, SECRET);
	write_file("# people\n\n  " SECRET " operator:ann\n" OTHER "\ttenant:acme 1970-01-01T00:01:40Z\n");
	assert_int_equal(auth_new(path, &a, &e), 0);
	assert_int_equal(auth_token(a, "secret", 1, &who, &e), 0);
	assert_string_equal(who.name, "operator:ann");
	assert_int_equal(auth_token(a, "other", 99, &who, &e), 0);
	assert_string_equal(who.tenant, "acme");
	assert_int_equal(auth_token(a, "other", 100, &who, &e), -EACCES);
	expect_part("expired", e.text, "the token of tenant:acme has expired");
	assert_int_equal(auth_token(a, "Secret", 1, &who, &e), -EACCES);
	expect_part("unknown", e.text, "not known");
	assert_int_equal(auth_token(a, "", 1, &who, &e), -EACCES);
	assert_int_equal(auth_token(a, SECRET, 1, &who, &e), -EACCES);	/* the hash is no token */
	auth_free(a);
}

static void test_wrong_files(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "abc operator:ann\n", ":1: 64 hexadecimal digits" },
		{ SECRET "00 operator:ann\n", ":1: 64 hexadecimal digits" },
		{ "# x\n" SECRET "\n", ":2: \"tenant:NAME\" or \"operator:NAME\"" },
		{ SECRET " host:h\n", "is wanted behind the hash" },
		{ SECRET " tenant:acme tomorrow\n", "written like 2027-01-31T00:00:00Z" },
		{ SECRET " tenant:acme 2027-01-31T00:00:00\n", "written like" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct auth *untouched = (struct auth *)1, *a = untouched;
		struct error e = {};

		write_file(cases[i].text);
		expect_int(cases[i].text, auth_new(path, &a, &e), -EINVAL);
		expect_part(cases[i].text, e.text, cases[i].why);
		assert_ptr_equal(a, untouched);
	}
}

static void test_no_file(void **state)
{
	struct identity who;
	struct error e = {};
	struct auth *a;

	(void)state;
	assert_int_equal(auth_new("/nonexistent/tokens", &a, &e), -ENOENT);
	assert_int_equal(auth_new(NULL, &a, &e), 0);
	assert_int_equal(auth_token(a, "secret", 1, &who, &e), -EACCES);
	auth_free(a);
}

#define with_file(test) cmocka_unit_test_setup_teardown(test, make_file, remove_file)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_identities), with_file(test_tokens), with_file(test_wrong_files),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
