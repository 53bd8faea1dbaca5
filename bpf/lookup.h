/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lookup.h - from packet to flow: 3-tuple, 5-tuple, miss
 *
 * The layout and the digest are in mirach/flow.h. A lookup reads one cache line
 * of the index and two of the flow on the common path.
 */
#pragma once

#include <bpf/config.h>
#include <bpf/hook.h>

/* One bucket. The tag is 32 bits of the digest, the whole key decides. */
static __always_inline struct flow *flow_in_bucket(const struct flow_key *key, __u64 digest,
						   __u32 choice, __u32 *ret_index)
{
	__u32 b = flow_bucket_of(digest, choice, flow_bucket_mask);
	struct flow_bucket *bucket = bpf_map_lookup_elem(&flow_index, &b);

	if (!bucket)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FLOW_BUCKET_SLOTS; i++) {
		__u64 slot = bucket->slot[i];
		__u32 index = FLOW_SLOT_INDEX(slot);
		struct flow *flow;

		if (FLOW_SLOT_TAG(slot) != flow_tag(digest))
			continue;
		flow = bpf_map_lookup_elem(&flows, &index);
		if (flow && flow_key_equal(&flow->key, key)) {
			*ret_index = index;
			return flow;
		}
	}
	return 0;
}

static __always_inline struct flow *flow_find(struct pkt *pkt, __u64 digest)
{
	struct flow *flow = flow_in_bucket(&pkt->key, digest, 0, &pkt->flow);

	return flow ?: flow_in_bucket(&pkt->key, digest, 1, &pkt->flow);
}

/*
 * Fills in pkt->digest and looks for a flow that needs no ports; @addrs is
 * flow_digest_addrs() of the key. On a miss the key is left as the 5-tuple's.
 */
static __always_inline struct flow *flow_lookup_3(struct pkt *pkt, __u64 addrs)
{
	struct flow_key *key = &pkt->key;
	__be16 sport = key->sport, dport = key->dport;
	struct flow *flow;
	__u64 digest3;

	key->tuple = FLOW_TUPLE_5;
	pkt->digest = flow_digest_finish(addrs, key, flow_secret);
	key->tuple = FLOW_TUPLE_3;
	key->sport = 0;
	key->dport = 0;
	digest3 = flow_digest_finish(addrs, key, flow_secret);
	if (pkt->frame.fragment)
		pkt->digest = digest3;	/* later fragments have no ports: keep them on one path */
	flow = flow_find(pkt, digest3);
	if (flow)
		return flow;
	key->tuple = FLOW_TUPLE_5;
	key->sport = sport;
	key->dport = dport;
	return 0;
}

static __always_inline struct flow *flow_lookup_5(struct pkt *pkt, __u64 addrs)
{
	return flow_find(pkt, flow_digest_finish(addrs, &pkt->key, flow_secret));
}
