/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * endpoint.h - what a hoverboard knows of an instance, and how it is found
 *
 *	(VNI, address) --digest--> endpoint_index[bucket] --tag--> endpoints[index]
 *
 * The index is the flow index's design (flow.h) over a smaller key: a packet costs two such
 * lookups, one for where it goes and one for where it may come from. Together 48
 * bytes for each endpoint: half a cache line of its own, and two slots of an index that
 * is half full.
 *
 * A new endpoint is published by one store into the index. What may change while it
 * is published, its next hop and MAC, is one aligned word.
 */
#pragma once

#include <mirach/flow.h>

/* One word, read and written as a whole. */
struct endpoint_to {
	__u16 nexthop;				/* id of its host's; 0 = none */
	__u8 mac[ETH_ADDR_LEN];			/* of the instance */
} MIRACH_ALIGNED(8);
_Static_assert(sizeof(struct endpoint_to) == 8, "one store publishes it");

/* Entry of map endpoints. Index 0 is never used. */
struct endpoint {
	struct ip_addr addr;			/* inner address */
	__u32 vni;				/* host order */
	__u32 pad;				/* zero */
	struct endpoint_to to;
};
_Static_assert(sizeof(struct endpoint) == 32, "two endpoints a cache line");

#define ENDPOINT_NEXTHOPS 65536u		/* ids that endpoint_to can name */

/* The next power of two of @n / 4 buckets: eight slots each, at most half of them used. */
MIRACH_INLINE __u32 endpoint_buckets(__u32 n)
{
	__u32 buckets = 64;

	while (buckets < n / 4)
		buckets *= 2;
	return buckets;
}

/* As flow_digest(), over five words. Bucket and tag are flow_bucket_of() and flow_tag() of it. */
MIRACH_INLINE __u64 endpoint_digest(__u32 vni, const struct ip_addr *addr,
				    const volatile __u32 *seed)
{
	__u64 h = nh_pair(addr->w[0], addr->w[1], seed + 0) +
		  nh_pair(addr->w[2], addr->w[3], seed + 2) + nh_pair(vni, 0, seed + 4);

	h = (h ^ h >> 32) * 0x9e3779b97f4a7c15ull;
	return h ^ h >> 29;
}
