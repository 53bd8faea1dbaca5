/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.h - one TLS connection to a controller, and the frames on it
 *
 *	link_dial() ─► resolve, connect, handshake ─► up() ─► frame()... ─► down()
 *
 * Mutual TLS 1.3: the peer's certificate must come from our CA and be a controller's.
 * Files are read again when they have changed, so that a renewed certificate needs no
 * restart, and a missing one is a failed attempt and not a dead agent.
 *
 * Main thread only. See also: session.h (what is said), lib/tls.h, lib/msg.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#include <lib/error.h>
#include <lib/tls.h>

struct event_base;
struct link;

/* down() comes once for every dial that succeeded in beginning. All from the loop. */
struct link_events {
	void (*up)(void *arg);
	void (*frame)(const cJSON *msg, void *arg);
	void (*down)(const struct error *why, void *arg);
	void *arg;
};

/* @name: of this host; a certificate of another is refused before anybody is bothered with it. */
int link_new(struct event_base *base, const struct tls_files *files, const char *name,
	     const struct link_events *events, struct link **ret, struct error *e);
void link_free(struct link *l);

/* @endpoint: "HOST:PORT", "[2001:db8::1]:PORT". On failure nothing has begun. */
int link_dial(struct link *l, const char *endpoint, struct error *e);
/* Ends it, if there is one; down() is called with @why soon after. */
void link_hang_up(struct link *l, const struct error *why);
bool link_is_up(const struct link *l);
/* Takes @msg over. False: it is not up, or the message is too large. */
bool link_send(struct link *l, cJSON *msg);	/* NULL: there was no memory for it */
size_t link_backlog(const struct link *l);	/* bytes not yet taken by the peer */
