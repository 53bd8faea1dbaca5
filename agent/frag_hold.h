/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frag_hold.h - fragments that came before the one with the ports
 *
 *	later ──► held, sorted by place ──(first comes)──► released in order
 *	              │                                    later ones pass at once
 *	              └──(a second passes)──► expired
 *
 * Where a flow is decided by ports, a later fragment can be judged only when the
 * first one is known. The fast path remembers ports itself (bpf/fragment.h); what
 * arrives before them waits here. A frame waits where it lies: what is kept is an
 * iovec. Every owner (flow_owner(): a vport, a class of fabric senders) has a
 * bounded number of the socket's buffers and of datagrams, and so have all together: a long
 * frame lies in several buffers, and what is held must leave some to receive with.
 *
 * Pure: no I/O, time is an argument. One thread owns it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include <mirach/flow.h>
#include <mirach/parse.h>

#define FRAG_HOLD_NS 1000000000ull	/* how long the first may be late */
#define FRAG_HOLD_OWNER 64u		/* buffers, and datagrams, of one owner */
#define FRAG_HOLD_MAX 1024u		/* of all together */

/* Says beside 0 (go on) and -enum drop_reason. */
#define FRAG_HELD 1

struct frag_hold;

/* @secret: FLOW_SECRET_WORDS words; @max: buffers of all owners, at most FRAG_HOLD_MAX. 0 or -ENOMEM. */
int frag_hold_new(const uint32_t *secret, unsigned int max, struct frag_hold **ret);
void frag_hold_free(struct frag_hold *h);	/* NULL is allowed; frames that are still held are forgotten */

/*
 * A later fragment with @key (without ports) and its place @at. 0: its datagram is open, @key
 * has got the first one's ports. FRAG_HELD: @frame is kept. Else -enum drop_reason.
 */
int frag_hold_later(struct frag_hold *h, struct flow_key *key, const struct fragment *at,
		    const struct iovec *frame, uint64_t now_ns);
/* A first fragment, with ports in @key: opens the datagram. 0 or -enum drop_reason. */
int frag_hold_first(struct frag_hold *h, const struct flow_key *key, const struct fragment *at,
		    uint64_t now_ns);
/* The next held frame, in order of place, of the datagram that @key and @at belong to. */
bool frag_hold_take(struct frag_hold *h, const struct flow_key *key, const struct fragment *at,
		    struct iovec *ret);
/* A held frame whose time has passed at @now_ns. */
bool frag_hold_expired(struct frag_hold *h, uint64_t now_ns, struct iovec *ret);

unsigned int frag_hold_count(const struct frag_hold *h); /* frames held now */
