/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hub.h - the in-band header between the fast path and its coprocessors
 *
 *   | hub_header (64 bytes)                         | inner Ethernet frame ...
 *   | Ethernet, type 0x88b5 | why, who, which flow  |
 *
 * A punted frame carries everything its way back needs. It begins like an
 * Ethernet frame of the local experimental type (IEEE 802-2014 section 9.2.3.1)
 * so that the kernel and tcpdump find nothing odd about it. The coprocessor
 * returns the same bytes with `verdict` filled in; the near end of the hub
 * resumes there. Only Mirach's programs write to a hub: its ends are internal,
 * and nobody else has them.
 */
#pragma once

#include <mirach/types.h>

#define HUB_ETHERTYPE 0x88b5u
#define HUB_VERSION 1u

enum hub_why {
	HUB_MISS = 1,				/* no flow entry: compile one, then resume */
};

enum hub_verdict {
	HUB_PENDING = 0,			/* on its way to the coprocessor */
	HUB_RESUME = 1,				/* run flows[flow] if its action has this gen */
	HUB_DROP = 2,				/* drop with `reason`, counted for `port` */
};

struct hub_header {
	__u8 dmac[ETH_ADDR_LEN];		/* zero but for the group bit: never a host's address */
	__u8 smac[ETH_ADDR_LEN];
	__be16 ethertype;			/* HUB_ETHERTYPE */
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
	__u32 pad[3];				/* zero */
};
_Static_assert(sizeof(struct hub_header) == 64, "hub_header layout");
