/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * prefix_table.h - longest-prefix lookup in many small address spaces
 *
 *	(space, address) --for each length in use, longest first--> one hash table --> value
 *
 * One open-addressing hash table holds the prefixes of all spaces; a bitmap per
 * space and family says which lengths are worth asking for. An address declared
 * as a host is one probe away, however many there are; a route costs one probe
 * per distinct length above its own. The families never meet: ::/0 does not
 * cover 10.0.0.1, although addresses are kept IPv4-mapped.
 *
 * Filled once, then read only: readers need no lock.
 */
#pragma once

#include <stdint.h>

#include <lib/addr.h>

struct prefix_table;

/* Room for @n_prefixes in spaces 0..@n_spaces-1. Returns 0 or -ENOMEM. */
int prefix_table_new(uint32_t n_spaces, uint32_t n_prefixes, struct prefix_table **ret);
void prefix_table_free(struct prefix_table *t);	/* NULL is allowed */

/* @value is not 0. The first to claim a prefix of a space keeps it. At most n_prefixes calls. */
void prefix_table_add(struct prefix_table *t, uint32_t space, const struct ip_prefix *prefix,
		      uint32_t value);

/* Value of the longest prefix that covers @addr, or of the host @addr alone; 0 if none does. */
uint32_t prefix_table_find(const struct prefix_table *t, uint32_t space, const struct ip_addr *addr);
uint32_t prefix_table_find_host(const struct prefix_table *t, uint32_t space,
				const struct ip_addr *addr);
