/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoint_table.h - the arrays of the maps endpoint_index and endpoints, as a table
 *
 *	            put                      del                     grace
 *	free ─────────────────► published ─────────────► resting ─────────────► free
 *
 * An entry is filled, then named by a slot of the index; it is unnamed, and rests until a
 * grace period has passed, because packets under way may still read it. What changes
 * while it is published changes with one store.
 *
 * Pure; the arrays may be any memory. One writer, any number of readers. Beside the arrays
 * five bytes an entry.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/endpoint.h>

struct endpoint_table {
	struct flow_bucket *index;	/* the map's */
	struct endpoint *entries;	/* the map's, n of them, [0] unused */
	const __u32 *seed;
	uint32_t n, mask;
	uint32_t *next;			/* lists of entries; 0 ends */
	uint8_t *marked;		/* not put since endpoint_table_mark() */
	uint32_t free, resting;
	uint32_t n_free, n_resting, n_used;
};

/* Takes over what the arrays hold. @n: entries, [0] included. @seed must live as long. 0 or -ENOMEM. */
int endpoint_table_init(struct endpoint_table *t, struct flow_bucket *index,
			struct endpoint *entries, uint32_t n, const __u32 *seed);
void endpoint_table_done(struct endpoint_table *t);

/* The entry, or NULL. */
const struct endpoint *endpoint_table_get(const struct endpoint_table *t, uint32_t vni,
					  const struct ip_addr *addr);
/*
 * Adds or changes one. @ret_old: what it was, nexthop 0 if it is new. -EAGAIN: every entry that is
 * left rests; -ENOSPC: there is none, or both buckets are full.
 */
int endpoint_table_put(struct endpoint_table *t, uint32_t vni, const struct ip_addr *addr,
		       const struct endpoint_to *to, struct endpoint_to *ret_old);
/* False: there is none. */
bool endpoint_table_del(struct endpoint_table *t, uint32_t vni, const struct ip_addr *addr,
			struct endpoint_to *ret_old);
/* A grace period has passed since the last del. */
void endpoint_table_rested(struct endpoint_table *t);

void endpoint_table_mark(struct endpoint_table *t);
/* The first published entry from *@at on, if need be only those still marked; *@at moves behind it. NULL: none. */
const struct endpoint *endpoint_table_next(const struct endpoint_table *t, uint32_t *at,
					   bool marked_only);
