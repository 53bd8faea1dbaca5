/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * channel_frame.h - frames of the channel between controllers
 *
 *	| length, 4 bytes, network order | letter, number [, blank, text] |
 *
 * A text is passed on as it is. Pure but for the evbuffers. See also: channel.h.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <lib/error.h>
#include <lib/msg.h>

#define CHANNEL_FRAME_MAX (MSG_FRAME_MAX + 64)

struct channel_frame {
	char kind;
	uint64_t n;
	char *text;			/* NUL at text[len]; in the copy that was handed out */
	size_t len;
};

/* 1 with a copy to free(), 0: more bytes needed, -EBADMSG: the stream is lost, -ENOMEM. */
int channel_take(struct evbuffer *in, char **ret_copy, struct channel_frame *ret, struct error *e);
/* 0, -EMSGSIZE or -ENOMEM. */
int channel_put(struct evbuffer *out, char kind, uint64_t n, const char *text, size_t len);
