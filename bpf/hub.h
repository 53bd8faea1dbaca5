/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hub.h - handing a frame to a coprocessor
 *
 *   inner frame ─► hub header in front ─► hub's near end ─► far end ─► socket
 *
 * The limit is a token bucket per vport, and per class of senders for frames from
 * the fabric: one guest's scan cannot fill the ring that all share.
 */
#pragma once

#include <bpf/config.h>
#include <bpf/exit.h>
#include <bpf/hook.h>
#include <bpf/limit.h>
#include <maps/hub.h>

/* Segments of a super-packet that may open a flow: one of 64 KiB at any usual MTU. Thousands would be a flood. */
#define HUB_SEGMENTS_MAX 128u

static __always_inline int miss_allowed(const struct pkt *pkt, const struct port *port)
{
	__u32 i = sender_limit(pkt);
	struct token_bucket *limit = bpf_map_lookup_elem(&miss_limits, &i);

	return limit && token_take(limit, port->miss_rate, port->miss_burst);
}

/* Gives the frame to the port's hub. */
static __noinline int punt(struct pkt *pkt, __u8 why)
{
	struct port *port = port_get(pkt->port);
	__u32 n = hook_segments(pkt);
	struct hub_header *h;

	if (!port || !port->hub)
		return DROP(NO_HUB);
	if (hook_wire_len(pkt) > hub_packet_max || n > HUB_SEGMENTS_MAX)
		return DROP(TOO_BIG);
	if (!miss_allowed(pkt, port))
		return why == HUB_FRAGMENT ? DROP(FRAGMENT_LIMIT) : DROP(MISS_LIMIT);
	if (hook_front(pkt, sizeof(*h)))
		return DROP(NO_HEADROOM);
	h = pkt->data;
	if ((void *)(h + 1) > pkt->end)
		return DROP(SHORT_FRAME);
	*h = (struct hub_header){
		.eth.dmac = { 1 },
		.eth.type = wire16(ETHERTYPE_IPV4),
		.ip.version_ihl = 0x45,
		.ip.ttl = 1,
		.ip.proto = PROTO_UDP,
		.ip.total_len = wire16(pkt->len + sizeof(*h) - sizeof(h->eth)),
		.udp.dport = wire16(HUB_UDP_PORT),
		.udp.len = wire16(pkt->len + sizeof(*h) - sizeof(h->eth) - sizeof(h->ip)),
		.version = HUB_VERSION,
		.why = why,
		.outer_tos = pkt->outer_tos,
		.port = pkt->port,
		.scope = pkt->key.scope,
		.outer = pkt->key.outer,
		.sport = pkt->key.sport,
		.dport = pkt->key.dport,
		.proto = pkt->key.proto,
	};
	if (pkt_redirect(pkt, port->hub) != VERDICT_OUT)
		return DROP(NO_HUB);
	pkt->books->in += n - 1;	/* a super-packet comes back as the packets it becomes */
	pkt->books->punted += n - 1;
	return VERDICT_PUNTED;
}
