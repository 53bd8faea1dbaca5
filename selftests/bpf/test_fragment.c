// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_fragment.c - later fragments do what the first one does
 *
 *	first ──ports──► flow ──► out or drop
 *	later ──────────► the same, with the first one's ports
 *	later, too early ──► coprocessor ──► after the first
 *
 * A sample rule with a port makes UDP flows of the world 5-tuples. Every test runs in
 * both families and for frames from a vport and from the fabric.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/sandbox.h>

#define PIECE 48u			/* bytes of each fragment */
#define UNITS (PIECE / 8)

/* Which way the datagrams of a test take. */
struct way {
	bool v6, fabric;
};

static const struct way ways[] = { { false, false }, { true, false }, { false, true }, { true, true } };

/* Ports for everything in UDP: flows are 5-tuples. */
static void ask_for_ports(void)
{
	fixture.world.samples[0] = (struct config_sample){ .network = RED, .proto = PROTO_UDP,
							   .port = 9, .rate = 1 };
	fixture.world.config.n_samples = 1;
	fixture_policy();
}

/* Piece @i of datagram @id; the last one has no more-fragments bit. */
static struct packet_spec piece(struct way way, uint16_t id, unsigned int i, bool last)
{
	struct packet_spec s = {
		.proto = PROTO_UDP,
		.sport = 1000,
		.dport = 2000,
		.id = id,
		.payload = i ? PIECE : PIECE - 8,
		.fragment = way.v6 ? i * UNITS << 3 | !last : i * UNITS | (last ? 0 : IPV4_MF),
	};

	if (way.v6) {
		s.extensions[0] = PROTO_FRAGMENT;
		s.n_extensions = 1;
	}
	s.src = way.v6 ? way.fabric ? "fd00:1::12" : "fd00:1::11" :
		way.fabric ? "10.0.0.12" : "10.0.0.11";
	s.dst = way.v6 ? way.fabric ? "fd00:1::11" : "fd00:1::12" :
		way.fabric ? "10.0.0.11" : "10.0.0.12";
	return s;
}

static const struct shot *shoot(struct way way, const struct packet_spec *s)
{
	struct packet_outer outer = outer_from(2, 100);
	uint8_t buf[FRAME_MAX_BYTES];

	if (!way.fabric)
		return fire_spec(WEB_1, s);
	return fire_ingress(buf, build_fabric(&outer, s, buf));
}

static const struct shot *shoot_piece(struct way way, uint16_t id, unsigned int i, bool last)
{
	struct packet_spec s = piece(way, id, i, last);

	return shoot(way, &s);
}

static uint32_t learn(struct way way)
{
	struct packet_spec s = piece(way, 1, 0, false);

	return way.fabric ? learn_fabric(100, outer_from(2, 100).src, &s) : learn_vport(WEB_1, &s);
}

static struct hub_header header_of(const struct shot *shot)
{
	struct hub_header h;

	assert_fate(shot, FATE_PUNTED);
	memcpy(&h, shot->bytes, sizeof(h));
	return h;
}

static const struct shot *back(const struct shot *shot, uint32_t flow)
{
	return fire_resume(shot, HUB_RESUME, flow, fixture.memory.flows[flow].action.gen, 0);
}

static void follow_the_first(struct way way)
{
	uint32_t flow;

	ask_for_ports();
	flow = learn(way);
	assert_int_equal(fixture.memory.flows[flow].key.tuple, FLOW_TUPLE_5);
	assert_fate(shoot_piece(way, 1, 0, false), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 2, false), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 1, false), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 3, true), FATE_OUT);
	assert_int_equal(flow_stats_of(flow).packets, 4);
}

static void share_the_verdict(struct way way)
{
	struct action no = { .verdict = ACTION_DROP, .reason = REASON_GATEWAY };
	struct packet_spec s = piece(way, 1, 0, false);

	if (way.fabric)
		return;
	ask_for_ports();
	learn(way);
	s.sport = 66;
	learn_action(WEB_1, &s, FLOW_TUPLE_5, &no);
	assert_dropped(shoot(way, &s), REASON_GATEWAY);
	assert_dropped(shoot_piece(way, 1, 1, false), REASON_GATEWAY);
	assert_fate(shoot_piece(way, 2, 0, false), FATE_OUT);
	assert_fate(shoot_piece(way, 2, 1, false), FATE_OUT);
	assert_dropped(shoot_piece(way, 1, 2, true), REASON_GATEWAY);
}

/* The coprocessor learns the ports from the header: the frame has none. */
static void a_miss_knows_its_ports(struct way way)
{
	struct hub_header first, later;

	ask_for_ports();
	first = header_of(shoot_piece(way, 1, 0, false));
	later = header_of(shoot_piece(way, 1, 1, true));
	assert_int_equal(first.why, HUB_MISS);
	assert_int_equal(later.why, HUB_MISS);
	assert_int_equal(later.sport, wire16(1000));
	assert_int_equal(later.dport, wire16(2000));
	assert_int_equal(later.proto, PROTO_UDP);
}

