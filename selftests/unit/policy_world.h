/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy_world.h - random configurations in a tiny address space
 *
 * Sixty-four addresses of each family and a few networks, so that prefixes nest,
 * shadow and collide as real ones do once in a thousand times.
 *
 * See also: policy_twin.h (what is right in such a world), test_policy_oracle.c.
 */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <agent/policy/policy.h>
#include <mirach/port.h>
#include <mirach/wire.h>

#define MAX_NETWORKS 4
#define MAX_SUBNETS 4
#define MAX_VPORTS 12
#define MAX_REMOTES 24
#define MAX_SAMPLES 4

static uint32_t rng;

/* xorshift32; quality enough for tests and the same everywhere. */
static inline uint32_t roll(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 17;
	rng ^= rng << 5;
	return n ? rng % n : rng;
}

struct universe {
	struct config config;
	struct config_network networks[MAX_NETWORKS];
	struct config_subnet subnets[MAX_NETWORKS][MAX_SUBNETS];
	struct config_vport vports[MAX_VPORTS];
	struct config_remote remotes[MAX_REMOTES];
	struct config_sample samples[MAX_SAMPLES];
	uint32_t slots[MAX_VPORTS], nexthops[MAX_VPORTS], remote_nexthops[MAX_REMOTES];
	char names[MAX_NETWORKS + MAX_VPORTS][8];
};

/* One of 64 addresses of a family, now and then a special one. */
static inline struct ip_addr random_addr(void)
{
	static const uint32_t special_v4[] = { 0x7f000001, 0xe0000001, 0xffffffff, 0x00000000 };
	struct ip_addr a = {};

	if (roll(2)) {
		uint32_t v4 = 0x0a000000 | roll(64);

		ip_addr_set_v4(&a, wire32(roll(20) ? v4 : special_v4[roll(4)]));
		return a;
	}
	if (!roll(40))
		return a;
	a.w[0] = wire32(roll(20) ? 0xfd000000 : 0xff020000);
	a.w[3] = wire32(roll(64));
	return a;
}

static inline struct ip_addr plain_addr(void)
{
	struct ip_addr a;

	do
		a = random_addr();
	while (ip_addr_is_multicast(&a) || ip_addr_is_loopback(&a) || ip_addr_is_unspecified(&a));
	return a;
}

static inline void clear_bits(struct ip_addr *a, unsigned int len)
{
	uint8_t *bytes = (uint8_t *)a;

	for (unsigned int bit = len; bit < 128; bit++)
		bytes[bit / 8] &= ~(0x80 >> bit % 8);
}

/* Mostly hosts and the last few bits; sometimes the whole family. */
static inline struct ip_prefix random_prefix(unsigned int max_len)
{
	struct ip_prefix p = { .addr = plain_addr() };

	p.len = max_len - roll(7);
	if (!roll(15))
		p.len = ip_addr_is_v4(&p.addr) ? 96 : 0;
	clear_bits(&p.addr, p.len);
	return p;
}

static inline void random_mac(uint8_t mac[ETH_ADDR_LEN])
{
	for (int i = 0; i < ETH_ADDR_LEN; i++)
		mac[i] = 2 * roll(127) + 2;
}

static inline struct ip_addr random_host(void)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, wire32(0xc0000200 | roll(4)));
	return a;
}

/* Gateways and vports' addresses are unique within a network: the configuration refuses others. */
static inline bool is_taken(const struct universe *u, unsigned int network, const struct ip_addr *a)
{
	const struct config_network *n = &u->networks[network];

	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (ip_addr_equal(&n->subnets[i].gateway, a))
			return true;
	for (unsigned int i = 0; i < u->config.n_vports; i++)
		for (unsigned int k = 0; k < u->vports[i].n_addrs; k++)
			if (u->vports[i].network == network &&
			    ip_addr_equal(&u->vports[i].addrs[k], a))
				return true;
	return false;
}

static inline bool has_subnet(const struct config_network *n, const struct ip_prefix *p)
{
	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].prefix.len == p->len &&
		    ip_addr_equal(&n->subnets[i].prefix.addr, &p->addr))
			return true;
	return false;
}

