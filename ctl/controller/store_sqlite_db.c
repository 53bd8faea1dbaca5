// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite_db.c - a connection to the store's file: opening, transactions, errors
 *
 * The file is in WAL mode with synchronous=FULL: a commit is one append to the log
 * and one fsync of it, and returns when that is done. NORMAL would not wait for the
 * disk; a power failure could then take back what was acknowledged, and hosts would
 * hold state that the store never heard of. A process killed at any point leaves a
 * log whose last transaction is whole or is ignored (frames are checksummed).
 *
 * The log is moved into the file by db_checkpoint(), on a thread of its own; SQLite
 * would do it within some unlucky commit.
 */
#include <ctl/controller/store_sqlite_db.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ctl/controller/store_sqlite_stmt.h>

#define APPLICATION_ID 0x4d697263	/* "Mirc": file(1) and we know our own */
#define BUSY_MS 5000
#define LOG_SIZE_LIMIT "67108864"

static const char schema[] =
	"CREATE TABLE state (one INTEGER PRIMARY KEY CHECK (one = 1),"
	" revision INTEGER NOT NULL, compacted INTEGER NOT NULL);"
	"INSERT INTO state VALUES (1, 1, 0);"
	"CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL, created INTEGER NOT NULL,"
	" modified INTEGER NOT NULL, lease INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX kv_lease ON kv (lease) WHERE lease != 0;"
	"CREATE TABLE history (at INTEGER PRIMARY KEY, key TEXT NOT NULL, value BLOB,"
	" created INTEGER NOT NULL, lease INTEGER NOT NULL);"
	"CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl INTEGER NOT NULL,"
	" deadline INTEGER NOT NULL, boot TEXT NOT NULL);"
	"PRAGMA application_id = 1298756195;"
	"PRAGMA user_version = 1;";
_Static_assert(APPLICATION_ID == 1298756195 && DB_SCHEMA == 1, "as the schema says");

static const char *const sql[STMT_COUNT] = {
	[STMT_BEGIN_READ] = "BEGIN",
	[STMT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
	[STMT_STATE] = "SELECT revision, compacted FROM state",
	[STMT_SET_STATE] = "UPDATE state SET revision = ?, compacted = ?",
	[STMT_MODIFIED] = "SELECT modified FROM kv WHERE key = ?",
	[STMT_PUT] = "INSERT INTO kv VALUES (?1, ?2, ?3, ?3, ?4) ON CONFLICT (key) DO UPDATE SET"
		     " value = ?2, modified = ?3, lease = ?4 RETURNING created",
	[STMT_DELETE] = "DELETE FROM kv WHERE key = ?",
	[STMT_HISTORY_ADD] = "INSERT INTO history VALUES (?, ?, ?, ?, ?)",
	[STMT_HISTORY_DROP] = "DELETE FROM history WHERE at < ?",
	[STMT_LEASE_ADD] = "INSERT INTO lease (ttl, deadline, boot) VALUES (?, ?, ?)",
	[STMT_LEASE_TTL] = "SELECT ttl FROM lease WHERE id = ? AND boot = ? AND deadline > ?",
	[STMT_LEASE_KEEP] = "UPDATE lease SET deadline = ? WHERE id = ?",
	[STMT_LEASE_DELETE] = "DELETE FROM lease WHERE id = ?",
	[STMT_LEASE_KEYS] = "SELECT key FROM kv WHERE lease = ? AND lease != 0 ORDER BY key",
	[STMT_LEASE_NEXT] = "SELECT min(CASE boot WHEN ? THEN deadline ELSE 0 END) FROM lease",
	[STMT_LEASE_DUE] = "SELECT id FROM lease WHERE boot != ? OR deadline <= ? LIMIT 1",
	[STMT_RANGE] = "SELECT key, value, created, modified, lease FROM kv"
		       " WHERE key >= ? AND key < ? ORDER BY key LIMIT ?",
	[STMT_CHANGES] = "SELECT key, value, created, at, lease FROM history"
			 " WHERE at >= ? AND key >= ? AND key < ? ORDER BY at",
	[STMT_DATA_VERSION] = "PRAGMA data_version",
};

int64_t db_uptime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

/* ---- errors ---- */

/* SQLite keeps errno of what it takes for a failure to open or sync, but not of a write. */
static int system_error(sqlite3 *sqlite)
{
	return sqlite3_system_errno(sqlite) ?: errno;
}

static bool no_room(int code, int err)
{
	return code == SQLITE_FULL ||
	       (code == SQLITE_IOERR && (err == ENOSPC || err == EDQUOT || err == EFBIG));
}

int db_fail(struct db *db, struct error *e)
{
	int err = system_error(db->sqlite);
	int code = sqlite3_errcode(db->sqlite) & 0xff;

	if (no_room(code, err))
		return error_set(e, -ENOSPC, "store %s: no room on its disk; nothing was changed: "
				 "make room, then try again", db->path);
	switch (code) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return error_set(e, -EAGAIN, "store %s: another process has been writing for %d s; "
				 "`fuser %s` names it", db->path, BUSY_MS / 1000, db->path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return error_set(e, -EBADMSG, "store %s is damaged or no store (%s): restore a backup",
				 db->path, sqlite3_errmsg(db->sqlite));
	case SQLITE_READONLY:
	case SQLITE_PERM:
	case SQLITE_CANTOPEN:
		err = err ?: EACCES;
		return error_set(e, -err, "store %s: %s (%s)", db->path, strerror(err),
				 sqlite3_errmsg(db->sqlite));
	case SQLITE_NOMEM:
		return error_set(e, -ENOMEM, "store %s: out of memory", db->path);
	case SQLITE_TOOBIG:
		return error_set(e, -E2BIG, "store %s: too large for SQLite", db->path);
	}
	return error_set(e, -EIO, "store %s: %s%s%s", db->path, sqlite3_errmsg(db->sqlite),
			 err ? ": " : "", err ? strerror(err) : "");
}

/* ---- statements ---- */

sqlite3_stmt *stmt_bind(struct db *db, enum stmt which, const char *types, ...)
{
	sqlite3_stmt *stmt = db->stmts[which];
	const void *blob;
	va_list args;

	va_start(args, types);
	for (int i = 1; *types; i++, types++) {
		switch (*types) {
		case 'i':
			sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
			break;
		case 't':
			sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_STATIC);
			break;
		case 'b':
			blob = va_arg(args, const void *);
			sqlite3_bind_blob64(stmt, i, blob, va_arg(args, size_t), SQLITE_STATIC);
			break;
		}
	}
	va_end(args);
	return stmt;
}

