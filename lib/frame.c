// SPDX-License-Identifier: BSD-2-Clause
/*
 * frame.c - length-prefixed messages on a stream
 *
 * Memory follows what has arrived, never what was announced: four bytes that
 * promise 16 MiB cost four bytes. A stream that was refused once stays refused,
 * because nothing says where its next message would begin.
 *
 * See also: frame.h (the format), agent/admin.h (who speaks it).
 */
#include <lib/frame.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define HEADER_LEN 4
#define READ_CHUNK 65536u
#define BUFFERED_MAX (2 * (FRAME_MAX + HEADER_LEN))

void frame_decoder_init(struct frame_decoder *d)
{
	*d = (struct frame_decoder){};
}

void frame_decoder_done(struct frame_decoder *d)
{
	free(d->buf);
	frame_decoder_init(d);
}

static uint32_t header_get(const unsigned char *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void header_put(unsigned char *p, uint32_t len)
{
	p[0] = len >> 24;
	p[1] = len >> 16;
	p[2] = len >> 8;
	p[3] = len;
}

static int header_check(uint32_t len, struct error *e)
{
	if (!len)
		return error_set(e, -EBADMSG, "message of no bytes");
	if (len > FRAME_MAX)
		return error_set(e, -EBADMSG, "message of %u bytes, the most is %u", len,
				 FRAME_MAX);
	return 0;
}

/* Moves what is left to the front and makes room for @len bytes behind it. */
static int reserve(struct frame_decoder *d, size_t len)
{
	size_t need = d->len + len, cap = d->cap ? d->cap : 4096;
	unsigned char *buf;

	if (d->start && d->start + need > d->cap) {
		memmove(d->buf, d->buf + d->start, d->len);
		d->start = 0;
	}
	if (d->start + need <= d->cap)
		return 0;
	while (cap < need)
		cap *= 2;
	buf = realloc(d->buf, cap);
	if (!buf)
		return -ENOMEM;
	d->buf = buf;
	d->cap = cap;
	return 0;
}

int frame_decoder_feed(struct frame_decoder *d, const void *data, size_t len, struct error *e)
{
	if (!len)
		return 0;
	if (len > BUFFERED_MAX - d->len)
		return error_set(e, -ENOBUFS, "more than %u bytes wait to be taken", BUFFERED_MAX);
	if (reserve(d, len))
		return error_set(e, -ENOMEM, "no memory for %zu more bytes", len);
	memcpy(d->buf + d->start + d->len, data, len);
	d->len += len;
	return d->len < HEADER_LEN ? 0 : header_check(header_get(d->buf + d->start), e);
}

/* How deep the brackets of @text go. Those inside strings do not count. */
static bool too_deep(const unsigned char *text, size_t len)
{
	bool in_string = false;
	unsigned int depth = 0;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				in_string = false;
		} else if (text[i] == '"') {
			in_string = true;
		} else if (text[i] == '[' || text[i] == '{') {
			if (++depth > FRAME_DEPTH_MAX)
				return true;
		} else if ((text[i] == ']' || text[i] == '}') && depth) {
			depth--;
		}
	}
	return false;
}

static bool only_blanks(const char *p, const char *end)
{
	for (; p < end; p++) {
		if (!strchr(" \t\r\n", *p) || !*p)
			return false;
	}
	return true;
}

int frame_parse(const void *bytes, size_t len, cJSON **ret, struct error *e)
{
	const unsigned char *text = bytes;
	const char *rest;
	cJSON *msg;

	if (too_deep(text, len))
		return error_set(e, -EBADMSG, "JSON nested deeper than %d", FRAME_DEPTH_MAX);
	msg = cJSON_ParseWithLengthOpts((const char *)text, len, &rest, false);
	if (!msg)
		return error_set(e, -EBADMSG, "message is not JSON");
	if (!only_blanks(rest, (const char *)text + len)) {
		cJSON_Delete(msg);
		return error_set(e, -EBADMSG, "bytes after the JSON value of a message");
	}
	*ret = msg;
	return 0;
}

