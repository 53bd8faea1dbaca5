/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neighbours.h - whom ARP and Neighbour Discovery are answered for
 *
 *	configuration ──neighbours_list()──► sorted list ──neighbours_sync()──► map neighbours
 *
 * Gateways, local instances and remote instances of the host's networks; remote
 * prefixes have no neighbours. The list is pure; the sync compares it
 * with the pinned map and touches only what differs. Main thread only.
 */
#pragma once

#include <stdint.h>

#include <agent/config.h>
#include <agent/dp.h>
#include <lib/error.h>

struct neighbour_entry {
	struct neighbour_key key;
	struct neighbour value;
};

/*
 * @vport_slots: port slots of config.vports[i]. Sorted by key, each key once; a
 * local instance goes before a remote one with its address. Returns 0 or -ENOMEM;
 * the caller frees the list.
 */
int neighbours_list(const struct config *config, const uint32_t *vport_slots,
		    struct neighbour_entry **ret, unsigned int *ret_n);

int neighbours_sync(struct dp *dp, const struct config *config, const uint32_t *vport_slots,
		    struct error *e);
