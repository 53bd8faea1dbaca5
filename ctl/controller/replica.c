// SPDX-License-Identifier: BSD-2-Clause
/*
 * replica.c - a model_set that follows the store
 *
 * A transaction of many objects is read in several turns of the loop, and then goes
 * into the set as a whole; what comes behind it waits.
 */
#include <ctl/controller/replica.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lib/log.h>

#define RETRY_MS 500			/* until the store is asked again */
#define SLICE 512u			/* objects read in one turn of the loop */

/* One object of a transaction that is being read. */
struct coming {
	bool del;
	char *key;			/* value is in the same block */
	struct store_kv kv;
	struct object *object;		/* once it is read; NULL: deleted, or not readable */
};

/* A transaction that is being read. */
struct incoming {
	struct incoming *next;
	int64_t revision;
	unsigned int n, n_read;
	struct coming v[];
};

struct replica {
	struct store *store;
	struct model_set *set;
	struct store_watch *watch;
	struct event *retry, *go_on;	/* go_on: there is something incoming */
	struct incoming *first, **end;
	struct replica_listener *listeners;
	int64_t revision;
	uint32_t round;			/* of reading everything; objects not met in it are gone */
	bool reading, freed;		/* freed: the pages under way are still to come */
	char prefix[32];
};

static void tell_changed(struct replica *r, const struct object *old, struct object *now)
{
	for (struct replica_listener *l = r->listeners; l; l = l->next)
		if (l->changed)
			l->changed(l->arg, old, now);
}

static void tell_changing(struct replica *r, enum kind kind, const char *tenant, const char *name,
			  const struct object *next)
{
	struct object *old = model_set_find(r->set, kind, tenant, name);

	for (struct replica_listener *l = r->listeners; l; l = l->next)
		if (l->changing && (old || next))
			l->changing(l->arg, old, next);
}

static void tell_settled(struct replica *r, int64_t revision)
{
	r->revision = revision;
	for (struct replica_listener *l = r->listeners; l; l = l->next)
		if (l->settled)
			l->settled(l->arg, revision);
}

/* NULL: said why. */
static struct object *load(const struct store_kv *kv)
{
	struct error e = {};
	struct object *o;

	if (!model_load(kv->key, kv->value, kv->value_len, kv->mod_revision, &o, &e))
		return o;
	log_error("an object of the store cannot be read and is left out", "error", e.text);
	return NULL;
}

static void put(struct replica *r, struct object *o)
{
	struct object *old, *now;

	if (!o)
		return;
	tell_changing(r, o->kind, o->tenant, o->name, o);
	old = model_set_put(r->set, o, &now);
	now->round = r->round;
	tell_changed(r, old, now);
	model_free(old);
}

static void del(struct replica *r, const char *key)
{
	char tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	struct object *old;
	enum kind kind;

	if (model_key_parse(key, &kind, tenant, name))
		return;
	tell_changing(r, kind, tenant, name, NULL);
	old = model_set_del(r->set, kind, tenant, name);
	if (old)
		tell_changed(r, old, NULL);
	model_free(old);
}

/* True if the set has it in this revision already. */
static bool is_known(struct replica *r, const struct store_kv *kv)
{
	char tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	struct object *o;
	enum kind kind;

	if (model_key_parse(kv->key, &kind, tenant, name))
		return false;
	o = model_set_find(r->set, kind, tenant, name);
	if (!o || o->revision != (uint64_t)kv->mod_revision)
		return false;
	o->round = r->round;
	return true;
}

static bool is_ours(const struct replica *r, enum kind kind)
{
	return (kinds[kind].scope == SCOPE_GLOBAL) == !strcmp(r->prefix, MODEL_GLOBAL_PREFIX);
}

/* Objects that were not met while everything was read again. */
static struct object *find_gone(struct replica *r, enum kind kind, size_t *i)
{
	struct object *o;

	while ((o = model_set_next(r->set, kind, i)))
		if (o->round != r->round)
			return o;
	return NULL;
}

static void drop_gone(struct replica *r)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		struct object *o;
		size_t i = 0;

		while (is_ours(r, kind) && (o = find_gone(r, kind, &i))) {
			struct object *old;

			tell_changing(r, kind, o->tenant, o->name, NULL);
			old = model_set_del(r->set, kind, o->tenant, o->name);
			tell_changed(r, old, NULL);
			model_free(old);
			i = 0;				/* the table moved */
		}
	}
}

static void read_all(struct replica *r);

static void read_later(struct replica *r)
{
	static const struct timeval delay = { .tv_usec = RETRY_MS * 1000 };

	event_add(r->retry, &delay);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_all(arg);
}

/* Transactions that take several turns. */

static void incoming_free(struct incoming *in)
{
	for (unsigned int i = 0; i < in->n; i++) {
		free(in->v[i].key);
		model_free(in->v[i].object);
	}
	free(in);
}

