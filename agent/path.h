/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.h - what the kernel says of the way to a remote host
 *
 *	remote ─route─► device (► uplink), gateway ─neighbour─► MAC
 *	              ╰► of every next hop, if the route has several of equal cost
 *
 * Questions only, asked afresh each time; nothing is remembered but what all
 * answers have in common, which path_look() reads once for a round of them.
 *
 * See also: resolver.h (what follows from the facts), underlay.c (when to ask).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/config.h>
#include <agent/resolver.h>
#include <lib/nl.h>

#define PATH_WHY_LEN 160

struct path_uplink {
	char device[IF_NAMESIZE];
	uint32_t slot;
	uint16_t vlan;			/* VID of the underlay on it, 0 = untagged */
	struct nl_link link;		/* ifindex 0: the device is away */
};

struct paths {
	struct nl *nl;
	struct ip_addr local[2];	/* tunnel endpoints, IPv4 then IPv6; zero = none */
	bool has_local[2];		/* the host has that address */
	struct path_uplink uplinks[CONFIG_UPLINKS_MAX];
	unsigned int n_uplinks;
};

/* Reads the uplinks and the host's own addresses again. */
void path_look(struct paths *p);
/* The uplink in a port slot, or NULL. */
const struct path_uplink *path_uplink(const struct paths *p, uint32_t slot);
const struct ip_addr *path_local(const struct paths *p, const struct ip_addr *remote);
/* Whether the device is an uplink, by its number or by its configured name. */
bool path_is_uplink(const struct paths *p, int ifindex, const char *name);

#define PATH_WAYS_MAX NL_WAYS_MAX

struct path_way {
	struct resolver_path path;
	uint32_t weight;		/* among the ways of equal cost */
	char device[IF_NAMESIZE];	/* the route leaves by it */
};

struct path_ways {
	struct path_way way[PATH_WAYS_MAX];
	unsigned int n;			/* 0: there is no way */
	char why[PATH_WHY_LEN];		/* what is wrong, or "" */
};

/* Finds the ways to @remote. */
void path_find(struct paths *p, const struct ip_addr *remote, struct path_ways *ret);
/* What the kernel knows of the next hop of @path; NULL: there is no way. */
void path_neighbour(struct paths *p, const struct resolver_path *path, struct resolver_facts *ret);
