// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_dp_link.c - attaching to devices: new, again, in another mode, and not at all
 */
#include "dp_test.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>

static struct dp *dp;

static struct bpf_xdp_query_opts on_device(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	assert_int_equal(bpf_xdp_query(ifindex, 0, &q), 0);
	return q;
}

static void attach(const char *name, int ifindex, enum dp_hook hook)
{
	struct error e = {};

	assert_ok(dp_port_attach(dp, name, ifindex, DP_EGRESS, hook, &e), &e);
}

static void detach(const char *name)
{
	struct error e = {};

	assert_ok(dp_port_detach(dp, name, &e), &e);
}

static void native(void **state)
{
	struct bpf_xdp_query_opts q;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("port", ifindex, DP_HOOK_XDP_NATIVE);
	q = on_device(ifindex);
	assert_int_equal(q.attach_mode, XDP_ATTACHED_DRV);
	assert_int_equal(q.drv_prog_id, dp_test_link("port").prog_id);
	detach("port");
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_NONE);
	assert_false(exists(DP_TEST_DIR "/links/port"));
	detach("port");			/* again: nothing to do */
	sandbox_veth_del("va");
}

static void four_programs(void **state)
{
	static const char *const names[DP_N_PROGRAMS] = {
		"mirach_egress", "mirach_ingress", "mirach_hub_resu", "mirach_hub_feed",
	};
	struct error e = {};
	int ifindex, p;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	for (p = 0; p < DP_N_PROGRAMS; p++) {	/* each takes over from the one before */
		struct bpf_prog_info info = {};
		__u32 len = sizeof(info);
		int fd;

		assert_ok(dp_port_attach(dp, "port", ifindex, p, DP_HOOK_XDP_NATIVE, &e), &e);
		fd = bpf_prog_get_fd_by_id(dp_test_link("port").prog_id);
		assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
		assert_string_equal(info.name, names[p]);
		close(fd);
	}
	detach("port");
	sandbox_veth_del("va");
}

static void generic_by_name(void **state)
{
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("port", ifindex, DP_HOOK_XDP_GENERIC);
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_SKB);
	attach("port", ifindex, DP_HOOK_XDP_NATIVE);		/* the mode changes: another link */
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_DRV);
	attach("port", ifindex, DP_HOOK_XDP_GENERIC);
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_SKB);
	detach("port");
	sandbox_veth_del("va");
}

/* Loopback has no driver's XDP: no silent way out. */
static void no_native(void **state)
{
	struct error e = {};
	int lo;

	(void)state;
	sandbox_need();
	lo = if_nametoindex("lo");
	assert_refused(dp_port_attach(dp, "port", lo, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), EOPNOTSUPP,
		       "xdp_mode: generic", &e);
	assert_false(exists(DP_TEST_DIR "/links/port"));
	attach("port", lo, DP_HOOK_XDP_GENERIC);
	detach("port");
}

static void no_device(void **state)
{
	struct error e = {};

	(void)state;
	sandbox_need();
	assert_refused(dp_port_attach(dp, "port", 99999, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), ENODEV, "99999",
		       &e);
}

