// SPDX-License-Identifier: BSD-2-Clause
/*
 * flow_grace.c - waits out grace periods so that nobody else has to
 *
 * Kicks that come during a round are one kick afterwards: the eventfd adds them
 * up. A round that cannot wait (the kernel refuses) ends without freeing
 * anything; the closed indices are tried again by the next one.
 *
 * See also: flow_grace.h (the picture), flow_table.h (the states).
 */
#include "flow_grace.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <agent/dp.h>
#include <agent/flow_thread.h>
#include <lib/log.h>

struct flow_grace {
	struct flow_thread *flows;
	struct dp *dp;
	pthread_mutex_t round;		/* one round at a time */
	const struct flow_table *table;	/* of the round under way */
	uint32_t n_closed;		/* indices closed and not freed yet */
	int fd;				/* eventfd: kicks */
	bool stop;
	pthread_t thread;
};

static void begin(struct flow_table *table, const struct policy *policy, void *arg)
{
	struct flow_grace *g = arg;

	(void)policy;
	g->table = table;
	g->n_closed = flow_table_grace_begin(table);
}

static void end(struct flow_table *table, const struct policy *policy, void *arg)
{
	struct flow_grace *g = arg;

	(void)policy;
	flow_table_grace_end(table);
	g->n_closed = 0;
}

static void clear_counters(uint32_t index, void *arg)
{
	struct flow_grace *g = arg;

	dp_flow_stats_clear(g->dp, index);
}

uint32_t flow_grace_round(struct flow_grace *g)
{
	uint32_t n;
	int err;

	pthread_mutex_lock(&g->round);
	if (!g->n_closed)
		flow_thread_call(g->flows, begin, g);
	n = g->n_closed;
	err = n ? dp_synchronize(g->dp) : 0;
	if (err) {
		log_error("flow indices cannot be reused", "error", strerror(-err));
		n = 0;
	}
	if (n) {
		flow_table_grace_each(g->table, clear_counters, g);
		flow_thread_call(g->flows, end, g);
	}
	pthread_mutex_unlock(&g->round);
	return n;
}

static void *run(void *arg)
{
	struct flow_grace *g = arg;
	eventfd_t kicks;

	pthread_setname_np(pthread_self(), "mirach-grace");
	while (!eventfd_read(g->fd, &kicks) && !__atomic_load_n(&g->stop, __ATOMIC_ACQUIRE))
		flow_grace_round(g);
	return NULL;
}

void flow_grace_kick(struct flow_grace *g)
{
	eventfd_write(g->fd, 1);
}

int flow_grace_new(struct flow_thread *flows, struct dp *dp, struct flow_grace **ret,
		   struct error *e)
{
	struct flow_grace *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return error_set(e, -ENOMEM, "out of memory");
	*g = (struct flow_grace){ .flows = flows, .dp = dp, .round = PTHREAD_MUTEX_INITIALIZER };
	g->fd = eventfd(0, EFD_CLOEXEC);
	err = g->fd < 0 ? errno : pthread_create(&g->thread, NULL, run, g);
	if (err) {
		if (g->fd >= 0)
			close(g->fd);
		free(g);
		return error_set(e, -err, "thread for grace periods: %s", strerror(err));
	}
	*ret = g;
	return 0;
}

void flow_grace_stop(struct flow_grace *g)
{
	__atomic_store_n(&g->stop, true, __ATOMIC_RELEASE);
	flow_grace_kick(g);
	pthread_join(g->thread, NULL);
}

void flow_grace_free(struct flow_grace *g)
{
	if (!g)
		return;
	close(g->fd);
	pthread_mutex_destroy(&g->round);
	free(g);
}
