// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_reasons.c - every drop reason of reasons.def, reached once
 *
 * A reason nobody can reach is a line of documentation that lies; a new reason
 * without a way to reach it fails here. The table says how, the list says which.
 * Reasons of the policy come from the policy: the flow is compiled, installed as
 * the drop it is, and hit.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <selftests/bpf/sandbox.h>

typedef const struct shot *(*way_fn)(void);

/* --------------------------------------------------------------- frames to start from */

static const struct packet_spec to_remote = {
	.src = "10.0.0.11", .dst = "10.0.0.12", .proto = PROTO_UDP, .sport = 1, .dport = 2, .payload = 20,
};
static const struct packet_spec to_remote_v6 = {
	.src = "fd00:1::11", .dst = "fd00:1::12", .proto = PROTO_UDP, .sport = 1, .dport = 2, .payload = 20,
};
static const struct packet_spec from_remote = {
	.src = "10.0.0.12", .dst = "10.0.0.11", .proto = PROTO_UDP, .sport = 1, .dport = 2, .payload = 20,
};

/* The frame of @spec with one byte changed. */
static const struct shot *fire_spoilt(const struct packet_spec *spec, size_t at, uint8_t value)
{
	uint8_t buf[FRAME_MAX_BYTES];
	size_t len = packet_build(spec, buf);

	buf[at] = value;
	return fire_egress(WEB_1, buf, len);
}

static const struct shot *fire_cut(const struct packet_spec *spec, size_t len)
{
	uint8_t buf[FRAME_MAX_BYTES];

	packet_build(spec, buf);
	return fire_egress(WEB_1, buf, len);
}

/* Learns what the policy says of @spec, and meets it. */
static const struct shot *learnt(int vport, struct packet_spec spec)
{
	learn_vport(vport, &spec);
	return fire_spec(vport, &spec);
}

static struct packet_spec between(const char *src, const char *dst)
{
	struct packet_spec spec = to_remote;

	spec.src = src;
	spec.dst = dst;
	return spec;
}

static const struct shot *learnt_fabric(unsigned int host, uint32_t vni, const char *src, const char *dst)
{
	struct packet_spec spec = between(src, dst);
	struct packet_outer outer = outer_from(host, vni);
	uint8_t buf[FRAME_MAX_BYTES];

	learn_fabric(vni, outer.src, &spec);
	return fire_ingress(buf, build_fabric(&outer, &spec, buf));
}

/* A frame from the fabric with one byte changed, counted from the outer IP header. */
static const struct shot *spoilt_fabric(enum tunnel_kind tunnel, size_t at, uint8_t value)
{
	struct packet_outer outer;
	uint8_t buf[FRAME_MAX_BYTES];
	size_t len;

	fixture_underlay(&(struct underlay_shape){ .tunnel = tunnel });
	outer = outer_from(2, 100);
	learn_fabric(100, outer.src, &from_remote);
	len = build_fabric(&outer, &from_remote, buf);
	buf[14 + at] = value;
	return fire_ingress(buf, len);
}

/* ------------------------------------------------------------------- ways to be dropped */

static const struct shot *short_frame(void)
{
	return fire_cut(&to_remote, 30);
}

static const struct shot *vlan_depth(void)
{
	struct packet_spec spec = to_remote;

	spec.n_tags = 3;
	return fire_spec(WEB_1, &spec);
}

static const struct shot *ethertype(void)
{
	return fire_spoilt(&to_remote, 12, 0x88);
}

static const struct shot *ip_header(void)
{
	return fire_spoilt(&to_remote, 14, 0x43);
}

static const struct shot *ipv6_extensions(void)
{
	struct packet_spec spec = to_remote_v6;

	spec.n_extensions = 7;
	memset(spec.extensions, PROTO_DSTOPTS, 7);
	return fire_spec(WEB_1, &spec);
}

static const struct shot *l4_header(void)
{
	return fire_cut(&to_remote, 14 + 20 + 4);
}

