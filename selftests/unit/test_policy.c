// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_policy.c - every verdict and every reason of the policy compiler, by name
 *
 * A table of packets of the small world (world.h) and what must become of each,
 * then what the table cannot say: MACs, tags, VNIs, samples, the explanation. The
 * random twin of this test is test_policy_oracle.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <mirach/wire.h>
#include <selftests/world.h>

/* Packets: from a vport; across the fabric from a host. More fields may follow: .tags, .proto, ... */
#define PACKET(s, from, to, ...) { .scope = (s), .src = (from), .dst = (to), ##__VA_ARGS__ }
#define FROM(v, from, to, ...) PACKET(SCOPE_VPORT | WORLD_SLOT(v), from, to, ##__VA_ARGS__)
#define ACROSS(host, vni, from, to, ...) \
	PACKET(SCOPE_FABRIC | (vni), from, to, .outer = (host), ##__VA_ARGS__)
#define TAGS(...) .tags = { __VA_ARGS__ }
#define TAG(vid) ((vid) | FLOW_VLAN_PRESENT)

struct packet {
	uint32_t scope;
	const char *outer, *src, *dst;
	uint8_t proto;
	uint16_t sport, dport;
	uint16_t tags[2];
};

struct answer {
	enum action_verdict verdict;
	enum drop_reason reason;
	uint32_t nexthop;
	uint32_t stages;
};

#define FORWARD(id, ...) { ACTION_FORWARD, REASON_NONE, id, 0 __VA_ARGS__ }
#define DROPPED(why) { ACTION_DROP, REASON_##why, 0, 0 }
#define ANSWERED { ACTION_GATEWAY, REASON_NONE, 0, 0 }
#define TO_VPORT(v, ...) FORWARD(WORLD_LOCAL_NEXTHOP(v), __VA_ARGS__)
#define TO_REMOTE(r, ...) FORWARD(WORLD_REMOTE_NEXTHOP(r), __VA_ARGS__)

static const struct named_case {
	const char *name;
	struct packet packet;
	struct answer answer;
} cases[] = {
	/* From a vport, forwarded. */
	{ "local, same subnet", FROM(WEB_1, "10.0.0.11", "10.0.0.13"), TO_VPORT(WEB_2) },
	{ "remote, same subnet", FROM(WEB_1, "10.0.0.11", "10.0.0.12"),
	  TO_REMOTE(RED_12) },
	{ "remote, same subnet, IPv6", FROM(WEB_1, "fd00:1::11", "fd00:1::12"),
	  TO_REMOTE(RED_12_V6) },
	{ "remote, other subnet", FROM(WEB_1, "10.0.0.11", "10.0.1.12"),
	  TO_REMOTE(RED_ROUTED_12, | STAGE_TTL) },
	{ "local, other subnet, two tags on", FROM(WEB_1, "10.0.0.11", "10.0.1.15"),
	  TO_VPORT(QINQ, | STAGE_TTL | STAGE_VLAN_PUSH) },
	{ "prefix", FROM(WEB_1, "10.0.0.11", "10.9.4.1"),
	  TO_REMOTE(RED_WIDE, | STAGE_TTL) },
	{ "longer prefix wins", FROM(WEB_1, "10.0.0.11", "10.9.5.1"),
	  TO_REMOTE(RED_NARROW, | STAGE_TTL) },
	{ "prefix inside the sender's subnet is routed",
	  FROM(WEB_1, "10.0.0.11", "10.0.0.200"), TO_REMOTE(RED_HALF, | STAGE_TTL) },
	{ "default route", FROM(WEB_1, "fd00:1::11", "2001:db8::1"),
	  TO_REMOTE(RED_DEFAULT_V6, | STAGE_TTL) },
	{ "one tag off", FROM(TRUNK, "10.0.0.14", "10.0.0.13", TAGS(TAG(10))),
	  TO_VPORT(WEB_2, | STAGE_VLAN_POP) },
	{ "one tag on", FROM(WEB_2, "10.0.0.13", "10.0.0.14"),
	  TO_VPORT(TRUNK, | STAGE_VLAN_PUSH) },
	{ "two tags off", FROM(QINQ, "10.0.1.15", "10.0.0.12", TAGS(TAG(10), TAG(20))),
	  TO_REMOTE(RED_12, | STAGE_TTL | STAGE_VLAN_POP) },
	{ "tags off and on", FROM(QINQ, "10.0.1.15", "10.0.0.14", TAGS(TAG(10), TAG(20))),
	  TO_VPORT(TRUNK, | STAGE_TTL | STAGE_VLAN_POP | STAGE_VLAN_PUSH) },
	{ "same addresses, other tenant", FROM(SHOP_1, "10.0.0.11", "10.0.0.12"),
	  TO_REMOTE(BLUE_12) },
	{ "to itself", FROM(WEB_1, "10.0.0.11", "10.0.0.11"), TO_VPORT(WEB_1) },

	/* From a vport, for the gateway. */
	{ "gateway", FROM(WEB_1, "10.0.0.11", "10.0.0.1"), ANSWERED },
	{ "gateway of another subnet", FROM(WEB_1, "10.0.0.11", "10.0.1.1"), ANSWERED },
	{ "gateway, IPv6", FROM(WEB_1, "fd00:1::11", "fd00:1::1"), ANSWERED },
	{ "gateway, tagged", FROM(TRUNK, "10.0.0.14", "10.0.0.1", TAGS(TAG(10))),
	  ANSWERED },

	/* From a vport, dropped. */
	{ "slot of no vport", PACKET(SCOPE_VPORT | 77, "10.0.0.11", "10.0.0.12"), DROPPED(NO_PORT) },
	{ "slot out of range", PACKET(SCOPE_VPORT | 0xffffff, "10.0.0.11", "10.0.0.12"),
	  DROPPED(NO_PORT) },
	{ "slot 0", PACKET(SCOPE_VPORT, "10.0.0.11", "10.0.0.12"), DROPPED(NO_PORT) },
	{ "tag where none belongs", FROM(WEB_1, "10.0.0.11", "10.0.0.12", TAGS(TAG(10))),
	  DROPPED(VLAN_MISMATCH) },
	{ "priority tag where none belongs",
	  FROM(WEB_1, "10.0.0.11", "10.0.0.12", TAGS(TAG(0))), DROPPED(VLAN_MISMATCH) },
	{ "tag missing", FROM(TRUNK, "10.0.0.14", "10.0.0.12"), DROPPED(VLAN_MISMATCH) },
	{ "wrong tag", FROM(TRUNK, "10.0.0.14", "10.0.0.12", TAGS(TAG(11))),
	  DROPPED(VLAN_MISMATCH) },
	{ "one tag too many",
	  FROM(TRUNK, "10.0.0.14", "10.0.0.12", TAGS(TAG(10), TAG(20))),
	  DROPPED(VLAN_MISMATCH) },
	{ "inner tag missing", FROM(QINQ, "10.0.1.15", "10.0.0.12", TAGS(TAG(10))),
	  DROPPED(VLAN_MISMATCH) },
	{ "tags swapped", FROM(QINQ, "10.0.1.15", "10.0.0.12", TAGS(TAG(20), TAG(10))),
	  DROPPED(VLAN_MISMATCH) },
	{ "multicast source", FROM(WEB_1, "224.0.0.1", "10.0.0.12"), DROPPED(IP_SOURCE) },
	{ "broadcast source", FROM(WEB_1, "255.255.255.255", "10.0.0.12"),
	  DROPPED(IP_SOURCE) },
	{ "loopback source", FROM(WEB_1, "127.0.0.1", "10.0.0.12"), DROPPED(IP_SOURCE) },
	{ "loopback source, IPv6", FROM(WEB_1, "::1", "fd00:1::12"), DROPPED(IP_SOURCE) },
	{ "unspecified source", FROM(WEB_1, "0.0.0.0", "10.0.0.12"), DROPPED(IP_SOURCE) },
	{ "unspecified source, IPv6", FROM(WEB_1, "::", "fd00:1::12"), DROPPED(IP_SOURCE) },
	{ "somebody else's source", FROM(WEB_1, "10.0.0.13", "10.0.0.12"),
	  DROPPED(SPOOFED_SOURCE) },
	{ "remote's source", FROM(WEB_1, "10.0.0.12", "10.0.0.13"), DROPPED(SPOOFED_SOURCE) },
	{ "gateway's source", FROM(WEB_1, "10.0.0.1", "10.0.0.13"), DROPPED(SPOOFED_SOURCE) },
	{ "nobody's source", FROM(WEB_1, "10.0.0.77", "10.0.0.13"), DROPPED(SPOOFED_SOURCE) },
	{ "source only another tenant has", FROM(SHOP_1, "10.0.0.13", "10.0.0.12"),
	  DROPPED(SPOOFED_SOURCE) },
	{ "multicast", FROM(WEB_1, "10.0.0.11", "224.0.0.5"), DROPPED(MULTICAST) },
	{ "multicast, IPv6", FROM(WEB_1, "fd00:1::11", "ff02::1"), DROPPED(MULTICAST) },
	{ "broadcast", FROM(WEB_1, "10.0.0.11", "255.255.255.255"), DROPPED(MULTICAST) },
	{ "no route", FROM(WEB_1, "10.0.0.11", "10.0.0.77"), DROPPED(NO_ROUTE) },
	{ "IPv6 default route is none for IPv4", FROM(WEB_1, "10.0.0.11", "198.51.100.1"),
	  DROPPED(NO_ROUTE) },
	{ "loopback destination under a default route", FROM(WEB_1, "fd00:1::11", "::1"),
	  DROPPED(NO_ROUTE) },
	{ "destination only another tenant has", FROM(SHOP_1, "10.0.0.11", "10.0.0.13"),
	  DROPPED(NO_ROUTE) },

	/* From the fabric. */
	{ "delivered", ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.11"), TO_VPORT(WEB_1) },
	{ "delivered, IPv6", ACROSS("192.0.2.2", 100, "fd00:1::12", "fd00:1::11"), TO_VPORT(WEB_1) },
	{ "delivered, other subnet: TTL was the sender's", ACROSS("192.0.2.2", 100, "10.0.1.12", "10.0.0.11"),
	  TO_VPORT(WEB_1) },
	{ "delivered, tag on", ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.14"),
	  TO_VPORT(TRUNK, | STAGE_VLAN_PUSH) },
	{ "delivered from a prefix", ACROSS("192.0.2.3", 100, "10.9.4.1", "10.0.0.11"),
	  TO_VPORT(WEB_1) },
	{ "delivered from a longer prefix", ACROSS("192.0.2.4", 100, "10.9.5.1", "10.0.0.11"),
	  TO_VPORT(WEB_1) },
	{ "delivered, other tenant", ACROSS("192.0.2.3", 200, "10.0.0.12", "10.0.0.11"),
	  TO_VPORT(SHOP_1) },
	{ "unknown VNI", ACROSS("192.0.2.2", 300, "10.0.0.12", "10.0.0.11"), DROPPED(UNKNOWN_VNI) },
	{ "VNI 0", ACROSS("192.0.2.2", 0, "10.0.0.12", "10.0.0.11"), DROPPED(UNKNOWN_VNI) },
	{ "tagged inner frame", ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.11", TAGS(TAG(10))),
	  DROPPED(VLAN_MISMATCH) },
	{ "fabric, multicast source", ACROSS("192.0.2.2", 100, "224.0.0.9", "10.0.0.11"),
	  DROPPED(IP_SOURCE) },
	{ "wrong host for a host", ACROSS("192.0.2.3", 100, "10.0.0.12", "10.0.0.11"),
	  DROPPED(SPOOFED_OUTER) },
	{ "right host, other tenant's", ACROSS("192.0.2.2", 200, "10.0.0.12", "10.0.0.11"),
	  DROPPED(SPOOFED_OUTER) },
	{ "host of the shorter prefix", ACROSS("192.0.2.3", 100, "10.9.5.1", "10.0.0.11"),
	  DROPPED(SPOOFED_OUTER) },
	{ "source is a local vport", ACROSS("192.0.2.2", 100, "10.0.0.13", "10.0.0.11"),
	  DROPPED(SPOOFED_OUTER) },
	{ "source is a gateway", ACROSS("192.0.2.2", 100, "10.0.0.1", "10.0.0.11"),
	  DROPPED(SPOOFED_OUTER) },
	{ "source is nowhere", ACROSS("192.0.2.2", 100, "10.0.0.77", "10.0.0.11"),
	  DROPPED(SPOOFED_OUTER) },
	{ "fabric, multicast", ACROSS("192.0.2.2", 100, "10.0.0.12", "239.1.1.1"),
	  DROPPED(MULTICAST) },
	{ "for a gateway", ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.1"), DROPPED(NOT_LOCAL) },
	{ "for another remote: no second crossing", ACROSS("192.0.2.2", 100, "10.0.0.12", "10.9.5.1"),
	  DROPPED(NOT_LOCAL) },
	{ "for nobody", ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.77"), DROPPED(NOT_LOCAL) },
};

static struct flow_key key_of(const struct packet *p)
{
	struct flow_key key = {
		.src = packet_addr(p->src),
		.dst = packet_addr(p->dst),
		.scope = p->scope,
		.sport = wire16(p->sport),
		.dport = wire16(p->dport),
		.vlan = { p->tags[0], p->tags[1] },
		.proto = p->proto ? p->proto : PROTO_UDP,
		.tuple = FLOW_TUPLE_5,
	};

	if (p->outer)
		key.outer = packet_addr(p->outer);
	return key;
}

static struct decision compile(const struct world *w, const struct packet *packet)
{
	struct policy *policy = world_policy(w);
	struct flow_key key = key_of(packet);
	struct decision d;

	policy_compile(policy, &key, &d, NULL);
	policy_free(policy);
	return d;
}

static void test_case(void **state)
{
	const struct named_case *c = *state;
	struct world w;
	struct decision d;

	world_init(&w);
	d = compile(&w, &c->packet);
	assert_int_equal(d.action.verdict, c->answer.verdict);
	assert_int_equal(d.action.reason, c->answer.reason);
	assert_int_equal(d.action.nexthop, c->answer.nexthop);
	assert_int_equal(d.action.stages, c->answer.stages);
	assert_int_equal(d.tuple, FLOW_TUPLE_3);
}

static void assert_macs(const struct action *a, uint8_t smac_kind, uint8_t smac_i, uint8_t dmac_kind,
			uint8_t dmac_i)
{
	uint8_t smac[ETH_ADDR_LEN], dmac[ETH_ADDR_LEN];

	world_mac(smac, smac_kind, smac_i);
	world_mac(dmac, dmac_kind, dmac_i);
	assert_memory_equal(a->smac, smac, ETH_ADDR_LEN);
	assert_memory_equal(a->dmac, dmac, ETH_ADDR_LEN);
}

static void test_macs(void **state)
{
	static const struct {
		struct packet packet;
		uint8_t smac[2], dmac[2];	/* kind and number, as world_mac() takes them */
	} t[] = {
		{ FROM(WEB_1, "10.0.0.11", "10.0.0.13"), { 1, WEB_1 }, { 1, WEB_2 } },
		{ FROM(WEB_1, "10.0.0.11", "10.0.0.12"), { 1, WEB_1 }, { 2, RED_12 } },
		{ FROM(WEB_1, "10.0.0.11", "10.0.1.15"), { 3, RED }, { 1, QINQ } },
		{ FROM(WEB_1, "10.0.0.11", "10.0.1.12"), { 3, RED }, { 3, RED } },
		{ FROM(WEB_1, "10.0.0.11", "10.9.5.1"), { 3, RED }, { 2, RED_NARROW } },
		{ FROM(WEB_1, "10.0.0.11", "10.0.0.1"), { 3, RED }, { 1, WEB_1 } },
		{ ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.11"), { 2, RED_12 }, { 1, WEB_1 } },
		{ ACROSS("192.0.2.2", 100, "10.0.1.12", "10.0.0.11"), { 3, RED }, { 1, WEB_1 } },
		{ ACROSS("192.0.2.2", 100, "10.0.1.12", "10.0.1.15"), { 3, RED }, { 1, QINQ } },
		{ ACROSS("192.0.2.3", 100, "10.0.0.200", "10.0.0.11"), { 3, RED }, { 1, WEB_1 } },
	};
	struct world w;

	(void)state;
	world_init(&w);
	for (unsigned int i = 0; i < COUNT(t); i++) {
		struct decision d = compile(&w, &t[i].packet);

		assert_macs(&d.action, t[i].smac[0], t[i].smac[1], t[i].dmac[0], t[i].dmac[1]);
	}
}

static void test_tags(void **state)
{
	const struct packet two_off = FROM(QINQ, "10.0.1.15", "10.0.0.14", TAGS(TAG(10), TAG(20)));
	const struct packet two_on = FROM(WEB_1, "10.0.0.11", "10.0.1.15");
	struct decision d;
	struct world w;

	(void)state;
	world_init(&w);
	d = compile(&w, &two_off);
	assert_int_equal(d.action.n_pop, 2);
	assert_int_equal(d.action.push_tci, wire16(10));
	assert_int_equal(d.action.push_inner_tci, 0);
	d = compile(&w, &two_on);
	assert_int_equal(d.action.n_pop, 0);
	assert_int_equal(d.action.push_tci, wire16(10));
	assert_int_equal(d.action.push_inner_tci, wire16(20));
}

static void test_vni_on_the_wire(void **state)
{
	const struct packet remote = FROM(WEB_1, "10.0.0.11", "10.0.0.12");
	const struct packet local = FROM(WEB_1, "10.0.0.11", "10.0.0.13");
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(compile(&w, &remote).action.vni, wire32(100 << 8));
	assert_int_equal(compile(&w, &local).action.vni, 0);
	w.config.tunnel = TUNNEL_GENEVE;
	assert_int_equal(compile(&w, &remote).action.vni, wire32(100 << 8));
	w.config.tunnel = TUNNEL_GRE;
	assert_int_equal(compile(&w, &remote).action.vni, wire32(100));
}

static struct decision sampled(struct world *w, uint8_t proto, uint16_t sport, uint16_t dport)
{
	const struct packet p = FROM(WEB_1, "10.0.0.11", "10.0.0.12", .proto = proto, .sport = sport,
				     .dport = dport);

	return compile(w, &p);
}

static void assert_sample(struct decision d, uint32_t rate, uint8_t tuple)
{
	assert_int_equal(d.action.verdict, ACTION_FORWARD);
	assert_int_equal(d.action.sample, rate);
	assert_int_equal(!!(d.action.stages & STAGE_SAMPLE), !!rate);
	assert_int_equal(d.tuple, tuple);
}

static void test_samples(void **state)
{
	struct world w;

	(void)state;
	world_init(&w);
	w.samples[0] = (struct config_sample){ .network = BLUE, .rate = 7 };
	w.samples[1] = (struct config_sample){ .network = RED, .proto = PROTO_TCP, .port = 443, .rate = 100 };
	w.samples[2] = (struct config_sample){ .network = RED, .proto = PROTO_UDP, .rate = 10 };
	w.config.n_samples = 3;

	assert_sample(sampled(&w, PROTO_TCP, 50000, 443), 100, FLOW_TUPLE_5);
	assert_sample(sampled(&w, PROTO_TCP, 443, 50000), 100, FLOW_TUPLE_5);
	assert_sample(sampled(&w, PROTO_TCP, 50000, 80), 0, FLOW_TUPLE_5);
	assert_sample(sampled(&w, PROTO_UDP, 50000, 443), 10, FLOW_TUPLE_3);
	assert_sample(sampled(&w, PROTO_ICMP, 8, 0), 0, FLOW_TUPLE_3);

	/* A port rule for any protocol asks for ports only where there are some. */
	w.samples[1].proto = 0;
	assert_sample(sampled(&w, PROTO_SCTP, 50000, 443), 100, FLOW_TUPLE_5);
	assert_sample(sampled(&w, PROTO_UDP, 50000, 80), 10, FLOW_TUPLE_5);
	w.samples[1].port = 8;
	assert_sample(sampled(&w, PROTO_ICMP, 8, 0), 0, FLOW_TUPLE_3);

	/* Behind a rule that takes everything, a port rule is never asked. */
	w.samples[0].network = RED;
	assert_sample(sampled(&w, PROTO_TCP, 50000, 8), 7, FLOW_TUPLE_3);
}

static struct action tcp_between(const struct world *w, uint32_t scope, const char *src, const char *dst)
{
	const struct packet p = PACKET(scope, src, dst, .proto = PROTO_TCP, .outer = scope & SCOPE_VPORT ?
				       NULL : "192.0.2.2");

	return compile(w, &p).action;
}

/* A vport says more than its network; TCP only; the way back counts for senders behind the fabric. */
static void test_mss(void **state)
{
	const uint32_t web = SCOPE_VPORT | WORLD_SLOT(WEB_1);
	const struct packet udp = FROM(WEB_1, "10.0.0.11", "10.0.0.12", .proto = PROTO_UDP);
	struct action a;
	struct world w;

	(void)state;
	world_init(&w);
	assert_int_equal(tcp_between(&w, web, "10.0.0.11", "10.0.0.12").stages, 0);
	w.networks[RED].mss_clamp = MSS_CLAMP_MTU;
	a = tcp_between(&w, web, "10.0.0.11", "10.0.0.12");
	assert_int_equal(a.stages, STAGE_MSS);
	assert_int_equal(a.mss, MSS_CLAMP_MTU);
	assert_int_equal(a.mss_way, 0);
	a = tcp_between(&w, SCOPE_FABRIC | 100, "10.0.0.12", "10.0.0.11");
	assert_int_equal(a.stages, STAGE_MSS);
	assert_int_equal(a.mss_way, WORLD_REMOTE_NEXTHOP(RED_12));
	assert_int_equal(compile(&w, &udp).action.stages, 0);
	w.vports[WEB_2].mss_clamp = 1200;
	assert_int_equal(tcp_between(&w, web, "10.0.0.11", "10.0.0.13").mss, 1200);
	w.vports[WEB_1].mss_clamp = MSS_CLAMP_OFF;
	assert_int_equal(tcp_between(&w, web, "10.0.0.11", "10.0.0.13").mss, 1200);
	assert_int_equal(tcp_between(&w, web, "10.0.0.11", "10.0.0.12").stages, 0);
}

static void test_samples_and_drops(void **state)
{
	const struct packet dropped = FROM(WEB_1, "10.0.0.11", "10.0.0.77", .proto = PROTO_TCP, .dport = 443);
	const struct packet gateway = FROM(WEB_1, "10.0.0.11", "10.0.0.1", .proto = PROTO_TCP, .dport = 443);
	struct world w;

	(void)state;
	world_init(&w);
	w.samples[0] = (struct config_sample){ .network = RED, .port = 443, .rate = 1 };
	w.config.n_samples = 1;
	assert_int_equal(compile(&w, &dropped).tuple, FLOW_TUPLE_3);
	assert_int_equal(compile(&w, &gateway).tuple, FLOW_TUPLE_3);
	assert_int_equal(compile(&w, &gateway).action.stages, 0);
}

static void test_names(void **state)
{
	struct policy *p;
	struct world w;

	(void)state;
	world_init(&w);
	p = world_policy(&w);
	assert_string_equal(policy_vport_name(p, WORLD_SLOT(WEB_2)), "web-2");
	assert_null(policy_vport_name(p, 77));
	assert_null(policy_vport_name(p, 1u << 31));
	assert_string_equal(policy_network_name(p, 200), "blue");
	assert_null(policy_network_name(p, 201));
	policy_free(p);
}

static void assert_rule(const struct policy *p, const struct packet *packet, const char *text)
{
	struct flow_key key = key_of(packet);
	struct decision d;

	policy_compile(p, &key, &d, NULL);
	assert_string_equal(policy_rule_text(p, d.action.rule), text);
}

static void test_rules(void **state)
{
	static const struct {
		struct packet packet;
		const char *text;
	} t[] = {
		{ FROM(WEB_1, "10.0.0.11", "10.0.0.13"), "vport web-2" },
		{ FROM(WEB_1, "10.0.0.11", "10.9.5.1"), "remote 10.9.5.0/24 via 192.0.2.4" },
		{ FROM(WEB_1, "10.0.0.11", "10.0.1.1"), "gateway 10.0.1.1 of 10.0.1.0/24" },
		{ FROM(WEB_1, "10.0.0.11", "10.0.0.77"), "network red" },
		{ FROM(WEB_1, "10.0.0.77", "10.0.0.11"), "vport web-1" },
		{ FROM(99, "10.0.0.77", "10.0.0.11"), "" },
		{ ACROSS("192.0.2.9", 100, "10.9.4.1", "10.0.0.11"), "remote 10.9.0.0/16 via 192.0.2.3" },
	};
	struct policy *p;
	struct world w;

	(void)state;
	world_init(&w);
	p = world_policy(&w);
	for (unsigned int i = 0; i < COUNT(t); i++)
		assert_rule(p, &t[i].packet, t[i].text);
	assert_string_equal(policy_rule_text(p, 0), "");
	assert_string_equal(policy_rule_text(p, 0xffffffff), "");
	assert_string_equal(policy_rule_text(p, 3u << 28 | 5000), "");
	policy_free(p);
}

static const char *found(const struct policy_trace *t, const char *what)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (!strcmp(t->steps[i].what, what))
			return t->steps[i].found;
	return "";
}

static void test_trace(void **state)
{
	const struct packet forwarded = FROM(WEB_1, "10.0.0.11", "10.9.5.1");
	const struct packet dropped = ACROSS("192.0.2.9", 100, "10.0.0.12", "10.0.0.11");
	struct policy_trace trace;
	struct flow_key key;
	struct decision d;
	struct policy *p;
	struct world w;

	(void)state;
	world_init(&w);
	p = world_policy(&w);
	key = key_of(&forwarded);
	policy_compile(p, &key, &d, &trace);
	assert_string_equal(found(&trace, "scope"), "from vport web-1, network red (VNI 100)");
	assert_string_equal(found(&trace, "source owner"), "vport web-1 owns 10.0.0.11");
	assert_string_equal(found(&trace, "destination"), "10.9.5.1: remote 10.9.5.0/24 via 192.0.2.4");
	assert_string_equal(found(&trace, "hop"), "through the virtual gateway, TTL is decremented");
	assert_string_equal(found(&trace, "verdict"), "forward, by the 3-tuple");
	key = key_of(&dropped);
	policy_compile(p, &key, &d, &trace);
	assert_string_equal(found(&trace, "source owner"), "10.0.0.12 is behind 192.0.2.2, not 192.0.2.9");
	assert_string_equal(found(&trace, "verdict"), "drop: spoofed_outer");
	assert_string_equal(trace.steps[trace.n - 1].what, "verdict");
	policy_free(p);
}

/* The explanation changes nothing, and every answer comes with one. */
static void test_trace_is_the_same_answer(void **state)
{
	struct policy *p;
	struct world w;

	(void)state;
	world_init(&w);
	p = world_policy(&w);
	for (unsigned int i = 0; i < COUNT(cases); i++) {
		struct flow_key key = key_of(&cases[i].packet);
		struct decision plain, traced;
		struct policy_trace trace;

		policy_compile(p, &key, &plain, NULL);
		policy_compile(p, &key, &traced, &trace);
		assert_memory_equal(&plain.action, &traced.action, sizeof(plain.action));
		assert_in_range(trace.n, 2, POLICY_STEPS_MAX - 1);
	}
	policy_free(p);
}

/* Installed with its tuple, a flow's key must give the same answer again. */
static void test_revalidation(void **state)
{
	struct policy *p;
	struct world w;

	(void)state;
	world_init(&w);
	w.samples[0] = (struct config_sample){ .network = RED, .proto = PROTO_UDP, .port = 53, .rate = 2 };
	w.config.n_samples = 1;
	p = world_policy(&w);
	for (unsigned int i = 0; i < COUNT(cases); i++) {
		struct packet packet = cases[i].packet;
		struct decision first, again;
		struct flow_key key;

		packet.sport = 53;
		packet.dport = 4000;
		key = key_of(&packet);
		policy_compile(p, &key, &first, NULL);
		key.tuple = first.tuple;
		if (first.tuple == FLOW_TUPLE_3)
			key.sport = key.dport = 0;
		policy_compile(p, &key, &again, NULL);
		assert_memory_equal(&first.action, &again.action, sizeof(first.action));
		assert_int_equal(first.tuple, again.tuple);
	}
	policy_free(p);
}

static void test_empty_world(void **state)
{
	const struct config nothing = { .tunnel = TUNNEL_VXLAN };
	const struct policy_bindings none = {};
	const struct packet packets[] = {
		FROM(WEB_1, "10.0.0.11", "10.0.0.12"),
		ACROSS("192.0.2.2", 100, "10.0.0.12", "10.0.0.11"),
	};
	struct policy *p = NULL;
	struct decision d;

	(void)state;
	assert_int_equal(policy_new(&nothing, &none, &p), 0);
	for (unsigned int i = 0; i < COUNT(packets); i++) {
		struct flow_key key = key_of(&packets[i]);

		policy_compile(p, &key, &d, NULL);
		assert_int_equal(d.action.verdict, ACTION_DROP);
		assert_int_equal(d.network, 0);
	}
	policy_free(p);
	policy_free(NULL);
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_vni_on_the_wire),
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_mss),
		cmocka_unit_test(test_samples_and_drops),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_trace),
		cmocka_unit_test(test_trace_is_the_same_answer),
		cmocka_unit_test(test_revalidation),
		cmocka_unit_test(test_empty_world),
	};
	struct CMUnitTest tests[COUNT(cases) + COUNT(plain)] = {};

	for (unsigned int i = 0; i < COUNT(cases); i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name, .test_func = test_case,
						.initial_state = (void *)&cases[i] };
	memcpy(tests + COUNT(cases), plain, sizeof(plain));
	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
