// SPDX-License-Identifier: BSD-2-Clause
/*
 * fixture_fire.c - one frame through one program, and what the books say about it
 *
 * A shot's fate is read from the counters, not from the return value: exactly one
 * fate of one port must have gone up by one, the law must hold for every port,
 * and what the program returned must fit.
 */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/names.h>
#include <mirach/wire.h>
#include <selftests/bpf/fixture_internal.h>

/* As metadata, all the headroom there is: 256 bytes less struct xdp_frame. */
#define META_MAX 216u

/* ------------------------------------------------------------------------ books */

struct book {
	struct usage usage;
	struct drops drops;
};

static void sum_words(uint64_t *sum, const uint64_t *copies, size_t words, int cpus)
{
	memset(sum, 0, words * sizeof(*sum));
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < words; i++)
			sum[i] += copies[cpu * words + i];
}

/* Reads one entry of a per-CPU map of 64-bit counters, summed. */
static void read_percpu(const struct bpf_map *map, uint32_t key, void *ret, size_t len)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *copies = calloc(cpus, len);

	assert_non_null(copies);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &key, copies), 0);
	sum_words(ret, copies, len / sizeof(uint64_t), cpus);
	free(copies);
}

static void clear_percpu(const struct bpf_map *map, uint32_t key, size_t len)
{
	uint64_t *zeroes = calloc(libbpf_num_possible_cpus(), len);

	assert_non_null(zeroes);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(map), &key, zeroes, 0), 0);
	free(zeroes);
}

void fixture_clear_books(void)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		clear_percpu(fixture.skel->maps.usage, slot, sizeof(struct usage));
		clear_percpu(fixture.skel->maps.drops, slot, sizeof(struct drops));
	}
}

void fixture_clear_flow_stats(uint32_t flow)
{
	clear_percpu(fixture.skel->maps.flow_stats, flow, sizeof(struct flow_stats));
}

struct usage usage_of(uint32_t slot)
{
	struct usage u;

	read_percpu(fixture.skel->maps.usage, slot, &u, sizeof(u));
	return u;
}

static struct drops all_drops_of(uint32_t slot)
{
	struct drops d;

	read_percpu(fixture.skel->maps.drops, slot, &d, sizeof(d));
	return d;
}

uint64_t drops_of(uint32_t slot, enum drop_reason reason)
{
	return all_drops_of(slot).count[reason];
}

struct flow_stats flow_stats_of(uint32_t flow)
{
	struct flow_stats s;

	read_percpu(fixture.skel->maps.flow_stats, flow, &s, sizeof(s));
	return s;
}

static void read_books(struct book books[SLOTS])
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		books[slot].usage = usage_of(slot);
		books[slot].drops = all_drops_of(slot);
	}
}

static uint64_t sum_drops(const struct drops *d)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < REASON_MAX; i++)
		sum += d->count[i];
	return sum;
}

/* in + resumed = out + replied + passed + punted + drops. */
static void assert_law(const struct book *b, uint32_t slot)
{
	const struct usage *u = &b->usage;
	uint64_t drops = sum_drops(&b->drops);

	if (u->in + u->resumed != u->out + u->replied + u->passed + u->punted + drops)
		fail_msg("the books of slot %u do not close: in %llu resumed %llu, out %llu replied %llu "
			 "passed %llu punted %llu drops %llu", slot, u->in, u->resumed, u->out,
			 u->replied, u->passed, u->punted, (unsigned long long)drops);
	assert_int_equal(b->drops.count[0], 0);
}

/* ------------------------------------------------------------------------- fates */

static void note_fate(struct shot *shot, uint32_t slot, enum fate fate, uint64_t n)
{
	if (!n)
		return;
	if (shot->fate || n != 1)
		fail_msg("one frame, several fates: %d and %d (slot %u)", shot->fate, fate, slot);
	shot->fate = fate;
	shot->slot = slot;
}

