/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * resume.h - taking a frame back from a coprocessor
 *
 *   hub's near end ─► header off ─► cursor as it was, flow known ─► act
 */
#pragma once

#include <bpf/exit.h>
#include <bpf/hook.h>
#include <mirach/hub.h>

/*
 * Reads the header of a frame that came back, takes it off, and continues in the
 * books of the port that first took the frame. On CONTINUE the header's flow and
 * generation are in @ret_flow and @ret_gen.
 */
static __always_inline int resume(struct pkt *pkt, __u32 *ret_flow, __u32 *ret_gen)
{
	struct hub_header *h = pkt->data;
	__u32 verdict, reason;
	__u32 port;

	if ((void *)(h + 1) > pkt->end || h->udp.dport != wire16(HUB_UDP_PORT) ||
	    h->version != HUB_VERSION || h->verdict == HUB_PENDING)
		return DROP(HUB_HEADER);
	port = h->port & (PORT_MAX - 1);
	verdict = h->verdict;
	reason = h->reason & (REASON_MAX - 1);
	*ret_flow = h->flow;
	*ret_gen = h->gen;
	pkt->key.scope = h->scope;
	pkt->key.outer = h->outer;
	pkt->outer_tos = h->outer_tos;
	pkt->why = h->why;
	pkt->from_fabric = h->scope & SCOPE_FABRIC ? 1 : 0;

	pkt->books->out++;		/* the hub's own: handed on */
	pkt->books->out_bytes += pkt->len;
	pkt->port = port;
	pkt->books = bpf_map_lookup_elem(&usage, &pkt->port);
	if (!pkt->books)
		return DROP(HUB_HEADER);
	pkt->books->resumed++;
	if (verdict == HUB_DROP)
		return -(int)reason ?: DROP(HUB_HEADER);
	if (hook_shrink(pkt, sizeof(*h)))
		return DROP(HUB_HEADER);
	pkt->len -= sizeof(*h);
	return CONTINUE;
}
