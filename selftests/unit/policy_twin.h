/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_twin.h - what the policy compiler is compared with: the same answers, the stupid way
 *
 * The twin walks over the configuration bit by bit for every packet and knows no table.
 *
 * See also: policy_world.h, test_policy_oracle.c.
 */
#pragma once

#include <selftests/unit/policy_world.h>

static inline int bit_of(const struct ip_addr *a, unsigned int bit)
{
	return ((const uint8_t *)a)[bit / 8] >> (7 - bit % 8) & 1;
}

static inline bool covers(const struct ip_prefix *p, const struct ip_addr *a)
{
	bool v4_prefix = ip_addr_is_v4(&p->addr) && p->len >= 96;

	if (v4_prefix != !!ip_addr_is_v4(a))
		return false;
	for (unsigned int bit = 0; bit < p->len; bit++)
		if (bit_of(&p->addr, bit) != bit_of(a, bit))
			return false;
	return true;
}

static inline const struct config_subnet *subnet_of(const struct config_network *n,
					     const struct ip_addr *a)
{
	const struct config_subnet *best = NULL;

	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (covers(&n->subnets[i].prefix, a) &&
		    (!best || n->subnets[i].prefix.len > best->prefix.len))
			best = &n->subnets[i];
	return best;
}

static inline bool is_gateway(const struct config_network *n, const struct ip_addr *a)
{
	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (!ip_addr_is_zero(&n->subnets[i].gateway) &&
		    ip_addr_equal(&n->subnets[i].gateway, a))
			return true;
	return false;
}

static inline const struct config_vport *vport_of(const struct universe *u, unsigned int network,
					   const struct ip_addr *a)
{
	for (unsigned int i = 0; i < u->config.n_vports; i++)
		for (unsigned int k = 0; k < u->vports[i].n_addrs; k++)
			if (u->vports[i].network == network &&
			    ip_addr_equal(&u->vports[i].addrs[k], a))
				return &u->vports[i];
	return NULL;
}

static inline const struct config_remote *remote_of(const struct universe *u, unsigned int network,
					     const struct ip_addr *a)
{
	const struct config_remote *best = NULL;

	for (unsigned int i = 0; i < u->config.n_remotes; i++)
		if (u->remotes[i].network == network && covers(&u->remotes[i].prefix, a) &&
		    (!best || u->remotes[i].prefix.len > best->prefix.len))
			best = &u->remotes[i];
	return best;
}

static inline bool tags_match(const struct flow_key *k, const struct config_vport *v)
{
	for (int i = 0; i < 2; i++) {
		uint16_t want = v && v->vlan[i] ? v->vlan[i] | FLOW_VLAN_PRESENT : 0;

		if (k->vlan[i] != want)
			return false;
	}
	return true;
}

static inline struct decision twin_drop(uint32_t vni, enum drop_reason reason)
{
	return (struct decision){
		.action = { .verdict = ACTION_DROP, .reason = reason },
		.tuple = FLOW_TUPLE_3,
		.network = vni,
	};
}

static inline void twin_sample(const struct universe *u, unsigned int network, const struct flow_key *k,
			struct decision *d)
{
	bool ports = k->proto == PROTO_TCP || k->proto == PROTO_UDP || k->proto == PROTO_SCTP;

	for (unsigned int i = 0; i < u->config.n_samples; i++) {
		const struct config_sample *s = &u->samples[i];
		bool either = host16(k->sport) == s->port || host16(k->dport) == s->port;

		if (s->network != network || (s->proto && s->proto != k->proto) || (s->port && !ports))
			continue;
		if (s->port)
			d->tuple = FLOW_TUPLE_5;
		if (s->port && !either)
			continue;
		d->action.stages |= STAGE_SAMPLE;
		d->action.sample = s->rate;
		return;
	}
}

/* The vport's word counts, or else its network's; of two ends the smaller one. */
static inline unsigned int twin_mss_of(const struct universe *u, const struct config_vport *v)
{
	unsigned int said;

	if (!v)
		return UINT32_MAX;
	said = v->mss_clamp == MSS_CLAMP_UNSAID ? u->networks[v->network].mss_clamp : v->mss_clamp;
	return said == MSS_CLAMP_UNSAID || said == MSS_CLAMP_OFF ? UINT32_MAX : said;
}

static inline void twin_mss(const struct universe *u, const struct flow_key *k,
		     const struct config_vport *from, const struct config_remote *from_remote,
		     const struct config_vport *to, struct action *a)
{
	unsigned int x = twin_mss_of(u, from), y = twin_mss_of(u, to), mss = x < y ? x : y;

	if (k->proto != PROTO_TCP || mss == UINT32_MAX)
		return;
	a->stages |= STAGE_MSS;
	a->mss = mss;
	if (from_remote)
		a->mss_way = u->remote_nexthops[from_remote - u->remotes];
}

/* Fills in a forwarding decision; exactly one of @to and @to_remote is set, and of @from and @from_remote. */
static inline void twin_forward(const struct universe *u, const struct flow_key *k, unsigned int network,
			 const struct config_vport *from, const struct config_remote *from_remote,
			 const struct config_vport *to, const struct config_remote *to_remote,
			 struct decision *d)
{
	const struct config_network *n = &u->networks[network];
	const struct config_subnet *s = subnet_of(n, &k->src);
	bool same = s && s == subnet_of(n, &k->dst);
	struct action *a = &d->action;
	const uint8_t *smac = from ? from->mac : from_remote->mac;
	const uint8_t *dmac = to ? to->mac : to_remote->mac;

