// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_encap.c - every encapsulation, as the wire carries it
 *
 *	{VXLAN, Geneve, GRE} x {IPv4, IPv6 underlay} x {untagged, VLAN} x {IPv4, IPv6 inside}
 *
 * The bytes are checked here, and then taken apart by tshark, which knows nothing of
 * our headers.
 */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include <selftests/bpf/capture.h>
#include <selftests/bpf/sandbox.h>

#define VLAN_ID 7

static const struct packet_spec inside[] = {
	{ .src = "10.0.0.11", .dst = "10.0.0.12", .proto = PROTO_TCP, .sport = 1000, .dport = 443,
	  .payload = 99 },
	{ .src = "fd00:1::11", .dst = "fd00:1::12", .proto = PROTO_UDP, .sport = 1000, .dport = 53,
	  .payload = 40 },
	{ .src = "10.0.0.11", .dst = "10.9.5.1", .proto = PROTO_ICMP, .sport = 8, .payload = 56 },
};

static struct underlay_shape shape(unsigned int i)
{
	return (struct underlay_shape){
		.tunnel = TUNNEL_VXLAN + i % 3,
		.v6 = i / 3 % 2,
		.vlan = i / 6 % 2 ? VLAN_ID : 0,
	};
}
#define N_SHAPES 12

/* Offsets of the outer headers for the underlay in force. */
struct outer_layout {
	size_t ip, udp, tunnel, inner;
};

static struct outer_layout outer_layout(void)
{
	const struct underlay_shape *u = &fixture.underlay;
	struct outer_layout o = { .ip = 14 + (u->vlan ? 4 : 0) };

	o.udp = o.ip + (u->v6 ? 40 : 20);
	o.tunnel = o.udp + (u->tunnel == TUNNEL_GRE ? 0 : 8);
	o.inner = o.tunnel + 8;
	return o;
}

static uint16_t word_at(const struct shot *shot, size_t at)
{
	return shot->bytes[at] << 8 | shot->bytes[at + 1];
}

static uint16_t entropy_of(const struct shot *shot)
{
	return word_at(shot, outer_layout().udp);
}

static uint8_t outer_tos_of(const struct shot *shot)
{
	size_t ip = outer_layout().ip;

	return fixture.underlay.v6 ? word_at(shot, ip) >> 4 : shot->bytes[ip + 1];
}

/* ------------------------------------------------------------------- our own eyes */

static void assert_outer(const struct shot *shot, size_t inner_len)
{
	struct outer_layout o = outer_layout();
	size_t ip_len = shot->len - o.ip;

	assert_int_equal(shot->len, o.inner + inner_len);
	if (fixture.underlay.v6) {
		assert_int_equal(shot->bytes[o.ip] >> 4, 6);
		assert_int_equal(word_at(shot, o.ip + 4), ip_len - 40);
	} else {
		assert_int_equal(word_at(shot, o.ip + 2), ip_len);
		assert_int_equal(word_at(shot, o.ip + 6), IPV4_DF);
		assert_int_equal(packet_sum(shot->bytes + o.ip, 20, 0), 0xffff);
	}
	if (fixture.underlay.tunnel == TUNNEL_GRE)
		return;
	assert_int_equal(word_at(shot, o.udp + 4), shot->len - o.udp);
	assert_int_equal(word_at(shot, o.udp + 6), 0);
	assert_true(entropy_of(shot) >= TUNNEL_ENTROPY_MIN);
}

/* Inside is the guest's packet to the byte, but for MACs and, where it was routed, the TTL. */
static void assert_inner(const struct shot *shot, struct packet_spec spec, bool routed)
{
	uint8_t want[FRAME_MAX_BYTES];
	struct outer_layout o = outer_layout();
	size_t len;

	world_mac(spec.smac, routed ? 3 : 1, routed ? RED : WEB_1);
	spec.ttl = routed ? 63 : 64;
	len = packet_build(&spec, want);
	assert_int_equal(shot->len - o.inner, len);
	assert_memory_equal(shot->bytes + o.inner + 6, want + 6, len - 6);
	assert_sums(shot->bytes + o.inner + 14, len - 14);
}

