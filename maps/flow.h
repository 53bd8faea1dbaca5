/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/flow.h - flow key to action, and what each flow carried
 *
 * Default sizes suit a small host or a load by hand; the agent sets them from
 * limits.flows before it loads: n_flows + 1 entries (index 0 is never used) and
 * the next power of two of n_flows / 4 buckets, so that eight-slot buckets run
 * half full and an overflow of both choices is a rarity that eviction absorbs.
 */
#pragma once

#include <mirach/flow.h>

#define FLOWS_DEFAULT 65537

/*
 * what     two-choice hash index from digest to flow index (mirach/flow.h)
 * key      bucket number; value  struct flow_bucket, one cache line
 * writer   agent's flow thread, one atomic 8-byte store per change, through mmap
 * readers  fast path
 * size     64 B x n_flows / 4 = 16 B per flow. Pinned. Checkpoint: no, kept by the pin.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOW_BUCKETS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} flow_index SEC(".maps");

/*
 * what     the flows: whole key, and the action compiled for it
 * key      flow index, 1..n_flows; value  struct flow, two cache lines
 * writer   agent's flow thread, through mmap; an index is written only while no
 *          slot of flow_index names it, and reused only after a grace period
 * readers  fast path
 * size     128 B per flow. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FLOWS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct flow);
} flows SEC(".maps");

/*
 * what     packets and bytes of each flow
 * key      flow index; value  struct flow_stats, per CPU
 * writer   fast path, each CPU its own copy; readers: agent (idle = no change)
 * size     (8 + 16 x CPUs) B per flow. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, FLOWS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct flow_stats);
} flow_stats SEC(".maps");
