// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_unwrap.c - which super-packets are left to the kernel's tunnel device
 *
 * A test run's super-packet has a size and no type, so it cannot be decapsulated: one
 * that is not left to the stack ends as outer_header here. What comes out of the
 * device in life is selftests/net/vm.t's.
 *
 * See also: bpf/unwrap.h, maps/unwrap.h (what the test writes).
 */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>

#include <lib/clock.h>
#include <mirach_tcx.skel.h>
#include <selftests/bpf/sandbox.h>

#define UNDER_WAY 64			/* UNWRAP_UNDER_WAY */
#define MISSING 8			/* offsets in struct unwrap */
#define WAYS 16
#define VALUE_SIZE (16 + 1024)
#define PATIENCE_NS 20000000ull		/* UNWRAP_PATIENCE_NS */

static uint8_t frame[FRAME_MAX_BYTES];
static size_t len;

static void arrive(const struct underlay_shape *shape)
{
	const struct packet_spec spec = { .src = "10.0.0.12", .dst = "10.0.0.11", .proto = PROTO_TCP,
					  .sport = 443, .dport = 1000, .payload = 900 };
	struct packet_outer outer;

	fixture_underlay(shape);
	outer = outer_from(2, 100);
	learn_fabric(100, outer.src, &spec);
	len = build_fabric(&outer, &spec, frame);
}

static const struct shot *fire_it(void)
{
	return fire_super(ENTRY_INGRESS, SLOT_UPLINK, frame, len, 400);
}

/* Every way leads to a tap or none; @missing since @ago. */
static void know(bool to_tap, uint32_t missing, uint64_t ago)
{
	uint8_t value[VALUE_SIZE] = {};
	uint64_t since = clock_now_ns() - ago;
	uint32_t zero = 0;

	memcpy(value, &since, sizeof(since));
	memcpy(value + MISSING, &missing, sizeof(missing));
	memset(value + WAYS, to_tap, VALUE_SIZE - WAYS);
	assert_int_equal(bpf_map__value_size(fixture.tcx->maps.unwraps), VALUE_SIZE);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(fixture.tcx->maps.unwraps), &zero, value, 0), 0);
}

/* Fires soon enough after know(), however busy the machine is. */
static const struct shot *fire_at_once(uint32_t missing)
{
	const struct shot *shot;
	uint64_t begin;

	do {
		begin = clock_now_ns();
		know(true, missing, 0);
		shot = fire_it();
	} while (clock_now_ns() - begin >= PATIENCE_NS);
	return shot;
}

static void assert_left(void)
{
	assert_fate(fire_it(), FATE_PASSED);
}

static void assert_ours(void)
{
	assert_dropped(fire_it(), REASON_OUTER_HEADER);
}

static void only_where_a_tap_is_known(void **state)
{
	static const struct underlay_shape vxlan, geneve = { .tunnel = TUNNEL_GENEVE },
		v6 = { .v6 = true }, gre = { .tunnel = TUNNEL_GRE };
	static const struct {
		const struct underlay_shape *shape;
		bool left;
	} cases[] = { { &vxlan, true }, { &geneve, true }, { &v6, true }, { &gre, false } };

	(void)state;
	sandbox_need();
	for (unsigned int i = 0; i < COUNT(cases); i++) {
		arrive(cases[i].shape);
		fire_it();			/* loads the programs */
		know(false, 0, 0);
		assert_ours();
		know(true, 0, 0);
		if (cases[i].left)
			assert_left();
		else
			assert_ours();
		assert_out(fire_ingress(frame, len), WORLD_SLOT(WEB_1));
	}
}

static void nothing_more_while_nothing_comes_back(void **state)
{
	static const struct underlay_shape shape;

	(void)state;
	sandbox_need();
	arrive(&shape);
	fire_it();
	assert_fate(fire_at_once(UNDER_WAY - 1), FATE_PASSED);
	assert_dropped(fire_at_once(UNDER_WAY), REASON_OUTER_HEADER);
	know(true, 1, NS_PER_S);		/* one is a second late */
	assert_ours();
	know(true, 1, 61 * NS_PER_S);		/* time to try one */
	assert_left();
	assert_ours();
	know(true, 0, 61 * NS_PER_S);		/* all came back, long ago */
	assert_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(only_where_a_tap_is_known, fixture_reset),
		cmocka_unit_test_setup(nothing_more_while_nothing_comes_back, fixture_reset),
	};

	return cmocka_run_group_tests_name("unwrap", tests, fixture_load, fixture_unload);
}
