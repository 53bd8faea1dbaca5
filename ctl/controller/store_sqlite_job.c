// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_sqlite_job.c - requests on their way through the threads, and lists of them
 *
 * A list hands its jobs over whole or in parts without copying; an empty list's
 * end points to its own beginning, so lists are initialised in place.
 */
#include <ctl/controller/store_sqlite_threads.h>

#include <stdlib.h>
#include <string.h>

struct job *job_new(enum job_kind kind, store_fn fn, void *arg)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->kind = kind;
	job->fn = fn;
	job->arg = arg;
	return job;
}

void job_free(struct job *job)
{
	if (!job)
		return;
	db_rows_done(&job->rows);
	free(job->txn.compares);	/* one block for all of the transaction */
	free(job);
}

struct job *job_next_page(struct job *job)
{
	struct job *page = job_new(JOB_PAGE, job->fn, job->arg);

	if (!page)
		return NULL;
	page->reply = job->reply;
	page->rows = job->rows;
	strcpy(job->from, page->rows.kvs[page->rows.n - 1].key);
	job->behind = true;
	job->rows = (struct db_rows){};
	return page;
}

void job_list_init(struct job_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

void job_list_add(struct job_list *l, struct job *job)
{
	job->next = NULL;
	*l->end = job;
	l->end = &job->next;
}

struct job *job_list_pop(struct job_list *l)
{
	struct job *job = l->first;

	if (!job)
		return NULL;
	l->first = job->next;
	if (!l->first)
		l->end = &l->first;
	return job;
}

void job_list_join(struct job_list *l, struct job_list *other)
{
	if (!other->first)
		return;
	*l->end = other->first;
	l->end = other->end;
	job_list_init(other);
}

void job_list_take(struct job_list *l, unsigned int n, struct job_list *ret)
{
	job_list_init(ret);
	for (struct job *job; n-- && (job = job_list_pop(l));)
		job_list_add(ret, job);
}
