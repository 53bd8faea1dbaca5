// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_decap.c - frames from the underlay: ours, malformed, or somebody else's
 *
 * What is addressed to our tunnel is delivered or dropped by name; everything else
 * reaches the host's stack untouched, to the byte.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/sandbox.h>
#include <selftests/frames.h>

static const struct packet_spec inside[] = {
	{ .src = "10.0.0.12", .dst = "10.0.0.11", .proto = PROTO_TCP, .sport = 443, .dport = 1000,
	  .payload = 99 },
	{ .src = "fd00:1::12", .dst = "fd00:1::11", .proto = PROTO_UDP, .sport = 53, .dport = 1000,
	  .payload = 40 },
	{ .src = "10.0.1.12", .dst = "10.0.0.11", .proto = PROTO_ICMP, .sport = 0, .payload = 56 },
};

static struct underlay_shape shape(unsigned int i)
{
	return (struct underlay_shape){
		.tunnel = TUNNEL_VXLAN + i % 3,
		.v6 = i / 3 % 2,
		.vlan = i / 6 % 2 ? 7 : 0,
	};
}
#define N_SHAPES 12

/* A good frame from host 2, with where its outer headers are. */
struct arrival {
	uint8_t bytes[FRAME_MAX_BYTES];
	size_t len, ip, udp, tunnel, inner;
};

static void arrive(struct arrival *a, const struct packet_outer *outer, const struct packet_spec *spec)
{
	const struct underlay_shape *u = &fixture.underlay;

	a->len = build_fabric(outer, spec, a->bytes);
	a->ip = 14 + (u->vlan ? 4 : 0);
	a->udp = a->ip + (u->v6 ? 40 : 20);
	a->tunnel = a->udp + (u->tunnel == TUNNEL_GRE ? 0 : 8);
	a->inner = a->tunnel + 8;
}

static void arrive_from(struct arrival *a, unsigned int host, const struct packet_spec *spec)
{
	struct packet_outer outer = outer_from(host, 100);

	learn_fabric(100, outer.src, spec);
	arrive(a, &outer, spec);
}

static void assert_passed(const struct arrival *a)
{
	const struct shot *shot = fire_ingress(a->bytes, a->len);

	assert_fate(shot, FATE_PASSED);
	assert_int_equal(shot->len, a->len);
	assert_memory_equal(shot->bytes, a->bytes, a->len);
}

/* The same frame with the byte at @at changed must be dropped as @reason. */
static void assert_spoilt(const struct arrival *good, size_t at, uint8_t value, enum drop_reason reason)
{
	static struct arrival a;

	a = *good;
	a.bytes[at] = value;
	assert_dropped(fire_ingress(a.bytes, a.len), reason);
}

static void assert_passes_with(const struct arrival *good, size_t at, uint8_t value)
{
	static struct arrival a;

	a = *good;
	a.bytes[at] = value;
	assert_passed(&a);
}

/* ------------------------------------------------------------------------ delivery */

static void assert_delivered(const struct shot *shot, struct packet_spec spec, unsigned int k)
{
	static const uint8_t smac[][2] = { { 2, RED_12 }, { 2, RED_12_V6 }, { 3, RED } };
	uint8_t want[FRAME_MAX_BYTES];
	size_t len;

	world_mac(spec.smac, smac[k][0], smac[k][1]);
	world_mac(spec.dmac, 1, WEB_1);
	len = packet_build(&spec, want);
	assert_out(shot, WORLD_SLOT(WEB_1));
	assert_int_equal(shot->slot, SLOT_UPLINK);
	assert_int_equal(shot->len, len);
	assert_memory_equal(shot->bytes, want, len);
}

static void test_every_encapsulation(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape s = shape(i);

		fixture_underlay(&s);
		for (unsigned int k = 0; k < COUNT(inside); k++) {
			arrive_from(&a, 2, &inside[k]);
			assert_delivered(fire_ingress(a.bytes, a.len), inside[k], k);
		}
	}
}

