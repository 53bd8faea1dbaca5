// SPDX-License-Identifier: BSD-2-Clause
/*
 * ring.c - consistent hashing: which shard a host belongs to, which controllers a shard prefers
 */
#include <ctl/controller/ring.h>

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

uint32_t ring_shard(const char *host, uint32_t n_shards)
{
	uint64_t key = XXH3_64bits(host, strlen(host));
	int64_t shard = -1, jump = 0;

	while (jump < n_shards) {
		shard = jump;
		key = key * 2862933555777941757ull + 1;
		jump = (shard + 1) * ((double)(1ll << 31) / ((double)(key >> 33) + 1));
	}
	return shard;
}

struct weight {
	uint64_t weight;
	uint32_t index;
};

static int heavier_first(const void *a, const void *b)
{
	const struct weight *x = a, *y = b;

	if (x->weight != y->weight)
		return x->weight > y->weight ? -1 : 1;
	return (x->index > y->index) - (x->index < y->index);
}

void ring_prefer(uint32_t shard, const char *const *controllers, uint32_t n, uint32_t *ret_order)
{
	struct weight w[n ? n : 1];

	for (uint32_t i = 0; i < n; i++)
		w[i] = (struct weight){ XXH3_64bits_withSeed(controllers[i],
							     strlen(controllers[i]), shard), i };
	qsort(w, n, sizeof(w[0]), heavier_first);
	for (uint32_t i = 0; i < n; i++)
		ret_order[i] = w[i].index;
}
