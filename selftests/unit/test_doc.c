// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_doc.c - YAML and JSON as trees with lines, and what is refused of them
 *
 * Trees are compared as text: every node prints its line, so one string says
 * shape, order, kinds and lines at once.
 */
#include <lib/doc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <selftests/unit/expect.h>

/* "1{host@1:1{name@1:a}}": a map is {}, a list [], a quoted scalar "", null ~. */
static void print_tree(FILE *out, const struct doc *d)
{
	if (d->key)
		fprintf(out, "%s", d->key);
	fprintf(out, "@%d:", d->line);
	if (d->kind == DOC_NULL)
		fprintf(out, "~");
	if (d->kind == DOC_SCALAR)
		fprintf(out, d->quoted ? "\"%s\"" : "%s", d->text);
	if (d->kind == DOC_LIST || d->kind == DOC_MAP) {
		fprintf(out, d->kind == DOC_MAP ? "{" : "[");
		for (const struct doc *child = d->first; child; child = child->next) {
			print_tree(out, child);
			fprintf(out, child->next ? " " : "");
		}
		fprintf(out, d->kind == DOC_MAP ? "}" : "]");
	}
}

static void expect_tree(const char *text, size_t len, const char *expected)
{
	struct error e = {};
	struct doc *d = NULL;
	char *seen;
	size_t n;
	FILE *out;

	if (doc_parse("t", text, len, &d, &e))
		fail_msg("%s:\nrefused: %s", text, e.text);
	out = open_memstream(&seen, &n);
	print_tree(out, d);
	fclose(out);
	doc_free(d);
	expect_text(text, seen, expected);
	free(seen);
}

static void test_trees(void **state)
{
	static const struct {
		const char *text, *tree;
	} cases[] = {
		{"a: 1\nb: 2\n", "@1:{a@1:1 b@2:2}"},
		{"- x\n- y\n", "@1:[@1:x @2:y]"},
		{"word", "@1:word"},
		{"a:\n  - b: 1\n    c: 2\n  - d: 3\n", "@1:{a@1:[@2:{b@2:1 c@3:2} @4:{d@4:3}]}"},
		{"\n# comment\n\na: 1", "@4:{a@4:1}"},
		{"---\na: 1\n...\n", "@2:{a@2:1}"},
		{"{}", "@1:{}"},
		{"[]", "@1:[]"},
		{"{\"a\": [1, {\"b\": null}],\n \"c\": \"d\"}", "@1:{a@1:[@1:1 @1:{b@1:~}] c@2:\"d\"}"},
		{"a:\nb: ~\nc: null\nd: 'null'\ne: \"\"\n",
		 "@1:{a@1:~ b@2:~ c@3:~ d@4:\"null\" e@5:\"\"}"},
		{"mac: 02:00:5e:00:00:01", "@1:{mac@1:02:00:5e:00:00:01}"},
		{"a: |\n  two\n  lines\n", "@1:{a@1:\"two\nlines\n\"}"},
		{"a: 'zürich'", "@1:{a@1:\"zürich\"}"},
		{"1: 2", "@1:{1@1:2}"},
		{"\xef\xbb\xbf" "a: 1", "@1:{a@1:1}"},
		{"a: 1\r\nb: 2\r\n", "@1:{a@1:1 b@2:2}"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_tree(cases[i].text, strlen(cases[i].text), cases[i].tree);
}

static void expect_refused(const char *of, const char *text, size_t len, int err, const char *why)
{
	struct doc *untouched = (struct doc *)0x1, *d = untouched;
	struct error e = {};

	expect_int(of, doc_parse("t", text, len, &d, &e), err);
	expect_int(of, e.err, err);
	expect_part(of, e.text, why);
	assert_ptr_equal(d, untouched);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "t:1: the file is empty"},
		{"# only a comment\n\n", "the file is empty"},
		{"---\n", "t:2: the file is empty"},
		{"~", "the file is empty"},
		{"a: &x 1\nb: *x\n", "t:1: anchors"},
		{"a: &x [1]\n", "t:1: anchors"},
		{"\na: &x {b: 1}\n", "t:2: anchors"},
		{"a: 1\nb: *x\n", "t:2: aliases"},
		{"<<: *x\n", "t:1: aliases"},
		{"a: !!int 1\n", "t:1: tags"},
		{"a: !!seq [1]\n", "t:1: tags"},
		{"a: !mine {b: 1}\n", "t:1: tags"},
		{"a: 1\nb: 2\na: 3\n", "t:3: key \"a\" is given twice, first in line 1"},
		{"{a: 1, b: {c: 1, \"c\": 2}}", "key \"c\" is given twice"},
		{"[a, b]: 1\n", "t:1: a key must be a single value"},
		{"? {a: b}\n: 1\n", "t:1: a key must be a single value"},
		{"a: 1\n---\nb: 2\n", "t:2: a second document"},
		{"a: 1\n...\nb: 2\n", "t:3: "},
		{"a: \"x\\0y\"\n", "t:1: NUL"},
		{"\"x\\0y\": 1\n", "t:1: NUL"},
		{"a: [1, 2\n", "t:2: not YAML"},
		{"a: {b: 1\nc: 2\n", "not YAML"},
		{"a: 'open\n", "not YAML"},
		{"a: \"\\q\"\n", "not YAML"},
		{"a: 1\n b: 2\n", "t:2: not YAML"},
		{"a:\n\t- 1\n", "t:2: not YAML"},
		{"a: @x\n", "not YAML"},
		{"%YAML 9.9\n---\na: 1\n", "not YAML"},
		{"a: 1\nb: \xff\n", "t:2: not UTF-8"},
		{"a: \xc3\x28\n", "not UTF-8"},
		{"a: \xed\xa0\x80\n", "not UTF-8"},		/* a surrogate */
		{"a: \xc0\xaf\n", "not UTF-8"},			/* overlong '/' */
		{"a: \xf5\x80\x80\x80\n", "not UTF-8"},
		{"a: \x01\n", "not UTF-8"},			/* control characters are no text */
		{"\xff\xfe" "a\0:\0", "not UTF-8"},		/* UTF-16 */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_refused(cases[i].text, cases[i].text, strlen(cases[i].text), -EBADMSG,
			       cases[i].why);
	expect_refused("NUL byte", "a: b\0c\n", 7, -EBADMSG, "t:1: ");
}

static char *repeat(const char *unit, size_t n)
{
	size_t len = strlen(unit);
	char *text = malloc(n * len + 1);

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, unit, len);
	text[n * len] = '\0';
	return text;
}