/* Two extension headers of 2 KiB reach past the first buffer, which is below a page. */
static const struct shot *not_linear(void)
{
	uint8_t buf[FRAME_MAX_BYTES];
	struct packet_spec spec = to_remote_v6;
	size_t len;

	spec.n_extensions = 1;
	spec.extensions[0] = PROTO_DSTOPTS;
	spec.payload = 5000;
	len = packet_build(&spec, buf);
	buf[54] = PROTO_DSTOPTS;
	buf[55] = 255;
	buf[54 + 2048] = PROTO_UDP;
	buf[54 + 2049] = 255;
	return fire_egress(WEB_1, buf, len);
}

static const struct shot *ip_source(void)
{
	return learnt(WEB_1, between("127.0.0.1", "10.0.0.12"));
}

static const struct shot *multicast(void)
{
	return learnt(WEB_1, between("10.0.0.11", "224.0.0.5"));
}

/* Slot 1 has a device, but no port names it. */
static const struct shot *no_port(void)
{
	uint8_t buf[FRAME_MAX_BYTES];

	return fire(ENTRY_EGRESS, 1, buf, packet_build(&to_remote, buf));
}

static const struct shot *spoofed_source(void)
{
	return learnt(WEB_1, between("10.0.0.13", "10.0.0.12"));
}

static const struct shot *spoofed_outer(void)
{
	return learnt_fabric(3, 100, "10.0.0.12", "10.0.0.11");
}

static const struct shot *unknown_vni(void)
{
	return learnt_fabric(2, 300, "10.0.0.12", "10.0.0.11");
}

static const struct shot *no_route(void)
{
	return learnt(WEB_1, between("10.0.0.11", "10.0.0.77"));
}

static const struct shot *not_local(void)
{
	return learnt_fabric(2, 100, "10.0.0.12", "10.0.0.77");
}

static const struct shot *vlan_mismatch(void)
{
	struct packet_spec spec = to_remote;

	spec.n_tags = 1;
	return learnt(WEB_1, spec);
}

static const struct shot *gateway(void)
{
	return learnt(WEB_1, between("10.0.0.11", "10.0.0.1"));
}

static const struct shot *ttl_expired(void)
{
	struct packet_spec spec = between("10.0.0.11", "10.9.5.1");

	spec.ttl = 1;
	return learnt(WEB_1, spec);
}

static const struct shot *miss_limit(void)
{
	fixture.ports[WORLD_SLOT(WEB_1)].miss_burst = 0;
	return fire_spec(WEB_1, &to_remote);
}

static const struct shot *no_hub(void)
{
	fixture.ports[WORLD_SLOT(WEB_1)].hub = 0;
	return fire_spec(WEB_1, &to_remote);
}

static const struct shot *hub_header(void)
{
	return fire_resume(fire_spec(WEB_1, &to_remote), HUB_PENDING, 1, 0, REASON_NONE);
}

static const struct shot *table_full(void)
{
	return fire_resume(fire_spec(WEB_1, &to_remote), HUB_DROP, 0, 0, REASON_TABLE_FULL);
}

static const struct shot *bad_action(void)
{
	const struct action none = {};

	learn_action(WEB_1, &to_remote, FLOW_TUPLE_3, &none);
	return fire_spec(WEB_1, &to_remote);
}

/* What only the agent can find out arrives as an action that says so. */
static const struct shot *decided(enum drop_reason reason)
{
	const struct action drop = { .verdict = ACTION_DROP, .reason = reason };

	learn_action(WEB_1, &to_remote, FLOW_TUPLE_3, &drop);
	return fire_spec(WEB_1, &to_remote);
}

static const struct shot *blackhole(void)
{
	return decided(REASON_BLACKHOLE);
}

static const struct shot *goes_back(void)
{
	return decided(REASON_GOES_BACK);
}

static const struct shot *nexthop_down(void)
{
	const struct nexthop_body down = {};

	learn_vport(WEB_1, &to_remote);
	fixture_nexthop(WORLD_REMOTE_NEXTHOP(RED_12), &down);
	return fire_spec(WEB_1, &to_remote);
}

