/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * spread.c - shares first, then places: who has one within its share keeps it
 */
#include <agent/spread.h>

#include <string.h>

/* One place each, then one after the other to whom it brings closest to its share (d'Hondt). */
static void share_out(const struct spread_way *ways, unsigned int n, unsigned int *ret_shares)
{
	unsigned int i, left = NEXTHOP_WAYS - n, best;

	for (i = 0; i < n; i++)
		ret_shares[i] = 1;
	for (; n && left; left--) {
		for (i = 1, best = 0; i < n; i++)
			if ((uint64_t)ways[i].weight * (ret_shares[best] + 1) >
			    (uint64_t)ways[best].weight * (ret_shares[i] + 1))
				best = i;
		ret_shares[best]++;
	}
}

static unsigned int find_way(const struct spread_way *ways, unsigned int n, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < n && ways[i].id != id; i++)
		;
	return i;
}

void spread_fill(uint16_t places[NEXTHOP_WAYS], const struct spread_way *ways, unsigned int n)
{
	unsigned int shares[NEXTHOP_WAYS], place, way;

	share_out(ways, n, shares);
	for (place = 0; place < NEXTHOP_WAYS; place++) {
		way = find_way(ways, n, places[place]);
		if (way < n && shares[way])
			shares[way]--;
		else
			places[place] = 0;
	}
	for (place = 0, way = 0; n && place < NEXTHOP_WAYS; place++) {
		if (places[place])
			continue;
		while (!shares[way])
			way = (way + 1) % n;
		places[place] = ways[way].id;
		shares[way]--;
		way = (way + 1) % n;
	}
}
