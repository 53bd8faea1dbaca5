/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vport.h - the life of vports (and uplinks) over rtnetlink
 *
 *	   device appears              attached, guest prepared
 *	ABSENT ───────► ATTACHING ──────────────────────────► READY
 *	   ▲                 │ refused: says why, retried        │
 *	   └─────────────────┴──── device disappears ◄───────────┘
 *
 * A vport is declared by name and device; the device may come late, be renamed,
 * vanish and come back. A slot belongs to the declaration, not to the device, so
 * flows and counters live on. Slots of a restarted agent are found by name in
 * the pinned ports map.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/config.h>
#include <agent/dp.h>
#include <agent/underlay.h>
#include <lib/error.h>

struct event_base;
struct vports;

enum vport_state { VPORT_ABSENT, VPORT_ATTACHING, VPORT_READY, VPORT_REFUSED };

/* @hub_slot: port slot of the hub that takes misses. */
int vports_new(struct event_base *base, struct dp *dp, struct underlay *u, uint32_t hub_slot,
	       struct vports **ret, struct error *e);
void vports_free(struct vports *v);	/* leaves devices attached */

/*
 * Names and numbers the vports and uplinks of @config: allocates slots and local
 * next hops, and attaches the uplinks. @ret_*: port slots and local next hop ids for
 * policy_bindings, config order. Vports stay what they are until vports_settle();
 * an error changes nothing.
 */
int vports_apply(struct vports *v, const struct config *config, uint32_t *ret_uplink_slots,
		 uint32_t *ret_vport_slots, uint32_t *ret_vport_nexthops, struct error *e);
/*
 * Makes true what the last vports_apply() numbered: attaches what is present,
 * detaches and clears what is gone, writes neighbours (instances and gateways).
 * Keeps no pointer into @config. A device that is missing or refuses is not an
 * error of the call; its state says so.
 */
int vports_settle(struct vports *v, const struct config *config, const uint32_t *vport_slots,
		  struct error *e);

struct vport_view {
	const char *name, *device, *network;
	uint32_t slot, vni;
	int ifindex;
	bool uplink;
	enum vport_state state;
	const char *driver;		/* "veth", "tun", ... */
	const char *hook;		/* "xdp", "tcx" */
	const char *mode;		/* "native", "generic"; of tcx "link", "clsact" */
	const char *why;		/* why this hook and mode, one sentence */
	const char *problem;		/* REFUSED, or what will not work; "" = none */
	uint8_t mac[ETH_ADDR_LEN];
	const struct ip_addr *addrs;
	unsigned int n_addrs;
	uint16_t vlan[2];
	uint32_t mtu;
	uint32_t miss_rate;
};
void vports_each(struct vports *v, void (*fn)(const struct vport_view *view, void *arg), void *arg);