static void test_depth(void **state)
{
	char text[2 * DOC_DEPTH_MAX + 3] = "";
	struct error e = {};
	struct doc *d;

	(void)state;
	for (int i = 0; i < DOC_DEPTH_MAX; i++)
		strcat(text, "[");
	for (int i = 0; i < DOC_DEPTH_MAX; i++)
		strcat(text, "]");
	expect_int("deepest", doc_parse("t", text, strlen(text), &d, &e), 0);
	doc_free(d);
	text[DOC_DEPTH_MAX] = '[';
	strcat(text, "]]");
	expect_refused("too deep", text, strlen(text), -EFBIG, "t:1: more than 32 levels");
}

static void test_a_million_brackets(void **state)
{
	char *text = repeat("[", 1000000);

	(void)state;
	expect_refused("brackets", text, 1000000, -EFBIG, "levels");
	free(text);
	text = repeat("- ", 1000000);
	expect_refused("dashes", text, 2000000, -EFBIG, "levels");
	free(text);
}

static void test_size(void **state)
{
	char *text = repeat("#", DOC_SIZE_MAX + 1);

	(void)state;
	expect_refused("one byte more", text, DOC_SIZE_MAX + 1, -EFBIG, "larger than 16777216");
	expect_refused("just", text, DOC_SIZE_MAX, -EBADMSG, "empty");
	free(text);
}

static void test_too_many_values(void **state)
{
	char *text = repeat("- 1\n", DOC_NODES_MAX + 1);

	(void)state;
	expect_refused("values", text, strlen(text), -EFBIG, "t:1048576: more than 1048576 values");
	free(text);
}

/* Keys are compared by sorting: a hundred thousand take no time, and the twice-given one is found. */
static void test_many_keys(void **state)
{
	enum { N = 100000 };
	char *text = malloc(N * 16), *end = text;
	struct error e = {};
	struct doc *d;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < N; i++)
		end += sprintf(end, "k%d: 1\n", i);
	expect_int("keys", doc_parse("t", text, end - text, &d, &e), 0);
	expect_int("children", d->n, N);
	doc_free(d);
	end += sprintf(end, "k77: 2\n");
	expect_refused("twice", text, end - text, -EBADMSG,
		       "t:100001: key \"k77\" is given twice, first in line 78");
	free(text);
}

