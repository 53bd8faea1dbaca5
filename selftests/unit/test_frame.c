// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_frame.c - messages on a stream, whole, in pieces, and broken
 */
#include <lib/frame.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <selftests/unit/expect.h>

/* Four bytes of length and @text behind them, appended to @to. Returns the bytes added. */
static size_t put_frame(unsigned char *to, const char *text)
{
	size_t len = strlen(text);

	to[0] = len >> 24;
	to[1] = len >> 16;
	to[2] = len >> 8;
	to[3] = len;
	memcpy(to + 4, text, len);
	return 4 + len;
}

static void expect_message(const char *of, const cJSON *msg, const char *expected)
{
	char *text = cJSON_PrintUnformatted(msg);

	expect_text(of, text, expected);
	free(text);
}

static void expect_next(struct frame_decoder *d, const char *expected)
{
	struct error e = {};
	cJSON *msg = NULL;

	expect_int(expected, frame_decoder_next(d, &msg, &e), 1);
	expect_message(expected, msg, expected);
	cJSON_Delete(msg);
}

static void expect_nothing(struct frame_decoder *d)
{
	struct error e = {};
	cJSON *msg = NULL;

	expect_int("nothing yet", frame_decoder_next(d, &msg, &e), 0);
	assert_null(msg);
}

/* The stream of three messages, cut into pieces of every size. */
static void test_every_cut(void **state)
{
	static const char *const texts[] = {"{\"op\":\"status\"}", "[]", "{\"a\":[1,\"]\",{}]}"};
	unsigned char stream[128];
	size_t len = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++)
		len += put_frame(stream + len, texts[i]);
	for (size_t piece = 1; piece <= len; piece++) {
		struct frame_decoder d;
		size_t got = 0;
		cJSON *msg;

		frame_decoder_init(&d);
		for (size_t at = 0; at < len; at += piece) {
			size_t n = len - at < piece ? len - at : piece;

			expect_int("feed", frame_decoder_feed(&d, stream + at, n, NULL), 0);
			while (frame_decoder_next(&d, &msg, NULL) == 1) {
				expect_message("cut", msg, texts[got++]);
				cJSON_Delete(msg);
			}
		}
		expect_int("messages", got, COUNT(texts));
		expect_nothing(&d);
		frame_decoder_done(&d);
	}
}

static void test_blanks_around(void **state)
{
	unsigned char stream[64];
	struct frame_decoder d;

	(void)state;
	frame_decoder_init(&d);
	frame_decoder_feed(&d, stream, put_frame(stream, " \t\r\n{\"a\":1}\n"), NULL);
	expect_next(&d, "{\"a\":1}");
	frame_decoder_done(&d);
}

static void expect_refused(const char *of, const void *bytes, size_t len, const char *why)
{
	struct error e = {};
	struct frame_decoder d;
	cJSON *msg = NULL;
	int err;

	frame_decoder_init(&d);
	err = frame_decoder_feed(&d, bytes, len, &e);
	if (!err)
		err = frame_decoder_next(&d, &msg, &e);
	expect_int(of, err, -EBADMSG);
	expect_part(of, e.text, why);
	assert_null(msg);
	expect_int("still refused", frame_decoder_next(&d, &msg, &e), -EBADMSG);
	frame_decoder_done(&d);
}

static void test_lengths_refused(void **state)
{
	(void)state;
	expect_refused("zero", "\0\0\0\0", 4, "no bytes");
	expect_refused("one too many", "\x01\0\0\x01", 4, "16777217 bytes, the most is 16777216");
	expect_refused("4 GiB", "\xff\xff\xff\xff", 4, "4294967295");
	expect_refused("text", "GET / HTTP/1.1\r\n", 16, "1195725856");
}

static void test_json_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"x", "not JSON"}, {"{", "not JSON"}, {"{\"a\"}", "not JSON"}, {" ", "not JSON"},
		{"\"open", "not JSON"}, {"{\"a\":\"\\", "not JSON"}, {"nul", "not JSON"},
		{"[1,2", "not JSON"}, {"\"\\u12\"", "not JSON"},
		{"{} {}", "after the JSON value"}, {"{}x", "after the JSON value"},
		{"1 2", "after the JSON value"},
	};
	unsigned char stream[64];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_refused(cases[i].text, stream, put_frame(stream, cases[i].text),
			       cases[i].why);
	expect_refused("NUL behind", "\0\0\0\3{}\0", 7, "after the JSON value");
	expect_refused("NUL alone", "\0\0\0\1\0", 5, "not JSON");
}

