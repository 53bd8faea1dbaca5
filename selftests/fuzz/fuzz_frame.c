// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_frame.c - the admin protocol's framing on any stream, in any pieces
 *
 * The first four bytes choose how the rest is cut; the rest is the stream. However
 * it is cut, the decoder must hand out the same messages and come to the same
 * end as when it gets the stream in one piece. Each message, encoded and decoded
 * again, must print the same.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <lib/frame.h>
#include <selftests/fuzz/fuzz.h>

/* What came out of a stream: all messages as text, a line each, and how it ended. */
struct outcome {
	char *text;
	size_t len;
	bool lost;
};

static void append(struct outcome *o, const char *line)
{
	size_t len = strlen(line);

	o->text = realloc(o->text, o->len + len + 1);
	FUZZ_CHECK(o->text);
	memcpy(o->text + o->len, line, len);
	o->len += len;
	o->text[o->len++] = '\n';
}

/* Printing what was printed changes nothing. */
static void check_round_trip(const cJSON *msg, const char *printed)
{
	struct frame_decoder d;
	unsigned char *bytes;
	char *again_printed;
	cJSON *again;
	size_t len;

	FUZZ_CHECK(!frame_encode(msg, &bytes, &len));
	frame_decoder_init(&d);
	FUZZ_CHECK(!frame_decoder_feed(&d, bytes, len, NULL));
	FUZZ_CHECK(frame_decoder_next(&d, &again, NULL) == 1);
	again_printed = cJSON_PrintUnformatted(again);
	FUZZ_CHECK(!strcmp(printed, again_printed));
	FUZZ_CHECK(frame_decoder_next(&d, &again, NULL) == 0);
	free(again_printed);
	cJSON_Delete(again);
	free(bytes);
	frame_decoder_done(&d);
}

static void take(const cJSON *msg, struct outcome *o)
{
	char *text = cJSON_PrintUnformatted(msg);

	FUZZ_CHECK(text);
	check_round_trip(msg, text);
	append(o, text);
	free(text);
}

/* Takes all messages there are. Returns false once the stream is lost. */
static bool drain(struct frame_decoder *d, struct outcome *o)
{
	struct error e = {};
	cJSON *msg = NULL;
	int n;

	while ((n = frame_decoder_next(d, &msg, &e)) == 1) {
		take(msg, o);
		cJSON_Delete(msg);
		msg = NULL;
	}
	FUZZ_CHECK(!msg);
	FUZZ_CHECK(!n == !*e.text && n == e.err);
	return n == 0;
}

/* Feeds pieces of 1 to 256 bytes as @dice falls; 0: everything at once. */
static struct outcome decode(const uint8_t *data, size_t size, uint32_t dice)
{
	struct frame_decoder d;
	struct outcome o = {};
	size_t fed = 0;

	frame_decoder_init(&d);
	while (size && !o.lost) {
		size_t n = dice ? dice >> 24 : size;
		uint8_t *piece;

		n = n + 1 < size ? n + 1 : size;
		piece = exact_copy(data, n);
		o.lost = frame_decoder_feed(&d, piece, n, NULL) || !drain(&d, &o);
		free(piece);
		data += n;
		size -= n;
		fed += n;
		dice = dice ? (dice * 1664525 + 1013904223) | 1 : 0;
		FUZZ_CHECK(d.start + d.len <= d.cap);
		FUZZ_CHECK(d.cap <= 4096 || d.cap <= 2 * fed);	/* what arrived, not what was announced */
	}
	frame_decoder_done(&d);
	return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	uint32_t dice;

	if (size < sizeof(dice))
		return 0;
	memcpy(&dice, data, sizeof(dice));
	data += sizeof(dice);
	size -= sizeof(dice);
	whole = decode(data, size, 0);
	pieces = decode(data, size, dice | 1);
	FUZZ_CHECK(whole.lost == pieces.lost && whole.len == pieces.len);
	FUZZ_CHECK(!whole.len || !memcmp(whole.text, pieces.text, whole.len));
	free(whole.text);
	free(pieces.text);
	return 0;
}
