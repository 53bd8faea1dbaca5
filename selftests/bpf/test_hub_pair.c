// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_hub_pair.c - the hub's veth pair: made once, found again, removed
 *
 * See also: test_hub.c (what passes through it).
 */
#include "sandbox.h"

#include <errno.h>

#include <agent/hub.h>
#include <lib/ethtool.h>
#include <mirach/hub.h>

static struct hub create(void)
{
	struct hub hub = {};
	struct error e = {};

	assert_ok(hub_create("mirach", &hub, &e), &e);
	return hub;
}

static void destroy(void)
{
	struct error e = {};

	assert_ok(hub_destroy("mirach", &e), &e);
	assert_int_equal(if_nametoindex("mirach0n"), 0);
	assert_int_equal(if_nametoindex("mirach0f"), 0);
}

/* 1 or 0; 1 too where the kernel has no IPv6. */
static int ipv6_is_off(const char *device)
{
	char path[128];
	int off = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", device);
	f = fopen(path, "re");
	if (!f)
		return 1;
	if (fscanf(f, "%d", &off) != 1)
		off = 0;
	fclose(f);
	return off;
}

static void check_end(const char *name)
{
	struct ethtool_queues queues;

	assert_int_equal(sh("ip link show dev %s | grep -q 'mtu %zu .*qlen 1000'", name,
			    hub_packet_max() + sizeof(struct hub_header)), 0);
	assert_int_equal(sh("ip link show dev %s up | grep -q LOWER_UP", name), 0);
	assert_int_not_equal(sh("ip addr show dev %s | grep -q inet", name), 0);
	assert_int_equal(ipv6_is_off(name), 1);
	assert_int_equal(ethtool_channels(name, &queues), 0);
	assert_int_equal(queues.rx_max, 1);
	assert_int_equal(queues.tx_max, 1);
}

static void created(void **state)
{
	struct hub hub;

	(void)state;
	sandbox_need();
	hub = create();
	assert_string_equal(hub.near, "mirach0n");
	assert_string_equal(hub.far, "mirach0f");
	assert_int_equal(hub.near_ifindex, if_nametoindex("mirach0n"));
	assert_int_equal(hub.far_ifindex, if_nametoindex("mirach0f"));
	check_end(hub.near);
	check_end(hub.far);
	destroy();
	destroy();
}

static void found_again(void **state)
{
	struct hub hub, again;

	(void)state;
	sandbox_need();
	hub = create();
	assert_int_equal(sh("ip link set mirach0f down && ip link set mirach0n mtu 1500"), 0);
	again = create();
	assert_memory_equal(&hub, &again, sizeof(hub));
	check_end(again.near);
	check_end(again.far);
	destroy();
}

static void name_is_taken(void **state)
{
	static const char *const others[] = {
		"ip link add mirach0n type veth peer name other",
		"ip link add other type veth peer name mirach0f",
		"ip link add mirach0n type veth && ip link add mirach0f type veth",
		"ip tuntap add mirach0n mode tap && ip tuntap add mirach0f mode tap",
	};
	struct error e = {};
	struct hub hub;
	unsigned int i;

	(void)state;
	sandbox_need();
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_int_equal(sh("%s", others[i]), 0);
		assert_refused(hub_create("mirach", &hub, &e), EEXIST, "something else", &e);
		assert_refused(hub_destroy("mirach", &e), EEXIST, "something else", &e);
		sh("ip link del mirach0n 2>/dev/null; ip link del mirach0f 2>/dev/null");
	}
}

static void long_prefix(void **state)
{
	struct error e = {};
	struct hub hub;

	(void)state;
	sandbox_need();
	assert_ok(hub_create("thirteen-char", &hub, &e), &e);
	assert_ok(hub_destroy("thirteen-char", &e), &e);
	assert_refused(hub_create("fourteen-chars", &hub, &e), ENAMETOOLONG, "13", &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(created),
		cmocka_unit_test(found_again),
		cmocka_unit_test(name_is_taken),
		cmocka_unit_test(long_prefix),
	};

	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
