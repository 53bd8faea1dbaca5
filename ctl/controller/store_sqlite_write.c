// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite_write.c - what changes the store's file: transactions, leases, compaction
 *
 * All of it runs between db_begin_write() and db_commit(). Compares and leases are
 * checked before the first write, so a transaction that is refused leaves nothing
 * to undo and those that share its commit go on.
 */
#include <ctl/controller/store_sqlite_db.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/store_sqlite_stmt.h>

#define COMPACT_STEP 256		/* revisions dropped with one commit, beside its own */

/* ---- transactions ---- */

static int check_compare(struct db *db, const struct store_compare *c, struct error *e)
{
	int64_t now = 0;
	int got;

	stmt_bind(db, STMT_MODIFIED, "t", c->key);
	got = stmt_step(db, STMT_MODIFIED, e);
	if (got < 0)
		return got;
	if (got) {
		now = sqlite3_column_int64(db->stmts[STMT_MODIFIED], 0);
		stmt_done(db, STMT_MODIFIED);
	}
	if (now == c->mod_revision)
		return 0;
	return error_set(e, -ESTALE, "\"%s\" is at revision %lld, not %lld (0: not there): "
			 "read it again", c->key, (long long)now, (long long)c->mod_revision);
}

static int lease_ttl(struct db *db, int64_t lease, int64_t *ret_ttl_ms, struct error *e)
{
	int got;

	stmt_bind(db, STMT_LEASE_TTL, "iti", lease, db->boot, db_uptime_ms());
	got = stmt_step(db, STMT_LEASE_TTL, e);
	if (got < 0)
		return got;
	if (!got)
		return error_set(e, -ENOENT, "store %s: lease %lld has expired or was revoked", db->path,
				 (long long)lease);
	*ret_ttl_ms = sqlite3_column_int64(db->stmts[STMT_LEASE_TTL], 0);
	stmt_done(db, STMT_LEASE_TTL);
	return 0;
}

static int check_txn(struct db *db, const struct db_txn *t, unsigned int *ret_failed, struct error *e)
{
	int64_t lease = 0, ttl;

	for (unsigned int i = 0; i < t->n_compares; i++) {
		*ret_failed = i;
		if (check_compare(db, &t->compares[i], e))
			return e->err;
	}
	for (unsigned int i = 0; i < t->n_ops; i++) {
		if (t->ops[i].lease && t->ops[i].lease != lease && lease_ttl(db, t->ops[i].lease, &ttl, e))
			return e->err;
		lease = t->ops[i].lease;
	}
	return 0;
}

static int add_history(struct db *db, int64_t at, const struct store_op *op, int64_t created,
		       struct error *e)
{
	sqlite3_stmt *stmt = stmt_bind(db, STMT_HISTORY_ADD, "it", at, op->key);

	if (op->del)
		sqlite3_bind_null(stmt, 3);
	else
		sqlite3_bind_blob64(stmt, 3, op->value ?: "", op->value_len, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 4, created);
	sqlite3_bind_int64(stmt, 5, op->lease);
	return stmt_run(db, STMT_HISTORY_ADD, e);
}

static int put(struct db *db, const struct store_op *op, int64_t revision, int64_t at, struct error *e)
{
	int64_t created;
	int got;

	stmt_bind(db, STMT_PUT, "tbii", op->key, op->value ?: "", op->value_len, revision, op->lease);
	got = stmt_step(db, STMT_PUT, e);
	if (got < 0)
		return got;
	created = sqlite3_column_int64(db->stmts[STMT_PUT], 0);
	if (stmt_run(db, STMT_PUT, e))
		return e->err;
	return add_history(db, at, op, created, e);
}

/* Does one op as number *n of the transaction; what changes nothing is no change. */
static int do_op(struct db *db, const struct store_op *op, unsigned int *n, struct error *e)
{
	int64_t revision = db->revision + 1, at = revision << REVISION_SHIFT | *n;
	int err;

	if (!op->del) {
		err = put(db, op, revision, at, e);
	} else {
		stmt_bind(db, STMT_DELETE, "t", op->key);
		err = stmt_run(db, STMT_DELETE, e);
		if (!err && !sqlite3_changes(db->sqlite))
			return 0;
		if (!err)
			err = add_history(db, at, op, 0, e);
	}
	(*n)++;
	return err;
}

