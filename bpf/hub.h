/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hub.h - handing a frame to a coprocessor and taking it back
 *
 *   punt():   inner frame ─► hub header in front ─► hub's near end
 *   resume(): hub's near end ─► header off ─► cursor as it was, flow known
 *
 * The limit is a token bucket per vport, and per class of senders for frames from
 * the fabric: one guest's scan cannot fill the ring that all share.
 */
#pragma once

#include <bpf/exit.h>
#include <bpf/hook.h>
#include <maps/hub.h>

static __always_inline int miss_allowed(const struct pkt *pkt, const struct port *port)
{
	__u32 i = pkt->from_fabric ? PORT_MAX + fabric_class(&pkt->key.outer) : pkt->port;
	struct miss_limit *limit = bpf_map_lookup_elem(&miss_limits, &i);
	__u64 full = (__u64)port->miss_burst << MISS_TOKEN_SHIFT;
	__u64 now = bpf_ktime_get_ns(), idle, tokens;

	if (!limit)
		return 0;
	idle = now - limit->stamp_ns;
	if (idle > 1000000000ull)
		idle = 1000000000ull;		/* a second fills any burst up to the rate */
	/* 1 packet = 2^20 units, 1 s = 10^9 ns ~ 2^30: rate x ns / 2^10 is within 8 % of exact */
	tokens = limit->tokens + (idle * port->miss_rate >> 10);
	if (tokens > full)
		tokens = full;
	limit->stamp_ns = now;
	if (tokens < 1ull << MISS_TOKEN_SHIFT) {
		limit->tokens = tokens;
		return 0;
	}
	limit->tokens = tokens - (1ull << MISS_TOKEN_SHIFT);
	return 1;
}

/* Gives the frame to the port's hub. */
static __noinline int punt(struct pkt *pkt, __u8 why)
{
	struct port *port = port_get(pkt->port);
	struct hub_header *h;

	if (!port || !port->hub)
		return DROP(NO_HUB);
	if (!miss_allowed(pkt, port))
		return DROP(MISS_LIMIT);
	if (hook_grow(pkt, sizeof(*h)))
		return DROP(NO_HEADROOM);
	h = pkt->data;
	if ((void *)(h + 1) > pkt->end)
		return DROP(SHORT_FRAME);
	*h = (struct hub_header){
		.dmac = { 1 },
		.ethertype = wire16(HUB_ETHERTYPE),
		.version = HUB_VERSION,
		.why = why,
		.outer_tos = pkt->outer_tos,
		.port = pkt->port,
		.scope = pkt->key.scope,
		.outer = pkt->key.outer,
	};
	if (pkt_redirect(pkt, port->hub) != VERDICT_OUT)
		return DROP(NO_HUB);
	return VERDICT_PUNTED;
}

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

	if ((void *)(h + 1) > pkt->end || h->ethertype != wire16(HUB_ETHERTYPE) ||
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
	pkt->from_fabric = h->scope & SCOPE_FABRIC ? 1 : 0;

	pkt->books->out++;		/* the hub's own: handed on */
	pkt->books->out_bytes += pkt->len;
	pkt->port = port;
	pkt->books = bpf_map_lookup_elem(&usage, &pkt->port);
	if (!pkt->books)
		return DROP(HUB_HEADER);
	pkt->books->resumed++;
	if (verdict == HUB_DROP)
		return -(int)reason;
	if (hook_shrink(pkt, sizeof(*h)))
		return DROP(HUB_HEADER);
	pkt->len -= sizeof(*h);
	return CONTINUE;
}
