/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mss.h - the stage that keeps TCP segments within what fits
 *
 *   SYN | ... MSS 1460 ... |  ─►  SYN | ... MSS 1410 ... |    next hop takes 1450
 *
 * For guests whose firewalls throw ICMP away, and for paths that lose it: both ends of a
 * connection announce the largest segment they take (RFC 9293 section 3.7.1), and an
 * announcement that is too large for the way is lowered, never raised. Only packets with
 * SYN are looked into. A SYN without the option stays as it is: it asks for 536 or 1220.
 */
#pragma once

#include <bpf/hook.h>
#include <maps/nexthop.h>

#define TCP_FLAG_SYN 0x02
#define TCP_OPTIONS_MAX 40u
#define TCP_OPTION_MSS 2
#define TCP_SUM_AT 16u			/* of the checksum in the TCP header */

struct tcp_options {
	__u8 bytes[64];			/* of which TCP_OPTIONS_MAX; the verifier counts in powers of two */
	__u32 len;
};

/*
 * Offset of the MSS option's value, or 0: none. A function of its own for the verifier,
 * which looks at the walk once.
 */
__noinline int mss_option(const struct tcp_options *o)
{
	__u32 at = 0;

	if (!o)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < TCP_OPTIONS_MAX; i++) {
		__u32 kind, len;

		if (at > TCP_OPTIONS_MAX - 4 || at + 4 > o->len)
			return 0;
		kind = o->bytes[at];
		len = o->bytes[at + 1];
		if (kind == TCP_OPTION_MSS && len == 4)
			return at + 2;
		if (!kind || (kind != 1 && len < 2))
			return 0;
		at = forget(at + (kind == 1 ? 1 : len));
	}
	return 0;
}

static __always_inline __u32 nexthop_mtu(__u32 id)
{
	struct nexthop *nexthop = bpf_map_lookup_elem(&nexthops, &id);

	return nexthop ? nexthop->body[nexthop->active & 1].mtu : 0;
}

/* A next hop that is down has no MTU, and no say. */
static __always_inline __u32 mss_limit(const struct pkt *pkt, const struct action *action)
{
	__u32 headers = sizeof(struct tcp_header) + (pkt->frame.kind == FRAME_IPV6 ?
			sizeof(struct ipv6_header) : sizeof(struct ipv4_header));
	__u32 mtu = nexthop_mtu(action->nexthop), back = nexthop_mtu(action->mss_way);

	if (back && (!mtu || back < mtu))
		mtu = back;
	if (mtu <= headers || mtu - headers > action->mss)
		return action->mss;
	return mtu - headers;
}

static __noinline void stage_mss(struct pkt *pkt, const struct action *action)
{
	__u32 l4 = pkt->frame.l4 & 511, limit, at;
	struct tcp_header *tcp = pkt->data + l4;
	struct tcp_options options = {};
	__be16 *value, old, new;

	if (pkt->frame.fragment == FRAGMENT_LATER || (void *)(tcp + 1) > pkt->end ||
	    !(tcp->flags & TCP_FLAG_SYN))
		return;
	options.len = (tcp->offset >> 4) * 4 - sizeof(*tcp);
	if (!options.len)
		return;
	options.len = ((options.len - 1) & 63) + 1;	/* 6.1 wants 1..64 from arithmetic */
	if (hook_load(pkt, l4 + sizeof(*tcp), options.bytes, options.len))
		return;
	at = mss_option(&options);
	if (!at || at >= TCP_OPTIONS_MAX)
		return;
	limit = mss_limit(pkt, action);
	value = pkt->data + l4 + sizeof(*tcp) + at;
	if ((void *)(value + 1) > pkt->end || host16(*value) <= limit)
		return;
	old = *value;
	new = wire16(limit);
	*value = new;
	if (at & 1)			/* its bytes are in two words of the sum, each in the other's place */
		hook_l4_sum(pkt, l4 + TCP_SUM_AT, host16(old), host16(new));
	else
		hook_l4_sum(pkt, l4 + TCP_SUM_AT, old, new);
}
