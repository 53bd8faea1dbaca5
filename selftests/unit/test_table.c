// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_table.c - tables line up, whatever is in their cells
 */
#include <lib/table.h>

#include <stdio.h>
#include <stdlib.h>

#include <selftests/unit/expect.h>

/* Prints and compares; the table is gone afterwards. */
static void expect_table(const char *of, struct table *t, const char *expected)
{
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	table_print(t, out);
	fclose(out);
	expect_text(of, text, expected);
	free(text);
}

static void test_aligns(void **state)
{
	struct table *t = table_new("NAME,SLOT>,DEVICE");

	(void)state;
	table_row(t, "web-1", "3", "veth-web1");
	table_row(t, "database", "4000", "tap0");
	expect_table("columns", t,
		     "NAME      SLOT  DEVICE\n"
		     "web-1        3  veth-web1\n"
		     "database  4000  tap0\n");
}

static void test_header_alone(void **state)
{
	(void)state;
	expect_table("no rows", table_new("NAME,SLOT>"), "NAME  SLOT\n");
	expect_table("one column", table_new("NAME"), "NAME\n");
}

static void test_missing_values(void **state)
{
	struct table *t = table_new("A,B,C");

	(void)state;
	table_row(t, NULL, "b", NULL);
	table_row(t, "", "", "");
	table_row(t, "long", NULL, "");
	expect_table("NULL and empty", t,
		     "A     B  C\n"
		     "-     b  -\n"
		     "\n"
		     "long  -\n");
}

static void test_right_column_last(void **state)
{
	struct table *t = table_new("A>,BYTES>");

	(void)state;
	table_row(t, "1", "1234567");
	table_row(t, "22", "");
	expect_table("right, last", t,
		     " A    BYTES\n"
		     " 1  1234567\n"
		     "22\n");
}

static void test_counts_characters(void **state)
{
	struct table *t = table_new("NAME,X");

	(void)state;
	table_row(t, "zürich", "1");
	table_row(t, "berlin", "2");
	expect_table("UTF-8", t,
		     "NAME    X\n"
		     "zürich  1\n"
		     "berlin  2\n");
}

static void test_many_rows(void **state)
{
	struct table *t = table_new("N>");
	char *text;
	size_t len, lines = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	for (int i = 0; i < 5000; i++)
		table_row(t, "7");
	table_print(t, out);
	fclose(out);
	for (char *c = text; *c; c++)
		lines += *c == '\n';
	free(text);
	expect_int("lines", lines, 5001);
}

/* What table_new() returns when there is no memory or too many columns may be used all the same. */
static void test_no_table(void **state)
{
	struct table *t = table_new("1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,"
				    "24,25,26,27,28,29,30,31,32,33");

	(void)state;
	assert_null(t);
	table_row(t, "x");
	table_print(t, stdout);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligns),
		cmocka_unit_test(test_header_alone),
		cmocka_unit_test(test_missing_values),
		cmocka_unit_test(test_right_column_last),
		cmocka_unit_test(test_counts_characters),
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_no_table),
	};

	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
