/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fleet.h - hosts that are no more than their sessions
 *
 *	driver ──stdin: commands──► fleet ──real mTLS, real protocol──► controller
 *	       ◄─stdout: JSON lines─┘
 *
 * Each has its own certificate, dials, reports the digest of what it has, takes
 * updates as whole transactions and acknowledges them, as the agent does. What it does
 * not have is a datapath: an object is its id and version. fleet_traffic.c lets pairs
 * of instances send at constant rates and reports their usage by the agent's own rules.
 *
 * One thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lib/objset.h>
#include <lib/tls.h>

struct bufferevent;
struct event;
struct event_base;
struct traffic;

struct sim_host {
	struct fleet *fleet;
	char name[TLS_NAME_LEN];
	struct tls *tls;
	struct bufferevent *bev;	/* NULL: not connected, not trying */
	struct event *retry;
	struct objset have;
	uint64_t expected;		/* objects it has when it is as declared */
	bool welcomed;
	bool counted;			/* among fleet.n_correct */
	uint32_t failures;		/* in a row */
};

struct fleet {
	struct event_base *base;
	struct sim_host *hosts;
	uint32_t n_hosts, n_welcomed, n_correct;
	bool up;			/* hosts are to be connected */
	bool waiting;			/* somebody wants to know when all are correct */
	uint64_t began_ns;
	uint64_t bytes_in, bytes_out, n_updates, n_objects, n_failures;
	const char *address;		/* of the controller, "127.0.0.1:7443" */
	struct traffic *traffic;
};

/* fleet_session.c */
void sim_host_connect(struct sim_host *h);
void sim_host_drop(struct sim_host *h);
void sim_host_check(struct sim_host *h);	/* after `have` or `expected` changed */
void fleet_check(struct fleet *f);		/* says so, once, when all are welcomed and correct */

/* fleet_traffic.c: "host network src dst bps" a line. 0 or -errno. */
int traffic_new(struct fleet *f, const char *path, struct traffic **ret);
void traffic_free(struct traffic *t);
void traffic_start(struct traffic *t, unsigned int seconds);
/* Says how many pairs are sent straight, and how many were and are not any more. */
void traffic_pairs(const struct traffic *t);
/* The host now has, or no longer has, this object. */
void traffic_object(struct traffic *t, const char *id, bool present);
