/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * path.h - what every packet goes through, wherever it came from
 *
 *   parse ─► [ECN] ─► lookup ─► act: stages ─► next hop ─► out
 *                       │ miss
 *                       └────► hub
 *
 * Frames from guests, from the fabric and from a coprocessor differ in how they
 * get here, not in what happens next.
 */
#pragma once

#include <bpf/board.h>
#include <bpf/decap.h>
#include <bpf/exit.h>
#include <bpf/fragment.h>
#include <bpf/hook.h>
#include <bpf/hub.h>
#include <bpf/icmp_error.h>
#include <bpf/leave.h>
#include <bpf/lookup.h>
#include <bpf/responder.h>
#include <bpf/stages.h>

/*
 * Bytes that may follow the IP packet: Ethernet pads to 60. More is a length that lies, and would
 * leave by the tunnel as a packet larger than it says, past every question of MTU.
 */
#define TRAILER_MAX 64u

/* The inner frame into the cursor's key. A frame of several buffers must have its headers in the first. */
static __always_inline int path_parse(struct pkt *pkt)
{
	__u32 first = pkt->end - pkt->data, len;
	int reason = parse_frame(pkt->data, pkt->end, &pkt->key, &pkt->frame);

	if (!reason && first - pkt->frame.end <= TRAILER_MAX)
		return CONTINUE;
	len = hook_frame_len(pkt);
	pkt->books->in_bytes += len - pkt->len;		/* pkt_enter() saw the first buffer */
	pkt->len = len;
	if (reason)
		return pkt->len > first ? DROP(NOT_LINEAR) : -reason;
	return pkt->len - pkt->frame.end <= TRAILER_MAX ? CONTINUE : DROP(IP_HEADER);
}

static __always_inline void count_flow(const struct pkt *pkt)
{
	struct flow_stats *stats = bpf_map_lookup_elem(&flow_stats, &pkt->flow);

	if (stats) {
		stats->packets++;
		stats->bytes += pkt->len;
	}
}

static __always_inline int path_forward(struct pkt *pkt, const struct action *action)
{
	int verdict = action->stages ? stages_run(pkt, action) : CONTINUE;

	return verdict ?: leave(pkt, action->nexthop, action->dmac, action->vni);
}

/* What is dropped with @verdict may have a sender who wants to know: an endpoint's, or a vport's. */
static __always_inline int path_answer(struct pkt *pkt, const struct action *action, int verdict)
{
	if (verdict == DROP(TOO_BIG) && pkt->key.scope & SCOPE_VERIFIED)
		return board_answer(pkt);
	if (verdict == DROP(TOO_BIG) || verdict == DROP(TTL_EXPIRED))
		return answer_error(pkt, action, verdict);
	return verdict;
}

static __always_inline int path_act(struct pkt *pkt, const struct action *action)
{
	int verdict = DROP(BAD_ACTION);

	count_flow(pkt);
	if (action->verdict == ACTION_FORWARD)
		verdict = path_forward(pkt, action);
	else if (action->verdict == ACTION_ENDPOINT)
		verdict = board_act(pkt, action);
	else if (action->verdict == ACTION_GATEWAY)
		verdict = respond_gateway(pkt, action);
	else if (action->verdict == ACTION_DROP)
		verdict = -(int)(action->reason & (REASON_MAX - 1)) ?: DROP(BAD_ACTION);
	return path_answer(pkt, action, verdict);
}

static __always_inline int path_flow(struct pkt *pkt)
{
	__u64 addrs = flow_digest_addrs(&pkt->key, flow_secret);
	struct flow *flow = flow_lookup_3(pkt, addrs);
	int verdict;

	if (hook_is_flood(pkt))
		return DROP(SEGMENTS);
	if (!flow && pkt->frame.fragment) {
		verdict = fragment_follow(pkt);
		if (verdict)
			return verdict == FRAGMENT_HOLD ? punt(pkt, HUB_FRAGMENT) : verdict;
	}
	if (!flow)
		flow = flow_lookup_5(pkt, addrs);
	return flow ? path_act(pkt, &flow->action) : punt(pkt, HUB_MISS);
}

/*
 * A frame that came back: the flow it was sent back for, if it still is that
 * flow. Otherwise the flow was removed meanwhile, and the frame begins anew.
 */
static __always_inline int path_resume(struct pkt *pkt, __u32 index, __u32 gen)
{
	struct flow *flow = bpf_map_lookup_elem(&flows, &index);

	if (!flow || flow->action.gen != gen)
		return path_flow(pkt);
	if (pkt->why == HUB_FRAGMENT && flow->key.tuple == FLOW_TUPLE_5)
		fragment_follow(pkt);
	pkt->key.tuple = FLOW_TUPLE_5;
	if (pkt->frame.fragment) {	/* as flow_lookup_3() has it: one path for all fragments */
		pkt->key.tuple = FLOW_TUPLE_3;
		pkt->key.sport = 0;
		pkt->key.dport = 0;
	}
	pkt->digest = flow_digest(&pkt->key, flow_secret);
	pkt->flow = index;
	return path_act(pkt, &flow->action);
}
