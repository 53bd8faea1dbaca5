// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_icmp_error.c - who is told that a packet got no further, and who is not
 *
 *	web-1 ──1500 bytes──► gateway: "fragmentation needed, MTU 1450" ──► web-1
 *	web-1 ──TTL 1──► gateway: "time exceeded" ──► web-1
 *	fabric ──1400 bytes, vport takes 1300──► coprocessor ──► fabric
 *
 * RFC 792, RFC 1191, RFC 1812, RFC 4443. The answer quotes the packet, so that the
 * sender's stack finds its connection.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/sandbox.h>

#define MTU (UNDERLAY_MTU - 20 - 8 - 8 - 14)	/* VXLAN over IPv4 */

static struct packet_spec large(bool v6)
{
	struct packet_spec s = {
		.src = v6 ? "fd00:1::11" : "10.0.0.11",
		.dst = v6 ? "fd00:1::12" : "10.0.0.12",
		.proto = PROTO_TCP,
		.sport = 1234,
		.dport = 443,
		.fragment = v6 ? 0 : IPV4_DF,
		.payload = 1600,
	};

	world_mac(s.smac, 1, WEB_1);
	return s;
}

/* To another subnet, and with TTL 1 no further than the gateway. */
static struct packet_spec far_away(bool v6, uint16_t payload)
{
	struct packet_spec s = large(v6);

	s.dst = v6 ? "2001:db8:9::1" : "10.9.5.1";
	s.proto = PROTO_UDP;
	s.ttl = 1;
	s.payload = payload;
	return s;
}

/* The gateways of the vports' subnets, as the agent tells the fast path. */
static void tell_gateways(int vport)
{
	struct port *port = &fixture.ports[WORLD_SLOT(vport)];

	port->gateway[0] = packet_addr(vport == QINQ ? "10.0.1.1" : "10.0.0.1");
	port->gateway[1] = packet_addr("fd00:1::1");
}

static const struct icmp_wanted too_big = { 3, 2, 4, MTU, 68, 128 };
static const struct icmp_wanted too_big_for_vport = { 3, 2, 4, 1300, 68, 128 };
static const struct icmp_wanted time_exceeded = { 11, 3, 0, 0, 68, 128 };
static const struct icmp_wanted time_exceeded_short = { 11, 3, 0, 0, 28, 48 };

/* Web-1 is told @want by its gateway. */
static void assert_told(const struct shot *shot, const struct packet_spec *s, const struct icmp_wanted *want)
{
	bool v6 = strchr(s->src, ':') != NULL;

	assert_fate(shot, FATE_REPLIED);
	assert_memory_equal(shot->bytes, s->smac, ETH_ADDR_LEN);
	assert_memory_equal(shot->bytes + 6, fixture.world.networks[RED].gateway_mac, ETH_ADDR_LEN);
	assert_icmp_error(shot->bytes + 14, shot->len - 14, s, want,
		     fixture.ports[WORLD_SLOT(WEB_1)].gateway[v6]);
}

static void test_too_big(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = large(v6);

		tell_gateways(WEB_1);
		learn_vport(WEB_1, &s);
		assert_told(fire_spec(WEB_1, &s), &s, &too_big);
	}
}

/* Exactly the size that was named passes. */
static void test_named_size_fits(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = large(v6);

		tell_gateways(WEB_1);
		s.payload = MTU - (v6 ? 40 : 20) - 20;
		learn_vport(WEB_1, &s);
		assert_fate(fire_spec(WEB_1, &s), FATE_OUT);
		s.payload++;
		assert_fate(fire_spec(WEB_1, &s), FATE_REPLIED);
	}
}

static void test_time_exceeded(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = far_away(v6, 200), brief = far_away(v6, 12);

		tell_gateways(WEB_1);
		learn_vport(WEB_1, &s);
		assert_told(fire_spec(WEB_1, &s), &s, &time_exceeded);
		assert_told(fire_spec(WEB_1, &brief), &brief, &time_exceeded_short);
		s.ttl = 2;
		assert_fate(fire_spec(WEB_1, &s), FATE_OUT);
	}
}

/* The shortest quote of a packet with options would end before its ports. */
static void test_short_with_options(void **state)
{
	struct packet_spec s = far_away(false, 0);

	(void)state;
	sandbox_need();
	tell_gateways(WEB_1);
	s.option_words = 3;
	learn_vport(WEB_1, &s);
	assert_dropped(fire_spec(WEB_1, &s), REASON_TTL_EXPIRED);
	s.option_words = 10;
	assert_told(fire_spec(WEB_1, &s), &s, &time_exceeded);
}

/* Without DF nobody asked for an answer; without a gateway nobody can give one. */
static void test_not_too_big(void **state)
{
	struct packet_spec s = large(false);

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &s);
	assert_dropped(fire_spec(WEB_1, &s), REASON_TOO_BIG);
	tell_gateways(WEB_1);
	assert_fate(fire_spec(WEB_1, &s), FATE_REPLIED);
	s.fragment = 0;
	assert_dropped(fire_spec(WEB_1, &s), REASON_TOO_BIG);
}

/* RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): no error about an error, none about a later fragment. */
static void test_nothing_about_errors(void **state)
{
	(void)state;
	sandbox_need();
	tell_gateways(WEB_1);
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = far_away(v6, 200);

		s.proto = v6 ? PROTO_ICMPV6 : PROTO_ICMP;
		s.sport = v6 ? 1 : 3;
		s.dport = 0;
		learn_vport(WEB_1, &s);
		assert_dropped(fire_spec(WEB_1, &s), REASON_TTL_EXPIRED);
		s.sport = v6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO_REQUEST;
		assert_told(fire_spec(WEB_1, &s), &s, &time_exceeded);
		s.fragment = v6 ? 9 << 3 : 9;
		s.extensions[0] = PROTO_FRAGMENT;
		s.n_extensions = v6;
		assert_dropped(fire_spec(WEB_1, &s), REASON_TTL_EXPIRED);
	}
}

