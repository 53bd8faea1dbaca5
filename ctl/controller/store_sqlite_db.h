/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_sqlite_db.h - the store as tables of an SQLite file; one connection, blocking
 *
 *	kv       what is there now
 *	history  every change since `compacted`, in order: what watches read
 *	lease    time to live, deadline on the machine's uptime, and of which boot
 *	state    the newest revision, and how far history is gone
 *
 * A connection belongs to one thread. Writes happen between db_begin_write() and
 * db_commit(), many transactions of the store in one of SQLite: they share its
 * fsync. A reader sees one revision between db_begin_read() and db_end(). What goes
 * wrong is 0 or -errno with a sentence naming the file.
 *
 * A deadline is CLOCK_BOOTTIME: all processes of the machine see the same, nobody
 * sets it, it counts while the machine sleeps. After a reboot it starts anew, so
 * the boot id is kept with it; whoever held a lease in another boot is dead, and
 * the lease is expired.
 *
 * See also: store_sqlite.c (threads), docs/store.md.
 */
#pragma once

#include <ctl/controller/store.h>

#include <sqlite3.h>

#define DB_SCHEMA 1
#define DB_HISTORY_DEFAULT 50000u
#define DB_PAGE_KEYS 512u		/* of a range or of changes handed over at once, */
#define DB_PAGE_BYTES (1u << 20)	/* and where one is cut, at the latest */

struct db;

/* Creates and upgrades the file where needed (-EPERM: it is newer than this program). */
int db_open(const char *path, unsigned int history, struct db **ret, struct error *e);
void db_close(struct db *db);		/* NULL is allowed */

int db_begin_read(struct db *db, struct error *e);
int db_begin_write(struct db *db, struct error *e);
int db_commit(struct db *db, struct error *e);
void db_end(struct db *db);		/* ends reading, or undoes what was not committed */

struct db_txn {
	struct store_compare *compares;
	struct store_op *ops;
	unsigned int n_compares, n_ops;
};

int64_t db_revision(const struct db *db);	/* as of db_begin_... and what was written since */
int64_t db_compacted(const struct db *db);
/* 0 and the revision; -ESTALE and which compare failed, -ENOENT: nothing written; else undo all. */
int db_txn(struct db *db, const struct db_txn *t, int64_t *ret_revision, unsigned int *ret_failed,
	   struct error *e);
int db_lease_grant(struct db *db, unsigned int ttl_ms, int64_t *ret_lease, struct error *e);
int db_lease_keepalive(struct db *db, int64_t lease, unsigned int *ret_ttl_ms, struct error *e);
int db_lease_revoke(struct db *db, int64_t lease, struct error *e);
int db_lease_expire(struct db *db, unsigned int *ret_n, struct error *e);
/* Drops some of the history that is more than was asked for; a little with every commit. */
int db_compact(struct db *db, struct error *e);

/* Milliseconds until a lease expires, at least 0; -1: there are none. */
int db_lease_next(struct db *db, int64_t *ret_ms, struct error *e);
int64_t db_uptime_ms(void);		/* CLOCK_BOOTTIME */
/* True if anything was committed since the last call, by this process or another. */
bool db_changed(struct db *db);
void db_forget_change(struct db *db);	/* the next db_changed() is true */
int db_log_pages(const struct db *db);	/* after this connection's last commit; any thread */
/* Moves what the log holds into the file, as far as nobody needs it there; waits for no one. */
void db_checkpoint(struct db *db);

/* Keys and values that own their memory. */
struct db_rows {
	struct store_kv *kvs;
	bool *del;			/* changes only */
	unsigned int n, cap;
	size_t bytes;
};

void db_rows_done(struct db_rows *rows);
/* One page of keys >= @from (> if @behind) and < @to; *ret_more: there are others. */
int db_range(struct db *db, const char *from, bool behind, const char *to, unsigned int limit,
	     struct db_rows *rows, bool *ret_more, struct error *e);
/*
 * Changes behind revision @pos with keys in [@from, @to), whole transactions only;
 * kvs[].mod_revision says which. *ret_pos: seen up to there. -ESTALE: history is gone.
 */
int db_changes(struct db *db, int64_t pos, const char *from, const char *to, struct db_rows *rows,
	       int64_t *ret_pos, struct error *e);
