/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * leave.h - out through a next hop
 */
#pragma once

#include <bpf/encap.h>
#include <bpf/exit.h>
#include <bpf/hook.h>
#include <maps/nexthop.h>

/* The body in force, read once. */
static __always_inline struct nexthop_body *nexthop_find(__u32 id)
{
	struct nexthop *nexthop = bpf_map_lookup_elem(&nexthops, &id);

	return nexthop ? &nexthop->body[nexthop->active & 1] : 0;
}

/* Says in the cursor what would have fitted: by every way, if there are several. */
static __always_inline int too_big(struct pkt *pkt, __u32 id)
{
	struct nexthop_body *nh = nexthop_find(id);

	pkt->mtu = nh ? nh->mtu : 0;
	return DROP(TOO_BIG);
}

/* @macs: the inner frame's addresses in wire order. pkt->digest chooses among ways of equal cost. */
static __always_inline int leave(struct pkt *pkt, __u32 id, const void *macs, __be32 vni)
{
	struct nexthop_body *nh = nexthop_find(id);
	struct eth_header *eth = pkt->data;
	int verdict;

	if (!nh)
		return DROP(BAD_ACTION);
	if (nh->kind == NEXTHOP_SPREAD) {
		nh = nexthop_find(nexthop_way(nh, pkt->digest));
		if (!nh)
			return DROP(BAD_ACTION);
	}
	if (nh->kind == NEXTHOP_DOWN)
		return DROP(NEXTHOP_DOWN);
	if (hook_wire_len(pkt) > nh->mtu)
		return too_big(pkt, id);
	if ((void *)(eth + 1) > pkt->end)
		return DROP(SHORT_FRAME);
	copy_macs(eth, macs);
	if (nh->kind == NEXTHOP_TUNNEL) {
		verdict = encap(pkt, nh, vni);
		if (verdict)
			return verdict;
	}
	return pkt_redirect(pkt, nh->port);
}
