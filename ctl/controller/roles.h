/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * roles.h - what one controller process is, put together
 *
 *	fm ─ replica, api		who declares
 *	vmc ─ engine, shards		who computes, for the shards it leads
 *	ofe ─ sessions			who talks to agents
 *
 * With all roles in one process, the three share the model and call each other. With
 * --channel there are several controllers on one store: shards say who leads which
 * hosts, and front ends reach leaders elsewhere through channels.
 *
 * See also: main.c (options), docs/architecture.md.
 */
#pragma once

#include <ctl/controller/api.h>
#include <ctl/controller/ofe.h>

enum role { ROLE_FM = 1, ROLE_VMC = 2, ROLE_OFE = 4, ROLES_ALL = 7 };

struct roles_options {
	struct http_options http;	/* its TLS files are the controller's */
	struct fm_options fm;
	unsigned int roles;		/* enum role */
	const char *agents;		/* "ADDRESS:PORT" for agents; NULL: none */
	const char *channel;		/* "ADDRESS:PORT" for other controllers; NULL: there are none */
	const char *name;		/* of this controller; NULL: as the certificate says */
	unsigned int shards;		/* 0: the default; the same for all controllers of a store */
	unsigned int ping_ms, usage_ms;	/* 0: the defaults */
	unsigned int cold_s, offloads_max;
};

struct roles;

int roles_new(struct event_base *base, struct store *store, const struct roles_options *o,
	      struct roles **ret, struct error *e);
void roles_free(struct roles *r);	/* NULL is allowed */
/* Certificates are read again. */
void roles_reload(struct roles *r);
