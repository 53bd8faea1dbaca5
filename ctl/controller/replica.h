/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replica.h - a model_set that follows the store
 *
 *	store_range(prefix) ──► set ◄── store_watch(from there on)
 *
 * One for each scope (MODEL_PREFIX, MODEL_GLOBAL_PREFIX); both may fill one set, as
 * kinds belong to one scope. Listeners hear of every object that changed, with what
 * it was before, and of the end of each transaction. When the store's history does
 * not reach back to where a watch broke off, the whole is read again and only the
 * difference is told.
 *
 * What cannot be read as an object is logged and left out; the rest goes on.
 * On the loop's thread.
 */
#pragma once

#include <event2/event.h>

#include <ctl/controller/model_set.h>
#include <ctl/controller/store.h>

struct replica;

struct replica_listener {
	/* Before the set changes: @old as it is there or NULL, @next as it will be or NULL. May be NULL. */
	void (*changing)(void *arg, struct object *old, const struct object *next);
	/* @old NULL: new; @now NULL: gone. Before the first settled(): what was there at the start. */
	void (*changed)(void *arg, const struct object *old, struct object *now);
	/* The set is as of @revision, between transactions. */
	void (*settled)(void *arg, int64_t revision);
	void *arg;
	struct replica_listener *next;	/* the replica's */
};

/* NULL: no memory. Reading starts at once; @set and @store must outlive it. */
struct replica *replica_new(struct event_base *base, struct store *store, struct model_set *set,
			    const char *prefix);
/* Calls what is under way off; the store must be closed after or before as a whole. */
void replica_free(struct replica *r);
void replica_listen(struct replica *r, struct replica_listener *l);
/* 0 until everything was read once. */
int64_t replica_revision(const struct replica *r);
