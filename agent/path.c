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

static void say(struct path_ways *ret, const char *text)
{
	snprintf(ret->why, sizeof(ret->why), "%s", text);
}

/* One next hop of the route, if it leaves by an uplink. @mtu: the route's, 0 = the device's. */
static void add_way(struct paths *p, const struct ip_addr *remote, const struct nl_way *way,
		    uint32_t mtu, struct path_ways *ret)
{
	struct path_way *w = &ret->way[ret->n];
	const struct path_uplink *uplink;
	struct nl_link device;
	int err = find_device(p, way->ifindex, &device);

	if (err) {
		say(ret, log_fmt("its route's device: %s", strerror(-err)));
		return;
	}
	uplink = uplink_behind(p, &device);
	if (!uplink) {
		say(ret, log_fmt("its route leaves by %s, which is no uplink", device.name));
		return;
	}
	*w = (struct path_way){
		.path = {
			.ifindex = device.ifindex,
			.uplink = uplink->slot,
			.mtu = mtu && mtu < device.mtu ? mtu : device.mtu,
			.hop = ip_addr_is_zero(&way->gateway) ? *remote : way->gateway,
		},
		.weight = way->weight,
	};
	memcpy(w->path.smac, device.mac, ETH_ADDR_LEN);
	memcpy(w->device, device.name, IF_NAMESIZE);
	ret->n++;
}

/* The kernel refuses to route from an address it does not have; Mirach can, and says so. */
static const struct ip_addr *route_source(const struct paths *p, const struct ip_addr *local,
					  struct path_ways *ret)
{
	char text[IP_ADDR_STRLEN];

	if (p->has_local[local - p->local])
		return local;
	say(ret, log_fmt("this host does not have its underlay address %s",
			 ip_addr_format(local, text, sizeof(text))));
	return NULL;
}

void path_find(struct paths *p, const struct ip_addr *remote, struct path_ways *ret)
{
	const struct ip_addr *local = path_local(p, remote), *from;
	struct nl_way ways[NL_WAYS_MAX];
	struct nl_route route;
	unsigned int i, n = 0;
	int err;

	*ret = (struct path_ways){};
	if (ip_addr_is_zero(local)) {
		say(ret, "host.underlay has no address of this family");
		return;
	}
	from = route_source(p, local, ret);
	err = nl_route_get(p->nl, remote, from, &route);
	if (err) {
		say(ret, log_fmt("no route: %s", strerror(-err)));
		return;
	}
	if (route.local) {
		say(ret, "it is this host's own address");
		return;
	}
	if (nl_route_ways(p->nl, remote, from, ways, &n) || !n) {
		ways[0] = (struct nl_way){ route.ifindex, route.gateway, 1 };
		n = 1;
	}
	for (i = 0; i < n; i++)
		add_way(p, remote, &ways[i], route.mtu, ret);
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

void path_neighbour(struct paths *p, const struct resolver_path *path, struct resolver_facts *ret)
{
	struct nl_neigh neigh;

	*ret = (struct resolver_facts){ .neighbour = NEIGHBOUR_NONE, .routed = path };
	if (!path)
		return;
	ret->path = *path;
	if (nl_neigh_get(p->nl, path->ifindex, &path->hop, &neigh))
		return;
	ret->neighbour = neighbour_word(&neigh);
	memcpy(ret->mac, neigh.mac, ETH_ADDR_LEN);
}