int frame_decoder_next(struct frame_decoder *d, cJSON **ret, struct error *e)
{
	uint32_t len;
	int err;

	if (d->len < HEADER_LEN)
		return 0;
	len = header_get(d->buf + d->start);
	err = header_check(len, e);
	if (err)
		return err;
	if (d->len - HEADER_LEN < len)
		return 0;
	err = frame_parse(d->buf + d->start + HEADER_LEN, len, ret, e);
	if (err)
		return err;
	d->len -= HEADER_LEN + len;
	d->start = d->len ? d->start + HEADER_LEN + len : 0;
	return 1;
}

int frame_encode(const cJSON *msg, unsigned char **ret, size_t *ret_len)
{
	char *text = cJSON_PrintUnformatted(msg);
	size_t len = text ? strlen(text) : 0;
	unsigned char *bytes;

	if (!text)
		return -ENOMEM;
	if (len > FRAME_MAX) {
		free(text);
		return -EMSGSIZE;
	}
	bytes = realloc(text, HEADER_LEN + len + 1);
	if (!bytes) {
		free(text);
		return -ENOMEM;
	}
	memmove(bytes + HEADER_LEN, bytes, len);
	header_put(bytes, len);
	*ret = bytes;
	*ret_len = HEADER_LEN + len;
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ll + ts.tv_nsec / 1000000;
}

/* Waits until @fd is ready for @events. @deadline_ms: on now_ms()'s clock, negative = never. */
static int wait_ready(int fd, short events, int64_t deadline_ms, struct error *e)
{
	struct pollfd p = {.fd = fd, .events = events};
	int n;

	do {
		int64_t left = deadline_ms < 0 ? -1 : deadline_ms - now_ms();

		if (deadline_ms >= 0 && left < 0)
			left = 0;
		n = poll(&p, 1, left);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_set(e, -errno, "poll: %s", strerror(errno));
	return n ? 0 : error_set(e, -ETIMEDOUT, "no answer in time");
}

static bool would_block(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK;
}

int frame_write(int fd, const cJSON *msg, struct error *e)
{
	unsigned char *bytes;
	size_t len, done = 0;
	int err = frame_encode(msg, &bytes, &len);

	if (err)
		return error_set(e, err, "cannot encode the message: %s", strerror(-err));
	while (!err && done < len) {
		ssize_t n = send(fd, bytes + done, len - done, MSG_NOSIGNAL);

		if (n >= 0)
			done += n;
		else if (would_block(errno))
			err = wait_ready(fd, POLLOUT, -1, e);
		else if (errno != EINTR)
			err = error_set(e, -errno, "cannot send: %s", strerror(errno));
	}
	free(bytes);
	return err;
}

/* Some bytes, at most @len. Returns how many, or -errno. */
static ssize_t receive(int fd, void *buf, size_t len, int64_t deadline_ms, struct error *e)
{
	for (;;) {
		ssize_t n;
		int err = wait_ready(fd, POLLIN, deadline_ms, e);

		if (err)
			return err;
		n = recv(fd, buf, len, 0);
		if (n > 0)
			return n;
		if (!n)
			return error_set(e, -ECONNRESET, "the other end closed the connection");
		if (!would_block(errno) && errno != EINTR)
			return error_set(e, -errno, "cannot receive: %s", strerror(errno));
	}
}

/* Bytes the message at the front still lacks: of its header first, then of its body. */
static size_t missing(const struct frame_decoder *d)
{
	if (d->len < HEADER_LEN)
		return HEADER_LEN - d->len;
	return HEADER_LEN + header_get(d->buf + d->start) - d->len;
}

int frame_read(int fd, cJSON **ret, int timeout_ms, struct error *e)
{
	int64_t deadline_ms = timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
	unsigned char *chunk = malloc(READ_CHUNK);
	struct frame_decoder d;
	int got = 0;

	if (!chunk)
		return error_set(e, -ENOMEM, "no memory");
	frame_decoder_init(&d);
	while (!got) {
		size_t want = missing(&d);
		ssize_t n = receive(fd, chunk, want < READ_CHUNK ? want : READ_CHUNK, deadline_ms, e);

		got = n < 0 ? n : frame_decoder_feed(&d, chunk, n, e);
		if (!got)
			got = frame_decoder_next(&d, ret, e);
	}
	frame_decoder_done(&d);
	free(chunk);
	return got < 0 ? got : 0;
}
