// SPDX-License-Identifier: BSD-2-Clause
/*
 * mailbox.c - has a function run on another thread, and waits for it
 *
 * `full` hands the letter over and the semaphore hands the answer back, so
 * whatever either side wrote before is visible to the other. The eventfd only
 * ends the owner's sleep: it is written after `full` and read before it, so that
 * no letter is slept through; a letter served before its bell costs one idle turn.
 */
#include "mailbox.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_init(struct mailbox *m)
{
	*m = (struct mailbox){ .callers = PTHREAD_MUTEX_INITIALIZER };
	m->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->fd < 0)
		return -errno;
	sem_init(&m->done, 0, 0);
	return 0;
}

void mailbox_done(struct mailbox *m)
{
	close(m->fd);
	sem_destroy(&m->done);
	pthread_mutex_destroy(&m->callers);
}

void mailbox_call(struct mailbox *m, void (*fn)(void *arg), void *arg)
{
	pthread_mutex_lock(&m->callers);
	m->fn = fn;
	m->arg = arg;
	__atomic_store_n(&m->full, true, __ATOMIC_RELEASE);
	eventfd_write(m->fd, 1);
	while (sem_wait(&m->done))
		;
	pthread_mutex_unlock(&m->callers);
}

void mailbox_awake(struct mailbox *m)
{
	eventfd_t n;

	eventfd_read(m->fd, &n);
}

void mailbox_serve(struct mailbox *m)
{
	if (!__atomic_load_n(&m->full, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&m->full, false, __ATOMIC_RELAXED);
	m->fn(m->arg);
	sem_post(&m->done);
}
