/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * icmp_error.h - tells a sender that its packet got no further, and why
 *
 * Path MTU discovery works only if someone answers: without it a connection
 * opens, and hangs with the first full segment. A traceroute without answers shows
 * stars. The virtual gateway answers, from its address in the guest's network:
 *
 *   too_big      IPv4, DF set   "fragmentation needed"     RFC 1191 section 4
 *                IPv6           "packet too big"           RFC 4443 section 3.2
 *   ttl_expired  IPv4           "time exceeded"            RFC 792, RFC 1812 section 5.3.1
 *                IPv6           "time exceeded"            RFC 4443 section 3.3
 *
 *   before   | Ethernet [tags] |                   IP packet ........
 *   after    | Ethernet [tags] | IP | ICMP | MTU | its first bytes |
 *
 * A packet from the fabric that is too big for the vport has its sender on another host.
 * There the answer comes from the vport's own address, which the other host expects
 * behind this one, and goes the way of the vport's own packets: by the coprocessor, which
 * finds or opens the flow.
 *
 * ERROR_RATE a second and port are answered; nothing is answered that RFC 1122 section
 * 3.2.2 or RFC 4443 section 2.4 (e) forbids: errors, later fragments. IPv4 packets without DF
 * are dropped as well, for Mirach does not fragment. What is not answered is a drop of its reason.
 */
#pragma once

#include <bpf/exit.h>
#include <bpf/hook.h>
#include <bpf/hub.h>
#include <bpf/limit.h>
#include <bpf/responder.h>
#include <maps/nexthop.h>

#define ERROR_RATE 100			/* per second and port; RFC 1812 section 4.3.2.8 */
#define ERROR_BURST 20

/* Bytes of the packet that come along: its headers, and the 8 bytes that name the flow; more if it has them. */
#define QUOTE_IPV4 28u
#define QUOTE_IPV4_LONG 68u		/* the longest header + 8; RFC 792 */
#define QUOTE_IPV6 48u
#define QUOTE_IPV6_LONG 128u		/* at most 1280 - 48; RFC 4443 section 2.4 (c) */

struct icmp_error {
	__u8 type, code;
	__be16 checksum;
	__be32 mtu;			/* IPv4: high half unused; zero in other errors */
};

/* What is said, and in whose name. */
struct error {
	struct ip_addr from;
	__u32 mtu;			/* too_big: the largest IP packet that fits */
	__u32 reason;			/* REASON_TOO_BIG, REASON_TTL_EXPIRED */
};

/* Sum over @len bytes of the packet at @p, a constant. */
static __always_inline __u32 sum_of(void *p, const __u32 len, __u32 start)
{
	return bpf_csum_diff(0, 0, p, len, start);
}

/* Cuts the packet to its quote and opens @headers bytes in front of its IP header. */
static __always_inline int error_room(struct pkt *pkt, const __u32 quote, const __u32 headers)
{
	if (hook_quote(pkt, quote, headers))
		return -1;
	if (pkt->data + sizeof(struct eth_header) + headers + quote > pkt->end)
		return -1;
	return 0;
}

static __always_inline int error_ipv4(struct pkt *pkt, const struct error *e, const __u32 quote)
{
	const __u32 headers = sizeof(struct ipv4_header) + sizeof(struct icmp_error);
	struct icmp_error *icmp;
	struct ipv4_header *ip;
	struct eth_header *eth;

	if (error_room(pkt, quote, headers))
		return -1;
	eth = pkt->data;
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	eth->type = wire16(ETHERTYPE_IPV4);
	*ip = (struct ipv4_header){
		.version_ihl = 0x45,
		.total_len = wire16(headers + quote),
		.ttl = 64,
		.proto = PROTO_ICMP,
		.src = e->from.w[3],
		.dst = pkt->key.src.w[3],
	};
	ip->checksum = sum_fold(sum_of(ip, sizeof(*ip), 0));
	if (e->reason == REASON_TOO_BIG)
		*icmp = (struct icmp_error){ .type = 3, .code = 4, .mtu = wire32(e->mtu) };
	else
		*icmp = (struct icmp_error){ .type = 11 };
	icmp->checksum = sum_fold(sum_of(icmp, sizeof(*icmp) + quote, 0));
	return 0;
}

static __always_inline int error_ipv6(struct pkt *pkt, const struct error *e, const __u32 quote)
{
	const __u32 headers = sizeof(struct ipv6_header) + sizeof(struct icmp_error);
	const __u32 body = sizeof(struct icmp_error) + quote;
	struct icmp_error *icmp;
	struct ipv6_header *ip;
	struct eth_header *eth;
	__u32 sum;

	if (error_room(pkt, quote, headers))
		return -1;
	eth = pkt->data;
	ip = (void *)(eth + 1);
	icmp = (void *)(ip + 1);
	eth->type = wire16(ETHERTYPE_IPV6);
	ip->version_class_label = wire32(6u << 28);
	ip->payload_len = wire16(body);
	ip->next = PROTO_ICMPV6;
	ip->hop_limit = 64;
	ip->src = e->from;
	ip->dst = pkt->key.src;
	*icmp = (struct icmp_error){ .type = e->reason == REASON_TOO_BIG ? 2 : 3, .mtu = wire32(e->mtu) };
	sum = sum_of(&ip->src, 2 * sizeof(ip->src), wire16(body) + wire16(PROTO_ICMPV6));
	icmp->checksum = sum_fold(sum_of(icmp, body, sum));
	return 0;
}

