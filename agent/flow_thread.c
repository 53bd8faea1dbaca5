// SPDX-License-Identifier: BSD-2-Clause
/*
 * flow_thread.c - the flow-miss coprocessor: one thread, one hub, one flow table
 *
 *	     ┌─► a batch of misses ─► a chunk of ageing ─► the mailbox ─┐
 *	     └───────────── nothing done: sleep in poll() ◄─────────────┘
 *
 * Whatever takes long is cut into pieces between which misses are answered: ageing
 * and the thread's own chores are pieces of this loop, revalidation is a series of
 * letters that the thread asking for it writes, grace periods pass on another
 * thread. With nothing to do the thread wakes once a second.
 *
 * See also: miss.h (answers), xsk.h (frames), flow_grace.h, flow_table.h,
 * mailbox.h, docs/flows.md.
 */
#include "flow_thread.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <agent/flow_grace.h>
#include <agent/flow_watch.h>
#include <agent/mailbox.h>
#include <agent/miss.h>
#include <agent/xsk.h>
#include <lib/clock.h>
#include <lib/log.h>

#define FRAMES_DEFAULT 4096u		/* 16 MiB: a burst of 20 ms at 200,000 misses a second */
#define CHUNK 512u			/* flows looked at between two batches */
#define PASS_SECONDS_MAX 10u		/* time in which ageing sees every flow once */
#define UNSENT_POLL_MS 1

struct flow_thread {
	struct dp *dp;
	struct xsk *xsk;
	struct flow_table *table;
	struct policy *policy;		/* NULL until the first is set */
	struct mailbox mailbox;
	struct flow_grace *grace;
	uint64_t idle_ns;
	bool busy_poll;
	int timer;			/* timerfd, once a second */
	uint32_t age_next, age_left;	/* ageing: where, and how many flows this second */
	unsigned int unsent;
	bool running, stop;
	pthread_t thread;
	struct miss_counts counts;
	uint64_t batches;
	struct frag_hold *hold;		/* fragments that wait for their first */
	struct iovec frames[2 * XSK_BATCH + FRAG_HOLD_MAX];
	struct flow_stats stats[CHUNK];
};

/* Before the reserve is used up, so that a flood finds indices that have come back. */
static void ask_for_grace(struct flow_thread *t)
{
	struct flow_table_counts c = flow_table_counts(t->table);
	uint64_t reserve = c.published + c.retired + c.free - c.capacity;

	if (c.retired > reserve / 4)
		flow_grace_kick(t->grace);
}

/*
 * How many misses may be answered now. A first packet that waits in the ring
 * until a grace period brings indices back is late, but not lost.
 */
static unsigned int n_welcome(const struct flow_thread *t)
{
	struct flow_table_counts c = flow_table_counts(t->table);

	if (!t->policy)
		return 0;
	return c.free >= XSK_BATCH || !c.retired ? XSK_BATCH : c.free;
}

static struct miss misses(struct flow_thread *t, uint64_t now_ns)
{
	return (struct miss){ t->table, t->policy, t->hold, now_ns, &t->counts };
}

/* Fragments whose first one did not come in time. */
static void expire_fragments(struct flow_thread *t, uint64_t now_ns)
{
	struct miss m = misses(t, now_ns);
	unsigned int n;

	while ((n = miss_expire(&m, t->frames, XSK_BATCH)))
		t->unsent = xsk_send(t->xsk, t->frames, n);
}

/* One batch. True if there was one. */
static bool answer_misses(struct flow_thread *t)
{
	unsigned int n = n_welcome(t);
	struct miss m;

	if (!n && t->policy)
		flow_grace_kick(t->grace);
	n = n ? xsk_receive(t->xsk, t->frames, n) : 0;
	if (!n) {
		t->unsent = xsk_kick(t->xsk);
		return false;
	}
	m = misses(t, clock_now_ns());
	n = miss_answer(&m, t->frames, n);
	t->unsent = xsk_send(t->xsk, t->frames, n);
	t->batches++;
	ask_for_grace(t);
	return true;
}

static uint64_t idle_ns(const struct flow_thread *t)
{
	return __atomic_load_n(&t->idle_ns, __ATOMIC_RELAXED);
}

/* Once a second: a share of the flows becomes due, such that all are seen within a pass. */
static void age_more(struct flow_thread *t, uint64_t high)
{
	uint64_t seconds = idle_ns(t) / 6 / NS_PER_S;

	if (seconds < 1)
		seconds = 1;
	if (seconds > PASS_SECONDS_MAX)
		seconds = PASS_SECONDS_MAX;
	t->age_left = (high + seconds - 1) / seconds;
}

