/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vport.c - ports follow their devices through everything that happens to devices
 *
 *	veth-web ══ peer (in namespace "guest" where a test says so)
 *
 * Real rtnetlink, real programs, real pins; no traffic, which selftests/net has.
 */
#include "sandbox.h"

#include <bpf/bpf.h>
#include <errno.h>

#include "settle.h"

#include <lib/ethtool.h>
#include <mirach/wire.h>

#define LINK_ DIR_ "/links/"

static struct world world;
static struct config_subnet subnet;
static struct config_network network = { .name = "red", .vni = 100, .subnets = &subnet,
					 .n_subnets = 1, .gateway_mac = { 2, 0, 0, 0, 0, 1 } };
static struct config_vport vports[2];
static uint32_t uplink_slots[CONFIG_UPLINKS_MAX], slots[2], nexthops[2];

static void apply(void)
{
	uint32_t none[1];
	struct error e = {};

	assert_ok(vports_apply(world.vports, &world.config, uplink_slots, slots, nexthops, &e), &e);
	assert_ok(underlay_apply(world.underlay, &world.config, uplink_slots, none, &e), &e);
	assert_ok(vports_settle(world.vports, &world.config, slots, &e), &e);
	underlay_forget(world.underlay);
}

/* Declares the first @n vports and no uplink, and makes it so. */
static void declare(unsigned int n)
{
	world.config.n_vports = n;
	world.config.n_uplinks = 0;
	apply();
}

struct seen {
	const char *name;
	struct vport_view view;
	char problem[1024];
};

static void keep_view(const struct vport_view *view, void *arg)
{
	struct seen *s = arg;

	if (strcmp(view->name, s->name))
		return;
	s->view = *view;
	snprintf(s->problem, sizeof(s->problem), "%s", view->problem);
	s->view.problem = s->problem;
}

static struct seen *see(const char *name)
{
	static struct seen s;

	s = (struct seen){ .name = name };
	vports_each(world.vports, keep_view, &s);
	return &s;
}

static const struct port *port(unsigned int i)
{
	return &dp_ports(world.dp)[slots[i]];
}

static const struct nexthop_body *local(unsigned int i)
{
	uint32_t n;
	const struct nexthop *nh = &dp_nexthops(world.dp, &n)[nexthops[i]];

	return &nh->body[nh->active & 1];
}

static bool is_ready(void)
{
	return see("web")->view.state == VPORT_READY;
}

static bool is_absent(void)
{
	return see("web")->view.state == VPORT_ABSENT;
}

/* The device behind a slot for redirects, as the fast path sees it. */
static __u32 device_of(uint32_t slot)
{
	int fd = bpf_obj_get(DIR_ "/maps/port_devs");
	__u32 ifindex = 0;

	bpf_map_lookup_elem(fd, &slot, &ifindex);
	close(fd);
	return ifindex;
}

static bool is_muted(void)
{
	return see("web")->view.state == VPORT_ATTACHING && !device_of(slots[0]);
}

static bool mtu_is_1400(void)
{
	return port(0)->mtu == 1400 && local(0)->mtu == 1400;
}

static bool guest_is_well(void)
{
	return is_ready() && !see("web")->problem[0];
}

static int set_up(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	subnet = (struct config_subnet){ .prefix = { ip("10.0.0.0"), 120 },
					 .gateway = ip("10.0.0.1") };
	vports[0] = (struct config_vport){ .name = "web", .device = "veth-web", .n_addrs = 1,
					   .addrs = { ip("10.0.0.11") }, .mac = { 2, 1 },
					   .miss_rate = 7, .miss_burst = 3, .hook = HOOK_XDP };
	vports[1] = (struct config_vport){ .name = "db", .device = "veth-db", .mac = { 2, 2 },
					   .hook = HOOK_XDP };
	world.config = (struct config){
		.underlay = { ip("192.0.2.1") }, .tunnel = TUNNEL_GENEVE, .tunnel_port = 6081,
		.fabric_miss_rate = 50, .fabric_miss_burst = 5,
		.uplinks = { { .device = "up0", .vlan = 7 } },
		.networks = &network, .n_networks = 1, .vports = vports,
	};
	agent_begin(&world);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	declare(0);
	agent_end(&world);
	sh("for d in veth-web veth-db away up0; do ip link del $d; done 2>/dev/null");
	return 0;
}

