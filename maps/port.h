/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/port.h - ports: from ifindex to slot, from slot to device and facts
 */
#pragma once

#include <mirach/port.h>

#define NEIGHBOURS_DEFAULT 65536

/*
 * what     ifindex to port slot: which port did this frame enter by
 * key      ifindex & (PORT_INDEX_BUCKETS - 1); value  struct port_bucket
 * writer   agent's main thread, one atomic 8-byte store per change, through mmap
 * readers  fast path
 * size     64 B x 1024 = 64 KiB. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PORT_INDEX_BUCKETS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct port_bucket);
} port_index SEC(".maps");

/*
 * what     facts of each port: network, MAC, limits, tunnel endpoints
 * key      port slot; value  struct port
 * writer   agent's main thread; a slot is filled before port_index names it
 * readers  fast path
 * size     192 B x 4096 = 768 KiB. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PORT_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct port);
} ports SEC(".maps");

/*
 * what     the devices behind the ports, for redirects
 * key      port slot; value  ifindex
 * writer   agent's main thread; the kernel removes a device that goes away
 * readers  fast path (bpf_redirect_map)
 * size     8 B x 4096. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, PORT_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, __u32);
} port_devs SEC(".maps");

/*
 * what     addresses that ARP and Neighbour Discovery are answered for
 * key      struct neighbour_key (VNI, address); value  struct neighbour
 * writer   agent's main thread; readers: responders, off the common path
 * size     96 B x instances and gateways of this host's networks, allocated as
 *          they are added. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, NEIGHBOURS_DEFAULT);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, struct neighbour_key);
	__type(value, struct neighbour);
} neighbours SEC(".maps");

/*
 * what     how many errors a port's guest, or the hosts of a class, may still be sent
 * key      port slot, or PORT_MAX + fabric_class(); value  struct token_bucket
 * writer   fast path; CPUs race benignly
 * size     16 B x (4096 + 256). Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SENDERS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct token_bucket);
} error_limits SEC(".maps");
