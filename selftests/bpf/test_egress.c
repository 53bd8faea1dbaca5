// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_egress.c - frames from guests: parsed, looked up, acted on, delivered
 *
 * Encapsulation has a test of its own (test_encap.c); here most frames go to a
 * vport of the same host, where every byte that leaves can be compared.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/sandbox.h>
#include <selftests/frames.h>

static const struct packet_spec to_web_2 = {
	.src = "10.0.0.11", .dst = "10.0.0.13", .proto = PROTO_TCP, .sport = 1000, .dport = 443,
	.payload = 30,
};

static struct packet_spec spec_with(const char *src, const char *dst, uint8_t proto)
{
	return (struct packet_spec){ .src = src, .dst = dst, .proto = proto, .sport = 1000,
				     .dport = 443, .payload = 16 };
}

/* A MAC of the world, as world_mac() takes it. */
struct mac_id {
	uint8_t kind, i;
};
#define VPORT_MAC(v) ((struct mac_id){ 1, v })
#define GATEWAY_MAC(n) ((struct mac_id){ 3, n })

/* What should arrive: @spec between these MACs. */
static void assert_frame(const struct shot *shot, struct packet_spec spec, struct mac_id smac,
			 struct mac_id dmac)
{
	uint8_t want[FRAME_MAX_BYTES];
	size_t len;

	world_mac(spec.smac, smac.kind, smac.i);
	world_mac(spec.dmac, dmac.kind, dmac.i);
	len = packet_build(&spec, want);
	assert_int_equal(shot->len, len);
	assert_memory_equal(shot->bytes, want, len);
}

/* ------------------------------------------------------------------------ parser */

/* With no flow in the table, what parses is a miss, and what does not is dropped by name. */
static void test_every_frame(void **state)
{
	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(frame_cases); i++) {
		uint8_t buf[PACKET_MAX];
		struct frame_layout l;
		size_t len = frame_build(&frame_cases[i], buf, &l);
		const struct shot *shot;

		fixture_forget_fragments();
		shot = fire_egress(WEB_1, buf, len);
		if (frame_cases[i].reason)
			assert_dropped(shot, frame_cases[i].reason);
		else
			assert_fate(shot, FATE_PUNTED);
	}
}

/* The parser in user space and the length rule say what the kernel must answer. */
static enum drop_reason expected_of(const uint8_t *bytes, size_t len)
{
	struct flow_key key = {};
	struct frame frame = {};
	int reason = parse_frame((void *)bytes, (void *)(bytes + len), &key, &frame);

	return reason ? reason : frame.end > len ? REASON_IP_HEADER : REASON_NONE;
}

static void test_every_cut(void **state)
{
	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(frame_cases); i++) {
		uint8_t buf[PACKET_MAX];
		struct frame_layout l;
		size_t len = frame_build(&frame_cases[i], buf, &l);

		for (size_t n = 14; n < len; n += n < l.l4_end + 2 ? 1 : 17) {
			enum drop_reason want = expected_of(buf, n);
			const struct shot *shot = fire_egress(WEB_1, buf, n);

			if (want)
				assert_dropped(shot, want);
			else
				assert_fate(shot, FATE_PUNTED);
		}
	}
}

/* ------------------------------------------------------------------------ lookup */

static void test_hit_by_3_tuple(void **state)
{
	struct packet_spec s = to_web_2;
	uint32_t flow;

	(void)state;
	sandbox_need();
	assert_fate(fire_spec(WEB_1, &s), FATE_PUNTED);
	flow = learn_vport(WEB_1, &s);
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
	s.sport = 2000;
	s.dport = 80;
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
	assert_int_equal(flow_stats_of(flow).packets, 2);
	assert_int_equal(flow_stats_of(flow).bytes, 2 * (14 + 20 + 20 + 30));
	s.proto = PROTO_UDP;
	assert_fate(fire_spec(WEB_1, &s), FATE_PUNTED);
}

static void test_hit_by_5_tuple(void **state)
{
	struct packet_spec s = to_web_2;
	uint32_t flow;

	(void)state;
	sandbox_need();
	fixture.world.samples[0] = (struct config_sample){ .network = RED, .proto = PROTO_TCP,
							    .port = 25, .rate = 1 };
	fixture.world.config.n_samples = 1;
	fixture_policy();
	flow = learn_vport(WEB_1, &s);
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
	assert_int_equal(flow_stats_of(flow).packets, 1);
	s.sport++;
	assert_fate(fire_spec(WEB_1, &s), FATE_PUNTED);
	s.proto = PROTO_UDP;
	learn_vport(WEB_1, &s);
	s.sport++;
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
}

