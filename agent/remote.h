/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remote.h - one remote host: its ways through the underlay, and its next hop
 *
 *	                 one way     next hop = template                     TUNNEL
 *	remote ─ways─►
 *	                 several     next hop = table of places ─► next hop   SPREAD
 *	                             of each way = template                   TUNNEL
 *
 * Each way has a resolver of its own. A host that had several ways once keeps its
 * table as long as it is known, so that a way that comes and goes costs one write and
 * no flow: the others are given its places, and it gets its share back (spread.h).
 *
 * A way that the route does not name any more keeps its id and its last template,
 * which nobody refers to, until it is named again.
 *
 * See also: underlay.h (the set of hosts, when to look), path.h (the questions).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/nexthops.h>
#include <agent/path.h>
#include <agent/pmtu.h>
#include <agent/resolver.h>
#include <agent/template.h>
#include <agent/underlay.h>

struct remote_way {
	bool named;			/* the route names it */
	uint32_t id;			/* its own next hop, 0 = none: the host's serves */
	uint32_t weight;
	struct resolver resolver;
	char device[IF_NAMESIZE];	/* the route leaves by it */
};

struct remote {
	struct ip_addr addr;
	uint32_t id;			/* what flows name */
	uint32_t claims;		/* of those who asked by name: hoverboards, endpoints */
	bool leaving;			/* no configuration names it any more, nobody claims it */
	bool inherited;			/* an earlier agent's answer is in force until we know better */
	bool spread;			/* has a table */
	uint16_t places[NEXTHOP_WAYS];
	struct remote_way ways[PATH_WAYS_MAX];
	struct pmtu pmtu;		/* what routers on the way said */
	char why[PATH_WHY_LEN];		/* what is wrong with the way; "" = nothing */
	uint64_t changes;
};

/* What hosts do their work with. */
struct remote_tools {
	struct paths paths;
	struct nexthops nexthops;
	struct tunnel_spec spec;	/* the part that is the same for all hosts */
};

void remote_init(struct remote *r, uint32_t id, uint64_t now_ns);
/* Asks the kernel, decides, and puts what follows in force. */
void remote_refresh(struct remote *r, struct remote_tools *t, uint64_t now_ns);
/* The set of uplinks, or what is the same for all hosts, has changed. */
void remote_reconsider(struct remote *r, struct remote_tools *t, uint64_t now_ns);
/* Gives its ids back. */
void remote_release(struct remote *r, struct remote_tools *t);

uint64_t remote_due_ns(const struct remote *r);
void remote_hurry(struct remote *r);	/* due at once */
bool remote_up(const struct remote *r);
bool remote_settled(const struct remote *r);
uint32_t remote_mtu(const struct remote *r);	/* of outer packets, by its widest way; 0 = none is up */
bool remote_leaves_by(const struct remote *r, int ifindex);
bool remote_asks_for(const struct remote *r, int ifindex, const struct ip_addr *hop);

/* The host, and then each of its ways if it has a table. */
void remote_show(const struct remote *r, void (*fn)(const struct underlay_view *v, void *arg), void *arg);