static void test_find(void **state)
{
	const char *text = "a: 1\nb: {c: 2}\nd: [1]\n";
	struct error e = {};
	struct doc *d;

	(void)state;
	assert_int_equal(doc_parse("t", text, strlen(text), &d, &e), 0);
	expect_text("a", doc_find(d, "a")->text, "1");
	expect_text("b.c", doc_find(doc_find(d, "b"), "c")->text, "2");
	assert_null(doc_find(d, "c"));
	assert_null(doc_find(d, ""));
	assert_null(doc_find(doc_find(d, "d"), "1"));
	assert_null(doc_find(doc_find(d, "a"), "1"));
	doc_free(d);
	doc_free(NULL);
}

static void test_files(void **state)
{
	char dir[] = "/tmp/mirach-doc-XXXXXX", path[64];
	struct error e = {};
	struct doc *d = NULL;
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/doc.yaml", dir);
	expect_int("absent", doc_load(path, &d, &e), -ENOENT);
	expect_part("absent", e.text, "doc.yaml: cannot open: No such file or directory");
	expect_int("directory", doc_load(dir, &d, &e), -EISDIR);
	file = fopen(path, "w");
	for (int i = 0; i < 100000; i++)
		fprintf(file, "- %d\n", i);
	fclose(file);
	expect_int("file", doc_load(path, &d, &e), 0);
	expect_int("entries", d->n, 100000);
	expect_int("last line", d->last->line, 100000);
	doc_free(d);
	expect_int("too large", truncate(path, DOC_SIZE_MAX + 1), 0);
	expect_int("too large", doc_load(path, &d, &e), -EFBIG);
	unlink(path);
	rmdir(dir);
	expect_int("endless", doc_load("/dev/zero", &d, &e), -EFBIG);
}

/* Many documents, a part of the text at a time: the same ones, whatever the steps. */
static void test_reader_in_steps(void **state)
{
	static const char text[] = "a: 1\n---\n---\n[{b: 2}, {c: 3}]\n---\n~\n---\nd: {e: [4, 5]}\n";

	(void)state;
	for (unsigned int step = 1; step < 40; step++) {
		struct doc_reader *r;
		struct error e = {};
		unsigned int n = 0;
		struct doc *doc;
		int more;

		assert_int_equal(doc_reader_new("t", text, strlen(text), &r, &e), 0);
		do {
			unsigned int left = step;

			more = doc_reader_next(r, &left, &doc, &e);
			assert_true(more >= 0 && (doc || !more || !left));
			if (!doc)
				continue;
			assert_true(n < 3);
			assert_int_equal(doc->n, n == 1 ? 2 : 1);
			assert_int_equal(doc->kind, n == 1 ? DOC_LIST : DOC_MAP);
			doc_free(doc);
			n++;
		} while (more);
		assert_int_equal(n, 3);
		doc_reader_free(r);
	}
}

/* Left in the middle, nothing is kept; a fault is found where it is. */
static void test_reader_ends_early(void **state)
{
	static const char text[] = "a: {b: [1, 2]}\n---\nc: *d\n";
	unsigned int left = 6, all = 1000;
	struct doc_reader *r;
	struct error e = {};
	struct doc *doc;

	(void)state;
	assert_int_equal(doc_reader_new("t", text, strlen(text), &r, &e), 0);
	assert_int_equal(doc_reader_next(r, &left, &doc, &e), 1);
	assert_null(doc);
	doc_reader_free(r);
	assert_int_equal(doc_reader_new("t", text, strlen(text), &r, &e), 0);
	assert_int_equal(doc_reader_next(r, &all, &doc, &e), 1);
	assert_non_null(doc);
	doc_free(doc);
	assert_int_equal(doc_reader_next(r, &all, &doc, &e), -EBADMSG);
	expect_part("alias", e.text, "t:3: aliases");
	doc_reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_a_million_brackets),
		cmocka_unit_test(test_size),
		cmocka_unit_test(test_too_many_values),
		cmocka_unit_test(test_many_keys),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_reader_in_steps),
		cmocka_unit_test(test_reader_ends_early),
	};

	return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
