/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wire.h - headers as they are on the wire
 *
 * Only what Mirach reads or writes, in network byte order, each with its
 * source. Bit fields are masks, so the layout is the same for every compiler.
 */
#pragma once

#include <mirach/types.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define wire16(x) ((__be16)__builtin_bswap16((__u16)(x)))
#define wire32(x) ((__be32)__builtin_bswap32((__u32)(x)))
#else
#define wire16(x) ((__be16)(x))
#define wire32(x) ((__be32)(x))
#endif
#define host16(x) ((__u16)wire16(x))		/* a byte swap is its own inverse */
#define host32(x) ((__u32)wire32(x))

/* Ethernet II; IEEE 802.3 section 3.2.6. */
struct eth_header {
	__u8 dmac[ETH_ADDR_LEN];
	__u8 smac[ETH_ADDR_LEN];
	__be16 type;
};
_Static_assert(sizeof(struct eth_header) == 14, "Ethernet header");

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_TEB 0x6558			/* Transparent Ethernet Bridging, RFC 1701 */
#define ETHERTYPE_VLAN 0x8100			/* C-tag, IEEE 802.1Q */
#define ETHERTYPE_QINQ 0x88a8			/* S-tag, IEEE 802.1ad */
#define ETHERTYPE_IPV6 0x86dd

/* What follows the type field of a tagged frame. */
struct vlan_header {
	__be16 tci;
	__be16 type;
};
#define VLAN_VID_MASK 0x0fffu

/* ARP for Ethernet and IPv4; RFC 826. */
struct arp_header {
	__be16 hardware;			/* 1 */
	__be16 protocol;			/* ETHERTYPE_IPV4 */
	__u8 hardware_len;			/* 6 */
	__u8 protocol_len;			/* 4 */
	__be16 operation;
	__u8 sender_mac[ETH_ADDR_LEN];
	__u8 sender_ip[4];
	__u8 target_mac[ETH_ADDR_LEN];
	__u8 target_ip[4];
};
_Static_assert(sizeof(struct arp_header) == 28, "ARP header");
#define ARP_REQUEST 1
#define ARP_REPLY 2

/* IPv4; RFC 791 section 3.1. */
struct ipv4_header {
	__u8 version_ihl;
	__u8 tos;				/* DSCP (RFC 2474) and ECN (RFC 3168) */
	__be16 total_len;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 proto;
	__be16 checksum;
	__be32 src;
	__be32 dst;
};
_Static_assert(sizeof(struct ipv4_header) == 20, "IPv4 header");
#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET_MASK 0x1fff

/* IPv6; RFC 8200 section 3. */
struct ipv6_header {
	__be32 version_class_label;
	__be16 payload_len;
	__u8 next;
	__u8 hop_limit;
	struct ip_addr src;
	struct ip_addr dst;
};
_Static_assert(sizeof(struct ipv6_header) == 40, "IPv6 header");

/* Common start of hop-by-hop, routing and destination options; RFC 8200 section 4. */
struct ipv6_extension {
	__u8 next;
	__u8 len8;				/* in units of 8 bytes, not counting the first 8 */
};

/* Fragment header; RFC 8200 section 4.5. */
struct ipv6_fragment {
	__u8 next;
	__u8 reserved;
	__be16 offset;				/* offset << 3 | reserved << 1 | M */
	__be32 id;
};
#define IPV6_OFFSET_MASK 0xfff8u		/* in bytes as it stands */
#define IPV6_MF 1u

/* UDP; RFC 768. */
struct udp_header {
	__be16 sport;
	__be16 dport;
	__be16 len;
	__be16 checksum;
};
_Static_assert(sizeof(struct udp_header) == 8, "UDP header");

