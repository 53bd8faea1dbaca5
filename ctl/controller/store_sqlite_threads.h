/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_sqlite_threads.h - what the loop and the three threads of an SQLite store share
 *
 * store_sqlite.c draws who hands what to whom. A job is one request on its way
 * through the threads and back; it owns copies of its arguments and its answer.
 */
#pragma once

#include <pthread.h>

#include <ctl/controller/store_impl.h>
#include <ctl/controller/store_sqlite_db.h>

#define STORE_POLL_MS 5		/* for other processes' changes and for leases that are due */

enum job_kind {
	JOB_TXN,
	JOB_GRANT,
	JOB_KEEPALIVE,
	JOB_REVOKE,
	JOB_EXPIRE,			/* our own: leases are due */
	JOB_RANGE,
	JOB_PAGE,			/* of a range that has more */
	JOB_CHANGES,			/* arg is the watch */
};

struct job {
	struct job *next;
	enum job_kind kind;
	store_fn fn;
	void *arg;
	struct db_txn txn;
	int64_t lease;
	unsigned int ttl_ms;
	unsigned int limit;		/* range: keys still wanted, */
	bool bounded;			/* or all of them */
	bool behind;			/* range: not `from` itself */
	char from[STORE_KEY_MAX + 2], to[STORE_KEY_MAX + 2];
	struct store_reply reply;
	struct db_rows rows;
	struct error e;
};

struct job_list {
	struct job *first, **end;
};

struct job *job_new(enum job_kind kind, store_fn fn, void *arg);	/* NULL: out of memory */
void job_free(struct job *job);		/* NULL is allowed */
/* A page with the rows of @job, which goes on behind them. */
struct job *job_next_page(struct job *job);

void job_list_init(struct job_list *l);
void job_list_add(struct job_list *l, struct job *job);
struct job *job_list_pop(struct job_list *l);	/* or NULL */
void job_list_join(struct job_list *l, struct job_list *other);	/* leaves the other empty */
void job_list_take(struct job_list *l, unsigned int n, struct job_list *ret);	/* the first @n */

enum thread_id { WRITER, READER, MOVER, N_THREADS };

struct sqlite_watch {
	struct store_watch w;
	struct sqlite_watch *next;
	int64_t position;		/* delivered up to here; -1: where the newest revision is */
	bool under_way, cancelled, over;
};

struct sqlite_store {
	struct store s;
	struct db *db[N_THREADS];
	pthread_t thread[N_THREADS];
	unsigned int n_threads;
	int bell;			/* eventfd: `done` has something */
	struct event *bell_event;
	int64_t lease_due_ms;		/* reader: uptime; -1: no lease */

	pthread_mutex_t lock;
	pthread_cond_t wake[N_THREADS], room;
	struct job_list writes, reads, done;
	struct sqlite_watch *watches;
	int64_t head;			/* newest revision the reader saw; -1: none yet */
	unsigned int pages_out;
	bool nudged;			/* reader: look whether there is something new */
	bool expiring;			/* a JOB_EXPIRE is queued */
	bool quit;
};

void *sqlite_writer(void *store);	/* thread functions; they end on `quit` */
void *sqlite_reader(void *store);
void *sqlite_mover(void *store);

/* Hands jobs to the loop. */
void sqlite_finish(struct sqlite_store *s, struct job_list *jobs);
/* With the lock held: the watch is the loop's again, or is freed if it was cancelled. */
void sqlite_watch_release(struct sqlite_store *s, struct sqlite_watch *w);
void sqlite_watch_free(struct sqlite_store *s, struct sqlite_watch *w);
