/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ofe_internal.h - what ofe.c and ofe_session.c share
 */
#pragma once

#include <sys/queue.h>

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include <ctl/controller/index.h>
#include <ctl/controller/ofe.h>

enum ofe_state { OFE_HANDSHAKE, OFE_GREETING, OFE_UP, OFE_CLOSING };

struct ofe_session {
	TAILQ_ENTRY(ofe_session) all;
	struct ofe *ofe;
	struct bufferevent *bev;
	enum ofe_state state;
	const struct ofe_upstream *leader;	/* NULL: waiting for one */
	void *upstream;			/* its end of this session */
	bool lost;			/* that end is of no use any more */
	struct digest digest;		/* what the agent last said it has */
	uint64_t born_ns, heard_ns, progress_ns, ping_ns;
	double messages, bytes;		/* left to it for now */
	uint64_t refilled_ns;
	bool throttled;
	char peer[64];			/* address, for logs */
	char host[TLS_NAME_LEN];
};

TAILQ_HEAD(ofe_sessions, ofe_session);

struct ofe {
	struct ofe_options o;
	struct tls *tls;
	struct evconnlistener *listener;
	struct event *tick;
	struct ofe_sessions sessions;
	struct index by_host;		/* those that are OFE_UP */
	unsigned int n_sessions, n_handshakes;
	bool paused;			/* no more are accepted for now */
	struct ofe_stats stats;
};

void ofe_accepted(struct ofe *f, int fd, const char *peer);
void ofe_session_free(struct ofe_session *s, const char *why);
void ofe_session_tick(struct ofe_session *s, uint64_t now_ns);
/* To the leader there is now, if it is another one. */
void ofe_session_lead(struct ofe_session *s);
void ofe_handshake_over(struct ofe *f);
void ofe_index_init(struct ofe *f);
