// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_store_crash.c - SQLite store: kill -9 at any point, full disks, clocks that jump, neighbours that leave
 *
 *	child: transactions of three keys, many under way ──acknowledged──► pipe
 *	parent: kill -9 after a random while, then: all that was acknowledged is
 *		there, what is there is whole, SQLite finds nothing wrong
 *
 * Full disks are made twice: by a limit on file sizes, which needs no rights, and by
 * a file system of one MiB, which needs root. The wall clock is this program's own:
 * it jumps by a day at every look, for SQLite and libevent, too.
 */
#include <ctl/controller/store.h>

#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include <selftests/unit/store_world.h>

#define N_KILLS 50
#define N_UNDER_WAY 16

static bool clock_jumps;

/* In front of libc's, for every library of this program. */
int clock_gettime(clockid_t id, struct timespec *t)
{
	static long day;
	long err = syscall(SYS_clock_gettime, id, t);

	if (id == CLOCK_REALTIME && clock_jumps) {
		day++;
		t->tv_sec += (day % 2 ? 1 : -1) * 86400 * (day % 7);
	}
	return (int)err;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec t;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &t);
	*tv = (struct timeval){ t.tv_sec, t.tv_nsec / 1000 };
	return 0;
}

/* ---- kill -9 ---- */

struct writer {
	struct world *w;
	int round, next, pipe;
};

struct writing {
	struct writer *writer;
	int number;
};

static void write_next(struct writing *g);

static void acknowledged(void *arg, const struct store_reply *r)
{
	struct writing *g = arg;

	if (r->err || write(g->writer->pipe, &g->number, sizeof(g->number)) != sizeof(g->number))
		_exit(1);
	write_next(g);
}

static void write_next(struct writing *g)
{
	char keys[3][40], value[400];
	struct store_op ops[3];

	g->number = g->writer->next++;
	memset(value, 'v', sizeof(value));
	for (int i = 0; i < 3; i++) {
		snprintf(keys[i], sizeof(keys[i]), "/kill/%d/%06d/%d", g->writer->round, g->number, i);
		ops[i] = (struct store_op){ .key = keys[i], .value = value, .value_len = sizeof(value) };
	}
	store_txn(g->writer->w->store, NULL, 0, ops, 3, acknowledged, g);
}

static void run_writer(struct world *w, int round, int fd)
{
	struct writer writer = { .w = w, .round = round, .pipe = fd };
	struct writing under_way[N_UNDER_WAY];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	w->base = event_base_new();
	w->store = world_open_store(w);
	for (int i = 0; i < N_UNDER_WAY; i++) {
		under_way[i].writer = &writer;
		write_next(&under_way[i]);
	}
	event_base_dispatch(w->base);
	_exit(1);
}

/* Returns how many were acknowledged; which, in @acks. */
static int kill_a_writer(struct world *w, int round, int *acks, int max)
{
	int pipes[2], n = 0, status;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	fflush(NULL);
	pid = fork();
	if (!pid) {
		close(pipes[0]);
		run_writer(w, round, pipes[1]);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &acks[n++], sizeof(*acks)), sizeof(*acks));
	usleep((unsigned int)random() % 30000);
	kill(pid, SIGKILL);
	while (n < max && read(pipes[0], &acks[n], sizeof(*acks)) == sizeof(*acks))
		n++;
	close(pipes[0]);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status));
	return n;
}

