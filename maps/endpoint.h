/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/endpoint.h - a hoverboard's table: every instance of its networks
 *
 * The agent sets the sizes from limits.endpoints before it loads: that many entries
 * and one, and the next power of two of a quarter as buckets (mirach/endpoint.h).
 */
#pragma once

#include <mirach/endpoint.h>

#define ENDPOINTS_DEFAULT 65537
#define ENDPOINT_BUCKETS_DEFAULT 16384

/*
 * what     two-choice hash index from digest to endpoint
 * key      bucket number; value  struct flow_bucket, one cache line
 * writer   agent's main thread, one atomic 8-byte store per change, through mmap
 * readers  fast path of a hoverboard's uplinks
 * size     64 B x n / 4, to the next power of two: 16 to 32 B per endpoint. Pinned.
 *          Checkpoint: no, kept by the pin.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ENDPOINT_BUCKETS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} endpoint_index SEC(".maps");

/*
 * what     the endpoints: key, next hop of the host, MAC
 * key      endpoint number, 1..; value  struct endpoint, half a cache line
 * writer   agent's main thread, through mmap; but for `to`, a number is written only while
 *          no slot of endpoint_index names it, and reused only after a grace period
 * readers  fast path of a hoverboard's uplinks
 * size     32 B per endpoint. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, ENDPOINTS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct endpoint);
} endpoints SEC(".maps");
