/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_vport.c - the parts of a port's life that need no kernel
 *
 * The state machine through every way a device can come, change and go; what is
 * said to people, and that it always names a remedy; the list of neighbours.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <agent/config_hook.h>
#include <agent/neighbours.h>
#include <agent/port_life.h>
#include <agent/port_words.h>
#include <lib/clock.h>
#include <mirach/hub.h>

/* Life. */

static uint64_t now;
static struct port_life life;
static struct port_device device;

static int set_up(void **state)
{
	(void)state;
	now = 1000 * NS_PER_S;
	port_life_init(&life, false, 0);
	device = (struct port_device){};
	return 0;
}

static unsigned int look(void)
{
	return port_life_look(&life, &device, now);
}

static void appear(int ifindex)
{
	device = (struct port_device){ .ifindex = ifindex, .mtu = 1500, .usable = true };
}

static void make_ready(int ifindex)
{
	appear(ifindex);
	assert_int_equal(look(), PORT_ATTACH);
	port_life_attached(&life, true, now);
	assert_int_equal(look(), 0);
	assert_int_equal(life.state, VPORT_READY);
}

static void test_absent(void **state)
{
	(void)state;
	assert_int_equal(look(), 0);
	assert_int_equal(life.state, VPORT_ABSENT);
	assert_int_equal(life.due_ns, UINT64_MAX);
}

static void test_late(void **state)
{
	(void)state;
	look();
	appear(7);
	assert_int_equal(look(), PORT_ATTACH);
	assert_int_equal(life.state, VPORT_ATTACHING);
	port_life_attached(&life, true, now);
	assert_int_equal(life.state, VPORT_READY);
	assert_int_equal(look(), 0);
	assert_int_equal(life.due_ns, UINT64_MAX);
}

static void test_goes_and_comes_back(void **state)
{
	(void)state;
	make_ready(7);
	device = (struct port_device){};
	assert_int_equal(look(), PORT_DETACH);
	assert_int_equal(life.state, VPORT_ABSENT);
	assert_int_equal(look(), 0);
	make_ready(9);
}

/* The name now belongs to another device, and nobody said that the first one went. */
static void test_replaced(void **state)
{
	(void)state;
	make_ready(7);
	appear(8);
	assert_int_equal(look(), PORT_DETACH | PORT_ATTACH);
	port_life_attached(&life, true, now);
	assert_int_equal(life.state, VPORT_READY);
	assert_int_equal(life.ifindex, 8);
}

static void test_down_and_up(void **state)
{
	(void)state;
	make_ready(7);
	device.usable = false;
	assert_int_equal(look(), 0);
	assert_int_equal(life.state, VPORT_ATTACHING);
	assert_true(life.attached);
	device.usable = true;
	assert_int_equal(look(), 0);
	assert_int_equal(life.state, VPORT_READY);
}

static void test_refused(void **state)
{
	uint64_t wait = 0;
	unsigned int i;

	(void)state;
	appear(7);
	for (i = 0; i < 12; i++) {
		assert_int_equal(look(), PORT_ATTACH);
		port_life_attached(&life, false, now);
		assert_int_equal(life.state, VPORT_REFUSED);
		assert_int_equal(look(), 0);
		assert_true(life.due_ns - now >= wait);
		wait = life.due_ns - now;
		now = life.due_ns;
	}
	assert_int_equal(wait, PORT_RETRY_MAX_MS * NS_PER_MS);
	assert_int_equal(look(), PORT_ATTACH);
	port_life_attached(&life, true, now);
	assert_int_equal(life.state, VPORT_READY);
}

static void test_refused_then_mtu_changes(void **state)
{
	(void)state;
	appear(7);
	look();
	port_life_attached(&life, false, now);
	assert_int_equal(look(), 0);
	device.mtu = 1400;
	assert_int_equal(look(), PORT_ATTACH);
}

static void test_refused_then_gone(void **state)
{
	(void)state;
	appear(7);
	look();
	port_life_attached(&life, false, now);
	device = (struct port_device){};
	assert_int_equal(look(), PORT_DETACH);	/* harmless if there is no link */
	assert_int_equal(life.state, VPORT_ABSENT);
	appear(8);
	assert_int_equal(look(), PORT_ATTACH);	/* and forgiven */
}

