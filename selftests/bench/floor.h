/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * floor.h - words that floor.bpf.c shares with the tools that load it
 */
#pragma once

#include <mirach/types.h>

#define FLOOR_HEADER_LEN 50u		/* Ethernet, IPv4, UDP, VXLAN */
#define FLOOR_FLOWS_MAX (1u << 21)

/* Keys of floor_devs, values of floor_flows. */
enum floor_device { FLOOR_FABRIC, FLOOR_GUEST, FLOOR_DEVICES };

#define FLOOR_HEADER_WORDS 6u

/* The fixed header, lengths and checksum zero: six words and a half-word. */
struct floor_template {
	__u64 words[FLOOR_HEADER_WORDS];
	__u16 rest;
	__u16 pad;
	__u32 ip_sum;			/* one's complement sum of the outer IPv4 header */
};
_Static_assert(sizeof(struct floor_template) == 56, "floor_template layout");

struct floor_key {
	__be32 src, dst;
	__be16 sport, dport;
	__u32 proto;
};
_Static_assert(sizeof(struct floor_key) == 16, "floor_key layout");
