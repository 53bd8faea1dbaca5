/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bucket.h - the walk through one bucket of a two-choice index
 *
 *	digest ─► bucket of 8 slots ─tag─► entry ─whole key─► found
 *
 * The flow index and the index of endpoints are one design (mirach/flow.h) over two
 * tables. Maps, mask and comparison are constants where this is inlined, so each
 * table gets code of its own.
 */
#pragma once

#include <bpf/hook.h>
#include <mirach/flow.h>

struct bucket_index {
	void *buckets, *entries;	/* maps */
	__u32 mask;
	int (*is)(const void *entry, const void *key);
};

/* The tag is 32 bits of the digest, the whole key decides. */
static __always_inline void *bucket_find(const struct bucket_index x, const void *key, __u64 digest,
					 __u32 choice, __u32 *ret_index)
{
	__u32 b = flow_bucket_of(digest, choice, x.mask);
	struct flow_bucket *bucket = bpf_map_lookup_elem(x.buckets, &b);

	if (!bucket)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FLOW_BUCKET_SLOTS; i++) {
		__u64 slot = bucket->slot[i];
		__u32 index = FLOW_SLOT_INDEX(slot);
		void *entry;

		if (FLOW_SLOT_TAG(slot) != flow_tag(digest))
			continue;
		entry = bpf_map_lookup_elem(x.entries, &index);
		if (entry && x.is(entry, key)) {
			*ret_index = index;
			return entry;
		}
	}
	return 0;
}

/* In the first of its two buckets, or in the second. */
static __always_inline void *index_find(const struct bucket_index x, const void *key, __u64 digest,
					__u32 *ret_index)
{
	return bucket_find(x, key, digest, 0, ret_index) ?:
	       bucket_find(x, key, digest, 1, ret_index);
}
