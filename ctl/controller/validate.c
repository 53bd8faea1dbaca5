// SPDX-License-Identifier: BSD-2-Clause
/*
 * validate.c - is the whole still right after this transaction, and what does it become
 *
 *	1. merge	what was allocated before, or is not the writer's to say, is kept
 *	2. apply	deletes; then kind by kind what says all, and what wants something allocated
 *	3. check	every change, and what it may have broken elsewhere
 *	4. undo		in reverse
 */
#include <ctl/controller/validate_parts.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/model_fields.h>
#include <lib/doc_json.h>

/* Remembers what the document said, before anything is filled in. */
static void note_given(struct change *c)
{
	const struct field *fields = kinds[c->object->kind].fields;

	for (unsigned int i = 0; fields[i].name; i++)
		if (field_given(&fields[i], (char *)model_spec(c->object) + fields[i].offset))
			c->given |= 1u << i;
	if (c->object->kind == KIND_INSTANCE)
		c->n_addresses = ((struct instance *)c->object)->spec.addresses.n;
}

/* Takes back what was filled in when the change was judged before. */
static void reset_to_given(struct change *c)
{
	const struct field *fields = kinds[c->object->kind].fields;

	for (unsigned int i = 0; fields[i].name; i++)
		if (!(c->given & 1u << i))
			field_reset(&fields[i], (char *)model_spec(c->object) + fields[i].offset);
	if (c->object->kind == KIND_INSTANCE)
		((struct instance *)c->object)->spec.addresses.n = c->n_addresses;
	free(c->text);
	c->text = NULL;
}

int changes_add(struct changes *c, struct object *o, bool del, int document, int line)
{
	struct change *bigger = c->v;

	if (!(c->n & (c->n - 1)))		/* at 0 and at powers of two: double */
		bigger = reallocarray(c->v, c->n ? c->n * 2 : 1, sizeof(*c->v));
	if (!bigger) {
		model_free(o);
		return -ENOMEM;
	}
	c->v = bigger;
	c->v[c->n++] = (struct change){ .object = o, .del = del, .document = document, .line = line };
	note_given(&c->v[c->n - 1]);
	return 0;
}

void changes_free(struct changes *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		model_free(c->v[i].object);
		free(c->v[i].text);
	}
	free(c->v);
	*c = (struct changes){};
}

void complain(struct validation *v, const char *field, const char *fmt, ...)
{
	size_t old = problems_enter(v->problems, field);
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	problems_add(v->problems, 0, "%s", text);
	problems_leave(v->problems, old);
}

/* What is done to the set, for the way back. */
struct step {
	struct change *change;
	struct object *old;			/* what was replaced or deleted, or NULL */
};

struct steps {
	struct step *v;
	unsigned int n;
};

static void at_change(struct validation *v, const struct change *c)
{
	char title[MODEL_TITLE_LEN];

	problems_document(v->problems, c->document, c->line);
	problems_object(v->problems, model_title(c->object, title));
}

static struct object *find_old(const struct validation *v, const struct object *o)
{
	return model_set_find(v->set, o->kind, o->tenant, o->name);
}

/* Takes a field over that @o leaves out, by way of its JSON. */
static void keep_field(struct validation *v, struct object *o, const struct object *old,
		       const struct field *f)
{
	cJSON *json = field_json(f, (char *)model_spec(old) + f->offset, MODEL_STORED);
	struct doc *d;

	if (!json)
		return;
	if (doc_from_json(json, &d)) {
		v->problems->no_memory = true;
	} else {
		field_read(f, d, v->problems, (char *)model_spec(o) + f->offset);
		doc_free(d);
	}
	cJSON_Delete(json);
}

/* What the writer leaves out and somebody else said before: allocated, or not his to say. */
static bool is_kept(const struct validation *v, const struct object *o, const struct field *f)
{
	if (field_given(f, (char *)model_spec(o) + f->offset))
		return false;
	return f->flags & FIELD_ALLOCATED || (v->options->writer && f->flags & FIELD_OPERATOR);
}

/* Addresses kept from before that are not in the subnets now named, go. */
static void keep_fitting_addresses(const struct validation *v, struct instance *i)
{
	struct addr_list *list = &i->spec.addresses;
	unsigned int n = 0;

	for (unsigned int a = 0; i->spec.subnets.n && a < list->n; a++) {
		for (unsigned int s = 0; s < i->spec.subnets.n; s++) {
			const struct subnet *subnet = (struct subnet *)
				model_set_find(v->set, KIND_SUBNET, i->o.tenant, i->spec.subnets.v[s]);

			if (subnet && ip_prefix_covers(&subnet->spec.prefix, &list->v[a].ip)) {
				list->v[n++] = list->v[a];
				break;
			}
		}
	}
	if (i->spec.subnets.n)
		list->n = n;
}

