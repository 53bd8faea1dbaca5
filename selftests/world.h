/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a small configured world for tests: two tenants with the same addresses
 *
 *	red, VNI 100                                 blue, VNI 200
 *	10.0.0.0/24, 10.0.1.0/24, fd00:1::/64        10.0.0.0/24
 *	  slot 5  web-1  10.0.0.11 fd00:1::11          slot 9  shop-1  10.0.0.11
 *	  slot 6  web-2  10.0.0.13
 *	  slot 7  trunk  10.0.0.14  VLAN 10
 *	  slot 8  qinq   10.0.1.15  VLAN 10, 20
 *	remotes                                      remotes
 *	  10.0.0.12, fd00:1::12   at 192.0.2.2         10.0.0.12  at 192.0.2.3
 *	  10.0.1.12 (MAC unknown) at 192.0.2.2
 *	  10.9.0.0/16             at 192.0.2.3
 *	  10.9.5.0/24             at 192.0.2.4
 *	  10.0.0.128/25           at 192.0.2.3
 *	  ::/0                    at 192.0.2.4
 *
 * Every subnet's gateway is its first address. Slot and next hop of a vport, and
 * next hop of a remote, say which one it is: vport i has slot 5 + i and next hop
 * 105 + i, remote i has next hop 200 + i.
 */
#pragma once

#include <assert.h>

#include <agent/config.h>
#include <agent/policy/policy.h>
#include <selftests/packet.h>

enum { RED, BLUE, WORLD_NETWORKS };
enum { WEB_1, WEB_2, TRUNK, QINQ, SHOP_1, WORLD_VPORTS };
enum {
	RED_12, RED_12_V6, RED_ROUTED_12, RED_WIDE, RED_NARROW, RED_HALF, RED_DEFAULT_V6, BLUE_12,
	WORLD_REMOTES
};

#define WORLD_SLOT(vport) (5u + (vport))
#define WORLD_LOCAL_NEXTHOP(vport) (105u + (vport))
#define WORLD_REMOTE_NEXTHOP(remote) (200u + (remote))

struct world {
	struct config config;
	struct config_network networks[WORLD_NETWORKS];
	struct config_subnet subnets[4];
	struct config_vport vports[WORLD_VPORTS];
	struct config_remote remotes[WORLD_REMOTES];
	struct config_sample samples[3];
	uint32_t slots[WORLD_VPORTS], nexthops[WORLD_VPORTS], remote_nexthops[WORLD_REMOTES];
};

static inline struct ip_prefix world_prefix(const char *text)
{
	struct ip_prefix p = {};
	int err = ip_prefix_parse(text, &p);

	assert(!err);
	(void)err;
	return p;
}

/* MACs of the world: 02:00:00:00:<kind>:<i>, kind 1 for vports, 2 for remotes, 3 for gateways. */
static inline void world_mac(uint8_t mac[ETH_ADDR_LEN], uint8_t kind, uint8_t i)
{
	const uint8_t m[ETH_ADDR_LEN] = { 2, 0, 0, 0, kind, i };

	memcpy(mac, m, sizeof(m));
}

static inline struct config_vport world_vport(int i, char *name, int network, const char *a,
					      const char *b)
{
	struct config_vport v = { .name = name, .network = network, .device = name };

	world_mac(v.mac, 1, i);
	v.addrs[v.n_addrs++] = packet_addr(a);
	if (b)
		v.addrs[v.n_addrs++] = packet_addr(b);
	return v;
}

static inline struct config_remote world_remote(int i, int network, const char *p, const char *host)
{
	struct config_remote r = { .network = network, .prefix = world_prefix(p), .host = packet_addr(host) };

	world_mac(r.mac, 2, i);
	return r;
}