/* @depth brackets deep, a string full of brackets in the middle. */
static size_t nested(char *to, unsigned int depth)
{
	return sprintf(to, "%.*s\"[[[[[[\\\"[[[[\"%.*s", depth,
		       "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", depth,
		       "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]");
}

static void test_depth(void **state)
{
	unsigned char stream[256];
	struct frame_decoder d;
	char text[200];

	(void)state;
	nested(text, FRAME_DEPTH_MAX);
	frame_decoder_init(&d);
	frame_decoder_feed(&d, stream, put_frame(stream, text), NULL);
	expect_next(&d, text);
	frame_decoder_done(&d);
	nested(text, FRAME_DEPTH_MAX + 1);
	expect_refused("too deep", stream, put_frame(stream, text), "deeper than 64");
}

/* Four bytes that announce much must cost little. */
static void test_memory_follows_what_arrived(void **state)
{
	struct frame_decoder d;

	(void)state;
	frame_decoder_init(&d);
	expect_int("feed", frame_decoder_feed(&d, "\x01\0\0\0", 4, NULL), 0);
	expect_nothing(&d);
	assert_in_range(d.cap, 4, 4096);
	frame_decoder_done(&d);
}

static void test_the_largest(void **state)
{
	size_t len = 4 + FRAME_MAX, at = 0;
	unsigned char *bytes = malloc(len);
	struct frame_decoder d;
	cJSON *msg;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', len);
	memcpy(bytes, "\x01\0\0\0\"", 5);
	bytes[len - 1] = '"';
	frame_decoder_init(&d);
	for (; at + 65536 < len; at += 65536) {
		expect_int("feed", frame_decoder_feed(&d, bytes + at, 65536, NULL), 0);
		expect_nothing(&d);
	}
	expect_int("feed", frame_decoder_feed(&d, bytes + at, len - at, NULL), 0);
	expect_int("next", frame_decoder_next(&d, &msg, NULL), 1);
	expect_int("length", strlen(msg->valuestring), FRAME_MAX - 2);
	cJSON_Delete(msg);
	frame_decoder_done(&d);
	free(bytes);
}

/* Who feeds without taking is stopped. */
static void test_untaken_messages_are_bounded(void **state)
{
	static unsigned char chunk[1 << 20];
	struct error e = {};
	struct frame_decoder d;
	int err = 0, n;

	(void)state;
	memset(chunk, 0, sizeof(chunk));
	chunk[0] = 1;			/* a message of 16 MiB, and more behind it */
	frame_decoder_init(&d);
	for (n = 0; n < 64 && !err; n++)
		err = frame_decoder_feed(&d, chunk, sizeof(chunk), &e);
	expect_int("feed", err, -ENOBUFS);
	expect_int("MiB", n, 33);
	frame_decoder_done(&d);
}

/* Many small messages in one feed leave in time that grows with their number only. */
static void test_many_messages_at_once(void **state)
{
	enum { N = 200000 };
	unsigned char *stream = malloc(N * 6);
	struct frame_decoder d;
	cJSON *msg;

	(void)state;
	assert_non_null(stream);
	for (int i = 0; i < N; i++)
		put_frame(stream + i * 6, "[]");
	frame_decoder_init(&d);
	expect_int("feed", frame_decoder_feed(&d, stream, N * 6, NULL), 0);
	for (int i = 0; i < N; i++) {
		if (frame_decoder_next(&d, &msg, NULL) != 1)
			fail_msg("message %d of %d is missing", i, N);
		cJSON_Delete(msg);
	}
	expect_nothing(&d);
	frame_decoder_done(&d);
	free(stream);
}

static void test_encode(void **state)
{
	cJSON *msg = cJSON_CreateObject();
	unsigned char *bytes;
	size_t len;

	(void)state;
	cJSON_AddStringToObject(msg, "op", "flow.list");
	assert_int_equal(frame_encode(msg, &bytes, &len), 0);
	expect_int("length", len, 4 + 18);
	assert_memory_equal(bytes, "\0\0\0\x12{\"op\":\"flow.list\"}", len);
	free(bytes);
	cJSON_Delete(msg);
}

static void test_encode_too_large(void **state)
{
	char *text = malloc(FRAME_MAX + 1);
	unsigned char *bytes = NULL;
	size_t len;
	cJSON *msg;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', FRAME_MAX);
	text[FRAME_MAX] = '\0';
	msg = cJSON_CreateStringReference(text);
	expect_int("encode", frame_encode(msg, &bytes, &len), -EMSGSIZE);
	assert_null(bytes);
	cJSON_Delete(msg);
	free(text);
}