static void merge(struct validation *v, struct object *o, const struct object *old)
{
	const struct instance *was = (const struct instance *)old;
	struct instance *i = (struct instance *)o;
	bool moved = o->kind == KIND_INSTANCE && strcmp(i->spec.network, was->spec.network);
	bool addressed = o->kind == KIND_INSTANCE && i->spec.addresses.n;

	for (const struct field *f = kinds[o->kind].fields; f->name; f++)
		if (is_kept(v, o, f) && !(moved && f->flags & FIELD_ALLOCATED))
			keep_field(v, o, old, f);
	if (o->kind == KIND_INSTANCE && !addressed)
		keep_fitting_addresses(v, i);
}

/* The gateway of a subnet whose prefix moved away from it is allocated anew. */
static void drop_stale_gateway(struct object *o, bool given)
{
	struct subnet *subnet = (struct subnet *)o;

	if (o->kind == KIND_SUBNET && !given &&
	    !ip_prefix_covers(&subnet->spec.prefix, &subnet->spec.gateway))
		subnet->spec.gateway = (struct ip_addr){};
}

static void check_revision(struct validation *v, struct change *c, const struct object *old,
			   bool *ret_stale)
{
	uint64_t now = old ? old->revision : 0;

	c->old_revision = now;
	if (!c->object->revision || c->object->revision == now)
		return;
	*ret_stale = true;
	if (old)
		complain(v, "revision", "is at revision %llu by now, not %llu; get it again",
			 (unsigned long long)now, (unsigned long long)c->object->revision);
	else
		complain(v, "revision", "does not exist, so it is at no revision; leave the revision"
			 " out to create it");
}

/* A tenant may say nothing about how it is realised. */
static void check_writer(struct validation *v, const struct field *fields, const char *base)
{
	for (const struct field *f = fields; f->name; f++) {
		size_t old = problems_enter(v->problems, f->name);

		if (f->type == FIELD_SECTION)
			check_writer(v, f->fields, base + f->offset);
		else if (f->flags & FIELD_OPERATOR && field_given(f, base + f->offset))
			complain(v, "", "is for the operator alone; leave it out");
		problems_leave(v->problems, old);
	}
}

static void prepare_put(struct validation *v, struct change *c, const struct object *old)
{
	char *text, *old_text;
	bool given = c->object->kind == KIND_SUBNET &&
		     !ip_addr_is_zero(&((struct subnet *)c->object)->spec.gateway);

	c->outcome = old ? OUTCOME_UPDATED : OUTCOME_CREATED;
	if (v->options->writer) {
		size_t field = problems_enter(v->problems, "spec");

		check_writer(v, kinds[c->object->kind].fields, model_spec(c->object));
		problems_leave(v->problems, field);
	}
	if (!old)
		return;
	merge(v, c->object, old);
	drop_stale_gateway(c->object, given);
	text = model_text(c->object);
	old_text = model_text(old);
	if (text && old_text && !strcmp(text, old_text) && !allocate_wanted(c->object))
		c->outcome = OUTCOME_UNCHANGED;
	free(text);
	free(old_text);
}

static void prepare(struct validation *v, struct change *c, bool *ret_stale)
{
	const struct object *old = find_old(v, c->object);

	reset_to_given(c);
	at_change(v, c);
	check_revision(v, c, old, ret_stale);
	if (!c->del) {
		prepare_put(v, c, old);
		return;
	}
	c->outcome = old ? OUTCOME_DELETED : OUTCOME_UNCHANGED;
	if (!old)
		complain(v, "", "does not exist, so it cannot be deleted");
}

static int by_object(const void *a, const void *b)
{
	const struct change *x = *(struct change *const *)a, *y = *(struct change *const *)b;
	int order = x->object->kind - y->object->kind;

	order = order ?: strcmp(x->object->tenant, y->object->tenant);
	order = order ?: strcmp(x->object->name, y->object->name);
	return order ?: x->document - y->document;
}

