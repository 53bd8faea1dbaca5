/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pkt.h - the cursor: one packet on its way through the fast path
 *
 * The only holder of packet pointers. Every step takes a struct pkt and returns
 * CONTINUE or a verdict; the single exit (exit.h) counts the verdict and turns it
 * into what the hook returns.
 *
 *   CONTINUE (0)   go on
 *   VERDICT_* (>0) done, and how
 *   -reason  (<0)  dropped, and why (mirach/reasons.def)
 *
 * `data` and `end` die with every resize; the hook_* functions that resize reload them.
 */
#pragma once

#include <mirach/flow.h>
#include <mirach/parse.h>
#include <mirach/port.h>

enum verdict {
	CONTINUE = 0,
	VERDICT_OUT,			/* redirected towards its destination */
	VERDICT_REPLIED,		/* answered, the answer goes back to the port */
	VERDICT_PASSED,			/* not ours: the host's stack gets it */
	VERDICT_PUNTED,			/* handed to a coprocessor */
};

#define DROP(reason) (-(int)REASON_##reason)

struct pkt {
	HOOK_CTX *ctx;
	void *data, *end;		/* first buffer of the frame */
	struct usage *books;		/* of the port that took the frame */
	__u64 digest;			/* of key as a 5-tuple: entropy, sampling */
	struct flow_key key;
	struct frame frame;		/* what the parser learned */
	__u32 len;			/* bytes of the whole frame, as long as it is not encapsulated */
	__u32 port;			/* slot of the port that took the frame */
	__u32 flow;			/* index into flows, once found */
	__u32 mtu;			/* dropped as TOO_BIG: the largest IP packet that fits */
	__u8 outer_tos;			/* fabric: of the stripped outer header */
	__u8 from_fabric;
	__u8 why;			/* enum hub_why: it comes back from there; 0 = it is on its first way */
};

/* Copies @len bytes between two places clang knows no alignment of; @len is a constant. */
static __always_inline void copy_bytes(void *dst, const void *src, const __u32 len)
{
	__u32 i = 0;

	for (; i + 8 <= len; i += 8)
		*(__u64 *)(dst + i) = *(__u64 *)(src + i);
	if (len & 4) {
		*(__u32 *)(dst + i) = *(__u32 *)(src + i);
		i += 4;
	}
	if (len & 2)
		*(__u16 *)(dst + i) = *(__u16 *)(src + i);
}

/* Both Ethernet addresses of the frame at once: struct action keeps them in wire order. */
static __always_inline void copy_macs(void *eth, const void *macs)
{
	copy_bytes(eth, macs, 2 * ETH_ADDR_LEN);
}

/* Folds a sum of 16-bit words to the value a header carries; RFC 1071. */
static __always_inline __be16 sum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* Checksum after one 16-bit word changed from @old to @new; RFC 1624 equation 3. */
static __always_inline __be16 sum_replace(__be16 check, __be16 old, __be16 new)
{
	return sum_fold((__u16)~check + (__u16)~old + (__u32)new);
}

/* L3 header of the parsed frame, or NULL: the one place that turns an offset into a pointer. */
static __always_inline void *pkt_l3(struct pkt *pkt, const __u32 len)
{
	void *l3 = pkt->data + (pkt->frame.l3 & 31);

	return l3 + len > pkt->end ? 0 : l3;
}
