// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_msg.c - the host protocol's frames and messages: whole, cut, broken, too large
 */
#include <lib/msg.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include <selftests/unit/expect.h>

static cJSON *parse(const char *text)
{
	cJSON *o = cJSON_Parse(text);

	assert_non_null(o);
	return o;
}

/* Every cut of two frames gives the same two messages. */
static void test_cuts(void **state)
{
	struct evbuffer *whole = evbuffer_new(), *in = evbuffer_new();
	unsigned char bytes[256];
	size_t len;

	(void)state;
	assert_int_equal(msg_send(whole, msg_ping(1)), 0);
	assert_int_equal(msg_send(whole, msg_error("no")), 0);
	len = evbuffer_remove(whole, bytes, sizeof(bytes));
	for (size_t cut = 0; cut <= len; cut++) {
		unsigned int n = 0;
		cJSON *msg;

		evbuffer_add(in, bytes, cut);
		while (msg_take(in, &msg, NULL) == 1) {
			n++;
			cJSON_Delete(msg);
		}
		evbuffer_add(in, bytes + cut, len - cut);
		while (msg_take(in, &msg, NULL) == 1) {
			assert_int_equal(msg_kind(msg), n++ ? MSG_ERROR : MSG_PING);
			cJSON_Delete(msg);
		}
		assert_int_equal(n, 2);
		assert_int_equal(evbuffer_get_length(in), 0);
	}
	evbuffer_free(whole);
	evbuffer_free(in);
}

static void refuse_frame(const void *bytes, size_t len, const char *says)
{
	struct evbuffer *in = evbuffer_new();
	struct error e = {};
	cJSON *msg = NULL;

	evbuffer_add(in, bytes, len);
	assert_int_equal(msg_take(in, &msg, &e), -EBADMSG);
	assert_non_null(strstr(e.text, says));
	assert_null(msg);
	evbuffer_free(in);
}

static void test_broken_frames(void **state)
{
	(void)state;
	refuse_frame("\0\0\0\0", 4, "no bytes");
	refuse_frame("\0\x10\0\x01", 4, "the most is 1048576");
	refuse_frame("GET / HTTP/1.1", 14, "the most is");
	refuse_frame("\0\0\0\x02{]", 6, "not JSON");
	refuse_frame("\0\0\0\x02[]", 6, "\"msg\"");
	refuse_frame("\0\0\0\x09{\"msg\":1}", 13, "\"msg\"");
	refuse_frame("\0\0\0\x05{} {}", 9, "after the JSON value");
}

static void test_round_trip(void **state)
{
	struct msg_hello h = { .host = "host-a", .agent = "0.1", .digest = { 1, 2 }, .count = 3 }, h2;
	struct msg_query q = { .n = 2, .bucket = { 3, 255 } }, q2;
	struct msg_ack a = { .seq = 7, .revision = 9, .digest = { 5, 6 }, .error = "no such device" }, a2;
	struct msg_usage_pair p = { "t.n", "10.0.0.1", "10.0.0.2", 30000, false }, p2;
	const cJSON *pairs;
	cJSON *m;

	(void)state;
	m = msg_hello(&h);
	assert_int_equal(msg_read_hello(m, &h2, NULL), 0);
	assert_true(h2.speaks_ours && digest_equal(&h.digest, &h2.digest) && h2.count == 3);
	assert_string_equal(h2.host, "host-a");
	cJSON_Delete(m);
	m = msg_query(&q);
	assert_int_equal(msg_read_query(m, &q2, NULL), 0);
	assert_true(!q2.buckets && q2.n == 2 && q2.bucket[1] == 255);
	cJSON_Delete(m);
	m = msg_ack(&a);
	assert_int_equal(msg_read_ack(m, &a2, NULL), 0);
	assert_true(a2.seq == 7 && a2.revision == 9);
	assert_string_equal(a2.error, a.error);
	cJSON_Delete(m);
	m = msg_usage();
	assert_int_equal(msg_usage_add(m, &p), 0);
	assert_int_equal(msg_read_usage(m, &pairs, NULL), 0);
	msg_usage_pair(pairs->child, &p2);
	assert_true(p2.bps == 30000 && !p2.direct);
	cJSON_Delete(m);
}

