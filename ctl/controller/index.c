// SPDX-License-Identifier: BSD-2-Clause
/*
 * index.c - a hash table of pointers
 */
#include <ctl/controller/index.h>

#include <errno.h>
#include <stdlib.h>

#define SLOTS_MIN 16

void index_init(struct index *x, uint64_t (*hash)(const void *entry),
		bool (*same)(const void *a, const void *b))
{
	*x = (struct index){ .hash = hash, .same = same };
}

void index_done(struct index *x)
{
	free(x->slots);
	index_init(x, x->hash, x->same);
}

void *index_find(const struct index *x, const void *like)
{
	return index_find_other(x, like, NULL);
}

void *index_find_other(const struct index *x, const void *like, const void *not_this)
{
	if (!x->n)
		return NULL;
	for (size_t i = x->hash(like) & x->mask; x->slots[i]; i = (i + 1) & x->mask)
		if (x->slots[i] != not_this && x->same(x->slots[i], like))
			return x->slots[i];
	return NULL;
}

static void put(struct index *x, void *entry)
{
	size_t i = x->hash(entry) & x->mask;

	while (x->slots[i])
		i = (i + 1) & x->mask;
	x->slots[i] = entry;
}

static int grow(struct index *x)
{
	struct index bigger = *x;
	void *entry;

	bigger.mask = x->slots ? x->mask * 2 + 1 : SLOTS_MIN - 1;
	bigger.slots = calloc(bigger.mask + 1, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; (entry = index_next(x, &i));)
		put(&bigger, entry);
	free(x->slots);
	*x = bigger;
	return 0;
}

int index_add(struct index *x, void *entry)
{
	if (!x->slots || x->n >= x->mask - x->mask / 4) {
		int err = grow(x);

		if (err)
			return err;
	}
	put(x, entry);
	x->n++;
	return 0;
}

/* Closes the gap at @gap with the next entry that may stand there, and so on. */
static void close_gap(struct index *x, size_t gap)
{
	for (size_t i = (gap + 1) & x->mask; x->slots[i]; i = (i + 1) & x->mask) {
		size_t home = x->hash(x->slots[i]) & x->mask;

		if (((i - home) & x->mask) < ((i - gap) & x->mask))
			continue;
		x->slots[gap] = x->slots[i];
		gap = i;
	}
	x->slots[gap] = NULL;
}

bool index_del(struct index *x, const void *entry)
{
	if (!x->n)
		return false;
	for (size_t i = x->hash(entry) & x->mask; x->slots[i]; i = (i + 1) & x->mask) {
		if (x->slots[i] != entry)
			continue;
		close_gap(x, i);
		x->n--;
		return true;
	}
	return false;
}

size_t index_bytes(const struct index *x)
{
	return x->slots ? (x->mask + 1) * sizeof(*x->slots) : 0;
}

void *index_next(const struct index *x, size_t *i)
{
	while (x->slots && *i <= x->mask) {
		void *entry = x->slots[(*i)++];

		if (entry)
			return entry;
	}
	return NULL;
}
