// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_dp_maps.c - what the agent writes is what the fast path will find
 *
 * The maps are looked at through their pins, as the fast path's own counters
 * are written there: by somebody who is not dp.c.
 */
#include "dp_test.h"

#include <arpa/inet.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>

static struct dp *dp;

static int map_fd(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), DP_TEST_DIR "/maps/%s", name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

/* Port slot that the fast path finds for @ifindex, 0 = none. */
static uint32_t slot_of(uint32_t ifindex)
{
	uint32_t key = ifindex & (PORT_INDEX_BUCKETS - 1);
	int fd = map_fd("port_index");
	struct port_bucket bucket;
	unsigned int i;

	assert_int_equal(bpf_map_lookup_elem(fd, &key, &bucket), 0);
	close(fd);
	for (i = 0; i < PORT_BUCKET_SLOTS; i++)
		if (bucket.slot[i] >> 32 == ifindex)
			return bucket.slot[i];
	return 0;
}

/* Device that a redirect to @slot goes to, 0 = none. */
static uint32_t device_of(uint32_t slot)
{
	int fd = map_fd("port_devs");
	uint32_t ifindex = 0;

	if (bpf_map_lookup_elem(fd, &slot, &ifindex))
		ifindex = 0;
	close(fd);
	return ifindex;
}

static void set_port(uint32_t slot, uint32_t ifindex, const char *name)
{
	struct port port = { .ifindex = ifindex, .kind = PORT_VPORT, .vni = 100 + slot };
	struct error e = {};

	snprintf(port.name, sizeof(port.name), "%s", name);
	assert_ok(dp_port_set(dp, slot, &port, &e), &e);
	assert_memory_equal(&dp_ports(dp)[slot], &port, sizeof(port));
}

static void clear_port(uint32_t slot)
{
	static const struct port none;
	struct error e = {};

	assert_ok(dp_port_clear(dp, slot, &e), &e);
	assert_memory_equal(&dp_ports(dp)[slot], &none, sizeof(none));
	assert_int_equal(device_of(slot), 0);
}

static void ports(void **state)
{
	struct error e = {};
	struct port port = {};
	int a, b;

	(void)state;
	sandbox_need();
	a = sandbox_veth("va", "vb");
	b = if_nametoindex("vb");
	set_port(1, a, "one");
	assert_int_equal(slot_of(a), 1);
	assert_int_equal(device_of(1), a);
	set_port(1, a, "one-renamed");
	assert_int_equal(slot_of(a), 1);
	set_port(1, 0, "one");				/* away */
	assert_int_equal(slot_of(a), 0);
	assert_int_equal(device_of(1), 0);
	set_port(1, b, "one");				/* back as another device */
	assert_int_equal(slot_of(b), 1);
	clear_port(1);
	assert_int_equal(slot_of(b), 0);
	clear_port(1);
	assert_refused(dp_port_set(dp, 0, &port, &e), EINVAL, "port slot 0", &e);
	assert_refused(dp_port_set(dp, PORT_MAX, &port, &e), EINVAL, "port slot 4096", &e);
	port.ifindex = 99999;
	assert_refused(dp_port_set(dp, 1, &port, &e), EINVAL, "99999", &e);
	assert_int_equal(slot_of(99999), 0);
	clear_port(1);
	sandbox_veth_del("va");
}

/* A device goes over to another port before its old port hears of it. */
/* The members of a bond lead to its port as long as they are listed, and no longer than the port. */
static void port_members(void **state)
{
	const int two[] = { 7001, 7002 }, one[] = { 7002 };
	struct error e = {};
	int a, b;

	(void)state;
	sandbox_need();
	a = sandbox_veth("bond", "other");
	b = if_nametoindex("other");
	set_port(1, a, "bond");
	set_port(2, b, "other");
	assert_ok(dp_port_members(dp, 1, two, 2, &e), &e);
	assert_int_equal(slot_of(7001), 1);
	assert_int_equal(slot_of(7002), 1);
	assert_int_equal(slot_of(a), 1);
	assert_ok(dp_port_members(dp, 1, one, 1, &e), &e);
	assert_int_equal(slot_of(7001), 0);
	assert_int_equal(slot_of(7002), 1);
	assert_int_equal(slot_of(a), 1);
	assert_int_equal(slot_of(b), 2);
	assert_refused(dp_port_members(dp, 0, one, 1, &e), EINVAL, "port slot 0", &e);
	clear_port(1);
	assert_int_equal(slot_of(7002), 0);
	assert_int_equal(slot_of(b), 2);
	clear_port(2);
}