/* Each object once; regional and global objects apart. */
static void check_list(struct validation *v, const struct changes *c)
{
	struct change **sorted = reallocarray(NULL, c->n ?: 1, sizeof(*sorted));
	unsigned int n_global = 0;

	if (!sorted) {
		v->problems->no_memory = true;
		return;
	}
	for (unsigned int i = 0; i < c->n; i++) {
		sorted[i] = &c->v[i];
		n_global += kinds[c->v[i].object->kind].scope == SCOPE_GLOBAL;
	}
	qsort(sorted, c->n, sizeof(*sorted), by_object);
	for (unsigned int i = 1; i < c->n; i++) {
		const struct object *a = sorted[i - 1]->object, *b = sorted[i]->object;

		if (a->kind != b->kind || strcmp(a->tenant, b->tenant) || strcmp(a->name, b->name))
			continue;
		at_change(v, sorted[i]);
		complain(v, "", "is in this transaction twice, first as document %d; leave one of"
			 " them out", sorted[i - 1]->document);
		sorted[i]->outcome = OUTCOME_UNCHANGED;	/* not done to the set */
	}
	if (n_global && n_global != c->n) {
		at_change(v, sorted[c->n - 1]);		/* global kinds sort last */
		complain(v, "kind", "%s is of global scope; apply it in a transaction of its own",
			 kinds[sorted[c->n - 1]->object->kind].name);
	}
	free(sorted);
}

static void do_delete(struct validation *v, struct steps *steps, struct change *c)
{
	struct object *o = c->object;

	steps->v[steps->n++] = (struct step){
		.change = c,
		.old = model_set_del(v->set, o->kind, o->tenant, o->name),
	};
}

static void do_put(struct validation *v, struct steps *steps, struct change *c)
{
	struct object *now;

	at_change(v, c);
	allocate(v, c->object);
	steps->v[steps->n++] = (struct step){
		.change = c,
		.old = model_set_put(v->set, c->object, &now),
	};
	c->object = now;
}

/* Objects that say all go first, so that nothing is allocated that one of them asks for. */
static void put_kind(struct validation *v, struct changes *c, struct steps *steps, enum kind kind,
		     bool wanting)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct change *one = &c->v[i];

		if (one->object->kind == kind && one->outcome <= OUTCOME_UPDATED &&
		    allocate_wanted(one->object) == wanting)
			do_put(v, steps, one);
	}
}

static void apply(struct validation *v, struct changes *c, struct steps *steps)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (c->v[i].outcome == OUTCOME_DELETED)
			do_delete(v, steps, &c->v[i]);
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		put_kind(v, c, steps, kind, false);
		put_kind(v, c, steps, kind, true);
	}
}

/* Puts everything back; the new objects return to their changes. */
static void undo(struct validation *v, struct steps *steps)
{
	while (steps->n) {
		struct step *step = &steps->v[--steps->n];
		struct change *c = step->change;

		if (c->del)
			model_set_put(v->set, step->old, NULL);
		else if (step->old)
			c->object = model_set_put(v->set, step->old, NULL);
		else
			c->object = model_set_del(v->set, c->object->kind, c->object->tenant,
						  c->object->name);
	}
}

/* A list of objects, each once. */
struct bag {
	const struct object **v;
	unsigned int n, room;
};

static void bag_add(struct validation *v, struct bag *bag, const struct object *o)
{
	if (!o || !o->present || (bag->n && bag->v[bag->n - 1] == o))
		return;
	if (bag->n == bag->room) {
		unsigned int room = bag->room * 2 + 8;
		const struct object **bigger = reallocarray(bag->v, room, sizeof(*bigger));

		if (!bigger) {
			v->problems->no_memory = true;
			return;
		}
		bag->v = bigger;
		bag->room = room;
	}
	bag->v[bag->n++] = o;
}

static int by_place(const void *a, const void *b)
{
	const struct object *x = *(const struct object *const *)a;
	const struct object *y = *(const struct object *const *)b;

	return x < y ? -1 : x > y;
}

/* Sorts and drops doubles. */
static void bag_settle(struct bag *bag)
{
	unsigned int n = 0;

	if (bag->n)
		qsort(bag->v, bag->n, sizeof(*bag->v), by_place);
	for (unsigned int i = 0; i < bag->n; i++)
		if (!n || bag->v[n - 1] != bag->v[i])
			bag->v[n++] = bag->v[i];
	bag->n = n;
}

