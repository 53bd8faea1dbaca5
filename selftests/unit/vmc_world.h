/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc_world.h - a VM controller to test: without replicas and without timers of its own
 *
 * What a replica would tell is put with vmc_put() between vmc_begin() and vmc_end();
 * what its timers would do happens in vmc_run().
 */
#pragma once

#include <ctl/controller/vmc_session.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <selftests/unit/expect.h>

static inline void vmc_no_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static inline void vmc_say_missing(void *arg, uint64_t revision,
				   void (*add)(void *to, const char *host), void *to)
{
	vmc_missing(&((struct vmc *)arg)->engine, revision, add, to);
}

/* With the options that are in @v already, beside base and set. */
static inline void vmc_setup(struct vmc *v, struct model_set *set, struct event_base *base)
{
	v->o.base = base;
	v->o.set = set;
	v->ready = true;
	model_set_init(set);
	v->programming = programming_new(&(struct programming_options){ .missing = vmc_say_missing,
									.arg = v });
	v->work = evtimer_new(base, vmc_no_timer, NULL);
	vmc_init(&v->engine, set, v->o.owns, v->o.arg, v->programming);
	vmc_reports_init(v);
	assert_int_equal(vmc_offload_init(v), 0);
	vmc_loaded(&v->engine, 1, 0);
}

static inline void vmc_teardown(struct vmc *v)
{
	event_free(v->work);
	vmc_offload_done(v);
	vmc_reports_done(v);
	vmc_done(&v->engine);
	programming_free(v->programming);
	model_set_done(v->o.set);
}

static inline void vmc_run(struct vmc *v)
{
	struct vmc_host *h;

	while (vmc_work(&v->engine, 100, vmc_now(v)))
		;
	while ((h = vmc_next_ready(&v->engine)))
		if (h->session)
			session_pump(h->session);
		else
			objset_done(&h->pending);
}

static inline void vmc_put(struct vmc *v, struct object *o)
{
	struct object *now;

	vmc_changing(&v->engine, model_set_find(v->o.set, o->kind, o->tenant, o->name), o);
	model_free(model_set_put(v->o.set, o, &now));
	vmc_changed(&v->engine, now);
}

static inline void vmc_set_addr(struct addr_list *list, const char *text)
{
	list->v = calloc(1, sizeof(*list->v));
	list->n = 1;
	assert_int_equal(ip_addr_parse(text, &list->v[0].ip), 0);
}

/* Network t.n, hosts h0 to h<hosts - 1> at 192.0.2.1 and on, the first a hoverboard. */
static inline void vmc_declare_fabric(struct vmc *v, unsigned int hosts)
{
	struct network *n = (struct network *)model_new(KIND_NETWORK, "t", "n");
	struct hoverboard *b = (struct hoverboard *)model_new(KIND_HOVERBOARD, "", "b");

	vmc_begin(&v->engine, 0, 0);
	n->spec.vni = 7;
	n->spec.offload_threshold = 20000;
	vmc_put(v, &n->o);
	strcpy(b->spec.host, "h0");
	vmc_put(v, &b->o);
	for (unsigned int i = 0; i < hosts; i++) {
		char name[MODEL_NAME_LEN], text[32];
		struct host *h;

		snprintf(name, sizeof(name), "h%u", i);
		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		h = (struct host *)model_new(KIND_HOST, "", name);
		vmc_set_addr(&h->spec.underlay, text);
		vmc_put(v, &h->o);
	}
	vmc_end(&v->engine, 2);
}

/* Instance t.i<number> of t.n at 10.0.0.<number + 1>, on h<host>. */
static inline struct instance *vmc_instance(unsigned int number, unsigned int host)
{
	char name[MODEL_NAME_LEN], text[32];
	struct instance *o;

	snprintf(name, sizeof(name), "i%u", number);
	snprintf(text, sizeof(text), "10.0.0.%u", number + 1);
	o = (struct instance *)model_new(KIND_INSTANCE, "t", name);
	strcpy(o->spec.network, "n");
	snprintf(o->spec.host, sizeof(o->spec.host), "h%u", host);
	vmc_set_addr(&o->spec.addresses, text);
	return o;
}
