/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * offload.h - which pairs of instances leave the hoverboards, and in which order their hosts learn it
 *
 *	usage report ─► pair above the threshold ─► a permit at its receiver, a direct route at its sender
 *
 *	          report           receiver has it          sender dropped it
 *	(none) ──────────► PERMIT ─────────────────► DIRECT ─────────► LEAVING ─────► (gone)
 *	                     sender may not yet use it   cold for 30 s, evicted
 *
 * Two things are told to hosts. A permit says behind which host a source lives, so that
 * packets of it may come straight from there; pairs with the same source and receiving
 * host share it. A direct route belongs to one pair and says behind which host its
 * destination lives. The receiving host gets the permit first; only when it has
 * acknowledged that does the sending host get the direct route. They are taken back in
 * the reverse order, so no packet arrives at a host that does not take it yet, or does
 * not take it any more.
 *
 * What a controller before this one told is adopted (offload_adopt()) and kept
 * until the usage reports of its pairs come in, or fail to. A pair that its host
 * reports as sent straight goes on so, whatever its receiver has been heard to have.
 *
 * Hosts that another controller leads are far (offload_far.c). A pair lives where its
 * sender is led; a permit at a far host is asked of its leader.
 *
 * Pure: no I/O, time is an argument. Hosts and networks are the caller's numbers.
 * What is to be told to hosts is drained with offload_next(); what a host has
 * acknowledged comes back through offload_acked(), also when there was nothing to tell
 * because the host was so already.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/types.h>

struct offload_options {
	uint64_t cold_ns;		/* a pair below half its threshold for so long is withdrawn; 0: 30 s */
	uint32_t host_max;		/* permits and direct routes a host may have; 0: 1024 */
};

/* One pair as its sending host reports it, with what the model says about it. */
struct offload_pair {
	uint32_t network;
	struct ip_addr src, dst;
	uint32_t src_host, dst_host;	/* where they live: src_host is who reports */
	uint64_t bps;			/* bits per second */
	uint64_t threshold_bps;		/* of the network */
	bool direct;			/* the host sends it straight already */
};

/* What a host may be told: with a destination a direct route, without (all zero) a permit. */
struct offload_route {
	uint32_t host, network;		/* who is told; of the addresses */
	struct ip_addr src, dst;
	uint32_t peer;			/* the host where dst lives; of a permit, where src lives */
};

enum offload_say {
	OFFLOAD_TELL,			/* the host is to have it, or no longer */
	OFFLOAD_ASK,			/* the same of a permit at a far host: to its leader */
	OFFLOAD_DOUBT,			/* a permit of a far sender: is it of use? to the sender's leader */
};

struct offload_change {
	enum offload_say say;
	uint64_t seq;			/* rises; what offload_acked() refers to */
	struct offload_route route;
	uint64_t bps;			/* of the warmest pair a permit is for */
	bool present;			/* the host is to have it; false: no longer */
};

struct offload_stats {
	uint32_t n_pairs, n_direct;	/* pairs known; of those in state DIRECT with the route in force */
	uint32_t n_routes;		/* permits and direct routes of all hosts */
	uint64_t n_offloaded, n_withdrawn, n_evicted, n_refused;
	uint64_t p50_ns, p99_ns;	/* report above threshold to acknowledged by the sender; the last 1024 */
};

struct offload;

struct offload *offload_new(const struct offload_options *o);	/* NULL: no memory */
void offload_free(struct offload *o);

/* -ENOMEM, or 0. Pairs on one host and pairs below their threshold that nobody knows are ignored. */
int offload_report(struct offload *o, const struct offload_pair *p, uint64_t now_ns);
/* The host has in force what the change @seq of this route said. */
void offload_acked(struct offload *o, const struct offload_route *route, uint64_t seq,
		   uint64_t now_ns);
/* A host that connected already has this route. -ENOMEM, or 0. */
int offload_adopt(struct offload *o, const struct offload_route *route, uint64_t now_ns);
/* The instance with this address has gone or moved: all its pairs, permits and routes go at once. */
void offload_forget(struct offload *o, uint32_t network, const struct ip_addr *addr);
/* Pairs of a sender that cannot report are not counted cold. Hosts begin disconnected. */
void offload_host_connected(struct offload *o, uint32_t host, bool connected, uint64_t now_ns);

/*
 * We lead the host, or another does, in this @term: higher with every leader. Hosts begin
 * as ours. Pairs of a sender that goes are its new leader's, which adopts them; not a
 * word is said about them. The new leader of a receiver is asked for all that is wanted there.
 */
void offload_host_led(struct offload *o, uint32_t host, bool led, int64_t term, uint64_t now_ns);
/* The leader of a far host will not have it there; @seq as in offload_acked(). */
void offload_refused(struct offload *o, const struct offload_route *permit, uint64_t seq);

enum offload_answer { OFFLOAD_LATER, OFFLOAD_GRANTED, OFFLOAD_REFUSED, OFFLOAD_STALE };
/*
 * The leader of the sender, in this @term, wants this permit at a host of ours.
 * OFFLOAD_LATER: see offload_is_granted(). What earlier leaders say, and may arrive later,
 * is ignored. Who was doubted says that change @seq found it of no use.
 */
enum offload_answer offload_asked(struct offload *o, const struct offload_route *permit,
				  uint64_t bps, int64_t term, uint64_t now_ns);
void offload_given_back(struct offload *o, const struct offload_route *permit, int64_t term);
void offload_unused(struct offload *o, const struct offload_route *permit, uint64_t seq);
bool offload_is_granted(const struct offload *o, const struct offload_route *permit);
/* What to say to OFFLOAD_DOUBT; true also if we do not know. */
bool offload_is_of_use(struct offload *o, const struct offload_route *permit, uint64_t now_ns);

/* Withdraws what has gone cold; call it about once a second. */
void offload_tick(struct offload *o, uint64_t now_ns);
/* The next change to be told, in order; false: none. Of one route only the latest is kept. */
bool offload_next(struct offload *o, struct offload_change *ret);
/* Calls @fn with every route that @host is to have now: what a full comparison needs. */
void offload_each_route(const struct offload *o, uint32_t host,
			void (*fn)(const struct offload_change *c, void *arg), void *arg);

void offload_stats(const struct offload *o, struct offload_stats *ret);
/* Calls @fn for each pair that is sent straight. */
void offload_each(const struct offload *o,
		  void (*fn)(const struct offload_pair *p, void *arg), void *arg);
