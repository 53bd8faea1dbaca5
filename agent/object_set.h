/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object_set.h - all objects of a host, and a transaction that can be taken back
 *
 *	object_set_add(), _del() ──► set, and what was there before ──► undo
 *
 * Objects are found by id in a hash table. Those that make up the configuration are
 * also kept sorted by id, so that it is read in the same order every time; endpoints,
 * of which a hoverboard has a million, are not. Digests follow every step (lib/objset.h).
 *
 * Until object_set_commit() everything done since the last one can be undone by
 * object_set_rollback(), in reverse.
 *
 * Pure. See also: state.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/object.h>

struct object_set;

struct object_set *object_set_new(void);	/* NULL without memory */
void object_set_free(struct object_set *s);

struct object *object_set_find(const struct object_set *s, const char *id);
/* Digests and count, of the set as it is now. */
const struct objset_digest *object_set_digest(const struct object_set *s);
/* Sorted by id; those that have a tree. */
struct object **object_set_config(const struct object_set *s, unsigned int *ret_n);
void object_set_each(const struct object_set *s, void (*fn)(const struct object *o, void *arg),
		     void *arg);

/* References of all objects as they are now, to put and to free; NULL without memory. */
struct object **object_set_hold(const struct object_set *s, uint64_t *ret_n);
/* The objects of bucket @b, 0 to 255: those whose hash ends in it. */
void object_set_bucket(const struct object_set *s, unsigned int b,
		       void (*fn)(const struct object *o, void *arg), void *arg);

/* Takes a reference of @o, in place of one with its id. */
int object_set_add(struct object_set *s, struct object *o);
/* An id that is not there is no error. */
int object_set_del(struct object_set *s, const char *id);

/* What has been done since the last commit: @is NULL: removed; @was NULL: new. In order. */
void object_set_changes(const struct object_set *s,
			void (*fn)(const struct object *was, const struct object *is, void *arg),
			void *arg);
void object_set_commit(struct object_set *s);
void object_set_rollback(struct object_set *s);