/* What our own egress sends, our own ingress understands. */
static void test_round_trip(void **state)
{
	const struct packet_spec out = { .src = "10.0.0.12", .dst = "10.0.0.11", .proto = PROTO_UDP,
					 .sport = 5, .dport = 6, .payload = 77 };
	struct packet_spec there = out;

	(void)state;
	sandbox_need();
	there.src = "10.0.0.11";
	there.dst = "10.0.0.12";
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape s = shape(i);
		const struct shot *sent, *got;
		struct ip_addr src, dst;
		size_t at = 14 + (s.vlan ? 4 : 0) + (s.v6 ? 8 : 12), n = s.v6 ? 16 : 4;
		uint8_t frame[FRAME_MAX_BYTES];

		fixture_underlay(&s);
		learn_vport(WEB_1, &there);
		sent = fire_spec(WEB_1, &there);
		/* Host 2's answer: outer addresses change places, and so do the guests'. */
		memcpy(frame, sent->bytes, sent->len);
		memcpy(&src, frame + at, n);
		memcpy(&dst, frame + at + n, n);
		memcpy(frame + at, &dst, n);
		memcpy(frame + at + n, &src, n);
		packet_build(&out, frame + sent->len - (14 + 28 + 77));
		learn_fabric(100, fixture_host(2), &out);
		got = fire_ingress(frame, sent->len);
		assert_delivered(got, out, 0);
	}
}

static void test_key_holds_the_sender(void **state)
{
	static struct arrival a;
	struct packet_outer outer;

	(void)state;
	sandbox_need();
	arrive_from(&a, 2, &inside[0]);
	assert_out(fire_ingress(a.bytes, a.len), WORLD_SLOT(WEB_1));
	outer = outer_from(3, 100);		/* another host, the same VNI and addresses */
	arrive(&a, &outer, &inside[0]);
	assert_fate(fire_ingress(a.bytes, a.len), FATE_PUNTED);
	learn_fabric(100, outer.src, &inside[0]);
	assert_dropped(fire_ingress(a.bytes, a.len), REASON_SPOOFED_OUTER);
	outer = outer_from(2, 200);		/* the same host, another VNI */
	arrive(&a, &outer, &inside[0]);
	assert_fate(fire_ingress(a.bytes, a.len), FATE_PUNTED);
}

/* A super-packet's worth in one outer packet, over several buffers. */
static void test_several_buffers(void **state)
{
	static struct arrival a;
	struct packet_spec s = inside[0];

	(void)state;
	sandbox_need();
	s.payload = 7000;
	arrive_from(&a, 2, &s);
	assert_delivered(fire_ingress(a.bytes, a.len), s, 0);
}

/* ------------------------------------------------------------------- inner frames */

static void test_every_inner_frame(void **state)
{
	struct packet_outer outer;

	(void)state;
	sandbox_need();
	outer = outer_from(2, 100);
	for (unsigned int i = 0; i < COUNT(frame_cases); i++) {
		uint8_t inner[PACKET_MAX], buf[FRAME_MAX_BYTES];
		struct frame_layout l;
		size_t len = frame_build(&frame_cases[i], inner, &l);
		const struct shot *shot;

		fixture_forget_fragments();
		shot = fire_ingress(buf, packet_encapsulate(&outer, inner, len, buf));
		if (frame_cases[i].reason)
			assert_dropped(shot, frame_cases[i].reason);
		else
			assert_fate(shot, FATE_PUNTED);
	}
}

/* Nothing is flooded between hosts, so ARP has no business in a tunnel. */
static void test_inner_arp(void **state)
{
	uint8_t arp[42] = { [12] = 0x08, [13] = 0x06 }, buf[FRAME_MAX_BYTES];
	struct packet_outer outer;

	(void)state;
	sandbox_need();
	outer = outer_from(2, 100);
	assert_dropped(fire_ingress(buf, packet_encapsulate(&outer, arp, sizeof(arp), buf)),
		       REASON_ETHERTYPE);
}

static void test_every_cut(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape s = shape(i);

		fixture_underlay(&s);
		arrive_from(&a, 2, &inside[0]);
		for (size_t n = 14; n < a.len; n++) {
			const struct shot *shot = fire_ingress(a.bytes, n);

			if (n < a.tunnel && n < a.udp + 8)
				assert_true(shot->fate == FATE_PASSED || shot->fate == FATE_DROPPED);
			else
				assert_fate(shot, FATE_DROPPED);
		}
	}
}

