// SPDX-License-Identifier: BSD-2-Clause
/*
 * pump.c - packet generator, counting sink, and the floor on real devices
 *
 *	pump sink NETNS DEVICE PIN             counts and drops what arrives
 *	pump sink-stack NETNS DEVICE PIN       the same where the stack takes frames in
 *	pump bystander NETNS DEVICE            lets everything pass
 *	pump bare NETNS FROM TO                redirects FROM's frames to TO
 *	pump floor NETNS GUEST UPLINK LOCAL REMOTE SMAC DMAC SRC DST
 *	pump send PIN COUNT LEN FLOWS RATE SENDER...
 *	        SENDER is CPU,NETNS,DEVICE,SMAC,DMAC,SRC,DST[,VNI,OUTER-SRC,OUTER-DST]
 *
 * The generator is feed.bpf.c in test runs with live frames: the kernel runs it
 * as if a frame had come in on the guest's device, and its XDP_TX sends the frame
 * out of there at once, into the host's end of the veth pair. The work of hosts
 * and sink follows in the same CPU's softirq, so one sender is one core. With
 * FLOWS above 1 every frame has the next pair of ports, or in VXLAN a destination drawn from
 * the FLOWS addresses behind DST (both IPv4); RATE 0 is flat out, else
 * frames per second and sender. Prints: sent N arrived N seconds S.
 *
 * Programs stay on their devices when pump ends.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "feed.h"
#include "floor.h"

#include <agent/template.h>
#include <lib/clock.h>
#include <selftests/packet.h>

#include "bench_feed.skel.h"
#include "bench_floor.skel.h"
#include "bench_sink.skel.h"

#define BATCH 64
#define PACED_RUN 4000000u		/* runs of the generator at a time, most of which wait */
#define SPORT 1000
#define DPORT 2000
#define SENDERS_MAX 8

static void __attribute__((noreturn)) die(int err, const char *what)
{
	fprintf(stderr, "pump: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static void enter(const char *netns)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(errno, path);
	close(fd);
}

static int device(const char *name)
{
	int ifindex = if_nametoindex(name);

	if (!ifindex)
		die(errno, name);
	return ifindex;
}

static void attach(const char *name, const struct bpf_program *prog)
{
	int err = bpf_xdp_attach(device(name), bpf_program__fd(prog), XDP_FLAGS_DRV_MODE, NULL);

	if (err)
		die(err, name);
}

static void put(const struct bpf_map *map, uint32_t key, uint32_t value)
{
	if (bpf_map_update_elem(bpf_map__fd(map), &key, &value, BPF_ANY))
		die(errno, bpf_map__name(map));
}

static int cmd_sink(char **argv)
{
	struct bench_sink *skel = bench_sink__open_and_load();

	if (!skel)
		die(errno, "sink");
	enter(argv[0]);
	attach(argv[1], skel->progs.sink);
	if (bpf_map__pin(skel->maps.arrived, argv[2]))
		die(errno, argv[2]);
	return 0;
}

static int cmd_sink_stack(char **argv)
{
	struct bench_sink *skel = bench_sink__open_and_load();
	LIBBPF_OPTS(bpf_tc_hook, hook, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = 1, .priority = 1);

	if (!skel)
		die(errno, "sink");
	enter(argv[0]);
	hook.ifindex = device(argv[1]);
	opts.prog_fd = bpf_program__fd(skel->progs.sink_stack);
	if (bpf_tc_hook_create(&hook) || bpf_tc_attach(&hook, &opts))
		die(errno, argv[1]);
	if (bpf_map__pin(skel->maps.arrived, argv[2]))
		die(errno, argv[2]);
	return 0;
}

static int cmd_bystander(char **argv)
{
	struct bench_sink *skel = bench_sink__open_and_load();

	if (!skel)
		die(errno, "bystander");
	enter(argv[0]);
	attach(argv[1], skel->progs.bystander);
	return 0;
}

static int cmd_bare(char **argv)
{
	struct bench_floor *skel = bench_floor__open_and_load();

	if (!skel)
		die(errno, "bare");
	enter(argv[0]);
	put(skel->maps.floor_devs, FLOOR_GUEST, device(argv[2]));
	attach(argv[1], skel->progs.floor_bare);
	return 0;
}

static void floor_header(struct bench_floor *skel, char **argv)
{
	struct tunnel_spec spec = { .tunnel = TUNNEL_VXLAN, .udp_port = VXLAN_PORT };
	struct nexthop_body body;

	if (ip_addr_parse(argv[3], &spec.local) || ip_addr_parse(argv[4], &spec.remote) ||
	    mac_parse(argv[5], spec.smac) || mac_parse(argv[6], spec.dmac) ||
	    template_tunnel(&spec, &body))
		die(EINVAL, "floor");
	memcpy((void *)&skel->rodata->template, body.header, FLOOR_HEADER_LEN);
	skel->rodata->template.ip_sum = body.ip_sum;
}

static int cmd_floor(char **argv)
{
	struct bench_floor *skel = bench_floor__open();
	struct floor_key key = { .proto = PROTO_UDP, .sport = wire16(SPORT), .dport = wire16(DPORT) };
	uint32_t out = FLOOR_FABRIC;

	if (!skel)
		die(errno, "floor");
	floor_header(skel, argv);
	if (bench_floor__load(skel))
		die(errno, "floor");
	key.src = packet_addr(argv[7]).w[3];
	key.dst = packet_addr(argv[8]).w[3];
	enter(argv[0]);
	put(skel->maps.floor_devs, FLOOR_GUEST, device(argv[1]));
	put(skel->maps.floor_devs, FLOOR_FABRIC, device(argv[2]));
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.floor_flows), &key, &out, BPF_ANY))
		die(errno, "floor flow");
	attach(argv[1], skel->progs.floor_egress);
	attach(argv[2], skel->progs.floor_ingress);
	return 0;
}