/* What changed between two readings. @resumed: the hub's own books show it handed on. */
static void find_fate(struct shot *shot, const struct book *before, const struct book *after,
		      bool from_hub)
{
	for (uint32_t slot = 0; slot < SLOTS; slot++) {
		const struct usage *b = &before[slot].usage, *a = &after[slot].usage;
		bool handed_on = from_hub && slot == SLOT_HUB;

		assert_law(&after[slot], slot);
		if (!handed_on)
			note_fate(shot, slot, FATE_OUT, a->out - b->out);
		note_fate(shot, slot, FATE_REPLIED, a->replied - b->replied);
		note_fate(shot, slot, FATE_PASSED, a->passed - b->passed);
		note_fate(shot, slot, FATE_PUNTED, a->punted - b->punted);
		for (unsigned int r = 0; r < REASON_MAX; r++) {
			uint64_t n = after[slot].drops.count[r] - before[slot].drops.count[r];

			if (n)
				shot->reason = r;
			note_fate(shot, slot, FATE_DROPPED, n);
		}
		if (a->delivered != b->delivered)
			shot->delivered = slot;
	}
}

static void assert_action_fits(const struct shot *shot, enum entry entry, bool tcx)
{
	static const uint32_t action[][2] = {
		[FATE_OUT] = { XDP_REDIRECT, TC_ACT_REDIRECT },
		[FATE_REPLIED] = { XDP_REDIRECT, TC_ACT_REDIRECT },
		[FATE_PASSED] = { XDP_PASS, TC_ACT_OK },
		[FATE_PUNTED] = { XDP_REDIRECT, TC_ACT_REDIRECT },
		[FATE_DROPPED] = { XDP_DROP, TC_ACT_SHOT },
	};

	if (shot->fate == FATE_NONE)
		fail_msg("a frame without a fate; the program returned %u", shot->action);
	assert_int_equal(shot->action, action[shot->fate][tcx]);
	/* a socket is no port; an answer goes back to the port, a hoverboard's to a host */
	if (entry != ENTRY_FEED && (shot->fate != FATE_REPLIED || shot->slot != SLOT_UPLINK))
		assert_int_equal(!!shot->delivered,
				 shot->fate == FATE_OUT || shot->fate == FATE_PUNTED);
}

/* -------------------------------------------------------------------------- runs */

static int program_fd(enum entry entry)
{
	const struct bpf_program *programs[] = {
		[ENTRY_EGRESS] = fixture.skel->progs.mirach_egress,
		[ENTRY_INGRESS] = fixture.skel->progs.mirach_ingress,
		[ENTRY_RESUME] = fixture.skel->progs.mirach_hub_resume,
		[ENTRY_FEED] = fixture.skel->progs.mirach_hub_feed,
	};

	return bpf_program__fd(programs[entry]);
}

static void run(struct shot *shot, enum entry entry, uint32_t slot, const void *frame, size_t len,
		uint32_t meta)
{
	static uint8_t in[FRAME_MAX_BYTES];
	struct xdp_md ctx = {
		.data = meta,
		.data_end = meta + len,
		.ingress_ifindex = fixture.ifindex[slot],
	};
	LIBBPF_OPTS(bpf_test_run_opts, opts,
		    .data_in = in, .data_size_in = meta + len,
		    .data_out = shot->bytes, .data_size_out = sizeof(shot->bytes),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);

	assert_true(meta + len <= sizeof(in));
	memset(in, 0, meta);
	memcpy(in + meta, frame, len);
	memset(shot, 0, sizeof(*shot));
	if (bpf_prog_test_run_opts(program_fd(entry), &opts))
		fail_msg("test run of %zu bytes: %m", len);
	shot->action = opts.retval;
	shot->len = opts.data_size_out;
}

/* The second object over the first one's maps, as the agent loads them. */
static void load_tcx(void)
{
	struct bpf_map *map, *owner;

	fixture.tcx = mirach_tcx__open();
	assert_non_null(fixture.tcx);
	memcpy(fixture.tcx->rodata, fixture.skel->rodata, sizeof(*fixture.tcx->rodata));
	bpf_object__for_each_map(map, fixture.tcx->obj) {
		owner = bpf_object__find_map_by_name(fixture.skel->obj, bpf_map__name(map));
		if (bpf_map__is_internal(map) || !owner)
			continue;
		bpf_map__set_pin_path(map, NULL);
		assert_int_equal(bpf_map__reuse_fd(map, bpf_map__fd(owner)), 0);
	}
	assert_int_equal(mirach_tcx__load(fixture.tcx), 0);
}

