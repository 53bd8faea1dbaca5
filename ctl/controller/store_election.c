// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_election.c - leader election: create a key with a lease, or watch it
 *
 * At most one request is under way (`asking`), so every answer meets the state it
 * was asked in or a later one, and there is one place, look(), from which everything
 * starts again: it reads the key and decides. An answer whose outcome is unknown
 * needs nothing more: the key says whether it bears our lease.
 */
#include <ctl/controller/store_election.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/event.h>
#include <event2/util.h>

enum state { LOOKING, STANDBY, LEADING, GONE };

struct store_election {
	struct store_election_options o;
	char *key, *value;
	enum state state;
	bool asking, freed;
	struct event *timer;		/* look again, or renew */
	struct event *end;		/* of the leadership, a margin before the lease's */
	struct store_watch *watch;
	int64_t lease, token;
	uint64_t asked_ms;		/* when the request under way was made that starts the lease's time */
	uint64_t until_ms;		/* leading: uptime until which nobody else can */
	unsigned int ttl_ms;		/* as granted */
	int64_t shown;			/* mod_revision of the leader last told; 0: nobody, -1: nothing yet */
};

static void look(struct store_election *e);

static uint64_t uptime_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000ull + t.tv_nsec / 1000000;
}

static void after(struct event *timer, uint64_t ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_add(timer, &t);
}

/* Half to all of @ms, so that candidates do not march in step. */
static void soon(struct store_election *e, unsigned int ms)
{
	uint16_t random;

	evutil_secure_rng_get_bytes(&random, sizeof(random));
	after(e->timer, ms / 2 + random % (ms / 2 + 1));
}

static void destroy(struct store_election *e)
{
	event_free(e->timer);
	event_free(e->end);
	free(e->key);
	free(e->value);
	free(e);
}

/* First of every answer. False: nobody wants it any more, and @e may be gone. */
static bool answered(struct store_election *e)
{
	e->asking = false;
	if (e->freed)
		destroy(e);
	else if (e->state != GONE)
		return true;
	return false;
}

/* ---- telling ---- */

static void show_leader(struct store_election *e, const struct store_kv *kv)
{
	int64_t now = kv ? kv->mod_revision : 0;

	if (now == e->shown)
		return;
	e->shown = now;
	if (e->o.leader)
		e->o.leader(e->o.arg, kv);
}

static uint64_t margin_ms(const struct store_election *e)
{
	return e->ttl_ms / 8;
}

static void lead_until(struct store_election *e, uint64_t until_ms)
{
	uint64_t now = uptime_ms();

	e->until_ms = until_ms - margin_ms(e);
	after(e->end, e->until_ms > now ? e->until_ms - now : 0);
}

static void lead(struct store_election *e, int64_t token)
{
	struct store_kv us = { .key = e->key, .value = e->value, .value_len = strlen(e->value),
			       .create_revision = token, .mod_revision = token, .lease = e->lease };

	e->state = LEADING;
	e->token = token;
	lead_until(e, e->asked_ms + e->ttl_ms);
	soon(e, e->ttl_ms / 4);
	show_leader(e, &us);
	if (e->state == LEADING)
		e->o.elected(e->o.arg, token);
}

static void lose(struct store_election *e, const char *why)
{
	e->state = LOOKING;
	e->lease = 0;
	event_del(e->end);
	if (!e->asking)
		soon(e, 100);
	show_leader(e, NULL);
	e->o.lost(e->o.arg, why);
}

/* ---- leading ---- */

static void on_renewed(void *arg, const struct store_reply *r)
{
	struct store_election *e = arg;

	if (!answered(e))
		return;
	if (e->state != LEADING) {
		look(e);
		return;
	}
	if (r->err == -ENOENT) {
		lose(e, r->text);
		return;
	}
	if (!r->err)
		lead_until(e, e->asked_ms + e->ttl_ms);
	soon(e, r->err ? e->ttl_ms / 8 : e->ttl_ms / 4);
}

static void renew(struct store_election *e)
{
	e->asking = true;
	e->asked_ms = uptime_ms();
	store_lease_keepalive(e->o.store, e->lease, on_renewed, e);
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct store_election *e = arg;

	(void)fd;
	(void)what;
	if (e->state == LEADING && uptime_ms() >= e->until_ms)
		lose(e, "the lease could not be renewed in time");
	else if (e->state == LEADING)
		after(e->end, 1);
}

/* ---- becoming leader ---- */

static void on_created(void *arg, const struct store_reply *r)
{
	struct store_election *e = arg;

	if (!answered(e))
		return;
	if (!r->err && uptime_ms() + margin_ms(e) < e->asked_ms + e->ttl_ms)
		lead(e, r->revision);
	else if (r->err == -ESTALE)
		look(e);
	else
		soon(e, e->o.ttl_ms / 4);
}

