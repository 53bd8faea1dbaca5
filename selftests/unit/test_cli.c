// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_cli.c - finding commands, reading options, guessing what was meant
 */
#include <ctl/cli/commands.h>

#include <errno.h>
#include <stdlib.h>

#include <ctl/cli/opts.h>
#include <lib/suggest.h>
#include <ctl/cli/view.h>
#include <selftests/unit/expect.h>

static const struct opt table[] = {
	{ "from-host", OPT_TEXT, "ADDR", "", false },
	{ "port", OPT_NUMBER, "N", "", false },
	{ "vlan", OPT_VLANS, "VIDS", "", false },
	{ "rates", OPT_FLAG, NULL, "", false },
	{ "watch", OPT_FLAG, NULL, "", true },
	{},
};

#define WORDS_MAX 8

/* Splits at blanks; the words live in @buf. */
static int split(const char *line, char *buf, char **words)
{
	int n = 0;

	strcpy(buf, line);
	for (char *w = strtok(buf, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	return n;
}

static void test_options(void **state)
{
	static const struct {
		const char *line;
		const char *json;	/* NULL: refused */
		const char *words;	/* of the refusal, or the first plain word */
	} cases[] = {
		{ "", "{}", NULL },
		{ "--port 80", "{\"port\":80}", NULL },
		{ "--port=80 web-1", "{\"port\":80}", "web-1" },
		{ "--from-host 192.0.2.1 --rates", "{\"from_host\":\"192.0.2.1\",\"rates\":true}", NULL },
		{ "--vlan 10", "{\"vlan\":[10]}", NULL },
		{ "--vlan 10,20 --watch", "{\"vlan\":[10,20]}", NULL },
		{ "--json --port 0x10", "{\"port\":16}", NULL },
		{ "- x", "{}", "-" },
		{ "--port", NULL, "--port: needs N" },
		{ "--port x", NULL, "x is no number" },
		{ "--port -1", NULL, "-1 is no number" },
		{ "--port 1 --port 2", NULL, "given twice" },
		{ "--rates=1", NULL, "takes no value" },
		{ "--prot 1", NULL, "did you mean --port?" },
		{ "--frobnicate", NULL, "there is no option --frobnicate" },
		{ "--vlan 1,2,3", NULL, "--vlan: must be" },
		{ "--vlan 1,", NULL, "--vlan: must be" },
		{ "a b c d e", NULL, "e: too many" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char buf[128], *words[WORDS_MAX], *text;
		struct opts o = {};
		struct error e = {};
		cJSON *json;
		int err;

		err = opts_parse(table, commands_common, split(cases[i].line, buf, words), words, &o, &e);
		expect_int(cases[i].line, err, cases[i].json ? 0 : -EINVAL);
		if (err) {
			expect_part(cases[i].line, e.text, cases[i].words);
			continue;
		}
		json = opts_json(&o);
		text = cJSON_PrintUnformatted(json);
		expect_text(cases[i].line, text, cases[i].json);
		if (cases[i].words)
			expect_text(cases[i].line, o.words[0], cases[i].words);
		free(text);
		cJSON_Delete(json);
	}
}

static void test_find(void **state)
{
	static const struct {
		const char *line, *name, *near;
		int used;
	} cases[] = {
		{ "status", "status", NULL, 1 },
		{ "flow list", "flow list", NULL, 2 },
		{ "flow list --rates", "flow list", NULL, 2 },
		{ "drops --watch", "drops", NULL, 1 },
		{ "flow", NULL, "flow list", 0 },
		{ "flow lsit", NULL, "flow list", 0 },
		{ "vprot list", NULL, "vport list", 0 },
		{ "drosp", NULL, "drops", 0 },
		{ "qqqqqq", NULL, NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char buf[128], *words[WORDS_MAX];
		const struct command *c;
		const char *near;
		int used;

		c = commands_find(split(cases[i].line, buf, words), words, &used, &near);
		expect_text(cases[i].line, c ? c->name : "-", cases[i].name ?: "-");
		if (c)
			expect_int(cases[i].line, used, cases[i].used);
		else
			expect_text(cases[i].line, near ?: "-", cases[i].near ?: "-");
	}
}

/* Every row can be printed, run, and told apart from the others. */
static void test_rows(void **state)
{
	const struct command *c, *other;

	(void)state;
	for (unsigned int i = 0; (c = commands_at(i)); i++) {
		assert_non_null(c->help);
		assert_non_null(c->run);
		assert_true(c->min_words <= c->max_words);
		assert_int_equal(!c->words, !c->max_words);
		for (unsigned int j = 0; j < i; j++) {
			other = commands_at(j);
			assert_string_not_equal(c->name, other->name);
		}
	}
}

static void test_suggest(void **state)
{
	static const char *const names[] = { "status", "drops", "trace" };

	(void)state;
	expect_text("swap", suggest("tsatus", names, 3), "status");
	expect_text("missing", suggest("trce", names, 3), "trace");
	expect_text("start", suggest("dr", names, 3), "drops");
	assert_null(suggest("reload", names, 3));
	assert_null(suggest("", names, 0));
}

static void test_view(void **state)
{
	cJSON *o = cJSON_Parse("{\"n\":7,\"s\":\"x\",\"a\":[1,\"b\"],\"t\":true,\"e\":[]}");

	(void)state;
	expect_text("count", view_count(o, "n"), "7");
	assert_null(view_count(o, "s"));
	expect_text("text", view_text(o, "n"), "");
	expect_text("join", view_join(o, "a"), "1,b");
	assert_null(view_join(o, "e"));
	assert_true(view_flag(o, "t"));
	expect_int("missing", view_number(o, "nothing"), 0);
	expect_int("of nothing", view_number(NULL, "n"), 0);
	expect_text("seconds", view_seconds(0.25), "0.2s");
	expect_text("minutes", view_seconds(600), "10m");
	expect_text("days", view_seconds(864000), "10d");
	expect_text("units", view_quantity(950), "950");
	expect_text("thousands", view_quantity(12345), "12.3k");
	expect_text("bytes", view_bytes(24.0 * 1024 * 1024), "24.0 MiB");
	cJSON_Delete(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options), cmocka_unit_test(test_find),
		cmocka_unit_test(test_rows),	cmocka_unit_test(test_suggest),
		cmocka_unit_test(test_view),
	};

	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