static inline void world_networks(struct world *w)
{
	const char *subnets[][2] = {
		{ "10.0.0.0/24", "10.0.0.1" },
		{ "10.0.1.0/24", "10.0.1.1" },
		{ "fd00:1::/64", "fd00:1::1" },
		{ "10.0.0.0/24", "10.0.0.1" },
	};

	for (unsigned int i = 0; i < COUNT(subnets); i++) {
		w->subnets[i].prefix = world_prefix(subnets[i][0]);
		w->subnets[i].gateway = packet_addr(subnets[i][1]);
	}
	w->networks[RED] = (struct config_network){
		.name = "red", .vni = 100, .subnets = w->subnets, .n_subnets = 3 };
	w->networks[BLUE] = (struct config_network){
		.name = "blue", .vni = 200, .subnets = w->subnets + 3, .n_subnets = 1 };
	world_mac(w->networks[RED].gateway_mac, 3, RED);
	world_mac(w->networks[BLUE].gateway_mac, 3, BLUE);
}

static inline void world_instances(struct world *w)
{
	w->vports[WEB_1] = world_vport(WEB_1, "web-1", RED, "10.0.0.11", "fd00:1::11");
	w->vports[WEB_2] = world_vport(WEB_2, "web-2", RED, "10.0.0.13", NULL);
	w->vports[TRUNK] = world_vport(TRUNK, "trunk", RED, "10.0.0.14", NULL);
	w->vports[TRUNK].vlan[0] = 10;
	w->vports[QINQ] = world_vport(QINQ, "qinq", RED, "10.0.1.15", NULL);
	w->vports[QINQ].vlan[0] = 10;
	w->vports[QINQ].vlan[1] = 20;
	w->vports[SHOP_1] = world_vport(SHOP_1, "shop-1", BLUE, "10.0.0.11", NULL);

	w->remotes[RED_12] = world_remote(RED_12, RED, "10.0.0.12", "192.0.2.2");
	w->remotes[RED_12_V6] = world_remote(RED_12_V6, RED, "fd00:1::12", "192.0.2.2");
	w->remotes[RED_ROUTED_12] = world_remote(RED_ROUTED_12, RED, "10.0.1.12", "192.0.2.2");
	memset(w->remotes[RED_ROUTED_12].mac, 0, ETH_ADDR_LEN);
	w->remotes[RED_WIDE] = world_remote(RED_WIDE, RED, "10.9.0.0/16", "192.0.2.3");
	w->remotes[RED_NARROW] = world_remote(RED_NARROW, RED, "10.9.5.0/24", "192.0.2.4");
	w->remotes[RED_HALF] = world_remote(RED_HALF, RED, "10.0.0.128/25", "192.0.2.3");
	w->remotes[RED_DEFAULT_V6] = world_remote(RED_DEFAULT_V6, RED, "::/0", "192.0.2.4");
	w->remotes[BLUE_12] = world_remote(BLUE_12, BLUE, "10.0.0.12", "192.0.2.3");
}

/* Without sample rules: tests add theirs to w->samples and count them in w->config. */
static inline void world_init(struct world *w)
{
	memset(w, 0, sizeof(*w));
	world_networks(w);
	world_instances(w);
	for (unsigned int i = 0; i < WORLD_VPORTS; i++) {
		w->slots[i] = WORLD_SLOT(i);
		w->nexthops[i] = WORLD_LOCAL_NEXTHOP(i);
	}
	for (unsigned int i = 0; i < WORLD_REMOTES; i++)
		w->remote_nexthops[i] = WORLD_REMOTE_NEXTHOP(i);
	w->config = (struct config){
		.tunnel = TUNNEL_VXLAN,
		.networks = w->networks, .n_networks = WORLD_NETWORKS,
		.vports = w->vports, .n_vports = WORLD_VPORTS,
		.remotes = w->remotes, .n_remotes = WORLD_REMOTES,
		.samples = w->samples,
	};
}

static inline struct policy *world_policy(const struct world *w)
{
	const struct policy_bindings b = {
		.vport_slots = w->slots,
		.vport_nexthops = w->nexthops,
		.remote_nexthops = w->remote_nexthops,
	};
	struct policy *p = NULL;
	int err = policy_new(&w->config, &b, &p);

	assert(!err);
	(void)err;
	return p;
}
