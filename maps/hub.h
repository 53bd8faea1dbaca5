/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/hub.h - the way to the coprocessor threads
 */
#pragma once

#include <mirach/hub.h>
#include <mirach/port.h>

#define HUBS_MAX 64

/*
 * what     AF_XDP socket of each coprocessor
 * key      hub number, which the far end's struct port.hub holds; value  socket
 * writer   agent's main thread; the kernel empties it when the agent dies
 * readers  hub_feed. size: 8 B x 64. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, HUBS_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, __u32);
} hub_socks SEC(".maps");

/*
 * what     how fast a port, or a class of fabric senders, may open flows
 * key      port slot, or PORT_MAX + class; value  struct token_bucket
 * writer   fast path; CPUs race benignly: a lost update admits a packet too many.
 *          The rates are in struct port
 * size     16 B x 4352. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SENDERS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct token_bucket);
} miss_limits SEC(".maps");