static void test_comes_late(void **state)
{
	int ifindex;

	(void)state;
	sandbox_need();
	declare(1);
	assert_true(is_absent());
	assert_non_null(strstr(see("web")->problem, "no device veth-web"));
	assert_int_equal(port(0)->kind, PORT_VPORT);
	ifindex = sandbox_veth("veth-web", "peer");
	assert_soon(&world, is_ready());
	assert_int_equal(port(0)->ifindex, ifindex);
	assert_int_equal(port(0)->vni, 100);
	assert_int_equal(port(0)->miss_rate, 7);
	assert_int_equal(port(0)->hub, 1);
	assert_int_equal(local(0)->kind, NEXTHOP_LOCAL);
	assert_int_equal(local(0)->port, slots[0]);
	assert_int_equal(local(0)->mtu, 1500);
	assert_string_equal(see("web")->view.driver, "veth");
	assert_string_equal(see("web")->view.mode, "native");
	assert_non_null(strstr(see("web")->problem, "gro on"));
	assert_true(exists(LINK_ "vport-web"));
}

static void test_goes_and_comes_back(void **state)
{
	uint32_t slot;
	int i, first;

	(void)state;
	sandbox_need();
	first = sandbox_veth("veth-web", "peer");
	declare(1);
	assert_true(is_ready());
	slot = slots[0];
	for (i = 0; i < 3; i++) {
		sandbox_veth_del("veth-web");
		assert_soon(&world, is_absent());
		assert_false(exists(LINK_ "vport-web"));
		assert_int_equal(port(0)->ifindex, 0);
		assert_int_equal(local(0)->kind, NEXTHOP_LOCAL);
		assert_int_not_equal(sandbox_veth("veth-web", "peer"), first);
		assert_soon(&world, is_ready());
	}
	assert_int_equal(see("web")->view.slot, slot);
	/* Both at once, before the agent hears of either. */
	sandbox_veth_del("veth-web");
	sandbox_veth("veth-web", "peer");
	event_base_loop(world.base, EVLOOP_ONCE);
	assert_soon(&world, is_ready());
	assert_int_equal(port(0)->ifindex, if_nametoindex("veth-web"));
}

/* More news than the socket holds: the kernel throws away the part that matters. */
static void test_lost_news(void **state)
{
	uint64_t quiet;

	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	declare(1);
	assert_true(is_ready());
	quiet = clock_now_ns() + 300 * NS_PER_MS;	/* let all that concerns it be heard */
	assert_soon(&world, clock_now_ns() > quiet);
	assert_int_equal(sh("for i in $(seq 8000); do echo link set lo mtu $((40000 + i)); done "
			    "| ip -batch -"), 0);
	sandbox_veth_del("veth-web");
	assert_soon(&world, is_absent());
	assert_false(exists(LINK_ "vport-web"));
}

/* Two devices exchange their names: each vport follows its own name. */
static void test_renames(void **state)
{
	int web, db;

	(void)state;
	sandbox_need();
	web = sandbox_veth("veth-web", "peer");
	declare(2);
	sh("ip link set veth-web down && ip link set veth-web name away && ip link set away up");
	assert_soon(&world, is_absent());
	assert_false(exists(LINK_ "vport-web"));
	assert_int_equal(sh("ip link show away | grep -q xdp"), 256);
	db = sandbox_veth("veth-db", "peer2");
	assert_soon(&world, see("db")->view.state == VPORT_READY);
	sh("ip link set veth-db down && ip link set away down && ip link set veth-db name veth-web && "
	   "ip link set away name veth-db && ip link set veth-web up && ip link set veth-db up");
	assert_soon(&world, is_ready());
	assert_soon(&world, see("db")->view.state == VPORT_READY);
	assert_int_equal(port(0)->ifindex, db);
	assert_int_equal(port(1)->ifindex, web);
}

static void test_down_and_no_carrier(void **state)
{
	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	declare(1);
	assert_true(is_ready());
	sh("ip link set peer down");
	assert_soon(&world, is_muted());
	assert_true(port(0)->ifindex);
	assert_non_null(strstr(see("web")->problem, "no carrier"));
	sh("ip link set veth-web down");
	assert_soon(&world, strstr(see("web")->problem, "ip link set dev veth-web up"));
	assert_true(exists(LINK_ "vport-web"));
	sh("ip link set veth-web up && ip link set peer up");
	assert_soon(&world, is_ready());
	assert_int_equal(device_of(slots[0]), port(0)->ifindex);
}

static void test_mtu(void **state)
{
	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	declare(1);
	sh("ip link set veth-web mtu 1400");
	assert_soon(&world, mtu_is_1400());
	sh("ip link set veth-web mtu 9000");
	assert_soon(&world, strstr(see("web")->problem, "gro on"));
}

