/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/unwrap.h - which super-packets the kernel takes out of their tunnel
 */
#pragma once

#include <mirach/types.h>

#define UNWRAP_WAYS 1024u
#define UNWRAP_UNDER_WAY 64u		/* as many as one round of NAPI may hand over */
#define UNWRAP_PATIENCE_NS 20000000ull	/* nothing back for so long: something keeps them */
#define UNWRAP_AGAIN_NS 60000000000ull	/* then one is sent to see whether it still does */

struct unwrap {
	__u64 since_ns;			/* when the first of the missing was left to the kernel */
	__u32 missing;			/* how many since one came back last */
	__u32 pad;			/* zero */
	__u8 to_tap[UNWRAP_WAYS];	/* by hash of the outer flow: its super-packets go where none fits */
};

/*
 * what     what unwrap.h has learned; tcx only
 * key      0; value  struct unwrap
 * writer   fast path; CPUs race benignly: every answer is right, one of them is faster
 * readers  fast path
 * size     1040 B. Pinned: no, a new agent's programs try anew. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unwrap);
} unwraps SEC(".maps");
