/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session.h - the agent's side of the host protocol
 *
 *	         dial                 TLS               welcome
 *	 WAITING ────► CONNECTING ─────────► GREETING ──────────► UP
 *	   ▲               │                    │                  │
 *	   └─── backoff ◄──┴────────────────────┴── anything wrong ┘
 *
 * The session says hello with the digest of what is here, answers questions about it,
 * hands updates to the state and acknowledges them when they are in force, reports
 * vports, bindings and usage. Nothing that goes wrong with it touches the state: it is
 * closed, the reason is logged and shown, another endpoint is tried.
 *
 * Main thread only. See also: state.h, link.h, docs/protocol.md.
 */
#pragma once

#include <stdint.h>

#include <agent/usage.h>
#include <lib/error.h>

#define SESSION_ENDPOINTS_MAX 16

struct agent;
struct session;

enum session_state { SESSION_WAITING, SESSION_CONNECTING, SESSION_GREETING, SESSION_UP };

/* Takes endpoints, name and files from a->options; begins to dial. Listens to a->state. */
int session_new(struct agent *a, struct session **ret, struct error *e);
void session_free(struct session *s);

void session_tick(struct session *s);	/* once a second */
void session_hurry(struct session *s);	/* dials at once, if it waits */
void session_usage(struct session *s, const struct usage_pair *pairs, uint32_t n);

struct session_view {
	enum session_state state;
	const char *endpoint;		/* the one in use, or tried last */
	uint64_t since_ns;		/* of this state, CLOCK_MONOTONIC */
	uint64_t next_ns;		/* SESSION_WAITING: of the next attempt */
	uint32_t failures;		/* in a row */
	uint32_t usage_ms;		/* how often the controller wants usage looked at */
	uint64_t updates, refused;	/* transactions of all sessions */
	const char *last_error;		/* why the last session or attempt ended; "" = none yet */
};
void session_show(const struct session *s, struct session_view *ret);
const char *session_state_name(enum session_state state);
