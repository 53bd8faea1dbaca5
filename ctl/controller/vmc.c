// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc.c - the VM controller: from declared objects to hosts that have acknowledged
 *
 * All that arrives only queues work; one timer of no delay does it, a slice per turn of
 * the loop, so that sessions and the API are served in between.
 */
#include <ctl/controller/vmc_session.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lib/clock.h>
#include <lib/log.h>

#define SLICE 1024u			/* pairs per turn of the loop */

uint64_t vmc_now(const struct vmc *v)
{
	(void)v;
	return clock_now_ns();
}

void vmc_schedule(struct vmc *v)
{
	static const struct timeval now = {};

	if (!event_pending(v->work, EV_TIMEOUT, NULL))
		event_add(v->work, &now);
}

static void work(struct vmc *v)
{
	struct vmc_host *h;

	vmc_offload_drain(v);
	if (vmc_work(&v->engine, SLICE, vmc_now(v)))
		vmc_schedule(v);
	while ((h = vmc_next_ready(&v->engine)))
		if (h->session)
			session_pump(h->session);
		else
			objset_done(&h->pending);	/* it will be compared when it comes */
}

static void tick(struct vmc *v)
{
	struct vmc_host *h;

	programming_tick(v->programming, vmc_now(v));
	vmc_offload_tick(v);
	for (size_t i = 0; (h = index_next(&v->engine.hosts, &i));)
		if (h->session && h->session->retry_ns && h->session->retry_ns <= vmc_now(v))
			session_pump(h->session);
}

/* Timers do nothing before everything has been read. */
static void when_ready(struct vmc *v, void (*run)(struct vmc *v))
{
	if (v->ready)
		run(v);
}

static void on_work(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	when_ready(arg, work);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	when_ready(arg, tick);
}

/* What the replicas tell. */

static void announce(struct vmc *v, const struct object *now)
{
	struct object *copy = model_copy(now);

	if (copy)
		vmc_announced(&v->engine, (struct remote_network *)copy);
}

static void begin(struct vmc *v)
{
	if (!v->in_transaction)
		vmc_begin(&v->engine, vmc_now(v), vmc_now(v));
	v->in_transaction = true;
}

static void on_changing(void *arg, struct object *old, const struct object *next)
{
	struct vmc *v = arg;

	if (!v->ready)
		return;
	begin(v);
	vmc_changing(&v->engine, old, next);
}

static void on_changed(void *arg, const struct object *old, struct object *now)
{
	struct vmc *v = arg;

	(void)old;
	if (v->ready && now)
		vmc_changed(&v->engine, now);
}

static void on_announced(void *arg, const struct object *old, struct object *now)
{
	struct vmc *v = arg;

	if (!v->ready)
		return;
	begin(v);
	if (now)
		announce(v, now);
	else
		vmc_withdrawn(&v->engine, old->tenant, old->name);
}

static void load(struct vmc *v)
{
	uint64_t began = vmc_now(v);
	struct object *o;

	for (size_t i = 0; (o = model_set_next(v->o.set, KIND_REMOTE_NETWORK, &i));)
		announce(v, o);
	vmc_loaded(&v->engine, replica_revision(v->o.regional), vmc_now(v));
	v->ready = true;
	log_info("all hosts are computed", "hosts", log_fmt("%zu", v->engine.hosts.n), "objects",
		 log_fmt("%llu", (unsigned long long)v->engine.specs), "ms",
		 log_fmt("%llu", (unsigned long long)((vmc_now(v) - began) / NS_PER_MS)));
}

static void on_settled(void *arg, int64_t revision)
{
	struct vmc *v = arg;

	if (!v->ready) {
		if (!replica_revision(v->o.regional) || !replica_revision(v->o.global))
			return;
		load(v);
		if (v->o.settled)
			v->o.settled(v->o.arg, v->engine.applied);
		return;
	}
	begin(v);
	v->in_transaction = false;
	vmc_end(&v->engine, revision);
	if (v->o.settled)
		v->o.settled(v->o.arg, revision);
	vmc_schedule(v);
}

