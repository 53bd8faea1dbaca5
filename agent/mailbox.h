/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mailbox.h - has a function run on another thread, and waits for it
 *
 *	caller ──fn, arg──► [one place] ──► owner's loop: mailbox_serve()
 *	   ▲                                      │
 *	   └──────────────── done ────────────────┘
 *
 * For threads that own their data without locks: who wants something of it asks.
 * Any thread may call, one at a time; the owner serves when its descriptor is
 * readable or when it has a moment. The owner itself must not call.
 */
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

struct mailbox {
	pthread_mutex_t callers;	/* held by the one caller whose letter is in the box */
	sem_t done;
	int fd;				/* eventfd, readable while a letter waits */
	bool full;			/* set by the caller, cleared by the owner */
	void (*fn)(void *arg);
	void *arg;
};

int mailbox_init(struct mailbox *m);	/* 0 or -errno */
void mailbox_done(struct mailbox *m);
void mailbox_call(struct mailbox *m, void (*fn)(void *arg), void *arg);
/* For the owner: to be called when poll() says that fd is readable, and then or at any time _serve(). */
void mailbox_awake(struct mailbox *m);
void mailbox_serve(struct mailbox *m);	/* cheap when empty */
