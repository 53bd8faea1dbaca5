// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_policy_boards.c - what hosts and hoverboards make of what the host does not know
 *
 * The small world (world.h), whose network red has the hoverboards 192.0.2.8 and .9:
 * first on a host, then on a hoverboard with routes between the networks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <mirach/wire.h>
#include <selftests/world.h>

#define FIRST_SLOT_ID 1000u

struct boards_world {
	struct world world;
	struct ip_addr boards[2];
	struct config_route routes[3];
	uint32_t sets[WORLD_NETWORKS];
	const uint32_t *remote_sets;	/* NULL: no remote has several gateways */
	uint32_t slots[1][BOARD_SLOTS];
	struct policy *policy;
};

static struct config_route route_of(int network, const char *prefix, unsigned int to)
{
	return (struct config_route){ .network = network, .prefix = world_prefix(prefix), .vport = VPORT_NONE,
				      .blackhole = to == NETWORK_NONE, .network_to = to };
}

static void prepare(struct boards_world *b, enum config_role role)
{
	struct world *w = &b->world;

	memset(b, 0, sizeof(*b));
	world_init(w);
	b->boards[0] = packet_addr("192.0.2.8");
	b->boards[1] = packet_addr("192.0.2.9");
	w->networks[RED].hoverboards = b->boards;
	w->networks[RED].n_hoverboards = 2;
	b->routes[0] = route_of(RED, "172.16.0.0/12", BLUE);
	b->routes[1] = route_of(RED, "10.66.0.0/16", NETWORK_NONE);
	w->config.routes = b->routes;
	b->routes[2] = route_of(BLUE, "172.17.0.0/16", RED);
	w->config.n_routes = 3;
	w->config.role = role;
	b->sets[BLUE] = SET_NONE;
	for (uint32_t i = 0; i < BOARD_SLOTS; i++)
		b->slots[0][i] = FIRST_SLOT_ID + i;
}

static void compile(struct boards_world *b)
{
	struct policy_bindings bindings = { .network_sets = b->sets, .set_slots = b->slots, .n_sets = 1 };
	struct world *w = &b->world;

	bindings.vport_slots = w->slots;
	bindings.vport_nexthops = w->nexthops;
	bindings.remote_nexthops = w->remote_nexthops;
	bindings.remote_sets = b->remote_sets;
	assert_int_equal(policy_new(&w->config, &bindings, &b->policy), 0);
}

static void build(struct boards_world *b, enum config_role role)
{
	prepare(b, role);
	compile(b);
}

static struct decision decide(const struct boards_world *b, uint32_t scope, const char *outer,
			      const char *src, const char *dst)
{
	struct flow_key key = { .scope = scope, .src = packet_addr(src), .dst = packet_addr(dst),
				.proto = PROTO_UDP, .tuple = FLOW_TUPLE_5 };
	struct policy_trace trace;
	struct decision d, explained;

	if (outer)
		key.outer = packet_addr(outer);
	policy_compile(b->policy, &key, &d, NULL);
	policy_compile(b->policy, &key, &explained, &trace);
	assert_memory_equal(&d.action, &explained.action, sizeof(d.action));
	return d;
}

static void expect_drop(struct decision d, enum drop_reason reason)
{
	assert_int_equal(d.action.verdict, ACTION_DROP);
	assert_int_equal(d.action.reason, reason);
}

#define FROM_WEB_1 (SCOPE_VPORT | WORLD_SLOT(WEB_1))
#define FROM_SHOP_1 (SCOPE_VPORT | WORLD_SLOT(SHOP_1))
#define ACROSS_RED (SCOPE_FABRIC | 100)

