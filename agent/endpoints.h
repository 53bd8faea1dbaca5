/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * endpoints.h - what a hoverboard knows: every instance of its networks, and its host
 *
 *	endpoints_set() ─► next hop of the host ─► entry ─► slot of the index: now it is there
 *	endpoints_del() ─► slot of the index ─► entry rests until no packet can see it
 *
 * Incremental: cost follows the change, not the size of the table. The pinned maps
 * themselves are the memory of it: a restarted agent finds all endpoints in force,
 * and a set for each followed by a sweep brings them up to date without a gap.
 *
 * No packet sees half an entry: an endpoint's host and MAC change with one store.
 *
 * Main thread only. See also: maps/endpoint.h, docs/hoverboards.md.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lib/error.h>
#include <mirach/types.h>

struct dp;
struct endpoints;
struct underlay;

struct endpoint_spec {
	uint32_t vni;
	struct ip_addr addr;		/* inner address of the instance */
	struct ip_addr host;		/* underlay address of its host */
	uint8_t mac[ETH_ADDR_LEN];
};

/* Adopts what an earlier agent has left. Before the first underlay_forget(). */
int endpoints_new(struct dp *dp, struct underlay *u, struct endpoints **ret, struct error *e);
void endpoints_free(struct endpoints *t);	/* memory only; NULL is allowed */

/*
 * Adds or changes @n endpoints. -ENOSPC: no room for all of them (limits.endpoints), and none was
 * set. Another failure leaves those set that came before it.
 */
int endpoints_set(struct endpoints *t, const struct endpoint_spec *list, uint32_t n, struct error *e);
/* By vni and addr; those that are not there are passed over. */
void endpoints_del(struct endpoints *t, const struct endpoint_spec *list, uint32_t n);

/* To make the table equal to a list: mark, set each, sweep what was not set since. */
void endpoints_mark(struct endpoints *t);
void endpoints_sweep(struct endpoints *t);

uint32_t endpoints_count(const struct endpoints *t);
uint32_t endpoints_capacity(const struct endpoints *t);
/* False: there is none with vni and addr of @ret, whose other members are filled in. */
bool endpoints_find(const struct endpoints *t, struct endpoint_spec *ret);
