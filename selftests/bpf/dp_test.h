/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp_test.h - one small datapath in the sandbox, for the tests of dp.h
 */
#pragma once

#include "sandbox.h"

#include <bpf/bpf.h>

#include <agent/dp.h>

#define DP_TEST_DIR "/run/mirach-test"
#define DP_TEST_FLOWS 1000u

static const struct dp_options dp_test_options = {
	.dir = DP_TEST_DIR, .n_flows = DP_TEST_FLOWS,
};

static inline struct dp *dp_test_open(void)
{
	struct dp *dp = NULL;
	struct error e = {};

	assert_ok(dp_open(&dp_test_options, &dp, &e), &e);
	return dp;
}

/* Removes the set under @dir and sees that nothing is left. */
static inline void __attribute__((unused)) dp_test_teardown(const char *dir)
{
	struct error e = {};

	assert_ok(dp_teardown(dir, &e), &e);
	assert_false(exists(dir));
}

static inline struct bpf_link_info __attribute__((unused)) dp_test_link(const char *pin)
{
	struct bpf_link_info info = {};
	__u32 len = sizeof(info);
	char path[128];
	int fd;

	snprintf(path, sizeof(path), DP_TEST_DIR "/links/%s", pin);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	close(fd);
	return info;
}