static void run_super(struct shot *shot, enum entry entry, uint32_t slot, const void *frame,
		      size_t len, uint32_t gso_size)
{
	struct __sk_buff ctx = { .ifindex = fixture.ifindex[slot], .gso_size = gso_size };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
		    .data_out = shot->bytes, .data_size_out = sizeof(shot->bytes),
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);
	const struct bpf_program *program;

	if (!fixture.tcx)
		load_tcx();
	program = entry == ENTRY_EGRESS ? fixture.tcx->progs.mirach_tcx_egress :
					  fixture.tcx->progs.mirach_tcx_ingress;
	memset(shot, 0, sizeof(*shot));
	if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
		fail_msg("test run of a super-packet of %zu bytes: %m", len);
	shot->action = opts.retval;
	shot->len = opts.data_size_out;
}

static struct shot *next_shot(void)
{
	static struct shot shots[4];
	static unsigned int turn;

	return &shots[turn++ % 4];
}

static struct book before[SLOTS], after[SLOTS];

static const struct shot *fire_with(enum entry entry, uint32_t slot, const void *frame, size_t len,
				    uint32_t meta)
{
	struct shot *shot = next_shot();

	read_books(before);
	run(shot, entry, slot, frame, len, meta);
	read_books(after);
	find_fate(shot, before, after, entry == ENTRY_RESUME);
	assert_action_fits(shot, entry, false);
	return shot;
}

const struct shot *fire_super(enum entry entry, uint32_t slot, const void *frame, size_t len,
			      uint32_t gso_size)
{
	struct shot *shot = next_shot();

	read_books(before);
	run_super(shot, entry, slot, frame, len, gso_size);
	read_books(after);
	find_fate(shot, before, after, false);
	assert_action_fits(shot, entry, true);
	return shot;
}

const struct shot *fire(enum entry entry, uint32_t slot, const void *frame, size_t len)
{
	return fire_with(entry, slot, frame, len, 0);
}

const struct shot *fire_without_headroom(enum entry entry, uint32_t slot, const void *frame,
					 size_t len)
{
	return fire_with(entry, slot, frame, len, META_MAX);
}

const struct shot *fire_egress(int vport, const void *frame, size_t len)
{
	return fire(ENTRY_EGRESS, WORLD_SLOT(vport), frame, len);
}

const struct shot *fire_ingress(const void *frame, size_t len)
{
	return fire(ENTRY_INGRESS, SLOT_UPLINK, frame, len);
}

const struct shot *fire_spec(int vport, const struct packet_spec *spec)
{
	uint8_t buf[FRAME_MAX_BYTES];
	size_t len = packet_build(spec, buf);

	return fire_egress(vport, buf, len);
}

const struct shot *fire_resume(const struct shot *shot, enum hub_verdict verdict, uint32_t flow,
			       uint32_t gen, enum drop_reason reason)
{
	uint8_t buf[FRAME_MAX_BYTES];
	struct hub_header *h = (struct hub_header *)buf;

	memcpy(buf, shot->bytes, shot->len);
	h->verdict = verdict;
	h->flow = flow;
	h->gen = gen;
	h->reason = reason;
	return fire(ENTRY_RESUME, SLOT_HUB, buf, shot->len);
}

size_t build_fabric(const struct packet_outer *outer, const struct packet_spec *spec, uint8_t *buf)
{
	uint8_t inner[FRAME_MAX_BYTES];
	size_t len = packet_build(spec, inner);

	return packet_encapsulate(outer, inner, len, buf);
}

struct packet_outer outer_from(unsigned int n, uint32_t vni)
{
	return (struct packet_outer){
		.src = fixture_host(n),
		.dst = fixture_host(1),
		.tunnel = fixture.underlay.tunnel,
		.vni = vni,
		.vlan = fixture.underlay.vlan,
		.port = fixture.underlay.port,
	};
}

/* ----------------------------------------------------------------------- samples */

static int keep_sample(void *ctx, void *data, size_t len)
{
	assert_int_equal(len, sizeof(struct sample));
	memcpy(ctx, data, len);
	return -1;			/* one at a time */
}