/* A second link of ours and a program set with netlink are in the way alike, in either mode. */
static void taken_by_another(void **state)
{
	struct error e = {};
	char id[32];
	int ifindex, fd;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("first", ifindex, DP_HOOK_XDP_NATIVE);
	snprintf(id, sizeof(id), "program %u mirach_egress", dp_test_link("first").prog_id);
	assert_refused(dp_port_attach(dp, "second", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), EBUSY, id, &e);
	assert_refused(dp_port_attach(dp, "second", ifindex, DP_EGRESS, DP_HOOK_XDP_GENERIC, &e), EBUSY, id, &e);
	fd = bpf_prog_get_fd_by_id(dp_test_link("first").prog_id);
	detach("first");

	assert_int_equal(bpf_xdp_attach(ifindex, fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_refused(dp_port_attach(dp, "second", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), EBUSY, id, &e);
	assert_non_null(strstr(e.text, "ip link set dev va xdp off"));
	assert_int_equal(sh("ip link set dev va xdp off"), 0);
	attach("second", ifindex, DP_HOOK_XDP_NATIVE);
	detach("second");
	close(fd);
	sandbox_veth_del("va");
}

static void device_comes_back(void **state)
{
	int ifindex, again;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("port", ifindex, DP_HOOK_XDP_NATIVE);
	sandbox_veth_del("va");
	assert_int_equal(dp_test_link("port").xdp.ifindex, 0);
	again = sandbox_veth("va", "vb");
	assert_int_not_equal(again, ifindex);
	attach("port", again, DP_HOOK_XDP_NATIVE);
	assert_int_equal(dp_test_link("port").xdp.ifindex, again);
	sandbox_veth_del("va");
	detach("port");				/* of a link whose device is gone */
}

/* A port's name goes over to another device: the old one is let go. */
static void other_device(void **state)
{
	int a, c;

	(void)state;
	sandbox_need();
	a = sandbox_veth("va", "vb");
	c = sandbox_veth("vc", "vd");
	attach("port", a, DP_HOOK_XDP_NATIVE);
	attach("port", c, DP_HOOK_XDP_NATIVE);
	assert_int_equal(on_device(a).attach_mode, XDP_ATTACHED_NONE);
	assert_int_equal(on_device(c).attach_mode, XDP_ATTACHED_DRV);
	detach("port");
	sandbox_veth_del("va");
	sandbox_veth_del("vc");
}

/* The device went into another namespace, and a stranger got its number here. */
static void stranger_with_the_same_number(void **state)
{
	int ifindex;

	(void)state;
	sandbox_need();
	assert_int_equal(sh("ip netns add far"), 0);
	assert_int_equal(sh("ip link add va index 4000 type veth peer name vb"), 0);
	attach("port", 4000, DP_HOOK_XDP_NATIVE);
	assert_int_equal(sh("ip link set va netns far"), 0);
	assert_int_equal(sh("ip link add vc index 4000 type veth peer name vd"), 0);
	ifindex = if_nametoindex("vc");
	assert_int_equal(ifindex, 4000);
	attach("port", ifindex, DP_HOOK_XDP_NATIVE);
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_DRV);
	assert_int_equal(on_device(ifindex).drv_prog_id, dp_test_link("port").prog_id);
	detach("port");
	sandbox_veth_del("vc");
	assert_int_equal(sh("ip netns del far"), 0);
}

static void names(void **state)
{
	static const char too_long[] = "a-name-of-more-than-sixty-three-bytes-is-too-long-for-a-port-and-for-its-pin";
	struct error e = {};
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("eth0.100/%", ifindex, DP_HOOK_XDP_NATIVE);
	assert_int_equal(dp_test_link("eth0%2e100%2f%25").xdp.ifindex, ifindex);
	attach("eth0.100/%", ifindex, DP_HOOK_XDP_NATIVE);
	detach("eth0.100/%");
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_NONE);
	assert_refused(dp_port_attach(dp, "", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), EINVAL, "1 to 63",
		       &e);
	assert_refused(dp_port_attach(dp, too_long, ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), EINVAL,
		       "1 to 63", &e);
	sandbox_veth_del("va");
}

/* Multi-buffer programs may sit on a device with large packets. */
static void jumbo(void **state)
{
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	assert_int_equal(sh("ip link set va mtu 9000 && ip link set vb mtu 9000"), 0);
	attach("port", ifindex, DP_HOOK_XDP_NATIVE);
	detach("port");
	sandbox_veth_del("va");
}

/* Teardown takes programs off the devices. Runs last. */
static void teardown_detaches(void **state)
{
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("port", ifindex, DP_HOOK_XDP_NATIVE);
	dp_close(dp);
	dp = NULL;
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_DRV);
	dp_test_teardown(DP_TEST_DIR);
	assert_int_equal(on_device(ifindex).attach_mode, XDP_ATTACHED_NONE);
	sandbox_veth_del("va");
}

static int enter(void **state)
{
	if (sandbox_enter(state))
		return -1;
	if (!geteuid())
		dp = dp_test_open();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(native),
		cmocka_unit_test(four_programs),
		cmocka_unit_test(generic_by_name),
		cmocka_unit_test(no_native),
		cmocka_unit_test(no_device),
		cmocka_unit_test(taken_by_another),
		cmocka_unit_test(device_comes_back),
		cmocka_unit_test(other_device),
		cmocka_unit_test(stranger_with_the_same_number),
		cmocka_unit_test(names),
		cmocka_unit_test(jumbo),
		cmocka_unit_test(teardown_detaches),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
