/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * responder.h - ARP, Neighbour Discovery and the virtual gateway's echo
 *
 * Guests share a network but no wire: who has an address is known, here or to the
 * hoverboards, so the host answers in the instance's or the gateway's name and nothing
 * is ever flooded.
 * The frame itself becomes the answer and goes back through the port it came by.
 *
 * All of this is off the common path and in functions of its own.
 */
#pragma once

#include <bpf/exit.h>
#include <bpf/hook.h>

/* Sends the frame back where it came from, in the name of @mac. */
static __always_inline int reply(struct pkt *pkt, const __u8 *mac)
{
	struct eth_header *eth = pkt->data;

	if ((void *)(eth + 1) > pkt->end)
		return DROP(SHORT_FRAME);
	__builtin_memcpy(eth->dmac, eth->smac, ETH_ADDR_LEN);
	__builtin_memcpy(eth->smac, mac, ETH_ADDR_LEN);
	return hook_redirect(pkt, pkt->port) == HOOK_REDIRECT ? VERDICT_REPLIED : DROP(PORT_DOWN);
}

static __always_inline struct neighbour *neighbour_find(__u32 vni, const struct ip_addr *addr)
{
	struct neighbour_key key = { .vni = vni, .addr = *addr };

	return bpf_map_lookup_elem(&neighbours, &key);
}

static __always_inline int is_link_local(const struct ip_addr *addr)
{
	return (addr->w[0] & wire32(0xffc00000)) == wire32(0xfe800000);	/* RFC 4291 section 2.5.6 */
}

/*
 * Does the port own @addr? The unspecified address is everybody's: a probe (RFC
 * 5227, RFC 4862). So is a link-local one, by which guests ask whether a stale
 * neighbour is still there: the answer goes back to this port and nowhere else.
 */
static __always_inline int owns_sender(__u32 port, __u32 vni, const struct ip_addr *addr)
{
	struct neighbour *n;

	if (!addr->w[3] && (ip_addr_is_v4(addr) || !(addr->w[0] | addr->w[1] | addr->w[2])))
		return 1;
	if (is_link_local(addr))
		return 1;
	n = neighbour_find(vni, addr);
	return n && n->port == port;
}

static __always_inline int covers(const struct ip_addr *prefix, __u32 len,
				  const struct ip_addr *addr)
{
	__u32 differ = 0;

	for (__u32 i = 0; i < 4; i++, len = len > 32 ? len - 32 : 0) {
		__u32 mask = len >= 32 ? ~0u : ~(~0u >> (len & 31));

		differ |= host32(prefix->w[i] ^ addr->w[i]) & mask;
	}
	return !differ;
}

/*
 * Who answers for @target: its owner, or in a network with hoverboards the gateway for all that
 * is in the vport's subnet and that only hoverboards know. Nobody answers a guest about its own
 * address, or duplicate address detection would fail.
 */
static __always_inline struct neighbour *neighbour_for(const struct pkt *pkt, const struct port *port,
						       const struct ip_addr *target)
{
	const __u32 family = !ip_addr_is_v4(target);
	struct neighbour *n = neighbour_find(port->vni, target);

	if (n)
		return n->port == pkt->port ? 0 : n;
	if (!port->proxy[family] || !covers(&port->gateway[family], port->proxy[family] - 1, target))
		return 0;
	return neighbour_find(port->vni, &port->gateway[family]);
}

static __always_inline void addr_of_arp(struct ip_addr *a, const __u8 *ip)
{
	ip_addr_set_v4(a, *(__be32 *)ip);
}

/* RFC 826. Requests for addresses of the network, from senders who are who they say. */
static __noinline int respond_arp(struct pkt *pkt)
{
	struct arp_header *arp = pkt_l3(pkt, sizeof(*arp));
	struct port *port = port_get(pkt->port);
	struct ip_addr sender, target;
	struct neighbour *n;

	if (!arp || !port)
		return DROP(ARP);
	if (arp->hardware != wire16(1) || arp->protocol != wire16(ETHERTYPE_IPV4) ||
	    arp->hardware_len != ETH_ADDR_LEN || arp->protocol_len != 4 ||
	    arp->operation != wire16(ARP_REQUEST))
		return DROP(ARP);
	addr_of_arp(&sender, arp->sender_ip);
	addr_of_arp(&target, arp->target_ip);
	if (!owns_sender(pkt->port, port->vni, &sender))
		return DROP(ARP);
	n = neighbour_for(pkt, port, &target);
	if (!n)
		return DROP(ARP_UNKNOWN);	/* to its own address silence is the answer */

	arp = pkt_l3(pkt, sizeof(*arp));
	if (!arp)
		return DROP(ARP);
	arp->operation = wire16(ARP_REPLY);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, ETH_ADDR_LEN);
	*(__be32 *)arp->target_ip = sender.w[3];
	__builtin_memcpy(arp->sender_mac, n->mac, ETH_ADDR_LEN);
	*(__be32 *)arp->sender_ip = target.w[3];
	return reply(pkt, n->mac);
}

/* A Neighbour Advertisement and the pseudo header it is summed with; RFC 8200 section 8.1. */
struct advertisement {
	struct ip_addr src, dst;
	__be32 len, next;
	struct nd_header nd;
	struct nd_option_mac option;
};

static __always_inline int is_solicitation(const struct pkt *pkt)
{
	return pkt->key.proto == PROTO_ICMPV6 &&
	       pkt->key.sport == wire16(ICMPV6_NEIGHBOUR_SOLICITATION);
}