static void missing(void *arg, uint64_t revision, void (*add)(void *to, const char *host), void *to)
{
	const struct vmc *v = arg;

	vmc_missing(&v->engine, revision, add, to);
}

struct vmc *vmc_new(const struct vmc_options *o)
{
	static const struct timeval second = { .tv_sec = 1 };
	struct vmc *v = calloc(1, sizeof(*v));
	struct programming_options po = { .missing = missing, .arg = v };

	if (!v)
		return NULL;
	v->o = *o;
	v->programming = programming_new(&po);
	v->work = evtimer_new(o->base, on_work, v);
	v->tick = event_new(o->base, -1, EV_PERSIST, on_tick, v);
	vmc_init(&v->engine, o->set, o->owns, o->arg, v->programming);
	vmc_reports_init(v);
	if (!v->programming || !v->work || !v->tick || vmc_offload_init(v)) {
		vmc_free(v);
		return NULL;
	}
	event_add(v->tick, &second);
	v->regional = (struct replica_listener){ .changing = on_changing, .changed = on_changed,
						 .settled = on_settled, .arg = v };
	v->global = (struct replica_listener){ .changed = on_announced, .settled = on_settled,
					       .arg = v };
	replica_listen(o->regional, &v->regional);
	replica_listen(o->global, &v->global);
	return v;
}

void vmc_free(struct vmc *v)
{
	if (!v)
		return;
	if (v->work)
		event_free(v->work);
	if (v->tick)
		event_free(v->tick);
	vmc_offload_done(v);
	vmc_reports_done(v);
	vmc_done(&v->engine);
	programming_free(v->programming);
	free(v);
}

bool vmc_is_ready(const struct vmc *v)
{
	return v->ready;
}

/* Before anything is emptied: a session must not tell its agent to forget everything. */
static void lose_sessions(struct vmc *v)
{
	struct vmc_host *h;

	for (size_t i = 0; (h = index_next(&v->engine.hosts, &i));) {
		struct vmc_session *s = h->session;

		if (!s || v->o.owns(v->o.arg, h->name))
			continue;
		session_done(s);
		h->session = NULL;
		s->failed = true;
		s->front.lost(s->arg);
	}
}

void vmc_shards_moved(struct vmc *v)
{
	if (!v->ready)
		return;
	lose_sessions(v);
	vmc_loaded(&v->engine, v->engine.applied, vmc_now(v));
	vmc_offload_shards_moved(v);
	vmc_schedule(v);
}

struct programming *vmc_programming(struct vmc *v)
{
	return v->programming;
}

struct programming_wait *vmc_wait(struct vmc *v, uint64_t revision, uint64_t deadline_ns,
				  programming_fn fn, void *arg)
{
	if (!v->o.agreed || v->o.agreed(v->o.arg))
		return programming_wait(v->programming, revision, deadline_ns, fn, arg);
	fn(arg, -ESTALE, NULL, 0);
	return NULL;
}

/* Sessions. */

static void close_session(struct vmc_session *s, const char *why)
{
	s->failed = true;
	s->front.close(s->arg, why);
}

struct vmc_session *vmc_attach(struct vmc *v, const char *host, const struct digest *digest,
			       const struct vmc_front *front, void *arg)
{
	struct vmc_session *s = v->ready ? calloc(1, sizeof(*s)) : NULL;
	struct vmc_host *h;

	if (!s)
		return NULL;
	h = vmc_host_get(&v->engine, host);
	if (!h->owned) {
		free(s);
		return NULL;
	}
	if (h->session) {
		struct vmc_session *old = h->session;

		session_done(old);
		h->session = NULL;
		close_session(old, "another session of this host has begun");
	}
	*s = (struct vmc_session){ .vmc = v, .host = h, .front = *front, .arg = arg,
				   .digest = *digest };
	h->session = s;
	session_start(s);
	return s;
}

void vmc_detach(struct vmc_session *s)
{
	if (s->host->session == s) {
		session_done(s);
		s->host->session = NULL;
	}
	objset_done(&s->sending);
	free(s);
}

int vmc_message(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	return session_message(s, msg, e);
}

void vmc_drained(struct vmc_session *s)
{
	if (s->host->session == s)
		session_pump(s);
}
