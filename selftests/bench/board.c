// SPDX-License-Identifier: BSD-2-Clause
/*
 * board.c - a hoverboard's table, filled: what it costs, and for others to drive
 *
 *	board memory N                 kernel memory per endpoint, and how fast they load
 *	board load DIR FLOWS CAPACITY N HOSTS
 *
 * `load` adopts the datapath under DIR, whose agent has ended, and publishes N endpoints of
 * VNI 100 from 10.0.0.0 on, spread over the HOSTS hosts from 10.200.0.1 on, and the sender
 * 11.0.0.1 of host 192.0.2.1. Hosts must have next hops there.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <agent/dp.h>
#include <agent/endpoint_table.h>
#include <lib/clock.h>
#include <mirach/wire.h>

#define VNI 100u

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "board: %s\n", what);
	exit(1);
}

static uint64_t available(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "MemAvailable: %llu", &kib);
	if (f)
		fclose(f);
	return kib * 1024;
}

static struct ip_addr v4(uint32_t host_order)
{
	struct ip_addr a;

	ip_addr_set_v4(&a, wire32(host_order));
	return a;
}

static void put(struct endpoint_table *t, uint32_t addr, uint16_t nexthop)
{
	const struct endpoint_to to = { .nexthop = nexthop, .mac = { 2, 0, addr >> 16, addr >> 8, addr } };
	const struct ip_addr a = v4(addr);
	struct endpoint_to old;

	if (endpoint_table_put(t, VNI, &a, &to, &old))
		die("no room for an endpoint");
}

static void open_table(struct dp *dp, struct endpoint_table *t)
{
	const struct abi_record *abi = dp_abi(dp);

	if (endpoint_table_init(t, dp_endpoint_index(dp), dp_endpoints(dp), abi->n_endpoints, abi->secret))
		die("no memory");
}

static uint64_t maps_bytes(uint32_t n)
{
	const struct dp_options o = { .dir = "/sys/fs/bpf/mirach-board", .n_flows = 1024,
				      .n_endpoints = n };
	struct error e = {};
	struct dp *dp;
	uint64_t bytes;

	if (dp_open(&o, &dp, &e))
		die(e.text);
	bytes = dp_memory_bytes(dp);
	dp_close(dp);
	dp_teardown(o.dir, &e);
	return bytes;
}

static int cmd_memory(uint32_t n)
{
	const struct dp_options o = { .dir = "/sys/fs/bpf/mirach-board", .n_flows = 1024,
				      .n_endpoints = n };
	uint64_t empty, before, begin, ns;
	struct endpoint_table t;
	struct error e = {};
	struct dp *dp;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		die("needs root");
	empty = maps_bytes(0);
	sleep(1);
	before = available();
	if (dp_open(&o, &dp, &e))
		die(e.text);
	open_table(dp, &t);
	begin = clock_now_ns();
	for (uint32_t i = 0; i < n; i++)
		put(&t, 0x0a000000 + i, 1 + i % 1000);
	ns = clock_now_ns() - begin;
	printf("board/memory/maps %.1f\n", (double)(dp_memory_bytes(dp) - empty) / n);
	printf("board/memory/available %.1f\n", ((double)before - available()) / n);
	printf("board/load/ns %.0f\n", (double)ns / n);
	endpoint_table_done(&t);
	dp_close(dp);
	dp_teardown(o.dir, &e);
	return 0;
}

static uint16_t nexthop_of(const struct nexthop *map, uint32_t n, uint32_t host)
{
	const struct ip_addr addr = v4(host);

	for (uint32_t i = 1; i < n; i++)
		if (!map[i].set && ip_addr_equal(&map[i].remote, &addr))
			return i;
	die("a host has no next hop");
}

static int cmd_load(char **argv)
{
	uint32_t flows = strtoul(argv[1], NULL, 0), n = strtoul(argv[3], NULL, 0), n_nexthops;
	uint32_t n_hosts = strtoul(argv[4], NULL, 0);
	const struct dp_options o = { .dir = argv[0], .n_flows = flows + flows / 7,
				      .n_endpoints = strtoul(argv[2], NULL, 0) };
	uint16_t *ids = calloc(n_hosts, sizeof(*ids));
	const struct nexthop *nexthops;
	struct endpoint_table t;
	struct error e = {};
	struct dp *dp;

	if (!ids || dp_open(&o, &dp, &e))
		die(e.text);
	nexthops = dp_nexthops(dp, &n_nexthops);
	open_table(dp, &t);
	for (uint32_t i = 0; i < n_hosts; i++)
		ids[i] = nexthop_of(nexthops, n_nexthops, 0x0ac80001 + i);
	for (uint32_t i = 0; i < n; i++)
		put(&t, 0x0a000000 + i, ids[i % n_hosts]);
	put(&t, 0x0b000001, nexthop_of(nexthops, n_nexthops, 0xc0000201));
	endpoint_table_done(&t);
	dp_close(dp);
	free(ids);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "memory"))
		return cmd_memory(strtoul(argv[2], NULL, 0));
	if (argc == 7 && !strcmp(argv[1], "load"))
		return cmd_load(argv + 2);
	fprintf(stderr, "usage: board memory N | board load DIR FLOWS CAPACITY N HOSTS\n");
	return 2;
}