/* The key holds the port: another guest's identical frame is another flow, and that one is a spoof. */
static void test_spoof_never_hits(void **state)
{
	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &to_web_2);
	assert_out(fire_spec(WEB_1, &to_web_2), WORLD_SLOT(WEB_2));
	for (int v = WEB_2; v < WORLD_VPORTS; v++)
		assert_fate(fire_spec(v, &to_web_2), FATE_PUNTED);
	learn_vport(WEB_2, &to_web_2);
	assert_dropped(fire_spec(WEB_2, &to_web_2), REASON_SPOOFED_SOURCE);
	assert_out(fire_spec(WEB_1, &to_web_2), WORLD_SLOT(WEB_2));
}

/* Many flows share the buckets; every one is found, and none is another's. */
static void test_many_flows(void **state)
{
	enum { N = 1500 };
	static uint32_t flows[N];
	struct packet_spec s = spec_with("10.0.0.11", NULL, PROTO_UDP);
	char dst[16];

	(void)state;
	sandbox_need();
	s.dst = dst;
	for (int i = 0; i < N; i++) {
		snprintf(dst, sizeof(dst), "10.9.%d.%d", i >> 8, i & 255);
		flows[i] = learn_vport(WEB_1, &s);
	}
	for (int i = 0; i < N; i += 7) {
		snprintf(dst, sizeof(dst), "10.9.%d.%d", i >> 8, i & 255);
		assert_out(fire_spec(WEB_1, &s), SLOT_UPLINK);
		assert_int_equal(flow_stats_of(flows[i]).packets, 1);
	}
	snprintf(dst, sizeof(dst), "10.9.%d.%d", N >> 8, N & 255);
	assert_fate(fire_spec(WEB_1, &s), FATE_PUNTED);
}

/* Later fragments carry no ports and follow the first by the 3-tuple. */
static void test_fragments(void **state)
{
	struct packet_spec s = to_web_2;

	(void)state;
	sandbox_need();
	s.proto = PROTO_UDP;
	s.payload = 40;
	learn_vport(WEB_1, &s);
	s.fragment = IPV4_MF;
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
	s.fragment = IPV4_MF | 6;
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
	s.fragment = 12;
	assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
}

/* ------------------------------------------------------------------------ action */

static void test_switched(void **state)
{
	const struct shot *shot;

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &to_web_2);
	shot = fire_spec(WEB_1, &to_web_2);
	assert_out(shot, WORLD_SLOT(WEB_2));
	assert_frame(shot, to_web_2, VPORT_MAC(WEB_1), VPORT_MAC(WEB_2));
}

/* Two vports of the world that are untagged and in different subnets, for routing without tags. */
static void untag_qinq(void)
{
	memset(fixture.world.vports[QINQ].vlan, 0, sizeof(fixture.world.vports[QINQ].vlan));
	fixture_policy();
}

