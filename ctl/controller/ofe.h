/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ofe.h - the front end: agents' sessions, and the way from each to who leads its shard
 *
 *	TCP ─► TLS ─► hello ─► attached ◄──────► upstream (a VMC here, or one behind a channel)
 *	 few at a time   │        │  leader gone
 *	 (pacing)        │        ▼
 *	                 └─► waiting: the session stays; attached again when there is a leader
 *
 * Of a host it knows what its certificate says, when it was last heard, and the digest
 * it last named: enough to hand it to another leader without asking it anything. It
 * keeps the bounds: size of a frame, messages and bytes a second, time to say hello,
 * silence, output that nobody takes. Whoever breaks one hurts his own session only.
 *
 * On the loop's thread. See also: docs/protocol.md, vmc.h.
 */
#pragma once

#include <event2/event.h>

#include <ctl/controller/vmc.h>
#include <lib/tls.h>

struct ofe;

/* A leader's end of a session, as vmc.h has it. */
struct ofe_upstream {
	void *(*attach)(void *arg, const char *host, const struct digest *digest,
			const struct vmc_front *front, void *front_arg);	/* NULL: not now */
	void (*detach)(void *session);
	int (*message)(void *session, const cJSON *msg, struct error *e);
	void (*drained)(void *session);
	void *arg;
};

struct ofe_options {
	struct event_base *base;
	const char *listen;		/* "0.0.0.0:6650", "[::]:6650" */
	struct tls_files files;
	/* Who leads the shard of @host now; NULL: nobody known. The same leader, the same pointer. */
	const struct ofe_upstream *(*leader)(void *arg, const char *host);
	void *arg;
	unsigned int ping_ms;		/* 0: 10,000 */
	unsigned int usage_ms;		/* 0: 50 */
};

int ofe_new(const struct ofe_options *o, struct ofe **ret, struct error *e);
void ofe_free(struct ofe *f);		/* NULL is allowed; sessions are detached */
/* Leaders are others than before: sessions move to them. */
void ofe_leaders_changed(struct ofe *f);
/* Reads the certificate's files again; sessions stay. */
int ofe_reload(struct ofe *f, struct error *e);

struct ofe_stats {
	unsigned int sessions, attached, handshakes;
	uint64_t accepted, resumed, refused, throttled, dropped;
	uint64_t in_bytes, in_messages, out_bytes, out_messages;
};
void ofe_stats(const struct ofe *f, struct ofe_stats *ret);
