// SPDX-License-Identifier: BSD-2-Clause
/*
 * boards.c - which hoverboard serves which slot; the rules are in boards.h
 *
 * Rendezvous hashing: the weight of a hoverboard for a slot is a hash of both, so
 * that every host comes to the same order without asking anybody.
 */
#include <agent/boards.h>

#include <string.h>

_Static_assert(BOARD_SLOTS <= 64, "a bit for each slot");

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static uint64_t weight(const struct ip_addr *addr, uint32_t slot)
{
	uint64_t half[2];

	memcpy(half, addr, sizeof(half));
	return mix(mix(half[0] + 0x9e3779b97f4a7c15ull * (slot + 1)) ^ half[1]);
}

/* The heaviest among those that @wanted says. */
static uint32_t heaviest(const struct board_set *s, uint32_t slot, const bool *wanted)
{
	uint32_t best = BOARD_NONE;
	uint64_t most = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		uint64_t w = weight(&s->addr[i], slot);

		if (wanted[i] && (best == BOARD_NONE || w > most)) {
			best = i;
			most = w;
		}
	}
	return best;
}

/* Slot after slot to the heaviest that has not had its share of this round. */
static void deal(struct board_set *s)
{
	bool waiting[BOARDS_MAX];
	uint32_t left = 0;

	for (uint32_t slot = 0; slot < BOARD_SLOTS; slot++) {
		if (!left) {
			memset(waiting, true, sizeof(waiting));
			left = s->n;
		}
		s->first[slot] = heaviest(s, slot, waiting);
		waiting[s->first[slot]] = false;
		left--;
	}
}

void board_set_init(struct board_set *s, const struct ip_addr *addrs, uint32_t n)
{
	*s = (struct board_set){ .n = n };
	memcpy(s->addr, addrs, n * sizeof(*addrs));
	memset(s->healthy, true, sizeof(s->healthy));
	memset(s->slot, BOARD_NONE, sizeof(s->slot));
	if (n)
		deal(s);
	board_set_assign(s);
}

static uint32_t best_of(const struct board_set *s, uint32_t slot)
{
	uint32_t best = s->healthy[s->first[slot]] ? s->first[slot] :
						     heaviest(s, slot, s->healthy);

	return best == BOARD_NONE ? s->slot[slot] : best;
}

uint64_t board_set_assign(struct board_set *s)
{
	uint64_t moved = 0;

	for (uint32_t slot = 0; s->n && slot < BOARD_SLOTS; slot++) {
		uint32_t best = best_of(s, slot);

		if (best == s->slot[slot])
			continue;
		s->slot[slot] = best;
		moved |= 1ull << slot;
	}
	return moved;
}

uint32_t board_set_count(const struct board_set *s, uint32_t i)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < BOARD_SLOTS; slot++)
		n += s->slot[slot] == i;
	return n;
}

uint64_t board_set_digest(const struct board_set *s)
{
	uint64_t digest = s->n;

	for (uint32_t i = 0; i < s->n; i++)
		digest = mix(digest + weight(&s->addr[i], 0));
	return digest ? digest : 1;
}
