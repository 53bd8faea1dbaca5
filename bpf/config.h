/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * config.h - what is fixed when the object is loaded
 *
 * Constants in .rodata: the agent sets them before loading, the verifier sees
 * their values and prunes by them. The defaults serve a load by hand, where no
 * secret protects the buckets (docs/by-hand.md).
 */
#pragma once

#include <mirach/abi.h>

#include <maps/flow.h>

const volatile __u32 flow_secret[FLOW_SECRET_WORDS] = {
	0x243f6a89, 0x85a308d3, 0x13198a2f, 0x03707345, 0xa4093823, 0x299f31d1, 0x082efa99, 0xec4e6c89,
	0x452821e7, 0x38d01377, 0xbe5466cf, 0x34e90c6d, 0xc0ac29b7, 0xc97c50dd, 0x3f84d5b5, 0xb5470917,
};
const volatile __u32 flow_bucket_mask = FLOW_BUCKETS_DEFAULT - 1;