/* A guest with tags gets its answer in them, however far its packet had come. */
static void test_tags(void **state)
{
	(void)state;
	sandbox_need();
	for (int vport = TRUNK; vport <= QINQ; vport++)
		for (int big = 0; big < 2; big++) {
			struct packet_spec s = big ? large(false) : far_away(false, 200);
			const struct shot *shot;
			uint8_t sent[FRAME_MAX_BYTES];
			size_t l2;

			s.src = vport == TRUNK ? "10.0.0.14" : "10.0.1.15";
			s.n_tags = vport == TRUNK ? 1 : 2;
			s.tags[0] = 10;
			s.tags[1] = 20;
			world_mac(s.smac, 1, vport);
			l2 = 14 + 4 * s.n_tags;
			tell_gateways(vport);
			learn_vport(vport, &s);
			shot = fire_spec(vport, &s);
			assert_fate(shot, FATE_REPLIED);
			packet_build(&s, sent);
			assert_memory_equal(shot->bytes, s.smac, ETH_ADDR_LEN);
			assert_memory_equal(shot->bytes + 12, sent + 12, l2 - 12);
			if (big && vport == QINQ)
				s.ttl = 63;	/* it had crossed the gateway */
			assert_icmp_error(shot->bytes + l2, shot->len - l2, &s,
				     big ? &too_big : &time_exceeded,
				     fixture.ports[WORLD_SLOT(vport)].gateway[0]);
		}
}

/* Tags that were put on for the receiver are no part of what the sender is told. */
static void test_tagged_receiver(void **state)
{
	struct packet_spec s = large(false);
	struct nexthop_body narrow;

	(void)state;
	sandbox_need();
	tell_gateways(WEB_1);
	s.dst = "10.0.0.14";
	narrow = (struct nexthop_body){ .kind = NEXTHOP_LOCAL, .port = WORLD_SLOT(TRUNK), .mtu = MTU };
	fixture_nexthop(WORLD_LOCAL_NEXTHOP(TRUNK), &narrow);
	learn_vport(WEB_1, &s);
	assert_told(fire_spec(WEB_1, &s), &s, &too_big);
}

/*
 * From the fabric: the answer is a packet of the vport's, to the sender, and finds its
 * way from the coprocessor like any other.
 */
static void test_fabric(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_outer outer = outer_from(2, 100);
		struct nexthop_body narrow = { .kind = NEXTHOP_LOCAL, .port = WORLD_SLOT(WEB_1),
					       .mtu = 1300 };
		struct packet_spec s = large(v6), answer;
		uint8_t buf[FRAME_MAX_BYTES];
		const struct shot *shot;
		struct hub_header hub;
		uint32_t flow;

		s.src = v6 ? "fd00:1::12" : "10.0.0.12";
		s.dst = v6 ? "fd00:1::11" : "10.0.0.11";
		s.payload = 1300;
		fixture_nexthop(WORLD_LOCAL_NEXTHOP(WEB_1), &narrow);
		learn_fabric(100, outer.src, &s);
		shot = fire_ingress(buf, build_fabric(&outer, &s, buf));
		assert_fate(shot, FATE_PUNTED);
		memcpy(&hub, shot->bytes, sizeof(hub));
		assert_int_equal(hub.why, HUB_MISS);
		assert_int_equal(hub.scope, SCOPE_VPORT | WORLD_SLOT(WEB_1));
		assert_int_equal(hub.port, SLOT_UPLINK);
		assert_true(ip_addr_is_zero(&hub.outer));
		assert_icmp_error(shot->bytes + sizeof(hub) + 14, shot->len - sizeof(hub) - 14, &s,
			     &too_big_for_vport, packet_addr(s.dst));

		answer = (struct packet_spec){ .src = s.dst, .dst = s.src,
					       .proto = v6 ? PROTO_ICMPV6 : PROTO_ICMP,
					       .sport = v6 ? 2 : 3 };
		flow = learn_vport(WEB_1, &answer);
		shot = fire_resume(shot, HUB_RESUME, flow, fixture.memory.flows[flow].action.gen, 0);
		assert_out(shot, SLOT_UPLINK);
	}
}

/* A guest that does not listen is not shouted at. */
static void test_rate(void **state)
{
	struct packet_spec s = large(true);
	unsigned int n_replied = 0;

	(void)state;
	sandbox_need();
	tell_gateways(WEB_1);
	learn_vport(WEB_1, &s);
	for (int i = 0; i < 200; i++)
		n_replied += fire_spec(WEB_1, &s)->fate == FATE_REPLIED;
	print_message("%u of 200 answered\n", n_replied);
	assert_in_range(n_replied, 1, 150);
	assert_int_equal(drops_of(WORLD_SLOT(WEB_1), REASON_TOO_BIG), 200 - n_replied);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_too_big),
		TEST(test_named_size_fits),
		TEST(test_time_exceeded),
		TEST(test_short_with_options),
		TEST(test_not_too_big),
		TEST(test_nothing_about_errors),
		TEST(test_tags),
		TEST(test_tagged_receiver),
		TEST(test_fabric),
		TEST(test_rate),
	};

	return cmocka_run_group_tests_name("icmp_error", tests, fixture_load, fixture_unload);
}