static void too_early_ones_wait(struct way way)
{
	const struct shot *first, *later;
	uint32_t flow;

	ask_for_ports();
	flow = learn(way);
	later = shoot_piece(way, 1, 1, false);
	assert_int_equal(header_of(later).why, HUB_FRAGMENT);
	first = shoot_piece(way, 1, 0, false);
	assert_int_equal(header_of(first).why, HUB_FRAGMENT);
	assert_fate(back(first, flow), FATE_OUT);
	assert_fate(back(later, flow), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 2, false), FATE_OUT);
	assert_dropped(shoot_piece(way, 1, 1, false), REASON_FRAGMENT_OVERLAP);
	assert_fate(shoot_piece(way, 1, 3, true), FATE_OUT);
	assert_int_equal(flow_stats_of(flow).packets, 4);
}

/* The flow went while its fragments were in the coprocessor: they begin anew, and are no overlap. */
static void back_without_a_flow(struct way way)
{
	const struct shot *first, *later;
	uint32_t flow;

	ask_for_ports();
	first = shoot_piece(way, 1, 0, false);
	later = shoot_piece(way, 1, 1, true);
	assert_int_equal(header_of(fire_resume(first, HUB_RESUME, 1, 99, 0)).why, HUB_MISS);
	assert_int_equal(header_of(fire_resume(later, HUB_RESUME, 1, 99, 0)).why, HUB_MISS);
	flow = learn(way);
	assert_fate(back(first, flow), FATE_OUT);
	assert_fate(back(later, flow), FATE_OUT);
}

static void overlaps(struct way way)
{
	struct packet_spec s = piece(way, 1, 2, false);

	ask_for_ports();
	learn(way);
	assert_fate(shoot_piece(way, 1, 0, false), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 2, false), FATE_OUT);
	s.fragment -= way.v6 ? 1 << 3 : 1;
	assert_dropped(shoot(way, &s), REASON_FRAGMENT_OVERLAP);
	assert_dropped(shoot_piece(way, 1, 0, false), REASON_FRAGMENT_OVERLAP);
	assert_fate(shoot_piece(way, 1, 1, false), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 4, true), FATE_OUT);
	assert_dropped(shoot_piece(way, 1, 5, true), REASON_FRAGMENT_OVERLAP);
	assert_dropped(shoot_piece(way, 1, 5, false), REASON_FRAGMENT_OVERLAP);
}

static void wild_orders_have_a_limit(struct way way)
{
	ask_for_ports();
	learn(way);
	for (unsigned int i = 0; i < 10; i += 2)
		assert_fate(shoot_piece(way, 1, i, false), FATE_OUT);
	assert_dropped(shoot_piece(way, 1, 10, false), REASON_FRAGMENT_LIMIT);
	assert_fate(shoot_piece(way, 1, 1, false), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 10, false), FATE_OUT);
}

/* A datagram that is complete is forgotten: 16 bits of id come round. */
static void ids_come_again(struct way way)
{
	ask_for_ports();
	learn(way);
	for (int i = 0; i < 3; i++) {
		assert_fate(shoot_piece(way, 1, 0, false), FATE_OUT);
		assert_fate(shoot_piece(way, 1, 2, true), FATE_OUT);
		assert_fate(shoot_piece(way, 1, 1, false), FATE_OUT);
	}
}

static void a_flood_costs_its_sender_only(struct way way)
{
	struct packet_spec s = piece(way, 1, 0, false);

	if (way.fabric || way.v6)	/* WEB_2 has IPv4 only */
		return;
	ask_for_ports();
	learn(way);
	s.src = "10.0.0.13";
	learn_vport(WEB_2, &s);
	assert_fate(shoot_piece(way, 1, 0, false), FATE_OUT);
	for (s.id = 100; s.id < 1100; s.id++)
		assert_fate(fire_spec(WEB_2, &s), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 1, false), FATE_OUT);
}

/* Who needs no ports keeps no track of fragments. */
static void three_tuples_do_not_pay(struct way way)
{
	learn(way);
	assert_fate(shoot_piece(way, 1, 3, true), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 3, true), FATE_OUT);
	assert_fate(shoot_piece(way, 1, 0, false), FATE_OUT);
}

static const struct {
	const char *name;
	void (*run)(struct way way);
} tests[] = {
#define TEST(f) { #f, f }
	TEST(follow_the_first),
	TEST(share_the_verdict),
	TEST(a_miss_knows_its_ports),
	TEST(too_early_ones_wait),
	TEST(back_without_a_flow),
	TEST(overlaps),
	TEST(wild_orders_have_a_limit),
	TEST(ids_come_again),
	TEST(a_flood_costs_its_sender_only),
	TEST(three_tuples_do_not_pay),
};

static void test_each_way(void **state)
{
	typeof(&tests[0]) test = *state;

	sandbox_need();
	for (unsigned int i = 0; i < COUNT(ways); i++) {
		fixture_reset(NULL);
		test->run(ways[i]);
	}
}

int main(void)
{
	struct CMUnitTest list[COUNT(tests)];

	for (unsigned int i = 0; i < COUNT(tests); i++)
		list[i] = (struct CMUnitTest){ .name = tests[i].name, .test_func = test_each_way,
					       .initial_state = (void *)&tests[i] };
	return cmocka_run_group_tests_name("fragment", list, fixture_load, fixture_unload);
}
