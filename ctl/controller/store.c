// SPDX-License-Identifier: BSD-2-Clause
/*
 * store.c - checks what is asked of the store and hands it to the implementation
 *
 * Both implementations thus refuse the same things with the same words, and none
 * of them can be surprised by an argument. A refusal is deferred to the loop like
 * any other answer, so callers need no second way of handling errors.
 */
#include <ctl/controller/store.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <ctl/controller/store_impl.h>

#define TTL_MAX_MS 3600000u

static const struct store_class *const classes[] = { &store_sqlite, &store_etcd };

struct store_deferred {
	struct store_deferred *next;
	store_fn fn;
	void *arg;
	struct error e;
};

/* ---- deferred answers ---- */

static void run_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct store *s = arg;
	struct store_deferred *list = s->deferred;

	(void)fd;
	(void)what;
	s->deferred = NULL;
	s->deferred_end = &s->deferred;
	while (list) {
		struct store_deferred *d = list;

		list = d->next;
		d->fn(d->arg, &(struct store_reply){ .err = d->e.err, .text = d->e.text });
		free(d);
	}
}

void store_defer(struct store *s, store_fn fn, void *arg, int err, const char *fmt, ...)
{
	struct store_deferred *d = calloc(1, sizeof(*d));
	va_list args;

	if (!d)
		abort();	/* without a kilobyte left there is nobody to tell */
	d->fn = fn;
	d->arg = arg;
	d->e.err = err;
	va_start(args, fmt);
	vsnprintf(d->e.text, sizeof(d->e.text), fmt, args);
	va_end(args);
	*s->deferred_end = d;
	s->deferred_end = &d->next;
	event_active(s->event, EV_TIMEOUT, 0);
}

/* ---- opening and closing ---- */

int store_open(struct event_base *base, const struct store_options *o, struct store **ret,
	       struct error *e)
{
	const char *colon = strchr(o->where, ':');
	size_t len = colon ? (size_t)(colon - o->where) : 0;
	struct store *s;
	int err;

	for (size_t i = 0; colon && i < sizeof(classes) / sizeof(classes[0]); i++) {
		if (len != strlen(classes[i]->name) || memcmp(classes[i]->name, o->where, len))
			continue;
		err = classes[i]->open(o, colon + 1, base, &s, e);
		if (err)
			return err;
		s->class = classes[i];
		s->base = base;
		s->deferred_end = &s->deferred;
		s->event = event_new(base, -1, 0, run_deferred, s);
		if (!s->event)
			abort();
		*ret = s;
		return 0;
	}
	return error_set(e, -EINVAL, "store \"%s\": say sqlite:PATH or etcd:http://HOST:PORT[,...]",
			 o->where);
}

void store_close(struct store *s)
{
	if (!s)
		return;
	s->closing = true;
	s->class->stop(s);
	while (s->deferred)
		run_deferred(-1, 0, s);
	event_free(s->event);
	s->class->free(s);
}

struct store_limits store_limits(const struct store *s)
{
	return s->limits;
}

const char *store_kind(const struct store *s)
{
	return s->class->name;
}

/* ---- checks ---- */