/* BFD control packet without authentication; RFC 5880 section 4.1. */
struct bfd_header {
	__u8 version_diag;
	__u8 state_flags;
	__u8 detect_mult;
	__u8 len;
	__be32 my_discriminator;
	__be32 your_discriminator;
	__be32 min_tx, min_rx, min_echo_rx;	/* microseconds */
};
_Static_assert(sizeof(struct bfd_header) == 24, "BFD control packet");
#define BFD_VERSION 1
#define BFD_STATE_UP 0xc0
#define BFD_STATE_MASK 0xc0
#define BFD_POLL 0x20
#define BFD_FINAL 0x10
#define BFD_INDEPENDENT 0x08			/* of the control plane */
#define BFD_AUTH 0x04
#define BFD_DEMAND 0x02
#define SBFD_PORT 7784				/* RFC 7881 section 3 */

/* What a hoverboard answers to; RFC 7880 section 3.1 leaves the choice: its address, IPv6 folded. */
MIRACH_INLINE __be32 sbfd_discriminator(const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? addr->w[3] :
				     addr->w[0] ^ addr->w[1] ^ addr->w[2] ^ addr->w[3];
}

/* The first words of TCP (RFC 9293 section 3.1); 20 bytes at least. */
struct tcp_header {
	__be16 sport;
	__be16 dport;
	__be32 seq;
	__be32 ack;
	__u8 offset;				/* header length in 4-byte words << 4 */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
};
_Static_assert(sizeof(struct tcp_header) == 20, "TCP header");

/* SCTP common header; RFC 9260 section 3.1. */
struct sctp_header {
	__be16 sport;
	__be16 dport;
	__be32 tag;
	__be32 checksum;
};

/* ICMP (RFC 792) and ICMPv6 (RFC 4443): the part all types share. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be32 rest;
};
_Static_assert(sizeof(struct icmp_header) == 8, "ICMP header");
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8
#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129
#define ICMPV6_NEIGHBOUR_SOLICITATION 135
#define ICMPV6_NEIGHBOUR_ADVERTISEMENT 136

/* Neighbour Solicitation and Advertisement after the shared part; RFC 4861 sections 4.3, 4.4. */
struct nd_header {
	struct icmp_header icmp;		/* rest: R, S, O flags of an advertisement */
	struct ip_addr target;
};
#define ND_FLAG_ROUTER 0x80000000u
#define ND_FLAG_SOLICITED 0x40000000u
#define ND_FLAG_OVERRIDE 0x20000000u

/* Source or target link-layer address option for Ethernet; RFC 4861 section 4.6.1. */
struct nd_option_mac {
	__u8 type;				/* 1 source, 2 target */
	__u8 len8;				/* 1 */
	__u8 mac[ETH_ADDR_LEN];
};

/* VXLAN; RFC 7348 section 5. */
struct vxlan_header {
	__be32 flags;
	__be32 vni;				/* VNI << 8 */
};
#define VXLAN_FLAG_VNI 0x08000000u
#define VXLAN_PORT 4789

/* Geneve without options; RFC 8926 section 3.4. */
struct geneve_header {
	__u8 version_len4;			/* version << 6 | options length in 4-byte words */
	__u8 flags;
	__be16 protocol;			/* ETHERTYPE_TEB */
	__be32 vni;				/* VNI << 8 */
};
#define GENEVE_FLAG_OAM 0x80
#define GENEVE_FLAG_CRITICAL 0x40
#define GENEVE_PORT 6081

/* GRE with key and nothing else; RFC 2784 section 2, RFC 2890 section 2. */
struct gre_header {
	__be16 flags;
	__be16 protocol;			/* ETHERTYPE_TEB */
	__be32 key;				/* the VNI itself, as "ip link add type gretap key VNI" has it */
};
#define GRE_FLAG_CHECKSUM 0x8000
#define GRE_FLAG_KEY 0x2000
#define GRE_FLAG_SEQUENCE 0x1000

/* IANA protocol numbers. */
#define PROTO_HOPOPTS 0
#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_UDP 17
#define PROTO_ROUTING 43
#define PROTO_FRAGMENT 44
#define PROTO_GRE 47
#define PROTO_ESP 50
#define PROTO_AH 51
#define PROTO_ICMPV6 58
#define PROTO_NONE 59
#define PROTO_DSTOPTS 60
#define PROTO_SCTP 132
