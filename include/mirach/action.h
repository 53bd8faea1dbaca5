/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * action.h - the compiled answer for one flow
 *
 * The agent evaluates every rule once, on the miss, and writes an action. The
 * fast path reads it and never asks why: a verdict, the stage bits to run in
 * bit order, the Ethernet header to leave with, and the next hop.
 *
 * Stages of later features (meter, firewall ranges, conntrack, NAT, mirror) take
 * the bits between the ones below; the order of bits is the order of execution.
 */
#pragma once

#include <mirach/types.h>

enum action_verdict {
	ACTION_NONE = 0,			/* never published: a zeroed action is a bug */
	ACTION_FORWARD = 1,			/* run the stages, then the next hop */
	ACTION_DROP = 2,			/* drop with action.reason */
	ACTION_GATEWAY = 3,			/* addressed to the virtual gateway: answer echo, drop the rest */
	ACTION_ENDPOINT = 4,			/* hoverboard: run the stages, then as the endpoint of the destination says */
};

/* Stage bits, executed from the lowest to the highest. */
enum action_stage {
	STAGE_TTL = 1u << 8,			/* decrement TTL / hop limit, drop at 1 */
	STAGE_MSS = 1u << 10,			/* TCP SYN: lower the maximum segment size to what fits, action.mss at most */
	STAGE_VLAN_POP = 1u << 12,		/* remove action.n_pop tags of the inner frame */
	STAGE_VLAN_PUSH = 1u << 13,		/* push action.push_inner_tci if set, then action.push_tci */
	STAGE_SAMPLE = 1u << 20,		/* copy one packet in action.sample to the sample ring */
};

struct action {
	__u32 stages;				/* enum action_stage */
	__u32 nexthop;				/* index into map nexthops */
	__u32 gen;				/* incarnation of this flow index; the hub header repeats it */
	__be32 vni;				/* as the tunnel header wants it: VNI << 8, for GRE the key */
	__u8 dmac[ETH_ADDR_LEN];		/* Ethernet header of the inner frame on its way out; */
	__u8 smac[ETH_ADDR_LEN];		/*   directly before each other as on the wire */
	__be16 push_tci;			/* STAGE_VLAN_PUSH: tag control information, the outermost tag's */
	__u8 n_pop;				/* STAGE_VLAN_POP: 1 or 2 */
	__u8 verdict;				/* enum action_verdict */
	__u32 sample;				/* STAGE_SAMPLE: one packet in so many, at least 1 */
	__u32 rule;				/* rule that decided, for people; not read by the fast path */
	__u16 reason;				/* ACTION_DROP: enum drop_reason */
	__be16 push_inner_tci;			/* STAGE_VLAN_PUSH: of a second tag inside the first; 0 = none */
	__u32 network;				/* ACTION_ENDPOINT: VNI whose endpoints are asked, host order */
	__u32 mss_way;				/* STAGE_MSS: next hop that answers will take, whose MTU counts as well; 0 = none */
	__u16 mss;				/* STAGE_MSS: at most this, and what the MTUs allow */
	__u16 pad0;				/* zero */
	__u32 pad[2];				/* zero; room for later stages */
};
_Static_assert(sizeof(struct action) == 64, "an action is one cache line");
