/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hub.h - the internal veth pair between the fast path and a coprocessor
 *
 *	fast path ──redirect──► near ═══ far ──hub_feed──► AF_XDP socket
 *	fast path ◄─hub_resume─ near ═══ far ◄──────────── AF_XDP socket
 *
 * The pair outlives the agent, like the maps: a restarted agent finds it by name.
 */
#pragma once

#include <net/if.h>

#include <lib/error.h>
#include <lib/xdp_features.h>
#include <mirach/hub.h>

struct hub {
	char near[IF_NAMESIZE], far[IF_NAMESIZE];
	int near_ifindex, far_ifindex;
};

/*
 * Makes the pair "<prefix>0n" and "<prefix>0f", or finds it; brings it up, MTU
 * hub_packet_max() (xdp_features.h) + hub header, no addresses, no IPv6 autoconfiguration.
 */
int hub_create(const char *prefix, struct hub *ret, struct error *e);
/* Removes the pair; missing is not an error. */
int hub_destroy(const char *prefix, struct error *e);
