/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_sqlite_stmt.h - a connection with its prepared statements
 *
 * Shared by store_sqlite_db.c (the connection), store_sqlite_write.c and
 * store_sqlite_read.c (what is asked of it). A row or a step that fails leaves the
 * statement reset; stmt_done() resets it in any case.
 */
#pragma once

#include <ctl/controller/store_sqlite_db.h>

#define REVISION_SHIFT 20		/* history.at: revision, number within the transaction */
#define BOOT_ID_LEN 37

enum stmt {
	STMT_BEGIN_READ,
	STMT_BEGIN_WRITE,
	STMT_COMMIT,
	STMT_STATE,
	STMT_SET_STATE,
	STMT_MODIFIED,
	STMT_PUT,
	STMT_DELETE,
	STMT_HISTORY_ADD,
	STMT_HISTORY_DROP,
	STMT_LEASE_ADD,
	STMT_LEASE_TTL,
	STMT_LEASE_KEEP,
	STMT_LEASE_DELETE,
	STMT_LEASE_KEYS,
	STMT_LEASE_NEXT,
	STMT_LEASE_DUE,
	STMT_RANGE,
	STMT_CHANGES,
	STMT_DATA_VERSION,
	STMT_COUNT,
};

struct db {
	sqlite3 *sqlite;
	sqlite3_stmt *stmts[STMT_COUNT];
	char *path;
	unsigned int history;
	char boot[BOOT_ID_LEN];
	int64_t revision, compacted;	/* of the transaction under way */
	bool dirty;			/* revision or compacted were changed in it */
	int64_t data_version;
	int log_pages;			/* atomic: in the log after the last commit */
};

/* Parameters by letter: i int64_t, t text, b blob and size_t. */
sqlite3_stmt *stmt_bind(struct db *db, enum stmt which, const char *types, ...);
/* 1: a row, 0: no more rows, or -errno. */
int stmt_step(struct db *db, enum stmt which, struct error *e);
void stmt_done(struct db *db, enum stmt which);
/* Steps a statement that has no rows. */
int stmt_run(struct db *db, enum stmt which, struct error *e);
/* -errno for what SQLite says went wrong. */
int db_fail(struct db *db, struct error *e);
