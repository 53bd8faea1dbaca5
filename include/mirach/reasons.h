/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * reasons.h - drop reasons as an enum; reasons.def is the list
 */
#pragma once

#include <mirach/types.h>

enum drop_reason {
	REASON_NONE = 0,
#define REASON(number, NAME, name, text) REASON_##NAME = number,
#include <mirach/reasons.def>
#undef REASON
};

#define REASON_MAX 128u				/* numbers are below this; power of two */

/* Entry of map drops, per CPU, by port slot: packets by reason. */
struct drops {
	__u64 count[REASON_MAX];
};
_Static_assert(sizeof(struct drops) == 1024, "drops layout");
