// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_dp.c - a set of maps is made, adopted, refused, cleaned up and removed
 *
 * Runs the real object in the kernel.
 *
 * See also: test_dp_kill.c (interrupted in between), test_dp_link.c, test_dp_maps.c.
 */
#include "dp_test.h"

#include <errno.h>
#include <linux/magic.h>
#include <sys/vfs.h>

#include <lib/clock.h>

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static void edit_mark(__u32 seq)
{
	int fd = bpf_obj_get(DP_TEST_DIR "/maps/abi");
	struct abi_record abi;
	__u32 zero = 0;

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, &abi), 0);
	abi.seq = seq;
	assert_int_equal(bpf_map_update_elem(fd, &zero, &abi, BPF_ANY), 0);
	close(fd);
}

static void fresh_set(void **state)
{
	static const uint32_t no_secret[FLOW_SECRET_WORDS];
	const struct abi_record *abi;
	struct dp *dp;

	(void)state;
	sandbox_need();
	dp = dp_test_open();
	abi = dp_abi(dp);
	assert_false(dp_adopted(dp));
	assert_int_equal(abi->seq, MIRACH_ABI_SEQ);
	assert_int_equal(abi->n_flows, DP_TEST_FLOWS + 1);
	assert_int_equal(abi->n_buckets, 256);
	assert_memory_not_equal(abi->secret, no_secret, sizeof(no_secret));
	assert_true(on_bpffs(DP_TEST_DIR));
	assert_true(exists(DP_TEST_DIR "/maps/abi"));
	assert_true(exists(DP_TEST_DIR "/maps/flows"));
	dp_flow_index(dp)[abi->n_buckets - 1].slot[7] = 1;
	dp_flows(dp)[DP_TEST_FLOWS].action.gen = 1;
	assert_true(dp_memory_bytes(dp) > DP_TEST_FLOWS * sizeof(struct flow));
	print_message("# %u flows: %llu bytes of kernel memory\n", DP_TEST_FLOWS,
		      (unsigned long long)dp_memory_bytes(dp));
	dp_close(dp);
	dp_test_teardown(DP_TEST_DIR);
	assert_false(on_bpffs(DP_TEST_DIR));
}

static void bucket_sizes(void **state)
{
	static const struct { uint32_t n_flows, n_buckets; } cases[] = {
		{ 1, 64 }, { 260, 128 }, { 65536, 16384 },
	};
	struct dp_options o = { .dir = DP_TEST_DIR };
	struct error e = {};
	struct dp *dp;
	unsigned int i;

	(void)state;
	sandbox_need();
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.n_flows = cases[i].n_flows;
		assert_ok(dp_open(&o, &dp, &e), &e);
		assert_int_equal(dp_abi(dp)->n_buckets, cases[i].n_buckets);
		dp_close(dp);
		dp_test_teardown(DP_TEST_DIR);
	}
	o.n_flows = 0;
	assert_refused(dp_open(&o, &dp, &e), EINVAL, "limits.flows", &e);
}

static void adopted_set(void **state)
{
	struct bpf_link_info before, after;
	struct abi_record abi;
	struct error e = {};
	struct dp *dp;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	dp = dp_test_open();
	abi = *dp_abi(dp);
	assert_ok(dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), &e);
	dp_flows(dp)[17].action.gen = 4711;
	dp_close(dp);
	before = dp_test_link("web-1");
	assert_int_equal(before.xdp.ifindex, ifindex);

	dp = dp_test_open();
	assert_true(dp_adopted(dp));
	assert_memory_equal(dp_abi(dp), &abi, sizeof(abi));
	assert_int_equal(dp_flows(dp)[17].action.gen, 4711);
	after = dp_test_link("web-1");
	assert_int_equal(after.prog_id, before.prog_id);	/* until it is attached again */
	assert_ok(dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), &e);
	after = dp_test_link("web-1");
	assert_int_equal(after.id, before.id);
	assert_int_not_equal(after.prog_id, before.prog_id);
	dp_close(dp);
	dp_test_teardown(DP_TEST_DIR);
	sandbox_veth_del("va");
}