/* Every row is refused by the reader of its kind, with a word about the field. */
static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{\"msg\":\"hello\"}", "versions" },
		{ "{\"msg\":\"hello\",\"versions\":[1],\"host\":\"\"}", "host" },
		{ "{\"msg\":\"hello\",\"versions\":[1],\"host\":\"a\\nb\"}", "host" },
		{ "{\"msg\":\"hello\",\"versions\":[1],\"host\":\"a\",\"digest\":\"zz\"}", "digest" },
		{ "{\"msg\":\"hello\",\"versions\":[1],\"host\":\"a\",\"digest\":\"00000000000000000000000000000000\",\"count\":-1}", "count" },
		{ "{\"msg\":\"ack\",\"seq\":1.5}", "seq" },
		{ "{\"msg\":\"ack\",\"seq\":1e300}", "seq" },
		{ "{\"msg\":\"query\",\"what\":\"all\"}", "what" },
		{ "{\"msg\":\"query\",\"what\":\"bucket\",\"buckets\":[256]}", "buckets" },
		{ "{\"msg\":\"query\",\"what\":\"bucket\",\"buckets\":[-1]}", "buckets" },
		{ "{\"msg\":\"buckets\",\"digests\":[]}", "digests" },
		{ "{\"msg\":\"objects\",\"bucket\":1,\"have\":{\"nokind\":\"\"}}", "have" },
		{ "{\"msg\":\"update\",\"seq\":1,\"revision\":1,\"set\":[{\"id\":\"a/b\",\"v\":\"1\"}]}", "v" },
		{ "{\"msg\":\"update\",\"seq\":1,\"revision\":1,\"del\":[\"x\"]}", "del" },
		{ "{\"msg\":\"report\",\"vports\":[{\"id\":\"\"}]}", "id" },
		{ "{\"msg\":\"usage\",\"pairs\":[{\"network\":\"a\",\"src\":\"b\",\"dst\":\"c\",\"bps\":1,\"via\":\"?\"}]}", "via" },
		{ "{\"msg\":\"bind\",\"device\":\"tap0\"}", "instance" },
		{ "{\"msg\":\"ping\"}", "n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct digest buckets[OBJSET_BUCKETS];
		union {
			struct msg_hello hello;
			struct msg_query query;
			struct msg_objects objects;
			struct msg_update update;
			struct msg_ack ack;
			struct msg_bind bind;
			const cJSON *list;
			uint64_t n;
		} u;
		cJSON *m = parse(rows[i].text);
		struct error e = {};
		int err = 0;

		switch (msg_kind(m)) {
		case MSG_HELLO: err = msg_read_hello(m, &u.hello, &e); break;
		case MSG_QUERY: err = msg_read_query(m, &u.query, &e); break;
		case MSG_BUCKETS: err = msg_read_buckets(m, buckets, &e); break;
		case MSG_OBJECTS: err = msg_read_objects(m, &u.objects, &e); break;
		case MSG_UPDATE: err = msg_read_update(m, &u.update, &e); break;
		case MSG_ACK: err = msg_read_ack(m, &u.ack, &e); break;
		case MSG_REPORT: err = msg_read_report(m, &u.list, &e); break;
		case MSG_USAGE: err = msg_read_usage(m, &u.list, &e); break;
		case MSG_BIND: err = msg_read_bind(m, &u.bind, &e); break;
		case MSG_PING: err = msg_read_ping(m, &u.n, &e); break;
		default: fail_msg("no reader for %s", rows[i].text);
		}
		if (err != -EBADMSG || !strstr(e.text, rows[i].says))
			fail_msg("%s: %d %s", rows[i].text, err, e.text);
		cJSON_Delete(m);
	}
}

static void test_unknown_fields(void **state)
{
	cJSON *m = parse("{\"msg\":\"ping\",\"n\":4,\"later\":{\"deep\":[1,2]}}"), *o;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(msg_read_ping(m, &n, NULL), 0);
	assert_int_equal(n, 4);
	cJSON_Delete(m);
	o = parse("{\"msg\":\"migrate\"}");
	assert_int_equal(msg_kind(o), MSG_OTHER);
	cJSON_Delete(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_broken_frames),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_unknown_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
