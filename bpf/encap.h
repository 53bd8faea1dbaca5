/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * encap.h - the next hop's outer headers in front of the frame
 *
 * The template is copied whole, then patched in the places that differ from
 * packet to packet: lengths, DSCP/ECN and header checksum, the source port, the VNI.
 * One body serves all encapsulations; the length of the template, a constant in
 * each case of the switch, says where everything is:
 *
 *              Ethernet  tag   IP   UDP  tunnel
 *   IPv4 GRE   14        (4)   20    -   8         42  46
 *   IPv4 UDP   14        (4)   20    8   8         50  54
 *   IPv6 GRE   14        (4)   40    -   8         62  66
 *   IPv6 UDP   14        (4)   40    8   8         70  74
 *
 * On tcx the tag goes beside the frame, where the kernel or the NIC puts it into each
 * segment; in the frame it would hide the IP header from the segmentation.
 */
#pragma once

#include <bpf/hook.h>
#include <mirach/nexthop.h>

/* Outer TOS: ECN is copied (RFC 6040 section 4.1, normal mode), DSCP as the next hop says. */
static __always_inline __u8 outer_tos(const struct nexthop_body *nh, __u8 inner)
{
	return nh->dscp == DSCP_PIPE ? (nh->tos & 0xfc) | (inner & 3) : inner;
}

static __always_inline void patch_ipv4(struct ipv4_header *ip, const struct nexthop_body *nh,
				       __u8 tos, __u32 len)
{
	ip->tos = tos;
	ip->total_len = wire16(len);
	ip->checksum = sum_fold(nh->ip_sum + wire16(tos) + wire16(len));
}

static __always_inline void patch_ipv6(struct ipv6_header *ip, __u8 tos, __u32 len)
{
	ip->version_class_label = wire32(6u << 28 | (__u32)tos << 20);
	ip->payload_len = wire16(len - sizeof(*ip));
}

/* The template to the front. A hook that holds tags beside the frame takes it without the tag. */
static __always_inline int encap_headers(struct pkt *pkt, const struct nexthop_body *nh,
					 const __u32 len, const __u32 tag)
{
	const __u32 macs = 2 * ETH_ADDR_LEN;

	if (pkt->data + len > pkt->end)
		return DROP(SHORT_FRAME);
	if (!tag) {
		copy_bytes(pkt->data, nh->header, len);
		return CONTINUE;
	}
	copy_bytes(pkt->data, nh->header, macs);
	copy_bytes(pkt->data + macs, nh->header + macs + tag, len - macs);
	return CONTINUE;
}

static __always_inline int encap_push(struct pkt *pkt, const struct nexthop_body *nh, __be32 vni,
				      const __u32 len, const __u32 ip_len, const __u32 udp_len,
				      const __u32 tag)
{
	const __u32 tunnel = len - 8, udp = tunnel - udp_len, ip = udp - ip_len;
	const __u8 tos = outer_tos(nh, pkt->frame.tos);
	const __u32 total = pkt->len + len;
	int verdict;

	if (hook_encap(pkt, len, ip_len, udp_len))
		return DROP(NO_HEADROOM);
	verdict = encap_headers(pkt, nh, len, tag);
	if (verdict)
		return verdict;
	if (ip_len == sizeof(struct ipv4_header))
		patch_ipv4(pkt->data + ip, nh, tos, total - ip);
	else
		patch_ipv6(pkt->data + ip, tos, total - ip);
	if (udp_len) {
		struct udp_header *h = pkt->data + udp;

		h->sport = wire16(TUNNEL_ENTROPY_MIN | (pkt->digest & (65535 - TUNNEL_ENTROPY_MIN)));
		h->len = wire16(total - udp);
	}
	*(__be32 *)(pkt->data + tunnel + 4) = vni;
	return CONTINUE;
}

/* @len: of the template with its tag. */
static __always_inline int encap_tagged(struct pkt *pkt, const struct nexthop_body *nh, __be32 vni,
					const __u32 len, const __u32 ip_len, const __u32 udp_len)
{
	const __u32 tag = HOOK_TAGS_BESIDE ? sizeof(struct vlan_header) : 0;
	int verdict = encap_push(pkt, nh, vni, len - tag, ip_len, udp_len, tag);

	if (verdict || !tag)
		return verdict;
	if (hook_tag_push(pkt, *(__be16 *)(nh->header + sizeof(struct eth_header))))
		return DROP(NO_HEADROOM);
	return CONTINUE;
}

static __always_inline int encap(struct pkt *pkt, const struct nexthop_body *nh, __be32 vni)
{
	switch (nh->header_len) {
	case 50:
		return encap_push(pkt, nh, vni, 50, 20, 8, 0);
	case 70:
		return encap_push(pkt, nh, vni, 70, 40, 8, 0);
	case 42:
		return encap_push(pkt, nh, vni, 42, 20, 0, 0);
	case 62:
		return encap_push(pkt, nh, vni, 62, 40, 0, 0);
	case 54:
		return encap_tagged(pkt, nh, vni, 54, 20, 8);
	case 74:
		return encap_tagged(pkt, nh, vni, 74, 40, 8);
	case 46:
		return encap_tagged(pkt, nh, vni, 46, 20, 0);
	case 66:
		return encap_tagged(pkt, nh, vni, 66, 40, 0);
	}
	return DROP(BAD_ACTION);
}
