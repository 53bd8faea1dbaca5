// SPDX-License-Identifier: BSD-2-Clause
/*
 * hub.c - makes, finds and removes the hub's veth pair
 *
 * Creation is a ladder that may be climbed again from any rung: what is there
 * is kept, what is missing is added. An agent that was killed half way up, or
 * one that starts with the pair of its predecessor, ends with the same pair.
 *
 * The kernel delivers frames redirected into one end of a veth only while the
 * other end carries an XDP program or runs NAPI. Both ends of a hub carry one
 * (hub_resume, hub_feed), so attach them before the first frame is punted.
 *
 * See also: include/mirach/hub.h (the header of the frames).
 */
#include "hub.h"

#include <errno.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>

#include <lib/ethtool.h>
#include <lib/netlink.h>
#include <mirach/hub.h>

static unsigned int hub_mtu(void)
{
	return hub_packet_max() + sizeof(struct hub_header);
}

static int name_ends(const char *prefix, struct hub *hub, struct error *e)
{
	size_t room = sizeof(hub->near);

	if ((size_t)snprintf(hub->near, room, "%s0n", prefix) >= room ||
	    (size_t)snprintf(hub->far, room, "%s0f", prefix) >= room)
		return error_set(e, -ENAMETOOLONG,
				 "hub device prefix \"%s\" is too long: at most %d letters", prefix,
				 IF_NAMESIZE - 3);
	return 0;
}

static int not_ours(const struct hub *hub, struct error *e)
{
	return error_set(e, -EEXIST,
			 "%s and %s are to be the two ends of the hub, but a device of that name "
			 "is something else: rename or delete it", hub->near, hub->far);
}

static bool is_pair(struct rtnl_link *near, struct rtnl_link *far)
{
	const char *a = rtnl_link_get_type(near), *b = rtnl_link_get_type(far);

	return a && b && !strcmp(a, "veth") && !strcmp(b, "veth") &&
	       rtnl_link_get_link(near) == rtnl_link_get_ifindex(far) &&
	       rtnl_link_get_link(far) == rtnl_link_get_ifindex(near);
}

/* 0: the pair is there; -ENODEV: neither end is; anything else is an error with words. */
static int pair_find(struct nl_sock *nl, struct hub *hub, struct error *e)
{
	struct rtnl_link *near = NULL, *far = NULL;
	int near_err, far_err, err;

	near_err = netlink_link_find(nl, hub->near, &near, e);
	far_err = netlink_link_find(nl, hub->far, &far, e);
	if (near_err && near_err == far_err) {
		err = near_err;
	} else if (near_err || far_err || !is_pair(near, far)) {
		err = not_ours(hub, e);
	} else {
		hub->near_ifindex = rtnl_link_get_ifindex(near);
		hub->far_ifindex = rtnl_link_get_ifindex(far);
		err = 0;
	}
	rtnl_link_put(near);
	rtnl_link_put(far);
	return err;
}

/* One queue each way: a hub has one coprocessor thread, which has one socket. */
static void describe_end(struct rtnl_link *link, const char *name)
{
	rtnl_link_set_name(link, name);
	rtnl_link_set_mtu(link, hub_mtu());
	rtnl_link_set_num_rx_queues(link, 1);
	rtnl_link_set_num_tx_queues(link, 1);
}

static int pair_add(struct nl_sock *nl, const struct hub *hub, struct error *e)
{
	struct rtnl_link *near, *far;
	int err;

	near = rtnl_link_veth_alloc();
	if (!near)
		return error_set(e, -ENOMEM, "no memory for the hub's description");
	far = rtnl_link_veth_get_peer(near);
	describe_end(near, hub->near);
	describe_end(far, hub->far);
	err = netlink_errno(rtnl_link_add(nl, near, NLM_F_CREATE | NLM_F_EXCL));
	if (err)
		error_set(e, err, "cannot create the hub's veth pair %s, %s: %s%s", hub->near,
			  hub->far, strerror(-err),
			  err == -EPERM ? " (CAP_NET_ADMIN is needed)" :
			  err == -EOPNOTSUPP ? " (the kernel has no veth: modprobe veth)" : "");
	rtnl_link_put(far);
	rtnl_link_put(near);
	return err;
}

/*
 * Frames from tcx come with unfinished checksums and as super-packets; what goes
 * through the hub is finished when it leaves this end, for XDP takes it from there.
 */
#define CHECKSUM_OFFLOAD "tx-checksum-ip-generic"

static int end_up(struct nl_sock *nl, const char *name, struct error *e)
{
	struct rtnl_link *link, *change;
	int err;

	netlink_ipv6_off(name);
	ethtool_feature_set(name, CHECKSUM_OFFLOAD, false);
	err = netlink_link_find(nl, name, &link, e);
	if (err)
		return err == -ENODEV ? error_set(e, err, "%s has just been deleted", name) : err;
	change = rtnl_link_alloc();
	if (!change) {
		rtnl_link_put(link);
		return error_set(e, -ENOMEM, "no memory to bring up %s", name);
	}
	if (rtnl_link_get_mtu(link) != hub_mtu())
		rtnl_link_set_mtu(change, hub_mtu());
	rtnl_link_set_flags(change, IFF_UP);
	err = netlink_errno(rtnl_link_change(nl, link, change, 0));
	if (err)
		error_set(e, err, "cannot bring up %s with MTU %u: %s", name, hub_mtu(),
			  strerror(-err));
	rtnl_link_put(change);
	rtnl_link_put(link);
	return err;
}

int hub_create(const char *prefix, struct hub *ret, struct error *e)
{
	struct hub hub = {};
	struct nl_sock *nl;
	int err;

	err = name_ends(prefix, &hub, e);
	if (err)
		return err;
	err = netlink_open(&nl, e);
	if (err)
		return err;
	err = pair_find(nl, &hub, e);
	if (err == -ENODEV) {
		err = pair_add(nl, &hub, e);
		if (!err)
			err = pair_find(nl, &hub, e);
	}
	if (!err)
		err = end_up(nl, hub.near, e);
	if (!err)
		err = end_up(nl, hub.far, e);
	if (!err)
		*ret = hub;
	nl_socket_free(nl);
	return err;
}

/* Deleting one end of a veth takes the other with it. */
static int pair_del(struct nl_sock *nl, const struct hub *hub, struct error *e)
{
	struct rtnl_link *link = rtnl_link_alloc();
	int err;

	if (!link)
		return error_set(e, -ENOMEM, "no memory to delete %s", hub->near);
	rtnl_link_set_ifindex(link, hub->near_ifindex);
	err = netlink_errno(rtnl_link_delete(nl, link));
	rtnl_link_put(link);
	if (err && err != -ENODEV)
		return error_set(e, err, "cannot delete the hub %s: %s", hub->near, strerror(-err));
	return 0;
}

int hub_destroy(const char *prefix, struct error *e)
{
	struct hub hub = {};
	struct nl_sock *nl;
	int err;

	err = name_ends(prefix, &hub, e);
	if (err)
		return err;
	err = netlink_open(&nl, e);
	if (err)
		return err;
	err = pair_find(nl, &hub, e);
	if (err == -ENODEV)
		err = 0;
	else if (!err)
		err = pair_del(nl, &hub, e);
	nl_socket_free(nl);
	return err;
}