static const char *network_name(const struct object *o)
{
	if (o->kind == KIND_NETWORK)
		return o->name;
	if (o->kind == KIND_SUBNET)
		return ((const struct subnet *)o)->spec.network;
	if (o->kind == KIND_PEERING)
		return ((const struct peering *)o)->spec.network;
	return o->kind == KIND_ROUTE ? ((const struct route *)o)->spec.network : NULL;
}

/* Whose quota and whose ways to other networks have to be looked at. */
static void note_touched(struct validation *v, const struct object *o, struct bag *tenants,
			 struct bag *networks)
{
	const char *network = network_name(o);

	if (kinds[o->kind].scope == SCOPE_GLOBAL)
		return;
	bag_add(v, tenants, model_set_find(v->set, KIND_TENANT, "",
					   o->kind == KIND_TENANT ? o->name : o->tenant));
	if (network)
		bag_add(v, networks, model_set_find(v->set, KIND_NETWORK, o->tenant, network));
}

static void check_touched(struct validation *v, const struct steps *steps)
{
	struct bag tenants = {}, networks = {};

	for (unsigned int i = 0; i < steps->n; i++)
		note_touched(v, steps->v[i].change->object, &tenants, &networks);
	bag_settle(&tenants);
	bag_settle(&networks);
	problems_document(v->problems, -1, 0);
	for (unsigned int i = 0; i < tenants.n; i++)
		check_quota(v, (const struct tenant *)tenants.v[i]);
	for (unsigned int i = 0; i < networks.n; i++)
		check_cycles(v, (const struct network *)networks.v[i]);
	free(tenants.v);
	free(networks.v);
}

static void check(struct validation *v, const struct steps *steps)
{
	for (unsigned int i = 0; i < steps->n; i++) {
		const struct step *step = &steps->v[i];

		at_change(v, step->change);
		if (step->change->del)
			check_deleted(v, step->old);
		else
			check_put(v, step->change->object, step->old);
	}
	check_touched(v, steps);
}

/* What is to be stored; an object that came out as it was is unchanged. */
static void settle(struct validation *v, struct change *c)
{
	const struct object *old;
	char *old_text;

	if (c->outcome > OUTCOME_UPDATED)
		return;
	c->text = model_text(c->object);
	if (!c->text) {
		v->problems->no_memory = true;
		return;
	}
	old = find_old(v, c->object);
	old_text = old ? model_text(old) : NULL;
	if (old_text && !strcmp(old_text, c->text)) {
		c->outcome = OUTCOME_UNCHANGED;
		free(c->text);
		c->text = NULL;
	}
	free(old_text);
}

static int apply_and_check(struct validation *v, struct changes *c)
{
	struct steps steps = {};

	steps.v = reallocarray(NULL, c->n ?: 1, sizeof(*steps.v));
	if (!steps.v)
		return -ENOMEM;
	check_list(v, c);
	apply(v, c, &steps);
	check(v, &steps);
	undo(v, &steps);
	free(steps.v);
	return 0;
}

/* The whole at once: nobody else may see the set meanwhile. */
static int judge(struct validation *v, struct changes *c, struct validate_progress *at)
{
	if (at->generation != v->set->generation)
		return -EAGAIN;
	if (at->stale)
		return -ESTALE;
	if (apply_and_check(v, c) || v->problems->no_memory)
		return -ENOMEM;
	if (v->problems->n)
		return -EINVAL;
	c->vni_next = v->vni_next;
	at->judged = true;
	return 1;
}

int validate_some(struct model_set *s, struct changes *c, const struct validate_options *options,
		  struct problems *p, struct validate_progress *at, unsigned int n)
{
	struct validation v = {
		.set = s, .options = options, .problems = p, .vni_next = options->vni_next,
	};

	if (!at->prepared)
		at->generation = s->generation;
	if (at->prepared < c->n) {
		for (; n && at->prepared < c->n; n--)
			prepare(&v, &c->v[at->prepared++], &at->stale);
		return 1;
	}
	if (!at->judged)
		return judge(&v, c, at);
	for (; n && at->settled < c->n; n--)
		settle(&v, &c->v[at->settled++]);
	if (p->no_memory)
		return -ENOMEM;
	return at->settled < c->n;
}

int validate(struct model_set *s, struct changes *c, const struct validate_options *options,
	     struct problems *p)
{
	struct validate_progress at = {};
	int err;

	do
		err = validate_some(s, c, options, p, &at, c->n);
	while (err == 1);
	return err;
}
