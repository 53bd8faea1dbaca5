/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_impl.h - what an implementation of the store offers to store.c
 *
 * store.c checks arguments, so an implementation only sees what the interface
 * allows. Each embeds a struct store as its first member. An implementation calls
 * back from the loop only; store_defer() helps where the answer is known at once.
 */
#pragma once

#include <ctl/controller/store.h>

struct event;
struct store_deferred;

struct store {
	const struct store_class *class;
	struct event_base *base;
	struct store_limits limits;
	struct event *event;		/* runs what was deferred */
	struct store_deferred *deferred, **deferred_end;
	bool closing;			/* nothing reaches the implementation any more */
};

struct store_watch {
	struct store *store;
	store_watch_fn fn;
	void *arg;
	size_t prefix_len;
	char prefix[STORE_KEY_MAX + 2];
};

struct store_class {
	const char *name;		/* also the scheme of its `where` */
	int (*open)(const struct store_options *o, const char *place, struct event_base *base,
		    struct store **ret, struct error *e);
	void (*stop)(struct store *s);	/* answers whatever is under way, -ECANCELED at worst */
	void (*free)(struct store *s);
	void (*get)(struct store *s, const char *key, store_fn fn, void *arg);
	void (*range)(struct store *s, const char *prefix, const char *after, unsigned int limit,
		      store_fn fn, void *arg);
	void (*txn)(struct store *s, const struct store_compare *compares, unsigned int n_compares,
		    const struct store_op *ops, unsigned int n_ops, store_fn fn, void *arg);
	struct store_watch *(*watch)(struct store *s, const char *prefix, int64_t from,
				     store_watch_fn fn, void *arg);
	void (*watch_cancel)(struct store_watch *w);
	void (*lease_grant)(struct store *s, unsigned int ttl_ms, store_fn fn, void *arg);
	void (*lease_keepalive)(struct store *s, int64_t lease, store_fn fn, void *arg);
	void (*lease_revoke)(struct store *s, int64_t lease, store_fn fn, void *arg);
};

extern const struct store_class store_sqlite, store_etcd;

/* Calls back with an error in the loop's next round. */
void store_defer(struct store *s, store_fn fn, void *arg, int err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

void store_watch_init(struct store_watch *w, struct store *s, const char *prefix, store_watch_fn fn,
		      void *arg);
/* The first key behind all that begin with @prefix; @buf holds STORE_KEY_MAX + 2 bytes. */
const char *store_prefix_end(const char *prefix, char *buf);
