// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_policy_oracle.c - the policy compiler against a deliberately stupid twin
 *
 * Random configurations in a tiny address space, so that prefixes nest, shadow
 * and collide, and random packets in the same space. The twin walks over the
 * configuration bit by bit and knows no table. Seeds are printed; run with
 * MIRACH_TEST_SEED=n to see one again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <agent/policy/policy.h>
#include <agent/policy/prefix_table.h>
#include <mirach/port.h>
#include <mirach/wire.h>

#define ROUNDS 300
#define PACKETS 400
#define MAX_NETWORKS 4
#define MAX_SUBNETS 4
#define MAX_VPORTS 12
#define MAX_REMOTES 24
#define MAX_SAMPLES 4

static uint32_t rng;

/* xorshift32; quality enough for tests and the same everywhere. */
static uint32_t roll(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 17;
	rng ^= rng << 5;
	return n ? rng % n : rng;
}

/* ------------------------------------------------------------------ the world */

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
static struct ip_addr random_addr(void)
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

static struct ip_addr plain_addr(void)
{
	struct ip_addr a;

	do
		a = random_addr();
	while (ip_addr_is_multicast(&a) || ip_addr_is_loopback(&a) || ip_addr_is_unspecified(&a));
	return a;
}

static void clear_bits(struct ip_addr *a, unsigned int len)
{
	uint8_t *bytes = (uint8_t *)a;

	for (unsigned int bit = len; bit < 128; bit++)
		bytes[bit / 8] &= ~(0x80 >> bit % 8);
}

/* Mostly hosts and the last few bits; sometimes the whole family. */
static struct ip_prefix random_prefix(unsigned int max_len)
{
	struct ip_prefix p = { .addr = plain_addr() };

	p.len = max_len - roll(7);
	if (!roll(15))
		p.len = ip_addr_is_v4(&p.addr) ? 96 : 0;
	clear_bits(&p.addr, p.len);
	return p;
}

static void random_mac(uint8_t mac[ETH_ADDR_LEN])
{
	for (int i = 0; i < ETH_ADDR_LEN; i++)
		mac[i] = 2 * roll(127) + 2;
}

static struct ip_addr random_host(void)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, wire32(0xc0000200 | roll(4)));
	return a;
}

/* Gateways and vports' addresses are unique within a network: the configuration refuses others. */
static bool is_taken(const struct universe *u, unsigned int network, const struct ip_addr *a)
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

static bool has_subnet(const struct config_network *n, const struct ip_prefix *p)
{
	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].prefix.len == p->len &&
		    ip_addr_equal(&n->subnets[i].prefix.addr, &p->addr))
			return true;
	return false;
}

static void random_network(struct universe *u, unsigned int i)
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

static void random_vport(struct universe *u, unsigned int i)
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

static void random_remote(struct universe *u, unsigned int i)
{
	struct config_remote *r = &u->remotes[i];

	r->network = roll(u->config.n_networks);
	r->prefix = random_prefix(128);
	r->host = random_host();
	if (roll(3))
		random_mac(r->mac);
	u->remote_nexthops[i] = 1001 + roll(1000);
}

static uint16_t random_mss(void)
{
	static const uint16_t some[] = { MSS_CLAMP_UNSAID, MSS_CLAMP_OFF, MSS_CLAMP_MTU, 1200, 900 };

	return some[roll(5)];
}

static void random_sample(struct universe *u, unsigned int i)
{
	static const uint8_t protos[] = { 0, PROTO_TCP, PROTO_UDP, PROTO_ICMP };

	u->samples[i].network = roll(u->config.n_networks);
	u->samples[i].proto = protos[roll(4)];
	u->samples[i].port = roll(3);
	u->samples[i].rate = 1 + roll(5);
}

static void random_clamps(struct universe *u)
{
	for (unsigned int i = 0; i < u->config.n_networks; i++)
		u->networks[i].mss_clamp = random_mss();
	for (unsigned int i = 0; i < u->config.n_vports; i++)
		u->vports[i].mss_clamp = random_mss();
}

static void random_universe(struct universe *u)
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

/* ------------------------------------------------------------------- the twin */

static int bit_of(const struct ip_addr *a, unsigned int bit)
{
	return ((const uint8_t *)a)[bit / 8] >> (7 - bit % 8) & 1;
}

