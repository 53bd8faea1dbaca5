/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * health.h - is a hoverboard, or a gateway, there? The initiator's half of Seamless BFD
 *
 *	           3 questions unanswered
 *	   UP ───────────────────────────► DOWN
 *	    ◄───────────────────────────
 *	        2 answers in a row
 *
 * A question every 200 ms less up to a quarter (RFC 5880 section 6.8.7: hosts must not beat
 * in time), once a second while it is down. What counts is questions without answer, not
 * time without answer: an agent that was busy for a second has asked nothing, and so
 * concludes nothing.
 *
 * A hoverboard is up until it is known to be down: a new one gets traffic at once. A gateway may
 * be no Mirach at all and never answer: only one that has answered can be missed.
 *
 * Pure: time is an argument, packets are bytes. See also: bpf/reflect.h, which answers.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mirach/types.h>
#include <mirach/wire.h>

#define HEALTH_ASK_MS 200u
#define HEALTH_ASK_DOWN_MS 1000u
#define HEALTH_MISSES 3u		/* unanswered questions: it is down */
#define HEALTH_ANSWERS 2u		/* answers in a row: it is up again */

struct health {
	bool up;
	bool may_be_silent;		/* a gateway; the owner's to say, at any time */
	bool heard;			/* it has answered once */
	uint32_t unanswered;		/* questions since the last answer */
	uint32_t answers;		/* in a row, while it is down */
	uint64_t due_ns;		/* next question */
	uint64_t since_ns;		/* of the last change */
	uint64_t changes;
};

void health_init(struct health *h, uint64_t now_ns);
/* It is up because nothing says otherwise: it never answers. */
bool health_silent(const struct health *h);
/* The time is due_ns. True: ask now. @random: any 32 bits. May change h->up. */
bool health_tick(struct health *h, uint64_t now_ns, uint32_t random);
/* An answer came. May change h->up. */
void health_answer(struct health *h, uint64_t now_ns);

/* @mine: our discriminator, not zero. @theirs: of the hoverboard. */
void health_question(struct bfd_header *ret, __be32 mine, __be32 theirs);
/* Whether these bytes, UDP payload of anybody's, answer that question. */
bool health_is_answer(const void *bytes, size_t len, __be32 mine, __be32 theirs);
