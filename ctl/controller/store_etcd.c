// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_etcd.c - the store in an etcd cluster, over its JSON gateway
 *
 * Writes, and reads by default, are linearizable: a quorum of members agreed. When
 * no quorum answers a read, any one member is asked for what it has, and the answer
 * is marked stale: reading goes on when a majority is lost, writing ends with
 * -EAGAIN or -ETIMEDOUT. Once that has happened, reads wait for a quorum for
 * SUSPECT_MS only, until one is there again.
 *
 * A long range is read page by page, all of the revision of the first one.
 *
 * See also: store_etcd_http.h (calls), store_etcd_watch.c (streams),
 * store_etcd_json.h (bodies), docs/store.md.
 */
#include <ctl/controller/store_etcd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TXN_OPS_MAX 10000u		/* with etcd --max-txn-ops=10000; its default is 128 */
#define TXN_BYTES_MAX (11u << 20)	/* 16 MiB in base64 */
#define PAGE_KEYS 512u
#define QUORUM_MS 2000u
#define SUSPECT_MS 300u

static struct etcd_store *of(struct store *s)
{
	return (struct etcd_store *)s;
}

/* One request of the store under way. */
struct op {
	struct etcd_store *s;
	store_fn fn;
	void *arg;
	/* ranges */
	char key[STORE_KEY_MAX + 2], end[STORE_KEY_MAX + 2];
	struct etcd_range range;
	unsigned int page;		/* keys in one answer */
	unsigned int left;		/* keys still wanted, if bounded */
	bool bounded;
	/* transactions: the compares, to name the one that failed */
	struct store_compare *compares;
	unsigned int n_compares;
};

static struct op *op_new(struct store *s, store_fn fn, void *arg)
{
	struct op *op = calloc(1, sizeof(*op));

	if (!op) {
		store_defer(s, fn, arg, -ENOMEM, "store: out of memory");
		return NULL;
	}
	op->s = of(s);
	op->fn = fn;
	op->arg = arg;
	return op;
}

static void op_free(struct op *op)
{
	free(op->compares);
	free(op);
}

static void end_op(struct op *op, const struct error *e)
{
	op->fn(op->arg, &(struct store_reply){ .err = e->err, .text = e->text });
	op_free(op);
}

/* ---- ranges ---- */

static void ask_page(struct op *op);

static void show_page(struct op *op, const struct etcd_answer *a, bool more)
{
	struct store_kv *kvs = malloc((a->n + 1) * sizeof(*kvs));
	struct store_reply r = { .text = "", .revision = op->range.revision, .kvs = kvs, .n = a->n,
				 .more = more, .stale = op->range.serializable };

	if (!kvs)
		abort();
	for (unsigned int i = 0; i < a->n; i++)
		kvs[i] = a->events[i].kv;
	op->fn(op->arg, &r);
	free(kvs);
}

/* Where the next page begins: the key and a NUL, which is the next possible key. */
static void go_behind(struct op *op, const char *key)
{
	strcpy(op->key, key);
	op->range.key = (struct etcd_bytes){ op->key, strlen(key) + 1 };
}

static void take_page(struct op *op, const struct etcd_answer *a)
{
	bool more = a->more && a->n;

	if (!op->range.revision)
		op->range.revision = a->revision;
	if (op->bounded)
		op->left -= a->n < op->left ? a->n : op->left;
	if (op->bounded && !op->left)
		more = false;
	if (more)
		go_behind(op, a->events[a->n - 1].kv.key);
	show_page(op, a, more);
	if (!more)
		op_free(op);
	else if (op->s->s.closing)
		end_op(op, &(struct error){ -ECANCELED, "store: it is being closed" });
	else
		ask_page(op);
}

/* True: there is something else to try, and it was started. */
static bool ask_otherwise(struct op *op, int err)
{
	if (err == -EFBIG && op->page > 1) {
		op->page /= 4;
		op->page += !op->page;
		ask_page(op);
		return true;
	}
	if ((err == -EAGAIN || err == -ETIMEDOUT) && !op->range.serializable) {
		op->s->quorum_lost = true;
		op->range.serializable = true;
		ask_page(op);
		return true;
	}
	return false;
}