static void test_uplink(void **state)
{
	const struct port *p;
	uint8_t mac[ETH_ADDR_LEN];

	(void)state;
	sandbox_need();
	sandbox_veth("up0", "peer");
	world.config.n_uplinks = 1;
	apply();
	p = &dp_ports(world.dp)[uplink_slots[0]];
	assert_string_equal(p->name, "uplink-up0");
	assert_int_equal(p->kind, PORT_UPLINK);
	assert_int_equal(p->tunnel, TUNNEL_GENEVE);
	assert_int_equal(host16(p->tunnel_port), 6081);
	assert_int_equal(p->vlan, 7 | FLOW_VLAN_PRESENT);
	assert_int_equal(p->miss_rate, 50);
	assert_int_equal(p->miss_burst, 5);
	assert_true(ip_addr_equal(&p->underlay[0], &world.config.underlay[0]));
	assert_string_equal(see("up0")->problem, "");
	sh("ip link set up0 address 02:00:00:00:77:77");
	assert_int_equal(mac_parse("02:00:00:00:77:77", mac), 0);
	assert_soon(&world, !memcmp(p->mac, mac, sizeof(mac)));
}

/* Two declarations want one device: the second is refused, and served when the first lets go. */
static void test_refused(void **state)
{
	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	vports[1].device = "veth-web";
	declare(2);
	assert_int_equal(see("db")->view.state, VPORT_REFUSED);
	assert_non_null(strstr(see("db")->problem, "already has XDP program"));
	vports[0].device = "elsewhere";
	apply();
	assert_true(is_absent());
	assert_int_equal(see("db")->view.state, VPORT_READY);
}

static void test_generic_by_name(void **state)
{
	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	vports[0].xdp_mode = XDP_MODE_GENERIC;
	declare(1);
	assert_true(is_ready());
	assert_string_equal(see("web")->view.mode, "generic");
	assert_int_equal(sh("ip link show veth-web | grep -q xdpgeneric"), 0);
	vports[0].xdp_mode = XDP_MODE_NATIVE;
	apply();
	assert_true(is_ready());
	assert_int_equal(sh("ip link show veth-web | grep -q ' xdp '"), 0);
}

static void test_no_ethernet(void **state)
{
	(void)state;
	sandbox_need();
	if (sh("ip tuntap add dev veth-web mode tun 2>/dev/null")) {
		print_message("# SKIP no tun device here\n");
		skip();
	}
	sh("ip link set veth-web up");
	declare(1);
	assert_int_equal(see("web")->view.state, VPORT_REFUSED);
	assert_non_null(strstr(see("web")->problem, "mode tap"));
}

static void test_tap(void **state)
{
	(void)state;
	sandbox_need();
	if (sh("ip tuntap add dev veth-web mode tap vnet_hdr 2>/dev/null")) {
		print_message("# SKIP no tap device here\n");
		skip();
	}
	sh("ip link set veth-web up");
	declare(1);
	assert_int_equal(see("web")->view.state, VPORT_ATTACHING);
	assert_non_null(strstr(see("web")->problem, "no virtual machine has the tap open"));
	assert_string_equal(see("web")->view.driver, "tun");
	assert_true(exists(LINK_ "vport-web"));
}

/* The hook follows the device and the configuration; tags keep a port on XDP. */
static void test_hook(void **state)
{
	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	vports[0].hook = HOOK_AUTO;
	declare(1);
	assert_true(is_ready());
	assert_string_equal(see("web")->view.hook, "tcx");
	assert_true(exists(LINK_ "vport-web+tcx"));
	assert_false(exists(LINK_ "vport-web"));
	assert_false(port(0)->flags & PORT_REDIRECT_PEER);
	vports[0].vlan[0] = 7;
	apply();
	assert_string_equal(see("web")->view.hook, "xdp");
	assert_false(exists(LINK_ "vport-web+tcx"));
	assert_true(exists(LINK_ "vport-web"));
	vports[0].vlan[0] = 0;
	sh("ip netns add guest && ip link set peer netns guest name eth0 && "
	   "ip -n guest link set eth0 up");
	apply();
	assert_string_equal(see("web")->view.hook, "tcx");
	assert_true(port(0)->flags & PORT_REDIRECT_PEER);
	sh("ip link set veth-web down");
	assert_soon(&world, port(0)->flags & PORT_MUTED);
	sh("ip link set veth-web up");
	assert_soon(&world, !(port(0)->flags & PORT_MUTED));
	sh("ip netns del guest");
}

static bool guest_has(const char *feature, const char *state)
{
	return !sh("ip netns exec guest ethtool -k eth0 2>/dev/null | grep -q '%s: %s'", feature,
		   state);
}

