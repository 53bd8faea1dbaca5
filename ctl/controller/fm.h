/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fm.h - the fabric manager: transactions of declared objects, one after the other
 *
 *	fm_apply ──► queue ──► validate() on the set ──► store_txn ──► the set follows ──► done
 *	                           ▲                        │ somebody else was faster
 *	                           └── the set caught up ◄──┘
 *
 * Several fabric managers may run on one store. Each transaction compares and writes
 * the scope's head key; whoever decided on an old state loses the compare, reads the
 * other's change and decides again. So the whole is judged on every write, and
 * nobody waits for a lock. Regional and global scope have a lane each (a head, a
 * replica, a queue): neither can hold up or fail the other.
 *
 * A transaction that changes nothing writes nothing. On the loop's thread.
 */
#pragma once

#include <ctl/controller/replica.h>
#include <ctl/controller/validate.h>

struct fm;
struct fm_request;

struct fm_options {
	uint64_t vni_min, vni_max;	/* to allocate from; 0: all */
};

struct fm_result {
	/*
	 * 0; -EINVAL, -ESTALE: see the problems; -E2BIG; else the store's error, where
	 * -EAGAIN is "not done" and -ETIMEDOUT "done or not".
	 */
	int err;
	const char *text;		/* of the store's errors */
	int64_t revision;		/* the set shows the change from here on */
	const struct changes *changes;	/* with their outcome */
	const struct problems *problems;
};

typedef void (*fm_fn)(void *arg, const struct fm_result *r);

struct fm *fm_new(struct event_base *base, struct store *store, const struct fm_options *o);
void fm_free(struct fm *fm);		/* what is queued is forgotten without an answer */

/*
 * Takes over what @changes holds. @writer: a tenant, or NULL for the operator. @fn is
 * called once, from the loop, never from within. NULL: no memory, and @changes freed.
 */
struct fm_request *fm_apply(struct fm *fm, struct changes *changes, const char *writer, bool dry_run,
			    fm_fn fn, void *arg);
/* @fn is not called any more; what is decided happens all the same. */
void fm_forget(struct fm_request *r);

struct model_set *fm_set(struct fm *fm);	/* to read, between transactions */
struct replica *fm_replica(struct fm *fm, enum scope scope);
int64_t fm_revision(const struct fm *fm);	/* of the regional scope; 0: not ready yet */
struct store *fm_store(struct fm *fm);
