// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_selector.c - label selectors: what they match and what is none
 */
#include <ctl/controller/api_parts.h>

#include <errno.h>

#include <selftests/unit/expect.h>
#include <selftests/unit/model_random.h>

static void test_matches(void **state)
{
	static const struct {
		const char *selector;
		bool matches;
	} cases[] = {
		{ "", true }, { "role=web", true }, { "role=db", false }, { "role!=db", true },
		{ "role!=web", false }, { "role", true }, { "!role", false }, { "zone", false },
		{ "!zone", true }, { "zone!=a", true }, { "zone=", false }, { "empty=", true },
		{ "role=web,tier=1", true }, { "role=web,tier=2", false }, { "role,!zone,tier!=3", true },
		{ "a/b=c", true },
	};
	struct object *o = object_of("{kind: Tenant, name: t, labels: {role: web, tier: '1', empty: '', a/b: c}}");

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct selector *s;
		struct error e = {};

		expect_int(cases[i].selector, selector_parse(cases[i].selector, &s, &e), 0);
		expect_int(cases[i].selector, selector_match(s, o), cases[i].matches);
		selector_free(s);
	}
	assert_true(selector_match(NULL, o));
	model_free(o);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"=", "=web", "!=web", "!", "!!role", "role!", "a=b,=", "a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct selector *s;
		struct error e = {};

		expect_int(bad[i], selector_parse(bad[i], &s, &e), -EINVAL);
		expect_part(bad[i], e.text, "labels: ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_matches), cmocka_unit_test(test_refused) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
