/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_underlay.c - next hops follow the kernel's routes and neighbours
 *
 *	this namespace            peer
 *	up0 192.0.2.1/24 ──veth── p0 192.0.2.2, 192.0.2.3, 2001:db8::2
 *	    2001:db8::1/64            everything else is asked in vain
 */
#include "sandbox.h"

#include "settle.h"

#define SLOT 3u
#define PEER_MAC "02:00:00:00:00:02"
#define OTHER_MAC "02:00:00:00:00:99"

static struct world world;
static struct config_remote remotes[8];
static uint32_t ids[8];

static void apply(unsigned int n, ...)
{
	const uint32_t slots[] = { SLOT };
	struct error e = {};
	unsigned int i;
	va_list args;

	va_start(args, n);
	for (i = 0; i < n; i++)
		remotes[i].host = ip(va_arg(args, const char *));
	va_end(args);
	world.config.remotes = remotes;
	world.config.n_remotes = n;
	assert_ok(underlay_apply(world.underlay, &world.config, slots, ids, &e), &e);
	underlay_forget(world.underlay);
}

static const struct nexthop *hop(unsigned int i)
{
	uint32_t n;

	return &dp_nexthops(world.dp, &n)[ids[i]];
}

static const struct nexthop_body *body(unsigned int i)
{
	return &hop(i)->body[hop(i)->active & 1];
}

static bool leads_to(unsigned int i, const char *mac)
{
	uint8_t bytes[ETH_ADDR_LEN];

	assert_int_equal(mac_parse(mac, bytes), 0);
	return body(i)->kind == NEXTHOP_TUNNEL && !memcmp(body(i)->header, bytes, ETH_ADDR_LEN);
}

static bool resolved(void)
{
	return leads_to(0, PEER_MAC);
}

static bool is_down(void)
{
	return body(0)->kind == NEXTHOP_DOWN;
}

static bool moved(void)
{
	return leads_to(0, OTHER_MAC);
}

static bool mtu_is_1350(void)
{
	return body(0)->mtu == 1350;
}

static void keep_view(const struct underlay_view *v, void *arg)
{
	struct underlay_view *ret = arg;

	if (v->id == ids[0]) {
		*ret = *v;
		ret->why = log_fmt("%s", v->why);
	}
}

static struct underlay_view view(void)
{
	struct underlay_view v = {};

	underlay_each(world.underlay, keep_view, &v);
	return v;
}

static bool via(const char *gateway)
{
	struct ip_addr want = gateway ? ip(gateway) : (struct ip_addr){}, has = view().gateway;

	return ip_addr_equal(&has, &want);
}

static int set_up(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	if (sh("ip netns add peer && ip link add up0 type veth peer name p0 netns peer && "
	       "ip link set up0 up && ip -n peer link set p0 address " PEER_MAC " && "
	       "ip -n peer link set p0 up && ip addr add 192.0.2.1/24 dev up0 && "
	       "ip addr add 2001:db8::1/64 dev up0 nodad && "
	       "ip -n peer addr add 192.0.2.2/24 dev p0") ||
	    sh("ip -n peer addr add 192.0.2.3/24 dev p0 && "
	       "ip -n peer addr add 2001:db8::2/64 dev p0 nodad && "
	       "echo 100 > /proc/sys/net/ipv4/neigh/up0/retrans_time_ms && "
	       "echo 1 > /proc/sys/net/ipv4/neigh/up0/delay_first_probe_time"))
		return -1;
	world.config = (struct config){
		.underlay = { ip("192.0.2.1"), ip("2001:db8::1") },
		.uplinks = { { .device = "up0" } }, .n_uplinks = 1,
		.tunnel = TUNNEL_VXLAN, .tunnel_port = 4789,
	};
	agent_begin(&world);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	apply(0);
	agent_end(&world);
	return sh("ip link del up0; ip netns del peer");
}

static void test_on_link(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "192.0.2.2");
	assert_true(ids[0] > 0);
	assert_soon(&world, resolved());
	assert_int_equal(body(0)->port, SLOT);
	assert_int_equal(body(0)->mtu, 1450);
	assert_true(underlay_settled(world.underlay));
	assert_int_equal(view().state, UNDERLAY_READY);
	assert_string_equal(view().device, "up0");
	assert_true(via(NULL));
	assert_string_equal(view().why, "");
}

static void test_ipv6(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "2001:db8::2");
	assert_soon(&world, resolved());
	assert_int_equal(body(0)->header_len, 70);
}