void stmt_done(struct db *db, enum stmt which)
{
	sqlite3_reset(db->stmts[which]);
}

int stmt_step(struct db *db, enum stmt which, struct error *e)
{
	errno = 0;
	switch (sqlite3_step(db->stmts[which])) {
	case SQLITE_ROW:
		return 1;
	case SQLITE_DONE:
		stmt_done(db, which);
		return 0;
	}
	db_fail(db, e);
	stmt_done(db, which);
	return e->err;
}

int stmt_run(struct db *db, enum stmt which, struct error *e)
{
	int got;

	do
		got = stmt_step(db, which, e);
	while (got > 0);
	return got;
}

/* ---- transactions ---- */

static int begin(struct db *db, enum stmt how, struct error *e)
{
	int got = stmt_run(db, how, e);

	if (got)
		return got;
	got = stmt_step(db, STMT_STATE, e);
	if (got == 1) {
		db->revision = sqlite3_column_int64(db->stmts[STMT_STATE], 0);
		db->compacted = sqlite3_column_int64(db->stmts[STMT_STATE], 1);
		db->dirty = false;
		stmt_done(db, STMT_STATE);
		return 0;
	}
	if (!got)
		got = error_set(e, -EBADMSG, "store %s has no state: restore a backup", db->path);
	db_end(db);
	return got;
}

int db_begin_read(struct db *db, struct error *e)
{
	return begin(db, STMT_BEGIN_READ, e);
}

int db_begin_write(struct db *db, struct error *e)
{
	return begin(db, STMT_BEGIN_WRITE, e);
}

int db_commit(struct db *db, struct error *e)
{
	int err = 0;

	if (db->dirty) {
		stmt_bind(db, STMT_SET_STATE, "ii", db->revision, db->compacted);
		err = stmt_run(db, STMT_SET_STATE, e);
	}
	if (!err)
		err = stmt_run(db, STMT_COMMIT, e);
	if (err)
		db_end(db);
	return err;
}

