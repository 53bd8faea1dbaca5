/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * too_big.h - tells a guest that its packet does not fit
 *
 * Path MTU discovery works only if someone answers: without it a connection
 * opens, and hangs with the first full segment. The virtual gateway answers, from
 * its address in the guest's network, with the size that would have fitted:
 *
 *   IPv4, DF set   "fragmentation needed"   RFC 1191 section 4, RFC 1812 section 5.2.7.1
 *   IPv6           "packet too big"         RFC 4443 section 3.2, RFC 8201
 *
 *   before   | Ethernet |                   IP packet that is too big ........
 *   after    | Ethernet | IP | ICMP | MTU | its first bytes |
 *
 * Answered are a vport's own untagged frames, ERROR_RATE a second and port; the
 * rest is dropped as too_big. A packet without DF is dropped as well: Mirach does not fragment.
 */
#pragma once

#include <bpf/exit.h>
#include <bpf/hook.h>
#include <bpf/limit.h>
#include <bpf/responder.h>

#define ERROR_RATE 100			/* per second and port; RFC 1812 section 4.3.2.8 */
#define ERROR_BURST 20

/* Bytes of the packet that come along: its headers, and the 8 bytes that name the flow. */
#define QUOTE_IPV4 68			/* the longest header + 8; RFC 792 */
#define QUOTE_IPV6 128			/* at most 1280 - 48; RFC 4443 section 2.4 (c) */

struct icmp_error {
	__u8 type, code;
	__be16 checksum;
	__be32 mtu;			/* IPv4: high half unused */
};

/* Sum over @len bytes of the packet at @p, a constant. */
static __always_inline __u32 sum_of(void *p, const __u32 len, __u32 start)
{
	return bpf_csum_diff(0, 0, p, len, start);
}

/* Cuts the packet to its quote and opens @headers bytes in front of its IP header. */
static __always_inline int error_room(struct pkt *pkt, const __u32 quote, const __u32 headers)
{
	if (hook_set_len(pkt, sizeof(struct eth_header) + quote) || hook_room(pkt, headers))
		return DROP(TOO_BIG);
	if (pkt->data + sizeof(struct eth_header) + headers + quote > pkt->end)
		return DROP(TOO_BIG);
	return CONTINUE;
}

static __always_inline int error_ipv4(struct pkt *pkt, const struct port *port, __u32 mtu)
{
	const __u32 headers = sizeof(struct ipv4_header) + sizeof(struct icmp_error);
	struct icmp_error *icmp;
	struct ipv4_header *ip;
	__be32 guest = pkt->key.src.w[3];

	if (error_room(pkt, QUOTE_IPV4, headers))
		return DROP(TOO_BIG);
	ip = pkt->data + sizeof(struct eth_header);
	icmp = (void *)(ip + 1);
	*ip = (struct ipv4_header){
		.version_ihl = 0x45,
		.total_len = wire16(headers + QUOTE_IPV4),
		.ttl = 64,
		.proto = PROTO_ICMP,
		.src = port->gateway[0].w[3],
		.dst = guest,
	};
	ip->checksum = sum_fold(sum_of(ip, sizeof(*ip), 0));
	*icmp = (struct icmp_error){ .type = 3, .code = 4, .mtu = wire32(mtu) };
	icmp->checksum = sum_fold(sum_of(icmp, sizeof(*icmp) + QUOTE_IPV4, 0));
	return CONTINUE;
}

static __always_inline int error_ipv6(struct pkt *pkt, const struct port *port, __u32 mtu)
{
	const __u32 headers = sizeof(struct ipv6_header) + sizeof(struct icmp_error);
	const __u32 body = sizeof(struct icmp_error) + QUOTE_IPV6;
	struct icmp_error *icmp;
	struct ipv6_header *ip;
	__u32 sum;

	if (error_room(pkt, QUOTE_IPV6, headers))
		return DROP(TOO_BIG);
	ip = pkt->data + sizeof(struct eth_header);
	icmp = (void *)(ip + 1);
	ip->version_class_label = wire32(6u << 28);
	ip->payload_len = wire16(body);
	ip->next = PROTO_ICMPV6;
	ip->hop_limit = 64;
	ip->src = port->gateway[1];
	ip->dst = pkt->key.src;
	*icmp = (struct icmp_error){ .type = 2, .mtu = wire32(mtu) };
	sum = sum_of(&ip->src, 2 * sizeof(ip->src), wire16(body) + wire16(PROTO_ICMPV6));
	icmp->checksum = sum_fold(sum_of(icmp, body, sum));
	return CONTINUE;
}

/* The gateway's address says that there is one to speak. */
static __always_inline int may_answer(const struct pkt *pkt, const struct port *port)
{
	const struct ip_addr *gateway = &port->gateway[pkt->frame.kind == FRAME_IPV6];
	struct token_bucket *limit = bpf_map_lookup_elem(&error_limits, &pkt->port);

	if (pkt->from_fabric || pkt->frame.n_tags || !limit || !(gateway->w[0] | gateway->w[3]))
		return 0;
	return token_take(limit, ERROR_RATE, ERROR_BURST);
}

static __always_inline int has_df(struct pkt *pkt)
{
	struct ipv4_header *ip = pkt_l3(pkt, sizeof(*ip));

	return ip && ip->fragment & wire16(IPV4_DF);
}

/* @mtu: the largest IP packet that fits. */
static __noinline int answer_too_big(struct pkt *pkt, __u32 mtu)
{
	struct port *port = port_get(pkt->port);
	struct eth_header *eth = pkt->data;
	__u8 mac[ETH_ADDR_LEN];
	int verdict;

	if (!port || !may_answer(pkt, port) || (void *)(eth + 1) > pkt->end)
		return DROP(TOO_BIG);
	__builtin_memcpy(mac, eth->dmac, ETH_ADDR_LEN);
	if (pkt->frame.kind == FRAME_IPV6)
		verdict = error_ipv6(pkt, port, mtu);
	else
		verdict = has_df(pkt) ? error_ipv4(pkt, port, mtu) : DROP(TOO_BIG);
	if (verdict)
		return verdict;
	eth = pkt->data;
	if ((void *)(eth + 1) > pkt->end)
		return DROP(TOO_BIG);
	__builtin_memcpy(eth->smac, port->mac, ETH_ADDR_LEN);	/* reply() turns them round */
	eth->type = pkt->frame.kind == FRAME_IPV6 ? wire16(ETHERTYPE_IPV6) : wire16(ETHERTYPE_IPV4);
	return reply(pkt, mac);
}
