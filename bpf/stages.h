/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stages.h - the stages of an action, in the order of their bits
 *
 * Each stage is small, knows nothing of the others, and returns CONTINUE or a
 * drop. Most flows have no stage and never come here.
 */
#pragma once

#include <bpf/hook.h>
#include <bpf/mss.h>
#include <maps/sample.h>

/* Decrements TTL or hop limit; RFC 1812 section 5.3.1, RFC 8200 section 3. */
static __always_inline int stage_ttl(struct pkt *pkt)
{
	if (pkt->frame.kind == FRAME_IPV4) {
		struct ipv4_header *ip = pkt_l3(pkt, sizeof(*ip));
		__be16 old;

		if (!ip)
			return DROP(SHORT_FRAME);
		if (ip->ttl <= 1)
			return DROP(TTL_EXPIRED);
		old = *(__be16 *)&ip->ttl;
		ip->ttl--;
		ip->checksum = sum_replace(ip->checksum, old, *(__be16 *)&ip->ttl);
	} else {
		struct ipv6_header *ip = pkt_l3(pkt, sizeof(*ip));
		__be32 old;

		if (!ip)
			return DROP(SHORT_FRAME);
		if (ip->hop_limit <= 1)
			return DROP(TTL_EXPIRED);
		old = *(__be32 *)&ip->payload_len;
		ip->hop_limit--;
		hook_sum(pkt, old, *(__be32 *)&ip->payload_len);
	}
	return CONTINUE;
}

/* Copies one in @rate packets to the sample ring; a full ring costs the sample only. */
static __always_inline int stage_sample(struct pkt *pkt, __u32 rate)
{
	struct sample *s;
	__u32 caught;

	if ((__u64)bpf_get_prandom_u32() * rate >> 32)
		return CONTINUE;
	s = bpf_ringbuf_reserve(&samples, sizeof(*s), 0);
	if (!s)
		return CONTINUE;
	caught = pkt->len < SAMPLE_BYTES ? pkt->len : SAMPLE_BYTES;
	s->stamp_ns = bpf_ktime_get_ns();
	s->flow = pkt->flow;
	s->port = pkt->port;
	s->frame_len = pkt->len;
	s->rate = rate;
	s->pad = 0;
	__builtin_memset(s->bytes, 0, sizeof(s->bytes));
	caught = ((caught - 1) & (SAMPLE_BYTES - 1)) + 1;	/* 6.1 wants 1..128 from arithmetic */
	if (hook_load(pkt, 0, s->bytes, caught))
		caught = 0;
	s->caught_len = caught;
	bpf_ringbuf_submit(s, 0);
	return CONTINUE;
}

/* The inner tag first: each push puts its tag outside of what is there. */
static __always_inline int stage_vlan_push(struct pkt *pkt, const struct action *action)
{
	if (action->push_inner_tci && hook_tag_push(pkt, action->push_inner_tci))
		return DROP(NO_HEADROOM);
	return hook_tag_push(pkt, action->push_tci) ? DROP(NO_HEADROOM) : CONTINUE;
}

static __noinline int stages_run(struct pkt *pkt, const struct action *action)
{
	const __u32 stages = action->stages;
	int verdict = CONTINUE;

	if (stages & STAGE_TTL)
		verdict = stage_ttl(pkt);
	if (!verdict && stages & STAGE_MSS)
		stage_mss(pkt, action);
	if (!verdict && stages & STAGE_VLAN_POP)
		verdict = hook_tag_pop(pkt, action->n_pop & 3) ? DROP(SHORT_FRAME) : CONTINUE;
	if (!verdict && stages & STAGE_VLAN_PUSH)
		verdict = stage_vlan_push(pkt, action);
	if (!verdict && stages & STAGE_SAMPLE)
		verdict = stage_sample(pkt, action->sample);
	return verdict;
}
