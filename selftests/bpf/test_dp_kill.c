// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_dp_kill.c - agents killed at work, and the agents that come after them
 *
 * The victim runs under ptrace and is killed with SIGKILL right before one of
 * its system calls that leaves something behind in the kernel: before the
 * first, the second, and so on. From whatever that leaves, the next agent has to
 * find its way, without being told.
 *
 * Loading the object takes its time, so a run tries one place in four, beginning
 * at another one each time; MIRACH_KILL_STEP=1 tries them all.
 */
#include "dp_test.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <lib/clock.h>
#include <lib/log.h>

static unsigned int step = 4, first = 1;

/* What victims do. */

static void act_open(int ifindex)
{
	static const struct port port = { .kind = PORT_VPORT, .name = "web-1", .vni = 7 };
	struct port here = port;
	struct dp *dp;

	here.ifindex = ifindex;
	if (dp_open(&dp_test_options, &dp, NULL) || dp_port_set(dp, 1, &here, NULL) ||
	    dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, NULL))
		_exit(1);
	dp_close(dp);
}

static void act_teardown(int ifindex)
{
	(void)ifindex;
	if (dp_teardown(DP_TEST_DIR, NULL))
		_exit(1);
}

/* Does this system call leave something behind in the kernel? */
static bool leaves_traces(const struct __ptrace_syscall_info *call)
{
	switch (call->entry.nr) {
	case SYS_bpf:
		return call->entry.args[0] == BPF_OBJ_PIN ||
		       call->entry.args[0] == BPF_LINK_CREATE ||
		       call->entry.args[0] == BPF_LINK_UPDATE ||
		       call->entry.args[0] == BPF_LINK_DETACH ||
		       call->entry.args[0] == BPF_MAP_UPDATE_ELEM;
	case SYS_mkdir:
	case SYS_rmdir:
	case SYS_unlink:
	case SYS_mount:
	case SYS_umount2:
	case SYS_flock:
		return true;
	}
	return false;
}

static pid_t start_traced(void (*act)(int ifindex), int ifindex)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		act(ifindex);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, NULL,
				PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
	return pid;
}

/*
 * Runs @act in a process that is killed before its @nth such call. False if
 * it came to its end before.
 */
static bool killed_before(unsigned int nth, void (*act)(int ifindex), int ifindex)
{
	struct __ptrace_syscall_info call;
	pid_t pid = start_traced(act, ifindex);
	int status;

	for (;;) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			return false;
		}
		assert_true(WIFSTOPPED(status));
		ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(call), &call);
		if (call.op != PTRACE_SYSCALL_INFO_ENTRY || !leaves_traces(&call) || --nth)
			continue;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		return true;
	}
}

static void killed_while_making(void **state)
{
	struct error e = {};
	unsigned int n;
	struct dp *dp;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	for (n = first; killed_before(n, act_open, ifindex); n += step) {
		dp = dp_test_open();
		assert_ok(dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), &e);
		dp_close(dp);
		dp_test_teardown(DP_TEST_DIR);
	}
	print_message("# killed at %u places\n", (n - first) / step);
	assert_true(n > 20);
	dp_test_teardown(DP_TEST_DIR);
	sandbox_veth_del("va");
}

static void killed_while_adopting(void **state)
{
	struct bpf_link_info before, after;
	struct abi_record abi;
	struct error e = {};
	unsigned int n;
	struct dp *dp;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	act_open(ifindex);
	before = dp_test_link("web-1");
	dp = dp_test_open();
	abi = *dp_abi(dp);
	dp_close(dp);
	for (n = first; killed_before(n, act_open, ifindex); n += step) {
		dp = dp_test_open();
		assert_true(dp_adopted(dp));
		assert_memory_equal(dp_abi(dp), &abi, sizeof(abi));
		assert_ok(dp_port_attach(dp, "web-1", ifindex, DP_EGRESS, DP_HOOK_XDP_NATIVE, &e), &e);
		after = dp_test_link("web-1");
		assert_int_equal(after.id, before.id);
		dp_close(dp);
	}
	print_message("# killed at %u places\n", (n - first) / step);
	assert_true(n > 3);
	dp_test_teardown(DP_TEST_DIR);
	sandbox_veth_del("va");
}

static void killed_while_tearing_down(void **state)
{
	unsigned int n;
	int ifindex;

	(void)state;
	sandbox_need();
	ifindex = sandbox_veth("va", "vb");
	act_open(ifindex);
	for (n = first; killed_before(n, act_teardown, ifindex); n += step) {
		act_open(ifindex);		/* finds its way, whatever is left */
		assert_int_equal(dp_test_link("web-1").xdp.ifindex, ifindex);
	}
	print_message("# killed at %u places\n", (n - first) / step);
	assert_true(n > 20);
	assert_false(exists(DP_TEST_DIR));
	sandbox_veth_del("va");
}

static int enter(void **state)
{
	const char *wanted = getenv("MIRACH_KILL_STEP");

	if (wanted && atoi(wanted) > 0)
		step = atoi(wanted);
	first = 1 + clock_now_ns() / NS_PER_MS % step;
	print_message("# places %u, %u, ... of each act\n", first, first + step);
	log_set_level(LOG_LEVEL_ERROR);
	return sandbox_enter(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_while_making),
		cmocka_unit_test(killed_while_adopting),
		cmocka_unit_test(killed_while_tearing_down),
	};

	return cmocka_run_group_tests(tests, enter, NULL);
}
