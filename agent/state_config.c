/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_config.c - from host objects to a configuration
 *
 * Children know their next sibling, so a tree can hang in one list at a time. gather()
 * hangs, release() takes down again: objects are as they were before.
 */
#include <agent/state_config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/doc_json.h>

/* Sections that a controller speaks for. */
static const char *const ours[] = { "host",	"encapsulation", "networks",
				    "vports",	"remotes",	 "routes",
				    "endpoints", "samples" };

struct gathering {
	const struct state_parts *parts;
	struct doc root, host, networks, vports, remotes, routes, name;
	struct doc agent, limits;	/* the bootstrap file's, shown by a head of our own */
	struct doc encapsulation;
	char *name_text;
	struct state_blame *blame;
	char text[OBJECT_ID_MAX + 1];
};

static void hang(struct doc *parent, struct doc *child)
{
	child->next = NULL;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
}

static struct doc *section(struct gathering *g, struct doc *head, char *key, enum doc_kind kind)
{
	*head = (struct doc){ .kind = kind, .key = key };
	hang(&g->root, head);
	return head;
}

/* A second head for the children of @from. */
static void show_section(struct gathering *g, struct doc *head, char *key, const struct doc *from)
{
	if (!from)
		return;
	section(g, head, key, from->kind);
	head->first = from->first;
	head->last = from->last;
	head->n = from->n;
}

/* Vports: the device may be a binding's, whose fields are hung behind the vport's own. */

static const struct binding *binding_of(const struct object *o, const struct bindings *b)
{
	if (o->kind != OBJECT_VPORT || doc_find(o->doc, "device"))
		return NULL;
	return bindings_find(b, object_name(o));
}

bool state_is_unbound(const struct object *o, const struct bindings *b)
{
	return o->kind == OBJECT_VPORT && !doc_find(o->doc, "device") && !binding_of(o, b);
}

static int by_id(const void *id, const void *o)
{
	return strcmp(id, (*(struct object *const *)o)->id);
}

/* A route by an instance of this host waits for the instance's device, as the instance does. */
static bool is_waiting(const struct state_parts *p, const struct object *route)
{
	const struct doc *vport = doc_find(route->doc, "vport");
	char id[OBJECT_ID_MAX + 16];
	struct object **found;

	if (!vport || !vport->text)
		return false;
	snprintf(id, sizeof(id), "vport/%s", vport->text);
	found = bsearch(id, p->objects, p->n_objects, sizeof(*p->objects), by_id);
	return !found || state_is_unbound(*found, p->bindings);
}

static struct doc *list_for_route(struct gathering *g, const struct object *o)
{
	if (doc_find(o->doc, "host"))
		return &g->remotes;
	return is_waiting(g->parts, o) ? NULL : &g->routes;
}

static struct doc *list_for(struct gathering *g, const struct object *o)
{
	switch (o->kind) {
	case OBJECT_NETWORK:
		return &g->networks;
	case OBJECT_VPORT:
		return state_is_unbound(o, g->parts->bindings) ? NULL : &g->vports;
	case OBJECT_PERMIT:
	case OBJECT_DIRECT:
		return &g->remotes;
	case OBJECT_ROUTE:
		return list_for_route(g, o);
	case OBJECT_HOST:
	case OBJECT_ENDPOINT:
	case OBJECT_OTHER:
		return NULL;
	}
	return NULL;
}

static void take_host(struct gathering *g, const struct object *o)
{
	for (struct doc *child = o->doc->first, *next; child; child = next) {
		next = child->next;
		if (strcmp(child->key, "name"))
			hang(&g->host, child);
	}
	show_section(g, &g->encapsulation, "encapsulation", o->encapsulation);
}