	if ((to_remote && to_remote->prefix.len < 128) || (from_remote && from_remote->prefix.len < 128))
		same = false;
	if (!same || mac_is_zero(smac))
		smac = n->gateway_mac;
	if (mac_is_zero(dmac))
		dmac = n->gateway_mac;
	a->verdict = ACTION_FORWARD;
	memcpy(a->smac, smac, ETH_ADDR_LEN);
	memcpy(a->dmac, dmac, ETH_ADDR_LEN);
	if (!same && from)
		a->stages |= STAGE_TTL;
	if (to)
		a->nexthop = u->nexthops[to - u->vports];
	else
		a->nexthop = u->remote_nexthops[to_remote - u->remotes];
	if (to_remote)
		a->vni = wire32(u->config.tunnel == TUNNEL_GRE ? n->vni : n->vni << 8);
	if (from && from->vlan[0]) {
		a->stages |= STAGE_VLAN_POP;
		a->n_pop = from->vlan[1] ? 2 : 1;
	}
	if (to && to->vlan[0]) {
		a->stages |= STAGE_VLAN_PUSH;
		a->push_tci = wire16(to->vlan[0]);
		a->push_inner_tci = wire16(to->vlan[1]);
	}
	twin_mss(u, k, from, from_remote, to, a);
	twin_sample(u, network, k, d);
}

static inline bool bad_source(const struct ip_addr *a)
{
	return ip_addr_is_multicast(a) || ip_addr_is_loopback(a) || ip_addr_is_unspecified(a);
}

static inline struct decision twin_vport(const struct universe *u, const struct flow_key *k)
{
	struct decision d = { .tuple = FLOW_TUPLE_3 };
	const struct config_vport *from = NULL, *to;
	const struct config_remote *to_remote;
	const struct config_network *n;

	for (unsigned int i = 0; i < u->config.n_vports; i++)
		if (u->slots[i] == SCOPE_ID(k->scope))
			from = &u->vports[i];
	if (!from)
		return twin_drop(0, REASON_NO_PORT);
	n = &u->networks[from->network];
	d.network = n->vni;
	if (!tags_match(k, from))
		return twin_drop(n->vni, REASON_VLAN_MISMATCH);
	if (bad_source(&k->src))
		return twin_drop(n->vni, REASON_IP_SOURCE);
	if (vport_of(u, from->network, &k->src) != from)
		return twin_drop(n->vni, REASON_SPOOFED_SOURCE);
	if (ip_addr_is_multicast(&k->dst))
		return twin_drop(n->vni, REASON_MULTICAST);
	if (ip_addr_is_loopback(&k->dst) || ip_addr_is_unspecified(&k->dst))
		return twin_drop(n->vni, REASON_NO_ROUTE);
	if (is_gateway(n, &k->dst)) {
		d.action.verdict = ACTION_GATEWAY;
		memcpy(d.action.smac, n->gateway_mac, ETH_ADDR_LEN);
		memcpy(d.action.dmac, from->mac, ETH_ADDR_LEN);
		return d;
	}
	to = vport_of(u, from->network, &k->dst);
	to_remote = to ? NULL : remote_of(u, from->network, &k->dst);
	if (!to && !to_remote)
		return twin_drop(n->vni, REASON_NO_ROUTE);
	twin_forward(u, k, from->network, from, NULL, to, to_remote, &d);
	return d;
}

static inline struct decision twin_fabric(const struct universe *u, const struct flow_key *k)
{
	struct decision d = { .tuple = FLOW_TUPLE_3, .network = SCOPE_ID(k->scope) };
	const struct config_vport *to;
	const struct config_remote *from;
	unsigned int network;

	for (network = 0; network < u->config.n_networks; network++)
		if (u->networks[network].vni == SCOPE_ID(k->scope))
			break;
	if (network == u->config.n_networks)
		return twin_drop(0, REASON_UNKNOWN_VNI);
	if (!tags_match(k, NULL))
		return twin_drop(d.network, REASON_VLAN_MISMATCH);
	if (bad_source(&k->src))
		return twin_drop(d.network, REASON_IP_SOURCE);
	from = remote_of(u, network, &k->src);
	if (vport_of(u, network, &k->src) || is_gateway(&u->networks[network], &k->src) || !from ||
	    !ip_addr_equal(&from->host, &k->outer))
		return twin_drop(d.network, REASON_SPOOFED_OUTER);
	if (ip_addr_is_multicast(&k->dst))
		return twin_drop(d.network, REASON_MULTICAST);
	if (ip_addr_is_loopback(&k->dst) || ip_addr_is_unspecified(&k->dst))
		return twin_drop(d.network, REASON_NO_ROUTE);
	to = vport_of(u, network, &k->dst);
	if (!to || is_gateway(&u->networks[network], &k->dst))
		return twin_drop(d.network, REASON_NOT_LOCAL);
	twin_forward(u, k, network, NULL, from, to, NULL, &d);
	return d;
}
