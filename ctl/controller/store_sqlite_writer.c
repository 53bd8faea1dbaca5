// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite_writer.c - the threads that write: group commit, and moving the log
 *
 * The writer takes whatever is queued and writes it in one commit. A transaction
 * that is refused (-ESTALE, -ENOENT) has written nothing and disturbs nobody. If
 * the disk refuses, all is undone and everyone tries alone, so that a large one
 * that finds no room does not take the small ones with it.
 */
#include <ctl/controller/store_sqlite_threads.h>

#include <errno.h>
#include <stdlib.h>

#define BATCH_JOBS 1024u
#define LOG_PAGES 1000			/* 4 MiB: from then on the log is moved into the file */

/* ---- writer ---- */

static int write_one(struct db *db, struct job *job)
{
	struct store_reply *r = &job->reply;
	unsigned int n;

	switch (job->kind) {
	case JOB_TXN:
		return db_txn(db, &job->txn, &r->revision, &r->failed, &job->e);
	case JOB_GRANT:
		r->ttl_ms = job->ttl_ms;
		return db_lease_grant(db, job->ttl_ms, &r->lease, &job->e);
	case JOB_KEEPALIVE:
		r->lease = job->lease;
		return db_lease_keepalive(db, job->lease, &r->ttl_ms, &job->e);
	case JOB_REVOKE:
		return db_lease_revoke(db, job->lease, &job->e);
	case JOB_EXPIRE:
		return db_lease_expire(db, &n, &job->e);
	default:
		abort();
	}
}

static bool is_refusal(int err)
{
	return err == -ESTALE || err == -ENOENT;
}

static void fail_all(struct job_list *jobs, const struct error *e)
{
	for (struct job *job = jobs->first; job; job = job->next)
		job->e = *e;
}

/* All in one commit. False: nothing was written, each is to be tried alone. */
static bool write_together(struct db *db, struct job_list *jobs)
{
	struct error e;
	int err = 0;

	if (db_begin_write(db, &e)) {
		fail_all(jobs, &e);
		return true;
	}
	for (struct job *job = jobs->first; job && !err; job = job->next) {
		job->e.err = 0;
		err = write_one(db, job);
		if (is_refusal(err))
			err = 0;
	}
	if (!err)
		err = db_compact(db, &e);
	if (!err && !db_commit(db, &e))
		return true;
	db_end(db);
	return false;
}

static int write_alone(struct db *db, struct job *job)
{
	job->e.err = 0;
	if (db_begin_write(db, &job->e))
		return job->e.err;
	if (!write_one(db, job))
		return db_commit(db, &job->e);
	db_end(db);
	return job->e.err;
}

static void write_jobs(struct db *db, struct job_list *jobs)
{
	if (write_together(db, jobs))
		return;
	for (struct job *job = jobs->first; job; job = job->next) {
		if (write_alone(db, job) != -ENOSPC)
			continue;
		db_checkpoint(db);	/* the log may then be written over from its beginning */
		write_alone(db, job);
	}
}

void *sqlite_writer(void *arg)
{
	struct sqlite_store *s = arg;
	struct job_list jobs;

	pthread_setname_np(pthread_self(), "store-writer");
	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		if (!s->writes.first) {
			pthread_cond_wait(&s->wake[WRITER], &s->lock);
			continue;
		}
		job_list_take(&s->writes, BATCH_JOBS, &jobs);
		pthread_mutex_unlock(&s->lock);
		write_jobs(s->db[WRITER], &jobs);
		sqlite_finish(s, &jobs);
		pthread_mutex_lock(&s->lock);
		s->nudged = true;
		pthread_cond_signal(&s->wake[READER]);
		if (db_log_pages(s->db[WRITER]) >= LOG_PAGES)
			pthread_cond_signal(&s->wake[MOVER]);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

/* ---- mover ---- */

void *sqlite_mover(void *arg)
{
	struct sqlite_store *s = arg;

	pthread_setname_np(pthread_self(), "store-mover");
	pthread_mutex_lock(&s->lock);
	while (!s->quit) {
		pthread_cond_wait(&s->wake[MOVER], &s->lock);
		pthread_mutex_unlock(&s->lock);
		db_checkpoint(s->db[MOVER]);
		pthread_mutex_lock(&s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}
