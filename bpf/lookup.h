/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lookup.h - from packet to flow: 3-tuple, 5-tuple, miss
 *
 * The layout and the digest are in mirach/flow.h. A lookup reads one cache line
 * of the index and two of the flow on the common path.
 */
#pragma once

#include <bpf/bucket.h>
#include <bpf/config.h>
#include <bpf/hook.h>

static __always_inline int is_flow(const void *flow, const void *key)
{
	return flow_key_equal(&((const struct flow *)flow)->key, key);
}

static __always_inline struct flow *flow_find(struct pkt *pkt, __u64 digest)
{
	const struct bucket_index index = { &flow_index, &flows, flow_bucket_mask, is_flow };

	return index_find(index, &pkt->key, digest, &pkt->flow);
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
