/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow.h - flow keys, the flow index, and how one leads to the other
 *
 *   flow_key --digest--> 64 bits --+-- low half: first bucket ---> flow_index[b]
 *                                  |                               8 slots {tag, index}
 *                                  +-- high half: tag, and with it the second bucket
 *                                           |
 *                                           v  tag matches
 *                                      flows[index] = { key, action }   key compared whole
 *
 * The flow index is a two-choice hash table laid out in a BPF array: a bucket
 * is one cache line of eight slots, a slot is one aligned 64-bit word. The agent
 * is its only writer and publishes or retires a flow with one atomic store, so a
 * lookup takes no lock, no helper call and no copy, and the width of the key
 * costs almost nothing (docs/decisions/0001-flow-index.md has the measurement).
 *
 * Two digests may collide: the key stored beside the action decides. The digest
 * is NH (UMAC, RFC 4418 section 5.2.2) over 32-bit words with secret seeds, so a
 * guest that does not know the secret cannot aim at a bucket.
 */
#pragma once

#include <mirach/abi.h>
#include <mirach/action.h>
#include <mirach/types.h>

/*
 * Where a packet entered. A vport's packets carry the vport's slot; packets from
 * the fabric carry the VNI, and their outer source stands in flow_key.outer.
 * An entry exists only if the agent has verified the sender for that scope.
 */
#define SCOPE_VPORT 0x80000000u			/* | vport slot */
#define SCOPE_FABRIC 0x40000000u		/* | VNI, 24 bits */
#define SCOPE_VERIFIED 0x20000000u		/* beside SCOPE_FABRIC: the source is an endpoint of the outer source's */
#define SCOPE_ID(scope) ((scope) & 0x00ffffffu)

#define FLOW_VLAN_PRESENT 0x1000u		/* set in flow_key.vlan[] beside a VID */

/* How much of the packet a key speaks for. */
#define FLOW_TUPLE_3 3u				/* addresses and protocol; ports are zero */
#define FLOW_TUPLE_5 5u

/*
 * Key of a flow. ICMP and ICMPv6 carry type and code in the ports, as
 * sport = type, dport = code, both in network order.
 */
struct flow_key {
	struct ip_addr src;			/* inner source */
	struct ip_addr dst;			/* inner destination */
	struct ip_addr outer;			/* outer source; all zero in a vport scope */
	__u32 scope;				/* SCOPE_* | id */
	__be16 sport;
	__be16 dport;
	__u16 vlan[2];				/* VIDs of the inner frame, outermost first; 0 = no tag */
	__u8 proto;				/* IANA protocol number after extension headers */
	__u8 tuple;				/* FLOW_TUPLE_3 or FLOW_TUPLE_5 */
	__u16 pad;				/* zero */
} MIRACH_ALIGNED(8);
_Static_assert(sizeof(struct flow_key) == 64, "a key is one cache line");

/* Entry of map flows. Index 0 is never used, so that an all-zero slot is an empty one. */
struct flow {
	struct flow_key key;
	struct action action;
};
_Static_assert(sizeof(struct flow) == 128, "a flow is two cache lines");

#define FLOW_BUCKET_SLOTS 8u

/* Entry of map flow_index: slots are tag << 32 | flow index, zero when empty. */
struct flow_bucket {
	__u64 slot[FLOW_BUCKET_SLOTS];
};
_Static_assert(sizeof(struct flow_bucket) == 64, "a bucket is one cache line");

/* Entry of map flow_stats, per CPU. Monotonic while the index belongs to one flow. */
struct flow_stats {
	__u64 packets;
	__u64 bytes;				/* of the inner frame, Ethernet header included */
};

#define FLOW_SLOT(tag, index) ((__u64)(tag) << 32 | (index))
#define FLOW_SLOT_TAG(slot) ((__u32)((slot) >> 32))
#define FLOW_SLOT_INDEX(slot) ((__u32)(slot))

MIRACH_INLINE __u64 nh_pair(__u32 a, __u32 b, const volatile __u32 *seed)
{
	return (__u64)(__u32)(a + seed[0]) * (__u32)(b + seed[1]);
}

/*
 * First part of the digest: what the 3-tuple and the 5-tuple of a packet share.
 * @seed: FLOW_SECRET_WORDS words, abi_record.secret.
 */
MIRACH_INLINE __u64 flow_digest_addrs(const struct flow_key *k, const volatile __u32 *seed)
{
	return nh_pair(k->src.w[0], k->src.w[1], seed + 0) +
	       nh_pair(k->src.w[2], k->src.w[3], seed + 2) +
	       nh_pair(k->dst.w[0], k->dst.w[1], seed + 4) +
	       nh_pair(k->dst.w[2], k->dst.w[3], seed + 6) +
	       nh_pair(k->outer.w[0], k->outer.w[1], seed + 8) +
	       nh_pair(k->outer.w[2], k->outer.w[3], seed + 10);
}

/* Second part: scope, ports, tags, protocol. The final mix spreads NH's sum over all bits. */
MIRACH_INLINE __u64 flow_digest_finish(__u64 addrs, const struct flow_key *k,
				       const volatile __u32 *seed)
{
	__u32 ports = (__u32)k->sport << 16 | k->dport;
	__u32 vlans = (__u32)k->vlan[0] << 16 | k->vlan[1];
	__u32 kind = (__u32)k->proto << 8 | k->tuple;
	__u64 h = addrs + nh_pair(k->scope, ports, seed + 12) + nh_pair(vlans, kind, seed + 14);

	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}

MIRACH_INLINE __u64 flow_digest(const struct flow_key *k, const volatile __u32 *seed)
{
	return flow_digest_finish(flow_digest_addrs(k, seed), k, seed);
}

MIRACH_INLINE __u32 flow_tag(__u64 digest)
{
	return digest >> 32;
}

/* @choice 0 or 1; @mask: number of buckets - 1. */
MIRACH_INLINE __u32 flow_bucket_of(__u64 digest, unsigned int choice, __u32 mask)
{
	__u32 first = digest;

	return (choice ? first ^ (flow_tag(digest) | 1) * 0x5bd1e995u : first) & mask;
}

/* Senders from the fabric share limits and eviction by class of their outer source. */
#define FABRIC_CLASSES 256u

MIRACH_INLINE __u32 fabric_class(const struct ip_addr *outer)
{
	__u32 mixed = (outer->w[0] ^ outer->w[1] ^ outer->w[2] ^ outer->w[3]) * 0x9e3779b1u;

	return mixed >> 24;
}

MIRACH_INLINE int flow_key_equal(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) |
		 (x[4] ^ y[4]) | (x[5] ^ y[5]) | (x[6] ^ y[6]) | (x[7] ^ y[7]));
}
