/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_internal.h - what session.c and session_msg.c share
 */
#pragma once

#include <stdbool.h>

#include <agent/link.h>
#include <agent/session.h>
#include <agent/state.h>

#define USAGE_MS_DEFAULT 50u

struct event;

struct session {
	struct agent *agent;
	struct link *link;
	struct event *timer;
	char *list;			/* endpoints, cut into pieces */
	const char *endpoints[SESSION_ENDPOINTS_MAX];
	unsigned int n_endpoints, current;
	enum session_state state;
	uint64_t since_ns, next_ns, heard_ns;
	uint32_t failures;
	uint32_t usage_ms, ping_ms;	/* as the controller wants it */
	double last_seq;		/* of this session's updates; they only grow */
	uint64_t n_pings;
	bool hello_due;			/* waits for a change that is under way */
	uint64_t updates, refused;
	struct digest reported;		/* of the last report; zero: none in this session */
	char last_error[ERROR_TEXT_LEN];
};

/* session.c */
void session_welcomed(struct session *s);
void session_fail(struct session *s, const struct error *why);

/* session_msg.c */
void session_hear(struct session *s, const cJSON *msg);
void session_try_hello(struct session *s);
void session_ping(struct session *s);
void session_say_bindings(struct session *s);
void session_say_binding(const char *instance, void *session);
void session_report(struct session *s);
void session_ack(const struct state_outcome *o, void *session);
