/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * port.h - ports: guests' vports, uplinks and hubs
 *
 * Every device a program is attached to, or a packet leaves by, has a dense
 * slot. The slot indexes ports, usage, drops, miss_limits and the devmap alike.
 * A program learns its slot from the ingress ifindex through port_index: buckets
 * of one cache line chosen by the low bits of the ifindex, which the kernel
 * hands out in sequence.
 */
#pragma once

#include <mirach/types.h>

#define PORT_MAX 4096u				/* slots; slot 0 stands for "no port we know" */
#define PORT_INDEX_BUCKETS 1024u
#define PORT_BUCKET_SLOTS 8u
#define PORT_NONE 0u
#define PORT_NAME_LEN 64

enum port_kind {
	PORT_FREE = 0,
	PORT_VPORT = 1,				/* a guest: tap or veth */
	PORT_UPLINK = 2,			/* towards the underlay */
	PORT_HUB = 3,				/* near end of a coprocessor's veth pair: punted frames leave, resumed ones enter */
	PORT_HUB_FAR = 4,			/* far end of it: feeds the coprocessor's socket */
};

/* One slot of map port_index: ifindex << 32 | port slot, zero when empty. */
struct port_bucket {
	__u64 slot[PORT_BUCKET_SLOTS];
};
_Static_assert(sizeof(struct port_bucket) == 64, "a bucket is one cache line");

#define PORT_INDEX_SLOT(ifindex, port) ((__u64)(ifindex) << 32 | (port))

/* struct port.flags */
#define PORT_REDIRECT_PEER 1u			/* tcx may hand frames straight to the guest's end of a veth */
#define PORT_MUTED 2u				/* the device is down: tcx redirects nothing to it, as XDP finds no device in port_devs */
#define PORT_FINISHES 4u			/* for agents: one of them switched a checksum offload off, the guest's or the uplink's */
#define PORT_HOVERBOARD 8u			/* uplink: sends on what is for endpoints elsewhere, and answers S-BFD */
#define PORT_NO_TUNNELLED 16u			/* vport: the device takes no super-packet that remembers a tunnel (a tap) */

/* Entry of map ports. */
struct port {
	__u32 ifindex;				/* 0 while the device is away */
	__u32 vni;				/* vport: its network, host order */
	__u32 hub;				/* slot of the hub that takes this port's misses; far end: index into hub_socks */
	__u32 mtu;				/* largest IP packet the device takes, bytes */
	__u8 mac[ETH_ADDR_LEN];			/* vport: the guest's; uplink: the device's */
	__u8 kind;				/* enum port_kind */
	__u8 tunnel;				/* uplink: enum tunnel_kind taken apart here */
	__be16 tunnel_port;			/* uplink: outer UDP destination port; 0 for GRE */
	__u16 vlan;				/* uplink: VID | FLOW_VLAN_PRESENT the underlay uses, 0 = untagged */
	__u32 miss_rate;			/* packets per second that may punt; 0 = none may */
	__u32 miss_burst;			/* packets */
	__u32 flags;				/* PORT_* */
	__u32 pad;				/* zero */
	struct ip_addr underlay[2];		/* uplink: this host's tunnel endpoints, IPv4 then IPv6; zero = none */
	struct ip_addr gateway[2];		/* vport: the virtual gateway's addresses, likewise */
	char name[PORT_NAME_LEN];		/* NUL-terminated; a restarted agent finds its slots by it */
	__u8 proxy[2];				/* vport: length of the prefix around `gateway` whose addresses are all answered for, + 1; 0 = none */
	__u16 tail0;				/* zero, ... */
	__u32 tail[4];				/* ... up to 192 bytes */
};
_Static_assert(sizeof(struct port) == 192, "port layout");

/* Key and value of map neighbours: who answers ARP and Neighbour Discovery in a network. */
struct neighbour_key {
	__u32 vni;				/* host order */
	struct ip_addr addr;
};
_Static_assert(sizeof(struct neighbour_key) == 20, "neighbour_key layout");

struct neighbour {
	__u8 mac[ETH_ADDR_LEN];
	__u8 router;				/* 1 for the virtual gateway: sets the R flag of advertisements */
	__u8 pad;				/* zero */
	__u32 port;				/* local vport slot that owns the address, or 0: never answered to itself */
};
_Static_assert(sizeof(struct neighbour) == 12, "neighbour layout");

/*
 * Entry of map usage, per CPU, by port slot. At rest, for every port:
 *
 *   in + resumed = out + replied + passed + punted + sum of drops
 *
 * and, once the hub is quiet, punted = resumed + lost in the hub (which the
 * agent adds to the drops as hub_overflow).
 */
struct usage {
	__u64 in;				/* frames that arrived at the port's program; twice if passed and then unwrapped by the kernel */
	__u64 in_bytes;
	__u64 out;				/* frames redirected on towards their destination */
	__u64 out_bytes;			/* of the inner frames, as they leave: before encapsulation */
	__u64 replied;				/* answered here: ARP, ND, echo of the gateway */
	__u64 passed;				/* left to the host's own stack (uplinks) */
	__u64 punted;				/* handed to a coprocessor */
	__u64 resumed;				/* came back from a coprocessor in this port's name */
	__u64 delivered;			/* frames redirected into this port, whoever sent them */
	__u64 delivered_bytes;
	__u64 pad[6];				/* zero, up to 128 bytes */
};
_Static_assert(sizeof(struct usage) == 128, "usage layout");

/* Entry of maps miss_limits and error_limits: what may still be done, and since when. */
struct token_bucket {
	__u64 tokens;				/* in units of 1/2^20 */
	__u64 stamp_ns;				/* bpf_ktime_get_ns() of the last refill */
};
_Static_assert(sizeof(struct token_bucket) == 16, "token_bucket layout");

#define TOKEN_SHIFT 20
/*
 * Ports, and behind them the classes of hosts that frames from the fabric come from, fabric_class(): a
 * flooding host starves few others.
 */
#define SENDERS (PORT_MAX + 256u)
