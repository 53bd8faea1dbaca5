/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_checkpoint.c - what was written is read; anything else is refused and touches nothing
 */
#include <agent/checkpoint.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include <selftests/unit/expect.h>

#define V1 "000102030405060708090a0b0c0d0e0f"
#define V2 "ffffffffffffffffffffffffffffffff"

struct seen {
	unsigned int objects, bindings;
	char ids[256];
};

static int see_object(const cJSON *o, void *arg, struct error *e)
{
	struct seen *s = arg;

	(void)e;
	s->objects++;
	strcat(s->ids, cJSON_GetObjectItemCaseSensitive(o, "id")->valuestring);
	strcat(s->ids, " ");
	return 0;
}

static int see_binding(const cJSON *b, void *arg, struct error *e)
{
	struct seen *s = arg;

	(void)b, (void)e;
	s->bindings++;
	return 0;
}

static void begin(struct checkpoint_text *t)
{
	cJSON *binding = cJSON_Parse("{\"instance\":\"acme.web-1\",\"device\":\"tap3\"}");

	checkpoint_begin(t, "host-a", 1234);
	checkpoint_object(t, "network/acme.web", V1, "{\"vni\":100}");
	checkpoint_object(t, "vport/acme.web-1", V2, "{}");
	checkpoint_binding(t, binding);
	cJSON_Delete(binding);
}

static void make(struct checkpoint_text *t)
{
	begin(t);
	assert_int_equal(checkpoint_end(t), 0);
}

static int parse(const char *text, size_t len, const char *host, struct seen *s, struct error *e)
{
	const struct checkpoint_reader r = { see_object, see_binding, s };
	uint64_t revision = 0;
	int err;

	*s = (struct seen){};
	err = checkpoint_parse("cp", text, len, host, &r, &revision, e);
	if (!err)
		assert_int_equal(revision, 1234);
	return err;
}

static void test_round_trip(void **state)
{
	struct checkpoint_text t;
	struct seen s;

	(void)state;
	make(&t);
	assert_int_equal(parse(t.buf, t.len, "host-a", &s, NULL), 0);
	assert_int_equal(s.objects, 2);
	assert_int_equal(s.bindings, 1);
	expect_text("ids", s.ids, "network/acme.web vport/acme.web-1 ");
	checkpoint_text_done(&t);
}

/* Cut anywhere, or with any byte changed, nothing of it is used. */
static void test_broken_anywhere(void **state)
{
	struct checkpoint_text t;
	struct error e;
	struct seen s;

	(void)state;
	make(&t);
	for (size_t len = 0; len < t.len; len++) {
		assert_true(parse(t.buf, len, "host-a", &s, &e) < 0);
		assert_int_equal(s.objects + s.bindings, 0);
	}
	for (size_t i = 0; i < t.len; i++) {
		t.buf[i] ^= 1;
		if (parse(t.buf, t.len, "host-a", &s, &e) >= 0)
			fail_msg("byte %zu changed and it was taken", i);
		assert_int_equal(s.objects + s.bindings, 0);
		t.buf[i] ^= 1;
	}
	checkpoint_text_done(&t);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *text, *why;
		int err;
	} cases[] = {
		{"", "cp: is no checkpoint of Mirach", -EBADMSG},
		{"hello\n", "cp: is no checkpoint of Mirach", -EBADMSG},
		{"{\"mirach\":\"checkpoint\",\"version\":2,\"host\":\"host-a\",\"revision\":1}\n",
		 "cp: has version 2, written by a later mirachd; this one reads up to 1", -ENOTSUP},
		{"{\"mirach\":\"checkpoint\",\"version\":1,\"host\":\"host-b\",\"revision\":1}\n",
		 "cp: is of host host-b, and this is host-a", -EXDEV},
		{"{\"mirach\":\"checkpoint\",\"version\":1,\"host\":\"host-a\",\"revision\":1}\n",
		 "cp: is cut short", -EBADMSG},
		{"{\"mirach\":\"checkpoint\",\"version\":1,\"host\":\"host-a\",\"revision\":1}\n"
		 "{\"lines\":1,\"xxh3\":\"" V1 "\"}\n",
		 "cp: is damaged: its checksum is not that of its lines", -EBADMSG},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error e = {};
		struct seen s;

		expect_int(cases[i].why,
			   parse(cases[i].text, strlen(cases[i].text), "host-a", &s, &e),
			   cases[i].err);
		expect_text("reason", e.text, cases[i].why);
	}
}

/* The writer. */

struct outcome {
	struct event_base *base;
	struct error e;
	bool there;
};

static void on_written(const struct error *e, uint64_t took_ns, void *arg)
{
	struct outcome *o = arg;

	(void)took_ns;
	o->e = *e;
	o->there = true;
	event_base_loopbreak(o->base);
}