/* The guest's namespace comes late, its end is set; the guest is made anew and set again. */
static void test_guest(void **state)
{
	int i;

	(void)state;
	sandbox_need();
	vports[0].netns = "guest";
	vports[0].guest_device = "eth0";
	sandbox_veth("veth-web", "peer");
	declare(1);
	assert_true(is_ready());
	assert_non_null(strstr(see("web")->problem, "cannot open network namespace"));
	sh("ip netns add guest");
	for (i = 0; i < 2; i++) {
		sh("ip link set peer netns guest name eth0 && ip -n guest link set eth0 up");
		assert_soon(&world, guest_is_well());
		if (!sh("command -v ethtool >/dev/null")) {
			assert_true(guest_has("tx-checksum-ip-generic", "off"));
			assert_true(guest_has("generic-receive-offload", "on"));
		}
		vports[0].hook = HOOK_TCX;	/* what was taken for XDP is given back */
		apply();
		assert_true(guest_has("tx-checksum-ip-generic", "on"));
		assert_true(guest_has("generic-receive-offload", "on"));
		vports[0].hook = HOOK_XDP;
		apply();
		assert_true(guest_has("tx-checksum-ip-generic", "off"));
		sandbox_veth_del("veth-web");
		assert_soon(&world, is_absent());
		sandbox_veth("veth-web", "peer");
	}
	sh("ip netns del guest");
}

/* Not a packet may see the port without its program: the link is the same one. */
static void test_restart(void **state)
{
	uint32_t slot, nexthop;

	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	sandbox_veth("veth-db", "peer2");
	declare(2);
	slot = slots[1];
	nexthop = nexthops[1];
	assert_int_equal(sh("stat -c %%i " LINK_ "vport-db > /run/before"), 0);
	agent_end(&world);
	dp_close(world.dp);
	sandbox_veth_del("veth-web");		/* while nobody looks */
	datapath_open(&world);
	agent_begin(&world);
	declare(2);
	assert_int_equal(sh("stat -c %%i " LINK_ "vport-db | cmp -s - /run/before"), 0);
	assert_int_equal(slots[1], slot);
	assert_int_equal(nexthops[1], nexthop);
	assert_int_equal(see("db")->view.state, VPORT_READY);
	assert_true(is_absent());
	assert_int_equal(port(0)->ifindex, 0);
	assert_false(exists(LINK_ "vport-web"));
}

static void test_removed(void **state)
{
	uint32_t slot, nexthop;

	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	sandbox_veth("veth-db", "peer2");
	declare(1);
	slot = slots[0];
	nexthop = nexthops[0];
	world.config.vports = &vports[1];	/* web goes, db comes, in one reload */
	apply();
	assert_false(exists(LINK_ "vport-web"));
	assert_true(exists(LINK_ "vport-db"));
	assert_int_equal(dp_ports(world.dp)[slot].kind, PORT_FREE);
	assert_int_not_equal(slots[0], slot);
	assert_int_not_equal(nexthops[0], nexthop);
	nexthops[0] = nexthop;
	assert_int_equal(local(0)->kind, NEXTHOP_DOWN);
}

/* What was removed from the file while no agent ran is removed when one starts. */
static void test_removed_while_away(void **state)
{
	(void)state;
	sandbox_need();
	sandbox_veth("veth-web", "peer");
	declare(1);
	agent_end(&world);
	agent_begin(&world);
	declare(0);
	assert_false(exists(LINK_ "vport-web"));
	assert_int_equal(port(0)->kind, PORT_FREE);
}

static void count_neighbour(const struct neighbour_key *key, const struct neighbour *n, void *arg)
{
	unsigned int *counts = arg;

	counts[0]++;
	counts[1] += n->router;
	counts[2] += key->vni == 100 && n->port == slots[0];
}

static void test_neighbours(void **state)
{
	unsigned int counts[3] = {};

	(void)state;
	sandbox_need();
	declare(1);
	dp_neighbour_each(world.dp, count_neighbour, counts);
	assert_int_equal(counts[0], 2);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	vports[0].addrs[0] = ip("10.0.0.12");
	apply();
	memset(counts, 0, sizeof(counts));
	dp_neighbour_each(world.dp, count_neighbour, counts);
	assert_int_equal(counts[0], 2);
	world.config.n_networks = 0;
	declare(0);
	memset(counts, 0, sizeof(counts));
	dp_neighbour_each(world.dp, count_neighbour, counts);
	assert_int_equal(counts[0], 0);
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
		WORLD_TEST(test_comes_late),
		WORLD_TEST(test_goes_and_comes_back),
		WORLD_TEST(test_lost_news),
		WORLD_TEST(test_renames),
		WORLD_TEST(test_down_and_no_carrier),
		WORLD_TEST(test_mtu),
		WORLD_TEST(test_uplink),
		WORLD_TEST(test_refused),
		WORLD_TEST(test_generic_by_name),
		WORLD_TEST(test_hook),
		WORLD_TEST(test_no_ethernet),
		WORLD_TEST(test_tap),
		WORLD_TEST(test_guest),
		WORLD_TEST(test_restart),
		WORLD_TEST(test_removed),
		WORLD_TEST(test_removed_while_away),
		WORLD_TEST(test_neighbours),
	};

	return cmocka_run_group_tests_name("vport", tests, open_all, close_all);
}
