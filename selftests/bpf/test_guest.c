// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_guest.c - the guest's end of a veth is found and set, and nothing else is touched
 *
 *	sandbox            namespace "guest"
 *	  host0 ═══════════ eth0
 *	  stay0 ═══ stay1   lo, and what a test adds
 */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include <agent/guest.h>
#include <lib/ethtool.h>

static int host0;
static bool finished;

static int set_up(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	if (sh("ip netns add guest && "
	       "ip link add host0 type veth peer name eth0 netns guest && "
	       "ip link add stay0 type veth peer name stay1"))
		return -1;
	host0 = if_nametoindex("host0");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	return geteuid() ? 0 : sh("ip link del host0; ip link del stay0; ip netns del guest");
}

/* `ethtool -k` of the guest's device must show @feature as @value. */
static void assert_feature(const char *device, const char *feature, const char *value)
{
	assert_int_equal(sh("ip netns exec guest ethtool -k %s | grep -q '^[[:space:]]*%s: %s'",
			    device, feature, value), 0);
}

static void assert_prepared(const char *device)
{
	assert_feature(device, "tx-checksum-ip-generic", "off");
	assert_feature(device, "tx-checksum-sctp", "off");
	assert_feature(device, "tx-tcp-segmentation", "off");
	assert_feature(device, "generic-receive-offload", "on");
}

static void found_by_number(void **state)
{
	struct error e = {};

	(void)state;
	sandbox_need();
	assert_feature("eth0", "tx-checksum-ip-generic", "on");
	assert_feature("eth0", "generic-receive-offload", "off");
	assert_ok(guest_prepare("guest", host0, NULL, true, &finished, &e), &e);
	assert_prepared("eth0");
	assert_ok(guest_prepare("guest", host0, NULL, true, &finished, &e), &e);
	assert_prepared("eth0");
}

/* What the agent took it gives back, and nothing else. */
static void given_back(void **state)
{
	struct error e = {};
	bool offloads = false;

	(void)state;
	sandbox_need();
	finished = false;
	assert_ok(guest_prepare("guest", host0, NULL, true, &finished, &e), &e);
	assert_true(finished);
	assert_ok(guest_offloads("guest", host0, NULL, &offloads, &e), &e);
	assert_true(offloads);		/* the wish for TSO outlives the loss of checksums */
	assert_ok(guest_prepare("guest", host0, NULL, false, &finished, &e), &e);
	assert_false(finished);
	assert_feature("eth0", "tx-checksum-ip-generic", "on");
	assert_feature("eth0", "tx-tcp-segmentation", "on");
	assert_feature("eth0", "generic-receive-offload", "on");

	assert_int_equal(sh("ip netns exec guest ethtool -K eth0 tx off tso off >/dev/null"), 0);
	assert_ok(guest_prepare("guest", host0, NULL, true, &finished, &e), &e);
	assert_false(finished);		/* it was the guest's own choice */
	assert_ok(guest_offloads("guest", host0, NULL, &offloads, &e), &e);
	assert_false(offloads);
	assert_ok(guest_prepare("guest", host0, NULL, false, &finished, &e), &e);
	assert_feature("eth0", "tx-checksum-ip-generic", "off");
}

static void found_by_name_and_path(void **state)
{
	struct error e = {};

	(void)state;
	sandbox_need();
	assert_ok(guest_prepare("/run/netns/guest", host0, "eth0", true, &finished, &e), &e);
	assert_prepared("eth0");
}

static void peer_in_our_own_namespace(void **state)
{
	struct error e = {};
	bool on;

	(void)state;
	sandbox_need();
	assert_ok(guest_prepare("/proc/self/ns/net", if_nametoindex("stay0"), NULL, true, &finished, &e), &e);
	assert_int_equal(ethtool_feature_get("stay1", "tx-checksum-ip-generic", &on), 0);
	assert_false(on);
	assert_int_equal(ethtool_feature_get("stay0", "tx-checksum-ip-generic", &on), 0);
	assert_true(on);
}

/* Number and kind fit, but it is the end of another pair. */
static void stranger_with_the_peers_number(void **state)
{
	struct error e = {};
	int peer = if_nametoindex("stay1");

	(void)state;
	sandbox_need();
	assert_int_equal(sh("ip -n guest link add odd0 index %d type veth", peer), 0);
	assert_refused(guest_prepare("guest", if_nametoindex("stay0"), NULL, true, &finished, &e), ENODEV,
		       "not in network namespace guest", &e);
	assert_feature("odd0", "tx-checksum-ip-generic", "on");
}

static void refusals(void **state)
{
	struct error e = {};

	(void)state;
	sandbox_need();
	assert_refused(guest_prepare("nobody", host0, NULL, true, &finished, &e), ENOENT, "/run/netns/nobody", &e);
	assert_refused(guest_prepare("/proc/version", host0, NULL, true, &finished, &e), EINVAL,
		       "not a network namespace", &e);
	assert_refused(guest_prepare("guest", host0, "eth7", true, &finished, &e), ENODEV, "no device eth7", &e);
	assert_refused(guest_prepare("guest", host0, "lo", true, &finished, &e), EXDEV, "not the other end", &e);
	assert_refused(guest_prepare("guest", if_nametoindex("stay0"), NULL, true, &finished, &e), ENODEV,
		       "not in network namespace guest", &e);
	assert_refused(guest_prepare("guest", 99999, NULL, true, &finished, &e), ENODEV, "99999", &e);
	assert_refused(guest_prepare("guest", if_nametoindex("lo"), NULL, true, &finished, &e), EINVAL,
		       "not a veth", &e);
}

static void caller_stays_home(void **state)
{
	struct stat before, after;
	struct error e = {};

	(void)state;
	sandbox_need();
	assert_int_equal(stat("/proc/self/ns/net", &before), 0);
	assert_ok(guest_prepare("guest", host0, NULL, true, &finished, &e), &e);
	assert_refused(guest_prepare("guest", host0, "eth7", true, &finished, &e), ENODEV, "eth7", &e);
	assert_int_equal(stat("/proc/self/ns/net", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(if_nametoindex("host0"), host0);
}

static void ethtool_answers(void **state)
{
	struct ethtool_queues queues;
	char driver[32];
	bool on;

	(void)state;
	sandbox_need();
	assert_int_equal(ethtool_driver("host0", driver, sizeof(driver)), 0);
	assert_string_equal(driver, "veth");
	assert_int_equal(ethtool_driver("host0", driver, 4), -ENOBUFS);
	assert_int_equal(ethtool_driver("nobody", driver, sizeof(driver)), -ENODEV);
	assert_int_equal(ethtool_driver("a-name-of-sixteen", driver, sizeof(driver)), -ENODEV);
	assert_int_equal(ethtool_feature_get("host0", "no-such-feature", &on), -ENOENT);
	assert_int_equal(ethtool_feature_set("lo", "rx-gro", true), 0);
	assert_int_equal(ethtool_feature_set("lo", "loopback", false), -EOPNOTSUPP);
	assert_int_equal(ethtool_feature_get("lo", "loopback", &on), 0);
	assert_true(on);
	assert_int_equal(ethtool_channels("host0", &queues), 0);
	assert_true(queues.rx >= 1 && queues.rx_max >= queues.rx);
	assert_int_equal(ethtool_channels("lo", &queues), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found_by_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(found_by_name_and_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(peer_in_our_own_namespace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stranger_with_the_peers_number, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refusals, set_up, tear_down),
		cmocka_unit_test_setup_teardown(caller_stays_home, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ethtool_answers, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