/* RFC 4861 section 7.1.1: what a valid solicitation is. */
static __always_inline int solicitation_valid(const struct ipv6_header *ip, const struct nd_header *nd)
{
	return ip->hop_limit == 255 && ip->next == PROTO_ICMPV6 && nd->icmp.code == 0 &&
	       host16(ip->payload_len) >= sizeof(*nd) && (nd->target.w[0] & wire32(0xff000000)) != wire32(0xff000000);
}

static __always_inline void advertise(struct advertisement *a, const struct neighbour *n,
				      const struct ip_addr *target, const struct ip_addr *solicitor)
{
	__u32 flags = ND_FLAG_OVERRIDE | (n->router ? ND_FLAG_ROUTER : 0);

	if (solicitor->w[0] | solicitor->w[1] | solicitor->w[2] | solicitor->w[3]) {
		a->dst = *solicitor;
		flags |= ND_FLAG_SOLICITED;
	} else {
		a->dst.w[0] = wire32(0xff020000);	/* all nodes: RFC 4861 section 7.2.4 */
		a->dst.w[3] = wire32(1);
	}
	a->src = *target;
	a->len = wire32(sizeof(a->nd) + sizeof(a->option));
	a->next = wire32(PROTO_ICMPV6);
	a->nd.icmp.type = ICMPV6_NEIGHBOUR_ADVERTISEMENT;
	a->nd.icmp.rest = wire32(flags);
	a->nd.target = *target;
	a->option.type = 2;
	a->option.len8 = 1;
	__builtin_memcpy(a->option.mac, n->mac, ETH_ADDR_LEN);
	a->nd.icmp.checksum = sum_fold(bpf_csum_diff(0, 0, (__be32 *)a, sizeof(*a), 0));
}

static __always_inline int write_advertisement(struct pkt *pkt, const struct advertisement *a,
					       const __u8 *mac)
{
	const __u32 body = sizeof(a->nd) + sizeof(a->option);
	struct ipv6_header *ip;

	if (hook_set_len(pkt, pkt->frame.l3 + sizeof(*ip) + body))
		return DROP(ND);
	ip = pkt_l3(pkt, sizeof(*ip) + body);
	if (!ip)
		return DROP(ND);
	ip->payload_len = wire16(body);
	ip->src = a->src;
	ip->dst = a->dst;
	copy_bytes(ip + 1, &a->nd, body);
	return reply(pkt, mac);
}

/* RFC 4861 section 7.2. */
static __noinline int respond_solicitation(struct pkt *pkt)
{
	struct ipv6_header *ip = pkt_l3(pkt, sizeof(*ip) + sizeof(struct nd_header));
	struct nd_header *nd = (void *)(ip + 1);
	struct port *port = port_get(pkt->port);
	struct advertisement a = {};
	struct ip_addr target;
	struct neighbour *n;

	if (!ip || !port || !solicitation_valid(ip, nd))
		return DROP(ND);
	target = nd->target;
	if (!owns_sender(pkt->port, port->vni, &pkt->key.src))
		return DROP(ND);
	n = neighbour_for(pkt, port, &target);
	if (!n)
		return DROP(ND_UNKNOWN);	/* duplicate address detection: silence means free */
	advertise(&a, n, &target, &pkt->key.src);
	return write_advertisement(pkt, &a, n->mac);
}

static __always_inline int echo_swap_addresses(struct pkt *pkt)
{
	if (pkt->frame.kind == FRAME_IPV4) {
		struct ipv4_header *ip = pkt_l3(pkt, sizeof(*ip));
		__be32 src;

		if (!ip)
			return DROP(SHORT_FRAME);
		src = ip->src;
		ip->src = ip->dst;
		ip->dst = src;
	} else {
		struct ipv6_header *ip = pkt_l3(pkt, sizeof(*ip));
		struct ip_addr src;

		if (!ip)
			return DROP(SHORT_FRAME);
		src = ip->src;
		ip->src = ip->dst;
		ip->dst = src;
	}
	return CONTINUE;
}

/*
 * The gateway answers echo requests (RFC 792, RFC 4443 section 4.2) and nothing
 * else. Swapping the addresses changes no sum; the type changes by one word.
 */
static __noinline int respond_gateway(struct pkt *pkt, const struct action *action)
{
	struct icmp_header *icmp;
	__be16 old;

	icmp = pkt->data + (pkt->frame.l4 & 511);
	if (pkt->frame.fragment || pkt->frame.l4 > 511 || (void *)(icmp + 1) > pkt->end)
		return DROP(GATEWAY);
	old = *(__be16 *)&icmp->type;
	if (pkt->key.proto == PROTO_ICMP && icmp->type == ICMP_ECHO_REQUEST)
		icmp->type = ICMP_ECHO_REPLY;
	else if (pkt->key.proto == PROTO_ICMPV6 && icmp->type == ICMPV6_ECHO_REQUEST)
		icmp->type = ICMPV6_ECHO_REPLY;
	else
		return DROP(GATEWAY);
	/* 0xffff is the other zero, and the only right one for a message of zeroes. */
	icmp->checksum = sum_replace(icmp->checksum, old, *(__be16 *)&icmp->type) ?: 0xffff;
	if (echo_swap_addresses(pkt))
		return DROP(SHORT_FRAME);
	return reply(pkt, action->smac);
}
