/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store.h - the one place where declared state lives: keys, revisions, watches, leases
 *
 *	store_txn(compare, put, delete) ──► revision 42 ──► every store_watch() that covers it
 *	store_range("/mirach/objects/") ──► keys in order, all as of one revision
 *
 * A key is text ("/mirach/objects/Tenant/acme"), a value is bytes. Every
 * transaction that changes something gets the next revision; a key remembers the
 * revision that created it and the one that wrote it last. All compares of a
 * transaction hold, or nothing of it is done. A watch from revision R delivers
 * every change from R on, in order, each exactly once, one call per transaction;
 * range at revision R and then watch from R + 1 misses nothing.
 *
 * Two implementations behave the same and pass the same tests: SQLite
 * (store_sqlite.c: a file, several processes of one machine) and etcd
 * (store_etcd.c: a cluster). What differs is said with `stale` and store_limits.
 *
 * Everything is asynchronous on one libevent loop, the caller's; no call blocks on
 * the disk or the network, and all calls must come from the loop's thread. A
 * callback comes from the loop, never from inside the call that asked, and exactly
 * once (store_range(): once per page). Arguments are copied before a call returns;
 * what a callback is shown is gone when it returns.
 *
 * Errors, everywhere:
 *	-ESTALE		a compare did not hold; a watch or a paged range reaches behind
 *			what history is kept. Read again, decide again
 *	-EAGAIN		not done, for sure: no quorum, nobody reachable, locked. Try later
 *	-ETIMEDOUT	no answer in time: it may have been done or not, or (etcd) be done yet.
 *			Read to find out; only a compare keeps a late one from overwriting
 *	-ENOSPC		no room for it; nothing changed
 *	-ENOENT		the lease has expired, or was revoked
 *	-E2BIG		more than store_limits; -EINVAL: no such key, value or lease can be
 *	-ECANCELED	store_close() came first
 *	-EACCES, -EIO, -EBADMSG, -ENOMEM
 *
 * See also: store_election.h (leader election on top of this), docs/store.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/error.h>

#define STORE_KEY_MAX 512		/* bytes, without the NUL */
#define STORE_VALUE_MAX (1u << 20)
#define STORE_LEASE_TTL_MIN_MS 500	/* etcd grants whole seconds, no less than two */

struct event_base;
struct store;
struct store_watch;

struct store_options {
	const char *where;		/* "sqlite:PATH" or "etcd:URL[,URL...]" */
	const char *ca, *cert, *key;	/* etcd over https: files in PEM; cert and key may be NULL */
	unsigned int history;		/* SQLite: revisions kept for watches; 0: 50,000 */
	unsigned int timeout_ms;	/* etcd: of one request; 0: 5,000 */
};

struct store_limits {
	unsigned int txn_ops;		/* compares, and puts and deletes, in one transaction */
	size_t txn_bytes;		/* keys and values together */
};

struct store_kv {
	const char *key;
	const char *value;		/* value[value_len] is NUL */
	size_t value_len;
	int64_t create_revision, mod_revision;
	int64_t lease;			/* 0: none */
};

struct store_compare {
	const char *key;
	int64_t mod_revision;		/* 0: the key must not exist */
};

struct store_op {
	bool del;			/* false: put */
	const char *key;
	const char *value;
	size_t value_len;
	int64_t lease;			/* put: the key goes when this lease does; 0: stays */
};

struct store_reply {
	int err;			/* 0 or -errno */
	const char *text;		/* what failed and what to do about it; "" without error */
	int64_t revision;		/* range, get: what it shows; txn: its own; or the newest one known */
	const struct store_kv *kvs;
	unsigned int n;
	bool more;			/* another page follows */
	bool stale;			/* get, range: no quorum; true once, maybe not any more */
	unsigned int failed;		/* txn, -ESTALE: which compare, the first of them */
	int64_t lease;
	unsigned int ttl_ms;		/* lease: as granted */
};

typedef void (*store_fn)(void *arg, const struct store_reply *r);

struct store_event {
	bool del;			/* then kv.value is "" and kv.create_revision 0 */
	struct store_kv kv;
};

struct store_change {
	int err;			/* -ESTALE: history is gone, the watch is over: range again */
	const char *text;
	int64_t revision;
	const struct store_event *events;	/* of this transaction, what the prefix covers */
	unsigned int n;
};

typedef void (*store_watch_fn)(void *arg, const struct store_change *c);

/* -EINVAL, or the file cannot be used. A cluster that is down is no error: requests will say so. */
int store_open(struct event_base *base, const struct store_options *o, struct store **ret,
	       struct error *e);
/* Whatever is under way ends with -ECANCELED, before this returns; watches end silently. */
void store_close(struct store *s);	/* NULL is allowed; not from within a callback */
struct store_limits store_limits(const struct store *s);
const char *store_kind(const struct store *s);	/* "sqlite", "etcd" */

/* n is 0 or 1: that a key is not there is no error. */
void store_get(struct store *s, const char *key, store_fn fn, void *arg);
/*
 * Keys that begin with @prefix and come behind @after (NULL: all), in bytewise
 * order, at most @limit (0: all), in pages, all of one revision.
 */
void store_range(struct store *s, const char *prefix, const char *after, unsigned int limit,
		 store_fn fn, void *arg);

/*
 * No key may be in two ops. Without ops: only compares. A transaction that changes
 * nothing (deletes what is not there) makes no revision.
 */
void store_txn(struct store *s, const struct store_compare *compares, unsigned int n_compares,
	       const struct store_op *ops, unsigned int n_ops, store_fn fn, void *arg);

/*
 * @from: first revision of interest, 0: from now on. NULL: out of memory, or no
 * such prefix. A watch that is over still wants its store_watch_cancel(), which
 * may be called from within its callback.
 */
struct store_watch *store_watch(struct store *s, const char *prefix, int64_t from,
				store_watch_fn fn, void *arg);
void store_watch_cancel(struct store_watch *w);	/* NULL is allowed */

/*
 * Keys put with a lease are deleted, in one transaction, once nobody has kept it
 * alive for its time to live, or when it is revoked. Time is the machine's
 * uptime, so setting its clock changes nothing.
 */
void store_lease_grant(struct store *s, unsigned int ttl_ms, store_fn fn, void *arg);
void store_lease_keepalive(struct store *s, int64_t lease, store_fn fn, void *arg);
void store_lease_revoke(struct store *s, int64_t lease, store_fn fn, void *arg);