static void on_page(void *arg, const struct error *failed, const char *text, size_t len)
{
	struct op *op = arg;
	struct etcd_answer a = {};
	struct error e;

	if (failed)
		e = *failed;
	else if (!etcd_parse(ETCD_RANGE, 200, text, len, &a, &e)) {
		if (!op->range.serializable)
			op->s->quorum_lost = false;
		take_page(op, &a);
		etcd_answer_done(&a);
		return;
	}
	etcd_answer_done(&a);
	if (!ask_otherwise(op, e.err))
		end_op(op, &e);
}

static void ask_page(struct op *op)
{
	struct etcd_request r = { .path = "/v3/kv/range", .repeatable = true, .fn = on_page, .arg = op };

	op->range.limit = op->bounded && op->left < op->page ? op->left : op->page;
	r.body = etcd_range_body(&op->range, &r.len);
	r.timeout_ms = op->s->quorum_lost && !op->range.serializable ? SUSPECT_MS : QUORUM_MS;
	etcd_client_post(op->s->client, &r);
}

static void get(struct store *s, const char *key, store_fn fn, void *arg)
{
	struct op *op = op_new(s, fn, arg);

	if (!op)
		return;
	strcpy(op->key, key);
	op->range.key = (struct etcd_bytes){ op->key, strlen(key) };
	op->page = op->left = 1;
	op->bounded = true;
	ask_page(op);
}

static void range(struct store *s, const char *prefix, const char *after, unsigned int limit,
		  store_fn fn, void *arg)
{
	struct op *op = op_new(s, fn, arg);

	if (!op)
		return;
	strcpy(op->key, prefix);
	op->range.key = (struct etcd_bytes){ op->key, strlen(prefix) };
	if (after && strcmp(after, prefix) >= 0)
		go_behind(op, after);
	store_prefix_end(prefix, op->end);
	op->range.end = (struct etcd_bytes){ op->end, strlen(op->end) };
	op->page = PAGE_KEYS;
	op->left = limit;
	op->bounded = limit;
	ask_page(op);
}

/* ---- transactions ---- */

static int64_t revision_of(const struct etcd_answer *a, const char *key)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (!strcmp(a->events[i].kv.key, key))
			return a->events[i].kv.mod_revision;
	return 0;
}

/* Says which compare did not hold. etcd answers in their order, and leaves out what is not there. */
static void refuse(struct op *op, const struct etcd_answer *a)
{
	struct store_reply r = { .err = -ESTALE, .revision = a->revision };
	struct error e;

	for (unsigned int i = 0; i < op->n_compares; i++) {
		const struct store_compare *c = &op->compares[i];
		int64_t now = revision_of(a, c->key);

		if (now == c->mod_revision)
			continue;
		error_set(&e, r.err, "\"%s\" is at revision %lld, not %lld (0: not there): read it again",
			  c->key, (long long)now, (long long)c->mod_revision);
		r.failed = i;
		r.text = e.text;
		break;
	}
	r.text = r.text ?: "a key has another revision than expected: read again";
	op->fn(op->arg, &r);
	op_free(op);
}

static void on_txn(void *arg, const struct error *failed, const char *text, size_t len)
{
	struct op *op = arg;
	struct etcd_answer a = {};
	struct error e;

	if (failed) {
		end_op(op, failed);
	} else if (etcd_parse(ETCD_TXN, 200, text, len, &a, &e)) {
		end_op(op, &e);
	} else if (!a.succeeded) {
		refuse(op, &a);
	} else {
		op->s->quorum_lost = false;
		op->fn(op->arg, &(struct store_reply){ .text = "", .revision = a.revision });
		op_free(op);
	}
	etcd_answer_done(&a);
}

/* Keys in the block of the compares, for the day they do not hold. */
static int keep_compares(struct op *op, const struct store_compare *compares, unsigned int n)
{
	size_t size = n * sizeof(*compares) + 1;
	char *at;

	for (unsigned int i = 0; i < n; i++)
		size += strlen(compares[i].key) + 1;
	op->compares = malloc(size);
	if (!op->compares)
		return -ENOMEM;
	at = (char *)(op->compares + n);
	op->n_compares = n;
	for (unsigned int i = 0; i < n; i++) {
		op->compares[i] = compares[i];
		op->compares[i].key = strcpy(at, compares[i].key);
		at += strlen(at) + 1;
	}
	return 0;
}

