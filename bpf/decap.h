/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * decap.h - is this frame ours, and what is inside
 *
 *   Ethernet [tag] | IPv4 or IPv6 to this host's endpoint | UDP to our port | VXLAN or Geneve | frame
 *                  |                                      | GRE, key                          |
 *
 * What is not addressed to our tunnel belongs to the host's own stack and passes
 * untouched. What is, and is malformed, is a named drop. Otherwise the outer
 * headers come off, and scope, outer source and outer TOS stay in the cursor.
 */
#pragma once

#include <bpf/hook.h>
#include <mirach/nexthop.h>

/* Walks over the outer headers; len is the sum of what was walked over. */
struct outer {
	void *pos;
	__u32 len;
	__u32 left;			/* bytes the outer IP packet claims after `pos` */
	__u8 proto;
};

static __always_inline void outer_step(struct outer *o, __u32 bytes)
{
	o->pos += bytes;
	o->len += bytes;
	o->left -= bytes;
}

/* Ethernet and the underlay's VLAN tag, if the uplink has one. */
static __always_inline int outer_ethernet(struct pkt *pkt, const struct port *port, struct outer *o,
					  __be16 *ret_type)
{
	struct eth_header *eth = pkt->data;
	struct vlan_header *tag = (void *)(eth + 1);

	if ((void *)(eth + 1) > pkt->end)
		return VERDICT_PASSED;
	o->pos = eth + 1;
	o->len = sizeof(*eth);
	*ret_type = eth->type;
	if (hook_tagged(pkt->ctx) != (HOOK_TAGS_BESIDE ? port->vlan : 0))
		return VERDICT_PASSED;
	if (HOOK_TAGS_BESIDE || !port->vlan)
		return CONTINUE;
	if (!is_vlan_type(eth->type) || (void *)(tag + 1) > pkt->end)
		return VERDICT_PASSED;
	if ((host16(tag->tci) & VLAN_VID_MASK) != (port->vlan & VLAN_VID_MASK))
		return VERDICT_PASSED;
	o->pos = tag + 1;
	o->len += sizeof(*tag);
	*ret_type = tag->type;
	return CONTINUE;
}

static __always_inline int outer_ipv4(struct pkt *pkt, const struct port *port, struct outer *o)
{
	struct ipv4_header *ip = o->pos;
	__u32 header_len, total_len;

	if ((void *)(ip + 1) > pkt->end || ip->dst != port->underlay[0].w[3] || !ip->dst)
		return VERDICT_PASSED;
	if (ip->fragment & wire16(IPV4_MF | IPV4_OFFSET_MASK))
		return VERDICT_PASSED;		/* we send DF; a fragment is somebody else's */
	header_len = (ip->version_ihl & 0x0f) * 4;
	total_len = host16(ip->total_len);
	if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip) || total_len < header_len)
		return DROP(OUTER_HEADER);
	ip_addr_set_v4(&pkt->key.outer, ip->src);
	pkt->outer_tos = ip->tos;
	o->proto = ip->proto;
	o->left = total_len;
	outer_step(o, header_len);
	return CONTINUE;
}

static __always_inline int outer_ipv6(struct pkt *pkt, const struct port *port, struct outer *o)
{
	struct ipv6_header *ip = o->pos;

	if ((void *)(ip + 1) > pkt->end || !port->underlay[1].w[0] ||
	    !ip_addr_equal(&ip->dst, &port->underlay[1]))
		return VERDICT_PASSED;
	pkt->key.outer = ip->src;
	pkt->outer_tos = host32(ip->version_class_label) >> 20;
	o->proto = ip->next;
	o->left = sizeof(*ip) + host16(ip->payload_len);
	outer_step(o, sizeof(*ip));
	return CONTINUE;
}

/* VXLAN (RFC 7348 section 5) and Geneve (RFC 8926 section 3.4) after their UDP header. */
static __always_inline int outer_udp_tunnel(struct pkt *pkt, const struct port *port,
					    struct outer *o, __u32 *ret_vni)
{
	struct udp_header *udp = o->pos;
	struct geneve_header *geneve = (void *)(udp + 1);
	struct vxlan_header *vxlan = (void *)(udp + 1);
	__u32 options;

	if ((void *)(udp + 1) > pkt->end || udp->dport != port->tunnel_port)
		return VERDICT_PASSED;
	if (host16(udp->len) > o->left || host16(udp->len) < sizeof(*udp) + sizeof(*vxlan))
		return DROP(OUTER_HEADER);
	if ((void *)(vxlan + 1) > pkt->end)
		return DROP(TUNNEL_HEADER);
	*ret_vni = host32(vxlan->vni) >> 8;
	outer_step(o, sizeof(*udp) + sizeof(*vxlan));
	if (port->tunnel == TUNNEL_VXLAN)
		return vxlan->flags & wire32(VXLAN_FLAG_VNI) ? CONTINUE : DROP(TUNNEL_HEADER);

