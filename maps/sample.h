/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/sample.h - the sample stage's ring
 */
#pragma once

#include <mirach/sample.h>

#define SAMPLE_RING_BYTES (256 * 1024)

/*
 * what     sampled packets, struct sample
 * writer   fast path; a full ring loses the sample, never the packet
 * reader   agent's main thread. size: 256 KiB. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, SAMPLE_RING_BYTES);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} samples SEC(".maps");
