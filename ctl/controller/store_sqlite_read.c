// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite_read.c - what reads the store's file: ranges, changes, deadlines
 *
 * Rows are copied out page by page, each page bounded in number and bytes, so the
 * memory for reading does not depend on how much there is to read.
 */
#include <ctl/controller/store_sqlite_db.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/store_sqlite_stmt.h>

void db_rows_done(struct db_rows *rows)
{
	for (unsigned int i = 0; i < rows->n; i++)
		free((char *)rows->kvs[i].key);	/* the value is in the same block */
	free(rows->kvs);
	free(rows->del);
	*rows = (struct db_rows){};
}

static int grow(struct db_rows *rows)
{
	unsigned int cap = rows->cap ? 2 * rows->cap : 16;
	struct store_kv *kvs = realloc(rows->kvs, cap * sizeof(*kvs));
	bool *del;

	if (!kvs)
		return -ENOMEM;
	rows->kvs = kvs;
	del = realloc(rows->del, cap * sizeof(*del));
	if (!del)
		return -ENOMEM;
	rows->del = del;
	rows->cap = cap;
	return 0;
}

/* Copies the row a statement stands on: key, value, created, modified, lease. */
static int add_row(struct db *db, struct db_rows *rows, sqlite3_stmt *row, struct error *e)
{
	size_t key_len = (size_t)sqlite3_column_bytes(row, 0);
	size_t value_len = (size_t)sqlite3_column_bytes(row, 1);
	char *key = malloc(key_len + value_len + 2), *value;

	if (!key || (rows->n == rows->cap && grow(rows))) {
		free(key);
		return error_set(e, -ENOMEM, "store %s: out of memory", db->path);
	}
	value = key + key_len + 1;
	memcpy(key, sqlite3_column_text(row, 0), key_len);
	key[key_len] = '\0';
	if (value_len)
		memcpy(value, sqlite3_column_blob(row, 1), value_len);
	value[value_len] = '\0';
	rows->del[rows->n] = sqlite3_column_type(row, 1) == SQLITE_NULL;
	rows->kvs[rows->n++] = (struct store_kv){
		.key = key,
		.value = value,
		.value_len = value_len,
		.create_revision = sqlite3_column_int64(row, 2),
		.mod_revision = sqlite3_column_int64(row, 3),
		.lease = sqlite3_column_int64(row, 4),
	};
	rows->bytes += key_len + value_len;
	return 0;
}

int db_range(struct db *db, const char *from, bool behind, const char *to, unsigned int limit,
	     struct db_rows *rows, bool *ret_more, struct error *e)
{
	unsigned int most = limit && limit < DB_PAGE_KEYS ? limit : DB_PAGE_KEYS;
	sqlite3_stmt *row = stmt_bind(db, STMT_RANGE, "tti", from, to, (int64_t)most + 2);
	int got;

	*ret_more = false;
	while ((got = stmt_step(db, STMT_RANGE, e)) == 1) {
		if (behind && !rows->n && !strcmp((const char *)sqlite3_column_text(row, 0), from))
			continue;
		if (rows->n == most || rows->bytes >= DB_PAGE_BYTES) {
			*ret_more = true;
			break;
		}
		got = add_row(db, rows, row, e);
		if (got)
			break;
	}
	stmt_done(db, STMT_RANGE);
	return got < 0 ? got : 0;
}

int db_changes(struct db *db, int64_t pos, const char *from, const char *to, struct db_rows *rows,
	       int64_t *ret_pos, struct error *e)
{
	sqlite3_stmt *row;
	int64_t revision;
	int got;

	if (pos < db->compacted)
		return error_set(e, -ESTALE, "store %s keeps changes since revision %lld, not from %lld on: "
				 "read everything again", db->path, (long long)db->compacted + 1,
				 (long long)pos + 1);
	*ret_pos = db->revision;
	row = stmt_bind(db, STMT_CHANGES, "itt", (pos + 1) << REVISION_SHIFT, from, to);
	while ((got = stmt_step(db, STMT_CHANGES, e)) == 1) {
		revision = sqlite3_column_int64(row, 3) >> REVISION_SHIFT;
		if ((rows->n >= DB_PAGE_KEYS || rows->bytes >= DB_PAGE_BYTES) &&
		    rows->kvs[rows->n - 1].mod_revision != revision) {
			*ret_pos = revision - 1;
			break;
		}
		got = add_row(db, rows, row, e);
		if (got)
			break;
		rows->kvs[rows->n - 1].mod_revision = revision;
	}
	stmt_done(db, STMT_CHANGES);
	return got < 0 ? got : 0;
}

int db_lease_next(struct db *db, int64_t *ret_ms, struct error *e)
{
	sqlite3_stmt *row = stmt_bind(db, STMT_LEASE_NEXT, "t", db->boot);
	int got = stmt_step(db, STMT_LEASE_NEXT, e);
	int64_t left;

	if (got < 0)
		return got;
	*ret_ms = -1;
	if (got && sqlite3_column_type(row, 0) != SQLITE_NULL) {
		left = sqlite3_column_int64(row, 0) - db_uptime_ms();
		*ret_ms = left > 0 ? left : 0;
	}
	stmt_done(db, STMT_LEASE_NEXT);
	return 0;
}