static const struct shot *carried(const struct packet_spec *spec)
{
	const struct shot *shot;

	learn_vport(WEB_1, spec);
	shot = fire_spec(WEB_1, spec);
	assert_out(shot, SLOT_UPLINK);
	return shot;
}

static void test_every_encapsulation(void **state)
{
	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape s = shape(i);

		fixture_underlay(&s);
		for (unsigned int k = 0; k < COUNT(inside); k++) {
			uint8_t frame[FRAME_MAX_BYTES];
			size_t len = packet_build(&inside[k], frame);
			const struct shot *shot = carried(&inside[k]);

			assert_outer(shot, len);
			assert_inner(shot, inside[k], k == 2);
		}
	}
}

static void test_other_port(void **state)
{
	struct outer_layout o;

	(void)state;
	sandbox_need();
	fixture_underlay(&(struct underlay_shape){ .port = 8472 });
	o = outer_layout();
	assert_int_equal(word_at(carried(&inside[0]), o.udp + 2), 8472);
}

/* ---------------------------------------------------------------------- tshark's */

enum { F_PROTOCOLS, F_DMAC, F_VLAN, F_SRC4, F_DST4, F_SRC6, F_DST6, F_SUM4, F_DF, F_FLOW6, F_TTL4, F_HOPS6,
       F_UDP_PORT, F_UDP_SUM, F_TCP_SUM, F_ICMP_SUM, F_VXLAN, F_GENEVE, F_GRE };
static const char *const fields[] = {
	"frame.protocols", "eth.dst", "vlan.id", "ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
	"ip.checksum.status", "ip.flags.df", "ipv6.flow", "ip.ttl", "ipv6.hlim", "udp.dstport",
	"udp.checksum.status", "tcp.checksum.status", "icmp.checksum.status", "vxlan.vni",
	"geneve.vni", "gre.key", NULL
};

/* "outer,inner" of those that are there. */
static const char *both(bool outer_there, const char *outer, bool inner_there, const char *inner)
{
	static char text[8][CAPTURE_TEXT_MAX];
	static unsigned int turn;
	char *at = text[turn++ % 8];

	snprintf(at, CAPTURE_TEXT_MAX, "%s%s%s", outer_there ? outer : "",
		 outer_there && inner_there ? "," : "", inner_there ? inner : "");
	return at;
}

static void assert_protocols(const char *text, const struct underlay_shape *u, unsigned int k)
{
	static const char *const tunnels[] = { [TUNNEL_VXLAN] = "udp:vxlan", [TUNNEL_GENEVE] = "udp:geneve",
					       [TUNNEL_GRE] = "gre" };
	static const char *const inner[] = { "ip:tcp", "ipv6:udp", "ip:icmp" };
	char want[CAPTURE_TEXT_MAX];

	snprintf(want, sizeof(want), "eth:ethertype:%s%s:%s:eth:ethertype:%s",
		 u->vlan ? "vlan:ethertype:" : "", u->v6 ? "ipv6" : "ip", tunnels[u->tunnel], inner[k]);
	if (strncmp(text, want, strlen(want)) || strstr(text, "malformed"))
		fail_msg("tshark sees %s, expected %s", text, want);
}

static void assert_addresses(char (*t)[CAPTURE_TEXT_MAX], const struct underlay_shape *u, unsigned int k)
{
	const struct packet_spec *in = &inside[k];
	bool v6 = k == 1;
	const char *dst = k == 2 ? "2001:db8::4" : "2001:db8::2";
	const char *dst4 = k == 2 ? "192.0.2.4" : "192.0.2.2";

	assert_string_equal(t[F_SRC4], both(!u->v6, "192.0.2.1", !v6, in->src));
	assert_string_equal(t[F_DST4], both(!u->v6, dst4, !v6, in->dst));
	assert_string_equal(t[F_SRC6], both(u->v6, "2001:db8::1", v6, in->src));
	assert_string_equal(t[F_DST6], both(u->v6, dst, v6, in->dst));
	assert_string_equal(t[F_DMAC], both(true, k == 2 ? "02:00:00:00:09:04" : "02:00:00:00:09:02", true,
			    k == 0 ? "02:00:00:00:02:00" : k == 1 ? "02:00:00:00:02:01" :
			    "02:00:00:00:02:04"));
}