static void test_guest(void **state)
{
	(void)state;
	port_life_again(&life, true);
	appear(7);
	assert_int_equal(look(), PORT_ATTACH);
	port_life_attached(&life, true, now);
	assert_int_equal(look(), PORT_PREPARE);
	port_life_prepared(&life, false, now);
	assert_int_equal(life.state, VPORT_READY);
	assert_int_equal(look(), 0);
	now = life.due_ns;
	assert_int_equal(look(), PORT_PREPARE);
	port_life_prepared(&life, true, now);
	assert_int_equal(look(), 0);
	assert_int_equal(life.due_ns, UINT64_MAX);
	appear(8);				/* the guest was made anew */
	assert_int_equal(look(), PORT_DETACH | PORT_ATTACH);
	port_life_attached(&life, true, now);
	assert_int_equal(look(), PORT_PREPARE);
}

static void test_inherited(void **state)
{
	(void)state;
	port_life_init(&life, true, 7);
	appear(7);
	assert_int_equal(look(), PORT_ATTACH);	/* updates in place */
	port_life_init(&life, true, 7);
	device = (struct port_device){};
	assert_int_equal(look(), PORT_DETACH);
	port_life_init(&life, true, 7);
	appear(8);
	assert_int_equal(look(), PORT_DETACH | PORT_ATTACH);
	port_life_init(&life, true, 0);
	device = (struct port_device){};
	assert_int_equal(look(), PORT_DETACH);
}

static void test_again(void **state)
{
	(void)state;
	make_ready(7);
	port_life_again(&life, false);
	assert_int_equal(look(), PORT_ATTACH);
	port_life_attached(&life, true, now);
	assert_int_equal(life.state, VPORT_READY);
}

/* Whatever happens: nothing is attached twice, let go twice, or waited for in vain. */
static void test_any_order(void **state)
{
	int on = 0;				/* the link's device */
	uint32_t seed = 99, i;

	(void)state;
	print_message("# seed %u\n", seed);
	for (i = 0; i < 100000; i++) {
		unsigned int todo;

		seed = seed * 1664525 + 1013904223;
		if (!(seed >> 28)) {
			device.ifindex = seed >> 8 & 3;
			device.mtu = 1500 - (seed >> 12 & 1);
			device.usable = seed >> 16 & 3;
		}
		todo = look();
		if (todo & PORT_DETACH)
			on = 0;
		if (todo & PORT_ATTACH) {
			assert_true(device.ifindex && (!on || on == device.ifindex));
			on = seed >> 20 & 1 ? device.ifindex : 0;
			port_life_attached(&life, on, now);
		}
		assert_true(life.attached == (on != 0));
		assert_true(!life.attached || on == device.ifindex);
		assert_true((life.state == VPORT_READY) == (life.attached && device.usable));
		assert_true(life.attached || !device.ifindex || life.due_ns != UINT64_MAX);
		now += (seed >> 24) * NS_PER_MS;
	}
}

/* Words. */

static const struct port_facts fine = {
	.device = "dev0", .kind = "veth", .driver = "veth", .mtu = 1500, .hub_max = 3498, .present = true,
	.ethernet = true, .up = true, .carrier = true, .has_netns = true,
	.because = "so be it",
};

static void assert_says(const struct port_facts *f, const char *words)
{
	char buf[1024];

	port_problem(f, buf, sizeof(buf));
	if (words ? !strstr(buf, words) : buf[0])
		fail_msg("\"%s\", wanted \"%s\"", buf, words ? words : "");
}

