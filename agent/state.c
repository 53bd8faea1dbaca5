/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.c - transactions come into force, one change at a time
 *
 *	         begin()                      resolved, or waited long enough
 *	 IDLE ──────────► objects swapped, ─────────────────────────────────► finish()
 *	   ▲              next hops asked    │                                   │
 *	   └── commit, acks, checkpoint ◄────┼───────────────────────────────────┤
 *	   └── rollback, the old one again ◄─┴── refused ◄───────────────────────┘
 *
 * See also: change.h (the order inside), state_disk.c (checkpoints).
 */
#include <agent/state.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <agent/agent.h>
#include <agent/state_internal.h>
#include <lib/clock.h>
#include <lib/log.h>

#define RESOLVE_POLL_MS 5u
#define RESOLVE_MAX_MS 500u		/* a host that does not answer must not hold up others for long */

static void arm(struct state *s, unsigned int ms)
{
	const struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	evtimer_add(s->timer, &tv);
}

/* Outcomes. */

static void tell(struct state *s, const struct transaction *t, const struct error *e,
		 const char *const *ids, unsigned int n_ids)
{
	const struct state_outcome o = {
		.seq = t->seq, .revision = t->revision, .e = e, .ids = ids, .n_ids = n_ids,
	};

	if (s->listener.done && t->session == s->session)
		s->listener.done(&o, s->listener.arg);
}

static void note_refusal(struct state *s, const struct error *e)
{
	snprintf(s->refused, sizeof(s->refused), "%s", e->text);
	for (char *c = s->refused; *c; c++)
		*c = *c == '\n' ? ';' : *c;
	log_error("update refused, the state before it stays", "error", s->refused);
}

static void free_batch(struct state *s)
{
	while (s->batch) {
		struct transaction *t = s->batch;

		s->batch = t->next;
		transaction_free(t);
	}
}

/* The batch goes back to the head of the queue, to be tried one by one. */
static void requeue_batch(struct state *s)
{
	struct transaction **end = &s->batch;

	while (*end)
		end = &(*end)->next;
	*end = s->queue;
	if (!s->queue)
		s->queue_end = end;
	s->queue = s->batch;
	s->batch = NULL;
	s->one_by_one = true;
}

static void refuse(struct state *s, const struct error *e, const struct state_blame *blame)
{
	object_set_rollback(s->objects);
	config_free(s->next);
	s->next = NULL;
	s->changing = false;
	if (s->batch && s->batch->next) {
		requeue_batch(s);
	} else {
		note_refusal(s, e);
		if (s->batch)
			tell(s, s->batch, e, blame ? blame->ids : NULL, blame ? blame->n : 0);
		free_batch(s);
	}
	arm(s, 0);
}

static void count_flows(struct state *s, uint64_t took_ns)
{
	log_info("state changed", "revision", log_fmt("%llu", (unsigned long long)s->revision),
		 "objects", log_fmt("%llu", (unsigned long long)object_set_digest(s->objects)->count),
		 "flows_changed", log_fmt("%u", s->agent->n_changed),
		 "ms", log_fmt("%.1f", (double)took_ns / NS_PER_MS));
}

static void succeed(struct state *s)
{
	const struct error none = {};

	state_endpoints_remove(s);
	object_set_commit(s->objects);
	if (s->next) {
		config_free(s->agent->config);
		s->agent->config = s->next;
		s->next = NULL;
	}
	s->changing = false;
	s->known = true;
	s->agent->held = false;
	s->refused[0] = '\0';
	for (struct transaction *t = s->batch; t; t = t->next)
		s->revision = t->revision;
	count_flows(s, clock_now_ns() - s->began_ns);
	for (struct transaction *t = s->batch; t; t = t->next)
		tell(s, t, &none, NULL, 0);
	free_batch(s);
	state_disk_dirty(s);
	arm(s, 0);
}

/* The change. */

/* Nothing that a change of a million endpoints needs is done for each of them twice. */
static int swap_objects(struct state *s, struct error *e)
{
	int err = 0;

	for (struct transaction *t = s->batch; t && !err; t = t->next)
		for (unsigned int i = 0; i < t->n_steps && !err; i++)
			err = t->steps[i].set ? object_set_add(s->objects, t->steps[i].set) :
			      object_set_del(s->objects, t->steps[i].del);
	return err ? error_set(e, err, "no memory for %llu objects",
			       (unsigned long long)object_set_digest(s->objects)->count) : 0;
}