static void check_integrity(const struct world *w)
{
	sqlite3 *db;
	sqlite3_stmt *stmt;

	assert_int_equal(sqlite3_open(strchr(w->where, ':') + 1, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	expect_text("integrity", (const char *)sqlite3_column_text(stmt, 0), "ok");
	sqlite3_finalize(stmt);
	sqlite3_close(db);
}

static int check_round(struct world *w, int round, const int *acks, int n_acks)
{
	static unsigned char found[100000];
	char prefix[32];
	struct seen s;
	int written = 0;

	memset(found, 0, sizeof(found));
	snprintf(prefix, sizeof(prefix), "/kill/%d/", round);
	s = range(w, prefix, NULL, 0);
	expect_int("range", s.err, 0);
	for (unsigned int i = 0; i < s.n; i++)
		found[atoi(s.kvs[i].key + strlen(prefix))]++;
	free(s.kvs);
	for (size_t i = 0; i < sizeof(found); i++) {
		assert_true(found[i] == 0 || found[i] == 3);
		written += found[i] == 3;
	}
	for (int i = 0; i < n_acks; i++)
		expect_int("acknowledged", found[acks[i]], 3);
	return written;
}

static void killed_at_any_point(void **state)
{
	static int acks[100000];
	struct world w = { .kind = "sqlite", .history = 500 };
	int n_acks = 0, n_written = 0;

	(void)state;
	strcpy(w.dir, "/tmp/mirach-store-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.where, sizeof(w.where), "sqlite:%s/store.db", w.dir);
	for (int round = 0; round < N_KILLS; round++) {
		int n = kill_a_writer(&w, round, acks, COUNT(acks));

		check_integrity(&w);
		w.base = event_base_new();
		w.store = world_open_store(&w);
		n_written += check_round(&w, round, acks, n);
		n_acks += n;
		store_close(w.store);
		event_base_free(w.base);
	}
	print_message("# %d kills, %d transactions acknowledged, %d found\n", N_KILLS, n_acks, n_written);
	assert_true(n_written >= n_acks && n_acks >= N_KILLS);
	expect_int("clean up", rmdir(w.dir), -1);
	w.base = event_base_new();
	w.store = world_open_store(&w);
	world_free(memcpy(malloc(sizeof(w)), &w, sizeof(w)));
}

/* ---- another process that comes and goes ---- */

/*
 * The last to leave takes SQLite's log away. Who leaves while others are there must
 * know of them, by the locks they hold on the file; or they write into a log that
 * nobody will ever read.
 */
static void visit(struct world *w, const char *key)
{
	w->base = event_base_new();
	w->store = world_open_store(w);
	if (key)
		has_value(w, key, "1");
	store_close(w->store);
	event_base_free(w->base);
}

static void run_visitor(struct world *w, int from, int to)
{
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (read(from, &c, 1) != 1)
		_exit(1);
	visit(w, NULL);
	if (write(to, "", 1) != 1 || read(from, &c, 1) != 1)
		_exit(1);
	visit(w, "/stay/later");
	_exit(0);
}

/* The visitor is forked before SQLite is used here: its locks do not survive a fork. */
static void neighbour_leaves(void **state)
{
	struct world w = { .kind = "sqlite" };
	int to[2], from[2], status;
	pid_t pid;
	char c;

	(void)state;
	strcpy(w.dir, "/tmp/mirach-store-XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	snprintf(w.where, sizeof(w.where), "sqlite:%s/store.db", w.dir);
	assert_int_equal(pipe(to) | pipe(from), 0);
	fflush(NULL);
	pid = fork();
	if (!pid)
		run_visitor(&w, to[0], from[1]);
	w.base = event_base_new();
	w.store = world_open_store(&w);
	expect_int("before", put(&w, "/stay/first", "1").err, 0);
	assert_int_equal(write(to[1], "", 1), 1);
	assert_int_equal(read(from[0], &c, 1), 1);
	expect_int("after the visit", put(&w, "/stay/later", "1").err, 0);
	assert_int_equal(write(to[1], "", 1), 1);
	waitpid(pid, &status, 0);
	expect_int("the next visit finds it", status, 0);
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
	world_free(memcpy(malloc(sizeof(w)), &w, sizeof(w)));
}

/* ---- full disks ---- */

/* Writes until there is no room, makes room, and goes on. */
static void fill(struct world *w, void (*make_room)(struct world *w))
{
	static char big[65536];
	struct store_op op = { .key = "/full/big", .value = big, .value_len = sizeof(big) };
	char key[32];
	struct seen s = put(w, "/full/old", "kept");
	int n;

	expect_int("room for one", s.err, 0);
	for (n = 0; !s.err && n < 200; n++) {
		snprintf(key, sizeof(key), "/full/%03d", n);
		op.key = key;
		s = txn(w, NULL, 0, &op, 1);
	}
	expect_int("no room", s.err, -ENOSPC);
	expect_part("says which disk", s.text, strchr(w->where, ':') + 1);
	expect_part("and what to do", s.text, "make room");
	has_value(w, "/full/old", "kept");
	has_value(w, key, NULL);
	make_room(w);
	expect_int("works again", txn(w, NULL, 0, &op, 1).err, 0);
	s = range(w, "/full/", NULL, 0);
	expect_int("all that was acknowledged", s.n, n + 1);
	free(s.kvs);
	check_integrity(w);
}

static void lift_limit(struct world *w)
{
	struct rlimit limit;

	(void)w;
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void file_size_limit(void **state)
{
	struct world *w = world_new("sqlite", 0);
	struct rlimit limit;

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill(w, lift_limit);
	world_free(w);
}

static void grow_disk(struct world *w)
{
	char dir[80];

	snprintf(dir, sizeof(dir), "%s/disk", w->dir);
	assert_int_equal(mount("none", dir, "tmpfs", MS_REMOUNT, "size=16m"), 0);
}

static void small_disk(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char dir[80];

	(void)state;
	if (unshare(CLONE_NEWNS)) {
		fprintf(stderr, "test_store_crash: SKIPPED: small_disk needs root to mount\n");
		free(w);
		skip();
	}
	*w = (struct world){ .kind = "sqlite" };
	strcpy(w->dir, "/tmp/mirach-store-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(dir, sizeof(dir), "%s/disk", w->dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("none", dir, "tmpfs", 0, "size=1m"), 0);
	snprintf(w->where, sizeof(w->where), "sqlite:%s/store.db", dir);
	w->base = event_base_new();
	w->store = world_open_store(w);
	fill(w, grow_disk);
	store_close(w->store);
	assert_int_equal(umount(dir), 0);
	w->store = world_open_store(w);
	world_free(w);
}

/* ---- time ---- */

static void jumping_clock(void **state)
{
	struct world *w = world_new("sqlite", 0);
	int64_t lease;
	struct diary d;

	(void)state;
	clock_jumps = true;
	lease = grant(w, 1500).lease;
	put_leased(w, "/clock/a", "1", lease);
	for (int i = 0; i < 5; i++) {
		idle(w, 400);
		expect_int("kept alive", lease_call(w, store_lease_keepalive, lease).err, 0);
	}
	has_value(w, "/clock/a", "1");
	diary_open(&d, w, "/clock/", 1);
	diary_wait(&d, w, 2);
	expect_part("expires", d.text, "-/clock/a");
	store_watch_cancel(d.watch);
	clock_jumps = false;
	world_free(w);
}

/* The store ends, its file is changed by hand, the store begins again. */
static void meanwhile(struct world *w, const char *sql)
{
	sqlite3 *db;

	store_close(w->store);
	assert_int_equal(sqlite3_open(strchr(w->where, ':') + 1, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	w->store = world_open_store(w);
}

static void wait_until_gone(struct world *w, const char *key)
{
	for (int i = 0; i < 10 * PATIENCE_S; i++) {
		struct seen s = get(w, key);

		free(s.kvs);
		if (!s.n)
			break;
		idle(w, 100);
	}
	has_value(w, key, NULL);
}

static void expires_while_nobody_runs(void **state)
{
	struct world *w = world_new("sqlite", 0);
	int64_t lease = grant(w, 3600000).lease;
	char sql[80];

	(void)state;
	put_leased(w, "/boot/over", "1", lease);
	put_leased(w, "/boot/long", "1", grant(w, 3600000).lease);
	snprintf(sql, sizeof(sql), "UPDATE lease SET deadline = 1 WHERE id = %lld", (long long)lease);
	meanwhile(w, sql);
	wait_until_gone(w, "/boot/over");
	has_value(w, "/boot/long", "1");
	world_free(w);
}

/* A lease of another boot has lost its holder, whatever its deadline says. */
static void reboot_ends_leases(void **state)
{
	struct world *w = world_new("sqlite", 0);

	(void)state;
	put_leased(w, "/boot/a", "1", grant(w, 3600000).lease);
	meanwhile(w, "UPDATE lease SET boot = 'before'");
	wait_until_gone(w, "/boot/a");
	world_free(w);
}

/* ---- files that are no store ---- */

static void refuses_other_files(void **state)
{
	struct world *w = world_new("sqlite", 0);
	struct store_options o = {};
	struct store *s;
	struct error e;
	char path[300], text[320];
	sqlite3 *db;
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/text", w->dir);
	f = fopen(path, "w");
	for (int i = 0; i < 2000; i++)
		fputs("not a database\n", f);
	fclose(f);
	snprintf(text, sizeof(text), "sqlite:%s", path);
	o.where = text;
	expect_int("text", store_open(w->base, &o, &s, &e), -EBADMSG);
	snprintf(path, sizeof(path), "%s/newer", w->dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE t (a); PRAGMA application_id = 1298756195; PRAGMA user_version = 9",
		     NULL, NULL, NULL);
	sqlite3_close(db);
	snprintf(text, sizeof(text), "sqlite:%s", path);
	expect_int("newer", store_open(w->base, &o, &s, &e), -EPERM);
	expect_part("says so", e.text, "newer");
	o.where = "sqlite:/nowhere/at/all";
	expect_int("no directory", store_open(w->base, &o, &s, &e), -ENOENT);
	o.where = "postgres:x";
	expect_int("no such kind", store_open(w->base, &o, &s, &e), -EINVAL);
	o.where = "etcd:ftp://127.0.0.1";
	expect_int("no such scheme", store_open(w->base, &o, &s, &e), -EINVAL);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(killed_at_any_point),
		cmocka_unit_test(neighbour_leaves),
		cmocka_unit_test(file_size_limit),
		cmocka_unit_test(small_disk),
		cmocka_unit_test(jumping_clock),
		cmocka_unit_test(expires_while_nobody_runs),
		cmocka_unit_test(reboot_ends_leases),
		cmocka_unit_test(refuses_other_files),
	};
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	print_message("# seed %ld\n", t.tv_nsec);
	srandom((unsigned int)t.tv_nsec);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
