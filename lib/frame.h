/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frame.h - length-prefixed messages on a stream
 *
 *	| length, 4 bytes, network order | that many bytes of JSON |
 *
 * The decoder is fed whatever the stream delivers and hands out whole messages.
 * It refuses lengths above FRAME_MAX and JSON nested deeper than
 * FRAME_DEPTH_MAX, so that a peer cannot make it allocate without bound.
 */
#pragma once

#include <stddef.h>

#include <cjson/cJSON.h>

#include <lib/error.h>

#define FRAME_MAX (16u << 20)
#define FRAME_DEPTH_MAX 64

struct frame_decoder {
	unsigned char *buf;
	size_t start, len, cap;		/* bytes not yet handed out: buf[start .. start + len) */
};

void frame_decoder_init(struct frame_decoder *d);
void frame_decoder_done(struct frame_decoder *d);
/* -EBADMSG: the length announced is refused; -ENOBUFS: take the messages out first; -ENOMEM. */
int frame_decoder_feed(struct frame_decoder *d, const void *data, size_t len, struct error *e);
/* 1 and a message (the caller deletes it), 0: more bytes needed, -EBADMSG: not a message, stream is lost. */
int frame_decoder_next(struct frame_decoder *d, cJSON **ret, struct error *e);

/* The JSON value of a frame's bytes, to delete. -EBADMSG: too deep, no JSON, or more than one value. */
int frame_parse(const void *bytes, size_t len, cJSON **ret, struct error *e);
/* One message as bytes, malloc'ed. -EMSGSIZE: above FRAME_MAX. */
int frame_encode(const cJSON *msg, unsigned char **ret, size_t *ret_len);

/*
 * Blocking request and reply on a connected socket, for the command line.
 * -ECONNRESET: the peer closed; -ETIMEDOUT: nothing whole within @timeout_ms (negative: wait
 * for ever); -EBADMSG as above. frame_read() takes no byte beyond its message.
 */
int frame_write(int fd, const cJSON *msg, struct error *e);
int frame_read(int fd, cJSON **ret, int timeout_ms, struct error *e);