static bool batch_concerns_config(const struct state *s)
{
	for (const struct transaction *t = s->batch; t; t = t->next)
		for (unsigned int i = 0; i < t->n_steps; i++) {
			const struct transaction_step *step = &t->steps[i];

			if (step->set ? step->set->doc != NULL :
			    object_kind_of(step->del) < OBJECT_ENDPOINT)
				return true;
		}
	return false;
}

int state_build(struct state *s, struct config **ret, struct state_blame *blame, struct error *e)
{
	struct state_parts parts = {
		.host = s->host,
		.bootstrap = s->bootstrap,
		.bootstrap_path = s->bootstrap_path,
		.bindings = &s->bindings,
	};

	parts.objects = object_set_config(s->objects, &parts.n_objects);
	return state_config(&parts, ret, blame, e);
}

/* An agent that holds has nothing of its own in force. */
static void undo_change(struct state *s)
{
	struct error e = {};

	state_endpoints_asked_done(s);
	state_endpoints_undo(s);
	if (!s->next)
		return;
	change_done(&s->change);
	if (!s->agent->held && change_make(s->agent, s->agent->config, &e))
		log_error("cannot go back to the state before", "error", e.text);
}

/* Where packets are to go is known, as far as it can be. */
static bool resolved(const struct state *s)
{
	return (!s->next || change_resolved(s->agent)) && state_endpoints_resolved(s);
}

static void finish(struct state *s)
{
	struct error e = {};
	int err;

	err = state_endpoints_add(s, &e);
	if (!err && s->next)
		err = change_finish(&s->change, s->agent, &e);
	if (err) {
		undo_change(s);
		refuse(s, &e, NULL);
		return;
	}
	state_endpoints_asked_done(s);
	change_done(&s->change);
	succeed(s);
}

static void begin(struct state *s)
{
	struct state_blame blame = {};
	struct error e = {};
	bool only_endpoints;
	int err;

	s->changing = true;
	s->began_ns = clock_now_ns();
	err = swap_objects(s, &e);
	only_endpoints = !s->rebuild && !batch_concerns_config(s);
	s->rebuild = false;
	if (!err && !only_endpoints)
		err = state_build(s, &s->next, &blame, &e);
	if (err) {
		refuse(s, &e, &blame);
		return;
	}
	if (s->next)
		err = change_begin(&s->change, s->agent, s->next, &e);
	if (!err)
		err = state_endpoints_ask(s, &e);
	if (err) {
		undo_change(s);
		refuse(s, &e, NULL);
		return;
	}
	if (resolved(s))
		finish(s);
	else
		arm(s, RESOLVE_POLL_MS);
}

static struct transaction *take(struct state *s)
{
	struct transaction *t = s->queue;

	s->queue = t->next;
	if (!s->queue)
		s->queue_end = &s->queue;
	t->next = NULL;
	return t;
}

/* What was spoiled on its way is answered in its turn, and is part of no batch. */
static void refuse_bad(struct state *s)
{
	struct transaction *t = take(s);
	const char *ids[] = { t->bad_id };

	note_refusal(s, &t->bad);
	tell(s, t, &t->bad, ids, *t->bad_id != '\0');
	transaction_free(t);
}

static void take_batch(struct state *s)
{
	struct transaction **end = &s->batch;

	while (s->queue && !s->queue->bad.err) {
		*end = take(s);
		end = &(*end)->next;
		if (s->one_by_one)
			break;
	}
	s->one_by_one &= s->queue != NULL;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct state *s = arg;

	(void)fd, (void)what;
	if (s->changing) {
		if (resolved(s) ||
		    clock_now_ns() - s->began_ns > RESOLVE_MAX_MS * NS_PER_MS)
			finish(s);
		else
			arm(s, RESOLVE_POLL_MS);
		return;
	}
	while (s->queue && s->queue->bad.err)
		refuse_bad(s);
	take_batch(s);
	if (s->batch || s->rebuild)
		begin(s);
}

/* From the session. */

int state_update(struct state *s, const cJSON *frame, struct error *e)
{
	struct transaction *t;
	int err = transaction_add(&s->incoming, frame, e);

	if (err || !s->incoming->whole)
		return err;
	t = s->incoming;
	s->incoming = NULL;
	t->session = s->session;
	*s->queue_end = t;
	s->queue_end = &t->next;
	if (!s->changing)
		arm(s, 0);	/* after whatever else has arrived */
	return 0;
}

void state_session_over(struct state *s)
{
	transaction_free(s->incoming);
	s->incoming = NULL;
	s->session++;
}

bool state_idle(const struct state *s)
{
	return !s->changing && !s->queue && !s->rebuild;
}

