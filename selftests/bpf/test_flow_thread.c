// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_flow_thread.c - misses over AF_XDP with the real programs
 *
 *	 guest0 ══ web0 [egress] ──miss──► near ══ far ──AF_XDP──► flow thread
 *	                                     │                         │
 *	 guest1 ══ web1 ◄──next hop──── [resume] ◄═════════════════════┘
 *
 * Frames are sent into one guest's device and counted on the other's. The world
 * and its policy are selftests/world.h; every next hop leads to web1, so whatever
 * the policy forwards arrives at guest1. "Arrives" means all of it: the first
 * packet of a flow is never lost.
 */
#include "sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <agent/dp.h>
#include <agent/flow_thread.h>
#include <agent/hub.h>
#include <agent/template.h>
#include <lib/clock.h>
#include <selftests/world.h>

#define DIR_ "/run/mirach-test"
#define N_FLOWS 20000u
#define NEAR 1u				/* port slots of the hub */
#define FAR 2u
#define MTU 1500u
#define BURST 32u			/* frames between two looks at what arrived */
#define WINDOW 2000u			/* frames on their way; fewer than the ring takes */

static struct dp *dp;
static struct hub hub;
static struct world world;
static struct flow_thread *flows;
static int from, to;			/* packet sockets on guest0 and guest1 */

static void add_port(uint32_t slot, const char *device, int ifindex, enum port_kind kind,
		     enum dp_program program)
{
	struct port port = {
		.ifindex = ifindex,
		.kind = kind,
		.vni = 100,
		.hub = kind == PORT_VPORT ? NEAR : 0,
		.mtu = MTU,
		.miss_rate = 1000000,
		.miss_burst = 100000,
	};
	struct error e = {};

	snprintf(port.name, sizeof(port.name), "%s", device);
	assert_ok(dp_port_set(dp, slot, &port, &e), &e);
	assert_ok(dp_port_attach(dp, device, ifindex, program, DP_HOOK_XDP_NATIVE, &e), &e);
}

static void all_next_hops_to(uint32_t slot)
{
	const struct ip_addr none = {};
	struct nexthop_body body;
	struct error e = {};

	template_local(slot, MTU, &body);
	for (unsigned int i = 0; i < WORLD_REMOTES; i++)
		assert_ok(dp_nexthop_set(dp, WORLD_REMOTE_NEXTHOP(i), &body, &none, &e), &e);
	for (unsigned int i = 0; i < WORLD_VPORTS; i++)
		assert_ok(dp_nexthop_set(dp, WORLD_LOCAL_NEXTHOP(i), &body, &none, &e), &e);
}

static int open_socket(const char *device)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP),
				    .sll_ifindex = if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, bytes = 16 << 20;

	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	assert_int_equal(bind(fd, (void *)&addr, sizeof(addr)), 0);
	return fd;
}

static void begin_thread(uint64_t idle_ns, uint32_t n_frames)
{
	const struct flow_thread_options o = {
		.dp = dp, .far_device = hub.far, .flow_idle_ns = idle_ns, .n_frames = n_frames,
	};
	struct error e = {};

	assert_ok(flow_thread_new(&o, &flows, &e), &e);
}

static int end_thread(void **state)
{
	(void)state;
	flow_thread_free(flows);
	flows = NULL;
	return 0;
}

static int set_up(void **state)
{
	const struct dp_options o = { .dir = DIR_, .n_flows = N_FLOWS };
	struct error e = {};

	if (sandbox_enter(state))
		return -1;
	if (geteuid())
		return 0;
	assert_ok(dp_open(&o, &dp, &e), &e);
	assert_ok(hub_create("mirach", &hub, &e), &e);
	add_port(FAR, hub.far, hub.far_ifindex, PORT_HUB_FAR, DP_HUB_FEED);
	add_port(NEAR, hub.near, hub.near_ifindex, PORT_HUB, DP_HUB_RESUME);
	for (unsigned int i = 0; i < 2; i++) {
		char web[16], guest[16];

		snprintf(web, sizeof(web), "web%u", i);
		snprintf(guest, sizeof(guest), "guest%u", i);
		assert_int_equal(sh("sysctl -qw net.ipv6.conf.default.disable_ipv6=1 2>/dev/null; true"), 0);
		add_port(WORLD_SLOT(i), web, sandbox_veth(web, guest), PORT_VPORT, DP_EGRESS);
		assert_int_equal(sh("ethtool -K %s gro on", guest), 0);	/* NAPI: takes redirected frames */
	}
	all_next_hops_to(WORLD_SLOT(WEB_2));
	from = open_socket("guest0");
	to = open_socket("guest1");
	world_init(&world);
	return 0;
}

static int tear_down(void **state)
{
	struct error e = {};

	(void)state;
	if (geteuid())
		return 0;
	dp_close(dp);
	return dp_teardown(DIR_, &e) || hub_destroy("mirach", &e);
}

