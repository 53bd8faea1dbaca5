/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object_set.c - all objects of a host, and a transaction that can be taken back
 *
 * The table is open: an object that finds its place taken goes to the next free one, and
 * when one leaves, those behind it move up. It is at most half full. The log of a
 * transaction holds the objects that were replaced until commit lets go of them, or the
 * rollback puts them back.
 */
#include <agent/object_set.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MIN OBJSET_BUCKETS			/* the low bits of an object's place are its bucket */

struct step {
	struct object *was, *is;	/* NULL: there was none, there is none now */
};

struct object_set {
	struct object **table;		/* by hash; a power of two */
	uint64_t mask;
	struct objset_digest digest;	/* counts them, too */
	struct object **config;		/* sorted by id */
	unsigned int n_config, cap_config;
	struct step *log;
	uint64_t n_log, cap_log;
};

/* The table. */

static struct object **place(const struct object_set *s, const char *id, uint64_t hash)
{
	uint64_t i = hash & s->mask;

	while (s->table[i] && (s->table[i]->hash != hash || strcmp(s->table[i]->id, id)))
		i = (i + 1) & s->mask;
	return &s->table[i];
}

static void vacate(struct object_set *s, uint64_t hole)
{
	uint64_t i = hole;

	s->table[hole] = NULL;
	for (;;) {
		i = (i + 1) & s->mask;
		if (!s->table[i])
			return;
		if (((i - s->table[i]->hash) & s->mask) < ((i - hole) & s->mask))
			continue;
		s->table[hole] = s->table[i];
		s->table[i] = NULL;
		hole = i;
	}
}

static int grow_table(struct object_set *s)
{
	struct object **old = s->table;
	uint64_t size = s->mask + 1;

	if (2 * (s->digest.count + 1) <= size)
		return 0;
	s->table = calloc(2 * size, sizeof(*s->table));
	if (!s->table) {
		s->table = old;
		return -ENOMEM;
	}
	s->mask = 2 * size - 1;
	for (uint64_t i = 0; i < size; i++)
		if (old[i])
			*place(s, old[i]->id, old[i]->hash) = old[i];
	free(old);
	return 0;
}

/* The sorted list. */

static unsigned int rank(const struct object_set *s, const char *id)
{
	unsigned int low = 0, high = s->n_config;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (strcmp(s->config[middle]->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int grow_config(struct object_set *s)
{
	unsigned int cap = s->cap_config ? 2 * s->cap_config : 16;
	struct object **more;

	if (s->n_config < s->cap_config)
		return 0;
	more = reallocarray(s->config, cap, sizeof(*more));
	if (!more)
		return -ENOMEM;
	s->config = more;
	s->cap_config = cap;
	return 0;
}

static void list_swap(struct object_set *s, const struct object *was, struct object *is)
{
	const char *id = was ? was->id : is->id;
	unsigned int i = rank(s, id);
	struct object **at = &s->config[i];

	if (was && is) {
		*at = is;
	} else if (is) {
		memmove(at + 1, at, (s->n_config++ - i) * sizeof(*at));
		*at = is;
	} else {
		memmove(at, at + 1, (--s->n_config - i) * sizeof(*at));
	}
}

/* Both, and the digests. Room has been made. */
static void swap(struct object_set *s, struct object *was, struct object *is)
{
	const struct object *any = is ? is : was;
	struct object **at = place(s, any->id, any->hash);

	if (is)
		*at = is;
	else
		vacate(s, at - s->table);
	if (was)
		objset_digest_del(&s->digest, was->id, &was->v);
	if (is)
		objset_digest_add(&s->digest, is->id, &is->v);
	if (any->doc)
		list_swap(s, was, is);
}

static int step(struct object_set *s, struct object *was, struct object *is)
{
	uint64_t cap = s->cap_log ? 2 * s->cap_log : 16;
	struct step *more;

	if (s->n_log == s->cap_log) {
		more = reallocarray(s->log, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		s->log = more;
		s->cap_log = cap;
	}
	s->log[s->n_log++] = (struct step){ was, is };
	swap(s, was, is);
	return 0;
}

/* Life. */

struct object_set *object_set_new(void)
{
	struct object_set *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->mask = TABLE_MIN - 1;
	s->table = calloc(TABLE_MIN, sizeof(*s->table));
	if (s->table)
		return s;
	free(s);
	return NULL;
}

void object_set_free(struct object_set *s)
{
	if (!s)
		return;
	object_set_commit(s);
	for (uint64_t i = 0; i <= s->mask; i++)
		object_put(s->table[i]);
	free(s->table);
	free(s->config);
	free(s->log);
	free(s);
}

struct object *object_set_find(const struct object_set *s, const char *id)
{
	return *place(s, id, object_hash(id));
}

const struct objset_digest *object_set_digest(const struct object_set *s)
{
	return &s->digest;
}

struct object **object_set_config(const struct object_set *s, unsigned int *ret_n)
{
	*ret_n = s->n_config;
	return s->config;
}

void object_set_each(const struct object_set *s, void (*fn)(const struct object *o, void *arg),
		     void *arg)
{
	for (uint64_t i = 0; i <= s->mask; i++)
		if (s->table[i])
			fn(s->table[i], arg);
}

struct object **object_set_hold(const struct object_set *s, uint64_t *ret_n)
{
	struct object **held = calloc(s->digest.count + 1, sizeof(*held));
	uint64_t n = 0;

	for (uint64_t i = 0; held && i <= s->mask; i++)
		if (s->table[i])
			held[n++] = object_get(s->table[i]);
	*ret_n = n;
	return held;
}

/* Whatever belongs at @home lies between there and the next gap. */
static void each_at_home(const struct object_set *s, uint64_t home,
			 void (*fn)(const struct object *o, void *arg), void *arg)
{
	for (uint64_t i = home; s->table[i]; i = (i + 1) & s->mask)
		if ((s->table[i]->hash & s->mask) == home)
			fn(s->table[i], arg);
}

void object_set_bucket(const struct object_set *s, unsigned int b,
		       void (*fn)(const struct object *o, void *arg), void *arg)
{
	for (uint64_t home = b; home <= s->mask; home += TABLE_MIN)
		each_at_home(s, home, fn, arg);
}

int object_set_add(struct object_set *s, struct object *o)
{
	int err = grow_table(s);

	if (!err)
		err = grow_config(s);
	if (!err)
		err = step(s, object_set_find(s, o->id), o);
	if (!err)
		object_get(o);
	return err;
}

int object_set_del(struct object_set *s, const char *id)
{
	struct object *was = object_set_find(s, id);

	return was ? step(s, was, NULL) : 0;
}

void object_set_changes(const struct object_set *s,
			void (*fn)(const struct object *was, const struct object *is, void *arg),
			void *arg)
{
	for (uint64_t i = 0; i < s->n_log; i++)
		fn(s->log[i].was, s->log[i].is, arg);
}

/* A long log, of a first transaction, is not kept as room for the short ones to come. */
static void forget_log(struct object_set *s)
{
	free(s->log);
	s->log = NULL;
	s->n_log = s->cap_log = 0;
}

void object_set_commit(struct object_set *s)
{
	for (uint64_t i = 0; i < s->n_log; i++)
		object_put(s->log[i].was);
	forget_log(s);
}

void object_set_rollback(struct object_set *s)
{
	while (s->n_log--) {
		const struct step *last = &s->log[s->n_log];

		swap(s, last->is, last->was);
		object_put(last->is);
	}
	forget_log(s);
}
