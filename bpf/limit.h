/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * limit.h - token buckets
 *
 * What a guest can make others do for it is limited per port: opening flows,
 * having errors sent. CPUs race benignly; a lost update lets one more through.
 */
#pragma once

#include <bpf/hook.h>
#include <mirach/port.h>

#define NS_PER_S 1000000000ull

/* Of maps miss_limits and error_limits: the guest's port, or the class of the host it came from. */
static __always_inline __u32 sender_limit(const struct pkt *pkt)
{
	return pkt->from_fabric ? PORT_MAX + fabric_class(&pkt->key.outer) : pkt->port;
}

/* Takes a token from @b, which fills with @rate tokens a second up to @burst. */
static __always_inline int token_take(struct token_bucket *b, __u32 rate, __u32 burst)
{
	__u64 full = (__u64)burst << TOKEN_SHIFT;
	__u64 now = bpf_ktime_get_ns(), idle, tokens;

	idle = now - b->stamp_ns;
	if (idle > NS_PER_S)
		idle = NS_PER_S;	/* a second fills any burst up to the rate */
	/* a token is 2^20 units and a second about 2^30 ns: rate x ns / 2^10 is within 8 % */
	tokens = b->tokens + (idle * rate >> 10);
	if (tokens > full)
		tokens = full;
	b->stamp_ns = now;
	if (tokens < 1ull << TOKEN_SHIFT) {
		b->tokens = tokens;
		return 0;
	}
	b->tokens = tokens - (1ull << TOKEN_SHIFT);
	return 1;
}