static void other_kinds_are_refused(void **state)
{
	struct dp_options larger = { .dir = DP_TEST_DIR, .n_flows = 2 * DP_TEST_FLOWS };
	struct error e = {};
	struct dp *dp;
	int fd;

	(void)state;
	sandbox_need();
	dp = dp_test_open();
	dp_flows(dp)[1].action.gen = 99;
	dp_close(dp);
	assert_refused(dp_open(&larger, &dp, &e), EEXIST, "--teardown", &e);
	assert_refused(dp_open(&larger, &dp, &e), EEXIST, "made for 1000 flows", &e);
	edit_mark(MIRACH_ABI_SEQ + 1);
	assert_refused(dp_open(&dp_test_options, &dp, &e), EEXIST, "layout", &e);
	edit_mark(MIRACH_ABI_SEQ);

	dp = dp_test_open();
	assert_true(dp_adopted(dp));
	assert_int_equal(dp_flows(dp)[1].action.gen, 99);
	dp_close(dp);

	assert_int_equal(unlink(DP_TEST_DIR "/maps/usage"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "usage", 4, 8, 1, NULL);
	assert_int_equal(bpf_obj_pin(fd, DP_TEST_DIR "/maps/usage"), 0);
	close(fd);
	assert_refused(dp_open(&dp_test_options, &dp, &e), EEXIST, "map usage", &e);
	assert_true(exists(DP_TEST_DIR "/maps/flows"));
	dp_test_teardown(DP_TEST_DIR);
}

/* A mark that is not even an abi record must not make us delete what is there. */
static void foreign_mark_is_refused(void **state)
{
	struct error e = {};
	struct dp *dp;
	int fd;

	(void)state;
	sandbox_need();
	dp_close(dp_test_open());
	assert_int_equal(unlink(DP_TEST_DIR "/maps/abi"), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "abi", 4, 8, 1, NULL);
	assert_int_equal(bpf_obj_pin(fd, DP_TEST_DIR "/maps/abi"), 0);
	close(fd);
	assert_refused(dp_open(&dp_test_options, &dp, &e), EEXIST, "--teardown", &e);
	assert_true(exists(DP_TEST_DIR "/maps/flows"));
	dp_test_teardown(DP_TEST_DIR);
}

static void half_made_set_is_removed(void **state)
{
	struct abi_record abi;
	struct error e = {};
	struct dp *dp;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	dp = dp_test_open();
	abi = *dp_abi(dp);
	dp_flows(dp)[1].action.gen = 99;
	assert_ok(dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), &e);
	dp_close(dp);
	assert_int_equal(unlink(DP_TEST_DIR "/maps/abi"), 0);

	dp = dp_test_open();
	assert_false(dp_adopted(dp));
	assert_memory_not_equal(dp_abi(dp)->secret, abi.secret, sizeof(abi.secret));
	assert_int_equal(dp_flows(dp)[1].action.gen, 0);
	assert_false(exists(DP_TEST_DIR "/links/web-1"));
	assert_ok(dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), &e);
	dp_close(dp);
	dp_test_teardown(DP_TEST_DIR);
	sandbox_veth_del("va");
}

/* A map that a newer agent of the same layout adds is made at adoption. */
static void missing_map_is_added(void **state)
{
	struct dp *dp;

	(void)state;
	sandbox_need();
	dp_close(dp_test_open());
	assert_int_equal(unlink(DP_TEST_DIR "/maps/samples"), 0);
	dp = dp_test_open();
	assert_true(dp_adopted(dp));
	assert_true(exists(DP_TEST_DIR "/maps/samples"));
	dp_close(dp);
	dp_test_teardown(DP_TEST_DIR);
}

static void one_agent_at_a_time(void **state)
{
	struct error e = {};
	struct dp *dp, *second;

	(void)state;
	sandbox_need();
	dp = dp_test_open();
	assert_refused(dp_open(&dp_test_options, &second, &e), EBUSY, "another agent", &e);
	assert_refused(dp_teardown(DP_TEST_DIR, &e), EBUSY, "another agent", &e);
	assert_true(exists(DP_TEST_DIR "/maps/flows"));
	dp_close(dp);
	dp_test_teardown(DP_TEST_DIR);
	dp_test_teardown(DP_TEST_DIR);
}

