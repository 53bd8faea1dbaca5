/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * nexthop.h - where a flow goes, and the outer headers that take it there
 *
 * Flows share next hops: rewriting one moves every flow that points to it. A
 * tunnel next hop carries the whole outer encapsulation as a template that the
 * fast path copies in front of the frame, and then patches in five places:
 *
 *   Ethernet [802.1Q] | IPv4 or IPv6        | UDP              | VXLAN or Geneve
 *                     | length, DSCP/ECN,   | source port,     | VNI
 *                     | header checksum     | length           |
 *   Ethernet [802.1Q] | IPv4 or IPv6                           | GRE: key
 *
 * The VNI is the last word of every template (VXLAN, RFC 7348 section 5; Geneve
 * without options, RFC 8926 section 3.4; GRE key, RFC 2890 section 2), so the
 * length and the family say where all five are.
 *
 * Make before break: a next hop holds two bodies. The agent fills the idle one,
 * then flips `active` with one store; it waits out a grace period before it
 * touches the other. No packet sees half a header.
 *
 * Ways of equal cost: the next hop that flows name then holds no template but a
 * table of other next hops, one for each way. A packet's place in it follows from its
 * 5-tuple, whatever its flow's key is, so connections stay on their way and share the
 * ways out; when one dies, its places are given to the others by one write.
 */
#pragma once

#include <mirach/types.h>

enum nexthop_kind {
	NEXTHOP_DOWN = 0,			/* not resolved: drop, named */
	NEXTHOP_LOCAL = 1,			/* a vport of this host, no encapsulation */
	NEXTHOP_TUNNEL = 2,			/* a remote host: template in front, then out */
	NEXTHOP_SPREAD = 3,			/* a remote host with ways of equal cost: one of them for each connection */
};

/* Encapsulations; the value says which fields of the template are patched. */
enum tunnel_kind {
	TUNNEL_VXLAN = 1,			/* RFC 7348 */
	TUNNEL_GENEVE = 2,			/* RFC 8926 */
	TUNNEL_GRE = 3,				/* RFC 2784 + RFC 2890 key, carrying Ethernet (0x6558) */
};

/* Outer DSCP on encapsulation; the way back leaves the inner one alone. ECN always follows RFC 6040. */
enum dscp_mode {
	DSCP_UNIFORM = 0,			/* copy the inner DSCP outwards (RFC 2983 section 3.1) */
	DSCP_PIPE = 1,				/* fixed DSCP from the template's TOS */
};

#define NEXTHOP_WAYS 32u			/* places for which connections draw lots; several may name one way */
#define NEXTHOP_TEMPLATE_MAX 80u		/* 14 + 4 + 40 + 8 + 8 = 74, rounded up */
#define TUNNEL_ENTROPY_MIN 49152u		/* outer UDP source ports: the dynamic range (RFC 7348 section 5) */

struct nexthop_body {
	union {
		__u8 header[NEXTHOP_TEMPLATE_MAX]; /* ready outer headers, first byte first; lengths zero */
		__u16 way[NEXTHOP_WAYS];	/* NEXTHOP_SPREAD: ids of tunnel next hops */
	} MIRACH_ALIGNED(8);
	__u8 header_len;			/* bytes used: 42,46,50,54 (IPv4) or 62,66,70,74 (IPv6); 0 local */
	__u8 kind;				/* enum nexthop_kind */
	__u8 tunnel;				/* enum tunnel_kind */
	__u8 dscp;				/* enum dscp_mode */
	__u32 port;				/* port slot (devmap) to leave by */
	__u32 mtu;				/* largest inner IP packet that fits, bytes; spread: by every way */
	__u32 ip_sum;				/* sum of the outer IPv4 header's 16-bit words as loaded from memory, TOS, length, checksum 0 */
	__u8 tos;				/* DSCP_PIPE: outer TOS / traffic class without ECN */
	__u8 pad0[3];				/* zero */
	__u32 pad[3];				/* zero */
};
_Static_assert(sizeof(struct nexthop_body) == 112, "nexthop_body layout");

/* By other bits than the outer source port has, by which routers of the underlay choose in turn. */
MIRACH_INLINE __u32 nexthop_way(const struct nexthop_body *nh, __u64 digest)
{
	return nh->way[digest >> 40 & (NEXTHOP_WAYS - 1)];
}

/* Entry of map nexthops. Index 0 is never used. */
struct nexthop {
	__u32 active;				/* body[active & 1] is the one in force */
	__u32 slot;				/* of a set of hoverboards: which one, ... */
	__u64 set;				/* ... and of which set; 0 = a vport's, or a host's own */
	struct nexthop_body body[2];
	struct ip_addr remote;			/* tunnel: the remote host; with set and slot what a restarted agent finds its ids by */
};
_Static_assert(sizeof(struct nexthop) == 256, "nexthop layout");