static void test_host_sends(void **state)
{
	struct boards_world b;
	struct decision d;

	(void)state;
	build(&b, ROLE_HOST);
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.0.0.77");
	assert_int_equal(d.action.verdict, ACTION_FORWARD);
	assert_in_range(d.action.nexthop, FIRST_SLOT_ID, FIRST_SLOT_ID + BOARD_SLOTS - 1);
	assert_int_equal(d.action.vni, wire32(100 << 8));
	assert_int_equal(d.action.stages, 0);		/* one subnet: no hop in between */
	assert_memory_equal(d.action.dmac, b.world.networks[RED].gateway_mac, ETH_ADDR_LEN);
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.0.1.77");
	assert_int_equal(d.action.stages, STAGE_TTL);
	/* What is known goes where it went; who has no hoverboards has none. */
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.0.0.12");
	assert_int_equal(d.action.nexthop, WORLD_REMOTE_NEXTHOP(RED_12));
	expect_drop(decide(&b, FROM_SHOP_1, NULL, "10.0.0.11", "10.0.0.77"), REASON_NO_ROUTE);
	expect_drop(decide(&b, FROM_WEB_1, NULL, "10.0.0.77", "10.0.0.78"), REASON_SPOOFED_SOURCE);
	policy_free(b.policy);
}

/* Pairs of instances are spread, evenly enough that no slot of 64 is far from its share. */
static void test_pairs_are_spread(void **state)
{
	unsigned int count[BOARD_SLOTS] = {};
	struct boards_world b;

	(void)state;
	build(&b, ROLE_HOST);
	for (unsigned int i = 0; i < 6400; i++) {
		char dst[32];

		snprintf(dst, sizeof(dst), "10.8.%u.%u", i / 200, i % 200 + 1);
		count[decide(&b, FROM_WEB_1, NULL, "10.0.0.11", dst).action.nexthop - FIRST_SLOT_ID]++;
	}
	for (unsigned int i = 0; i < BOARD_SLOTS; i++)
		assert_in_range(count[i], 50, 170);
	policy_free(b.policy);
}

static void test_host_receives(void **state)
{
	struct boards_world b;
	struct decision d;

	(void)state;
	build(&b, ROLE_HOST);
	d = decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.77", "10.0.0.11");
	assert_int_equal(d.action.nexthop, WORLD_LOCAL_NEXTHOP(WEB_1));
	assert_memory_equal(d.action.smac, b.world.networks[RED].gateway_mac, ETH_ADDR_LEN);
	/* On the old way also what has a way of its own. */
	d = decide(&b, ACROSS_RED, "192.0.2.9", "10.0.0.12", "10.0.0.11");
	assert_int_equal(d.action.verdict, ACTION_FORWARD);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.7", "10.0.0.77", "10.0.0.11"),
		    REASON_SPOOFED_OUTER);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.13", "10.0.0.11"),
		    REASON_SPOOFED_OUTER);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.1", "10.0.0.11"),
		    REASON_SPOOFED_OUTER);
	expect_drop(decide(&b, SCOPE_FABRIC | 200, "192.0.2.8", "10.0.0.77", "10.0.0.11"),
		    REASON_SPOOFED_OUTER);
	/* Never out again. */
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.77", "10.0.0.12"), REASON_NOT_LOCAL);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.77", "10.0.0.78"), REASON_NOT_LOCAL);
	policy_free(b.policy);
}

/* A pair that leaves the hoverboards, and another that comes without them. */
static void test_pairs(void **state)
{
	struct boards_world b;
	struct config_remote *direct = &b.world.remotes[RED_NARROW];
	struct config_remote *permit = &b.world.remotes[RED_WIDE];
	struct decision d;

	(void)state;
	prepare(&b, ROLE_HOST);
	direct->prefix = world_prefix("10.0.0.77");
	direct->from = packet_addr("10.0.0.11");
	permit->prefix = world_prefix("10.0.0.78");
	permit->receive_only = true;
	compile(&b);
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.0.0.77");
	assert_int_equal(d.action.nexthop, WORLD_REMOTE_NEXTHOP(RED_NARROW));
	assert_memory_equal(d.action.dmac, direct->mac, ETH_ADDR_LEN);
	/* Another source of this host, another destination: by the hoverboards. */
	d = decide(&b, SCOPE_VPORT | WORLD_SLOT(WEB_2), NULL, "10.0.0.13", "10.0.0.77");
	assert_in_range(d.action.nexthop, FIRST_SLOT_ID, FIRST_SLOT_ID + BOARD_SLOTS - 1);
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.0.0.78");
	assert_in_range(d.action.nexthop, FIRST_SLOT_ID, FIRST_SLOT_ID + BOARD_SLOTS - 1);
	/* The permit lets its source in from its host, and by a hoverboard as before; a direct route lets nobody in. */
	d = decide(&b, ACROSS_RED, "192.0.2.3", "10.0.0.78", "10.0.0.11");
	assert_int_equal(d.action.nexthop, WORLD_LOCAL_NEXTHOP(WEB_1));
	d = decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.78", "10.0.0.11");
	assert_int_equal(d.action.nexthop, WORLD_LOCAL_NEXTHOP(WEB_1));
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.4", "10.0.0.78", "10.0.0.11"), REASON_SPOOFED_OUTER);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.4", "10.0.0.77", "10.0.0.11"), REASON_SPOOFED_OUTER);
	/* Nor does a permit for an address of this host. */
	policy_free(b.policy);
	permit->prefix = world_prefix("10.0.0.13");
	compile(&b);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.3", "10.0.0.13", "10.0.0.11"), REASON_SPOOFED_OUTER);
	policy_free(b.policy);
}