static void write_one(struct checkpoint_writer *w, struct outcome *o)
{
	struct checkpoint_text t;

	begin(&t);
	o->there = false;
	checkpoint_write(w, &t, NULL, NULL);
	assert_true(checkpoint_writer_busy(w));
	while (!o->there)
		event_base_dispatch(o->base);
	assert_false(checkpoint_writer_busy(w));
}

static int load(const char *path, struct seen *s, struct error *e)
{
	const struct checkpoint_reader r = { see_object, see_binding, s };
	uint64_t revision;

	*s = (struct seen){};
	return checkpoint_load(path, "host-a", &r, &revision, e);
}

/* No room: the file before it stays whole, and the next attempt may succeed. */
static void test_writer(void **state)
{
	const struct rlimit tiny = { 16, RLIM_INFINITY };
	char dir[] = "/tmp/mirach-test-XXXXXX", path[128], aside[160];
	struct outcome o = { .base = event_base_new() };
	struct checkpoint_writer *w;
	struct rlimit before;
	struct error e = {};
	struct seen s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state/checkpoint", dir);
	assert_int_equal(load(path, &s, &e), -ENOENT);
	assert_int_equal(checkpoint_writer_new(o.base, path, on_written, &o, &w, &e), 0);
	write_one(w, &o);
	expect_text("written", o.e.text, "");
	assert_int_equal(load(path, &s, &e), 0);
	assert_int_equal(s.objects, 2);

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	setrlimit(RLIMIT_FSIZE, &tiny);
	write_one(w, &o);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(o.e.err, -EFBIG);
	expect_part("no room", o.e.text, "cannot write");
	assert_int_equal(load(path, &s, &e), 0);
	write_one(w, &o);
	assert_int_equal(o.e.err, 0);

	checkpoint_set_aside(path);
	assert_int_equal(load(path, &s, &e), -ENOENT);
	snprintf(aside, sizeof(aside), "%s.refused", path);
	assert_int_equal(load(aside, &s, &e), 0);
	checkpoint_writer_free(w);
	event_base_free(o.base);
	unlink(aside);
	snprintf(aside, sizeof(aside), "%s/state", dir);
	rmdir(aside);
	assert_int_equal(rmdir(dir), 0);		/* nothing else was left */
}

#define MANY 20000u

static bool one_of_many(struct checkpoint_text *t, void *arg)
{
	unsigned int *made = arg;
	char id[64];

	if (*made == MANY)
		return false;
	snprintf(id, sizeof(id), "endpoint/acme.web/2001:db8::%x", (*made)++);
	checkpoint_object(t, id, V1, "{\"network\":\"acme.web\",\"address\":\"2001:db8::1\"}");
	return true;
}

static int count_object(const cJSON *json, void *arg, struct error *e)
{
	(void)json, (void)e;
	++*(unsigned int *)arg;
	return 0;
}

/* More than is held in memory at once: the digest is over all of it. */
static void test_made_in_pieces(void **state)
{
	char dir[] = "/tmp/mirach-test-XXXXXX", path[128];
	struct outcome o = { .base = event_base_new() };
	unsigned int made = 0, seen = 0;
	const struct checkpoint_reader r = { count_object, see_binding, &seen };
	struct checkpoint_writer *w;
	struct checkpoint_text t;
	struct error e = {};
	uint64_t revision;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/checkpoint", dir);
	assert_int_equal(checkpoint_writer_new(o.base, path, on_written, &o, &w, &e), 0);
	checkpoint_begin(&t, "host-a", 7);
	checkpoint_write(w, &t, one_of_many, &made);
	while (!o.there)
		event_base_dispatch(o.base);
	expect_text("written", o.e.text, "");
	assert_int_equal(checkpoint_load(path, "host-a", &r, &revision, &e), 0);
	assert_int_equal(seen, MANY);
	assert_int_equal(revision, 7);
	checkpoint_writer_free(w);
	event_base_free(o.base);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

/* A text handed over is on disk when the writer has gone. */
static void test_last_words(void **state)
{
	char dir[] = "/tmp/mirach-test-XXXXXX", path[128];
	struct outcome o = { .base = event_base_new() };
	struct checkpoint_writer *w;
	struct checkpoint_text t;
	struct error e = {};
	struct seen s;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/checkpoint", dir);
	assert_int_equal(checkpoint_writer_new(o.base, path, on_written, &o, &w, &e), 0);
	begin(&t);
	checkpoint_write(w, &t, NULL, NULL);
	checkpoint_writer_free(w);
	assert_int_equal(load(path, &s, &e), 0);
	event_base_free(o.base);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_broken_anywhere),
		cmocka_unit_test(test_refusals),   cmocka_unit_test(test_writer),
		cmocka_unit_test(test_made_in_pieces),
		cmocka_unit_test(test_last_words),
	};

	return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