static bool covers(const struct ip_prefix *p, const struct ip_addr *a)
{
	bool v4_prefix = ip_addr_is_v4(&p->addr) && p->len >= 96;

	if (v4_prefix != !!ip_addr_is_v4(a))
		return false;
	for (unsigned int bit = 0; bit < p->len; bit++)
		if (bit_of(&p->addr, bit) != bit_of(a, bit))
			return false;
	return true;
}

static const struct config_subnet *subnet_of(const struct config_network *n,
					     const struct ip_addr *a)
{
	const struct config_subnet *best = NULL;

	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (covers(&n->subnets[i].prefix, a) &&
		    (!best || n->subnets[i].prefix.len > best->prefix.len))
			best = &n->subnets[i];
	return best;
}

static bool is_gateway(const struct config_network *n, const struct ip_addr *a)
{
	for (unsigned int i = 0; i < n->n_subnets; i++)
		if (!ip_addr_is_zero(&n->subnets[i].gateway) &&
		    ip_addr_equal(&n->subnets[i].gateway, a))
			return true;
	return false;
}

static const struct config_vport *vport_of(const struct universe *u, unsigned int network,
					   const struct ip_addr *a)
{
	for (unsigned int i = 0; i < u->config.n_vports; i++)
		for (unsigned int k = 0; k < u->vports[i].n_addrs; k++)
			if (u->vports[i].network == network &&
			    ip_addr_equal(&u->vports[i].addrs[k], a))
				return &u->vports[i];
	return NULL;
}

static const struct config_remote *remote_of(const struct universe *u, unsigned int network,
					     const struct ip_addr *a)
{
	const struct config_remote *best = NULL;

	for (unsigned int i = 0; i < u->config.n_remotes; i++)
		if (u->remotes[i].network == network && covers(&u->remotes[i].prefix, a) &&
		    (!best || u->remotes[i].prefix.len > best->prefix.len))
			best = &u->remotes[i];
	return best;
}

static bool tags_match(const struct flow_key *k, const struct config_vport *v)
{
	for (int i = 0; i < 2; i++) {
		uint16_t want = v && v->vlan[i] ? v->vlan[i] | FLOW_VLAN_PRESENT : 0;

		if (k->vlan[i] != want)
			return false;
	}
	return true;
}

static struct decision twin_drop(uint32_t vni, enum drop_reason reason)
{
	return (struct decision){
		.action = { .verdict = ACTION_DROP, .reason = reason },
		.tuple = FLOW_TUPLE_3,
		.network = vni,
	};
}

