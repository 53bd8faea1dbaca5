/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/counters.h - the books: what came in, what left, what was dropped and why
 */
#pragma once

#include <mirach/port.h>
#include <mirach/reasons.h>

/*
 * what     frames and bytes by port and fate (the law is above struct usage)
 * key      port slot; value  struct usage, per CPU, two cache lines
 * writer   fast path at its entry and its single exit; readers: agent
 * size     (8 + 128 x CPUs) B x 4096. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PORT_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct usage);
} usage SEC(".maps");

/*
 * what     drops by port and reason; slot 0 takes frames of unknown ports
 * key      port slot; value  struct drops, per CPU
 * writer   fast path at its single exit; readers: agent
 * size     (8 + 1024 x CPUs) B x 4096 = 4 MiB per CPU. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PORT_MAX);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct drops);
} drops SEC(".maps");
