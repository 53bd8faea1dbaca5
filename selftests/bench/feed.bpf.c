// SPDX-License-Identifier: GPL-2.0-only
/*
 * feed.bpf.c - hands a program under test a fresh packet of another flow, every time
 *
 *   test run ──► feed ──tail call──► program under test ──► verdict
 *                 ▲ undo the resize, write the headers, choose a flow
 *
 * The kernel repeats a test run on one packet, as the run before left it: a
 * program that encapsulates would run out of headroom after five rounds, and
 * there would be one flow. So feed comes first in every run. It does the same work
 * whatever follows, so a run with floor_empty behind it is what to subtract.
 *
 * As a program on its own, feed_tx sends the packet back out of the device it
 * is said to come from, when it is due, and drops it otherwise: with live frames
 * that makes a packet generator of an even rate.
 */
#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

#include <mirach/wire.h>
#include <selftests/bench/feed.h>

const volatile struct feed_plan plan = {};

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} under_test SEC(".maps");

/* One generator per CPU, each with its own turn through the flows. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct feed_turn);
} turns SEC(".maps");

/* Next flow: the one after the last, or a draw of xorshift32 (Marsaglia 2003). */
static __always_inline __u32 next_flow(struct feed_turn *turn)
{
	__u32 x;

	if (plan.in_order) {
		x = turn->flow + 1;
		turn->flow = x < plan.n_flows ? x : 0;
		return turn->flow;
	}
	x = turn->flow ?: 0x9e3779b9;
	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	turn->flow = x;
	return (__u64)x * plan.n_flows >> 32;
}

/* A packet is due; one that was held up does not make those after it hurry for long. */
static __always_inline int is_due(struct feed_turn *turn)
{
	__u64 now;

	if (turn->sent >= plan.limit)
		return 0;
	if (plan.gap_ns) {
		now = bpf_ktime_get_ns();
		if (now < turn->next_ns)
			return 0;
		turn->next_ns += plan.gap_ns;
		if (turn->next_ns + FEED_BURST_NS < now)
			turn->next_ns = now - FEED_BURST_NS;
		turn->first_ns = turn->first_ns ?: now;
		turn->last_ns = now;
	}
	turn->sent++;
	return 1;
}

/* The sum in the head is that of a header with zero in the place of @word; RFC 1624. */
static __always_inline void follow(__u16 *sum, __u32 word)
{
	__u32 s = (__u16)~*sum + (word & 0xffff) + (word >> 16);

	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	*sum = ~s;
}

static __always_inline int make_packet(struct xdp_md *ctx, struct feed_turn *turn)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	long len = end - data;
	__be32 word;

	barrier_var(len);		/* clang-19 would subtract from the pointer in 32 bits */
	if (bpf_xdp_adjust_head(ctx, len - plan.frame_len))
		return -1;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	for (__u32 i = 0; i < FEED_HEAD_MAX / 8; i++) {
		if (i >= plan.words)
			break;
		if (data + (i + 1) * 8 > end)
			return -1;
		((__u64 *)data)[i] = ((const volatile __u64 *)plan.head)[i];
	}
	if (data + plan.vary + sizeof(__be32) > end)
		return -1;
	word = wire32(plan.base + next_flow(turn));
	*(__be32 *)(data + plan.vary) = word;
	if (plan.sum) {
		if (data + plan.sum + sizeof(__be16) > end)
			return -1;
		follow(data + plan.sum, word);
	}
	return 0;
}

SEC("xdp.frags")
int feed(struct xdp_md *ctx)
{
	struct feed_turn *turn = bpf_map_lookup_elem(&turns, &(__u32){ 0 });

	if (!turn || make_packet(ctx, turn))
		return XDP_ABORTED;
	bpf_tail_call_static(ctx, &under_test, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int feed_tx(struct xdp_md *ctx)
{
	struct feed_turn *turn = bpf_map_lookup_elem(&turns, &(__u32){ 0 });

	if (!turn || !is_due(turn))
		return XDP_DROP;
	return make_packet(ctx, turn) ? XDP_ABORTED : XDP_TX;
}

char _license[] SEC("license") = "GPL";