static void test_routed(void **state)
{
	struct packet_spec s = spec_with("10.0.0.11", "10.0.1.15", PROTO_TCP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	untag_qinq();
	learn_vport(WEB_1, &s);
	for (int ttl = 255; ttl > 1; ttl--) {
		s.ttl = ttl;
		shot = fire_spec(WEB_1, &s);
		s.ttl = ttl - 1;
		assert_out(shot, WORLD_SLOT(QINQ));
		assert_frame(shot, s, GATEWAY_MAC(RED), VPORT_MAC(QINQ));
	}
	s.ttl = 1;
	assert_dropped(fire_spec(WEB_1, &s), REASON_TTL_EXPIRED);
}

static void test_routed_ipv6(void **state)
{
	struct packet_spec s = spec_with("fd00:1::11", "fd00:2::15", PROTO_UDP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	fixture.world.vports[WEB_2].addrs[1] = packet_addr("fd00:2::15");
	fixture.world.vports[WEB_2].n_addrs = 2;
	fixture_policy();
	learn_vport(WEB_1, &s);
	shot = fire_spec(WEB_1, &s);
	s.ttl = 63;
	assert_out(shot, WORLD_SLOT(WEB_2));
	assert_frame(shot, s, GATEWAY_MAC(RED), VPORT_MAC(WEB_2));
	s.ttl = 1;
	assert_dropped(fire_spec(WEB_1, &s), REASON_TTL_EXPIRED);
}

static void test_tag_off(void **state)
{
	struct packet_spec s = spec_with("10.0.0.14", "10.0.0.13", PROTO_UDP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	s.n_tags = 1;
	s.tags[0] = 10;
	learn_vport(TRUNK, &s);
	shot = fire_spec(TRUNK, &s);
	assert_out(shot, WORLD_SLOT(WEB_2));
	s.n_tags = 0;
	assert_frame(shot, s, VPORT_MAC(TRUNK), VPORT_MAC(WEB_2));
	assert_fate(fire_spec(TRUNK, &s), FATE_PUNTED);	/* untagged is another flow */
}

static void test_tag_on(void **state)
{
	struct packet_spec s = spec_with("10.0.0.13", "10.0.0.14", PROTO_UDP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	learn_vport(WEB_2, &s);
	shot = fire_spec(WEB_2, &s);
	assert_out(shot, WORLD_SLOT(TRUNK));
	s.n_tags = 1;
	s.tags[0] = 10;
	assert_frame(shot, s, VPORT_MAC(WEB_2), VPORT_MAC(TRUNK));
}

static void test_two_tags_off_one_on(void **state)
{
	struct packet_spec s = spec_with("10.0.1.15", "10.0.0.14", PROTO_TCP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	s.n_tags = 2;
	s.tags[0] = 10;
	s.tags[1] = 20;
	learn_vport(QINQ, &s);
	shot = fire_spec(QINQ, &s);
	assert_out(shot, WORLD_SLOT(TRUNK));
	s.n_tags = 1;
	s.ttl = 63;
	assert_frame(shot, s, GATEWAY_MAC(RED), VPORT_MAC(TRUNK));
}

static void test_two_tags_on(void **state)
{
	struct packet_spec s = spec_with("10.0.0.11", "10.0.1.15", PROTO_TCP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &s);
	shot = fire_spec(WEB_1, &s);
	assert_out(shot, WORLD_SLOT(QINQ));
	s.n_tags = 2;
	s.tags[0] = 10;
	s.tags[1] = 20;
	s.ttl = 63;
	assert_frame(shot, s, GATEWAY_MAC(RED), VPORT_MAC(QINQ));
}

static void test_sample(void **state)
{
	struct packet_spec s = to_web_2;
	struct sample sample;
	uint8_t want[FRAME_MAX_BYTES];
	uint32_t flow;

	(void)state;
	sandbox_need();
	fixture.world.samples[0] = (struct config_sample){ .network = RED, .rate = 1 };
	fixture.world.config.n_samples = 1;
	fixture_policy();
	for (s.payload = 0; s.payload < 200; s.payload += 33) {
		size_t len = packet_build(&s, want);
		size_t caught = len < SAMPLE_BYTES ? len : SAMPLE_BYTES;

		flow = learn_vport(WEB_1, &s);
		assert_out(fire_spec(WEB_1, &s), WORLD_SLOT(WEB_2));
		assert_true(next_sample(&sample));
		assert_int_equal(sample.flow, flow);
		assert_int_equal(sample.port, WORLD_SLOT(WEB_1));
		assert_int_equal(sample.frame_len, len);
		assert_int_equal(sample.caught_len, caught);
		assert_int_equal(sample.rate, 1);
		assert_memory_equal(sample.bytes + 14, want + 14, caught - 14);
		assert_false(next_sample(&sample));
	}
}

static void test_sample_rate(void **state)
{
	struct sample sample;
	int n = 0;

	(void)state;
	sandbox_need();
	fixture.world.samples[0] = (struct config_sample){ .network = RED, .rate = 10 };
	fixture.world.config.n_samples = 1;
	fixture_policy();
	learn_vport(WEB_1, &to_web_2);
	for (int i = 0; i < 2000; i++) {
		fire_spec(WEB_1, &to_web_2);
		n += next_sample(&sample);
	}
	assert_in_range(n, 120, 280);	/* 200 expected, 6 standard deviations */
}

/* ------------------------------------------------------------------------ sizes */

/* Super-packets of several buffers: only the headers must lie in the first. */
static void test_several_buffers(void **state)
{
	struct packet_spec s = to_web_2;
	const struct shot *shot;

	(void)state;
	sandbox_need();
	s.payload = 8000;
	assert_dropped(fire_spec(WEB_1, &s), REASON_TOO_BIG);	/* opens a flow, does not fit the hub */
	learn_vport(WEB_1, &s);
	shot = fire_spec(WEB_1, &s);
	assert_out(shot, WORLD_SLOT(WEB_2));
	assert_frame(shot, s, VPORT_MAC(WEB_1), VPORT_MAC(WEB_2));
}

/* An IP packet may be shorter than its frame; the padding travels on. */
/* What follows the packet and is no padding would leave uncounted, past the MTU. */
static void test_trailer(void **state)
{
	uint8_t frame[FRAME_MAX_BYTES] = {};
	size_t len = packet_build(&to_web_2, frame);

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &to_web_2);
	assert_fate(fire_egress(WEB_1, frame, len + 64), FATE_OUT);
	assert_dropped(fire_egress(WEB_1, frame, len + 65), REASON_IP_HEADER);
	assert_dropped(fire_egress(WEB_1, frame, 9000), REASON_IP_HEADER);
}

static void test_padding(void **state)
{
	struct packet_spec s = spec_with("10.0.0.11", "10.0.0.13", PROTO_UDP);
	uint8_t buf[FRAME_MAX_BYTES] = {};
	const struct shot *shot;

	(void)state;
	sandbox_need();
	s.payload = 0;
	packet_build(&s, buf);
	learn_vport(WEB_1, &s);
	shot = fire_egress(WEB_1, buf, 60);
	assert_out(shot, WORLD_SLOT(WEB_2));
	assert_int_equal(shot->len, 60);
}

static void test_mtu_is_exact(void **state)
{
	struct packet_spec s = spec_with("10.0.0.11", "10.0.0.12", PROTO_UDP);
	const struct shot *shot;

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &s);
	s.payload = UNDERLAY_MTU - 20 - 8 - 8 - 14 - 20 - 8;
	shot = fire_spec(WEB_1, &s);
	assert_out(shot, SLOT_UPLINK);
	assert_int_equal(shot->len, 14 + UNDERLAY_MTU);
	s.payload++;
	assert_dropped(fire_spec(WEB_1, &s), REASON_TOO_BIG);
}

/* Rewriting a next hop moves every flow that uses it, and only the body in force counts. */
static void test_nexthop_moves_flows(void **state)
{
	struct nexthop *n = &fixture.nexthops[WORLD_LOCAL_NEXTHOP(WEB_2)];
	struct nexthop_body down = { .kind = NEXTHOP_DOWN };

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &to_web_2);
	fixture_nexthop(WORLD_LOCAL_NEXTHOP(WEB_2), &down);
	assert_dropped(fire_spec(WEB_1, &to_web_2), REASON_NEXTHOP_DOWN);
	n->active++;			/* the other body is still the old one */
	assert_out(fire_spec(WEB_1, &to_web_2), WORLD_SLOT(WEB_2));
}

static void test_bytes_in_the_books(void **state)
{
	struct usage in, out;

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &to_web_2);
	fire_spec(WEB_1, &to_web_2);
	fire_spec(WEB_1, &to_web_2);
	in = usage_of(WORLD_SLOT(WEB_1));
	out = usage_of(WORLD_SLOT(WEB_2));
	assert_int_equal(in.in, 2);
	assert_int_equal(in.in_bytes, 2 * 84);
	assert_int_equal(in.out_bytes, 2 * 84);
	assert_int_equal(out.delivered, 2);
	assert_int_equal(out.delivered_bytes, 2 * 84);
	assert_int_equal(out.in, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_every_frame),
		TEST(test_every_cut),
		TEST(test_hit_by_3_tuple),
		TEST(test_hit_by_5_tuple),
		TEST(test_spoof_never_hits),
		TEST(test_many_flows),
		TEST(test_fragments),
		TEST(test_switched),
		TEST(test_routed),
		TEST(test_routed_ipv6),
		TEST(test_tag_off),
		TEST(test_tag_on),
		TEST(test_two_tags_off_one_on),
		TEST(test_two_tags_on),
		TEST(test_sample),
		TEST(test_sample_rate),
		TEST(test_several_buffers),
		TEST(test_padding),
		TEST(test_trailer),
		TEST(test_mtu_is_exact),
		TEST(test_nexthop_moves_flows),
		TEST(test_bytes_in_the_books),
	};

	return cmocka_run_group_tests_name("egress", tests, fixture_load, fixture_unload);
}