static void test_problems(void **state)
{
	struct port_facts f = fine;

	(void)state;
	assert_says(&f, NULL);
	f.mtu = f.hub_max + 1;
	assert_says(&f, "ip link set dev dev0 mtu 3498");
	f.uplink = true;
	assert_says(&f, NULL);
	f.uplink = false;
	f.has_netns = false;
	assert_says(&f, "ethtool -K DEVICE tx-checksum-ip-generic off");
	f.guest_device = "eth0";
	assert_says(&f, "ethtool -K eth0 gro on");
	f.unprepared = "no such namespace";
	assert_says(&f, "no such namespace");
	f.carrier = false;
	assert_says(&f, "bring up its other end");
	f.up = false;
	assert_says(&f, "ip link set dev dev0 up");
	f.refused = "the driver says no";
	assert_says(&f, "the driver says no");
	f.ethernet = false;
	assert_says(&f, "no Ethernet frames");
	f.present = false;
	assert_says(&f, "attached when it appears");
}

/* What XDP cannot do tcx can; what remains is the guest's NAPI. */
static void test_tcx_problems(void **state)
{
	struct port_facts f = fine;
	char buf[1024];

	(void)state;
	f.hook = DP_HOOK_TCX;
	assert_says(&f, NULL);
	f.unprepared = "no such namespace";
	assert_says(&f, "no such namespace");
	assert_null(strstr(port_problem(&f, buf, sizeof(buf)), "checksum"));
	f.unprepared = NULL;
	f.has_netns = false;
	assert_says(&f, "gro on");
	assert_null(strstr(port_problem(&f, buf, sizeof(buf)), "checksum"));
	f.kind = "tun";
	f.vnet_hdr = true;
	assert_says(&f, NULL);
}

static const struct choice {
	struct hook_facts facts;
	enum config_hook wish, hook;
	const char *why;
} choices[] = {
	{ { .kind = "veth" }, HOOK_AUTO, HOOK_TCX, "super-packets" },
	{ { .kind = "veth", .plain_guest = true }, HOOK_AUTO, HOOK_XDP, "no TSO" },
	{ { .kind = "veth", .tags = true }, HOOK_AUTO, HOOK_XDP, "tags" },
	{ { .kind = "veth", .generic = true }, HOOK_AUTO, HOOK_XDP, "generic" },
	{ { .kind = "tun", .vnet_hdr = true }, HOOK_AUTO, HOOK_TCX, "vnet header" },
	{ { .kind = "tun" }, HOOK_AUTO, HOOK_XDP, "finished frames" },
	{ { .kind = "" }, HOOK_AUTO, HOOK_XDP, "finished frames" },
	{ { .kind = "", .uplink = true }, HOOK_AUTO, HOOK_XDP, "wire" },
	{ { .kind = "veth", .uplink = true }, HOOK_AUTO, HOOK_TCX, "super-packets" },
	{ { .kind = "veth", .uplink = true }, HOOK_TCX, HOOK_TCX, "configuration" },
	{ { .kind = "veth" }, HOOK_XDP, HOOK_XDP, "configuration" },
};

static void test_choice(void **state)
{
	const char *why;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *c = &choices[i];

		assert_int_equal(hook_choose(c->wish, &c->facts, &why), c->hook);
		assert_non_null(strstr(why, c->why));
	}
}

static void test_tap_problems(void **state)
{
	struct port_facts f = fine;

	(void)state;
	f.kind = f.driver = "tun";
	f.has_netns = false;
	assert_says(&f, NULL);
	f.vnet_hdr = true;
	assert_says(&f, "csum=off,gso=off");
	f.carrier = false;
	assert_says(&f, "no virtual machine");
	f.ethernet = false;
	assert_says(&f, "mode tap");
}

static void test_why(void **state)
{
	struct port_facts f = fine;
	char buf[256];

	(void)state;
	assert_non_null(strstr(port_why(&f, buf, sizeof(buf)), "native"));
	f.hook = DP_HOOK_XDP_GENERIC;
	assert_non_null(strstr(port_why(&f, buf, sizeof(buf)), "by name"));
	f.hook = DP_HOOK_TCX;
	assert_non_null(strstr(port_why(&f, buf, sizeof(buf)), "clsact"));
	f.has_tcx = true;
	assert_string_equal(port_why(&f, buf, sizeof(buf)), "tcx: so be it");
	f.queues = 1;
	assert_string_equal(port_why(&f, buf, sizeof(buf)), "tcx: so be it");
	f.queues = 4;
	assert_string_equal(port_why(&f, buf, sizeof(buf)), "tcx: so be it; on each of its 4 queues");
	f.queues = 0;
	f.hook = DP_HOOK_XDP_NATIVE;
	f.kind = "bond";
	assert_non_null(strstr(port_why(&f, buf, sizeof(buf)), "bond's members"));
	f.because = NULL;
	assert_non_null(strstr(port_why(&f, buf, sizeof(buf)), "not attached yet"));
}