/* --------------------------------------------------------------------------- ECN */

/* RFC 6040 section 4.2, figure 4; rows are the inner codepoint, columns the outer; -1: drop. */
static const int ecn_table[4][4] = {
	/*             Not-ECT  ECT(1)  ECT(0)  CE */
	/* Not-ECT */ { 0,       0,      0,     -1 },
	/* ECT(1)  */ { 1,       1,      1,      3 },
	/* ECT(0)  */ { 2,       1,      2,      3 },
	/* CE      */ { 3,       3,      3,      3 },
};

static void try_ecn(const struct packet_spec *inner, uint8_t inner_tos, uint8_t outer_tos)
{
	int want = ecn_table[inner_tos & 3][outer_tos & 3];
	struct packet_outer outer = outer_from(2, 100);
	struct packet_spec s = *inner;
	static struct arrival a;
	const struct shot *shot;

	s.tos = inner_tos;
	outer.tos = outer_tos;
	arrive(&a, &outer, &s);
	shot = fire_ingress(a.bytes, a.len);
	if (want < 0) {
		assert_dropped(shot, REASON_ECN);
		return;
	}
	s.tos = (inner_tos & 0xfc) | want;
	assert_delivered(shot, s, inner - inside);
	assert_sums(shot->bytes + 14, shot->len - 14);
}

static void test_ecn(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		fixture_underlay(&(struct underlay_shape){ .v6 = v6 });
		for (int k = 0; k < 2; k++) {
			learn_fabric(100, fixture_host(2), &inside[k]);
			for (int inner = 0; inner < 4; inner++)
				for (int outer = 0; outer < 4; outer++) {
					try_ecn(&inside[k], inner, outer);
					try_ecn(&inside[k], 0xb8 | inner, outer);
					try_ecn(&inside[k], 0x40 | inner, 0xb8 | outer);
				}
		}
	}
}

/* ------------------------------------------------------------------ outer headers */

static void test_bad_outer_ipv4(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	arrive_from(&a, 2, &inside[0]);
	assert_spoilt(&a, a.ip, 0x44, REASON_OUTER_HEADER);	/* header of 16 bytes */
	assert_spoilt(&a, a.ip + 3, 19, REASON_OUTER_HEADER);

}

static void test_bad_udp_length(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		fixture_underlay(&(struct underlay_shape){ .v6 = v6 });
		arrive_from(&a, 2, &inside[0]);
		assert_spoilt(&a, a.udp + 4, 0xff, REASON_OUTER_HEADER);
		a.bytes[a.udp + 4] = 0;
		for (int len = 0; len < 16; len++)
			assert_spoilt(&a, a.udp + 5, len, REASON_OUTER_HEADER);
	}
}

/* IPv4 options in the outer header are unusual, and legal. */
static void test_outer_options(void **state)
{
	struct packet_spec outer = { .src = "192.0.2.2", .dst = "192.0.2.1", .proto = PROTO_UDP,
				     .sport = 50000, .dport = VXLAN_PORT, .option_words = 3 };
	const struct vxlan_header vxlan = { wire32(VXLAN_FLAG_VNI), wire32(100 << 8) };
	uint8_t inner[FRAME_MAX_BYTES], buf[FRAME_MAX_BYTES];
	size_t inner_len = packet_build(&inside[0], inner), len;

	(void)state;
	sandbox_need();
	learn_fabric(100, "192.0.2.2", &inside[0]);
	outer.payload = 8 + inner_len;
	len = packet_build(&outer, buf);
	memcpy(buf + len - inner_len - 8, &vxlan, sizeof(vxlan));
	memcpy(buf + len - inner_len, inner, inner_len);
	assert_delivered(fire_ingress(buf, len), inside[0], 0);
}

static void test_vxlan_header(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	arrive_from(&a, 2, &inside[0]);
	assert_spoilt(&a, a.tunnel, 0x00, REASON_TUNNEL_HEADER);	/* no VNI */
	a.bytes[a.tunnel] = 0xff;		/* reserved bits are ignored: RFC 7348 section 5 */
	a.bytes[a.tunnel + 7] = 0xff;
	assert_out(fire_ingress(a.bytes, a.len), WORLD_SLOT(WEB_1));
}

