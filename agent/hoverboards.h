/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hoverboards.h - a host's hoverboards and gateways: asked whether they are there, and given slots
 *
 *	configuration ─► sets of hoverboards ─┬► 64 next hops each, which flows are compiled to
 *	                 sets of gateways ────┘
 *	S-BFD ─► health ─► board_set ─► next hops of the slots that moved
 *
 * Networks with the same hoverboards share a set, as do remotes with the same gateways. A death rewrites the dead one's slots; no
 * flow is looked at. Ids of slots are found again by a restarted agent, and with them who was
 * dead. Main thread only.
 *
 * See also: boards.h (who serves which slot), health.h (what dead means).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/boards.h>
#include <agent/config.h>
#include <lib/error.h>

struct event_base;
struct hoverboards;
struct underlay;

int hoverboards_new(struct event_base *base, struct underlay *u, struct hoverboards **ret,
		    struct error *e);
void hoverboards_free(struct hoverboards *h);

/*
 * After underlay_apply(). @ret_networks, @ret_remotes: for every network and every remote of @config
 * the row of hoverboards_slots(), or SET_NONE. Sets that are gone stay until hoverboards_forget(),
 * which goes before underlay_forget(): flows go there still.
 */
int hoverboards_apply(struct hoverboards *h, const struct config *config, uint32_t *ret_networks,
		      uint32_t *ret_remotes, struct error *e);
void hoverboards_forget(struct hoverboards *h);
const uint32_t (*hoverboards_slots(const struct hoverboards *h, uint32_t *ret_n))[BOARD_SLOTS];

struct hoverboard_view {
	struct ip_addr addr;
	bool gateway;			/* and no network's hoverboard */
	bool up;			/* answers */
	bool silent;			/* a gateway that never answered, taken for up */
	bool reachable;			/* the underlay knows the way */
	uint64_t since_ns;		/* CLOCK_MONOTONIC; of `up` */
	uint64_t changes;		/* of `up` */
	uint64_t asked, answered;
	uint32_t slots, of_slots;	/* that it serves, of those of all sets it is in */
};
/* In order of address. */
void hoverboards_each(const struct hoverboards *h,
		      void (*fn)(const struct hoverboard_view *v, void *arg), void *arg);
/* Which hoverboard serves the next hop @id; NULL: it is no slot's. */
const struct ip_addr *hoverboards_of_nexthop(const struct hoverboards *h, uint32_t id);
