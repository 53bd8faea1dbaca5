/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_transaction.c - frames become a transaction; bad objects spoil it, bad frames end it
 */
#include <agent/transaction.h>

#include <errno.h>

#include <selftests/unit/expect.h>

#define V "000102030405060708090a0b0c0d0e0f"
#define OBJECT(id) "{\"id\":\"" id "\",\"v\":\"" V "\",\"spec\":{}}"

static int add(struct transaction **t, const char *frame, struct error *e)
{
	cJSON *json = cJSON_Parse(frame);
	int err;

	assert_non_null(json);
	*e = (struct error){};
	err = transaction_add(t, json, e);
	cJSON_Delete(json);
	return err;
}

static void test_several_frames(void **state)
{
	struct transaction *t = NULL;
	struct error e;

	(void)state;
	assert_int_equal(add(&t, "{\"seq\":7,\"revision\":9,\"set\":[" OBJECT("network/a.b") "],"
				 "\"more\":true,\"later\":[1]}", &e), 0);
	assert_false(t->whole);
	assert_int_equal(add(&t, "{\"seq\":7,\"revision\":9,\"del\":[\"vport/a.c\"],\"set\":["
				 OBJECT("vport/a.d") "]}", &e), 0);
	assert_true(t->whole);
	expect_int("steps", t->n_steps, 3);
	expect_text("first", t->steps[0].set->id, "network/a.b");
	expect_text("second", t->steps[1].del, "vport/a.c");
	expect_text("third", t->steps[2].set->id, "vport/a.d");
	expect_int("good", t->bad.err, 0);
	transaction_free(t);
}

static void test_empty(void **state)
{
	struct transaction *t = NULL;
	struct error e;

	(void)state;
	assert_int_equal(add(&t, "{\"seq\":1,\"revision\":0}", &e), 0);
	assert_true(t->whole);
	expect_int("steps", t->n_steps, 0);
	transaction_free(t);
}

/* The first bad object is told; the rest is read, so that the stream stays in step. */
static void test_spoiled(void **state)
{
	struct transaction *t = NULL;
	struct error e;

	(void)state;
	assert_int_equal(add(&t, "{\"seq\":1,\"revision\":2,\"set\":[" OBJECT("network/a.b")
				 ",{\"id\":\"vport/a.c\",\"v\":\"zz\",\"spec\":{}},5],\"del\":[3],"
				 "\"more\":true}", &e), 0);
	expect_text("why", t->bad.text, "what is to be removed has no proper id");
	expect_text("whose", t->bad_id, "");
	assert_int_equal(add(&t, "{\"seq\":1,\"revision\":2}", &e), 0);
	assert_true(t->whole);
	transaction_free(t);
	t = NULL;
	assert_int_equal(add(&t, "{\"seq\":2,\"revision\":2,\"set\":["
				 "{\"id\":\"vport/a.c\",\"v\":\"zz\",\"spec\":{}}]}", &e), 0);
	expect_text("why", t->bad.text, "vport/a.c: v is not 32 hex digits");
	expect_text("whose", t->bad_id, "vport/a.c");
	transaction_free(t);
}

static void test_bad_frames(void **state)
{
	static const char *const frames[] = {
		"{}",
		"[]",
		"{\"seq\":1}",
		"{\"seq\":-1,\"revision\":1}",
		"{\"seq\":1.5,\"revision\":1}",
		"{\"seq\":\"1\",\"revision\":1}",
		"{\"seq\":1,\"revision\":9007199254740993}",
		"{\"seq\":1,\"revision\":1,\"set\":{}}",
		"{\"seq\":1,\"revision\":1,\"del\":\"vport/a.b\"}",
		"{\"seq\":1,\"revision\":1,\"more\":\"yes\"}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(frames); i++) {
		struct transaction *t = NULL;
		struct error e;

		expect_int(frames[i], add(&t, frames[i], &e), -EBADMSG);
		assert_null(t);
	}
}

static void test_older_in_between(void **state)
{
	struct transaction *t = NULL;
	struct error e;

	(void)state;
	assert_int_equal(add(&t, "{\"seq\":7,\"revision\":9,\"more\":true}", &e), 0);
	assert_int_equal(add(&t, "{\"seq\":6,\"revision\":9}", &e), -EBADMSG);
	expect_text("why", e.text, "update 6 in the middle of update 7");
	expect_int("still there", t->seq, 7);
	assert_int_equal(add(&t, "{\"seq\":7,\"revision\":10}", &e), -EBADMSG);
	expect_int("still there", t->seq, 7);
	transaction_free(t);
}

/* Its leader died; nothing of what it had begun is left, not even what was wrong with it. */
static void test_unfinished(void **state)
{
	struct transaction *t = NULL;
	struct error e;

	(void)state;
	assert_int_equal(add(&t, "{\"seq\":7,\"revision\":9,\"set\":[" OBJECT("network/a.b")
				 ",{\"id\":\"vport/a.c\",\"v\":\"zz\",\"spec\":{}}],\"more\":true}", &e), 0);
	assert_int_equal(t->bad.err, -EBADMSG);
	assert_int_equal(add(&t, "{\"seq\":8,\"revision\":8,\"set\":[" OBJECT("vport/a.d") "]}", &e), 0);
	assert_true(t->whole);
	expect_int("number", t->seq, 8);
	expect_int("its own steps", t->n_steps, 1);
	expect_text("its own object", t->steps[0].set->id, "vport/a.d");
	expect_int("good", t->bad.err, 0);
	transaction_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_several_frames), cmocka_unit_test(test_empty),
		cmocka_unit_test(test_spoiled),	       cmocka_unit_test(test_bad_frames),
		cmocka_unit_test(test_older_in_between), cmocka_unit_test(test_unfinished),
	};

	return cmocka_run_group_tests_name("transaction", tests, NULL, NULL);
}
