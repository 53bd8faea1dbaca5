// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite.c - the store in an SQLite file, without ever blocking the loop
 *
 *	          ┌─► writes ─► writer thread: takes all there are, one commit ──┐
 *	loop ─────┤                    │ wakes                                   ├─► done ─► loop
 *	          └─► reads ──► reader thread: ranges, then changes for watches ─┘
 *	                               │ wakes the writer when a lease is due
 *
 * Group commit: while one commit waits for the disk, what is asked meanwhile
 * queues up and shares the next one, so a write waits for two fsyncs at most and
 * throughput is not bound by them. Refused transactions do not disturb the others.
 *
 * Other processes may use the same file. The reader asks SQLite every
 * STORE_POLL_MS
 * whether anybody committed (a look at shared memory, a microsecond); so a watch is
 * that late at most. A third thread moves the log into the file now and then.
 *
 * `lock` guards the lists and flags below it; each thread has its own connection.
 * A watch that is under way belongs to the reader until the loop has its changes.
 *
 * See also: store_sqlite_writer.c, store_sqlite_reader.c, store_sqlite_db.h (the tables), docs/store.md.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include <ctl/controller/store_sqlite_threads.h>

#define TXN_OPS_MAX 1000000u		/* below what history.at can number */
#define TXN_BYTES_MAX (256u << 20)

static struct sqlite_store *of(struct store *s)
{
	return (struct sqlite_store *)s;
}

/* ---- from the threads to the loop ---- */

void sqlite_finish(struct sqlite_store *s, struct job_list *jobs)
{
	pthread_mutex_lock(&s->lock);
	job_list_join(&s->done, jobs);
	pthread_mutex_unlock(&s->lock);
	eventfd_write(s->bell, 1);
}

void sqlite_watch_free(struct sqlite_store *s, struct sqlite_watch *w)
{
	struct sqlite_watch **link = &s->watches;

	while (*link != w)
		link = &(*link)->next;
	*link = w->next;
	free(w);
}

void sqlite_watch_release(struct sqlite_store *s, struct sqlite_watch *w)
{
	w->under_way = false;
	if (w->cancelled)
		sqlite_watch_free(s, w);
}

static void answer(struct job *job)
{
	struct store_reply *r = &job->reply;

	r->err = job->e.err;
	r->text = job->e.err ? job->e.text : "";
	r->more = r->more && !r->err;		/* an error is the last answer of a range */
	r->kvs = job->rows.kvs;
	r->n = job->rows.n;
	if (job->fn)
		job->fn(job->arg, r);
}

/* The changes of one revision, from row @first on. Returns the row behind them. */
static unsigned int show_change(struct sqlite_watch *w, const struct db_rows *rows, unsigned int first,
				struct store_event *events)
{
	struct store_change c = { .text = "", .revision = rows->kvs[first].mod_revision, .events = events };

	for (unsigned int i = first; i < rows->n && rows->kvs[i].mod_revision == c.revision; i++)
		events[c.n++] = (struct store_event){ .del = rows->del[i], .kv = rows->kvs[i] };
	w->w.fn(w->w.arg, &c);
	return first + c.n;
}

static void show_changes(struct sqlite_watch *w, const struct job *job)
{
	struct store_event *events = malloc((job->rows.n + 1) * sizeof(*events));

	if (!events)
		abort();	/* a change that is lost would never be noticed */
	for (unsigned int i = 0; i < job->rows.n && !w->cancelled;)
		i = show_change(w, &job->rows, i, events);
	free(events);
	if (w->over && !w->cancelled)
		w->w.fn(w->w.arg, &(struct store_change){ .err = job->e.err, .text = job->e.text });
}

static void deliver_changes(struct sqlite_store *s, struct job *job)
{
	struct sqlite_watch *w = job->arg;

	show_changes(w, job);
	pthread_mutex_lock(&s->lock);
	sqlite_watch_release(s, w);
	s->nudged = true;
	pthread_cond_signal(&s->wake[READER]);
	pthread_mutex_unlock(&s->lock);
}

static void page_taken(struct sqlite_store *s)
{
	pthread_mutex_lock(&s->lock);
	s->pages_out--;
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
}

static void deliver(struct sqlite_store *s, struct job *job)
{
	switch (job->kind) {
	case JOB_CHANGES:
		deliver_changes(s, job);
		break;
	case JOB_EXPIRE:
		pthread_mutex_lock(&s->lock);
		s->expiring = false;
		pthread_mutex_unlock(&s->lock);
		break;
	case JOB_PAGE:
		page_taken(s);
		/* fall through */
	default:
		answer(job);
	}
	job_free(job);
}