/* Neighbours. */

static struct ip_addr v4(uint32_t host_order)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, htobe32(host_order));
	return a;
}

static const struct neighbour_entry *find(const struct neighbour_entry *list, unsigned int n,
					  uint32_t vni, uint32_t addr)
{
	const struct ip_addr want = v4(addr);
	unsigned int i;

	for (i = 0; i < n; i++)
		if (list[i].key.vni == vni && ip_addr_equal(&list[i].key.addr, &want))
			return &list[i];
	return NULL;
}

static void test_neighbours(void **state)
{
	struct config_subnet subnets[] = { { .gateway = v4(0x0a000001) }, { .gateway = { { 0 } } } };
	struct config_network networks[] = {
		{ .vni = 100, .gateway_mac = { 2, 9 }, .subnets = subnets, .n_subnets = 2 },
		{ .vni = 200, .gateway_mac = { 2, 8 } },
	};
	struct config_vport vports[] = {
		{ .network = 0, .mac = { 2, 1 }, .n_addrs = 2,
		  .addrs = { v4(0x0a00000b), v4(0x0a00000c) } },
		{ .network = 1, .mac = { 2, 2 }, .n_addrs = 1, .addrs = { v4(0x0a00000b) } },
	};
	struct config_remote remotes[] = {
		{ .network = 0, .prefix = { v4(0x0a00000d), 128 }, .mac = { 2, 3 } },
		{ .network = 0, .prefix = { v4(0x0a00000e), 128 } },
		{ .network = 0, .prefix = { v4(0x0b000000), 104 } },
		{ .network = 0, .prefix = { v4(0x0a00000b), 128 }, .mac = { 2, 4 } },
	};
	const struct config config = { .networks = networks, .n_networks = 2, .vports = vports,
				       .n_vports = 2, .remotes = remotes, .n_remotes = 4 };
	const uint32_t slots[] = { 3, 4 };
	struct neighbour_entry *list;
	unsigned int n;

	(void)state;
	assert_int_equal(neighbours_list(&config, slots, &list, &n), 0);
	assert_int_equal(n, 6);
	assert_int_equal(find(list, n, 100, 0x0a000001)->value.router, 1);
	assert_int_equal(find(list, n, 100, 0x0a000001)->value.port, 0);
	assert_int_equal(find(list, n, 100, 0x0a00000b)->value.port, 3);
	assert_int_equal(find(list, n, 100, 0x0a00000c)->value.mac[1], 1);
	assert_int_equal(find(list, n, 200, 0x0a00000b)->value.port, 4);
	assert_int_equal(find(list, n, 100, 0x0a00000d)->value.mac[1], 3);
	assert_int_equal(find(list, n, 100, 0x0a00000e)->value.mac[1], 9);
	assert_null(find(list, n, 100, 0x0b000000));
	free(list);
}

#define LIFE_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIFE_TEST(test_absent),
		LIFE_TEST(test_late),
		LIFE_TEST(test_goes_and_comes_back),
		LIFE_TEST(test_replaced),
		LIFE_TEST(test_down_and_up),
		LIFE_TEST(test_refused),
		LIFE_TEST(test_refused_then_mtu_changes),
		LIFE_TEST(test_refused_then_gone),
		LIFE_TEST(test_guest),
		LIFE_TEST(test_inherited),
		LIFE_TEST(test_again),
		LIFE_TEST(test_any_order),
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_tap_problems),
		cmocka_unit_test(test_tcx_problems),
		cmocka_unit_test(test_choice),
		cmocka_unit_test(test_why),
		cmocka_unit_test(test_neighbours),
	};

	return cmocka_run_group_tests_name("vport", tests, NULL, NULL);
}
