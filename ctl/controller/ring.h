/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ring.h - consistent hashing: which shard a host belongs to, which controllers a shard prefers
 *
 *	host name ──jump hash──► shard 0..n-1 ──rendezvous──► controllers, most wanted first
 *
 * Both answers depend on names and numbers only, so every process computes the same
 * without asking anybody. From n to n + 1 shards 1/(n + 1) of the hosts move, all of them to
 * the new one (Lamping and Veach, "A Fast, Minimal Memory, Consistent Hash Algorithm",
 * 2014). A controller that joins takes over its share of the shards and nothing else
 * moves; one that goes hands each of its shards to that shard's next in line (highest
 * random weight; Thaler and Ravishankar, 1998).
 *
 * Pure.
 */
#pragma once

#include <stdint.h>

/* The shard of a host. @n_shards at least 1. */
uint32_t ring_shard(const char *host, uint32_t n_shards);

/*
 * The order in which @shard prefers the controllers: ret_order[0] is the index of the one
 * that should lead it, the others stand by in this order. Equal names keep their order.
 */
void ring_prefer(uint32_t shard, const char *const *controllers, uint32_t n, uint32_t *ret_order);