static void take_done(evutil_socket_t fd, short what, void *arg)
{
	struct sqlite_store *s = arg;
	struct job_list jobs;
	struct job *job;
	eventfd_t n;

	(void)fd;
	(void)what;
	eventfd_read(s->bell, &n);
	job_list_init(&jobs);
	pthread_mutex_lock(&s->lock);
	job_list_join(&jobs, &s->done);
	pthread_mutex_unlock(&s->lock);
	while ((job = job_list_pop(&jobs)))
		deliver(s, job);
}

/* ---- from the loop to the threads ---- */

static void enqueue(struct sqlite_store *s, enum thread_id to, struct job *job)
{
	pthread_mutex_lock(&s->lock);
	job_list_add(to == WRITER ? &s->writes : &s->reads, job);
	pthread_cond_signal(&s->wake[to]);
	pthread_mutex_unlock(&s->lock);
}

static struct job *job_for(struct store *s, enum job_kind kind, store_fn fn, void *arg)
{
	struct job *job = job_new(kind, fn, arg);

	if (!job)
		store_defer(s, fn, arg, -ENOMEM, "store: out of memory");
	return job;
}

static void get(struct store *s, const char *key, store_fn fn, void *arg)
{
	struct job *job = job_for(s, JOB_RANGE, fn, arg);

	if (!job)
		return;
	strcpy(job->from, key);
	strcat(strcpy(job->to, key), "\001");	/* no other key is before this */
	job->limit = 1;
	job->bounded = true;
	enqueue(of(s), READER, job);
}

static void range(struct store *s, const char *prefix, const char *after, unsigned int limit,
		  store_fn fn, void *arg)
{
	struct job *job = job_for(s, JOB_RANGE, fn, arg);

	if (!job)
		return;
	job->behind = after && strcmp(after, prefix) >= 0;
	strcpy(job->from, job->behind ? after : prefix);
	store_prefix_end(prefix, job->to);
	job->limit = limit;
	job->bounded = limit;
	enqueue(of(s), READER, job);
}

static char *copy(char **at, const void *bytes, size_t len)
{
	char *to = *at;

	if (len)
		memcpy(to, bytes, len);
	to[len] = '\0';
	*at += len + 1;
	return to;
}

/* Puts all of the transaction into one block, which begins with the compares. */
static int copy_txn(struct db_txn *t, const struct store_compare *compares, unsigned int n_compares,
		    const struct store_op *ops, unsigned int n_ops)
{
	size_t size = n_compares * sizeof(*compares) + n_ops * sizeof(*ops) + 1;
	char *at;

	for (unsigned int i = 0; i < n_compares; i++)
		size += strlen(compares[i].key) + 1;
	for (unsigned int i = 0; i < n_ops; i++)
		size += strlen(ops[i].key) + 1 + ops[i].value_len + 1;
	*t = (struct db_txn){ .compares = malloc(size), .n_compares = n_compares, .n_ops = n_ops };
	if (!t->compares)
		return -ENOMEM;
	t->ops = (struct store_op *)(t->compares + n_compares);
	at = (char *)(t->ops + n_ops);
	for (unsigned int i = 0; i < n_compares; i++) {
		t->compares[i] = compares[i];
		t->compares[i].key = copy(&at, compares[i].key, strlen(compares[i].key));
	}
	for (unsigned int i = 0; i < n_ops; i++) {
		t->ops[i] = ops[i];
		t->ops[i].key = copy(&at, ops[i].key, strlen(ops[i].key));
		t->ops[i].value = copy(&at, ops[i].value, ops[i].del ? 0 : ops[i].value_len);
	}
	return 0;
}

static void txn(struct store *s, const struct store_compare *compares, unsigned int n_compares,
		const struct store_op *ops, unsigned int n_ops, store_fn fn, void *arg)
{
	struct job *job = job_for(s, JOB_TXN, fn, arg);

	if (!job)
		return;
	if (copy_txn(&job->txn, compares, n_compares, ops, n_ops)) {
		store_defer(s, fn, arg, -ENOMEM, "store: out of memory");
		job_free(job);
		return;
	}
	enqueue(of(s), WRITER, job);
}

static void lease(struct store *s, enum job_kind kind, int64_t id, unsigned int ttl_ms, store_fn fn,
		  void *arg)
{
	struct job *job = job_for(s, kind, fn, arg);

	if (!job)
		return;
	job->lease = id;
	job->ttl_ms = ttl_ms;
	enqueue(of(s), WRITER, job);
}

static void lease_grant(struct store *s, unsigned int ttl_ms, store_fn fn, void *arg)
{
	lease(s, JOB_GRANT, 0, ttl_ms, fn, arg);
}

static void lease_keepalive(struct store *s, int64_t id, store_fn fn, void *arg)
{
	lease(s, JOB_KEEPALIVE, id, 0, fn, arg);
}

static void lease_revoke(struct store *s, int64_t id, store_fn fn, void *arg)
{
	lease(s, JOB_REVOKE, id, 0, fn, arg);
}

