/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * index.h - a hash table of pointers: 8 bytes a slot, at most 3 of 4 in use
 *
 * The table does not know what it points to; two functions say what the key of an
 * entry is. Open addressing with linear probing; an entry that goes is followed by
 * those behind it moving up, so there are no tombstones and no slow decay.
 *
 * One thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct index {
	void **slots;
	size_t n, mask;			/* entries; slots - 1 */
	uint64_t (*hash)(const void *entry);
	bool (*same)(const void *a, const void *b);	/* keys are equal */
};

void index_init(struct index *x, uint64_t (*hash)(const void *entry),
		bool (*same)(const void *a, const void *b));
void index_done(struct index *x);	/* entries are the caller's */

/* An entry with the key of @like, or NULL. _other: one that is not @not_this. */
void *index_find(const struct index *x, const void *like);
void *index_find_other(const struct index *x, const void *like, const void *not_this);
/* Adds @entry, beside others of the same key. 0 or -ENOMEM. */
int index_add(struct index *x, void *entry);
/* Removes this very entry; false: it was not in. */
bool index_del(struct index *x, const void *entry);
size_t index_bytes(const struct index *x);

/* Entries in no order: for (size_t i = 0; (entry = index_next(x, &i)); ) */
void *index_next(const struct index *x, size_t *i);
