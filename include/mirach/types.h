/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * types.h - the smallest words both sides of the kernel share
 *
 * Everything in include/mirach/ is compiled by clang for BPF and by the host
 * compiler for the agent and the tests. It needs <linux/types.h> and nothing
 * else: no libc, no kernel headers. Every struct that lives in a map pads
 * explicitly and asserts its size, so that a change of layout is a build error
 * and not a riddle on a running host.
 *
 * See also: abi.h (the sequence number that guards pinned maps).
 */
#pragma once

#include <linux/types.h>

#define MIRACH_INLINE static inline __attribute__((always_inline, unused))
#define MIRACH_PACKED __attribute__((packed))
#define MIRACH_ALIGNED(n) __attribute__((aligned(n)))

#define ETH_ADDR_LEN 6

/*
 * Returns @x. The BPF verifier does not follow byte swaps (6.1 to 6.18) and so forgets what
 * it knew of the value: different ways through a parser continue as one, instead of
 * each being followed to the end of the program.
 */
MIRACH_INLINE __u64 forget(__u64 x)
{
#ifdef __bpf__
	asm volatile("%0 = be64 %0; %0 = be64 %0" : "+r"(x));
#endif
	return x;
}

/* An IPv4 or IPv6 address, network byte order; IPv4 as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2). */
struct ip_addr {
	__be32 w[4];
};
_Static_assert(sizeof(struct ip_addr) == 16, "ip_addr is 16 bytes");

/* 0xffff in network order, whatever the host's is: word 2 of a v4-mapped address. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define IP_ADDR_V4_PREFIX ((__be32)0xffff0000u)
#else
#define IP_ADDR_V4_PREFIX ((__be32)0x0000ffffu)
#endif

MIRACH_INLINE int ip_addr_is_v4(const struct ip_addr *a)
{
	return !a->w[0] && !a->w[1] && a->w[2] == IP_ADDR_V4_PREFIX;
}

MIRACH_INLINE void ip_addr_set_v4(struct ip_addr *a, __be32 v4)
{
	a->w[0] = 0;
	a->w[1] = 0;
	a->w[2] = IP_ADDR_V4_PREFIX;
	a->w[3] = v4;
}

MIRACH_INLINE int ip_addr_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return !((a->w[0] ^ b->w[0]) | (a->w[1] ^ b->w[1]) |
		 (a->w[2] ^ b->w[2]) | (a->w[3] ^ b->w[3]));
}
