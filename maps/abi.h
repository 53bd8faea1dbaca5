/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/abi.h - who made this set of maps
 */
#pragma once

#include <mirach/abi.h>

/*
 * what     layout sequence number, table sizes and digest secret of this map set
 * key      0; value  struct abi_record
 * writer   agent, once, before anything is attached; readers: agent on adoption,
 *          mirachctl by-hand tools. The fast path has the same facts as constants.
 * size     1 entry, 80 bytes. Pinned. In the checkpoint: no, it guards it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct abi_record);
} abi SEC(".maps");