static void drop_incoming(struct replica *r)
{
	struct incoming *in;

	while ((in = r->first)) {
		r->first = in->next;
		incoming_free(in);
	}
	r->end = &r->first;
	event_del(r->go_on);
}

static void *must(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory while objects changed; starting again from the store");
	abort();
}

/* What the store shows is gone when its callback returns. */
static void coming_copy(struct coming *to, const struct store_event *from)
{
	size_t key_len = strlen(from->kv.key) + 1;

	to->del = from->del;
	to->kv = from->kv;
	to->key = must(malloc(key_len + from->kv.value_len + 1));
	to->kv.key = memcpy(to->key, from->kv.key, key_len);
	to->kv.value = memcpy(to->key + key_len, from->kv.value, from->kv.value_len + 1);
}

static void go_on(struct replica *r)
{
	static const struct timeval now = {};

	event_add(r->go_on, &now);
}

static void come_in(struct replica *r, const struct store_change *c)
{
	struct incoming *in = must(calloc(1, sizeof(*in) + c->n * sizeof(in->v[0])));

	in->revision = c->revision;
	in->n = c->n;
	for (unsigned int i = 0; i < c->n; i++)
		coming_copy(&in->v[i], &c->events[i]);
	*r->end = in;
	r->end = &in->next;
	go_on(r);
}

static void take_in(struct replica *r, struct incoming *in)
{
	for (unsigned int i = 0; i < in->n; i++) {
		if (in->v[i].del)
			del(r, in->v[i].key);
		else
			put(r, in->v[i].object);
		in->v[i].object = NULL;
	}
	tell_settled(r, in->revision);
}

static void on_go_on(evutil_socket_t fd, short what, void *arg)
{
	struct replica *r = arg;
	struct incoming *in = r->first;
	struct coming *one;

	(void)fd;
	(void)what;
	for (unsigned int n = 0; n < SLICE && in->n_read < in->n; n++) {
		one = &in->v[in->n_read++];
		one->object = one->del ? NULL : load(&one->kv);
	}
	if (in->n_read == in->n) {
		r->first = in->next;
		if (!r->first)
			r->end = &r->first;
		take_in(r, in);
		incoming_free(in);
	}
	if (r->first)
		go_on(r);
}

static void on_change(void *arg, const struct store_change *c)
{
	struct replica *r = arg;

	if (c->err) {
		log_warn("the store's history is gone; reading everything again", "prefix", r->prefix,
			 "error", c->text);
		store_watch_cancel(r->watch);
		r->watch = NULL;
		drop_incoming(r);
		read_all(r);
		return;
	}
	if (r->first || c->n > SLICE) {
		come_in(r, c);
		return;
	}
	for (unsigned int i = 0; i < c->n; i++) {
		if (c->events[i].del)
			del(r, c->events[i].kv.key);
		else
			put(r, load(&c->events[i].kv));
	}
	tell_settled(r, c->revision);
}

static void on_page(void *arg, const struct store_reply *reply)
{
	struct replica *r = arg;

	if (r->freed) {
		if (!reply->more)
			free(r);
		return;
	}
	if (reply->err) {
		log_warn("cannot read the store; trying again", "error", reply->text);
		r->reading = false;
		read_later(r);
		return;
	}
	for (unsigned int i = 0; i < reply->n; i++)
		if (!is_known(r, &reply->kvs[i]))
			put(r, load(&reply->kvs[i]));
	if (reply->more)
		return;
	r->reading = false;
	drop_gone(r);
	r->watch = store_watch(r->store, r->prefix, reply->revision + 1, on_change, r);
	if (!r->watch)
		read_later(r);
	else
		tell_settled(r, reply->revision);
}

static void read_all(struct replica *r)
{
	r->round++;
	r->reading = true;
	store_range(r->store, r->prefix, NULL, 0, on_page, r);
}

struct replica *replica_new(struct event_base *base, struct store *store, struct model_set *set,
			    const char *prefix)
{
	struct replica *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->store = store;
	r->set = set;
	strncpy(r->prefix, prefix, sizeof(r->prefix) - 1);
	r->end = &r->first;
	r->retry = evtimer_new(base, on_retry, r);
	r->go_on = r->retry ? evtimer_new(base, on_go_on, r) : NULL;
	if (!r->go_on) {
		if (r->retry)
			event_free(r->retry);
		free(r);
		return NULL;
	}
	read_all(r);
	return r;
}

void replica_free(struct replica *r)
{
	if (!r)
		return;
	store_watch_cancel(r->watch);
	drop_incoming(r);
	event_free(r->retry);
	event_free(r->go_on);
	r->freed = true;
	if (!r->reading)
		free(r);
}

void replica_listen(struct replica *r, struct replica_listener *l)
{
	l->next = r->listeners;
	r->listeners = l;
}

int64_t replica_revision(const struct replica *r)
{
	return r->revision;
}
