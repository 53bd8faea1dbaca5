// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_trace_packet.c - described packets read back by the parser, tunnels taken apart
 *
 * The oracles are the two that real packets meet: mirach/parse.h for what is
 * built, and the templates of agent/template.c for what is taken apart.
 */
#include <agent/trace_packet.h>

#include <errno.h>
#include <stdio.h>

#include <agent/template.h>
#include <lib/addr.h>
#include <mirach/parse.h>
#include <selftests/unit/expect.h>

struct described {
	const char *src, *dst;
	uint8_t proto;
	uint16_t sport, dport, vlan[2];
};

static const struct described described[] = {
	{ "10.0.0.11", "10.0.0.12", PROTO_TCP, 49152, 443, {} },
	{ "10.0.0.11", "10.0.0.12", PROTO_UDP, 53, 5353, { 10 } },
	{ "10.0.0.11", "10.0.0.12", PROTO_ICMP, 8, 0, { 10, 20 } },
	{ "10.0.0.11", "10.0.0.12", PROTO_SCTP, 1, 2, {} },
	{ "10.0.0.11", "10.0.0.12", PROTO_GRE, 0, 0, {} },
	{ "fd00:1::11", "fd00:1::12", PROTO_TCP, 49152, 443, { 4094 } },
	{ "fd00:1::11", "fd00:1::12", PROTO_UDP, 53, 5353, {} },
	{ "fd00:1::11", "fd00:1::12", PROTO_ICMPV6, 128, 0, { 1, 2 } },
	{ "fd00:1::11", "fd00:1::12", PROTO_SCTP, 1, 2, {} },
};

static struct trace_fields fields_of(const struct described *d)
{
	struct trace_fields f = { .proto = d->proto, .sport = d->sport, .dport = d->dport };

	memcpy(f.vlan, d->vlan, sizeof(f.vlan));
	assert_int_equal(ip_addr_parse(d->src, &f.src), 0);
	assert_int_equal(ip_addr_parse(d->dst, &f.dst), 0);
	return f;
}

static void test_build(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(described); i++) {
		struct trace_fields f = fields_of(&described[i]);
		uint8_t bytes[TRACE_PACKET_MAX];
		struct flow_key key = {};
		struct frame frame = {};
		int len = trace_packet_build(&f, bytes);

		assert_true(len > 0 && len <= TRACE_PACKET_MAX);
		expect_int("parser", parse_frame(bytes, bytes + len, &key, &frame), 0);
		expect_int("end", frame.end, len);
		assert_true(ip_addr_equal(&key.src, &f.src) && ip_addr_equal(&key.dst, &f.dst));
		expect_int("proto", key.proto, f.proto);
		expect_int("sport", host16(key.sport), f.sport);
		expect_int("dport", host16(key.dport), f.dport);
		for (int t = 0; t < 2; t++)
			expect_int("vlan", key.vlan[t],
				   f.vlan[t] ? f.vlan[t] | FLOW_VLAN_PRESENT : 0);
	}
}

static void test_two_families(void **state)
{
	struct trace_fields f = { .proto = PROTO_TCP };
	uint8_t bytes[TRACE_PACKET_MAX];

	(void)state;
	ip_addr_parse("10.0.0.1", &f.src);
	ip_addr_parse("fd00::1", &f.dst);
	assert_int_equal(trace_packet_build(&f, bytes), -EINVAL);
}

/* A frame of the underlay: a template with lengths and VNI patched in, and an inner frame. */

struct tunnelled {
	enum tunnel_kind tunnel;
	const char *local, *remote;	/* as the sender sees them */
	uint16_t vlan;
};

static const struct tunnelled tunnels[] = {
	{ TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 0 },
	{ TUNNEL_GENEVE, "192.0.2.2", "192.0.2.1", 0 },
	{ TUNNEL_GRE, "192.0.2.2", "192.0.2.1", 0 },
	{ TUNNEL_VXLAN, "2001:db8::2", "2001:db8::1", 0 },
	{ TUNNEL_GENEVE, "2001:db8::2", "2001:db8::1", 7 },
	{ TUNNEL_GRE, "2001:db8::2", "2001:db8::1", 0 },
	{ TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 7 },
};

#define VNI 100u

static uint16_t port_of(enum tunnel_kind tunnel)
{
	return tunnel == TUNNEL_VXLAN ? VXLAN_PORT : tunnel == TUNNEL_GENEVE ? GENEVE_PORT : 0;
}

static struct port uplink_of(const struct tunnelled *t)
{
	struct port p = { .kind = PORT_UPLINK, .tunnel = t->tunnel,
			  .tunnel_port = wire16(port_of(t->tunnel)),
			  .vlan = t->vlan ? t->vlan | FLOW_VLAN_PRESENT : 0 };
	struct ip_addr addr;

	ip_addr_parse(t->remote, &addr);
	p.underlay[!ip_addr_is_v4(&addr)] = addr;
	return p;
}

/* The outer IP header lies behind Ethernet and tag. */
static void patch_lengths(const struct tunnelled *t, uint8_t *bytes, size_t len, size_t header_len)
{
	size_t ip = 14 + (t->vlan ? 4 : 0);
	bool v4 = bytes[ip] >> 4 == 4;
	size_t udp = ip + (v4 ? 20 : 40);
	__be16 ip_len = wire16(v4 ? len - ip : len - ip - 40), udp_len = wire16(len - udp);
	__be32 vni = wire32(t->tunnel == TUNNEL_GRE ? VNI : VNI << 8);

	memcpy(bytes + ip + (v4 ? 2 : 4), &ip_len, sizeof(ip_len));
	if (t->tunnel != TUNNEL_GRE)
		memcpy(bytes + udp + 4, &udp_len, sizeof(udp_len));
	memcpy(bytes + header_len - 4, &vni, sizeof(vni));
}

