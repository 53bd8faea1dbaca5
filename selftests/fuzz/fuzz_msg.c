// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_msg.c - the host protocol's stream, and every message in it to every reader
 *
 * The input is what a peer sent. Whatever comes out whole goes to the readers of all
 * messages, not only of its own: each hands out checked fields or says what is wrong.
 */
#include <errno.h>
#include <string.h>

#include <event2/buffer.h>

#include <lib/msg.h>
#include <selftests/fuzz/fuzz.h>

static void check(int err, const struct error *e)
{
	FUZZ_CHECK(!err || (err == -EBADMSG && *e->text));
}

static void read_lists(const cJSON *m)
{
	const cJSON *list, *item;
	struct msg_usage_pair pair;
	struct msg_vport vport;
	struct error e = {};
	int err = msg_read_report(m, &list, &e);

	check(err, &e);
	if (!err)
		cJSON_ArrayForEach(item, list) {
			msg_vport(item, &vport);
			FUZZ_CHECK(strlen(vport.id) <= MSG_ID_MAX);
		}
	err = msg_read_usage(m, &list, &e);
	check(err, &e);
	if (!err)
		cJSON_ArrayForEach(item, list) {
			msg_usage_pair(item, &pair);
			FUZZ_CHECK(*pair.src && strlen(pair.src) <= MSG_NAME_MAX);
		}
}

static void read_all(const cJSON *m)
{
	struct digest buckets[OBJSET_BUCKETS];
	struct msg_objects objects;
	struct msg_welcome welcome;
	struct msg_update update;
	struct msg_hello hello;
	struct msg_query query;
	struct msg_bound bound;
	struct msg_bind bind;
	struct msg_ack ack;
	struct error e = {};
	uint64_t n;
	int err = msg_read_hello(m, &hello, &e);

	check(err, &e);
	FUZZ_CHECK(err || (*hello.host && strlen(hello.host) <= MSG_NAME_MAX));
	check(msg_read_welcome(m, &welcome, &e), &e);
	err = msg_read_query(m, &query, &e);
	check(err, &e);
	FUZZ_CHECK(err || query.n <= OBJSET_BUCKETS);
	check(msg_read_buckets(m, buckets, &e), &e);
	check(msg_read_objects(m, &objects, &e), &e);
	check(msg_read_update(m, &update, &e), &e);
	err = msg_read_ack(m, &ack, &e);
	check(err, &e);
	FUZZ_CHECK(err || !ack.error || strlen(ack.error) <= MSG_TEXT_MAX);
	check(msg_read_bind(m, &bind, &e), &e);
	check(msg_read_bound(m, &bound, &e), &e);
	check(msg_read_ping(m, &n, &e), &e);
	FUZZ_CHECK(strlen(msg_error_text(m)) <= MSG_TEXT_MAX);
	FUZZ_CHECK(*msg_kind_name(msg_kind(m)));
	read_lists(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *in = evbuffer_new();
	struct error e = {};
	cJSON *m;
	int n;

	FUZZ_CHECK(in && !evbuffer_add(in, data, size));
	while ((n = msg_take(in, &m, &e)) == 1) {
		read_all(m);
		cJSON_Delete(m);
	}
	FUZZ_CHECK(!n || *e.text);
	evbuffer_free(in);
	return 0;
}