static struct flow_table_counts table_counts;

static void read_table(struct flow_table *t, const struct policy *p, void *arg)
{
	(void)p, (void)arg;
	table_counts = flow_table_counts(t);
}

static struct flow_table_counts table(void)
{
	flow_thread_call(flows, read_table, NULL);
	return table_counts;
}

static struct flow_thread_counts counts(void)
{
	struct flow_thread_counts c;

	flow_thread_counts(flows, &c);
	return c;
}

/* @cond comes true within five seconds. */
#define assert_soon(cond)                                                         \
	do {                                                                     \
		uint64_t end_ = clock_now_ns() + 5 * NS_PER_S;                   \
		while (!(cond) && clock_now_ns() < end_)                         \
			usleep(2000);                                            \
		assert_true(cond);                                               \
	} while (0)

/* From web-1 to flow number @i, behind another host. */
static void send_flow(unsigned int i)
{
	char dst[16];
	struct packet_spec s = { .src = "10.0.0.11", .dst = dst, .proto = PROTO_UDP,
				 .sport = 1000, .dport = 9, .payload = 20 };
	uint8_t frame[PACKET_MAX];
	size_t len;

	snprintf(dst, sizeof(dst), "10.9.%u.%u", i >> 8 & 0xff, i & 0xff);
	len = packet_build(&s, frame);
	assert_int_equal(send(from, frame, len, 0), len);
}

/* Frames that reach guest1 until none has come for @quiet_ms, or @want have. */
static unsigned int arrived(unsigned int want, int quiet_ms)
{
	struct pollfd p = { .fd = to, .events = POLLIN };
	uint8_t frame[2048];
	unsigned int n = 0;

	while (n < want && poll(&p, 1, quiet_ms) == 1)
		if (recv(to, frame, sizeof(frame), MSG_DONTWAIT) > 0)
			n++;
	return n;
}

/* Sends flows first..first+n-1, WINDOW on their way at most, and returns how many arrived. */
static unsigned int send_flows(unsigned int first, unsigned int n)
{
	unsigned int got = 0;

	for (unsigned int i = 0; i < n; i++) {
		send_flow(first + i);
		if (i % BURST == 0)
			got += arrived(BURST, 0);
		while (i + 1 - got >= WINDOW) {
			unsigned int more = arrived(BURST, 1000);

			if (!more)
				return got;
			got += more;
		}
	}
	return got + arrived(n - got, 1000);
}

static void use_policy(void)
{
	flow_thread_set_policy(flows, world_policy(&world), NULL);
}

static void first_packet_arrives(void **state)
{
	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	use_policy();
	assert_int_equal(send_flows(0, 1), 1);
	assert_int_equal(counts().misses, 1);
	assert_int_equal(counts().installed, 1);
	assert_int_equal(counts().resumed, 1);
	assert_int_equal(send_flows(0, 1), 1);		/* the fast path's own */
	assert_int_equal(counts().misses, 1);
}

static void flows_outlive_the_thread(void **state)
{
	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	assert_int_equal(table().published, 1);
	assert_int_equal(send_flows(0, 1), 1);
	use_policy();
	assert_int_equal(table().published, 1);
	assert_int_equal(counts().misses, 0);
}

static void every_first_packet_arrives(void **state)
{
	uint64_t start;

	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	use_policy();
	start = clock_now_ns();
	assert_int_equal(send_flows(0, 15000), 15000);
	print_message("# 15000 flows opened in %llu ms, %llu batches\n",
		      (unsigned long long)((clock_now_ns() - start) / NS_PER_MS),
		      (unsigned long long)counts().batches);
	assert_int_equal(table().published, 15000);
	assert_int_equal(counts().hub_overflow, 0);
	assert_int_equal(counts().tx_errors, 0);
}

/* More flows than the table has indices: each add evicts, and graces keep up. */
static void full_table_loses_nothing(void **state)
{
	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	use_policy();
	assert_int_equal(send_flows(15000, 30000), 30000);
	assert_int_equal(table().published, table().capacity);
	assert_true(table().evicted > 0);
	assert_int_equal(table().refused, 0);
	assert_soon(table().retired == 0);
}

static void forbidden_frames_are_counted_by_the_fast_path(void **state)
{
	struct packet_spec s = { .src = "10.0.0.99", .dst = "10.0.0.12", .proto = PROTO_UDP };
	struct drops before, after;
	uint8_t frame[PACKET_MAX];
	size_t len = packet_build(&s, frame);

	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	use_policy();
	dp_drops_read(dp, WORLD_SLOT(WEB_1), &before);
	for (int i = 0; i < 5; i++)
		assert_int_equal(send(from, frame, len, 0), len);
	assert_int_equal(arrived(1, 100), 0);
	dp_drops_read(dp, WORLD_SLOT(WEB_1), &after);
	assert_int_equal(after.count[REASON_SPOOFED_SOURCE] - before.count[REASON_SPOOFED_SOURCE], 5);
	assert_int_equal(counts().installed, 1);
}

