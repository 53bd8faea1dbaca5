// SPDX-License-Identifier: BSD-2-Clause
/*
 * gro.c - makes and removes the device behind gro.h
 *
 * Always made anew: an earlier agent's may be for another port, and the moment
 * without it costs speed only.
 */
#include "gro.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>

#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/geneve.h>
#include <netlink/route/link/vxlan.h>

#include <lib/log.h>
#include <lib/netlink.h>
#include <mirach/nexthop.h>
#include <mirach/wire.h>

#define PORT_NAME "gro"			/* of the program's link */

static struct rtnl_link *describe(__u8 tunnel, __be16 port)
{
	struct rtnl_link *link;

	if (tunnel == TUNNEL_VXLAN) {
		link = rtnl_link_vxlan_alloc();
		if (link) {
			rtnl_link_vxlan_set_port(link, host16(port));
			rtnl_link_vxlan_set_collect_metadata(link, 1);
			rtnl_link_vxlan_set_learning(link, 0);
			rtnl_link_vxlan_set_udp_zero_csum6_rx(link, 1);
		}
	} else {
		link = rtnl_link_geneve_alloc();
		if (link) {
			rtnl_link_geneve_set_port(link, host16(port));
			rtnl_link_geneve_set_flags(link, RTNL_LINK_GENEVE_F_COLLECT_METADATA, 1);
			rtnl_link_geneve_set_udp_zero_csum6_rx(link, 1);
		}
	}
	if (link)
		rtnl_link_set_name(link, GRO_DEVICE);
	return link;
}

static int add(struct nl_sock *nl, __u8 tunnel, __be16 port, struct error *e)
{
	struct rtnl_link *link = describe(tunnel, port);
	int err;

	if (!link)
		return error_set(e, -ENOMEM, "out of memory");
	err = netlink_errno(rtnl_link_add(nl, link, NLM_F_CREATE | NLM_F_EXCL));
	rtnl_link_put(link);
	return err ? error_set(e, err, "cannot create %s: %s%s", GRO_DEVICE, strerror(-err),
			       err == -EOPNOTSUPP ? " (the kernel lacks the tunnel's module)" : "") : 0;
}

static int del(struct nl_sock *nl, struct error *e)
{
	struct rtnl_link *link;
	int err = netlink_link_find(nl, GRO_DEVICE, &link, e);

	if (err)
		return err == -ENODEV ? 0 : err;
	err = netlink_errno(rtnl_link_delete(nl, link));
	rtnl_link_put(link);
	return err && err != -ENODEV ? error_set(e, err, "cannot delete %s: %s", GRO_DEVICE,
						 strerror(-err)) : 0;
}

/* The socket opens when the device comes up; the program is there by then. */
static int guard_and_open(struct nl_sock *nl, struct dp *dp, int *ret_ifindex, struct error *e)
{
	struct rtnl_link *link, *change;
	int err = netlink_link_find(nl, GRO_DEVICE, &link, e);

	if (err)
		return err;
	*ret_ifindex = rtnl_link_get_ifindex(link);
	change = rtnl_link_alloc();
	netlink_ipv6_off(GRO_DEVICE);
	err = change ? dp_port_attach(dp, PORT_NAME, *ret_ifindex, DP_INGRESS, DP_HOOK_TCX,
				      e) : error_set(e, -ENOMEM, "out of memory");
	if (!err) {
		rtnl_link_set_flags(change, IFF_UP);
		err = netlink_errno(rtnl_link_change(nl, link, change, 0));
		if (err)
			error_set(e, err, "cannot bring up %s: %s", GRO_DEVICE, strerror(-err));
	}
	rtnl_link_put(change);
	rtnl_link_put(link);
	return err;
}

static int make(struct gro *g, struct dp *dp, struct error *e)
{
	struct nl_sock *nl;
	int err = netlink_open(&nl, e);

	if (err)
		return err;
	err = del(nl, e);
	if (!err && g->tunnel != TUNNEL_GRE)
		err = add(nl, g->tunnel, g->port, e);
	if (!err && g->tunnel != TUNNEL_GRE)
		err = guard_and_open(nl, dp, &g->ifindex, e);
	if (err) {
		g->ifindex = 0;
		del(nl, NULL);
	}
	nl_socket_free(nl);
	return err;
}

void gro_keep(struct gro *g, struct dp *dp, uint32_t slot, const struct port *uplink)
{
	struct error e = {};

	if (!g->slot)
		g->slot = slot;
	if (g->tried && g->tunnel == uplink->tunnel && g->port == uplink->tunnel_port)
		return;
	*g = (struct gro){ .tunnel = uplink->tunnel, .port = uplink->tunnel_port, .tried = true,
			   .slot = g->slot };
	if (make(g, dp, &e))
		log_warn("tunnelled segments will not be put together on the way in, unless another "
			 "tunnel of the kernel's has the port", "error", e.text);
}

void gro_leave(struct gro *g, uint32_t slot)
{
	if (g->slot == slot)
		g->slot = 0;
}

int gro_remove(struct error *e)
{
	struct nl_sock *nl;
	int err = netlink_open(&nl, e);

	if (err)
		return err;
	err = del(nl, e);
	nl_socket_free(nl);
	return err;
}
