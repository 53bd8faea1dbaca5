/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ids.c - the life of small numbers; the idea is in ids.h
 */
#include <agent/ids.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <lib/clock.h>

#define IDS_TAKEN UINT64_MAX

int ids_init(struct ids *ids, uint32_t n)
{
	*ids = (struct ids){ .n = n, .free_ns = calloc(n, sizeof(*ids->free_ns)) };
	return ids->free_ns ? 0 : -ENOMEM;
}

void ids_done(struct ids *ids)
{
	free(ids->free_ns);
	*ids = (struct ids){};
}

bool ids_taken(const struct ids *ids, uint32_t id)
{
	return id && id < ids->n && ids->free_ns[id] == IDS_TAKEN;
}

uint32_t ids_take(struct ids *ids, uint32_t first, uint64_t now_ns)
{
	uint32_t id;

	for (id = first ? first : 1; id < ids->n; id++)
		if (ids->free_ns[id] <= now_ns) {
			ids->free_ns[id] = IDS_TAKEN;
			return id;
		}
	return 0;
}

void ids_adopt(struct ids *ids, uint32_t id)
{
	assert(id && id < ids->n);
	ids->free_ns[id] = IDS_TAKEN;
}

void ids_release(struct ids *ids, uint32_t id, uint64_t now_ns)
{
	assert(ids_taken(ids, id));
	ids->free_ns[id] = now_ns + IDS_REST_MS * NS_PER_MS;
}
