/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spread.h - which of several ways has which places in a next hop's table
 *
 *	places   0 1 2 3 4 5 6 7 ...        a connection draws one by its hash
 *	way      a b c a b c a b            all three are well
 *	         a a c a b c b b ...        ... one way dies: its places, and only they, change hands
 *
 * Resilient hashing: a connection changes its way only if that way died, or if
 * a way that came back is given its share. Shares follow the weights of the
 * route's next hops; a way that is well has at least one place.
 *
 * Pure. See also: mirach/nexthop.h (who looks it up), remote.h (who is well).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/nexthop.h>

struct spread_way {
	uint32_t id;			/* of its tunnel next hop; not 0 */
	uint32_t weight;		/* not 0 */
};

/* @n ways that are well, at most NEXTHOP_WAYS; without any all places become 0. */
void spread_fill(uint16_t places[NEXTHOP_WAYS], const struct spread_way *ways, unsigned int n);
