/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * privileges.h - the capabilities the agent cannot do without, and what for
 *
 * mirachd refuses to start without them, `mirachctl doctor` says so beforehand.
 */
#pragma once

#include <lib/error.h>

struct privilege {
	int cap;			/* CAP_* of linux/capability.h */
	const char *name;		/* "CAP_BPF" */
	const char *why;		/* what it is needed for */
};

/* Ends with name NULL. */
extern const struct privilege privileges[];

/* Does this process have @p now? */
int privilege_held(const struct privilege *p);
/* 0, or -EPERM with every missing capability named in @e. */
int privileges_check(struct error *e);
