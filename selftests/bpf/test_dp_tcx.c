// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_dp_tcx.c - the second hook: attached, adopted, exchanged for the first, taken away
 *
 * Every test runs twice: with tcx links, and as on a kernel before 6.6 with filters
 * of a clsact qdisc.
 */
#include "dp_test.h"

#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>

#include <lib/ethtool.h>

static struct dp *dp;
static bool no_tcx;

static struct dp *open_dp(void)
{
	const struct dp_options o = { .dir = DP_TEST_DIR, .n_flows = DP_TEST_FLOWS,
				      .no_tcx = no_tcx };
	struct dp *ret = NULL;
	struct error e = {};

	assert_ok(dp_open(&o, &ret, &e), &e);
	return ret;
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

static bool on_xdp(int ifindex)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, q);

	assert_int_equal(bpf_xdp_query(ifindex, 0, &q), 0);
	return q.attach_mode != XDP_ATTACHED_NONE;
}

/* The program on the second hook of @ifindex, 0 = none. */
static __u32 tcx_program(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = 0x6d69, .priority = 0x6d);
	__u32 ids[4], n = 4, flags;

	if (no_tcx)
		return bpf_tc_query(&hook, &filter) ? 0 : filter.prog_id;
	assert_int_equal(bpf_prog_query(ifindex, 46, 0, &flags, ids, &n), 0);
	assert_true(n <= 1);
	return n ? ids[0] : 0;
}

static unsigned int n_pins(void)
{
	DIR *dir = opendir(DP_TEST_DIR "/links");
	unsigned int n = 0;
	struct dirent *d;

	while ((d = readdir(dir)))
		n += d->d_name[0] != '.';
	closedir(dir);
	return n;
}

static void attached_and_detached(void **state)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int ifindex, fd;

	(void)state;
	sandbox_need();
	assert_int_equal(dp_has_tcx(dp), !no_tcx);
	ifindex = sandbox_veth("va", "vb");
	attach("port.1", ifindex, DP_HOOK_TCX);
	fd = bpf_prog_get_fd_by_id(tcx_program(ifindex));
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	assert_string_equal(info.name, "mirach_tcx_egre");
	close(fd);
	assert_false(on_xdp(ifindex));
	attach("port.1", ifindex, DP_HOOK_TCX);
	assert_int_equal(n_pins(), 1);
	detach("port.1");
	assert_int_equal(tcx_program(ifindex), 0);
	assert_int_equal(n_pins(), 0);
	detach("port.1");			/* again: nothing to do */
	sandbox_veth_del("va");
}

/* A new agent: the same link, the new agent's program. */
static void adopted(void **state)
{
	__u32 before;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	attach("port", ifindex, DP_HOOK_TCX);
	before = tcx_program(ifindex);
	dp_close(dp);
	assert_int_equal(tcx_program(ifindex), before);
	dp = open_dp();
	assert_true(dp_adopted(dp));
	attach("port", ifindex, DP_HOOK_TCX);
	assert_int_not_equal(tcx_program(ifindex), 0);
	assert_int_not_equal(tcx_program(ifindex), before);
	assert_int_equal(n_pins(), 1);
	detach("port");
	sandbox_veth_del("va");
}

static void exchanged(void **state)
{
	static const enum dp_hook hooks[] = {
		DP_HOOK_XDP_NATIVE, DP_HOOK_TCX, DP_HOOK_XDP_GENERIC, DP_HOOK_TCX,
		DP_HOOK_XDP_NATIVE,
	};
	unsigned int i;
	int ifindex;
	bool gro;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	for (i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++) {
		attach("port", ifindex, hooks[i]);
		assert_int_equal(on_xdp(ifindex), hooks[i] != DP_HOOK_TCX);
		assert_int_equal(!!tcx_program(ifindex), hooks[i] == DP_HOOK_TCX);
		assert_int_equal(n_pins(), 1);
	}
	assert_int_equal(ethtool_feature_get("va", "rx-gro", &gro), 0);
	assert_true(gro);
	detach("port");
	sandbox_veth_del("va");
}

