/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl.h - rtnetlink: questions with answers, and news
 *
 * Two kinds of socket, both in the network namespace of the thread that opens
 * them. A struct nl asks the kernel one question at a time and waits for the
 * answer, which the kernel gives at once. A struct nl_watch brings news into a
 * libevent loop. News say only *what to look at again*: the facts always come from a
 * fresh question, so that lost, late or merged news can never leave an old
 * fact standing. When the kernel had to throw news away (ENOBUFS), the watcher is
 * told to look at everything (NL_RESYNC).
 *
 * All functions return 0 or -errno.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <net/if.h>

#include <lib/addr.h>
#include <lib/error.h>

struct event_base;

/* Questions. Not thread-safe: one struct nl per thread. */
struct nl;

int nl_new(struct nl **ret, struct error *e);
void nl_free(struct nl *nl);		/* NULL is allowed */

struct nl_link {
	int ifindex;
	int lower;			/* ifindex of the device it is stacked on, or of a veth's peer in this namespace; 0 = none */
	int master;			/* ifindex of its bridge or bond; 0 = none */
	uint32_t mtu;
	uint16_t vlan;			/* VLAN device: its VID */
	bool ethernet;			/* frames begin with an Ethernet header */
	bool up;			/* administratively */
	bool carrier;
	bool peer_elsewhere;		/* veth: its other end is in another network namespace */
	bool vnet_hdr;			/* tap: its user may hand over unfinished checksums and super-packets */
	uint32_t queues;		/* multi-queue tap: how many its user has opened, else 0 */
	uint8_t mac[ETH_ADDR_LEN];
	char name[IF_NAMESIZE];
	char kind[16];			/* "veth", "tun", "vlan", ...; "" for hardware */
};
/* -ENODEV: no such device. */
int nl_link_by_name(struct nl *nl, const char *name, struct nl_link *ret);
int nl_link_by_index(struct nl *nl, int ifindex, struct nl_link *ret);

#define NL_MEMBERS_MAX 8u
/* The devices whose master is @ifindex, up to NL_MEMBERS_MAX of them, in the kernel's order. */
int nl_link_members(struct nl *nl, int ifindex, int *ret, unsigned int *ret_n);

struct nl_route {
	int ifindex;			/* device to leave by */
	struct ip_addr gateway;		/* all zero: the destination is on link */
	uint32_t mtu;			/* of the route or of path MTU discovery; 0 = the device's */
	bool local;			/* the destination is this host itself */
};
/*
 * The route the kernel would take to @dst from @src (NULL: any source).
 * -ENETUNREACH: none, or the host has no address @src (IPv4 only); -EHOSTUNREACH,
 * -EACCES, -EINVAL: the administrator says that there is none.
 */
int nl_route_get(struct nl *nl, const struct ip_addr *dst, const struct ip_addr *src,
		 struct nl_route *ret);

#define NL_WAYS_MAX 8u

struct nl_way {
	int ifindex;
	struct ip_addr gateway;		/* all zero: on link */
	uint32_t weight;		/* 1..256 */
};
/*
 * The next hops of equal cost of the route to @dst that the kernel would take, but for those it
 * knows to be dead; @ret has room for NL_WAYS_MAX, further ones are left out. A route with
 * a single next hop has none. Errors as nl_route_get().
 */
int nl_route_ways(struct nl *nl, const struct ip_addr *dst, const struct ip_addr *src,
		  struct nl_way *ret, unsigned int *ret_n);

struct nl_neigh {
	uint16_t state;			/* NUD_* of linux/neighbour.h */
	uint8_t mac[ETH_ADDR_LEN];	/* zero while unknown */
};
/* -ENOENT: the kernel has no entry. */
int nl_neigh_get(struct nl *nl, int ifindex, const struct ip_addr *addr, struct nl_neigh *ret);
/*
 * Tells the kernel that the neighbour is in use: an unknown or failed one is
 * asked for, a stale one is verified, a good one is left alone (NTF_USE).
 */
int nl_neigh_use(struct nl *nl, int ifindex, const struct ip_addr *addr);

/* News. */
enum nl_news_kind { NL_LINK, NL_ADDR, NL_ROUTE, NL_NEIGH, NL_RESYNC };

struct nl_news {
	enum nl_news_kind kind;
	bool gone;			/* the object was deleted */
	int ifindex;			/* link, address, neighbour; 0 for a route */
	char name[IF_NAMESIZE];		/* link */
	int master;			/* link: ifindex of its bridge or bond; 0 = none */
	struct ip_prefix addr;		/* address, neighbour (/128), or the route's destination */
};
typedef void (*nl_news_fn)(const struct nl_news *news, void *arg);

struct nl_watch;

/* Calls @fn from @base for news of the @kinds (bits 1 << NL_LINK ...), and for NL_RESYNC. */
int nl_watch_new(struct event_base *base, unsigned int kinds, nl_news_fn fn, void *arg,
		 struct nl_watch **ret, struct error *e);
void nl_watch_free(struct nl_watch *watch);	/* NULL is allowed */