static void assert_ip(char (*t)[CAPTURE_TEXT_MAX], const struct underlay_shape *u, unsigned int k)
{
	bool v6 = k == 1;

	assert_string_equal(t[F_SUM4], both(!u->v6, CAPTURE_SUM_GOOD, !v6, CAPTURE_SUM_GOOD));
	assert_string_equal(t[F_DF], both(!u->v6, "1", !v6, "0"));
	assert_string_equal(t[F_TTL4], both(!u->v6, "64", !v6, k == 2 ? "63" : "64"));
	assert_string_equal(t[F_HOPS6], both(u->v6, "64", v6, "64"));
	assert_int_equal(strspn(t[F_FLOW6], "0x,"), strlen(t[F_FLOW6]));
}

static void assert_l4(char (*t)[CAPTURE_TEXT_MAX], const struct underlay_shape *u, unsigned int k)
{
	bool udp = u->tunnel != TUNNEL_GRE;
	const char *port = u->tunnel == TUNNEL_VXLAN ? "4789" : "6081";

	assert_string_equal(t[F_UDP_PORT], both(udp, port, k == 1, "53"));
	assert_string_equal(t[F_UDP_SUM], both(udp, CAPTURE_SUM_ABSENT, k == 1, CAPTURE_SUM_GOOD));
	assert_string_equal(t[F_TCP_SUM], k == 0 ? CAPTURE_SUM_GOOD : "");
	assert_string_equal(t[F_ICMP_SUM], k == 2 ? CAPTURE_SUM_GOOD : "");
	assert_string_equal(t[F_VXLAN], u->tunnel == TUNNEL_VXLAN ? "100" : "");
	assert_string_equal(t[F_GENEVE], u->tunnel == TUNNEL_GENEVE ? "0x000064" : "");
	assert_string_equal(t[F_GRE], u->tunnel == TUNNEL_GRE ? "0x00000064" : "");
	assert_string_equal(t[F_VLAN], u->vlan ? "7" : "");
}

static void test_tshark_agrees(void **state)
{
	const struct capture *c;

	(void)state;
	sandbox_need();
	capture_need();
	capture_begin();
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape s = shape(i);

		fixture_underlay(&s);
		for (unsigned int k = 0; k < COUNT(inside); k++) {
			const struct shot *shot = carried(&inside[k]);

			capture_add(shot->bytes, shot->len);
		}
	}
	c = capture_decode(fields);
	assert_int_equal(c->n_frames, N_SHAPES * COUNT(inside));
	for (unsigned int n = 0; n < c->n_frames; n++) {
		struct underlay_shape s = shape(n / COUNT(inside));
		unsigned int k = n % COUNT(inside);
		char (*t)[CAPTURE_TEXT_MAX] = (void *)c->text[n];

		assert_protocols(t[F_PROTOCOLS], &s, k);
		assert_addresses(t, &s, k);
		assert_ip(t, &s, k);
		assert_l4(t, &s, k);
	}
}

/* ------------------------------------------------------------------ DSCP and ECN */

/* RFC 6040 section 4.1 normal mode copies ECN; DSCP is copied (uniform) or fixed (pipe). */
static void every_tos(struct underlay_shape s, const struct packet_spec *inner)
{
	struct packet_spec spec = *inner;

	fixture_underlay(&s);
	learn_vport(WEB_1, &spec);
	for (unsigned int tos = 0; tos < 256; tos++) {
		uint8_t want = s.dscp == DSCP_PIPE ? (s.tos & 0xfc) | (tos & 3) : tos;
		const struct shot *shot;
		uint8_t frame[FRAME_MAX_BYTES];

		spec.tos = tos;
		shot = fire_spec(WEB_1, &spec);
		assert_out(shot, SLOT_UPLINK);
		assert_int_equal(outer_tos_of(shot), want);
		assert_outer(shot, packet_build(&spec, frame));
		assert_inner(shot, spec, false);
	}
}