bool next_sample(struct sample *ret)
{
	struct ring_buffer *ring;
	int n;

	memset(ret, 0, sizeof(*ret));
	ring = ring_buffer__new(bpf_map__fd(fixture.skel->maps.samples), keep_sample, ret, NULL);
	assert_non_null(ring);
	n = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return n != 0;
}

/* ----------------------------------------------------------------------- asserts */

void assert_fate(const struct shot *shot, enum fate fate)
{
	static const char *const names[] = { "none", "out", "replied", "passed", "punted", "dropped" };

	if (shot->fate != fate)
		fail_msg("fate %s%s%s, expected %s", names[shot->fate],
			 shot->reason ? ": " : "", shot->reason ? reason_name(shot->reason) : "",
			 names[fate]);
}

void assert_dropped(const struct shot *shot, enum drop_reason reason)
{
	assert_fate(shot, FATE_DROPPED);
	if (shot->reason != reason)
		fail_msg("dropped as %s, expected %s", reason_name(shot->reason), reason_name(reason));
}

void assert_out(const struct shot *shot, uint32_t slot)
{
	assert_fate(shot, FATE_OUT);
	assert_int_equal(shot->delivered, slot);
}

void assert_replied(const struct shot *shot, const void *want, size_t len)
{
	assert_fate(shot, FATE_REPLIED);
	assert_int_equal(shot->len, len);
	assert_memory_equal(shot->bytes, want, len);
}

static void assert_l4_sum(const struct ip_addr *src, const struct ip_addr *dst, uint8_t proto,
			  const uint8_t *l4, size_t len)
{
	uint32_t sum = 0;

	if (packet_checksum_offset(proto) < 0)
		return;
	if (proto != PROTO_ICMP)
		sum = packet_pseudo_sum(src, dst, proto, len);
	assert_int_equal(packet_sum(l4, len, sum), 0xffff);
}

void assert_sums(const uint8_t *l3, size_t len)
{
	const struct ipv4_header *v4 = (const void *)l3;
	const struct ipv6_header *v6 = (const void *)l3;
	struct ip_addr src, dst;

	if (l3[0] >> 4 == 4) {
		size_t header = (l3[0] & 15) * 4;

		assert_int_equal(host16(v4->total_len), len);
		assert_int_equal(packet_sum(l3, header, 0), 0xffff);
		ip_addr_set_v4(&src, v4->src);
		ip_addr_set_v4(&dst, v4->dst);
		assert_l4_sum(&src, &dst, v4->proto, l3 + header, len - header);
		return;
	}
	assert_int_equal(l3[0] >> 4, 6);
	assert_int_equal(host16(v6->payload_len) + sizeof(*v6), len);
	src = v6->src;
	dst = v6->dst;
	assert_l4_sum(&src, &dst, v6->next, l3 + sizeof(*v6), len - sizeof(*v6));
}

void assert_icmp_error(const uint8_t *l3, size_t len, const struct packet_spec *s,
		       const struct icmp_wanted *want, struct ip_addr from)
{
	bool v6 = strchr(s->src, ':') != NULL;
	const uint8_t *icmp = l3 + (v6 ? 40 : 20);
	size_t quote = v6 ? want->quote6 : want->quote4;
	struct ip_addr to = packet_addr(s->src);
	uint8_t sent[FRAME_MAX_BYTES];

	assert_int_equal(len, (v6 ? 40 : 20) + 8 + quote);
	assert_sums(l3, len);
	assert_int_equal(icmp[0], v6 ? want->type6 : want->type4);
	assert_int_equal(icmp[1], v6 ? 0 : want->code4);
	assert_int_equal(icmp[4] << 24 | icmp[5] << 16 | icmp[6] << 8 | icmp[7], want->mtu);
	packet_build(s, sent);
	assert_memory_equal(icmp + 8, sent + 14 + 4 * s->n_tags, quote);
	assert_memory_equal(l3 + (v6 ? 8 : 12), (uint8_t *)&from + (v6 ? 0 : 12), v6 ? 16 : 4);
	assert_memory_equal(l3 + (v6 ? 24 : 16), (uint8_t *)&to + (v6 ? 0 : 12), v6 ? 16 : 4);
}
