// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_template.c - outer headers byte by byte, for every encapsulation
 *
 * The expected bytes are written out here as the RFCs draw them. That the fast
 * path makes valid packets of them is selftests/bpf's part.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include <agent/template.h>
#include <lib/addr.h>
#include <selftests/packet.h>

#define MACS 0x02, 0, 0, 0, 0, 0xd1, 0x02, 0, 0, 0, 0, 0x51
#define TAG_7 0x81, 0x00, 0x00, 0x07
#define IPV4(proto)                                                            \
	0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2
#define IPV6(proto)                                                            \
	0x60, 0, 0, 0, 0, 0, proto, 64,                                        \
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,            \
	0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2
#define UDP(port) 0, 0, (port) >> 8, (port) & 0xff, 0, 0, 0, 0
#define VXLAN 0x08, 0, 0, 0, 0, 0, 0, 0
#define GENEVE 0x00, 0x00, 0x65, 0x58, 0, 0, 0, 0
#define GRE 0x20, 0x00, 0x65, 0x58, 0, 0, 0, 0

static const struct shape {
	const char *name;
	enum tunnel_kind tunnel;
	int family;
	uint16_t vlan;
	uint16_t port;
	uint8_t len;
	uint32_t mtu;			/* for an underlay of 1500 */
	uint8_t bytes[NEXTHOP_TEMPLATE_MAX];
} shapes[] = {
	{ "VXLAN over IPv4", TUNNEL_VXLAN, 4, 0, 4789, 50, 1450,
	  { MACS, 0x08, 0x00, IPV4(17), UDP(4789), VXLAN } },
	{ "VXLAN over tagged IPv4", TUNNEL_VXLAN, 4, 7, 8472, 54, 1450,
	  { MACS, TAG_7, 0x08, 0x00, IPV4(17), UDP(8472), VXLAN } },
	{ "VXLAN over IPv6", TUNNEL_VXLAN, 6, 0, 4789, 70, 1430,
	  { MACS, 0x86, 0xdd, IPV6(17), UDP(4789), VXLAN } },
	{ "VXLAN over tagged IPv6", TUNNEL_VXLAN, 6, 7, 4789, 74, 1430,
	  { MACS, TAG_7, 0x86, 0xdd, IPV6(17), UDP(4789), VXLAN } },
	{ "Geneve over IPv4", TUNNEL_GENEVE, 4, 0, 6081, 50, 1450,
	  { MACS, 0x08, 0x00, IPV4(17), UDP(6081), GENEVE } },
	{ "Geneve over tagged IPv4", TUNNEL_GENEVE, 4, 7, 6081, 54, 1450,
	  { MACS, TAG_7, 0x08, 0x00, IPV4(17), UDP(6081), GENEVE } },
	{ "Geneve over IPv6", TUNNEL_GENEVE, 6, 0, 6081, 70, 1430,
	  { MACS, 0x86, 0xdd, IPV6(17), UDP(6081), GENEVE } },
	{ "Geneve over tagged IPv6", TUNNEL_GENEVE, 6, 7, 6081, 74, 1430,
	  { MACS, TAG_7, 0x86, 0xdd, IPV6(17), UDP(6081), GENEVE } },
	{ "GRE over IPv4", TUNNEL_GRE, 4, 0, 0, 42, 1458,
	  { MACS, 0x08, 0x00, IPV4(47), GRE } },
	{ "GRE over tagged IPv4", TUNNEL_GRE, 4, 7, 0, 46, 1458,
	  { MACS, TAG_7, 0x08, 0x00, IPV4(47), GRE } },
	{ "GRE over IPv6", TUNNEL_GRE, 6, 0, 0, 62, 1438,
	  { MACS, 0x86, 0xdd, IPV6(47), GRE } },
	{ "GRE over tagged IPv6", TUNNEL_GRE, 6, 7, 0, 66, 1438,
	  { MACS, TAG_7, 0x86, 0xdd, IPV6(47), GRE } },
};

#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static struct tunnel_spec spec_of(const struct shape *s)
{
	return (struct tunnel_spec){
		.tunnel = s->tunnel,
		.udp_port = s->port,
		.local = packet_addr(s->family == 4 ? "192.0.2.1" : "2001:db8::1"),
		.remote = packet_addr(s->family == 4 ? "192.0.2.2" : "2001:db8::2"),
		.dmac = { 0x02, 0, 0, 0, 0, 0xd1 },
		.smac = { 0x02, 0, 0, 0, 0, 0x51 },
		.vlan = s->vlan,
		.port = 3,
		.underlay_mtu = 1500,
	};
}