	if (geneve->version_len4 >> 6 || geneve->protocol != wire16(ETHERTYPE_TEB) ||
	    geneve->flags & GENEVE_FLAG_OAM)
		return DROP(TUNNEL_HEADER);
	if (geneve->flags & GENEVE_FLAG_CRITICAL)
		return DROP(GENEVE_CRITICAL);
	options = (geneve->version_len4 & 0x3f) * 4;
	if (options > o->left)
		return DROP(TUNNEL_HEADER);
	outer_step(o, options);
	return CONTINUE;
}

/* GRE with key (RFC 2784, RFC 2890) carrying Ethernet; a sequence number is stepped over. */
static __always_inline int outer_gre(struct pkt *pkt, struct outer *o, __u32 *ret_vni)
{
	struct gre_header *gre = o->pos;
	__u32 len = sizeof(*gre);

	if ((void *)(gre + 1) > pkt->end)
		return DROP(TUNNEL_HEADER);
	if ((gre->flags & ~wire16(GRE_FLAG_SEQUENCE)) != wire16(GRE_FLAG_KEY) ||
	    gre->protocol != wire16(ETHERTYPE_TEB))
		return DROP(TUNNEL_HEADER);
	if (gre->flags & wire16(GRE_FLAG_SEQUENCE))
		len += 4;
	if (len > o->left)
		return DROP(TUNNEL_HEADER);
	*ret_vni = host32(gre->key);
	outer_step(o, len);
	return CONTINUE;
}

static __always_inline int outer_tunnel(struct pkt *pkt, const struct port *port, struct outer *o,
					__u32 *ret_vni)
{
	if (o->proto == PROTO_UDP && port->tunnel != TUNNEL_GRE)
		return outer_udp_tunnel(pkt, port, o, ret_vni);
	if (o->proto == PROTO_GRE && port->tunnel == TUNNEL_GRE)
		return outer_gre(pkt, o, ret_vni);
	return VERDICT_PASSED;
}

/* Takes the encapsulation off. CONTINUE: the cursor is at the inner frame. */
static __always_inline int decap(struct pkt *pkt, const struct port *port)
{
	struct outer o = {};
	int verdict;
	__be16 type;
	__u32 vni = 0;

	verdict = outer_ethernet(pkt, port, &o, &type);
	if (verdict)
		return verdict;
	if (type == wire16(ETHERTYPE_IPV4))
		verdict = outer_ipv4(pkt, port, &o);
	else if (type == wire16(ETHERTYPE_IPV6))
		verdict = outer_ipv6(pkt, port, &o);
	else
		verdict = VERDICT_PASSED;
	if (!verdict)
		verdict = outer_tunnel(pkt, port, &o, &vni);
	if (verdict)
		return verdict;
	if (vni > 0xffffff)
		return DROP(UNKNOWN_VNI);
	if (port->tunnel != TUNNEL_GRE && !port->vlan && hook_elsewhere(pkt))
		return VERDICT_PASSED;
	pkt->key.scope = SCOPE_FABRIC | vni;
	pkt->from_fabric = 1;
	if (HOOK_TAGS_BESIDE && port->vlan && hook_tag_pop(pkt, 1))
		return DROP(OUTER_HEADER);
	if (hook_decap(pkt, o.len))
		return DROP(OUTER_HEADER);
	pkt->len -= o.len;
	return CONTINUE;
}

/*
 * ECN of the inner header after decapsulation; RFC 6040 section 4.2, figure 4.
 * Returns the inner codepoint, or -1: drop.
 */
static __always_inline int ecn_decapsulate(__u8 inner, __u8 outer)
{
	inner &= 3;
	outer &= 3;
	if (outer == 3)
		return inner ? 3 : -1;
	if (outer == 1 && inner == 2)
		return 1;
	return inner;
}

static __always_inline int ecn_write(struct pkt *pkt, __u8 tos)
{
	if (pkt->frame.kind == FRAME_IPV4) {
		struct ipv4_header *ip = pkt_l3(pkt, sizeof(*ip));
		__be16 old;

		if (!ip)
			return DROP(SHORT_FRAME);
		old = *(__be16 *)&ip->version_ihl;
		ip->tos = tos;
		ip->checksum = sum_replace(ip->checksum, old, *(__be16 *)&ip->version_ihl);
	} else {
		struct ipv6_header *ip = pkt_l3(pkt, sizeof(*ip));
		__be32 old;

		if (!ip)
			return DROP(SHORT_FRAME);
		old = ip->version_class_label;
		ip->version_class_label = (old & wire32(0xf00fffff)) | wire32((__u32)tos << 20);
		hook_sum(pkt, old, ip->version_class_label);
	}
	return CONTINUE;
}

/* Carries congestion marks of the underlay to the guest. */
static __always_inline int decap_ecn(struct pkt *pkt)
{
	int ecn;

	if (!((pkt->outer_tos ^ pkt->frame.tos) & 3))
		return CONTINUE;
	ecn = ecn_decapsulate(pkt->frame.tos, pkt->outer_tos);
	if (ecn < 0)
		return DROP(ECN);
	if (ecn == (pkt->frame.tos & 3))
		return CONTINUE;
	return ecn_write(pkt, (pkt->frame.tos & 0xfc) | ecn);
}