static void make_pair(int fds[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
}

static void test_write_and_read(void **state)
{
	cJSON *msg = cJSON_Parse("{\"op\":\"status\",\"args\":{}}"), *got = NULL;
	struct error e = {};
	int fds[2];

	(void)state;
	make_pair(fds);
	expect_int(e.text, frame_write(fds[0], msg, &e), 0);
	expect_int(e.text, frame_write(fds[0], msg, &e), 0);
	for (int i = 0; i < 2; i++) {
		expect_int(e.text, frame_read(fds[1], &got, 1000, &e), 0);
		expect_message("read", got, "{\"op\":\"status\",\"args\":{}}");
		cJSON_Delete(got);
	}
	expect_int("no third", frame_read(fds[1], &got, 20, &e), -ETIMEDOUT);
	cJSON_Delete(msg);
	close(fds[0]);
	close(fds[1]);
}

static void *write_large(void *arg)
{
	char *text = malloc(4 << 20);
	cJSON *msg;
	intptr_t err;

	memset(text, 'y', (4 << 20) - 1);
	text[(4 << 20) - 1] = '\0';
	msg = cJSON_CreateStringReference(text);
	err = frame_write(*(int *)arg, msg, NULL);
	cJSON_Delete(msg);
	free(text);
	return (void *)err;
}

/* Far more than a socket takes at once, from a socket that does not block. */
static void test_large_over_nonblocking(void **state)
{
	struct error e = {};
	pthread_t writer;
	cJSON *got;
	void *err;
	int fds[2];

	(void)state;
	make_pair(fds);
	for (int i = 0; i < 2; i++)
		fcntl(fds[i], F_SETFL, O_NONBLOCK);
	pthread_create(&writer, NULL, write_large, &fds[0]);
	expect_int(e.text, frame_read(fds[1], &got, 10000, &e), 0);
	pthread_join(writer, &err);
	expect_int("write", (intptr_t)err, 0);
	expect_int("length", strlen(got->valuestring), (4 << 20) - 1);
	cJSON_Delete(got);
	close(fds[0]);
	close(fds[1]);
}

static void expect_read(const char *of, const void *bytes, size_t len, bool hang_up, int expected)
{
	struct error e = {};
	cJSON *got = NULL;
	int fds[2];

	make_pair(fds);
	expect_int(of, send(fds[0], bytes, len, 0), len);
	if (hang_up)
		shutdown(fds[0], SHUT_WR);
	expect_int(of, frame_read(fds[1], &got, 30, &e), expected);
	assert_true(*e.text);
	assert_null(got);
	close(fds[0]);
	close(fds[1]);
}

static void test_read_failures(void **state)
{
	(void)state;
	expect_read("closed at once", "", 0, true, -ECONNRESET);
	expect_read("closed in the header", "\0\0", 2, true, -ECONNRESET);
	expect_read("closed in the body", "\0\0\0\2[", 5, true, -ECONNRESET);
	expect_read("silent", "", 0, false, -ETIMEDOUT);
	expect_read("silent in the header", "\0", 1, false, -ETIMEDOUT);
	expect_read("silent in the body", "\0\0\0\2[", 5, false, -ETIMEDOUT);
	expect_read("too long", "\xff\0\0\0", 4, false, -EBADMSG);
	expect_read("not JSON", "\0\0\0\1x", 5, false, -EBADMSG);
}

static void test_write_failures(void **state)
{
	cJSON *msg = cJSON_CreateTrue();
	struct error e = {};
	int fds[2];

	(void)state;
	make_pair(fds);
	close(fds[1]);
	expect_int("peer gone", frame_write(fds[0], msg, &e), -EPIPE);
	expect_part("peer gone", e.text, "Broken pipe");
	close(fds[0]);
	expect_int("not open", frame_write(fds[0], msg, &e), -EBADF);
	cJSON_Delete(msg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_blanks_around),
		cmocka_unit_test(test_lengths_refused),
		cmocka_unit_test(test_json_refused),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_memory_follows_what_arrived),
		cmocka_unit_test(test_the_largest),
		cmocka_unit_test(test_untaken_messages_are_bounded),
		cmocka_unit_test(test_many_messages_at_once),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_encode_too_large),
		cmocka_unit_test(test_write_and_read),
		cmocka_unit_test(test_large_over_nonblocking),
		cmocka_unit_test(test_read_failures),
		cmocka_unit_test(test_write_failures),
	};

	return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
