/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * sample.h - what the sample stage writes to the ring
 *
 * One record per sampled packet: which flow, how long the frame was, and its
 * first bytes. Records that do not fit are counted in `lost` of the next one
 * and never hold a packet up.
 */
#pragma once

#include <mirach/types.h>

#define SAMPLE_BYTES 128u

struct sample {
	__u64 stamp_ns;				/* bpf_ktime_get_ns() */
	__u32 flow;				/* index into flows */
	__u32 port;				/* slot of the port that took the frame */
	__u32 frame_len;			/* bytes, inner frame */
	__u32 caught_len;			/* bytes of `bytes` that are valid */
	__u32 rate;				/* one packet in so many */
	__u32 pad;				/* zero */
	__u8 bytes[SAMPLE_BYTES];
};
_Static_assert(sizeof(struct sample) == 160, "sample layout");
