/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - the declared networks as the compiler wants them
 *
 *	vport slot --by_slot--> vport ─┐
 *	VNI --bsearch--> network ──────┴─► routes, subnets: (network, address) -> ref
 *
 * policy.c builds it, compile.c reads it, nobody else sees it. It holds copies of
 * everything: the configuration may be freed once it is built. Whatever a
 * lookup finds is named by a ref, which is also what action.rule carries.
 */
#pragma once

#include <agent/policy/policy.h>
#include <agent/policy/prefix_table.h>
#include <mirach/port.h>

/* A ref says what decided: a kind in the top bits, an index into that kind's array below. */
enum ref_kind {
	REF_NONE = 0,
	REF_GATEWAY,			/* policy.subnets[index].gateway */
	REF_VPORT,			/* policy.vports[index] */
	REF_REMOTE,			/* policy.remotes[index] */
	REF_SUBNET,			/* policy.subnets[index] */
	REF_NETWORK,			/* policy.networks[index] */
	REF_ROUTE,			/* policy.routes_to[index] */
};

#define REF_KIND_SHIFT 28
#define REF(kind, index) ((uint32_t)(kind) << REF_KIND_SHIFT | (uint32_t)(index))
#define REF_KIND(ref) ((enum ref_kind)((ref) >> REF_KIND_SHIFT))
#define REF_INDEX(ref) ((ref) & ((1u << REF_KIND_SHIFT) - 1))

#define NAME_SIZE (CONFIG_NAME_MAX + 1)

struct sample_rule {
	uint32_t network;
	uint32_t rate;
	__be16 port;			/* 0: any */
	uint8_t proto;			/* 0: any */
};

struct network {
	char name[NAME_SIZE];
	uint32_t vni;
	uint8_t gateway_mac[ETH_ADDR_LEN];
	const struct sample_rule *samples; /* in order of the configuration; the first match wins */
	uint32_t n_samples;
	const struct ip_addr *boards;	/* hoverboards: whose word is taken for the source */
	uint32_t n_boards;
	const uint32_t *slots;		/* BOARD_SLOTS next hop ids; NULL: no hoverboards to send to */
};

struct subnet {
	struct ip_prefix prefix;
	struct ip_addr gateway;		/* all zero: none */
	uint32_t network;
};

struct vport {
	char name[NAME_SIZE];
	uint32_t network;
	uint32_t slot;
	uint32_t nexthop;
	uint8_t mac[ETH_ADDR_LEN];
	uint16_t tags[2];		/* as in flow_key.vlan */
	uint8_t n_tags;
	uint16_t mss;			/* largest TCP segment size, action.mss; 0: not clamped */
};

struct remote {
	struct ip_prefix prefix;
	struct ip_addr host;
	const struct ip_addr *gateways;	/* all that serve, if several do; `host` is one of them */
	uint32_t n_gateways;		/* 0: the host alone */
	const uint32_t *slots;		/* BOARD_SLOTS next hop ids; NULL: one host, and `nexthop` */
	struct ip_addr from;		/* all zero: for every source */
	uint32_t vni;			/* 0: the network's */
	uint32_t network;
	uint32_t nexthop;
	uint8_t mac[ETH_ADDR_LEN];	/* all zero: unknown */
	bool receive_only;
};

/* A pair of instances that does without hoverboards. */
struct direct {
	uint32_t network;
	struct ip_addr from, to;
	uint32_t remote;
};

struct route_to {
	struct ip_prefix prefix;
	uint32_t network;
	uint32_t to;			/* network; NETWORK_NONE: a black hole */
};

struct vni_index {
	uint32_t vni;
	uint32_t network;
};

struct policy {
	enum tunnel_kind tunnel;
	bool hoverboard;		/* this host is one */
	struct network *networks;
	struct subnet *subnets;
	struct vport *vports;
	struct remote *remotes;
	struct route_to *routes_to;
	struct ip_addr *boards;		/* grouped by network */
	struct ip_addr *gateways;	/* grouped by remote */
	uint32_t (*set_slots)[BOARD_SLOTS];
	struct sample_rule *samples;	/* grouped by network */
	struct vni_index *by_vni;	/* sorted by VNI */
	struct prefix_table *routes;	/* gateways, vports' addresses and prefixes, remotes, routes: refs */
	struct prefix_table *permits;	/* remotes that are receive_only: refs */
	struct direct *directs;		/* remotes with a source, sorted by all three */
	struct prefix_table *subnet_of;	/* subnets: refs */
	uint32_t n_networks, n_subnets, n_vports, n_remotes, n_routes, n_samples, n_directs;
	uint16_t by_slot[PORT_MAX];	/* index into vports + 1; 0 = no vport */
};

const struct network *policy_find_vni(const struct policy *p, uint32_t vni);	/* NULL: none */
/* A ref to the remote of a pair of addresses, 0: none. */
uint32_t policy_find_direct(const struct policy *p, uint32_t network, const struct ip_addr *from,
			    const struct ip_addr *to);
const struct vport *policy_find_slot(const struct policy *p, uint32_t slot);	/* NULL: none */

/* An address as text that lives until the end of the full expression: ip_text(&a).s */
struct ip_text {
	char s[IP_ADDR_STRLEN];
};
struct ip_text ip_text(const struct ip_addr *addr);