static void test_dscp_uniform(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++)
		for (int k = 0; k < 2; k++)
			every_tos((struct underlay_shape){ .v6 = v6 }, &inside[k]);
}

static void test_dscp_pipe(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++)
		for (int k = 0; k < 2; k++)
			every_tos((struct underlay_shape){ .v6 = v6, .dscp = DSCP_PIPE, .tos = 0xba,
							   .tunnel = TUNNEL_GENEVE }, &inside[k]);
}

/* ----------------------------------------------------------------------- entropy */

/* One flow keeps one source port; many flows use many of the 16384. */
static void test_entropy(void **state)
{
	struct packet_spec s = inside[0];
	static uint8_t seen[65536];
	unsigned int different = 0;

	(void)state;
	sandbox_need();
	memset(seen, 0, sizeof(seen));
	learn_vport(WEB_1, &s);
	for (unsigned int port = 1; port <= 1000; port++) {
		uint16_t a, b;

		s.sport = port;
		s.payload = port % 7;
		a = entropy_of(fire_spec(WEB_1, &s));
		s.payload = 100;
		b = entropy_of(fire_spec(WEB_1, &s));
		assert_int_equal(a, b);
		different += !seen[a]++;
	}
	assert_true(different > 930);	/* 970 expected */
}

/* All fragments of a datagram take one path, or reassembly suffers. */
static void test_entropy_of_fragments(void **state)
{
	struct packet_spec s = inside[0];
	uint16_t first;

	(void)state;
	sandbox_need();
	s.proto = PROTO_UDP;
	s.payload = 40;
	learn_vport(WEB_1, &s);
	s.fragment = IPV4_MF;
	first = entropy_of(fire_spec(WEB_1, &s));
	s.fragment = IPV4_MF | 5;
	assert_int_equal(entropy_of(fire_spec(WEB_1, &s)), first);
	s.fragment = 9;
	assert_int_equal(entropy_of(fire_spec(WEB_1, &s)), first);
}

/* ------------------------------------------------------------------------- sizes */

/* Super-packets that span buffers: the lengths in the outer headers count all of them. */
static void test_several_buffers(void **state)
{
	struct packet_spec s = inside[0];

	(void)state;
	sandbox_need();
	s.payload = 8000;
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape u = shape(i);
		uint8_t frame[FRAME_MAX_BYTES];
		size_t len = packet_build(&s, frame);
		const struct shot *shot;

		u.mtu = 9000;
		fixture_underlay(&u);
		shot = carried(&s);
		assert_outer(shot, len);
		assert_inner(shot, s, false);
	}
}

static void test_no_headroom(void **state)
{
	uint8_t frame[FRAME_MAX_BYTES];
	size_t len;

	(void)state;
	sandbox_need();
	len = packet_build(&inside[0], frame);
	for (unsigned int i = 0; i < N_SHAPES; i++) {
		struct underlay_shape u = shape(i);

		fixture_underlay(&u);
		learn_vport(WEB_1, &inside[0]);
		assert_dropped(fire_without_headroom(ENTRY_EGRESS, WORLD_SLOT(WEB_1), frame, len),
			       REASON_NO_HEADROOM);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_every_encapsulation),
		TEST(test_other_port),
		TEST(test_tshark_agrees),
		TEST(test_dscp_uniform),
		TEST(test_dscp_pipe),
		TEST(test_entropy),
		TEST(test_entropy_of_fragments),
		TEST(test_several_buffers),
		TEST(test_no_headroom),
	};

	return cmocka_run_group_tests_name("encap", tests, fixture_load, fixture_unload);
}