const struct object_set *state_objects(const struct state *s)
{
	return s->objects;
}

uint64_t state_revision(const struct state *s)
{
	return s->revision;
}

void state_listen(struct state *s, const struct state_listener *l)
{
	s->listener = *l;
}

/* Bindings. */

const struct bindings *state_bindings(const struct state *s)
{
	return &s->bindings;
}

static void bindings_changed(struct state *s, const char *instance)
{
	s->rebuild = true;
	if (!s->changing)
		arm(s, 0);
	if (s->listener.bindings_changed)
		s->listener.bindings_changed(instance, s->listener.arg);
}

/* Whether the configuration would be good with it is asked before it is taken. */
static int try_bindings(struct state *s, struct error *e)
{
	struct config *config;
	int err = state_build(s, &config, NULL, e);

	if (!err)
		config_free(config);
	return err;
}

int state_attach(struct state *s, const char *instance, const char *device, const char *netns,
		 const char *guest_device, struct error *e)
{
	struct binding *old = bindings_find(&s->bindings, instance);
	cJSON *before = old ? binding_to_json(old) : NULL;
	int err;

	if (s->changing)
		err = error_set(e, -EAGAIN, "a change is under way; try again in a moment");
	else
		err = bindings_set(&s->bindings, instance, device, netns, guest_device, e);
	if (!err && (err = try_bindings(s, e))) {
		bindings_del(&s->bindings, instance, NULL);
		if (before)
			bindings_set_json(&s->bindings, before, NULL);
	}
	cJSON_Delete(before);
	if (!err)
		bindings_changed(s, instance);
	return err;
}

int state_detach(struct state *s, const char *instance, struct error *e)
{
	int err = bindings_del(&s->bindings, instance, e);

	if (!err)
		bindings_changed(s, instance);
	return err;
}

void state_bound(struct state *s, const char *instance, const char *problem)
{
	struct binding *b = bindings_find(&s->bindings, instance);

	if (!b)
		return;
	binding_answered(b, problem);
	if (problem)
		log_warn("the controller refuses a binding", "instance", instance, "why", problem);
	else
		log_info("instance bound", "instance", instance, "device", binding_text(b, "device"));
}

struct unbound {
	const struct state *s;
	void (*fn)(const struct object *vport, void *arg);
	void *arg;
};

void state_each_unbound(const struct state *s, void (*fn)(const struct object *vport, void *arg),
			void *arg)
{
	unsigned int n;
	struct object **all = object_set_config(s->objects, &n);

	for (unsigned int i = 0; i < n; i++)
		if (state_is_unbound(all[i], &s->bindings))
			fn(all[i], arg);
}

/* Life. */

int state_new(const struct state_options *o, struct state **ret, struct config **ret_config,
	      struct error *e)
{
	struct state *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return error_set(e, -ENOMEM, "no memory");
	s->queue_end = &s->queue;
	s->host = o->host;
	s->bootstrap_path = o->bootstrap;
	snprintf(s->path, sizeof(s->path), "%s/checkpoint", o->dir);
	s->objects = object_set_new();
	err = s->objects ? 0 : error_set(e, -ENOMEM, "no memory");
	if (!err)
		err = state_bootstrap(o->bootstrap, o->host, &s->bootstrap, ret_config, e);
	if (err)
		state_free(s);
	else
		*ret = s;
	return err;
}

int state_restore(struct state *s, struct agent *a, struct config **ret_config, struct error *e)
{
	int err;

	s->agent = a;
	s->timer = evtimer_new(a->base, on_timer, s);
	if (!s->timer)
		return error_set(e, -ENOMEM, "no memory for a timer");
	err = state_disk_open(s, e);
	return err ? err : state_disk_load(s, ret_config, e);
}

void state_free(struct state *s)
{
	if (!s)
		return;
	if (s->changing)
		change_done(&s->change);
	free(s->asked);
	state_disk_close(s);
	if (s->timer)
		event_free(s->timer);
	transaction_free(s->incoming);
	free_batch(s);
	s->batch = s->queue;
	free_batch(s);
	config_free(s->next);
	bindings_done(&s->bindings);
	object_set_free(s->objects);
	doc_free(s->bootstrap);
	free(s);
}

void state_show(const struct state *s, struct state_view *ret)
{
	*ret = (struct state_view){
		.known = s->known,
		.revision = s->revision,
		.objects = object_set_digest(s->objects)->count,
		.checkpoint = s->path,
		.written_ns = s->written_ns,
		.refused = s->refused,
		.disk_problem = s->disk_problem.text,
	};
}
