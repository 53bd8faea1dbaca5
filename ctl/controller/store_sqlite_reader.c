// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite_reader.c - the thread that reads: ranges, and changes for the watches
 *
 * It wakes when the writer has committed, when something is asked, and every
 * STORE_POLL_MS to see whether another process has committed or a lease is due. Each
 * watch has its own position in the history and reads on from there, so that it
 * sees every change once, however late it comes.
 */
#include <ctl/controller/store_sqlite_threads.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <lib/clock.h>

#define EXPIRE_RETRY_MS 100
#define PAGES_OUT 2u			/* of a range, on their way to the loop */

static void finish_one(struct sqlite_store *s, struct job *job)
{
	struct job_list one;

	job_list_init(&one);
	job_list_add(&one, job);
	sqlite_finish(s, &one);
}

/* ---- reader: ranges ---- */

/* Sends a page and waits until the loop has taken earlier ones. False: the store closes. */
static bool send_page(struct sqlite_store *s, struct job *job)
{
	bool quit;

	pthread_mutex_lock(&s->lock);
	while (s->pages_out >= PAGES_OUT && !s->quit)
		pthread_cond_wait(&s->room, &s->lock);
	s->pages_out++;
	job_list_add(&s->done, job);
	quit = s->quit;
	pthread_mutex_unlock(&s->lock);
	eventfd_write(s->bell, 1);
	return !quit;
}

/* Reads page after page within one transaction. @job becomes the last page. */
static int read_pages(struct sqlite_store *s, struct job *job)
{
	struct db *db = s->db[READER];
	struct job *page;
	bool more;

	for (;;) {
		if (db_range(db, job->from, job->behind, job->to, job->limit, &job->rows, &more, &job->e))
			return job->e.err;
		job->limit -= job->bounded ? job->rows.n : 0;
		job->reply.more = more && !(job->bounded && !job->limit);
		if (!job->reply.more)
			return 0;
		page = job_next_page(job);
		if (!page)
			return error_set(&job->e, -ENOMEM, "store: out of memory");
		if (!send_page(s, page))
			return error_set(&job->e, -ECANCELED, "store: it is being closed");
	}
}

static void read_range(struct sqlite_store *s, struct job *job)
{
	struct db *db = s->db[READER];

	if (!db_begin_read(db, &job->e)) {
		job->reply.revision = db_revision(db);
		if (read_pages(s, job))
			db_rows_done(&job->rows);
		db_end(db);
	}
	finish_one(s, job);
}

/* ---- reader: watches ---- */

static struct sqlite_watch *due_watch(struct sqlite_store *s)
{
	for (struct sqlite_watch *w = s->watches; w; w = w->next)
		if (!w->under_way && !w->over && w->position < s->head)
			return w;
	return NULL;
}

static int read_changes(struct db *db, struct sqlite_watch *w, struct job *job, int64_t *ret_position)
{
	char to[STORE_KEY_MAX + 2];
	int err = db_begin_read(db, &job->e);

	if (err)
		return err;
	*ret_position = db_revision(db);
	if (w->position >= 0)
		err = db_changes(db, w->position, w->w.prefix, store_prefix_end(w->w.prefix, to),
				 &job->rows, ret_position, &job->e);
	db_end(db);
	return err;
}

/* Takes a watch that is under way on, and hands what it has to see to the loop. */
static void pump(struct sqlite_store *s, struct sqlite_watch *w)
{
	struct job *job = job_new(JOB_CHANGES, NULL, w);
	int64_t position = w->position;
	int err = job ? read_changes(s->db[READER], w, job, &position) : -ENOMEM;

	if (!err)
		w->position = position;
	if (!err && job->rows.n) {
		finish_one(s, job);
		return;
	}
	if (err == -ESTALE) {
		w->over = true;
		finish_one(s, job);
		return;
	}
	job_free(job);
	if (err)
		usleep(STORE_POLL_MS * 1000);	/* the disk's fault, or memory's: the next round tries again */
	pthread_mutex_lock(&s->lock);
	sqlite_watch_release(s, w);
	pthread_mutex_unlock(&s->lock);
}

static void look_around(struct sqlite_store *s)
{
	struct db *db = s->db[READER];
	int64_t left = -1;
	struct error e;

	if (!db_changed(db))
		return;
	if (db_begin_read(db, &e)) {
		db_forget_change(db);
		return;
	}
	if (!db_lease_next(db, &left, &e))
		s->lease_due_ms = left < 0 ? -1 : db_uptime_ms() + left;
	pthread_mutex_lock(&s->lock);
	s->head = db_revision(db);
	pthread_mutex_unlock(&s->lock);
	db_end(db);
}

/* With the lock held: has the writer end leases whose time is over. */
static void check_leases(struct sqlite_store *s)
{
	struct job *job;

	if (s->lease_due_ms < 0 || db_uptime_ms() < s->lease_due_ms || s->expiring)
		return;
	job = job_new(JOB_EXPIRE, NULL, NULL);
	if (!job)
		return;
	s->expiring = true;
	s->lease_due_ms = db_uptime_ms() + EXPIRE_RETRY_MS;	/* its commit will tell us more */
	job_list_add(&s->writes, job);
	pthread_cond_signal(&s->wake[WRITER]);
}

/* One watch and one read. False: there was nothing. With the lock held, but not while reading. */
static bool read_something(struct sqlite_store *s)
{
	struct sqlite_watch *w = due_watch(s);
	struct job *job = job_list_pop(&s->reads);

	s->nudged = false;
	if (w)
		w->under_way = true;
	pthread_mutex_unlock(&s->lock);
	if (w)
		pump(s, w);
	if (job)
		read_range(s, job);
	look_around(s);
	pthread_mutex_lock(&s->lock);
	return w || job;
}

void *sqlite_reader(void *arg)
{
	struct sqlite_store *s = arg;
	struct timespec until;
	uint64_t ns;

	pthread_setname_np(pthread_self(), "store-reader");
	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		if (read_something(s) || due_watch(s) || s->nudged)
			continue;
		check_leases(s);
		ns = clock_now_ns() + STORE_POLL_MS * NS_PER_MS;
		until = (struct timespec){ ns / NS_PER_S, ns % NS_PER_S };
		if (!s->reads.first)
			pthread_cond_timedwait(&s->wake[READER], &s->lock, &until);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
