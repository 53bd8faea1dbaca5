/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload_routes.h - what hosts are to be told, counted by the pairs that want it
 *
 *	pair ──use────► direct route at the sender    (wanted while the pair is DIRECT)
 *	     └─permit─► permit at the receiver        (wanted by each of its pairs)
 *
 * A route is there while somebody wants it or it was adopted; route_settle() makes it
 * so and queues the change once. A route stays in the tables until its end has been
 * told and acknowledged and nobody points to it.
 *
 * Internal to offload.c.
 */
#pragma once

#include <sys/queue.h>

#include <ctl/controller/index.h>
#include <ctl/controller/offload.h>

enum pair_state { PAIR_PERMIT, PAIR_DIRECT, PAIR_LEAVING };

struct pair {
	struct offload_pair p;		/* the last report */
	enum pair_state state;
	uint64_t born_ns;		/* first report above the threshold */
	uint64_t seen_ns;		/* last report */
	uint64_t cold_ns;		/* below half the threshold since; 0: it is not */
	bool in_force;			/* the sender has acknowledged its route since the pair is DIRECT */
	struct route *use, *permit;
	LIST_ENTRY(pair) by_use, by_permit, by_sender, by_receiver;
	TAILQ_ENTRY(pair) all;
};

LIST_HEAD(pair_list, pair);

struct route {
	struct offload_route r;
	uint32_t wanted;		/* by so many pairs */
	bool adopted;			/* found on the host; kept until adopted_ns is long ago */
	bool present;			/* told, or queued to be */
	bool queued;
	bool held;			/* somebody walks its pairs: not to be freed */
	uint64_t adopted_ns;
	uint64_t seq, acked;		/* of the last change; of the last acknowledged one */
	struct pair_list uses, permits;	/* pairs that point here; of a route one list is empty */
	struct place *places[2];	/* src, dst; the second NULL for a permit */
	LIST_ENTRY(route) by_place[2], by_host;
	TAILQ_ENTRY(route) queue;
};

LIST_HEAD(route_list, route);

/* An address of a network, and the routes from it and to it. */
struct place {
	uint32_t network;
	struct ip_addr addr;
	struct route_list routes[2];	/* by which of their ends they are here */
};

struct offload_host {
	uint32_t id, n_routes;
	bool connected;
	struct route_list routes;
	struct pair_list sends, receives;
};

struct routes {
	struct index routes, places, hosts;
	TAILQ_HEAD(, route) queue;
	uint64_t seq;
};

void routes_init(struct routes *t);
void routes_done(struct routes *t);

struct offload_host *routes_host(struct routes *t, uint32_t id);	/* made if missing; NULL: no memory */
struct place *routes_place(const struct routes *t, uint32_t network, const struct ip_addr *addr);
struct route *route_find(const struct routes *t, const struct offload_route *like);
struct route *route_get(struct routes *t, const struct offload_route *like);	/* made if missing */
void route_free_if_done(struct routes *t, struct route *r);
void route_settle(struct routes *t, struct route *r);

static inline bool route_in_force(const struct route *r)
{
	return r->acked == r->seq;
}

static inline bool route_is_permit(const struct route *r)
{
	return !r->places[1];
}
