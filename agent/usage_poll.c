/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usage_poll.c - reads the bytes of watched flows, and tells the controller who sends much
 *
 * What was read last is kept by flow index, with the flow's gen: another gen is another
 * flow, which counts from zero. The first look after the start counts nothing, since flows
 * that were adopted have sent what they have sent long ago.
 */
#include <agent/usage_poll.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <agent/admin_json.h>
#include <agent/agent.h>
#include <agent/flow_watch.h>
#include <agent/session.h>
#include <agent/usage.h>
#include <lib/clock.h>
#include <lib/log.h>

#define PAIRS_MAX 16384u
#define REPORT_MAX 1024u		/* pairs at once; more are told in the next round */
#define RUN_GAP 16u			/* flows not asked for that are read along to save a call */
#define RUN_MAX 512u

struct seen {
	uint32_t gen;
	uint32_t pad;
	uint64_t bytes;
};

struct usage_poll {
	struct agent *agent;
	struct event *timer;
	struct usage *usage;
	struct seen *seen;		/* per flow index */
	bool primed;			/* a whole round has been looked at */
	uint32_t n;			/* flows of this round */
	struct usage_poll_view view;
	struct flow_watched flows[POLL_FLOWS];
	struct flow_stats stats[RUN_MAX];
	struct usage_pair pairs[REPORT_MAX];
};

static void arm(struct usage_poll *p)
{
	struct session_view view;
	struct timeval tv;

	session_show(p->agent->session, &view);
	tv = (struct timeval){ .tv_sec = view.usage_ms / 1000,
			       .tv_usec = view.usage_ms % 1000 * 1000 };
	evtimer_add(p->timer, &tv);
}

/* On the flow thread. */
static void collect(struct flow_table *t, const struct policy *policy, void *arg)
{
	struct usage_poll *p = arg;

	(void)policy;
	p->n = flow_watch_collect(flow_table_watch(t), t, p->flows, POLL_FLOWS);
}

static int by_index(const void *a, const void *b)
{
	const struct flow_watched *x = a, *y = b;

	return x->index < y->index ? -1 : x->index > y->index;
}

/* How many flows from @first on lie close enough to be read at once. */
static uint32_t run_length(const struct usage_poll *p, uint32_t first)
{
	uint32_t i = first + 1;

	while (i < p->n && p->flows[i].index - p->flows[i - 1].index <= RUN_GAP &&
	       p->flows[i].index - p->flows[first].index < RUN_MAX)
		i++;
	return i - first;
}

static uint64_t threshold(const struct config *c, uint32_t vni)
{
	for (unsigned int i = 0; i < c->n_networks; i++)
		if (c->networks[i].vni == vni)
			return c->networks[i].offload_bps;
	return UINT64_MAX;
}

static void add(struct usage_poll *p, const struct flow_watched *f, uint64_t bytes, uint64_t now)
{
	struct seen *seen = &p->seen[f->index];
	uint64_t before = seen->gen == f->gen && bytes >= seen->bytes ? seen->bytes : 0;
	uint32_t vni;

	*seen = (struct seen){ .gen = f->gen, .bytes = bytes };
	vni = p->primed ? flow_vni(p->agent, &f->key) : 0;
	if (vni)
		usage_add(p->usage, vni, &f->key.src, &f->key.dst, f->way - 1,
			  threshold(p->agent->config, vni), bytes - before, now);
}

static void read_all(struct usage_poll *p, uint64_t now)
{
	qsort(p->flows, p->n, sizeof(p->flows[0]), by_index);
	for (uint32_t i = 0, n; i < p->n; i += n) {
		uint32_t first = p->flows[i].index;

		n = run_length(p, i);
		if (dp_flow_stats_read(p->agent->dp, first, p->flows[i + n - 1].index - first + 1,
				       p->stats))
			continue;
		for (uint32_t k = i; k < i + n; k++)
			add(p, &p->flows[k], p->stats[p->flows[k].index - first].bytes, now);
	}
}

static void poll_round(struct usage_poll *p)
{
	uint64_t now = clock_now_ns();
	uint32_t n;

	flow_thread_call(p->agent->flows, collect, p);
	read_all(p, now);
	p->primed |= p->n < POLL_FLOWS;
	n = usage_report(p->usage, now, p->pairs, REPORT_MAX);
	session_usage(p->agent->session, p->pairs, n);
	p->view.rounds++;
	p->view.flows += p->n;
	p->view.reported += n;
	p->view.cost_ns += clock_now_ns() - now;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct usage_poll *p = arg;
	struct session_view view;

	(void)fd, (void)what;
	session_show(p->agent->session, &view);
	if (view.state == SESSION_UP)
		poll_round(p);
	arm(p);
}

int usage_poll_new(struct agent *a, struct usage_poll **ret, struct error *e)
{
	struct usage_poll *p = calloc(1, sizeof(*p));

	if (!p)
		return error_set(e, -ENOMEM, "no memory");
	p->agent = a;
	p->usage = usage_new(PAIRS_MAX);
	p->seen = calloc(dp_abi(a->dp)->n_flows, sizeof(*p->seen));
	p->timer = evtimer_new(a->base, on_timer, p);
	if (!p->usage || !p->seen || !p->timer) {
		usage_poll_free(p);
		return error_set(e, -ENOMEM, "no memory for usage");
	}
	arm(p);
	*ret = p;
	return 0;
}

void usage_poll_free(struct usage_poll *p)
{
	if (!p)
		return;
	if (p->timer)
		event_free(p->timer);
	usage_free(p->usage);
	free(p->seen);
	free(p);
}

void usage_poll_show(const struct usage_poll *p, struct usage_poll_view *ret)
{
	*ret = p->view;
	ret->pairs = usage_pairs(p->usage);
	ret->missed = usage_missed(p->usage);
}
