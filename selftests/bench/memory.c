// SPDX-License-Identifier: BSD-2-Clause
/*
 * memory.c - kernel memory per flow, with a full table
 *
 *	memory [FLOWS]
 *
 * Opens the datapath as the agent does, in a mount namespace of its own, installs
 * so many flows (a million) and prints what they cost, two ways: what the kernel
 * accounts to the maps, and how much less memory the machine has available.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agent/dp.h>
#include <agent/flow_table.h>
#include <lib/clock.h>
#include <mirach/wire.h>

#define RESERVE_SHARE 7u		/* the flow table keeps an eighth of its indices back */

static void die(const char *what)
{
	fprintf(stderr, "memory: %s\n", what);
	exit(1);
}

static uint64_t meminfo(const char *field)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, field, strlen(field)) && line[strlen(field)] == ':')
			sscanf(line + strlen(field) + 1, "%llu", &kib);
	if (f)
		fclose(f);
	return kib * 1024;
}

static void fill(struct dp *dp, uint32_t n)
{
	const struct abi_record *abi = dp_abi(dp);
	const struct flow_table_memory m = { dp_flow_index(dp), dp_flows(dp), abi->n_buckets,
					     abi->n_flows, abi->secret };
	struct flow_key key = { .scope = SCOPE_VPORT | 1, .proto = PROTO_UDP, .tuple = FLOW_TUPLE_3 };
	struct action action = { .verdict = ACTION_FORWARD, .nexthop = 1 };
	struct flow_table *table;
	uint32_t evicted = 0;

	if (flow_table_new(&m, clock_now_ns(), &table))
		die("no memory for the flow table");
	ip_addr_set_v4(&key.src, wire32(0x0a00000b));
	for (uint32_t i = 0; i < n; i++) {
		ip_addr_set_v4(&key.dst, wire32(0x0a800000 + i));
		if (flow_table_add(table, &key, &action, clock_now_ns(), &evicted) < 0 || evicted)
			die("flow table is full");
	}
	flow_table_free(table);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	const struct dp_options o = { .dir = "/sys/fs/bpf/mirach-bench", .n_flows = n + n / RESERVE_SHARE };
	uint64_t available, slab, percpu;
	struct error e = {};
	struct dp *dp;

	if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL))
		die("needs root");
	available = meminfo("MemAvailable");
	slab = meminfo("Slab");
	percpu = meminfo("Percpu");
	if (dp_open(&o, &dp, &e))
		die(e.text);
	fill(dp, n);
	printf("memory/maps %.1f\n", (double)dp_memory_bytes(dp) / n);
	printf("memory/available %.1f\n", ((double)available - meminfo("MemAvailable")) / n);
	printf("memory/slab %.1f\n", ((double)meminfo("Slab") - slab) / n);
	printf("memory/percpu %.1f\n", ((double)meminfo("Percpu") - percpu) / n);
	dp_close(dp);
	return dp_teardown(o.dir, &e) ? 1 : 0;
}