static void test_geneve_header(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		fixture_underlay(&(struct underlay_shape){ .tunnel = TUNNEL_GENEVE, .v6 = v6 });
		arrive_from(&a, 2, &inside[0]);
		assert_spoilt(&a, a.tunnel, 0x40, REASON_TUNNEL_HEADER);	/* version 1 */
		assert_spoilt(&a, a.tunnel + 1, GENEVE_FLAG_OAM, REASON_TUNNEL_HEADER);
		assert_spoilt(&a, a.tunnel + 1, GENEVE_FLAG_CRITICAL, REASON_GENEVE_CRITICAL);
		assert_spoilt(&a, a.tunnel + 2, 0x08, REASON_TUNNEL_HEADER);	/* not Ethernet */
		assert_spoilt(&a, a.tunnel, 0x3f, REASON_TUNNEL_HEADER);	/* options past the end */
		a.bytes[a.tunnel + 1] = 0x3f;	/* reserved bits are ignored: RFC 8926 section 3.4 */
		a.bytes[a.tunnel + 7] = 0xff;
		assert_out(fire_ingress(a.bytes, a.len), WORLD_SLOT(WEB_1));
	}
}

/* Options that are not critical are stepped over. */
static void test_geneve_options(void **state)
{
	static const uint8_t option[12] = { 0x01, 0x02, 0x11, 0x02 };	/* class, type, 2 words */
	uint8_t inner[FRAME_MAX_BYTES], buf[FRAME_MAX_BYTES];
	struct packet_outer outer;
	size_t len, inner_len;

	(void)state;
	sandbox_need();
	fixture_underlay(&(struct underlay_shape){ .tunnel = TUNNEL_GENEVE });
	outer = outer_from(2, 100);
	learn_fabric(100, outer.src, &inside[0]);
	inner_len = packet_build(&inside[0], inner + sizeof(option));
	memcpy(inner, option, sizeof(option));
	len = packet_encapsulate(&outer, inner, inner_len + sizeof(option), buf);
	buf[14 + 20 + 8] = 3;			/* three words of options */
	assert_delivered(fire_ingress(buf, len), inside[0], 0);
}

static void test_gre_header(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		fixture_underlay(&(struct underlay_shape){ .tunnel = TUNNEL_GRE, .v6 = v6 });
		arrive_from(&a, 2, &inside[0]);
		assert_spoilt(&a, a.tunnel, 0x00, REASON_TUNNEL_HEADER);	/* no key */
		assert_spoilt(&a, a.tunnel, 0xa0, REASON_TUNNEL_HEADER);	/* checksum */
		assert_spoilt(&a, a.tunnel, 0x60, REASON_TUNNEL_HEADER);	/* routing */
		assert_spoilt(&a, a.tunnel + 1, 0x01, REASON_TUNNEL_HEADER);	/* version 1: PPTP */
		assert_spoilt(&a, a.tunnel + 2, 0x08, REASON_TUNNEL_HEADER);	/* not Ethernet */
		assert_spoilt(&a, a.tunnel + 4, 0x01, REASON_UNKNOWN_VNI);	/* key above 24 bits */
	}
}

static void test_gre_sequence(void **state)
{
	uint8_t inner[FRAME_MAX_BYTES], buf[FRAME_MAX_BYTES];
	struct packet_outer outer;
	size_t len, inner_len;

	(void)state;
	sandbox_need();
	fixture_underlay(&(struct underlay_shape){ .tunnel = TUNNEL_GRE });
	outer = outer_from(2, 100);
	learn_fabric(100, outer.src, &inside[0]);
	inner_len = packet_build(&inside[0], inner + 4);
	memset(inner, 0, 4);
	len = packet_encapsulate(&outer, inner, inner_len + 4, buf);
	buf[14 + 20] |= GRE_FLAG_SEQUENCE >> 8;
	assert_delivered(fire_ingress(buf, len), inside[0], 0);
}

/* -------------------------------------------------------------- somebody else's */

static void pass_spec(struct packet_spec spec)
{
	static struct arrival a;

	a.len = packet_build(&spec, a.bytes);
	assert_passed(&a);
}