static void port_handover(void **state)
{
	int a;

	(void)state;
	sandbox_need();
	a = sandbox_veth("va", "vb");
	set_port(1, a, "one");
	set_port(2, a, "two");
	set_port(1, 0, "one");
	assert_int_equal(slot_of(a), 2);
	assert_int_equal(device_of(2), a);
	clear_port(1);
	assert_int_equal(slot_of(a), 2);
	clear_port(2);
	sandbox_veth_del("va");
}

static void port_bucket_overflow(void **state)
{
	struct error e = {};
	struct port port = {};
	uint32_t i, ifindex;

	(void)state;
	sandbox_need();
	for (i = 0; i <= PORT_BUCKET_SLOTS; i++) {
		ifindex = 5000 + i * PORT_INDEX_BUCKETS;
		assert_int_equal(sh("ip link add d%u index %u type veth peer name e%u", i, ifindex,
				    i), 0);
		port.ifindex = ifindex;
		if (i < PORT_BUCKET_SLOTS)
			assert_ok(dp_port_set(dp, i + 1, &port, &e), &e);
		else
			assert_refused(dp_port_set(dp, i + 1, &port, &e), ENOSPC, "no room", &e);
	}
	clear_port(3);
	assert_ok(dp_port_set(dp, i, &port, &e), &e);
	assert_int_equal(slot_of(port.ifindex), i);
	for (i = 0; i <= PORT_BUCKET_SLOTS; i++) {
		clear_port(i + 1);
		sandbox_veth_del((char[]){ 'd', '0' + i, 0 });
	}
}

static void nexthops(void **state)
{
	struct nexthop_body one = { .kind = NEXTHOP_LOCAL, .port = 1 };
	struct nexthop_body two = { .kind = NEXTHOP_TUNNEL, .port = 2 };
	struct ip_addr remote = {};
	const struct nexthop *nh;
	struct error e = {};
	uint32_t n, active;

	(void)state;
	sandbox_need();
	ip_addr_set_v4(&remote, 0x010200c0);
	nh = &dp_nexthops(dp, &n)[7];
	assert_int_equal(n, 16384);
	assert_ok(dp_nexthop_set(dp, 7, &one, &remote, &e), &e);
	active = nh->active;
	assert_memory_equal(&nh->body[active & 1], &one, sizeof(one));
	assert_ok(dp_nexthop_set(dp, 7, &two, &remote, &e), &e);
	assert_int_equal(nh->active & 1, !(active & 1));
	assert_memory_equal(&nh->body[nh->active & 1], &two, sizeof(two));
	assert_memory_equal(&nh->body[active & 1], &one, sizeof(one));	/* for readers under way */
	active = nh->active;
	assert_ok(dp_nexthop_set(dp, 7, &two, &remote, &e), &e);	/* nothing new: no flip */
	assert_int_equal(nh->active, active);
	assert_true(ip_addr_equal(&nh->remote, &remote));
	assert_refused(dp_nexthop_set(dp, 0, &one, &remote, &e), EINVAL, "next hop 0", &e);
	assert_refused(dp_nexthop_set(dp, n, &one, &remote, &e), EINVAL, "next hop", &e);
}

static void count_neighbour(const struct neighbour_key *key, const struct neighbour *n, void *arg)
{
	assert_int_equal(key->vni, 100);
	assert_int_equal(n->port, ntohl(key->addr.w[3]) & 0xff);
	++*(unsigned int *)arg;
}

static void neighbours(void **state)
{
	struct neighbour_key key = { .vni = 100 };
	struct neighbour n = { .mac = { 2 } };
	struct error e = {};
	unsigned int i, count = 0;

	(void)state;
	sandbox_need();
	for (i = 1; i <= 40; i++) {
		ip_addr_set_v4(&key.addr, htonl(0x0a000000 + i));
		n.port = i;
		assert_ok(dp_neighbour_set(dp, &key, &n, &e), &e);
		assert_ok(dp_neighbour_set(dp, &key, &n, &e), &e);
	}
	assert_int_equal(dp_neighbour_each(dp, count_neighbour, &count), 0);
	assert_int_equal(count, 40);
	for (i = 1; i <= 40; i++) {
		ip_addr_set_v4(&key.addr, htonl(0x0a000000 + i));
		assert_int_equal(dp_neighbour_del(dp, &key), 0);
	}
	assert_int_equal(dp_neighbour_del(dp, &key), -ENOENT);
	count = 0;
	assert_int_equal(dp_neighbour_each(dp, count_neighbour, &count), 0);
	assert_int_equal(count, 0);
}

/* Writes @value on the first CPU and twice of it, word by word, on every other. */
static void write_copies(const char *map, uint32_t key, const uint64_t *value, size_t words)
{
	int n_cpus = libbpf_num_possible_cpus(), fd = map_fd(map), cpu;
	uint64_t *copies = calloc(n_cpus, words * sizeof(*copies));
	size_t i;

	assert_non_null(copies);
	for (cpu = 0; cpu < n_cpus; cpu++)
		for (i = 0; i < words; i++)
			copies[cpu * words + i] = value[i] * (cpu ? 2 : 1);
	assert_int_equal(bpf_map_update_elem(fd, &key, copies, BPF_ANY), 0);
	free(copies);
	close(fd);
}