static void on_granted(void *arg, const struct store_reply *r)
{
	struct store_election *e = arg;
	struct store_compare absent = { .key = e->key };
	struct store_op create = { .key = e->key, .value = e->value, .value_len = strlen(e->value) };

	if (!answered(e))
		return;
	if (r->err) {
		soon(e, e->o.ttl_ms / 4);
		return;
	}
	e->lease = create.lease = r->lease;
	e->ttl_ms = r->ttl_ms;
	e->asking = true;
	store_txn(e->o.store, &absent, 1, &create, 1, on_created, e);
}

static void campaign(struct store_election *e)
{
	e->asking = true;
	e->asked_ms = uptime_ms();
	store_lease_grant(e->o.store, e->o.ttl_ms, on_granted, e);
}

/* ---- looking ---- */

static void forget_watch(struct store_election *e)
{
	store_watch_cancel(e->watch);
	e->watch = NULL;
}

static bool is_ours(const struct store_election *e, const struct store_kv *kv)
{
	return e->lease && kv->lease == e->lease;
}

static void on_event(struct store_election *e, const struct store_event *v)
{
	if (strcmp(v->kv.key, e->key))
		return;
	if (e->state == LEADING && v->kv.mod_revision > e->token)
		lose(e, v->del ? "the key was deleted" : "another wrote the key");
	else if (e->state == STANDBY && !e->asking)
		look(e);
}

static void on_change(void *arg, const struct store_change *c)
{
	struct store_election *e = arg;

	if (c->err) {
		forget_watch(e);
		if (!e->asking && e->state != LEADING)
			look(e);
		return;
	}
	for (unsigned int i = 0; i < c->n; i++)
		on_event(e, &c->events[i]);
}

/* The key is another's: wait for it to go. */
static void stand_by(struct store_election *e, const struct store_reply *r)
{
	e->state = STANDBY;
	e->lease = 0;
	after(e->timer, e->o.ttl_ms);
	show_leader(e, &r->kvs[0]);
}

static void on_looked(void *arg, const struct store_reply *r)
{
	struct store_election *e = arg;

	if (!answered(e))
		return;
	e->state = LOOKING;
	if (r->err || r->stale) {
		soon(e, e->o.ttl_ms / 4);
		return;
	}
	if (!e->watch)
		e->watch = store_watch(e->o.store, e->key, r->revision + 1, on_change, e);
	if (!r->n)
		campaign(e);
	else if (!is_ours(e, &r->kvs[0]))
		stand_by(e, r);
	else if (uptime_ms() + margin_ms(e) < e->asked_ms + e->ttl_ms)
		lead(e, r->kvs[0].mod_revision);
	else
		soon(e, e->o.ttl_ms / 4);	/* ours, but as good as expired */
}

static void look(struct store_election *e)
{
	event_del(e->timer);
	e->asking = true;
	store_get(e->o.store, e->key, on_looked, e);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct store_election *e = arg;

	(void)fd;
	(void)what;
	if (e->asking || e->state == GONE)
		return;
	if (e->state == LEADING)
		renew(e);
	else
		look(e);
}

/* ---- the interface ---- */

struct store_election *store_election_new(const struct store_election_options *o)
{
	struct store_election *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->o = *o;
	e->shown = -1;
	e->key = strdup(o->key);
	e->value = strdup(o->value);
	e->timer = evtimer_new(o->base, on_timer, e);
	e->end = evtimer_new(o->base, on_end, e);
	if (!e->key || !e->value || !e->timer || !e->end) {
		if (e->timer)
			event_free(e->timer);
		if (e->end)
			event_free(e->end);
		free(e->key);
		free(e->value);
		free(e);
		return NULL;
	}
	look(e);
	return e;
}

bool store_election_is_leader(const struct store_election *e)
{
	return e->state == LEADING && uptime_ms() < e->until_ms;
}

bool store_election_guard(const struct store_election *e, struct store_compare *ret)
{
	if (!store_election_is_leader(e))
		return false;
	*ret = (struct store_compare){ .key = e->key, .mod_revision = e->token };
	return true;
}

/* What is left of an election that was resigned. */
struct farewell {
	void (*done)(void *arg);
	void *arg;
};

static void on_revoked(void *arg, const struct store_reply *r)
{
	struct farewell *f = arg;

	(void)r;
	if (f->done)
		f->done(f->arg);
	free(f);
}

void store_election_resign(struct store_election *e, void (*done)(void *arg))
{
	struct farewell *f = malloc(sizeof(*f));
	int64_t lease = e->lease;

	e->state = GONE;
	e->lease = 0;
	forget_watch(e);
	event_del(e->timer);
	event_del(e->end);
	if (!f)
		return;
	*f = (struct farewell){ done, e->o.arg };
	store_lease_revoke(e->o.store, lease, on_revoked, f);	/* none: refused, which is an answer, too */
}

void store_election_free(struct store_election *e)
{
	if (!e)
		return;
	if (e->state != GONE)
		store_election_resign(e, NULL);
	e->freed = true;
	if (!e->asking)
		destroy(e);
}