static void txn(struct store *s, const struct store_compare *compares, unsigned int n_compares,
		const struct store_op *ops, unsigned int n_ops, store_fn fn, void *arg)
{
	struct op *op = op_new(s, fn, arg);
	struct etcd_request r = { .path = "/v3/kv/txn", .fn = on_txn, .arg = op };

	if (!op)
		return;
	if (keep_compares(op, compares, n_compares)) {
		op_free(op);
		store_defer(s, fn, arg, -ENOMEM, "store: out of memory");
		return;
	}
	r.body = etcd_txn_body(compares, n_compares, ops, n_ops, &r.len);
	etcd_client_post(op->s->client, &r);
}

/* ---- leases ---- */

static void on_lease(void *arg, const struct error *failed, const char *text, size_t len)
{
	struct op *op = arg;
	struct etcd_answer a = {};
	struct error e;

	if (failed) {
		end_op(op, failed);
	} else if (etcd_parse(ETCD_LEASE, 200, text, len, &a, &e)) {
		end_op(op, &e);
	} else if (op->bounded && !a.ttl_s) {
		error_set(&e, -ENOENT, "etcd: the lease has expired or was revoked");
		end_op(op, &e);
	} else {
		op->fn(op->arg, &(struct store_reply){ .text = "", .revision = a.revision, .lease = a.lease,
						       .ttl_ms = (unsigned int)a.ttl_s * 1000 });
		op_free(op);
	}
	etcd_answer_done(&a);
}

/* @has_ttl: an answer without a time to live says that there is no such lease. */
static void lease(struct store *s, const char *path, int64_t id, unsigned int ttl_ms, bool has_ttl,
		  store_fn fn, void *arg)
{
	struct op *op = op_new(s, fn, arg);
	struct etcd_request r = { .path = path, .repeatable = has_ttl, .fn = on_lease, .arg = op };

	if (!op)
		return;
	op->bounded = has_ttl;
	r.body = etcd_lease_body(id, (ttl_ms + 999) / 1000, &r.len);
	r.timeout_ms = QUORUM_MS;
	etcd_client_post(op->s->client, &r);
}

static void lease_grant(struct store *s, unsigned int ttl_ms, store_fn fn, void *arg)
{
	lease(s, "/v3/lease/grant", 0, ttl_ms, true, fn, arg);
}

static void lease_keepalive(struct store *s, int64_t id, store_fn fn, void *arg)
{
	lease(s, "/v3/lease/keepalive", id, 0, true, fn, arg);
}

static void lease_revoke(struct store *s, int64_t id, store_fn fn, void *arg)
{
	lease(s, "/v3/lease/revoke", id, 0, false, fn, arg);
}

/* ---- opening and closing ---- */

static void stop(struct store *s)
{
	etcd_client_cancel(of(s)->client);
}

static void etcd_free(struct store *store)
{
	struct etcd_store *s = of(store);

	etcd_watches_free(s);
	etcd_client_free(s->client);
	free(s);
}

static int etcd_open(const struct store_options *o, const char *urls, struct event_base *base,
		     struct store **ret, struct error *e)
{
	struct etcd_store *s = calloc(1, sizeof(*s));

	if (!s)
		return error_set(e, -ENOMEM, "store: out of memory");
	if (etcd_client_new(base, o, urls, &s->client, e)) {
		free(s);
		return e->err;
	}
	s->s.limits = (struct store_limits){ .txn_ops = TXN_OPS_MAX, .txn_bytes = TXN_BYTES_MAX };
	*ret = &s->s;
	return 0;
}

const struct store_class store_etcd = {
	.name = "etcd",
	.open = etcd_open,
	.stop = stop,
	.free = etcd_free,
	.get = get,
	.range = range,
	.txn = txn,
	.watch = etcd_watch_new,
	.watch_cancel = etcd_watch_cancel,
	.lease_grant = lease_grant,
	.lease_keepalive = lease_keepalive,
	.lease_revoke = lease_revoke,
};