static void counters(void **state)
{
	struct usage usage = { .in = 5, .delivered_bytes = 7 };
	struct drops drops = { .count = { [3] = 11, [REASON_MAX - 1] = 13 } };
	uint64_t times = 2 * libbpf_num_possible_cpus() - 1;

	(void)state;
	sandbox_need();
	write_copies("usage", 9, (uint64_t *)&usage, sizeof(usage) / 8);
	write_copies("drops", 9, (uint64_t *)&drops, sizeof(drops) / 8);
	assert_int_equal(dp_usage_read(dp, 9, &usage), 0);
	assert_int_equal(usage.in, 5 * times);
	assert_int_equal(usage.out, 0);
	assert_int_equal(usage.delivered_bytes, 7 * times);
	assert_int_equal(dp_drops_read(dp, 9, &drops), 0);
	assert_int_equal(drops.count[3], 11 * times);
	assert_int_equal(drops.count[REASON_MAX - 1], 13 * times);
	assert_int_equal(dp_counters_clear(dp, 9), 0);
	assert_int_equal(dp_usage_read(dp, 9, &usage), 0);
	assert_int_equal(dp_drops_read(dp, 9, &drops), 0);
	assert_int_equal(usage.in + usage.delivered_bytes + drops.count[3], 0);
	assert_true(dp_usage_read(dp, PORT_MAX, &usage) < 0);
}

static void flow_stats(void **state)
{
	const struct flow_stats one = { .packets = 3, .bytes = 300 };
	const uint32_t marked[] = { 0, 1, 500, DP_TEST_FLOWS };
	uint64_t times = 2 * libbpf_num_possible_cpus() - 1, sum = 0;
	struct flow_stats *all = calloc(DP_TEST_FLOWS + 1, sizeof(*all));
	unsigned int i;

	(void)state;
	sandbox_need();
	for (i = 0; i < 4; i++)
		write_copies("flow_stats", marked[i], (const uint64_t *)&one, 2);
	assert_int_equal(dp_flow_stats_read(dp, 0, DP_TEST_FLOWS + 1, all), 0);
	for (i = 0; i <= DP_TEST_FLOWS; i++)
		sum += all[i].packets;
	assert_int_equal(sum, 4 * 3 * times);
	for (i = 0; i < 4; i++)
		assert_int_equal(all[marked[i]].bytes, 300 * times);
	assert_int_equal(dp_flow_stats_read(dp, 500, 2, all), 0);	/* from the middle */
	assert_int_equal(all[0].packets, 3 * times);
	assert_int_equal(all[1].packets, 0);
	assert_int_equal(dp_flow_stats_read(dp, DP_TEST_FLOWS, 1, all), 0);
	assert_int_equal(all[0].packets, 3 * times);
	assert_int_equal(dp_flow_stats_read(dp, 1, 0, all), 0);
	assert_int_equal(dp_flow_stats_read(dp, DP_TEST_FLOWS, 2, all), -EINVAL);
	assert_int_equal(dp_flow_stats_clear(dp, 500), 0);
	assert_int_equal(dp_flow_stats_read(dp, 500, 1, all), 0);
	assert_int_equal(all[0].packets, 0);
	free(all);
}

static void samples(void **state)
{
	(void)state;
	sandbox_need();
	assert_true(dp_samples_fd(dp) >= 0);
	assert_int_equal(dp_samples_drain(dp, NULL, NULL), 0);
}

static void hub_sockets(void **state)
{
	int no_socket = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct error e = {};

	(void)state;
	sandbox_need();
	assert_refused(dp_hub_socket_set(dp, 0, no_socket, &e), ENOTSOCK, "hub 0", &e);
	close(no_socket);
}

static int enter(void **state)
{
	if (sandbox_enter(state))
		return -1;
	if (!geteuid())
		dp = dp_test_open();
	return 0;
}

static int leave(void **state)
{
	(void)state;
	dp_close(dp);
	return geteuid() ? 0 : dp_teardown(DP_TEST_DIR, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports),
		cmocka_unit_test(port_members),
		cmocka_unit_test(port_handover),
		cmocka_unit_test(port_bucket_overflow),
		cmocka_unit_test(nexthops),
		cmocka_unit_test(neighbours),
		cmocka_unit_test(counters),
		cmocka_unit_test(flow_stats),
		cmocka_unit_test(samples),
		cmocka_unit_test(hub_sockets),
	};

	return cmocka_run_group_tests(tests, enter, leave);
}