/* One chunk of the flows that are due. True if there was one. */
static bool age_some(struct flow_thread *t)
{
	uint32_t high, n;
	int err;

	if (!t->age_left)
		return false;
	high = flow_table_counts(t->table).high;
	if (t->age_next > high)
		t->age_next = 1;
	n = high + 1 - t->age_next;
	n = n < t->age_left ? n : t->age_left;
	n = n < CHUNK ? n : CHUNK;
	err = dp_flow_stats_read(t->dp, t->age_next, n, t->stats);
	if (err)
		log_warn("flow counters cannot be read, flows do not age", "error", strerror(-err));
	else
		flow_table_age(t->table, t->age_next, n, t->stats, clock_now_ns(), idle_ns(t));
	t->age_next += n;
	t->age_left -= n;
	return true;
}

static void tick(struct flow_thread *t)
{
	struct flow_table_counts c;
	uint64_t n;

	if (read(t->timer, &n, sizeof(n)) != sizeof(n))
		return;
	c = flow_table_counts(t->table);
	if (c.published)
		age_more(t, c.high);
	if (c.retired)
		flow_grace_kick(t->grace);
	expire_fragments(t, clock_now_ns());
}

static void sleep_until_needed(struct flow_thread *t)
{
	struct pollfd fds[] = {
		{ .fd = t->mailbox.fd, .events = POLLIN },
		{ .fd = t->timer, .events = POLLIN },
		{ .fd = n_welcome(t) ? xsk_fd(t->xsk) : -1, .events = POLLIN },
	};

	poll(fds, 3, t->busy_poll ? 0 : t->unsent ? UNSENT_POLL_MS : -1);
	if (fds[0].revents)
		mailbox_awake(&t->mailbox);
	if (fds[1].revents)
		tick(t);
}

static void *run(void *arg)
{
	struct flow_thread *t = arg;

	pthread_setname_np(pthread_self(), "mirach-flows");
	while (!t->stop) {
		bool busy = answer_misses(t);

		busy |= age_some(t);
		mailbox_serve(&t->mailbox);
		if (!busy)
			sleep_until_needed(t);
	}
	while (answer_misses(t))
		;
	expire_fragments(t, UINT64_MAX);
	return NULL;
}

void flow_thread_set_idle(struct flow_thread *t, uint64_t idle_ns)
{
	__atomic_store_n(&t->idle_ns, idle_ns, __ATOMIC_RELAXED);
}

struct letter {
	struct flow_thread *t;
	flow_thread_fn fn;
	void *arg;
};

static void read_letter(void *arg)
{
	struct letter *l = arg;

	l->fn(l->t->table, l->t->policy, l->arg);
}

void flow_thread_call(struct flow_thread *t, flow_thread_fn fn, void *arg)
{
	struct letter l = { t, fn, arg };

	assert(!pthread_equal(pthread_self(), t->thread));
	mailbox_call(&t->mailbox, read_letter, &l);
}

/* A change of policy, chunk by chunk. */
struct change {
	struct flow_thread *t;
	struct policy *policy;		/* in: the new one, out: the old one */
	uint32_t next;			/* index to go on with, 0 = done */
	uint32_t n_changed;
	bool full;			/* no index is free for a changed action */
	bool may_wait;			/* a grace period will bring one */
};

static void swap_policy(void *arg)
{
	struct change *c = arg;
	struct policy *old = c->t->policy;

	c->t->policy = c->policy;
	c->policy = old;
}

static bool revalidate_flow(struct flow_table *table, uint32_t index, void *arg)
{
	const struct flow *flow = flow_table_get(table, index);
	struct change *c = arg;
	struct decision d;
	int64_t now;

	policy_compile(c->t->policy, &flow->key, &d, NULL);
	if (d.tuple != flow->key.tuple) {
		flow_table_del(table, index);
		c->n_changed++;
		return true;
	}
	now = flow_table_add(table, &flow->key, &d.action, clock_now_ns(), NULL);
	if (now > 0)
		flow_watch_set(flow_table_watch(table), now, d.way);
	if (now == index)
		return true;
	if (now < 0 && c->may_wait) {
		c->full = true;
		c->next = index;
		return false;
	}
	if (now < 0)
		flow_table_del(table, index);
	c->n_changed++;
	return true;
}

static void revalidate_chunk(void *arg)
{
	struct change *c = arg;
	uint32_t next;

	c->full = false;
	next = flow_table_each_in(c->t->table, c->next, CHUNK, revalidate_flow, c);
	if (!c->full)
		c->next = next;
}

void flow_thread_set_policy(struct flow_thread *t, struct policy *p, uint32_t *ret_changed)
{
	struct change c = { .t = t, .policy = p, .next = 1, .may_wait = true };

	mailbox_call(&t->mailbox, swap_policy, &c);
	while (c.next) {
		mailbox_call(&t->mailbox, revalidate_chunk, &c);
		if (c.full)
			c.may_wait = flow_grace_round(t->grace) > 0;
	}
	if (c.n_changed)
		flow_grace_round(t->grace);	/* programs that had read an old action end */
	policy_free(c.policy);
	if (ret_changed)
		*ret_changed = c.n_changed;
}

void flow_thread_grace(struct flow_thread *t)
{
	flow_grace_kick(t->grace);
}