/* The port's name goes over to another device: the old one is let go. */
static void other_device(void **state)
{
	int a, c;

	(void)state;
	sandbox_need();
	a = sandbox_veth("va", "vb");
	c = sandbox_veth("vc", "vd");
	attach("port", a, DP_HOOK_TCX);
	attach("port", c, DP_HOOK_TCX);
	assert_int_equal(tcx_program(a), 0);
	assert_int_not_equal(tcx_program(c), 0);
	sandbox_veth_del("vc");
	attach("port", a, DP_HOOK_TCX);
	assert_int_not_equal(tcx_program(a), 0);
	assert_int_equal(n_pins(), 1);
	detach("port");
	sandbox_veth_del("va");
}

/* After a failure the port is where it was. */
static void refused(void **state)
{
	struct error e = {};
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = if_nametoindex("lo");
	attach("port", ifindex, DP_HOOK_TCX);
	assert_refused(dp_port_attach(dp, "port", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e),
		       EOPNOTSUPP, "no native XDP", &e);
	assert_int_not_equal(tcx_program(ifindex), 0);
	assert_refused(dp_port_attach(dp, "hub", ifindex, DP_HUB_FEED, DP_HOOK_TCX, &e), EINVAL,
		       "hubs are XDP", &e);
	detach("port");
}

/* Somebody else's program stays where it is. */
static void strangers_stay(void **state)
{
	struct error e = {};
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	assert_int_equal(sh("tc qdisc add dev va clsact && tc filter add dev va ingress prio 9 "
			    "bpf bytecode '1,6 0 0 0' flowid 1:7"), 0);
	attach("port", ifindex, DP_HOOK_TCX);
	if (!no_tcx)
		assert_refused(dp_port_attach(dp, "other", ifindex, DP_EGRESS, DP_HOOK_TCX, &e),
			       EBUSY, "another port", &e);
	detach("port");
	assert_int_equal(sh("tc filter show dev va ingress | grep -q 1:7"), 0);
	sandbox_veth_del("va");
}

/* Runs last. */
static void teardown_removes_all(void **state)
{
	int a, c;

	(void)state;
	sandbox_need();
	a = sandbox_veth("va", "vb");
	c = sandbox_veth("vc", "vd");
	attach("one", a, DP_HOOK_TCX);
	attach("two", c, DP_HOOK_XDP_NATIVE);
	dp_close(dp);
	assert_int_not_equal(tcx_program(a), 0);
	dp_test_teardown(DP_TEST_DIR);
	assert_int_equal(tcx_program(a), 0);
	assert_false(on_xdp(c));
	sandbox_veth_del("va");
	sandbox_veth_del("vc");
	dp = NULL;
}

static int with_tcx(void **state)
{
	if (!dp && sandbox_enter(state))
		return -1;
	if (!geteuid())
		dp = open_dp();
	return 0;
}

static int with_clsact(void **state)
{
	(void)state;
	no_tcx = true;
	if (!geteuid())
		dp = open_dp();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attached_and_detached),
		cmocka_unit_test(adopted),
		cmocka_unit_test(exchanged),
		cmocka_unit_test(other_device),
		cmocka_unit_test(refused),
		cmocka_unit_test(strangers_stay),
		cmocka_unit_test(teardown_removes_all),
		cmocka_unit_test_setup(attached_and_detached, with_clsact),
		cmocka_unit_test(adopted),
		cmocka_unit_test(exchanged),
		cmocka_unit_test(other_device),
		cmocka_unit_test(refused),
		cmocka_unit_test(strangers_stay),
		cmocka_unit_test(teardown_removes_all),
	};

	return cmocka_run_group_tests(tests, with_tcx, NULL);
}