/* A gateway of another region, which calls the network by another number. */
static void test_foreign_vni(void **state)
{
	struct boards_world b;
	struct decision d;

	(void)state;
	prepare(&b, ROLE_HOST);
	b.world.remotes[RED_NARROW].vni = 7777;
	compile(&b);
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.9.5.1");
	assert_int_equal(d.action.nexthop, WORLD_REMOTE_NEXTHOP(RED_NARROW));
	assert_int_equal(d.action.vni, wire32(7777 << 8));
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.9.4.1");
	assert_int_equal(d.action.vni, wire32(100 << 8));
	policy_free(b.policy);
}

/* Several gateways: pairs are spread over all, and all may send; nothing goes from one to another. */
static void test_gateways(void **state)
{
	struct ip_addr gateways[] = { packet_addr("192.0.2.4"), packet_addr("192.0.2.44") };
	uint32_t sets[WORLD_REMOTES];
	unsigned int other = 0;
	struct boards_world b;
	uint32_t first = 0;
	struct decision d;

	(void)state;
	for (unsigned int i = 0; i < WORLD_REMOTES; i++)
		sets[i] = i == RED_NARROW ? 0 : SET_NONE;
	for (int role = ROLE_HOST; role <= ROLE_HOVERBOARD; role++) {
		prepare(&b, role);
		b.world.remotes[RED_NARROW].gateways = gateways;
		b.world.remotes[RED_NARROW].n_gateways = COUNT(gateways);
		b.remote_sets = sets;
		compile(&b);
		for (unsigned int i = 1; i < 100; i++) {
			char dst[16];

			snprintf(dst, sizeof(dst), "10.9.5.%u", i);
			d = role == ROLE_HOST ? decide(&b, FROM_WEB_1, NULL, "10.0.0.11", dst) :
				decide(&b, ACROSS_RED | SCOPE_VERIFIED, "192.0.2.5", "10.0.0.77", dst);
			assert_int_equal(d.action.verdict, ACTION_FORWARD);
			assert_in_range(d.action.nexthop, FIRST_SLOT_ID, FIRST_SLOT_ID + BOARD_SLOTS - 1);
			other += d.action.nexthop != first;
			first = d.action.nexthop;
		}
		d = decide(&b, ACROSS_RED, "192.0.2.44", "10.9.5.1", "10.0.0.11");
		assert_int_equal(d.action.verdict, ACTION_FORWARD);
		d = decide(&b, ACROSS_RED, "192.0.2.4", "10.9.5.1", "10.0.0.11");
		assert_int_equal(d.action.verdict, ACTION_FORWARD);
		expect_drop(decide(&b, ACROSS_RED, "192.0.2.45", "10.9.5.1", "10.0.0.11"),
			    REASON_SPOOFED_OUTER);
		expect_drop(decide(&b, ACROSS_RED, "192.0.2.44", "10.9.5.1", "10.9.5.2"),
			    role == ROLE_HOST ? REASON_NOT_LOCAL : REASON_GOES_BACK);
		policy_free(b.policy);
	}
	assert_true(other > 100);
}