static void directories(void **state)
{
	static const char *const good[] = {
		"/run/deep/er/and.dotted/mirach", "/run/with-slash/", "/sys/fs/bpf/mirach-test",
	};
	struct dp_options o = dp_test_options;
	struct error e = {};
	struct dp *dp;
	unsigned int i;

	(void)state;
	sandbox_need();
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		o.dir = good[i];
		assert_ok(dp_open(&o, &dp, &e), &e);
		dp_close(dp);
		assert_true(on_bpffs(o.dir));
		dp_test_teardown(o.dir);
	}
	assert_false(on_bpffs("/sys/fs/bpf"));

	o.dir = "run/mirach";
	assert_refused(dp_open(&o, &dp, &e), EINVAL, "absolute", &e);
	o.dir = "/run/full";
	assert_int_equal(sh("mkdir /run/full && touch /run/full/file"), 0);
	assert_refused(dp_open(&o, &dp, &e), ENOTEMPTY, "ordinary directory", &e);
	assert_true(exists("/run/full/file"));
}

static void somebody_elses_bpffs(void **state)
{
	struct dp_options o = dp_test_options;
	struct error e = {};
	struct dp *dp;
	int fd;

	(void)state;
	sandbox_need();
	assert_int_equal(sh("mkdir -p /run/bpf && mount -t bpf bpf /run/bpf"), 0);
	o.dir = "/run/bpf/mira.ch";
	assert_refused(dp_open(&o, &dp, &e), EINVAL, "dot", &e);
	o.dir = "/run/bpf/mirach";
	assert_ok(dp_open(&o, &dp, &e), &e);
	dp_close(dp);
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "foreign", 4, 8, 1, NULL);
	assert_int_equal(bpf_obj_pin(fd, "/run/bpf/mirach/foreign"), 0);
	close(fd);
	assert_refused(dp_teardown(o.dir, &e), ENOTEMPTY, "by hand", &e);
	assert_false(exists("/run/bpf/mirach/maps"));
	assert_int_equal(unlink("/run/bpf/mirach/foreign"), 0);
	dp_test_teardown(o.dir);

	o.dir = "/run/bpf";		/* the mount point itself: it is not ours and stays */
	assert_ok(dp_open(&o, &dp, &e), &e);
	dp_close(dp);
	assert_ok(dp_teardown(o.dir, &e), &e);
	assert_false(exists("/run/bpf/maps"));
	assert_true(on_bpffs("/run/bpf"));
	assert_int_equal(umount("/run/bpf"), 0);
}

static void grace_period_ends(void **state)
{
	uint64_t start, took, max = 0, sum = 0;
	struct dp *dp;
	int i;

	(void)state;
	sandbox_need();
	dp = dp_test_open();
	for (i = 0; i < 20; i++) {
		start = clock_now_ns();
		assert_int_equal(dp_synchronize(dp), 0);
		took = clock_now_ns() - start;
		sum += took;
		max = took > max ? took : max;
	}
	print_message("# grace period: %llu us on average, %llu us at most\n",
		      (unsigned long long)sum / 20 / 1000, (unsigned long long)max / 1000);
	assert_true(max < 5 * NS_PER_S);
	dp_close(dp);
	dp_test_teardown(DP_TEST_DIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fresh_set),
		cmocka_unit_test(bucket_sizes),
		cmocka_unit_test(adopted_set),
		cmocka_unit_test(other_kinds_are_refused),
		cmocka_unit_test(foreign_mark_is_refused),
		cmocka_unit_test(half_made_set_is_removed),
		cmocka_unit_test(missing_map_is_added),
		cmocka_unit_test(one_agent_at_a_time),
		cmocka_unit_test(directories),
		cmocka_unit_test(somebody_elses_bpffs),
		cmocka_unit_test(grace_period_ends),
	};

	return cmocka_run_group_tests(tests, sandbox_enter, NULL);
}
