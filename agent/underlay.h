/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * underlay.h - resolves remote hosts to next hops and follows changes
 *
 *	remote address ─route─► device + gateway ─neighbour─► MAC ─template─► dp_nexthop_set()
 *
 * For every remote host of the configuration one next hop id. The resolver asks
 * the kernel (libnl-route), follows link, address, route and neighbour events, asks
 * the kernel to probe neighbours that are unknown or went stale, and rewrites a next hop when its
 * answer changes. Ids survive a restart: they are found in the pinned map.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/config.h>
#include <agent/dp.h>
#include <lib/error.h>

struct event_base;
struct nexthops;
struct underlay;

enum underlay_state { UNDERLAY_NO_ROUTE, UNDERLAY_PROBING, UNDERLAY_READY };

/* Follows netlink events on @base. */
int underlay_new(struct event_base *base, struct dp *dp, struct underlay **ret, struct error *e);
void underlay_free(struct underlay *u);

/*
 * Takes the uplinks (with the port slots of config.uplinks[i]), endpoints and
 * remote hosts of @config; allocates ids for new hosts. @ret_ids: one id per
 * config.remotes[i]. Unresolved hosts get NEXTHOP_DOWN until they are resolved.
 * Hosts that are gone stay, for flows that go there still, until underlay_forget().
 */
int underlay_apply(struct underlay *u, const struct config *config, const uint32_t *uplink_slots,
		   uint32_t *ret_ids, struct error *e);
void underlay_forget(struct underlay *u);
/*
 * A host that no configuration need name: its next hop id, kept until as many underlay_unclaim()
 * and an underlay_forget(). 0: none is free. @addr must not be part of the list itself.
 */
uint32_t underlay_claim(struct underlay *u, const struct ip_addr *addr);
void underlay_unclaim(struct underlay *u, const struct ip_addr *addr);
uint32_t underlay_host_id(const struct underlay *u, const struct ip_addr *addr);	/* 0: it is not known */
/* True once @addr, which is known, is ready, or was asked and did not answer. */
bool underlay_host_settled(const struct underlay *u, const struct ip_addr *addr);
/* False: it is known to be out of reach. */
bool underlay_reachable(const struct underlay *u, const struct ip_addr *addr);
/* @fn is called when the next hop of a host may have changed. For one. */
void underlay_watch(struct underlay *u, void (*fn)(const struct ip_addr *addr, void *arg), void *arg);
struct nexthops *underlay_nexthops(struct underlay *u);
/* Next hop ids for local vports come out of the same space. Idempotent by @port. 0 = none free. */
uint32_t underlay_local_id(struct underlay *u, uint32_t port);
/* What the next hop of local vport @port says. @mtu: largest IP packet its device takes. */
int underlay_local_set(struct underlay *u, uint32_t port, uint32_t mtu, struct error *e);
void underlay_local_release(struct underlay *u, uint32_t port);

/* True once every host is READY or has been probed and given up on: misses may be answered. */
bool underlay_settled(const struct underlay *u);

struct underlay_view {
	uint32_t id;
	uint32_t way_of;		/* a way of several: id of the remote host's next hop, else 0 */
	unsigned int n_ways;		/* host with several ways: how many the route names, else 0 */
	struct ip_addr remote;
	enum underlay_state state;
	char device[16];
	struct ip_addr gateway;		/* of the underlay; zero = on link */
	uint8_t mac[ETH_ADDR_LEN];
	uint32_t mtu;			/* largest outer IP packet */
	uint64_t changes;		/* times the next hop was rewritten */
	const char *why;		/* what is wrong or awaited, one sentence; "" = nothing */
};
/* Calls @fn for every remote host, in order of id; for the ways of one that has several after it. */
void underlay_each(struct underlay *u, void (*fn)(const struct underlay_view *v, void *arg), void *arg);