/* ---- send ---- */

struct load {
	uint64_t count;			/* frames of each sender */
	uint32_t len, n_flows;
	uint64_t rate;			/* frames per second, 0 = as fast as it goes */
};

struct sender {
	int cpu;
	char *netns, *device;
	struct packet_spec spec;
	struct packet_outer outer;	/* src NULL: no tunnel */
};

static void parse_sender(char *text, struct sender *ret)
{
	char *field[10];

	for (int i = 0; i < 10; i++) {
		field[i] = strsep(&text, ",");
		if (!field[i] && i < 7)
			die(EINVAL, "SENDER is CPU,NETNS,DEVICE,SMAC,DMAC,SRC,DST");
	}
	*ret = (struct sender){
		.cpu = strtol(field[0], NULL, 0),
		.netns = field[1],
		.device = field[2],
		.spec = { .src = field[5], .dst = field[6], .proto = PROTO_UDP, .sport = SPORT,
			  .dport = DPORT },
	};
	if (field[7] && field[8] && field[9])
		ret->outer = (struct packet_outer){ .tunnel = TUNNEL_VXLAN, .src = field[8],
						    .dst = field[9],
						    .vni = strtoul(field[7], NULL, 0) };
	if (mac_parse(field[3], ret->spec.smac) || mac_parse(field[4], ret->spec.dmac))
		die(EINVAL, "SENDER's MAC");
}

/* A feed whose varying word is the two ports: flow i adds i to them as one number. */
static struct bench_feed *make_feed(const struct sender *s, const struct load *load, uint8_t *frame)
{
	struct bench_feed *feed = bench_feed__open();
	struct feed_plan plan = { .frame_len = load->len, .in_order = 1,
				  .base = SPORT << 16 | DPORT };
	size_t l4;

	if (!feed)
		die(errno, "feed");
	l4 = strchr(s->spec.src, ':') ? 14 + 40 : 14 + 20;
	plan.vary = l4;
	if (s->outer.src) {		/* the inner destination instead, at random */
		plan.vary = 50 + 14 + 16;
		plan.sum = 50 + 14 + 10;
		plan.base = host32(packet_addr(s->spec.dst).w[3]);
		plan.in_order = 0;
		l4 += 50;
	}
	plan.words = (l4 + 8) / 8;
	plan.n_flows = load->n_flows;
	plan.gap_ns = load->rate ? NS_PER_S / load->rate : 0;
	plan.limit = load->count;
	memcpy(plan.head, frame, plan.words * 8);
	memcpy((void *)&feed->rodata->plan, &plan, sizeof(plan));
	if (bench_feed__load(feed))
		die(errno, "feed");
	return feed;
}

static void send_frames(int prog_fd, int ifindex, const uint8_t *frame, uint32_t len, uint64_t n)
{
	struct xdp_md ctx = { .data_end = len, .ingress_ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = n, .batch_size = n < BATCH ? n : BATCH,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);

	if (bpf_prog_test_run_opts(prog_fd, &opts))
		die(errno, "live frames");
}

/* How far the generator is; it runs on one CPU. */
static struct feed_turn turn_of(const struct bench_feed *feed, int cpu)
{
	int n_cpus = libbpf_num_possible_cpus();
	struct feed_turn turns[n_cpus];
	uint32_t zero = 0;

	if (cpu >= n_cpus || bpf_map_lookup_elem(bpf_map__fd(feed->maps.turns), &zero, turns))
		die(errno, "generator");
	return turns[cpu];
}

