/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * abi.h - the sequence number and the sizes that guard pinned maps
 *
 * Pinned maps outlive the agent that made them. The agent writes an abi_record
 * into the pinned map "abi" when it creates the set and compares it before it
 * adopts one: a different sequence number or size means "made by another
 * Mirach", and the agent says so instead of misreading the bytes.
 *
 * Raise MIRACH_ABI_SEQ with every change of a struct or meaning in this folder.
 */
#pragma once

#include <mirach/types.h>

#define MIRACH_ABI_SEQ 5u

#define FLOW_SECRET_WORDS 16

/* What an object loaded by hand has built in: no secret, so no protection of the buckets. */
#define FLOW_BUCKETS_DEFAULT 16384
#define FLOW_SECRET_DEFAULT                                                             \
	{                                                                               \
		0x243f6a89, 0x85a308d3, 0x13198a2f, 0x03707345, 0xa4093823, 0x299f31d1, \
		0x082efa99, 0xec4e6c89, 0x452821e7, 0x38d01377, 0xbe5466cf, 0x34e90c6d, \
		0xc0ac29b7, 0xc97c50dd, 0x3f84d5b5, 0xb5470917,                         \
	}

/* Value of map "abi" (one entry). Written once by the agent, before anything is attached. */
struct abi_record {
	__u32 seq;				/* MIRACH_ABI_SEQ */
	__u32 n_buckets;			/* entries of map flow_index, a power of two */
	__u32 n_flows;				/* entries of map flows and flow_stats */
	__u32 n_endpoints;			/* entries of map endpoints, and endpoint_buckets() of it */
	__u32 secret[FLOW_SECRET_WORDS];	/* seeds of flow_digest(), random per map set */
};
_Static_assert(sizeof(struct abi_record) == 80, "abi_record layout");