static struct store_watch *watch(struct store *store, const char *prefix, int64_t from,
				 store_watch_fn fn, void *arg)
{
	struct sqlite_store *s = of(store);
	struct sqlite_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	store_watch_init(&w->w, store, prefix, fn, arg);
	w->position = from - 1;
	pthread_mutex_lock(&s->lock);
	w->next = s->watches;
	s->watches = w;
	s->nudged = true;
	pthread_cond_signal(&s->wake[READER]);
	pthread_mutex_unlock(&s->lock);
	return &w->w;
}

static void watch_cancel(struct store_watch *watch)
{
	struct sqlite_store *s = of(watch->store);
	struct sqlite_watch *w = (struct sqlite_watch *)watch;

	pthread_mutex_lock(&s->lock);
	w->cancelled = true;
	if (!w->under_way)
		sqlite_watch_free(s, w);
	pthread_mutex_unlock(&s->lock);
}

/* ---- opening and closing ---- */

static void cancel_jobs(struct job_list *jobs)
{
	struct job *job;

	while ((job = job_list_pop(jobs))) {
		error_set(&job->e, -ECANCELED, "store: it is being closed");
		answer(job);
		job_free(job);
	}
}

static void stop(struct store *store)
{
	struct sqlite_store *s = of(store);

	pthread_mutex_lock(&s->lock);
	s->quit = true;
	for (int i = 0; i < N_THREADS; i++)
		pthread_cond_signal(&s->wake[i]);
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
	for (unsigned int i = 0; i < s->n_threads; i++)
		pthread_join(s->thread[i], NULL);
	s->n_threads = 0;
	while (s->done.first)
		take_done(-1, 0, s);
	cancel_jobs(&s->writes);
	cancel_jobs(&s->reads);
}

static void sqlite_free(struct store *store)
{
	struct sqlite_store *s = of(store);

	while (s->watches)
		sqlite_watch_free(s, s->watches);
	for (int i = 0; i < N_THREADS; i++) {
		db_close(s->db[i]);
		pthread_cond_destroy(&s->wake[i]);
	}
	pthread_cond_destroy(&s->room);
	pthread_mutex_destroy(&s->lock);
	if (s->bell_event)
		event_free(s->bell_event);
	if (s->bell >= 0)
		close(s->bell);
	free(s);
}

static void init_locks(struct sqlite_store *s)
{
	pthread_condattr_t monotonic;

	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	for (int i = 0; i < N_THREADS; i++)
		pthread_cond_init(&s->wake[i], &monotonic);
	pthread_cond_init(&s->room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_mutex_init(&s->lock, NULL);
}

/* Signals are the main thread's. */
static int start_threads(struct sqlite_store *s, struct error *e)
{
	static void *(*const run[N_THREADS])(void *) = {
		[WRITER] = sqlite_writer, [READER] = sqlite_reader, [MOVER] = sqlite_mover,
	};
	sigset_t all, before;
	int err = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	while (s->n_threads < N_THREADS && !err) {
		err = pthread_create(&s->thread[s->n_threads], NULL, run[s->n_threads], s);
		s->n_threads += !err;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err ? error_set(e, -err, "store: threads: %s", strerror(err)) : 0;
}

static int start(struct sqlite_store *s, const struct store_options *o, const char *path,
		 struct event_base *base, struct error *e)
{
	for (int i = 0; i < N_THREADS; i++)
		if (db_open(path, o->history, &s->db[i], e))
			return e->err;
	s->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->bell < 0)
		return error_set(e, -errno, "store: eventfd: %s", strerror(errno));
	s->bell_event = event_new(base, s->bell, EV_READ | EV_PERSIST, take_done, s);
	if (!s->bell_event || event_add(s->bell_event, NULL))
		return error_set(e, -ENOMEM, "store: out of memory");
	return start_threads(s, e);
}

static int sqlite_open(const struct store_options *o, const char *path, struct event_base *base,
		       struct store **ret, struct error *e)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "store: out of memory");
	s->s.limits = (struct store_limits){ .txn_ops = TXN_OPS_MAX, .txn_bytes = TXN_BYTES_MAX };
	s->bell = -1;
	s->lease_due_ms = -1;
	s->head = -1;
	job_list_init(&s->writes);
	job_list_init(&s->reads);
	job_list_init(&s->done);
	init_locks(s);
	err = start(s, o, path, base, e);
	if (err) {
		if (s->n_threads)
			stop(&s->s);
		sqlite_free(&s->s);
		return err;
	}
	*ret = &s->s;
	return 0;
}

const struct store_class store_sqlite = {
	.name = "sqlite",
	.open = sqlite_open,
	.stop = stop,
	.free = sqlite_free,
	.get = get,
	.range = range,
	.txn = txn,
	.watch = watch,
	.watch_cancel = watch_cancel,
	.lease_grant = lease_grant,
	.lease_keepalive = lease_keepalive,
	.lease_revoke = lease_revoke,
};