static void test_route_comes_moves_and_goes(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "198.51.100.9");
	assert_true(is_down());
	assert_int_equal(view().state, UNDERLAY_NO_ROUTE);
	assert_non_null(strstr(view().why, "no route"));
	assert_true(underlay_settled(world.underlay));
	sh("ip route add 198.51.100.0/24 via 192.0.2.2");
	assert_soon(&world, resolved());
	assert_true(via("192.0.2.2"));
	sh("ip neigh replace 192.0.2.3 lladdr " OTHER_MAC " dev up0");
	sh("ip route replace 198.51.100.0/24 via 192.0.2.3");
	assert_soon(&world, moved());
	sh("ip route replace 198.51.100.0/24 via 192.0.2.2 mtu 1400");
	assert_soon(&world, mtu_is_1350());
	sh("ip route del 198.51.100.0/24");
	assert_soon(&world, is_down());
}

/* The old way is in use until the new gateway has answered. */
static void test_new_gateway_is_awaited(void **state)
{
	(void)state;
	sandbox_need();
	sh("ip route add 198.51.100.0/24 via 192.0.2.2");
	apply(1, "198.51.100.9");
	assert_soon(&world, resolved());
	sh("ip route replace 198.51.100.0/24 via 192.0.2.77");
	event_base_loop(world.base, EVLOOP_ONCE);
	event_base_loop(world.base, EVLOOP_ONCE);
	assert_true(resolved());
	assert_soon(&world, is_down());
	assert_non_null(strstr(view().why, "192.0.2.77 on up0 does not answer"));
	assert_true(underlay_settled(world.underlay));
}

static void test_no_answer(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "192.0.2.88");
	assert_false(underlay_settled(world.underlay));
	assert_int_equal(view().state, UNDERLAY_PROBING);
	assert_soon(&world, underlay_settled(world.underlay));
	assert_true(is_down());
	sh("ip -n peer addr add 192.0.2.88/24 dev p0");
	assert_soon(&world, resolved());
}

static void test_mac_changes(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "192.0.2.2");
	assert_soon(&world, resolved());
	sh("ip neigh replace 192.0.2.2 lladdr " OTHER_MAC " dev up0 nud reachable");
	assert_soon(&world, moved());
}

/* A neighbour that nobody else talks to grows old; Mirach has it verified, and finds the lie. */
static void test_stale_is_verified(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "192.0.2.2");
	assert_soon(&world, resolved());
	sh("ip neigh replace 192.0.2.2 lladdr " OTHER_MAC " dev up0 nud stale");
	assert_soon(&world, moved());
	assert_soon(&world, resolved());
}

static void test_device_mtu(void **state)
{
	(void)state;
	sandbox_need();
	apply(1, "192.0.2.2");
	assert_soon(&world, resolved());
	sh("ip link set up0 mtu 1400");
	assert_soon(&world, mtu_is_1350());
}

static void test_not_by_an_uplink(void **state)
{
	(void)state;
	sandbox_need();
	sh("ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up && "
	   "ip route add 203.0.113.0/24 dev d0");
	apply(1, "203.0.113.1");
	assert_true(is_down());
	assert_non_null(strstr(view().why, "d0, which is no uplink"));
	sh("ip link del d0");
	apply(1, "192.0.2.1");
	assert_non_null(strstr(view().why, "own address"));
}

/* The agent has to forward even while the host is without its address, and to say it. */
static void test_address_missing(void **state)
{
	(void)state;
	sandbox_need();
	world.config.underlay[0] = ip("192.0.2.200");
	apply(1, "192.0.2.2");
	assert_soon(&world, resolved());
	assert_non_null(strstr(view().why, "does not have its underlay address 192.0.2.200"));
	world.config.underlay[0] = (struct ip_addr){};
	apply(1, "192.0.2.2");
	assert_true(is_down());
	assert_non_null(strstr(view().why, "no address of this family"));
}

static void test_ids_belong_to_hosts(void **state)
{
	uint32_t first, second;

	(void)state;
	sandbox_need();
	apply(3, "192.0.2.2", "192.0.2.3", "192.0.2.2");
	first = ids[0];
	second = ids[1];
	assert_int_equal(ids[2], first);
	assert_int_not_equal(first, second);
	apply(2, "192.0.2.9", "192.0.2.3");
	assert_int_equal(ids[1], second);
	assert_int_not_equal(ids[0], first);	/* it rests */
	ids[3] = first;
	assert_int_equal(body(3)->kind, NEXTHOP_DOWN);
	assert_true(ip_addr_is_zero(&hop(3)->remote));
}

