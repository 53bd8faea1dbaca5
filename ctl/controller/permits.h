/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * permits.h - what controllers say to each other about a pair whose hosts they share
 *
 *	sender's leader					receiver's leader
 *	PERMIT_WANTED ───────────────────────────────►	when its host has it:
 *	◄───────────────────────────── PERMIT_GRANTED	or, without room there:
 *	◄───────────────────────────── PERMIT_REFUSED
 *	PERMIT_GIVEN_BACK ───────────────────────────►	withdrawn
 *	◄─────────────────────────────── PERMIT_DOUBT	nobody asked for it long
 *	PERMIT_UNUSED ───────────────────────────────►	if it is of no use; else nothing
 *
 * A message is a letter, a number that the answer repeats, and a JSON object that the answer
 * repeats, too: {"host", "network", "src", "from", "term", "bps"}. Fields not known are ignored, and so are
 * letters: a controller of before is never answered, and such pairs stay with the hoverboards.
 * Nothing is remembered by stream: whatever is lost is asked again.
 *
 * Pure. See also: offload_far.c (what is decided), channel.h (how it goes).
 */
#pragma once

#include <stdint.h>

#include <lib/addr.h>
#include <lib/error.h>
#include <lib/msg.h>

enum permit_kind {
	PERMIT_WANTED = 'o',
	PERMIT_GIVEN_BACK = 'x',
	PERMIT_DOUBT = 'q',
	PERMIT_UNUSED = 'u',
	PERMIT_GRANTED = 'k',
	PERMIT_REFUSED = 'r',
};

struct permit_text {
	char host[MSG_NAME_MAX + 1];	/* the receiving one */
	char network[MSG_NAME_MAX + 1];
	char from[MSG_NAME_MAX + 1];	/* the host of @src */
	struct ip_addr src;
	int64_t term;			/* of the leader of @from, see shards.h */
	uint64_t bps;			/* of the warmest pair that it is for */
};

#define PERMIT_TEXT_LEN (3 * MSG_NAME_MAX + IP_ADDR_STRLEN + 96)

/* 0 or -EBADMSG with what is wrong. */
int permit_read(const char *text, size_t len, struct permit_text *ret, struct error *e);
/* Returns @buf. Names are those of the model: nothing in them is to be escaped. */
const char *permit_format(const struct permit_text *p, char buf[PERMIT_TEXT_LEN]);
