// SPDX-License-Identifier: BSD-2-Clause
/*
 * testrun.c - nanoseconds per packet of each program, by test run
 *
 *	testrun [--rounds N] [--repeat N] [--cpu N] [--flows N[,N...]] [--only TEXT]
 *
 * For every number of flows: a host (world.h) with that many flows for each kind
 * of packet, the floor with as many, and rounds in which every program gets its turn,
 * so that whatever the machine does to one it does to all. feed.bpf.c makes
 * every packet fresh and of another flow; what it costs itself is measured with
 * nothing behind it, in the same round. Prints samples, one a line:
 *
 *	testrun/DIRECTION/KIND/FLOWS/PROGRAM  nanoseconds
 *
 * A sample is (feed + program) - (feed + empty) + empty alone: what the kernel
 * would print for the program on one packet if it could be repeated. Each run must
 * end in a redirect, and Mirach's own books must show every packet forwarded.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "floor.h"
#include "world.h"

#include <agent/template.h>
#include <selftests/packet.h>

#include "bench_feed.skel.h"
#include "bench_floor.skel.h"

#define XDP_REDIRECT_VERDICT 4
#define XDP_PASS_VERDICT 2
#define PAYLOAD 22			/* makes an IPv4 frame of 64 bytes */
#define PLAN_WORD 8

/* A row of the table: packets of one kind, and the program they are for. */
struct row {
	const char *name;		/* DIRECTION/KIND */
	const char *program;
	struct world_kind kind;		/* tuple 0: the floor */
	struct world world;		/* of its own: no row's memory burdens another */
	struct bench_feed *feed;	/* made for this row's packets */
	uint8_t packet[PACKET_MAX];
	size_t len;
};

static struct row rows[] = {
	{ "egress/ipv4-vxlan", "floor", .kind = { WORLD_VPORT, WORLD_BY_VXLAN, false, 0 } },
	{ "egress/ipv4-vxlan", "mirach", .kind = { WORLD_VPORT, WORLD_BY_VXLAN, false, FLOW_TUPLE_3 } },
	{ "egress/ipv6-vxlan", "mirach", .kind = { WORLD_VPORT, WORLD_BY_VXLAN, true, FLOW_TUPLE_3 } },
	{ "egress/ipv4-geneve", "mirach", .kind = { WORLD_VPORT, WORLD_BY_GENEVE, false, FLOW_TUPLE_3 } },
	{ "egress/ipv4-vxlan-5tuple", "mirach",
	  .kind = { WORLD_VPORT, WORLD_BY_VXLAN, false, FLOW_TUPLE_5 } },
	{ "ingress/ipv4-vxlan", "floor", .kind = { WORLD_UPLINK_VXLAN, WORLD_TO_GUEST, false, 0 } },
	{ "ingress/ipv4-vxlan", "floor-lookup",
	  .kind = { WORLD_UPLINK_VXLAN, WORLD_TO_GUEST, false, 0 } },
	{ "ingress/ipv4-vxlan", "mirach",
	  .kind = { WORLD_UPLINK_VXLAN, WORLD_TO_GUEST, false, FLOW_TUPLE_3 } },
	{ "ingress/ipv6-vxlan", "mirach",
	  .kind = { WORLD_UPLINK_VXLAN, WORLD_TO_GUEST, true, FLOW_TUPLE_3 } },
	{ "ingress/ipv4-geneve", "mirach",
	  .kind = { WORLD_UPLINK_GENEVE, WORLD_TO_GUEST, false, FLOW_TUPLE_3 } },
};
#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static unsigned int repeat = 200000;
static const char *only = "";		/* rows with this in their name */
static struct bench_floor *floor_skel;

