/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_endpoints.c - the endpoint objects of a hoverboard, and its table
 *
 * Endpoints are no part of the configuration: a change of one costs what one costs. A
 * network's VNI is asked of the network's object, once per run of endpoints of one network,
 * which is how they come. Under which VNI an endpoint went into the table is noted with it,
 * since its network may be gone when it goes.
 */
#include <agent/state_internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/agent.h>
#include <agent/endpoints.h>
#include <agent/underlay.h>
#include <lib/log.h>

#define BATCH 256u

struct batch {
	struct state *s;
	struct endpoint_spec list[BATCH];
	uint32_t n;
	char network[OBJECT_ID_MAX + 1]; /* of the endpoint before */
	uint32_t vni;
	int err;
	struct error *e;
};

static uint32_t vni_of(const struct object *network)
{
	const struct doc *vni = network ? doc_find(network->doc, "vni") : NULL;

	return vni && vni->text ? strtoul(vni->text, NULL, 10) : 0;
}

static uint32_t network_vni(struct batch *b, const struct object *o)
{
	char network[OBJECT_ID_MAX + 1], id[OBJECT_ID_MAX + 16];

	object_network(o, network);
	if (strcmp(network, b->network)) {
		snprintf(id, sizeof(id), "network/%s", network);
		b->vni = vni_of(object_set_find(b->s->objects, id));
		snprintf(b->network, sizeof(b->network), "%s", network);
	}
	return b->vni;
}

static void flush_set(struct batch *b)
{
	if (!b->err && b->n)
		b->err = endpoints_set(b->s->agent->endpoints, b->list, b->n, b->e);
	b->n = 0;
}

static void flush_del(struct batch *b)
{
	endpoints_del(b->s->agent->endpoints, b->list, b->n);
	b->n = 0;
}

static void add(struct batch *b, const struct object_endpoint *ep, void (*flush)(struct batch *b))
{
	struct endpoint_spec *to = &b->list[b->n++];

	*to = (struct endpoint_spec){ .vni = ep->vni, .addr = ep->addr, .host = ep->host };
	memcpy(to->mac, ep->mac, ETH_ADDR_LEN);
	if (b->n == BATCH)
		flush(b);
}

static void set(const struct object *o, void *arg)
{
	struct batch *b = arg;

	if (!o->endpoint || b->err)
		return;
	o->endpoint->vni = network_vni(b, o);
	if (o->endpoint->vni)
		add(b, o->endpoint, flush_set);
	else
		b->err = error_set(b->e, -EINVAL, "%s: its network is not here", o->id);
}

/* Ahead of all: a host that nobody knew yet would have its first packets dropped. */
struct asking {
	struct state *s;
	struct error *e;
	int err;
};

static void ask(const struct object *was, const struct object *is, void *arg)
{
	struct asking *a = arg;
	struct state *s = a->s;
	struct ip_addr *more;

	if (a->err || !was || !was->endpoint || !is || !is->endpoint ||
	    ip_addr_equal(&was->endpoint->host, &is->endpoint->host) ||
	    (s->n_asked && ip_addr_equal(&s->asked[s->n_asked - 1], &is->endpoint->host)) ||
	    underlay_host_settled(s->agent->underlay, &is->endpoint->host))
		return;
	more = reallocarray(s->asked, s->n_asked + 1, sizeof(*more));
	if (more)
		s->asked = more;
	if (more && underlay_claim(s->agent->underlay, &is->endpoint->host))
		s->asked[s->n_asked++] = is->endpoint->host;
	else
		a->err = error_set(a->e, -ENOSPC, "no next hop id or memory for another host");
}

int state_endpoints_ask(struct state *s, struct error *e)
{
	struct asking a = { .s = s, .e = e };

	object_set_changes(s->objects, ask, &a);
	return a.err;
}

bool state_endpoints_resolved(const struct state *s)
{
	for (unsigned int i = 0; i < s->n_asked; i++)
		if (!underlay_host_settled(s->agent->underlay, &s->asked[i]))
			return false;
	return true;
}

void state_endpoints_asked_done(struct state *s)
{
	for (unsigned int i = 0; i < s->n_asked; i++)
		underlay_unclaim(s->agent->underlay, &s->asked[i]);
	free(s->asked);
	s->asked = NULL;
	s->n_asked = 0;
}

/* In front of the change: what is new, or has moved. */
static void set_change(const struct object *was, const struct object *is, void *arg)
{
	(void)was;
	if (is)
		set(is, arg);
}

int state_endpoints_add(struct state *s, struct error *e)
{
	struct batch b = { .s = s, .e = e };

	object_set_changes(s->objects, set_change, &b);
	flush_set(&b);
	return b.err;
}

/*
 * One that has moved is put back, one that is new, or new under its number, goes. The set has not
 * been rolled back yet.
 */
static void undo_set(const struct object *was, const struct object *is, void *arg)
{
	if (is && is->endpoint && was && was->endpoint->vni)
		add(arg, was->endpoint, flush_set);
}

static void undo_new(const struct object *was, const struct object *is, void *arg)
{
	if (is && is->endpoint && is->endpoint->vni &&
	    (!was || was->endpoint->vni != is->endpoint->vni))
		add(arg, is->endpoint, flush_del);
}

void state_endpoints_undo(struct state *s)
{
	struct error e = {};
	struct batch b = { .s = s, .e = &e };

	object_set_changes(s->objects, undo_new, &b);
	flush_del(&b);
	object_set_changes(s->objects, undo_set, &b);
	flush_set(&b);
	if (b.err)
		log_error("cannot put endpoints back", "error", e.text);
}

/* Behind the change: what is gone, or has another network's number now. */
struct removal {
	struct batch batch;
	bool renumbered;
};

static void del_change(const struct object *was, const struct object *is, void *arg)
{
	struct removal *r = arg;

	if (was && was->kind == OBJECT_NETWORK && is && vni_of(was) != vni_of(is))
		r->renumbered = true;
	if (was && was->endpoint && !is && was->endpoint->vni &&
	    !object_set_find(r->batch.s->objects, was->id))
		add(&r->batch, was->endpoint, flush_del);
}

void state_endpoints_remove(struct state *s)
{
	struct removal r = { .batch.s = s };
	struct error e = {};

	object_set_changes(s->objects, del_change, &r);
	flush_del(&r.batch);
	if ((r.renumbered || s->agent->held) && state_endpoints_sync(s, &e))
		log_error("the table of endpoints is not what it should be", "error", e.text);
}

int state_endpoints_sync(struct state *s, struct error *e)
{
	struct batch b = { .s = s, .e = e };

	endpoints_mark(s->agent->endpoints);
	object_set_each(s->objects, set, &b);
	flush_set(&b);
	if (!b.err)
		endpoints_sweep(s->agent->endpoints);
	return b.err;
}
