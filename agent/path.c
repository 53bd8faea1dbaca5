/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * path.c - route, device, uplink, neighbour: the questions of path.h in order
 */
#include <agent/path.h>

#include <errno.h>
#include <linux/neighbour.h>
#include <stdio.h>
#include <string.h>

#include <lib/log.h>

/* An address is this host's own if the way to it is local. */
static bool has_address(struct paths *p, const struct ip_addr *addr)
{
	struct nl_route route;

	return !ip_addr_is_zero(addr) && !nl_route_get(p->nl, addr, NULL, &route) && route.local;
}

void path_look(struct paths *p)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		p->has_local[i] = has_address(p, &p->local[i]);
	for (i = 0; i < p->n_uplinks; i++)
		if (nl_link_by_name(p->nl, p->uplinks[i].device, &p->uplinks[i].link))
			p->uplinks[i].link = (struct nl_link){};
}

const struct path_uplink *path_uplink(const struct paths *p, uint32_t slot)
{
	unsigned int i;

	for (i = 0; i < p->n_uplinks; i++)
		if (p->uplinks[i].slot == slot)
			return &p->uplinks[i];
	return NULL;
}

bool path_is_uplink(const struct paths *p, int ifindex, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->n_uplinks; i++)
		if (p->uplinks[i].link.ifindex == ifindex || !strcmp(p->uplinks[i].device, name))
			return true;
	return false;
}

const struct ip_addr *path_local(const struct paths *p, const struct ip_addr *remote)
{
	return &p->local[ip_addr_is_v4(remote) ? 0 : 1];
}

/*
 * The uplink behind the device a route leaves by: that device itself, the one a
 * VLAN device is stacked on, or a member of the bridge or bond.
 */
static const struct path_uplink *uplink_behind(const struct paths *p, const struct nl_link *device)
{
	unsigned int i;

	for (i = 0; i < p->n_uplinks; i++) {
		const struct nl_link *link = &p->uplinks[i].link;

		if (link->ifindex && (link->ifindex == device->ifindex ||
				      link->ifindex == device->lower ||
				      link->master == device->ifindex))
			return &p->uplinks[i];
	}
	return NULL;
}

/* The kernel refuses to route from an address it does not have; Mirach can, and says so. */
static int find_route(struct paths *p, const struct ip_addr *remote, struct nl_route *ret,
		      char why[PATH_WHY_LEN])
{
	const struct ip_addr *local = path_local(p, remote);
	char text[IP_ADDR_STRLEN];

	if (p->has_local[local - p->local])
		return nl_route_get(p->nl, remote, local, ret);
	snprintf(why, PATH_WHY_LEN, "this host does not have its underlay address %s",
		 ip_addr_format(local, text, sizeof(text)));
	return nl_route_get(p->nl, remote, NULL, ret);
}

static int find_device(struct paths *p, int ifindex, struct nl_link *ret)
{
	unsigned int i;

	for (i = 0; i < p->n_uplinks; i++)
		if (p->uplinks[i].link.ifindex == ifindex) {
			*ret = p->uplinks[i].link;
			return 0;
		}
	return nl_link_by_index(p->nl, ifindex, ret);
}

static bool no_way(char why[PATH_WHY_LEN], const char *text)
{
	snprintf(why, PATH_WHY_LEN, "%s", text);
	return false;
}

static bool find_path(struct paths *p, const struct ip_addr *remote, struct resolver_path *ret,
		      char device_name[IF_NAMESIZE], char why[PATH_WHY_LEN])
{
	const struct path_uplink *uplink;
	struct nl_route route;
	struct nl_link device;
	int err;

	if (ip_addr_is_zero(path_local(p, remote)))
		return no_way(why, "host.underlay has no address of this family");
	err = find_route(p, remote, &route, why);
	if (err)
		return no_way(why, log_fmt("no route: %s", strerror(-err)));
	if (route.local)
		return no_way(why, "it is this host's own address");
	err = find_device(p, route.ifindex, &device);
	if (err)
		return no_way(why, log_fmt("its route's device: %s", strerror(-err)));
	memcpy(device_name, device.name, IF_NAMESIZE);
	uplink = uplink_behind(p, &device);
	if (!uplink)
		return no_way(why, log_fmt("its route leaves by %s, which is no uplink",
					   device.name));
	*ret = (struct resolver_path){
		.ifindex = device.ifindex,
		.uplink = uplink->slot,
		.mtu = route.mtu && route.mtu < device.mtu ? route.mtu : device.mtu,
		.hop = ip_addr_is_zero(&route.gateway) ? *remote : route.gateway,
	};
	memcpy(ret->smac, device.mac, ETH_ADDR_LEN);
	return true;
}

static enum resolver_neighbour neighbour_word(const struct nl_neigh *neigh)
{
	if (neigh->state & NUD_FAILED)
		return NEIGHBOUR_DEAD;
	if (neigh->state & NUD_INCOMPLETE)
		return NEIGHBOUR_ASKED;
	if (mac_is_zero(neigh->mac))
		return NEIGHBOUR_NONE;
	if (neigh->state & (NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP))
		return NEIGHBOUR_GOOD;
	if (neigh->state & (NUD_DELAY | NUD_PROBE))
		return NEIGHBOUR_VERIFYING;
	return neigh->state & NUD_STALE ? NEIGHBOUR_OLD : NEIGHBOUR_NONE;
}

void path_find(struct paths *p, const struct ip_addr *remote, struct resolver_facts *ret,
	       char ret_device[IF_NAMESIZE], char ret_why[PATH_WHY_LEN])
{
	struct nl_neigh neigh;

	*ret = (struct resolver_facts){ .neighbour = NEIGHBOUR_NONE };
	ret_device[0] = '\0';
	ret_why[0] = '\0';
	ret->routed = find_path(p, remote, &ret->path, ret_device, ret_why);
	if (!ret->routed || nl_neigh_get(p->nl, ret->path.ifindex, &ret->path.hop, &neigh))
		return;
	ret->neighbour = neighbour_word(&neigh);
	memcpy(ret->mac, neigh.mac, ETH_ADDR_LEN);
}