static void die(int err, const char *what)
{
	fprintf(stderr, "testrun: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static bool is_floor(const struct row *row)
{
	return !row->kind.tuple;
}

/* The first row to measure after @row; NULL: from the beginning, or none left. */
static struct row *next_row(struct row *row)
{
	for (row = row ? row + 1 : rows; row < rows + N_ROWS; row++)
		if (strstr(row->name, only))
			return row;
	return NULL;
}

static void make_packet(struct row *row)
{
	const struct world_kind *kind = &row->kind;
	const char *here = kind->ipv6 ? "fd00::11" : "10.0.0.11";
	const char *there = kind->ipv6 ? "fd00:2::" : "10.128.0.0";
	bool out = kind->port == WORLD_VPORT;
	const struct packet_spec inner = {
		.src = out ? here : there,
		.dst = out ? there : here,
		.proto = PROTO_UDP,
		.sport = 1000,
		.dport = 2000,
		.payload = PAYLOAD,
	};
	const struct packet_outer outer = {
		.src = "192.0.2.2",
		.dst = "192.0.2.1",
		.tunnel = kind->port == WORLD_UPLINK_GENEVE ? TUNNEL_GENEVE : TUNNEL_VXLAN,
		.vni = WORLD_VNI,
	};
	uint8_t frame[PACKET_MAX];

	row->len = packet_build(&inner, out ? row->packet : frame);
	if (!out)
		row->len = packet_encapsulate(&outer, frame, row->len, row->packet);
}

/* Offset of the word that names the flow: the last of the remote instance's address. */
static uint32_t vary_offset(const struct world_kind *kind)
{
	bool out = kind->port == WORLD_VPORT;
	uint32_t l3 = 14 + (out ? 0 : 14 + 20 + 8 + 8);

	if (kind->ipv6)
		return l3 + (out ? 24 : 8) + 12;
	return l3 + (out ? 16 : 12);
}

static void make_feed(struct row *row, uint32_t n_flows)
{
	struct feed_plan plan = {
		.frame_len = row->len,
		.vary = vary_offset(&row->kind),
		.base = row->kind.ipv6 ? 0 : WORLD_REMOTE_V4,
		.n_flows = n_flows,
	};
	int err;

	plan.words = (plan.vary + sizeof(__be32) + PLAN_WORD) / PLAN_WORD;
	memcpy(plan.head, row->packet, FEED_HEAD_MAX);
	row->feed = bench_feed__open();
	if (!row->feed)
		die(errno, "feed");
	memcpy((void *)&row->feed->rodata->plan, &plan, sizeof(plan));
	err = bench_feed__load(row->feed);
	if (err)
		die(err, "feed");
}

static void put_floor(const struct floor_key *key, uint32_t device)
{
	if (bpf_map_update_elem(bpf_map__fd(floor_skel->maps.floor_flows), key, &device, BPF_ANY))
		die(errno, "floor flows");
}

static void fill_floor(uint32_t n_flows)
{
	const __be32 here = packet_addr("10.0.0.11").w[3];
	struct floor_key out = { .src = here, .proto = PROTO_UDP };
	struct floor_key in = { .dst = here, .proto = PROTO_UDP };

	in.sport = out.sport = wire16(1000);
	in.dport = out.dport = wire16(2000);
	for (uint32_t i = 0; i < n_flows; i++) {
		out.dst = in.src = wire32(WORLD_REMOTE_V4 + i);
		put_floor(&out, FLOOR_FABRIC);
		put_floor(&in, FLOOR_GUEST);
	}
}

static void open_floor(void)
{
	const struct tunnel_spec spec = {
		.tunnel = TUNNEL_VXLAN,
		.udp_port = VXLAN_PORT,
		.local = packet_addr("192.0.2.1"),
		.remote = packet_addr("192.0.2.2"),
	};
	struct nexthop_body body;
	uint32_t device = 1;
	int err;

	floor_skel = bench_floor__open();
	if (!floor_skel || template_tunnel(&spec, &body))
		die(EINVAL, "floor");
	memcpy((void *)&floor_skel->rodata->template, body.header, FLOOR_HEADER_LEN);
	floor_skel->rodata->template.ip_sum = body.ip_sum;
	err = bench_floor__load(floor_skel);
	if (err)
		die(err, "floor");
	for (uint32_t key = 0; key < FLOOR_DEVICES; key++)
		if (bpf_map_update_elem(bpf_map__fd(floor_skel->maps.floor_devs), &key, &device, BPF_ANY))
			die(errno, "floor devices");
}

static double run(int prog_fd, const struct row *row, unsigned int verdict)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = row->packet, .data_size_in = row->len,
		    .repeat = repeat);

	if (bpf_prog_test_run_opts(prog_fd, &opts))
		die(errno, "test run");
	if (opts.retval != verdict) {
		fprintf(stderr, "testrun: %s %s: verdict %u instead of %u\n", row->name, row->program,
			opts.retval, verdict);
		exit(1);
	}
	return opts.duration;
}