/* A prefix behind an instance of this host: it receives for it, and sends in its name. */
static void test_route_by_instance(void **state)
{
	struct boards_world b;
	struct decision d;

	(void)state;
	prepare(&b, ROLE_HOST);
	b.routes[1] = route_of(RED, "10.66.0.0/16", NETWORK_NONE);
	b.routes[1].blackhole = false;
	b.routes[1].vport = WEB_2;
	compile(&b);
	d = decide(&b, FROM_WEB_1, NULL, "10.0.0.11", "10.66.0.1");
	assert_int_equal(d.action.nexthop, WORLD_LOCAL_NEXTHOP(WEB_2));
	assert_int_equal(d.action.stages, STAGE_TTL);
	assert_memory_equal(d.action.dmac, b.world.vports[WEB_2].mac, ETH_ADDR_LEN);
	d = decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.77", "10.66.0.1");
	assert_int_equal(d.action.nexthop, WORLD_LOCAL_NEXTHOP(WEB_2));
	d = decide(&b, SCOPE_VPORT | WORLD_SLOT(WEB_2), NULL, "10.66.0.1", "10.0.0.12");
	assert_int_equal(d.action.nexthop, WORLD_REMOTE_NEXTHOP(RED_12));
	/* Nobody else speaks for the prefix, and what it has no way for does not come back to it. */
	expect_drop(decide(&b, FROM_WEB_1, NULL, "10.66.0.1", "10.0.0.12"), REASON_SPOOFED_SOURCE);
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.8", "10.66.0.1", "10.0.0.11"), REASON_SPOOFED_OUTER);
	expect_drop(decide(&b, SCOPE_VPORT | WORLD_SLOT(WEB_2), NULL, "10.0.0.13", "10.66.0.1"),
		    REASON_GOES_BACK);
	policy_free(b.policy);
}

static void expect_endpoint(struct decision d, uint32_t vni)
{
	assert_int_equal(d.action.verdict, ACTION_ENDPOINT);
	assert_int_equal(d.action.network, vni);
	assert_int_equal(d.action.vni, wire32(vni << 8));
	assert_int_equal(d.action.stages, 0);
}

static void test_hoverboard(void **state)
{
	const uint32_t verified = ACROSS_RED | SCOPE_VERIFIED;
	struct boards_world b;
	struct decision d;

	(void)state;
	build(&b, ROLE_HOVERBOARD);
	d = decide(&b, verified, "192.0.2.5", "10.0.0.77", "10.0.0.12");
	assert_int_equal(d.action.verdict, ACTION_FORWARD);
	assert_int_equal(d.action.nexthop, WORLD_REMOTE_NEXTHOP(RED_12));
	expect_drop(decide(&b, verified, "192.0.2.2", "10.0.0.77", "10.0.0.12"), REASON_GOES_BACK);
	expect_endpoint(decide(&b, ACROSS_RED, "192.0.2.2", "10.0.0.12", "10.0.0.77"), 100);
	expect_endpoint(decide(&b, verified, "192.0.2.5", "10.0.0.77", "172.16.9.9"), 200);
	expect_drop(decide(&b, verified, "192.0.2.5", "10.0.0.77", "10.66.0.1"), REASON_BLACKHOLE);
	/* Two networks that lead to each other. */
	expect_drop(decide(&b, verified, "192.0.2.5", "10.0.0.77", "172.17.0.1"), REASON_BLACKHOLE);
	expect_drop(decide(&b, verified, "192.0.2.5", "10.0.0.77", "10.0.0.1"), REASON_NOT_LOCAL);
	/* No hoverboard takes another one's word. */
	expect_drop(decide(&b, ACROSS_RED, "192.0.2.8", "10.0.0.77", "10.0.0.12"),
		    REASON_SPOOFED_OUTER);
	policy_free(b.policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_host_sends),
		cmocka_unit_test(test_pairs_are_spread),
		cmocka_unit_test(test_host_receives),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_foreign_vni),
		cmocka_unit_test(test_route_by_instance),
		cmocka_unit_test(test_gateways),
		cmocka_unit_test(test_hoverboard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