static const struct shot *too_big(void)
{
	struct packet_spec spec = to_remote;

	spec.payload = UNDERLAY_MTU;
	return learnt(WEB_1, spec);
}

static const struct shot *no_headroom(void)
{
	uint8_t buf[FRAME_MAX_BYTES];

	learn_vport(WEB_1, &to_remote);
	return fire_without_headroom(ENTRY_EGRESS, WORLD_SLOT(WEB_1), buf, packet_build(&to_remote, buf));
}

static const struct shot *port_down(void)
{
	fixture.ports[SLOT_UPLINK].ifindex = 0;
	fixture_port(SLOT_UPLINK);
	return learnt(WEB_1, to_remote);
}

static const struct shot *outer_header(void)
{
	return spoilt_fabric(TUNNEL_VXLAN, 0, 0x44);
}

static const struct shot *tunnel_header(void)
{
	return spoilt_fabric(TUNNEL_VXLAN, 28, 0);
}

static const struct shot *geneve_critical(void)
{
	return spoilt_fabric(TUNNEL_GENEVE, 29, GENEVE_FLAG_CRITICAL);
}

static const struct shot *ecn(void)
{
	return spoilt_fabric(TUNNEL_VXLAN, 1, 3);
}

/* An ARP frame of zeroes: it asks for nothing. */
static const struct shot *arp(void)
{
	const uint8_t frame[42] = { [12] = 0x08, [13] = 0x06 };

	return fire_egress(WEB_1, frame, sizeof(frame));
}

static const struct shot *arp_unknown(void)
{
	const uint8_t frame[42] = { [12] = 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, ARP_REQUEST,
				    [28] = 10, 0, 0, 11, [38] = 10, 0, 0, 77 };

	return fire_egress(WEB_1, frame, sizeof(frame));
}

static struct packet_spec solicitation(uint8_t ttl)
{
	return (struct packet_spec){ .src = "fd00:1::11", .dst = "ff02::1:ff00:77", .proto = PROTO_ICMPV6,
				     .sport = ICMPV6_NEIGHBOUR_SOLICITATION, .ttl = ttl, .payload = 16 };
}

static const struct shot *nd(void)
{
	struct packet_spec spec = solicitation(254);

	return fire_spec(WEB_1, &spec);
}

static const struct shot *nd_unknown(void)
{
	struct packet_spec spec = solicitation(255);

	return fire_spec(WEB_1, &spec);
}

/* Fragment @field of a UDP datagram for which no flow is known. */
static const struct shot *fragment(uint16_t field, uint16_t payload)
{
	struct packet_spec spec = to_remote;

	spec.fragment = field;
	spec.payload = payload;
	return fire_spec(WEB_1, &spec);
}

static const struct shot *fragment_tiny(void)
{
	struct packet_spec spec = to_remote;

	spec.proto = PROTO_TCP;
	spec.fragment = 1;
	return fire_spec(WEB_1, &spec);
}

/* 600 segments of a byte; of 2 bytes they would be 300. (A test run's super-packet cannot be encapsulated.) */
static const struct shot *segments(void)
{
	struct packet_spec spec = to_remote;
	uint8_t buf[FRAME_MAX_BYTES];
	size_t len;

	spec.proto = PROTO_TCP;
	spec.payload = 600;
	learn_vport(WEB_1, &spec);
	len = packet_build(&spec, buf);
	assert_dropped(fire_super(ENTRY_EGRESS, WORLD_SLOT(WEB_1), buf, len, 2), REASON_NO_HEADROOM);
	return fire_super(ENTRY_EGRESS, WORLD_SLOT(WEB_1), buf, len, 1);
}

static const struct shot *fragment_form(void)
{
	return fragment(IPV4_MF | 1, 9);
}

static const struct shot *fragment_overlap(void)
{
	fragment(IPV4_MF, 24);		/* 32 bytes with the UDP header */
	return fragment(IPV4_MF | 3, 16);
}

static const struct shot *fragment_limit(void)
{
	fixture.ports[WORLD_SLOT(WEB_1)].miss_burst = 0;
	return fragment(IPV4_MF | 4, 16);
}