struct seen {
	struct flow_key key;
	struct action action;
	uint32_t index;
};

static void look(struct flow_table *t, const struct policy *p, void *arg)
{
	struct seen *seen = arg;

	(void)p;
	seen->index = flow_table_find(t, &seen->key);
	seen->action = flow_table_get(t, seen->index)->action;
}

static uint32_t flow_zero(struct seen *seen)
{
	*seen = (struct seen){
		.key = { .src = packet_addr("10.0.0.11"), .dst = packet_addr("10.9.0.0"),
			 .scope = SCOPE_VPORT | WORLD_SLOT(WEB_1), .proto = PROTO_UDP,
			 .tuple = FLOW_TUPLE_3 },
	};
	flow_thread_call(flows, look, seen);
	return seen->index;
}

/* All flows change at once, more than there are indices to spare. */
static void another_policy_changes_every_flow(void **state)
{
	struct seen seen;
	uint32_t n_changed;

	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	use_policy();
	send_flows(0, 15000);
	assert_true(flow_zero(&seen));
	assert_int_equal(seen.action.verdict, ACTION_FORWARD);
	flow_thread_set_policy(flows, world_policy(&world), &n_changed);
	assert_int_equal(n_changed, 0);

	world.config.n_remotes = RED_WIDE;		/* and everything behind it */
	flow_thread_set_policy(flows, world_policy(&world), &n_changed);
	world_init(&world);
	assert_true(n_changed >= 15000);
	assert_true(flow_zero(&seen));
	assert_int_equal(seen.action.verdict, ACTION_DROP);
	assert_int_equal(seen.action.reason, REASON_NO_ROUTE);
	assert_int_equal(send_flows(0, 100), 0);
	assert_int_equal(counts().misses, 15000);
}

static void idle_flows_age(void **state)
{
	struct flow_stats stats[2];

	(void)state;
	sandbox_need();
	begin_thread(NS_PER_S, 0);			/* adopts what the last test left */
	use_policy();
	assert_soon(table().published == 0 && table().retired == 0);
	assert_int_equal(dp_flow_stats_read(dp, 1, 1, stats), 0);
	assert_int_equal(stats[0].packets, 0);
	assert_int_equal(send_flows(0, 1), 1);
	assert_int_equal(table().published, 1);
	assert_soon(table().published == 0);
}

/* Without a policy misses wait in the ring; what does not fit is counted, once. */
static void ring_overflow_is_counted(void **state)
{
	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 64);
	for (unsigned int i = 0; i < 200; i++)
		send_flow(i);
	assert_soon(counts().hub_overflow == 200 - 64);
	use_policy();
	assert_int_equal(arrived(200, 300), 64);
	assert_int_equal(counts().resumed, 64);
	assert_int_equal(counts().hub_overflow, 200 - 64);
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

static void idle_thread_sleeps(void **state)
{
	uint64_t before, spent;

	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	use_policy();
	send_flows(0, 10000);
	before = cpu_ns();
	usleep(3000000);
	spent = cpu_ns() - before;
	print_message("# %llu us of CPU time in three seconds with 10000 flows\n",
		      (unsigned long long)spent / 1000);
	assert_true(spent < 30 * NS_PER_MS);
}

static void second_socket_is_refused(void **state)
{
	struct flow_thread_options o = { .dp = dp, .far_device = hub.far, .flow_idle_ns = NS_PER_S };
	struct flow_thread *second = NULL;
	struct error e = {};

	(void)state;
	sandbox_need();
	begin_thread(60 * NS_PER_S, 0);
	assert_refused(flow_thread_new(&o, &second, &e), EBUSY, "another", &e);
	o.far_device = "nosuch";
	assert_refused(flow_thread_new(&o, &second, &e), ENODEV, "nosuch", &e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(first_packet_arrives, end_thread),
		cmocka_unit_test_teardown(flows_outlive_the_thread, end_thread),
		cmocka_unit_test_teardown(every_first_packet_arrives, end_thread),
		cmocka_unit_test_teardown(full_table_loses_nothing, end_thread),
		cmocka_unit_test_teardown(forbidden_frames_are_counted_by_the_fast_path, end_thread),
		cmocka_unit_test_teardown(another_policy_changes_every_flow, end_thread),
		cmocka_unit_test_teardown(idle_flows_age, end_thread),
		cmocka_unit_test_teardown(ring_overflow_is_counted, end_thread),
		cmocka_unit_test_teardown(idle_thread_sleeps, end_thread),
		cmocka_unit_test_teardown(second_socket_is_refused, end_thread),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