/* The untagged frame becomes the error about it; its Ethernet addresses are open. */
static __noinline int error_write(struct pkt *pkt, const struct error *e)
{
	__u32 len = pkt->frame.end - pkt->frame.l3;

	if (pkt->frame.kind == FRAME_IPV6)
		return len < QUOTE_IPV6_LONG ? error_ipv6(pkt, e, QUOTE_IPV6) :
					       error_ipv6(pkt, e, QUOTE_IPV6_LONG);
	if (len >= QUOTE_IPV4_LONG)
		return error_ipv4(pkt, e, QUOTE_IPV4_LONG);
	if (len < QUOTE_IPV4 || pkt->frame.l4 - pkt->frame.l3 != sizeof(struct ipv4_header))
		return -1;
	return error_ipv4(pkt, e, QUOTE_IPV4);
}

static __always_inline int is_icmp_error(const struct pkt *pkt)
{
	struct icmp_header *icmp = pkt->data + (pkt->frame.l4 & 511);

	if (pkt->key.proto != PROTO_ICMP && pkt->key.proto != PROTO_ICMPV6)
		return 0;
	if ((void *)(icmp + 1) > pkt->end)
		return 1;
	if (pkt->key.proto == PROTO_ICMPV6)
		return icmp->type < 128;
	return icmp->type == 3 || icmp->type == 4 || icmp->type == 5 || icmp->type == 11 ||
	       icmp->type == 12;
}

/* May anything be said about this packet? The frame carries no tags now. */
static __always_inline int error_due(struct pkt *pkt, __u32 reason)
{
	if (pkt->frame.fragment == FRAGMENT_LATER || is_icmp_error(pkt))
		return 0;
	if (reason == REASON_TOO_BIG && pkt->frame.kind == FRAME_IPV4) {
		struct ipv4_header *ip = pkt_l3(pkt, sizeof(*ip));

		return ip && ip->fragment & wire16(IPV4_DF);
	}
	return 1;
}

/* @i: a port slot, or sender_limit(). */
static __always_inline int error_token(__u32 i)
{
	struct token_bucket *limit = bpf_map_lookup_elem(&error_limits, &i);

	return limit && token_take(limit, ERROR_RATE, ERROR_BURST);
}

/*
 * Takes off the tags that are on the frame: the sender's own, or, behind the stages, the receiver's.
 * Offsets are then what they are in an untagged frame.
 */
static __always_inline int error_untag(struct pkt *pkt, const struct action *action, __u32 reason)
{
	__u32 n = pkt->frame.n_tags, gap = pkt->frame.l3 - sizeof(struct eth_header);

	if (reason == REASON_TOO_BIG)
		n = action->stages & STAGE_VLAN_PUSH ? 1 + !!action->push_inner_tci : 0;
	pkt->frame.l3 -= gap;
	pkt->frame.l4 -= gap;
	pkt->frame.end -= gap;
	return n ? hook_tag_pop(pkt, n & 3) : 0;
}

static __always_inline int error_tag(struct pkt *pkt)
{
	if (pkt->frame.n_tags > 1 && hook_tag_push(pkt, wire16(pkt->key.vlan[1] & VLAN_VID_MASK)))
		return -1;
	if (pkt->frame.n_tags && hook_tag_push(pkt, wire16(pkt->key.vlan[0] & VLAN_VID_MASK)))
		return -1;
	return 0;
}

/* To the guest that sent it, in the gateway's name; a subnet without one has nobody to speak. */
static __always_inline int error_to_guest(struct pkt *pkt, struct error *e)
{
	struct port *port = port_get(pkt->port);
	struct neighbour *gateway;
	struct eth_header *eth;

	if (!port)
		return DROP(NO_PORT);
	e->from = port->gateway[pkt->frame.kind == FRAME_IPV6];
	gateway = neighbour_find(port->vni, &e->from);
	if (!gateway || !error_token(pkt->port) || error_write(pkt, e) || error_tag(pkt))
		return -(int)e->reason;
	eth = pkt->data;
	if ((void *)(eth + 1) > pkt->end)
		return -(int)e->reason;
	__builtin_memcpy(eth->smac, port->mac, ETH_ADDR_LEN);	/* reply() turns them round */
	return reply(pkt, gateway->mac);
}

/* To the sender behind the fabric, in the name of the vport @slot that it was for. */
static __always_inline int error_to_fabric(struct pkt *pkt, struct error *e, __u32 slot)
{
	struct flow_key *key = &pkt->key;

	e->from = key->dst;
	if (!error_token(slot) || error_write(pkt, e))
		return -(int)e->reason;
	key->dst = key->src;
	key->src = e->from;
	key->outer = (struct ip_addr){};
	key->scope = SCOPE_VPORT | slot;
	pkt->from_fabric = 0;
	pkt->len = hook_frame_len(pkt);
	pkt->frame.end = pkt->len;
	return punt(pkt, HUB_MISS);
}

/* The packet of a flow was dropped with @verdict: answers if that is to be answered. */
static __noinline int answer_error(struct pkt *pkt, const struct action *action, int verdict)
{
	struct error e = { .mtu = pkt->mtu, .reason = -verdict & (REASON_MAX - 1) };
	__u32 id = action->nexthop;
	struct nexthop *nexthop = bpf_map_lookup_elem(&nexthops, &id);
	struct nexthop_body *nh;

	if (!nexthop)
		return verdict;
	nh = &nexthop->body[nexthop->active & 1];
	if (pkt->from_fabric && (e.reason != REASON_TOO_BIG || nh->kind != NEXTHOP_LOCAL ||
				 action->stages & STAGE_VLAN_PUSH))
		return verdict;
	if (error_untag(pkt, action, e.reason) || !error_due(pkt, e.reason))
		return verdict;
	return pkt->from_fabric ? error_to_fabric(pkt, &e, nh->port) : error_to_guest(pkt, &e);
}