static void read_counts(void *arg)
{
	struct letter *l = arg;
	struct flow_thread *t = l->t;
	struct flow_thread_counts *ret = l->arg;

	*ret = (struct flow_thread_counts){
		.misses = t->counts.misses,
		.installed = t->counts.installed,
		.resumed = t->counts.resumed,
		.dropped = t->counts.dropped,
		.batches = t->batches,
	};
}

void flow_thread_counts(struct flow_thread *t, struct flow_thread_counts *ret)
{
	struct letter l = { .t = t, .arg = ret };
	struct xsk_counts socket;

	mailbox_call(&t->mailbox, read_counts, &l);
	xsk_read_counts(t->xsk, &socket);
	ret->hub_overflow = socket.overflow;
	ret->tx_errors = socket.tx_errors;
}

static void clear_stray_counters(struct flow_thread *t, uint32_t first, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (t->stats[i].packets && !flow_table_is_published(t->table, first + i))
			dp_flow_stats_clear(t->dp, first + i);
}

/*
 * What an earlier agent left between retiring an index and freeing it: programs
 * that may still hold it, and its packet counts.
 */
static int finish_adoption(struct flow_thread *t, struct error *e)
{
	uint32_t end = dp_abi(t->dp)->n_flows;
	int err = dp_synchronize(t->dp);

	for (uint32_t first = 1; !err && first < end; first += CHUNK) {
		uint32_t n = end - first < CHUNK ? end - first : CHUNK;

		err = dp_flow_stats_read(t->dp, first, n, t->stats);
		if (!err)
			clear_stray_counters(t, first, n);
	}
	if (err)
		return error_set(e, err, "flows of the earlier agent: %s", strerror(-err));
	return 0;
}

/* The table, and beside it what holds at most a quarter of the socket's frames. */
static int open_table(struct flow_thread *t, uint32_t n_frames, struct error *e)
{
	const struct abi_record *abi = dp_abi(t->dp);
	struct flow_table_memory m = {
		.index = dp_flow_index(t->dp),
		.flows = dp_flows(t->dp),
		.n_buckets = abi->n_buckets,
		.n_flows = abi->n_flows,
		.secret = abi->secret,
	};
	int err = flow_table_new(&m, clock_now_ns(), &t->table);

	if (!err)
		err = frag_hold_new(abi->secret, n_frames / 4, &t->hold);
	if (err)
		return error_set(e, err, "flow table for %u flows: %s", m.n_flows, strerror(-err));
	return dp_adopted(t->dp) ? finish_adoption(t, e) : 0;
}

static int open_timer(struct flow_thread *t, struct error *e)
{
	struct itimerspec every_second = { { 1, 0 }, { 1, 0 } };

	t->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->timer < 0 || timerfd_settime(t->timer, 0, &every_second, NULL))
		return error_set(e, -errno, "timer: %s", strerror(errno));
	return 0;
}

/* Both threads; signals are the main thread's. */
static int start_threads(struct flow_thread *t, struct error *e)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = flow_grace_new(t, t->dp, &t->grace, e);
	if (!err) {
		err = pthread_create(&t->thread, NULL, run, t);
		t->running = !err;
		if (err)
			err = error_set(e, -err, "flow thread: %s", strerror(err));
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err;
}

int flow_thread_new(const struct flow_thread_options *o, struct flow_thread **ret, struct error *e)
{
	uint32_t n_frames = o->n_frames ?: FRAMES_DEFAULT;
	struct flow_thread *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return error_set(e, -ENOMEM, "out of memory");
	*t = (struct flow_thread){
		.dp = o->dp,
		.idle_ns = o->flow_idle_ns,
		.busy_poll = o->busy_poll,
		.timer = -1,
		.age_next = 1,
	};
	err = mailbox_init(&t->mailbox);
	if (err) {
		free(t);
		return error_set(e, err, "mailbox: %s", strerror(-err));
	}
	err = open_table(t, n_frames, e);
	if (!err)
		err = open_timer(t, e);
	if (!err)
		err = xsk_new(o->far_device, n_frames, &t->xsk, e);
	if (!err)
		err = start_threads(t, e);
	if (!err)
		err = dp_hub_socket_set(t->dp, o->hub, xsk_fd(t->xsk), e);
	if (err) {
		flow_thread_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

static void stop(void *arg)
{
	struct flow_thread *t = arg;

	t->stop = true;
}

void flow_thread_free(struct flow_thread *t)
{
	if (!t)
		return;
	if (t->grace)
		flow_grace_stop(t->grace);
	if (t->running) {
		mailbox_call(&t->mailbox, stop, t);
		pthread_join(t->thread, NULL);
	}
	flow_grace_free(t->grace);
	xsk_free(t->xsk);
	if (t->timer >= 0)
		close(t->timer);
	frag_hold_free(t->hold);
	flow_table_free(t->table);
	policy_free(t->policy);
	mailbox_done(&t->mailbox);
	free(t);
}