static void count_revision(struct db *db, unsigned int n_changes)
{
	if (!n_changes)
		return;
	db->revision++;
	db->dirty = true;
}

int db_txn(struct db *db, const struct db_txn *t, int64_t *ret_revision, unsigned int *ret_failed,
	   struct error *e)
{
	unsigned int n = 0;
	int err = check_txn(db, t, ret_failed, e);

	for (unsigned int i = 0; !err && i < t->n_ops; i++)
		err = do_op(db, &t->ops[i], &n, e);
	if (err)
		return err;
	count_revision(db, n);
	*ret_revision = db->revision;
	return 0;
}

/* ---- leases ---- */

int db_lease_grant(struct db *db, unsigned int ttl_ms, int64_t *ret_lease, struct error *e)
{
	stmt_bind(db, STMT_LEASE_ADD, "iit", (int64_t)ttl_ms, db_uptime_ms() + ttl_ms, db->boot);
	if (stmt_run(db, STMT_LEASE_ADD, e))
		return e->err;
	*ret_lease = sqlite3_last_insert_rowid(db->sqlite);
	return 0;
}

int db_lease_keepalive(struct db *db, int64_t lease, unsigned int *ret_ttl_ms, struct error *e)
{
	int64_t ttl;

	if (lease_ttl(db, lease, &ttl, e))
		return e->err;
	stmt_bind(db, STMT_LEASE_KEEP, "ii", db_uptime_ms() + ttl, lease);
	*ret_ttl_ms = (unsigned int)ttl;
	return stmt_run(db, STMT_LEASE_KEEP, e);
}

/* Deletes the first key of the lease: 1, or 0: it has none. */
static int delete_key_of(struct db *db, int64_t lease, unsigned int *n, struct error *e)
{
	char key[STORE_KEY_MAX + 1] = "";
	struct store_op op = { .del = true, .key = key };
	int got;

	stmt_bind(db, STMT_LEASE_KEYS, "i", lease);
	got = stmt_step(db, STMT_LEASE_KEYS, e);
	if (got <= 0)
		return got;
	strncat(key, (const char *)sqlite3_column_text(db->stmts[STMT_LEASE_KEYS], 0), STORE_KEY_MAX);
	stmt_done(db, STMT_LEASE_KEYS);
	return do_op(db, &op, n, e) ?: 1;
}

static int end_lease(struct db *db, int64_t lease, struct error *e)
{
	unsigned int n = 0;
	int got;

	do
		got = delete_key_of(db, lease, &n, e);
	while (got > 0);
	if (got < 0)
		return got;
	count_revision(db, n);
	stmt_bind(db, STMT_LEASE_DELETE, "i", lease);
	return stmt_run(db, STMT_LEASE_DELETE, e);
}

int db_lease_revoke(struct db *db, int64_t lease, struct error *e)
{
	int64_t ttl;

	return lease_ttl(db, lease, &ttl, e) ?: end_lease(db, lease, e);
}

int db_lease_expire(struct db *db, unsigned int *ret_n, struct error *e)
{
	int64_t lease, now = db_uptime_ms();
	int got;

	for (*ret_n = 0;; ++*ret_n) {
		stmt_bind(db, STMT_LEASE_DUE, "ti", db->boot, now);
		got = stmt_step(db, STMT_LEASE_DUE, e);
		if (got <= 0)
			return got;
		lease = sqlite3_column_int64(db->stmts[STMT_LEASE_DUE], 0);
		stmt_done(db, STMT_LEASE_DUE);
		if (end_lease(db, lease, e))
			return e->err;
	}
}

/* ---- history ---- */

int db_compact(struct db *db, struct error *e)
{
	int64_t limit = db->revision - db->history;

	if (limit <= db->compacted)
		return 0;
	if (limit > db->compacted + COMPACT_STEP)
		limit = db->compacted + COMPACT_STEP;
	stmt_bind(db, STMT_HISTORY_DROP, "i", (limit + 1) << REVISION_SHIFT);
	if (stmt_run(db, STMT_HISTORY_DROP, e))
		return e->err;
	db->compacted = limit;
	db->dirty = true;
	return 0;
}
