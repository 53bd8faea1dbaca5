// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_channel.c - any bytes as a channel between controllers, any text in it as a permit
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include <ctl/controller/channel_frame.h>
#include <ctl/controller/permits.h>
#include <selftests/fuzz/fuzz.h>

/* What was taken, put again, comes out the same. */
static void check_again(const struct channel_frame *f)
{
	struct evbuffer *b = evbuffer_new();
	struct channel_frame again;
	struct error e = {};
	char *copy;

	FUZZ_CHECK(b && !channel_put(b, f->kind, f->n, f->text, f->len));
	FUZZ_CHECK(channel_take(b, &copy, &again, &e) == 1);
	FUZZ_CHECK(again.kind == f->kind && again.n == f->n && again.len == f->len);
	FUZZ_CHECK(!memcmp(again.text, f->text, f->len) && !evbuffer_get_length(b));
	free(copy);
	evbuffer_free(b);
}

/* What was read, written again, reads the same. */
static void check_permit(const char *text, size_t len)
{
	struct permit_text p, again;
	char buf[PERMIT_TEXT_LEN];
	struct error e = {};

	if (permit_read(text, len, &p, &e)) {
		FUZZ_CHECK(*e.text);
		return;
	}
	permit_format(&p, buf);
	FUZZ_CHECK(!permit_read(buf, strlen(buf), &again, &e));
	FUZZ_CHECK(!strcmp(p.host, again.host) && !strcmp(p.network, again.network));
	FUZZ_CHECK(!strcmp(p.from, again.from) && ip_addr_equal(&p.src, &again.src));
	FUZZ_CHECK(p.term == again.term && p.bps == again.bps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evbuffer *in = evbuffer_new();
	struct channel_frame f;
	struct error e = {};
	char *copy;
	int n;

	FUZZ_CHECK(in && !evbuffer_add(in, data, size));
	while ((n = channel_take(in, &copy, &f, &e)) == 1) {
		FUZZ_CHECK(f.len <= CHANNEL_FRAME_MAX && !f.text[f.len]);
		if (f.kind)
			check_again(&f);
		check_permit(f.text, f.len);
		free(copy);
	}
	FUZZ_CHECK(!n || *e.text);
	evbuffer_free(in);
	check_permit((const char *)data, size);
	return 0;
}