/* The feed with the program @fd behind it. */
static double run_behind_feed(struct row *row, int fd, unsigned int verdict)
{
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(row->feed->maps.under_test), &zero, &fd, BPF_ANY))
		die(errno, "tail call");
	return run(bpf_program__fd(row->feed->progs.feed), row, verdict);
}

static double run_mirach(struct row *row)
{
	struct world *w = &row->world;
	uint64_t before = world_forwarded(w, row->kind.port);
	double ns;

	ns = run_behind_feed(row, world_program(w, row->kind.port), XDP_REDIRECT_VERDICT);
	if (world_forwarded(w, row->kind.port) - before != repeat) {
		fprintf(stderr, "testrun: %s: %llu of %u packets forwarded\n", row->name,
			(unsigned long long)(world_forwarded(w, row->kind.port) - before), repeat);
		exit(1);
	}
	return ns;
}

static double run_floor(struct row *row)
{
	struct bpf_program *prog = floor_skel->progs.floor_egress;

	if (row->kind.port != WORLD_VPORT)
		prog = strcmp(row->program, "floor") ? floor_skel->progs.floor_deliver :
						       floor_skel->progs.floor_ingress;
	return run_behind_feed(row, bpf_program__fd(prog), XDP_REDIRECT_VERDICT);
}

static void one_round(uint32_t n_flows)
{
	int empty = bpf_program__fd(floor_skel->progs.floor_empty);

	for (struct row *row = next_row(NULL); row; row = next_row(row)) {
		double alone = run(empty, row, XDP_PASS_VERDICT);
		double fed = run_behind_feed(row, empty, XDP_PASS_VERDICT);
		double ns = is_floor(row) ? run_floor(row) : run_mirach(row);

		printf("testrun/%s/%u/%s %.1f\n", row->name, n_flows, row->program, ns - fed + alone);
		if (row == next_row(NULL))
			printf("testrun/empty/any/%u/empty %.1f\n", n_flows, alone);
	}
	fflush(stdout);
}

static void open_row(struct row *row, uint32_t n_flows)
{
	make_packet(row);
	make_feed(row, n_flows);
	if (is_floor(row))
		return;
	if (world_open(n_flows, &row->world) || world_fill(&row->world, &row->kind, n_flows) ||
	    world_enter(&row->world, row->kind.port))
		exit(1);
}

static void close_row(struct row *row)
{
	bench_feed__destroy(row->feed);
	if (!is_floor(row))
		world_close(&row->world);
}

static void measure(uint32_t n_flows, unsigned int rounds)
{
	for (struct row *row = next_row(NULL); row; row = next_row(row))
		open_row(row, n_flows);
	fill_floor(n_flows);
	for (unsigned int i = 0; i < rounds; i++)
		one_round(n_flows);
	for (struct row *row = next_row(NULL); row; row = next_row(row))
		close_row(row);
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die(errno, "cannot choose the CPU");
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' }, { "repeat", required_argument, NULL, 'n' },
		{ "cpu", required_argument, NULL, 'c' },    { "flows", required_argument, NULL, 'f' },
		{ "only", required_argument, NULL, 'o' },   {},
	};
	char all[] = "1,1000,1000000", *flows = all;
	unsigned int rounds = 11;
	int o;

	while ((o = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (o == 'r')
			rounds = strtoul(optarg, NULL, 0);
		else if (o == 'n')
			repeat = strtoul(optarg, NULL, 0);
		else if (o == 'c')
			pin_to(strtol(optarg, NULL, 0));
		else if (o == 'f')
			flows = optarg;
		else if (o == 'o')
			only = optarg;
		else
			return 2;
	}
	open_floor();
	for (char *n = strtok(flows, ","); n; n = strtok(NULL, ","))
		measure(strtoul(n, NULL, 0), rounds);
	bench_floor__destroy(floor_skel);
	return 0;
}