static void gather(struct gathering *g)
{
	const struct state_parts *p = g->parts;

	g->root = (struct doc){ .kind = DOC_MAP };
	section(g, &g->host, "host", DOC_MAP);
	section(g, &g->networks, "networks", DOC_LIST);
	section(g, &g->vports, "vports", DOC_LIST);
	section(g, &g->remotes, "remotes", DOC_LIST);
	section(g, &g->routes, "routes", DOC_LIST);
	g->name = (struct doc){ .kind = DOC_SCALAR, .key = "name", .text = (char *)p->host };
	hang(&g->host, &g->name);
	if (p->bootstrap) {
		show_section(g, &g->agent, "agent", doc_find(p->bootstrap, "agent"));
		show_section(g, &g->limits, "limits", doc_find(p->bootstrap, "limits"));
	}
	for (unsigned int i = 0; i < p->n_objects; i++) {
		struct object *o = p->objects[i];
		const struct binding *b = binding_of(o, p->bindings);
		struct doc *list = list_for(g, o);

		doc_set_line(o->doc, i + 1);
		if (o->kind == OBJECT_HOST)
			take_host(g, o);
		if (b)
			o->doc->last->next = b->doc->first;
		if (list)
			hang(list, o->doc);
	}
}

static void release(struct gathering *g)
{
	const struct state_parts *p = g->parts;

	for (unsigned int i = 0; i < p->n_objects; i++) {
		struct object *o = p->objects[i];

		o->doc->next = NULL;
		if (o->doc->last)
			o->doc->last->next = NULL;
	}
}

/* Number 0 is nobody's: the agent's own sections, or what is missing altogether. */
static const char *part_name(int line, void *arg)
{
	const struct gathering *g = arg;

	if (line > 0 && (unsigned int)line <= g->parts->n_objects)
		return g->parts->objects[line - 1]->id;
	return g->parts->bootstrap_path ?: "the host's objects";
}

static void part_blame(int line, void *arg)
{
	struct gathering *g = arg;
	struct state_blame *b = g->blame;
	const char *id = part_name(line, arg);

	if (!b || line <= 0 || b->n == STATE_BLAMED_MAX)
		return;
	for (unsigned int i = 0; i < b->n; i++)
		if (b->ids[i] == id)
			return;
	b->ids[b->n++] = id;
}

int state_config(const struct state_parts *parts, struct config **ret, struct state_blame *blame,
		 struct error *e)
{
	struct gathering g = { .parts = parts, .blame = blame };
	const struct config_origin origin = { .name = part_name, .blame = part_blame, .arg = &g };
	int err;

	if (blame)
		blame->n = 0;
	gather(&g);
	err = config_build("controller", &g.root, &origin, ret, e);
	release(&g);
	return err;
}

/* The bootstrap file. */

static int refuse_ours(const char *path, const struct doc *doc, struct error *e)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
		const struct doc *d = doc->kind == DOC_MAP ? doc_find(doc, ours[i]) : NULL;

		if (d)
			return error_set(e, -EINVAL, "%s:%d: %s: comes from the controller; with "
					 "--controller a file may say agent and limits", path,
					 d->line, ours[i]);
	}
	return 0;
}

/* A section `host` with nothing but the name makes the file whole. */
static int add_host(struct doc *doc, const char *host)
{
	struct doc *section = doc_new(DOC_MAP);
	int err = section ? doc_add(section, "name", doc_new_text(host)) : -ENOMEM;

	if (err) {
		doc_free(section);
		return err;
	}
	return doc_add(doc, "host", section);
}

static int read_bootstrap(const char *path, struct doc **ret, struct error *e)
{
	if (!path) {
		*ret = doc_new(DOC_MAP);
		return *ret ? 0 : error_set(e, -ENOMEM, "no memory");
	}
	return doc_load(path, ret, e);
}

int state_bootstrap(const char *path, const char *host, struct doc **ret_doc,
		    struct config **ret_config, struct error *e)
{
	const char *name = path ?: "the command line";
	struct doc *doc;
	int err = read_bootstrap(path, &doc, e);

	if (err)
		return err;
	if (doc->kind == DOC_NULL)
		doc->kind = DOC_MAP;	/* a file of comments */
	err = refuse_ours(name, doc, e);
	if (!err && doc->kind == DOC_MAP && add_host(doc, host))
		err = error_set(e, -ENOMEM, "%s: no memory", name);
	if (!err)
		err = config_build(name, doc, NULL, ret_config, e);
	if (err)
		doc_free(doc);
	else
		*ret_doc = doc;
	return err;
}
