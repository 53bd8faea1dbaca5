/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * validate_parts.h - the parts validate.c calls. Private to ctl/controller/validate*.c.
 */
#pragma once

#include <ctl/controller/validate.h>

struct validation {
	struct model_set *set;
	const struct validate_options *options;
	struct problems *problems;
	uint64_t vni_next;		/* see validate_options */
	const struct subnet *full;	/* the last subnet in which nothing was free */
	uint64_t work;			/* prefixes looked at for circles */
};

/* validate_alloc.c: fills in what is not given; what cannot be had is a problem. */
bool allocate_wanted(const struct object *o);
void allocate(struct validation *v, struct object *o);

/* validate_checks.c: an object that was put, one that was deleted (as it was). */
void check_put(struct validation *v, const struct object *o, const struct object *old);
void check_deleted(struct validation *v, const struct object *old);
void check_quota(struct validation *v, const struct tenant *tenant);

/* validate_cycles.c: routes that lead from network to network and back. */
void check_cycles(struct validation *v, const struct network *net);

/* Adds a problem with the field at @field. */
void complain(struct validation *v, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
