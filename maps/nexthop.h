/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/nexthop.h - where flows leave to
 */
#pragma once

#include <mirach/nexthop.h>

#define NEXTHOPS_DEFAULT 16384

/*
 * what     next hops: local vports, remote hosts with their outer headers
 * key      next hop id, 1..; value  struct nexthop (two bodies, one in force)
 * writer   agent's main thread, through mmap: fills the idle body, flips `active`
 * readers  fast path
 * size     256 B x (local vports + remote hosts); 4 MiB at the default.
 *          Pinned. Checkpoint: no, resolved anew.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, NEXTHOPS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct nexthop);
} nexthops SEC(".maps");
