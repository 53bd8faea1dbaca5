// SPDX-License-Identifier: BSD-2-Clause
/*
 * channel_frame.c - frames of the channel between controllers
 */
#include <ctl/controller/channel_frame.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/buffer.h>

#define HEADER_LEN 4

int channel_take(struct evbuffer *in, char **ret_copy, struct channel_frame *ret, struct error *e)
{
	unsigned char h[HEADER_LEN];
	char *copy, *end;
	uint32_t len;

	if (evbuffer_copyout(in, h, sizeof(h)) < (ssize_t)sizeof(h))
		return 0;
	len = (uint32_t)h[0] << 24 | h[1] << 16 | h[2] << 8 | h[3];
	if (len < 2 || len > CHANNEL_FRAME_MAX)
		return error_set(e, -EBADMSG, "frame of %u bytes", len);
	if (evbuffer_get_length(in) < HEADER_LEN + (size_t)len)
		return 0;
	copy = malloc(len + 1);
	if (!copy)
		return error_set(e, -ENOMEM, "no memory");
	evbuffer_drain(in, HEADER_LEN);
	evbuffer_remove(in, copy, len);
	copy[len] = '\0';
	ret->kind = copy[0];
	errno = 0;
	ret->n = strtoull(copy + 1, &end, 10);
	if (copy[1] < '0' || copy[1] > '9' || errno || (*end && *end != ' ')) {
		free(copy);
		return error_set(e, -EBADMSG, "frame without a number");
	}
	ret->text = *end ? end + 1 : end;
	ret->len = copy + len - ret->text;
	*ret_copy = copy;
	return 1;
}

int channel_put(struct evbuffer *out, char kind, uint64_t n, const char *text, size_t len)
{
	char head[32];
	int head_len = snprintf(head, sizeof(head), "%c%llu ", kind, (unsigned long long)n);
	size_t all = head_len + len;
	unsigned char h[HEADER_LEN] = { all >> 24, all >> 16, all >> 8, all };

	if (all > CHANNEL_FRAME_MAX)
		return -EMSGSIZE;
	if (evbuffer_add(out, h, sizeof(h)) || evbuffer_add(out, head, head_len) ||
	    evbuffer_add(out, text, len))
		return -ENOMEM;
	return 0;
}