static void test_shape(void **state)
{
	const struct shape *s = *state;
	struct tunnel_spec spec = spec_of(s);
	struct nexthop_body body;

	memset(&body, 0xaa, sizeof(body));
	assert_int_equal(template_tunnel(&spec, &body), 0);
	assert_int_equal(body.header_len, s->len);
	assert_memory_equal(body.header, s->bytes, NEXTHOP_TEMPLATE_MAX);
	assert_int_equal(body.mtu, s->mtu);
	assert_int_equal(body.kind, NEXTHOP_TUNNEL);
	assert_int_equal(body.tunnel, s->tunnel);
	assert_int_equal(body.port, 3);
	assert_int_equal(body.tos | body.pad0[0] | body.pad0[1] | body.pad0[2], 0);
	assert_int_equal(body.pad[0] | body.pad[1] | body.pad[2], 0);
}

/* With length and TOS added as the fast path adds them, the sum must give a valid header. */
static void test_ip_sum(void **state)
{
	struct tunnel_spec spec = spec_of(&shapes[0]);
	struct nexthop_body body;

	(void)state;
	for (uint32_t i = 0; i < 70000; i += 37) {
		uint8_t ip[20], tos = i >> 4;
		uint16_t len = wire16((uint16_t)i), be_tos = wire16(tos);
		uint32_t sum;
		uint16_t check;

		spec.remote.w[3] = wire32(0xc0000200 ^ i * 2654435761u);
		assert_int_equal(template_tunnel(&spec, &body), 0);
		memcpy(ip, body.header + 14, sizeof(ip));
		ip[1] = tos;
		memcpy(ip + 2, &len, 2);
		sum = body.ip_sum + be_tos + len;
		sum = (sum & 0xffff) + (sum >> 16);
		sum = (sum & 0xffff) + (sum >> 16);
		check = ~sum;
		memcpy(ip + 10, &check, 2);
		assert_int_equal(packet_sum(ip, sizeof(ip), 0), 0xffff);
	}
}

static void test_dscp(void **state)
{
	struct tunnel_spec spec = spec_of(&shapes[0]);
	struct nexthop_body body;

	(void)state;
	spec.tos = 0xbb;
	assert_int_equal(template_tunnel(&spec, &body), 0);
	assert_int_equal(body.dscp, DSCP_UNIFORM);
	assert_int_equal(body.tos, 0);
	spec.dscp = DSCP_PIPE;
	assert_int_equal(template_tunnel(&spec, &body), 0);
	assert_int_equal(body.dscp, DSCP_PIPE);
	assert_int_equal(body.tos, 0xb8);	/* ECN is not the template's */
	assert_int_equal(body.header[15], 0);
}

static void test_refusals(void **state)
{
	struct tunnel_spec spec = spec_of(&shapes[0]);
	struct nexthop_body body, before;

	(void)state;
	memset(&body, 0xaa, sizeof(body));
	before = body;
	spec.local = packet_addr("2001:db8::1");
	assert_int_equal(template_tunnel(&spec, &body), -EINVAL);
	assert_memory_equal(&body, &before, sizeof(body));
	spec = spec_of(&shapes[2]);
	spec.local = packet_addr("192.0.2.1");
	assert_int_equal(template_tunnel(&spec, &body), -EINVAL);
}

static void test_tiny_mtu(void **state)
{
	struct tunnel_spec spec = spec_of(&shapes[0]);
	struct nexthop_body body;

	(void)state;
	spec.underlay_mtu = 51;
	assert_int_equal(template_tunnel(&spec, &body), 0);
	assert_int_equal(body.mtu, 1);
	spec.underlay_mtu = 50;
	assert_int_equal(template_tunnel(&spec, &body), 0);
	assert_int_equal(body.mtu, 0);
	spec.underlay_mtu = 0;
	assert_int_equal(template_tunnel(&spec, &body), 0);
	assert_int_equal(body.mtu, 0);
}

static void test_local_and_down(void **state)
{
	struct nexthop_body body, want = { .kind = NEXTHOP_LOCAL, .port = 9, .mtu = 1400 };

	(void)state;
	memset(&body, 0xaa, sizeof(body));
	template_local(9, 1400, &body);
	assert_memory_equal(&body, &want, sizeof(body));
	memset(&want, 0, sizeof(want));
	template_down(&body);
	assert_memory_equal(&body, &want, sizeof(body));
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(test_ip_sum),
		cmocka_unit_test(test_dscp),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_tiny_mtu),
		cmocka_unit_test(test_local_and_down),
	};
	enum { N_PLAIN = sizeof(plain) / sizeof(plain[0]) };
	struct CMUnitTest tests[N_SHAPES + N_PLAIN] = {};

	for (unsigned int i = 0; i < N_SHAPES; i++)
		tests[i] = (struct CMUnitTest){ .name = shapes[i].name, .test_func = test_shape,
						.initial_state = (void *)&shapes[i] };
	memcpy(tests + N_SHAPES, plain, sizeof(plain));
	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
