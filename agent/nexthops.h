/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nexthops.h - who has which next hop id, and writing next hops safely
 *
 * Remote hosts, their ways of equal cost, slots of hoverboards and local vports share one
 * space of ids. The pinned map itself remembers the owners (struct nexthop.remote, the table
 * of a host with several ways, .set and .slot, or the port of a local body), so a
 * restarted agent finds every id where its flows expect it.
 *
 * A next hop holds two bodies and a write fills the idle one; before a second
 * write to the same id, every program run that may still read the body about to be
 * overwritten must have ended. nexthops_put() keeps that rule: it skips writes
 * that change nothing and waits for a grace period only when one id is written twice
 * without one in between. A wave that rewrites a thousand next hops waits at most once.
 *
 * Main thread only.
 */
#pragma once

#include <stdint.h>

#include <agent/dp.h>
#include <agent/ids.h>
#include <lib/error.h>

struct nexthops {
	struct dp *dp;
	const struct nexthop *map;	/* pinned, n entries */
	struct ids ids;
	uint8_t *claimed;		/* per id: this agent's configuration wants it */
	uint32_t *port;			/* per id: the local vport that owns it, or 0 */
	uint32_t *written;		/* per id: value of `grace` when last written */
	uint32_t grace;			/* grace periods waited for, plus 1 */
};

/* Adopts the ids that the map remembers. */
int nexthops_init(struct nexthops *n, struct dp *dp, struct error *e);
void nexthops_done(struct nexthops *n);

/* The id of a remote host, a slot or a local vport, an old one if there is one. 0: none is free. */
uint32_t nexthops_claim_tunnel(struct nexthops *n, const struct ip_addr *remote);
/* One more way of the remote host whose id is @of: one that its table named before, or a new one. */
uint32_t nexthops_claim_way(struct nexthops *n, uint32_t of);
uint32_t nexthops_claim_slot(struct nexthops *n, uint64_t set, uint32_t slot);
uint32_t nexthops_claim_local(struct nexthops *n, uint32_t port);
uint32_t nexthops_find_local(const struct nexthops *n, uint32_t port);	/* without claiming; 0: none */
/* Takes packets for @id down and lets the id rest. */
void nexthops_release(struct nexthops *n, uint32_t id);
/* Releases what nobody claimed and no table in force names: the leftovers of an earlier agent. */
void nexthops_sweep(struct nexthops *n);

const struct nexthop_body *nexthops_body(const struct nexthops *n, uint32_t id);
/* Puts @body in force. @remote: NULL for a local next hop. Returns 1, 0 if it was already, or -errno. */
int nexthops_put(struct nexthops *n, uint32_t id, const struct nexthop_body *body,
		 const struct ip_addr *remote, struct error *e);
