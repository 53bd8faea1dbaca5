/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hub.h - the in-band header between the fast path and its coprocessors
 *
 *   | hub_header (96 bytes)                                     | inner Ethernet frame ...
 *   | Ethernet | IPv4 | UDP | why, from whom, for which flow    |
 *
 * A punted frame carries everything its way back needs. The header looks like an
 * IPv4/UDP packet, so that the kernel and tcpdump find nothing odd about it. In front of
 * a super-packet from a tcx port it is a long link-layer header to the kernel,
 * which repeats it before each segment and finishes the checksums behind it: a
 * coprocessor sees packets as they are on a wire. The coprocessor returns the same bytes with `verdict` filled in, and the near end
 * of the hub resumes there. Only Mirach's programs write to a hub: its ends are
 * internal, and nobody else has them.
 */
#pragma once

#include <mirach/types.h>
#include <mirach/wire.h>

#define HUB_UDP_PORT 0x4d49			/* in the header only; never on a network */
#define HUB_VERSION 1u

/*
 * Largest IP packet that the hub carries, and so the largest first packet of a
 * flow. One AF_XDP buffer is a page: 256 bytes of XDP headroom, 328 kept back for
 * the kernel's own tail, 14 of Ethernet; the hub header goes into the headroom.
 * From Linux 6.6 on a frame may have several buffers.
 */
#define HUB_PACKET_ONE 3498u			/* in one buffer */
#define HUB_PACKET_CHAIN 9216u			/* in several: as large as jumbo frames get */

enum hub_why {
	HUB_MISS = 1,				/* no flow entry: compile one, then resume */
	HUB_FRAGMENT = 2,			/* of a datagram with fragments that came before the first: hold, or release */
};

enum hub_verdict {
	HUB_PENDING = 0,			/* on its way to the coprocessor */
	HUB_RESUME = 1,				/* run flows[flow] if its action has this gen */
	HUB_DROP = 2,				/* drop with `reason`, counted for `port` */
};

struct hub_header {
	struct eth_header eth;			/* dmac with the group bit: never a host's address */
	struct ipv4_header ip;			/* lengths true, no addresses, no checksum */
	struct udp_header udp;			/* dport HUB_UDP_PORT */
	__u8 version;				/* HUB_VERSION */
	__u8 why;				/* enum hub_why */
	__u8 verdict;				/* enum hub_verdict */
	__u8 outer_tos;				/* fabric: TOS of the stripped outer header, for RFC 6040 */
	__u16 reason;				/* HUB_DROP: enum drop_reason */
	__u32 port;				/* slot of the port that took the frame */
	__u32 scope;				/* flow_key.scope */
	struct ip_addr outer;			/* flow_key.outer */
	__u32 flow;				/* HUB_RESUME: index into flows */
	__u32 gen;				/* HUB_RESUME: action.gen at that index */
	__be16 sport, dport;			/* HUB_MISS: flow_key's, which a later fragment has from the first */
	__u8 proto;				/* likewise */
	__u8 pad[11];				/* zero */
} MIRACH_PACKED MIRACH_ALIGNED(4);		/* no gap between Ethernet and IP, words aligned behind UDP */
_Static_assert(sizeof(struct hub_header) == 96, "hub_header layout");