static const struct shot *fragment_timeout(void)
{
	return fire_resume(fragment(IPV4_MF | 4, 16), HUB_DROP, 0, 0, REASON_FRAGMENT_TIMEOUT);
}

/* --------------------------------------------------------------------------- the list */

static const struct {
	enum drop_reason reason;
	way_fn way;
} ways[] = {
	{ REASON_SHORT_FRAME, short_frame },
	{ REASON_VLAN_DEPTH, vlan_depth },
	{ REASON_ETHERTYPE, ethertype },
	{ REASON_IP_HEADER, ip_header },
	{ REASON_IPV6_EXTENSIONS, ipv6_extensions },
	{ REASON_L4_HEADER, l4_header },
	{ REASON_NOT_LINEAR, not_linear },
	{ REASON_IP_SOURCE, ip_source },
	{ REASON_SEGMENTS, segments },
	{ REASON_MULTICAST, multicast },
	{ REASON_NO_PORT, no_port },
	{ REASON_SPOOFED_SOURCE, spoofed_source },
	{ REASON_SPOOFED_OUTER, spoofed_outer },
	{ REASON_UNKNOWN_VNI, unknown_vni },
	{ REASON_NO_ROUTE, no_route },
	{ REASON_NOT_LOCAL, not_local },
	{ REASON_VLAN_MISMATCH, vlan_mismatch },
	{ REASON_GATEWAY, gateway },
	{ REASON_TTL_EXPIRED, ttl_expired },
	{ REASON_MISS_LIMIT, miss_limit },
	{ REASON_NO_HUB, no_hub },
	{ REASON_HUB_HEADER, hub_header },
	{ REASON_HUB_OVERFLOW, NULL },	/* the agent's own: it reads the count off its socket */
	{ REASON_TABLE_FULL, table_full },
	{ REASON_BAD_ACTION, bad_action },
	{ REASON_BLACKHOLE, blackhole },
	{ REASON_GOES_BACK, goes_back },
	{ REASON_NEXTHOP_DOWN, nexthop_down },
	{ REASON_TOO_BIG, too_big },
	{ REASON_NO_HEADROOM, no_headroom },
	{ REASON_PORT_DOWN, port_down },
	{ REASON_OUTER_HEADER, outer_header },
	{ REASON_TUNNEL_HEADER, tunnel_header },
	{ REASON_GENEVE_CRITICAL, geneve_critical },
	{ REASON_ECN, ecn },
	{ REASON_ARP, arp },
	{ REASON_ARP_UNKNOWN, arp_unknown },
	{ REASON_ND, nd },
	{ REASON_ND_UNKNOWN, nd_unknown },
	{ REASON_FRAGMENT_TINY, fragment_tiny },
	{ REASON_FRAGMENT_FORM, fragment_form },
	{ REASON_FRAGMENT_OVERLAP, fragment_overlap },
	{ REASON_FRAGMENT_LIMIT, fragment_limit },
	{ REASON_FRAGMENT_TIMEOUT, fragment_timeout },
};

static const struct listed {
	enum drop_reason reason;
	const char *name;
} listed[] = {
#define REASON(number, NAME, name, text) { number, name },
#include <mirach/reasons.def>
#undef REASON
};

static void test_reason(void **state)
{
	const struct listed *l = *state;
	const struct shot *shot = NULL;

	sandbox_need();
	fixture_reset(state);
	for (unsigned int i = 0; i < COUNT(ways); i++) {
		if (ways[i].reason != l->reason)
			continue;
		if (!ways[i].way)
			return;
		shot = ways[i].way();
	}
	if (!shot)
		fail_msg("nobody knows how to be dropped as %s", l->name);
	assert_dropped(shot, l->reason);
	assert_int_equal(drops_of(shot->slot, l->reason), 1);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(listed)];

	for (unsigned int i = 0; i < COUNT(listed); i++)
		tests[i] = (struct CMUnitTest){ .name = listed[i].name, .test_func = test_reason,
						.initial_state = (void *)&listed[i] };
	return cmocka_run_group_tests_name("reasons", tests, fixture_load, fixture_unload);
}
