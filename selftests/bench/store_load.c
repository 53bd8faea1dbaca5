// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_load.c - what a transaction costs in a store: store_load WHERE NAME DIR
 *
 *	store/NAME/alone/p50, p99	µs from store_txn() to its answer, one at a time
 *	store/NAME/many			transactions per second, UNDER_WAY at a time
 *	store/NAME/watch/p50, p99	µs from store_txn() to a watch of another store handle
 *	store/NAME/fsync/p50		µs to write one page of a file in DIR and fdatasync it
 *
 * A transaction compares one key and puts it, with 500 bytes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <ctl/controller/store.h>
#include <lib/clock.h>

#define N_ALONE 1000
#define UNDER_WAY 64
#define MANY_NS (3 * NS_PER_S)

static struct event_base *base;
static struct store *store, *other;
static char value[500];

struct chain {				/* of transactions on one key */
	char key[32];
	int64_t revision;
};

static uint64_t n_asked, n_done, until_ns;
static bool more;

static void fail(const char *what, const char *text)
{
	fprintf(stderr, "store_load: %s: %s\n", what, text);
	exit(1);
}

static void on_txn(void *arg, const struct store_reply *r);

static void next(struct chain *c)
{
	struct store_compare compare = { c->key, c->revision };
	struct store_op op = { .key = c->key, .value = value, .value_len = sizeof(value) };

	n_asked++;
	store_txn(store, &compare, 1, &op, 1, on_txn, c);
}

static void on_txn(void *arg, const struct store_reply *r)
{
	struct chain *c = arg;

	if (r->err)
		fail("txn", r->text);
	c->revision = r->revision;
	n_done++;
	if (more && clock_now_ns() < until_ns)
		next(c);
	else
		more = false;
}

static int by_value(const void *a, const void *b)
{
	return *(const uint64_t *)a < *(const uint64_t *)b ? -1 : *(const uint64_t *)a > *(const uint64_t *)b;
}

static void print(const char *name, const char *what, uint64_t *ns, int n, bool p99)
{
	qsort(ns, n, sizeof(*ns), by_value);
	printf("store/%s/%s/p50 %.1f\n", name, what, ns[n / 2] / 1e3);
	if (p99)
		printf("store/%s/%s/p99 %.1f\n", name, what, ns[n * 99 / 100] / 1e3);
}

static void one(struct chain *c)
{
	uint64_t before = n_done;

	more = false;
	next(c);
	while (n_done == before)
		event_base_loop(base, EVLOOP_ONCE);
}

static void alone(const char *name)
{
	static uint64_t ns[N_ALONE];
	struct chain c = { .key = "/bench/alone" };

	one(&c);
	for (int i = 0; i < N_ALONE; i++) {
		uint64_t start = clock_now_ns();

		one(&c);
		ns[i] = clock_now_ns() - start;
	}
	print(name, "alone", ns, N_ALONE, true);
}

static void many(const char *name)
{
	static struct chain chains[UNDER_WAY];
	uint64_t start = clock_now_ns(), begun = n_done;

	for (int i = 0; i < UNDER_WAY; i++)
		snprintf(chains[i].key, sizeof(chains[i].key), "/bench/many/%d", i);
	until_ns = start + MANY_NS;
	more = true;
	for (int i = 0; i < UNDER_WAY; i++)
		next(&chains[i]);
	while (more)
		event_base_loop(base, EVLOOP_ONCE);
	printf("store/%s/many %.0f\n", name, (n_done - begun) * 1e9 / (clock_now_ns() - start));
	while (n_done < n_asked)
		event_base_loop(base, EVLOOP_ONCE);
}

static uint64_t seen_ns;

static void on_change(void *arg, const struct store_change *c)
{
	(void)arg;
	if (c->err)
		fail("watch", c->text);
	seen_ns = clock_now_ns();
}

static void watched(const char *name)
{
	static uint64_t ns[N_ALONE];
	struct chain c = { .key = "/bench/watched" };
	struct store_watch *w;

	one(&c);
	w = store_watch(other, c.key, c.revision, on_change, NULL);
	while (!seen_ns)
		event_base_loop(base, EVLOOP_ONCE);
	for (int i = 0; i < N_ALONE / 5; i++) {
		uint64_t start = clock_now_ns();

		seen_ns = 0;
		one(&c);
		while (!seen_ns)
			event_base_loop(base, EVLOOP_ONCE);
		ns[i] = seen_ns - start;
	}
	store_watch_cancel(w);
	print(name, "watch", ns, N_ALONE / 5, true);
}

/* Over what is there, as SQLite writes its log most of the time. */
static void fsyncs(const char *name, const char *dir)
{
	static uint64_t ns[N_ALONE];
	static char page[4096], path[512];
	bool good = true;
	int fd;

	snprintf(path, sizeof(path), "%s/fsync", dir);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	for (int i = 0; i < N_ALONE; i++)
		good &= write(fd, page, sizeof(page)) == sizeof(page);
	good &= !fsync(fd);
	for (int i = 0; i < N_ALONE && good; i++) {
		uint64_t start = clock_now_ns();

		good = pwrite(fd, page, sizeof(page), i * 4096ll) == sizeof(page) && !fdatasync(fd);
		ns[i] = clock_now_ns() - start;
	}
	if (!good)
		fail(path, "cannot be written");
	close(fd);
	unlink(path);
	print(name, "fsync", ns, N_ALONE, false);
}

int main(int argc, char **argv)
{
	struct store_options o = {};
	struct error e;

	if (argc != 4) {
		fprintf(stderr, "usage: store_load WHERE NAME DIR\n");
		return 2;
	}
	o.where = argv[1];
	base = event_base_new();
	memset(value, 'v', sizeof(value));
	if (store_open(base, &o, &store, &e) || store_open(base, &o, &other, &e))
		fail(argv[1], e.text);
	fsyncs(argv[2], argv[3]);
	alone(argv[2]);
	watched(argv[2]);
	many(argv[2]);
	store_close(other);
	store_close(store);
	event_base_free(base);
	return 0;
}