void db_end(struct db *db)
{
	if (!sqlite3_get_autocommit(db->sqlite))
		sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

int64_t db_revision(const struct db *db)
{
	return db->revision;
}

int64_t db_compacted(const struct db *db)
{
	return db->compacted;
}

bool db_changed(struct db *db)
{
	struct error e;
	int64_t now = db->data_version;

	if (stmt_step(db, STMT_DATA_VERSION, &e) == 1) {
		now = sqlite3_column_int64(db->stmts[STMT_DATA_VERSION], 0);
		stmt_done(db, STMT_DATA_VERSION);
	}
	if (now == db->data_version)
		return false;
	db->data_version = now;
	return true;
}

void db_forget_change(struct db *db)
{
	db->data_version = -1;
}

/* ---- the log ---- */

static int committed(void *arg, sqlite3 *sqlite, const char *name, int pages)
{
	struct db *db = arg;

	(void)sqlite;
	(void)name;
	__atomic_store_n(&db->log_pages, pages, __ATOMIC_RELAXED);
	return SQLITE_OK;
}

int db_log_pages(const struct db *db)
{
	return __atomic_load_n(&db->log_pages, __ATOMIC_RELAXED);
}

void db_checkpoint(struct db *db)
{
	sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* ---- opening ---- */

static int ask(struct db *db, const char *question, int64_t *ret, struct error *e)
{
	sqlite3_stmt *stmt;
	int err = 0;

	if (sqlite3_prepare_v2(db->sqlite, question, -1, &stmt, NULL))
		return db_fail(db, e);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = sqlite3_column_int64(stmt, 0);
	else
		err = db_fail(db, e);
	sqlite3_finalize(stmt);
	return err;
}

static int create_or_check(struct db *db, struct error *e)
{
	int64_t version = 0, application = 0, tables = 0;

	if (sqlite3_exec(db->sqlite, "BEGIN IMMEDIATE", NULL, NULL, NULL))
		return db_fail(db, e);
	if (ask(db, "PRAGMA user_version", &version, e) ||
	    ask(db, "PRAGMA application_id", &application, e) ||
	    ask(db, "SELECT count(*) FROM sqlite_schema", &tables, e))
		return e->err;
	if (!version && !tables) {
		if (sqlite3_exec(db->sqlite, schema, NULL, NULL, NULL))
			return db_fail(db, e);
	} else if (application != APPLICATION_ID) {
		return error_set(e, -EBADMSG, "%s is a database, but not a store of Mirach's: "
				 "name another file", db->path);
	} else if (version != DB_SCHEMA) {
		return error_set(e, -EPERM, "store %s has version %lld, this program knows %d: "
				 "install a newer mirach-controller", db->path, (long long)version,
				 DB_SCHEMA);
	}
	return sqlite3_exec(db->sqlite, "COMMIT", NULL, NULL, NULL) ? db_fail(db, e) : 0;
}

static int prepare(struct db *db, struct error *e)
{
	for (int i = 0; i < STMT_COUNT; i++)
		if (sqlite3_prepare_v3(db->sqlite, sql[i], -1, SQLITE_PREPARE_PERSISTENT,
				       &db->stmts[i], NULL))
			return db_fail(db, e);
	return 0;
}

static int read_boot_id(struct db *db, struct error *e)
{
	static const char path[] = "/proc/sys/kernel/random/boot_id";
	FILE *f = fopen(path, "re");
	bool ok = f && fgets(db->boot, sizeof(db->boot), f);

	if (f)
		fclose(f);
	return ok ? 0 : error_set(e, -EIO, "%s cannot be read: is /proc mounted?", path);
}

/*
 * Nobody else may read what tenants declare; log and index take over the file's mode.
 * A file that is there is not even opened: close() would end this process's locks on
 * it (fcntl(2)), also SQLite's, and a neighbour that leaves would take the log away.
 */
static int make_private(const char *path, struct error *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return errno == EEXIST ? 0 : error_set(e, -errno, "store %s: %s", path, strerror(errno));
	close(fd);
	return 0;
}

static int set_up(struct db *db, struct error *e)
{
	sqlite3_extended_result_codes(db->sqlite, 0);
	sqlite3_busy_timeout(db->sqlite, BUSY_MS);
	if (sqlite3_exec(db->sqlite,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			 "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = " LOG_SIZE_LIMIT ";"
			 "PRAGMA cache_size = -16384; PRAGMA trusted_schema = OFF;",
			 NULL, NULL, NULL))
		return db_fail(db, e);
	sqlite3_wal_hook(db->sqlite, committed, db);
	if (create_or_check(db, e)) {
		db_end(db);
		return e->err;
	}
	return prepare(db, e);
}

int db_open(const char *path, unsigned int history, struct db **ret, struct error *e)
{
	struct db *db = calloc(1, sizeof(*db));
	int err;

	if (!db || !(db->path = strdup(path))) {
		free(db);
		return error_set(e, -ENOMEM, "store %s: out of memory", path);
	}
	db->history = history ?: DB_HISTORY_DEFAULT;
	err = make_private(path, e);
	if (!err)
		err = read_boot_id(db, e);
	if (!err && sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL))
		err = db_fail(db, e);
	if (!err)
		err = set_up(db, e);
	if (err) {
		db_close(db);
		return err;
	}
	*ret = db;
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	for (int i = 0; i < STMT_COUNT; i++)
		sqlite3_finalize(db->stmts[i]);
	sqlite3_close(db->sqlite);
	free(db->path);
	free(db);
}