static void test_local(void **state)
{
	uint32_t id, n;
	struct error e = {};

	(void)state;
	sandbox_need();
	id = underlay_local_id(world.underlay, 9);
	assert_int_equal(underlay_local_id(world.underlay, 9), id);
	assert_ok(underlay_local_set(world.underlay, 9, 1500, &e), &e);
	apply(1, "192.0.2.2");
	assert_int_not_equal(ids[0], id);
	assert_ok(underlay_local_set(world.underlay, 9, 1400, &e), &e);
	ids[1] = id;
	assert_int_equal(body(1)->kind, NEXTHOP_LOCAL);
	assert_int_equal(body(1)->mtu, 1400);
	agent_end(&world);
	agent_begin(&world);
	assert_int_equal(underlay_local_id(world.underlay, 9), id);
	underlay_local_release(world.underlay, 9);
	assert_int_equal(dp_nexthops(world.dp, &n)[id].body[0].kind +
			 dp_nexthops(world.dp, &n)[id].body[1].kind, NEXTHOP_LOCAL);
	assert_int_equal(body(1)->kind, NEXTHOP_DOWN);
	assert_int_not_equal(underlay_local_id(world.underlay, 10), id);
}

/* An answer outlives the agent, and the next agent's ignorance. */
static void test_restart(void **state)
{
	uint32_t id;

	(void)state;
	sandbox_need();
	apply(2, "192.0.2.2", "192.0.2.3");
	assert_soon(&world, resolved());
	id = ids[0];
	agent_end(&world);
	assert_int_equal(sh("ip neigh flush dev up0 nud all && ip -n peer link set p0 down"), 0);
	sh("ip -n peer link set p0 up && ip -n peer addr flush dev p0");
	agent_begin(&world);
	apply(1, "192.0.2.2");
	assert_int_equal(ids[0], id);
	assert_true(resolved());
	assert_false(underlay_settled(world.underlay));
	assert_soon(&world, is_down());	/* until it has been asked in vain */
}

/* A body that would leave by what is no uplink any more must not stay for a moment. */
/* A flow may still go there until the policy has changed. */
static void test_gone_host_serves_until_forgotten(void **state)
{
	const uint32_t slots[] = { SLOT };
	struct error e = {};

	(void)state;
	sandbox_need();
	apply(1, "192.0.2.2");
	assert_soon(&world, resolved());
	world.config.n_remotes = 0;
	assert_ok(underlay_apply(world.underlay, &world.config, slots, NULL, &e), &e);
	assert_true(resolved());
	underlay_forget(world.underlay);
	assert_true(is_down());
}

static void test_restart_with_another_uplink(void **state)
{
	const uint32_t slots[] = { SLOT + 1 };
	struct error e = {};

	(void)state;
	sandbox_need();
	apply(1, "192.0.2.2");
	assert_soon(&world, resolved());
	agent_end(&world);
	sh("ip neigh flush dev up0 nud all");
	agent_begin(&world);
	assert_ok(underlay_apply(world.underlay, &world.config, slots, ids, &e), &e);
	assert_true(is_down());
	assert_soon(&world, resolved());
	assert_int_equal(body(0)->port, SLOT + 1);
}

static int open_all(void **state)
{
	if (sandbox_enter(state))
		return -1;
	if (!geteuid())
		datapath_open(&world);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	dp_close(world.dp);
	return dp_teardown(DIR_, NULL);
}

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_on_link),
		WORLD_TEST(test_ipv6),
		WORLD_TEST(test_route_comes_moves_and_goes),
		WORLD_TEST(test_new_gateway_is_awaited),
		WORLD_TEST(test_no_answer),
		WORLD_TEST(test_mac_changes),
		WORLD_TEST(test_stale_is_verified),
		WORLD_TEST(test_device_mtu),
		WORLD_TEST(test_not_by_an_uplink),
		WORLD_TEST(test_address_missing),
		WORLD_TEST(test_ids_belong_to_hosts),
		WORLD_TEST(test_local),
		WORLD_TEST(test_restart),
		WORLD_TEST(test_gone_host_serves_until_forgotten),
		WORLD_TEST(test_restart_with_another_uplink),
	};

	return cmocka_run_group_tests_name("underlay", tests, open_all, close_all);
}