static size_t tunnelled_frame(const struct tunnelled *t, uint8_t *bytes)
{
	struct tunnel_spec spec = { .tunnel = t->tunnel, .udp_port = port_of(t->tunnel),
				    .vlan = t->vlan, .port = 3, .underlay_mtu = 1500 };
	struct trace_fields inner = fields_of(&described[0]);
	struct nexthop_body body;
	size_t len;

	ip_addr_parse(t->local, &spec.local);
	ip_addr_parse(t->remote, &spec.remote);
	assert_int_equal(template_tunnel(&spec, &body), 0);
	memcpy(bytes, body.header, body.header_len);
	len = body.header_len + trace_packet_build(&inner, bytes + body.header_len);
	patch_lengths(t, bytes, len, body.header_len);
	return len;
}

static void test_decap(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tunnels); i++) {
		uint8_t bytes[NEXTHOP_TEMPLATE_MAX + TRACE_PACKET_MAX];
		struct port uplink = uplink_of(&tunnels[i]);
		size_t len = tunnelled_frame(&tunnels[i], bytes);
		struct trace_outer outer;
		struct ip_addr sender;

		expect_int("decap", trace_decap(&uplink, bytes, len, &outer), TRACE_INNER);
		ip_addr_parse(tunnels[i].local, &sender);
		assert_true(ip_addr_equal(&outer.src, &sender));
		expect_int("VNI", outer.vni, VNI);
		expect_int("inner", len - outer.offset, 14 + 20 + 20);

		/* Of another host: the host's own stack's business, whatever follows. */
		uplink.underlay[0] = uplink.underlay[1] = (struct ip_addr){ { 1, 2, 3, 4 } };
		expect_int("other host", trace_decap(&uplink, bytes, len, &outer), TRACE_PASSED);
	}
}

/* However early the frame ends, nothing is read behind it and nothing is made up. */
static void test_cut_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(tunnels); i++) {
		uint8_t bytes[NEXTHOP_TEMPLATE_MAX + TRACE_PACKET_MAX];
		struct port uplink = uplink_of(&tunnels[i]);
		size_t whole = tunnelled_frame(&tunnels[i], bytes);

		for (size_t len = 0; len < whole - (14 + 20 + 20); len++) {
			struct trace_outer outer;

			assert_int_not_equal(trace_decap(&uplink, bytes, len, &outer), TRACE_INNER);
			assert_true(*outer.what);
		}
	}
}

struct broken {
	size_t at;			/* byte of an IPv4 VXLAN, Geneve or GRE frame */
	uint8_t value;
	enum tunnel_kind tunnel;
	enum trace_decap_result result;
	enum drop_reason reason;
};

static const struct broken broken[] = {
	{ 14, 0x44, TUNNEL_VXLAN, TRACE_DROPPED, REASON_OUTER_HEADER },	/* header length 16 */
	{ 20, 0x20, TUNNEL_VXLAN, TRACE_PASSED, 0 },			/* more fragments */
	{ 36, 0x00, TUNNEL_VXLAN, TRACE_PASSED, 0 },			/* another UDP port */
	{ 39, 0x05, TUNNEL_VXLAN, TRACE_DROPPED, REASON_OUTER_HEADER },	/* UDP length */
	{ 42, 0x00, TUNNEL_VXLAN, TRACE_DROPPED, REASON_TUNNEL_HEADER },	/* no I flag */
	{ 42, 0x40, TUNNEL_GENEVE, TRACE_DROPPED, REASON_TUNNEL_HEADER },	/* version 1 */
	{ 42, 0x3f, TUNNEL_GENEVE, TRACE_DROPPED, REASON_TUNNEL_HEADER },	/* options too long */
	{ 43, 0x40, TUNNEL_GENEVE, TRACE_DROPPED, REASON_GENEVE_CRITICAL },
	{ 43, 0x80, TUNNEL_GENEVE, TRACE_DROPPED, REASON_TUNNEL_HEADER },	/* OAM */
	{ 34, 0x00, TUNNEL_GRE, TRACE_DROPPED, REASON_TUNNEL_HEADER },	/* no key */
	{ 34, 0xa0, TUNNEL_GRE, TRACE_DROPPED, REASON_TUNNEL_HEADER },	/* a checksum */
	{ 38, 0x01, TUNNEL_GRE, TRACE_DROPPED, REASON_UNKNOWN_VNI },	/* key above 24 bits */
};

static void test_broken(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(broken); i++) {
		struct tunnelled t = { broken[i].tunnel, "192.0.2.2", "192.0.2.1", 0 };
		uint8_t bytes[NEXTHOP_TEMPLATE_MAX + TRACE_PACKET_MAX];
		size_t len = tunnelled_frame(&t, bytes);
		struct port uplink = uplink_of(&t);
		struct trace_outer outer;
		char of[32];

		snprintf(of, sizeof(of), "case %zu", i);
		bytes[broken[i].at] = broken[i].value;
		/* UDP length 0x0005 needs its high byte gone, too */
		if (broken[i].at == 39)
			bytes[38] = 0;
		expect_int(of, trace_decap(&uplink, bytes, len, &outer), broken[i].result);
		expect_int(of, outer.reason, broken[i].reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build),	  cmocka_unit_test(test_two_families),
		cmocka_unit_test(test_decap),	  cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests_name("trace_packet", tests, NULL, NULL);
}