/* SSH, DNS, pings, routing protocols: nobody loses them. */
static void test_host_traffic_passes(void **state)
{
	static const struct packet_spec specs[] = {
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_TCP, .dport = 22 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_UDP, .dport = 53 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_UDP, .dport = GENEVE_PORT },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_ICMP, .sport = 8 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_GRE, .payload = 60 },
		{ .src = "192.0.2.9", .dst = "192.0.2.77", .proto = PROTO_UDP, .dport = VXLAN_PORT },
		{ .src = "192.0.2.9", .dst = "224.0.0.5", .proto = 89, .payload = 44 },
		{ .src = "192.0.2.9", .dst = "255.255.255.255", .proto = PROTO_UDP, .dport = 67 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_UDP, .dport = VXLAN_PORT,
		  .fragment = IPV4_MF, .payload = 80 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_UDP, .fragment = 10, .payload = 80 },
		{ .src = "2001:db8::9", .dst = "2001:db8::1", .proto = PROTO_TCP, .dport = 22 },
		{ .src = "2001:db8::9", .dst = "2001:db8::77", .proto = PROTO_UDP, .dport = VXLAN_PORT },
		{ .src = "2001:db8::9", .dst = "2001:db8::1", .proto = PROTO_UDP, .dport = VXLAN_PORT,
		  .extensions = { PROTO_HOPOPTS }, .n_extensions = 1 },
		{ .src = "fe80::9", .dst = "ff02::1:ff00:1", .proto = PROTO_ICMPV6, .sport = 135, .ttl = 255 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_TCP, .dport = 22,
		  .tags = { 30 }, .n_tags = 1 },
		{ .src = "192.0.2.9", .dst = "192.0.2.1", .proto = PROTO_TCP, .payload = 7000 },
	};

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(specs); i++)
		pass_spec(specs[i]);
}

static void test_odd_frames_pass(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (a.len = 14; a.len < 64; a.len++)
		for (int type = 0; type < 3; type++) {
			static const uint8_t types[][2] = { { 0x08, 0x06 }, { 0x88, 0xcc }, { 0x00, 0x26 } };

			memset(a.bytes, 0, sizeof(a.bytes));
			memcpy(a.bytes + 12, types[type], 2);
			assert_passed(&a);
		}
}

/* The underlay's tag is part of being addressed to us. */
static void test_wrong_underlay_tag_passes(void **state)
{
	struct packet_outer outer;
	static struct arrival a;

	(void)state;
	sandbox_need();
	fixture_underlay(&(struct underlay_shape){ .vlan = 7 });
	outer = outer_from(2, 100);
	outer.vlan = 8;
	arrive(&a, &outer, &inside[0]);
	assert_passed(&a);
	outer.vlan = 0;
	arrive(&a, &outer, &inside[0]);
	assert_passed(&a);
	fixture_underlay(&(struct underlay_shape){});
	outer.vlan = 7;
	arrive(&a, &outer, &inside[0]);
	assert_passed(&a);
}

static void test_near_misses_pass(void **state)
{
	static struct arrival a;

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape s = shape(i);

		fixture_underlay(&s);
		arrive_from(&a, 2, &inside[0]);
		assert_passes_with(&a, a.udp - 1, 0x77);	/* another destination address */
		assert_passes_with(&a, a.ip + (s.v6 ? 6 : 9), 99);	/* another protocol */
		if (s.tunnel != TUNNEL_GRE)
			assert_passes_with(&a, a.udp + 3, 1);	/* another port */
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_every_encapsulation),
		TEST(test_round_trip),
		TEST(test_key_holds_the_sender),
		TEST(test_several_buffers),
		TEST(test_every_inner_frame),
		TEST(test_inner_arp),
		TEST(test_every_cut),
		TEST(test_ecn),
		TEST(test_bad_outer_ipv4),
		TEST(test_bad_udp_length),
		TEST(test_outer_options),
		TEST(test_vxlan_header),
		TEST(test_geneve_header),
		TEST(test_geneve_options),
		TEST(test_gre_header),
		TEST(test_gre_sequence),
		TEST(test_host_traffic_passes),
		TEST(test_odd_frames_pass),
		TEST(test_wrong_underlay_tag_passes),
		TEST(test_near_misses_pass),
	};

	return cmocka_run_group_tests_name("decap", tests, fixture_load, fixture_unload);
}
