/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload_routes.h - what hosts are to be told, counted by the pairs that want it
 *
 *	pair ──use────► direct route at the sender    (wanted while the pair is DIRECT)
 *	     └─permit─► permit at the receiver        (wanted by each of its pairs)
 *
 * A route is there while somebody wants it or it was adopted, a permit also while a
 * direct route needs it that no pair answers for; route_settle() makes it
 * so and queues the change once. A route stays in the tables until its end has been
 * told and acknowledged and nobody points to it.
 *
 * Internal to offload.c and offload_far.c.
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
	bool adopted;			/* found on the host, or another controller wants it; since adopted_ns */
	bool present;			/* told, or queued to be */
	bool queued;
	bool news;			/* of its host: queued to be told, and not for another reason */
	bool asking;			/* not answered since it was last told or asked for */
	bool held;			/* somebody walks its pairs: not to be freed */
	uint64_t adopted_ns;
	int64_t term;			/* of the other controller that asked for it */
	uint64_t doubt;			/* number of the doubt that nobody answered by asking; 0: none */
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
	bool far;			/* another controller leads it */
	int64_t term;			/* its leader's, as far as we know */
	bool connected;
	uint64_t connected_ns;
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
struct route *route_permit_of(const struct routes *t, const struct offload_route *use);
/* With a direct route its permit may go. */
void route_free_if_done(struct routes *t, struct route *r);
void route_settle(struct routes *t, struct route *r);
/* As if it had changed: the host is told, or its leader asked, and has to answer. */
void route_renew(struct routes *t, struct route *r);
/* Once more to be taken out of the queue, with nothing new. */
void route_queue(struct routes *t, struct route *r);
/* No pair wants it and its host is not ours any more: not a word about it. */
void route_drop(struct routes *t, struct route *r);

static inline bool route_in_force(const struct route *r)
{
	return r->acked == r->seq;
}

static inline bool route_is_permit(const struct route *r)
{
	return !r->places[1];
}

/* Between offload.c and offload_far.c. */

#define OFFLOAD_LATENCIES 1024

struct offload {
	struct offload_options o;
	struct routes t;
	struct index pairs;		/* (network, src, dst) */
	TAILQ_HEAD(, pair) all;
	uint64_t latency[OFFLOAD_LATENCIES], n_latency;
	struct offload_stats stats;
};

void pair_transition(struct offload *o, struct pair *p, enum pair_state to);
/* Forgets the pair and gives back what it holds. */
void pair_free(struct offload *o, struct pair *p);
/* The same without a word to its routes: what they are now is the caller's. */
void pair_unlink(struct offload *o, struct pair *p);
/* Room for @route, if it is not there yet. A colder pair of its host makes way for the next try. */
bool offload_has_room(struct offload *o, const struct offload_route *route, uint64_t bps);
/* A permit at a host of ours whose sender is led elsewhere: its leader is asked about it at times. */
void far_age(struct offload *o, struct route *permit, uint64_t now_ns);
