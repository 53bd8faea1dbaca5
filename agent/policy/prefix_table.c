// SPDX-License-Identifier: BSD-2-Clause
/*
 * prefix_table.c - one hash table, a bitmap of lengths per space
 *
 * Linear probing at a load of at most one half; two entries share a cache line.
 * Guests choose what is looked up but never what is stored, so the hash needs no
 * secret.
 */
#include "prefix_table.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HOST_LEN 128u
#define LENGTH_WORDS (HOST_LEN / 64 + 1)

struct entry {
	struct ip_addr addr;		/* host bits zero */
	uint32_t space;
	uint32_t value;			/* 0 = empty */
	uint32_t len;
	uint32_t pad;
};
_Static_assert(sizeof(struct entry) == 32, "two entries a cache line");

/* Bit n: some prefix of the space has length n. */
struct lengths {
	uint64_t bits[LENGTH_WORDS];
};

struct prefix_table {
	uint32_t mask;			/* entries - 1, entries a power of two */
	struct lengths *lengths;	/* two per space: IPv6, IPv4 */
	struct entry entries[];
};

static struct lengths *lengths_of(const struct prefix_table *t, uint32_t space,
				  const struct ip_addr *addr)
{
	return &t->lengths[2 * space + ip_addr_is_v4(addr)];
}

static uint64_t half_mask(uint32_t len)
{
	if (!len)
		return 0;
	return htobe64(len >= 64 ? ~0ull : ~0ull << (64 - len));
}

static struct ip_addr masked(const struct ip_addr *addr, uint32_t len)
{
	uint64_t half[2];
	struct ip_addr ret;

	memcpy(half, addr, sizeof(half));
	half[0] &= half_mask(len);
	half[1] &= len > 64 ? half_mask(len - 64) : 0;
	memcpy(&ret, half, sizeof(ret));
	return ret;
}

/* Two 64-bit halves multiplied to 128 bits and folded. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}

static uint32_t hash(uint32_t space, const struct ip_addr *addr, uint32_t len)
{
	uint64_t half[2];

	memcpy(half, addr, sizeof(half));
	half[0] ^= 0x9e3779b97f4a7c15ull ^ (uint64_t)space << 8 ^ len;
	half[1] ^= 0xd6e8feb86659fd93ull;
	return fold(fold(half[0], half[1]) ^ half[1], 0xa0761d6478bd642full);
}

/* The entry of the prefix, or the empty one where it belongs. */
static const struct entry *probe(const struct prefix_table *t, uint32_t space,
				 const struct ip_addr *addr, uint32_t len)
{
	for (uint32_t i = hash(space, addr, len) & t->mask;; i = (i + 1) & t->mask) {
		const struct entry *e = &t->entries[i];

		if (!e->value || (e->space == space && e->len == len &&
				  ip_addr_equal(&e->addr, addr)))
			return e;
	}
}

int prefix_table_new(uint32_t n_spaces, uint32_t n_prefixes, struct prefix_table **ret)
{
	struct prefix_table *t;
	uint32_t n = 8;

	while (n < 2 * (uint64_t)n_prefixes)
		n *= 2;
	t = calloc(1, sizeof(*t) + n * sizeof(t->entries[0]));
	if (!t)
		return -ENOMEM;
	t->mask = n - 1;
	t->lengths = calloc(2 * (size_t)n_spaces + 1, sizeof(t->lengths[0]));
	if (!t->lengths) {
		free(t);
		return -ENOMEM;
	}
	*ret = t;
	return 0;
}

void prefix_table_free(struct prefix_table *t)
{
	if (!t)
		return;
	free(t->lengths);
	free(t);
}

void prefix_table_add(struct prefix_table *t, uint32_t space, const struct ip_prefix *prefix,
		      uint32_t value)
{
	struct ip_addr addr = masked(&prefix->addr, prefix->len);
	struct entry *e = (struct entry *)probe(t, space, &addr, prefix->len);

	assert(value);
	if (e->value)
		return;
	*e = (struct entry){ .addr = addr, .space = space, .value = value, .len = prefix->len };
	lengths_of(t, space, &prefix->addr)->bits[prefix->len / 64] |= 1ull << prefix->len % 64;
}

uint32_t prefix_table_find_host(const struct prefix_table *t, uint32_t space,
				const struct ip_addr *addr)
{
	return probe(t, space, addr, HOST_LEN)->value;
}

uint32_t prefix_table_find(const struct prefix_table *t, uint32_t space, const struct ip_addr *addr)
{
	const struct lengths *lengths = lengths_of(t, space, addr);

	for (int word = LENGTH_WORDS - 1; word >= 0; word--) {
		uint64_t bits = lengths->bits[word];

		while (bits) {
			uint32_t bit = 63 - __builtin_clzll(bits);
			uint32_t len = 64 * word + bit;
			struct ip_addr network = masked(addr, len);
			uint32_t value = probe(t, space, &network, len)->value;

			if (value)
				return value;
			bits &= ~(1ull << bit);
		}
	}
	return 0;
}