static void twin_sample(const struct universe *u, unsigned int network, const struct flow_key *k,
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
static unsigned int twin_mss_of(const struct universe *u, const struct config_vport *v)
{
	unsigned int said;

	if (!v)
		return UINT32_MAX;
	said = v->mss_clamp == MSS_CLAMP_UNSAID ? u->networks[v->network].mss_clamp : v->mss_clamp;
	return said == MSS_CLAMP_UNSAID || said == MSS_CLAMP_OFF ? UINT32_MAX : said;
}

static void twin_mss(const struct universe *u, const struct flow_key *k,
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
static void twin_forward(const struct universe *u, const struct flow_key *k, unsigned int network,
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

static bool bad_source(const struct ip_addr *a)
{
	return ip_addr_is_multicast(a) || ip_addr_is_loopback(a) || ip_addr_is_unspecified(a);
}

static struct decision twin_vport(const struct universe *u, const struct flow_key *k)
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

static struct decision twin_fabric(const struct universe *u, const struct flow_key *k)
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

/* ------------------------------------------------------------------ the tests */

/* A packet that has a chance: scopes, sources and tags that exist, most of the time. */
static struct flow_key random_key(const struct universe *u)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_ICMP, PROTO_GRE };
	struct flow_key k = { .src = random_addr(), .dst = random_addr(), .tuple = FLOW_TUPLE_5 };
	const struct config_vport *v = NULL;

	k.proto = protos[roll(5)];
	k.sport = wire16(roll(4));
	k.dport = wire16(roll(4));
	if (roll(2)) {
		k.scope = SCOPE_FABRIC | (roll(8) ? u->networks[roll(u->config.n_networks)].vni : roll(300));
		k.outer = random_host();
	} else if (u->config.n_vports && roll(10)) {
		v = &u->vports[roll(u->config.n_vports)];
		k.scope = SCOPE_VPORT | u->slots[v - u->vports];
		if (v->n_addrs && roll(8))
			k.src = v->addrs[roll(v->n_addrs)];
	} else {
		k.scope = SCOPE_VPORT | roll(2 * PORT_MAX);
	}
	for (int i = 0; i < 2; i++)
		if (v && v->vlan[i])
			k.vlan[i] = v->vlan[i] | FLOW_VLAN_PRESENT;
	if (!roll(12))
		k.vlan[roll(2)] = roll(4) | FLOW_VLAN_PRESENT;
	return k;
}

static void compare(const struct decision *got, const struct decision *want)
{
	struct action stripped = got->action;

	stripped.rule = 0;		/* for people; named cases look at it */
	assert_memory_equal(&stripped, &want->action, sizeof(stripped));
	assert_int_equal(got->tuple, want->tuple);
	assert_int_equal(got->network, want->network);
}

struct tally {
	unsigned int verdict[4], reason[REASON_MAX];
};

static void try_universe(const struct universe *u, struct tally *tally)
{
	const struct policy_bindings b = {
		.vport_slots = u->slots,
		.vport_nexthops = u->nexthops,
		.remote_nexthops = u->remote_nexthops,
	};
	struct policy *p;

	assert_int_equal(policy_new(&u->config, &b, &p), 0);
	for (int i = 0; i < PACKETS; i++) {
		struct flow_key k = random_key(u);
		struct decision got, want;

		want = k.scope & SCOPE_VPORT ? twin_vport(u, &k) : twin_fabric(u, &k);
		policy_compile(p, &k, &got, NULL);
		compare(&got, &want);
		tally->verdict[got.action.verdict]++;
		tally->reason[got.action.reason]++;
	}
	policy_free(p);
}

/* The random packets must have come everywhere, or agreement means little. */
static void assert_covered(const struct tally *t)
{
	static const enum drop_reason reasons[] = {
		REASON_NO_PORT, REASON_UNKNOWN_VNI, REASON_VLAN_MISMATCH, REASON_IP_SOURCE,
		REASON_SPOOFED_SOURCE, REASON_SPOOFED_OUTER, REASON_MULTICAST, REASON_NO_ROUTE,
		REASON_NOT_LOCAL,
	};

	for (unsigned int i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		assert_true(t->reason[reasons[i]] > 20);
	assert_true(t->verdict[ACTION_FORWARD] > 1000);
	assert_true(t->verdict[ACTION_GATEWAY] > 20);
}

static void test_random_worlds(void **state)
{
	static struct universe u;
	struct tally tally = {};

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		random_universe(&u);
		try_universe(&u, &tally);
	}
	assert_covered(&tally);
}

/* The table alone, with every length of both families. */
static void test_random_prefixes(void **state)
{
	enum { N = 600 };
	static struct ip_prefix prefixes[N];
	struct prefix_table *t;

	(void)state;
	assert_int_equal(prefix_table_new(2, N, &t), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct ip_addr a = plain_addr();
		uint8_t shortest = ip_addr_is_v4(&a) ? 96 : 0;

		prefixes[i] = (struct ip_prefix){ .addr = a, .len = shortest + roll(129 - shortest) };
		clear_bits(&prefixes[i].addr, prefixes[i].len);
		prefix_table_add(t, i % 2, &prefixes[i], i + 1);
	}
	for (int round = 0; round < 5000; round++) {
		struct ip_addr a = random_addr();
		uint32_t space = roll(2), best = 0;

		for (uint32_t i = space; i < N; i += 2)
			if (covers(&prefixes[i], &a) &&
			    (!best || prefixes[i].len > prefixes[best - 1].len))
				best = i + 1;
		assert_int_equal(prefix_table_find(t, space, &a), best);
		if (best && prefixes[best - 1].len < 128)
			best = 0;
		assert_int_equal(prefix_table_find_host(t, space, &a), best);
	}
	prefix_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_worlds),
		cmocka_unit_test(test_random_prefixes),
	};
	const char *seed = getenv("MIRACH_TEST_SEED");

	rng = seed ? strtoul(seed, NULL, 0) : (uint32_t)time(NULL) ^ 0x5eed1234;
	if (!rng)
		rng = 1;
	printf("# seed %u\n", rng);
	return cmocka_run_group_tests_name("policy_oracle", tests, NULL, NULL);
}
