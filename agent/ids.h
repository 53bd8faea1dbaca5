/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ids.h - small numbers that are handed out, returned, and rest before reuse
 *
 *	        ids_take              ids_release              IDS_REST_MS pass
 *	free ─────────────► taken ─────────────────► resting ─────────────────► free
 *
 * Port slots and next hop ids index arrays that the fast path reads, and flows
 * remember them. A number released by a reload still stands in flows compiled
 * under the old rules until that reload has revalidated them: given to another
 * tenant at once, it would take their packets to the wrong place. So a number
 * rests longer than any reload takes, a refused one that is rolled back included.
 *
 * Pure. Number 0 is never handed out: it means "none" everywhere.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define IDS_REST_MS 10000u

struct ids {
	uint64_t *free_ns;		/* per number: free from then on; UINT64_MAX while taken */
	uint32_t n;			/* numbers are 1..n-1 */
};

int ids_init(struct ids *ids, uint32_t n);	/* 0 or -ENOMEM */
void ids_done(struct ids *ids);

/* The lowest free number from @first on, or 0: none is free. */
uint32_t ids_take(struct ids *ids, uint32_t first, uint64_t now_ns);
/* Takes @id itself, found in a pinned map. @id must be in range. */
void ids_adopt(struct ids *ids, uint32_t id);
/* @id must be taken. */
void ids_release(struct ids *ids, uint32_t id, uint64_t now_ns);
bool ids_taken(const struct ids *ids, uint32_t id);