static int check_key(const char *what, const char *key, struct error *e)
{
	if (key[0] != '/')
		return error_set(e, -EINVAL, "store: %s \"%.64s\" does not begin with '/'", what, key);
	if (strnlen(key, STORE_KEY_MAX + 1) > STORE_KEY_MAX)
		return error_set(e, -EINVAL, "store: %s \"%.64s...\" is longer than %d bytes", what, key,
				 STORE_KEY_MAX);
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_unique(const struct store_op *ops, unsigned int n, struct error *e)
{
	const char **keys = malloc((n + 1) * sizeof(*keys));
	int err = 0;

	if (!keys)
		return error_set(e, -ENOMEM, "store: out of memory");
	for (unsigned int i = 0; i < n; i++)
		keys[i] = ops[i].key;
	qsort(keys, n, sizeof(*keys), by_key);
	for (unsigned int i = 1; i < n && !err; i++)
		if (!strcmp(keys[i - 1], keys[i]))
			err = error_set(e, -EINVAL, "store: \"%s\" twice in one transaction", keys[i]);
	free(keys);
	return err;
}

static int check_op(const struct store_op *op, struct error *e)
{
	if (check_key("key", op->key, e))
		return e->err;
	if (!op->del && op->value_len > STORE_VALUE_MAX)
		return error_set(e, -EINVAL, "store: value of \"%s\" has %zu bytes, more than %u", op->key,
				 op->value_len, STORE_VALUE_MAX);
	if (op->lease < 0 || (op->del && op->lease))
		return error_set(e, -EINVAL, "store: \"%s\" cannot have lease %lld", op->key,
				 (long long)op->lease);
	return 0;
}

static int check_txn(const struct store *s, const struct store_compare *compares,
		     unsigned int n_compares, const struct store_op *ops, unsigned int n_ops,
		     struct error *e)
{
	size_t bytes = 0;

	if (n_compares > s->limits.txn_ops || n_ops > s->limits.txn_ops)
		return error_set(e, -E2BIG, "store: a transaction of %u changes, at most %u can be: %s",
				 n_ops > n_compares ? n_ops : n_compares, s->limits.txn_ops,
				 "apply in smaller pieces");
	for (unsigned int i = 0; i < n_compares; i++)
		if (check_key("key", compares[i].key, e))
			return e->err;
	for (unsigned int i = 0; i < n_ops; i++) {
		if (check_op(&ops[i], e))
			return e->err;
		bytes += strlen(ops[i].key) + ops[i].value_len;
	}
	if (bytes > s->limits.txn_bytes)
		return error_set(e, -E2BIG, "store: a transaction of %zu bytes, at most %zu can be: %s",
				 bytes, s->limits.txn_bytes, "apply in smaller pieces");
	return check_unique(ops, n_ops, e);
}

static int check_open(const struct store *s, struct error *e)
{
	return s->closing ? error_set(e, -ECANCELED, "store: it is being closed") : 0;
}

static int check_lease(const struct store *s, int64_t lease, struct error *e)
{
	if (lease <= 0)
		return error_set(e, -EINVAL, "store: no lease has number %lld", (long long)lease);
	return check_open(s, e);
}

static int check_ttl(const struct store *s, unsigned int ttl_ms, struct error *e)
{
	if (ttl_ms < STORE_LEASE_TTL_MIN_MS || ttl_ms > TTL_MAX_MS)
		return error_set(e, -EINVAL, "store: a lease of %u ms, it can be %d to %u", ttl_ms,
				 STORE_LEASE_TTL_MIN_MS, TTL_MAX_MS);
	return check_open(s, e);
}

static void refuse(struct store *s, store_fn fn, void *arg, const struct error *e)
{
	store_defer(s, fn, arg, e->err, "%s", e->text);
}

/* ---- the interface ---- */

void store_get(struct store *s, const char *key, store_fn fn, void *arg)
{
	struct error e;

	if (check_open(s, &e) || check_key("key", key, &e))
		refuse(s, fn, arg, &e);
	else
		s->class->get(s, key, fn, arg);
}

void store_range(struct store *s, const char *prefix, const char *after, unsigned int limit,
		 store_fn fn, void *arg)
{
	struct error e;

	if (check_open(s, &e) || check_key("prefix", prefix, &e) ||
	    (after && check_key("key", after, &e)))
		refuse(s, fn, arg, &e);
	else
		s->class->range(s, prefix, after, limit, fn, arg);
}

void store_txn(struct store *s, const struct store_compare *compares, unsigned int n_compares,
	       const struct store_op *ops, unsigned int n_ops, store_fn fn, void *arg)
{
	struct error e;

	if (check_open(s, &e) || check_txn(s, compares, n_compares, ops, n_ops, &e))
		refuse(s, fn, arg, &e);
	else
		s->class->txn(s, compares, n_compares, ops, n_ops, fn, arg);
}

struct store_watch *store_watch(struct store *s, const char *prefix, int64_t from,
				store_watch_fn fn, void *arg)
{
	struct error e;

	if (check_open(s, &e) || check_key("prefix", prefix, &e) || from < 0)
		return NULL;
	return s->class->watch(s, prefix, from, fn, arg);
}

void store_watch_cancel(struct store_watch *w)
{
	if (w)
		w->store->class->watch_cancel(w);
}

void store_lease_grant(struct store *s, unsigned int ttl_ms, store_fn fn, void *arg)
{
	struct error e;

	if (check_ttl(s, ttl_ms, &e))
		refuse(s, fn, arg, &e);
	else
		s->class->lease_grant(s, ttl_ms, fn, arg);
}

void store_lease_keepalive(struct store *s, int64_t lease, store_fn fn, void *arg)
{
	struct error e;

	if (check_lease(s, lease, &e))
		refuse(s, fn, arg, &e);
	else
		s->class->lease_keepalive(s, lease, fn, arg);
}

void store_lease_revoke(struct store *s, int64_t lease, store_fn fn, void *arg)
{
	struct error e;

	if (check_lease(s, lease, &e))
		refuse(s, fn, arg, &e);
	else
		s->class->lease_revoke(s, lease, fn, arg);
}

/* ---- for the implementations ---- */

void store_watch_init(struct store_watch *w, struct store *s, const char *prefix, store_watch_fn fn,
		      void *arg)
{
	w->store = s;
	w->fn = fn;
	w->arg = arg;
	w->prefix_len = strlen(prefix);
	memcpy(w->prefix, prefix, w->prefix_len + 1);
}

const char *store_prefix_end(const char *prefix, char *buf)
{
	size_t len = strlen(prefix);

	memcpy(buf, prefix, len + 1);
	while ((unsigned char)buf[len - 1] == 0xff)	/* ends at the '/' in front */
		len--;
	buf[len - 1]++;
	buf[len] = '\0';
	return buf;
}