/* A tunnelled frame has zero for its destination, whose place in the sum feed.bpf.c fills. */
static void build_frame(struct sender *s, uint32_t len, uint8_t *frame)
{
	uint32_t headers = strchr(s->spec.src, ':') ? 62 : 42;
	struct packet_spec inner = s->spec;
	uint8_t bytes[PACKET_MAX];

	inner.payload = len - headers - (s->outer.src ? 50 : 0);
	if (!s->outer.src) {
		packet_build(&inner, frame);
		return;
	}
	inner.dst = "0.0.0.0";
	packet_encapsulate(&s->outer, bytes, packet_build(&inner, bytes), frame);
	memcpy(frame, s->spec.dmac, ETH_ADDR_LEN);
	memcpy(frame + ETH_ADDR_LEN, s->spec.smac, ETH_ADDR_LEN);
	memcpy(frame + 50, s->spec.dmac, ETH_ADDR_LEN);
}

/*
 * A child that is ready says so on @ready and starts when @go closes. @ret_ns is
 * shared with the parent: how long a paced sender sent.
 */
static void run_sender(struct sender *s, const struct load *load, int ready, int go,
		       uint64_t *ret_ns)
{
	uint8_t frame[PACKET_MAX];
	struct bench_feed *feed;
	struct feed_turn turn;
	cpu_set_t set;
	char byte = 0;
	int fd, ifindex;

	build_frame(s, load->len, frame);
	feed = make_feed(s, load, frame);
	fd = bpf_program__fd(feed->progs.feed_tx);
	CPU_ZERO(&set);
	CPU_SET(s->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die(errno, "CPU");
	enter(s->netns);
	ifindex = device(s->device);
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) < 0)
		die(errno, "start");
	while ((turn = turn_of(feed, s->cpu)).sent < load->count)
		send_frames(fd, ifindex, frame, load->len, load->rate ? PACED_RUN : load->count);
	*ret_ns = turn.last_ns - turn.first_ns;
	_exit(0);
}

static uint64_t arrived(const char *pin)
{
	int fd = bpf_obj_get(pin), n_cpus = libbpf_num_possible_cpus();
	uint64_t copies[n_cpus], sum = 0;
	uint32_t zero = 0;

	if (fd < 0 || bpf_map_lookup_elem(fd, &zero, copies))
		die(errno, pin);
	for (int i = 0; i < n_cpus; i++)
		sum += copies[i];
	close(fd);
	return sum;
}

static void start_senders(char **texts, int n, const struct load *load, int go[2], uint64_t *ret_ns)
{
	int ready[2];
	char byte;

	if (n > SENDERS_MAX || pipe(ready) || pipe(go))
		die(n > SENDERS_MAX ? E2BIG : errno, "senders");
	for (int i = 0; i < n; i++) {
		struct sender s;

		parse_sender(texts[i], &s);
		if (!fork()) {
			close(go[1]);
			run_sender(&s, load, ready[1], go[0], &ret_ns[i]);
		}
	}
	close(ready[1]);
	for (int i = 0; i < n; i++)
		if (read(ready[0], &byte, 1) != 1)
			die(ECHILD, "a sender did not start");
}

static int cmd_send(char **argv)
{
	struct load load = {
		.count = strtoull(argv[1], NULL, 0),
		.len = strtoul(argv[2], NULL, 0),
		.n_flows = strtoul(argv[3], NULL, 0),
		.rate = strtoull(argv[4], NULL, 0),
	};
	char **senders = argv + 5;
	uint64_t before, begin, ns, *paced;
	int n = 0, go[2], status, bad = 0;

	while (senders[n])
		n++;
	paced = mmap(NULL, SENDERS_MAX * sizeof(*paced), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (paced == MAP_FAILED)
		die(errno, "memory");
	start_senders(senders, n, &load, go, paced);
	before = arrived(argv[0]);
	begin = clock_now_ns();
	close(go[0]);
	close(go[1]);
	for (int i = 0; i < n; i++)
		bad |= wait(&status) < 0 || status;
	ns = load.rate ? paced[0] : clock_now_ns() - begin;
	usleep(load.rate ? 300000 : 20000);
	printf("sent %llu arrived %llu seconds %.6f\n", (unsigned long long)load.count * n,
	       (unsigned long long)(arrived(argv[0]) - before), ns / 1e9);
	return bad;
}

static const struct command {
	const char *name;
	int n_args;			/* at least */
	int (*run)(char **argv);
} commands[] = {
	{ "sink", 3, cmd_sink },   { "sink-stack", 3, cmd_sink_stack },
	{ "bystander", 2, cmd_bystander }, { "bare", 3, cmd_bare },
	{ "floor", 9, cmd_floor }, { "send", 6, cmd_send },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (argc > 1 && !strcmp(argv[1], commands[i].name) && argc - 2 >= commands[i].n_args)
			return commands[i].run(argv + 2);
	fprintf(stderr, "usage: pump sink|bystander|bare|floor|send ... (see pump.c)\n");
	return 2;
}