static inline void random_network(struct universe *u, unsigned int i)
{
	struct config_network *n = &u->networks[i];

	snprintf(u->names[i], sizeof(u->names[i]), "n%u", i);
	n->name = u->names[i];
	n->vni = 1 + i * 77 + roll(50);
	n->subnets = u->subnets[i];
	random_mac(n->gateway_mac);
	for (unsigned int k = roll(MAX_SUBNETS + 1); k > 0; k--) {
		struct config_subnet s = { .prefix = random_prefix(126) };
		struct ip_addr gateway = plain_addr();

		if (has_subnet(n, &s.prefix))
			continue;
		if (roll(2) && !is_taken(u, i, &gateway))
			s.gateway = gateway;
		n->subnets[n->n_subnets++] = s;
	}
}

static inline void random_vport(struct universe *u, unsigned int i)
{
	struct config_vport *v = &u->vports[i];

	snprintf(u->names[MAX_NETWORKS + i], sizeof(u->names[0]), "v%u", i);
	v->name = u->names[MAX_NETWORKS + i];
	v->network = roll(u->config.n_networks);
	random_mac(v->mac);
	for (unsigned int k = roll(3); k > 0; k--) {
		struct ip_addr a = plain_addr();

		if (!is_taken(u, v->network, &a))
			v->addrs[v->n_addrs++] = a;
	}
	if (!roll(4))
		v->vlan[0] = 1 + roll(3);
	if (v->vlan[0] && roll(2))
		v->vlan[1] = 1 + roll(3);
	u->slots[i] = 1 + i * (PORT_MAX / MAX_VPORTS) + roll(9);
	u->nexthops[i] = 1 + roll(1000);
}

static inline void random_remote(struct universe *u, unsigned int i)
{
	struct config_remote *r = &u->remotes[i];

	r->network = roll(u->config.n_networks);
	r->prefix = random_prefix(128);
	r->host = random_host();
	if (roll(3))
		random_mac(r->mac);
	u->remote_nexthops[i] = 1001 + roll(1000);
}

static inline uint16_t random_mss(void)
{
	static const uint16_t some[] = { MSS_CLAMP_UNSAID, MSS_CLAMP_OFF, MSS_CLAMP_MTU, 1200, 900 };

	return some[roll(5)];
}

static inline void random_sample(struct universe *u, unsigned int i)
{
	static const uint8_t protos[] = { 0, PROTO_TCP, PROTO_UDP, PROTO_ICMP };

	u->samples[i].network = roll(u->config.n_networks);
	u->samples[i].proto = protos[roll(4)];
	u->samples[i].port = roll(3);
	u->samples[i].rate = 1 + roll(5);
}

static inline void random_clamps(struct universe *u)
{
	for (unsigned int i = 0; i < u->config.n_networks; i++)
		u->networks[i].mss_clamp = random_mss();
	for (unsigned int i = 0; i < u->config.n_vports; i++)
		u->vports[i].mss_clamp = random_mss();
}

static inline void random_universe(struct universe *u)
{
	struct config *c = &u->config;

	memset(u, 0, sizeof(*u));
	c->tunnel = 1 + roll(3);
	c->networks = u->networks;
	c->vports = u->vports;
	c->remotes = u->remotes;
	c->samples = u->samples;
	for (unsigned int n = 1 + roll(MAX_NETWORKS); c->n_networks < n; c->n_networks++)
		random_network(u, c->n_networks);
	for (unsigned int n = roll(MAX_VPORTS + 1); c->n_vports < n; c->n_vports++)
		random_vport(u, c->n_vports);
	for (unsigned int n = roll(MAX_REMOTES + 1); c->n_remotes < n; c->n_remotes++)
		random_remote(u, c->n_remotes);
	for (unsigned int n = roll(MAX_SAMPLES + 1); c->n_samples < n; c->n_samples++)
		random_sample(u, c->n_samples);
	random_clamps(u);
}
