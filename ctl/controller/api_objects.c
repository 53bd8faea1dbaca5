// SPDX-License-Identifier: BSD-2-Clause
/*
 * api_objects.c - objects read: one, a list in pages, all
 *
 * One object comes from the set. Lists come from the store in the order of its keys,
 * all pages of an answer of one revision; an object is read, looked at and printed
 * one by one, so a long list costs no more memory than its text.
 */
#include <ctl/controller/api_parts.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/vmc_compile.h>
#include <lib/log.h>

/* What the host said of an instance; tenants hear no more than whether it is ready. */
static cJSON *instance_status(struct api *a, const struct http_request *r, const struct object *o)
{
	char id[MODEL_KEY_LEN];
	cJSON *status;

	snprintf(id, sizeof(id), "vport/%s.%s", o->tenant, o->name);
	status = a->vmc ? vmc_vport_status(a->vmc, id) : NULL;
	if (status && !r->who.operator) {
		cJSON_DeleteItemFromObject(status, "host");
		cJSON_DeleteItemFromObject(status, "problem");
	}
	return status;
}

/* Why a peering in force does not carry all packets; NULL: it does. What realises it is the operator's. */
static const char *peering_problem(const struct model_set *set, const struct network *net,
				   const struct network *peer)
{
	bool both;
	const struct hoverboard *one = vmc_carries_one(set, net, peer, &both);

	if (one)
		return log_fmt("hoverboard %s carries %s/%s alone and drops what is for the peer; give both networks"
			       " the same hoverboards", one->o.name,
			       (vmc_carries(one, net) ? net : peer)->o.tenant,
			       (vmc_carries(one, net) ? net : peer)->o.name);
	return both ? NULL : "no hoverboard carries the two networks, and without one no packet goes from one to the"
			     " other";
}

static cJSON *peering_status(struct api *a, const struct http_request *r, const struct object *o)
{
	const struct peering *p = (const struct peering *)o, *other;
	cJSON *status = cJSON_CreateObject();
	const char *problem = NULL;

	other = model_set_peer(fm_set(a->fm), p);
	if (other && r->who.operator)
		problem = peering_problem(fm_set(a->fm), (struct network *)p->network.to,
					  (struct network *)other->network.to);
	cJSON_AddBoolToObject(status, "active", other != NULL);
	if (problem)
		cJSON_AddStringToObject(status, "problem", problem);
	return status;
}

/* The object as declared, and what has become of it. */
static cJSON *object_json(struct api *a, const struct http_request *r, const struct object *o)
{
	cJSON *json = model_json(o, api_view(r)), *status = NULL;

	if (o->kind == KIND_INSTANCE)
		status = instance_status(a, r, o);
	if (o->kind == KIND_PEERING)
		status = peering_status(a, r, o);
	if (status)
		cJSON_AddItemToObject(json, "status", status);
	return json;
}

void api_get(struct api *a, struct http_request *r)
{
	char title[MODEL_TITLE_LEN];
	struct object like = {};
	struct api_target t;
	struct object *o;

	if (!api_ready(a, r) || !api_target(r, &t))
		return;
	o = model_set_find(fm_set(a->fm), t.kind, t.tenant, t.name);
	if (o) {
		http_reply_json(r, 200, object_json(a, r, o));
		return;
	}
	like.kind = t.kind;
	snprintf(like.tenant, sizeof(like.tenant), "%s", t.tenant);
	snprintf(like.name, sizeof(like.name), "%s", t.name);
	http_problem_fmt(r, 404, "No such object", "there is no %s", model_title(&like, title));
}

/* A list under way. */
struct listing {
	struct http_request *r;			/* NULL: the client is gone */
	struct selector *selector;
	cJSON *items;
	enum model_view view;
	char tenant[MODEL_TENANT_LEN];		/* export: only this tenant's; "": all */
	unsigned int limit, n;			/* limit 0: none */
	char last[MODEL_KEY_LEN];		/* key of the last object looked at */
	size_t prefix_len;
	bool more;
	cJSON *by_kind[KIND_COUNT];		/* export: items until all are there */
};

static void listing_free(struct listing *l)
{
	selector_free(l->selector);
	cJSON_Delete(l->items);
	for (enum kind kind = 0; kind < KIND_COUNT; kind++)
		cJSON_Delete(l->by_kind[kind]);
	free(l);
}

static void listing_gone(void *arg)
{
	((struct listing *)arg)->r = NULL;
}

static void add_item(struct listing *l, cJSON *to, const struct store_kv *kv)
{
	struct object *o;
	struct error e = {};

	if (model_load(kv->key, kv->value, kv->value_len, kv->mod_revision, &o, &e)) {
		log_error("an object of the store cannot be read and is left out", "error", e.text);
		return;
	}
	if (selector_match(l->selector, o))
		cJSON_AddItemToArray(to, model_json(o, l->view));
	model_free(o);
}

static void add_page(struct listing *l, const struct store_reply *reply)
{
	for (unsigned int i = 0; i < reply->n; i++) {
		if (l->limit && l->n == l->limit) {
			l->more = true;
			return;
		}
		add_item(l, l->items, &reply->kvs[i]);
		snprintf(l->last, sizeof(l->last), "%s", reply->kvs[i].key);
		l->n++;
	}
}

static void reply_list(struct listing *l, const struct store_reply *reply)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddItemToObject(json, "items", l->items);
	l->items = NULL;
	cJSON_AddNumberToObject(json, "revision", reply->revision);
	if (l->more)
		cJSON_AddStringToObject(json, "continue", l->last + l->prefix_len);
	if (reply->stale)
		cJSON_AddTrueToObject(json, "stale");
	http_reply_json(l->r, 200, json);
}

static void on_list(void *arg, const struct store_reply *reply)
{
	struct listing *l = arg;

	if (l->r && !reply->err)
		add_page(l, reply);
	if (reply->more && !reply->err)
		return;
	if (l->r && reply->err)
		api_fail(l->r, reply->err, reply->text, NULL);
	else if (l->r)
		reply_list(l, reply);
	listing_free(l);
}

static struct listing *listing_new(struct http_request *r)
{
	struct listing *l = calloc(1, sizeof(*l));

	if (!l) {
		api_fail(r, -ENOMEM, "no memory", NULL);
		return NULL;
	}
	l->r = r;
	l->view = api_view(r);
	l->items = cJSON_CreateArray();
	return l;
}

static bool read_selector(struct http_request *r, struct listing *l)
{
	const char *text = http_query(r, "labels");
	struct error e = {};

	if (!text || !selector_parse(text, &l->selector, &e))
		return true;
	http_problem(r, 400, "Bad parameter", e.text, NULL);
	return false;
}

/* Keys of the target's kind, of one tenant if the target has one. */
static void list_prefix(const struct api_target *t, char *buf, size_t len)
{
	const struct kind_info *kind = &kinds[t->kind];
	bool tenant = kind->scope == SCOPE_TENANT && *t->tenant;

	snprintf(buf, len, "%s%s/%s%s",
		 kind->scope == SCOPE_GLOBAL ? MODEL_GLOBAL_PREFIX : MODEL_PREFIX, kind->name,
		 tenant ? t->tenant : "", tenant ? "/" : "");
}

/* A tenant's list of tenants: itself. */
static void list_own_tenant(struct api *a, struct http_request *r)
{
	const struct object *o = model_set_find(fm_set(a->fm), KIND_TENANT, "", r->who.tenant);
	cJSON *json = cJSON_CreateObject(), *items = cJSON_AddArrayToObject(json, "items");

	if (o)
		cJSON_AddItemToArray(items, model_json(o, MODEL_TENANT));
	cJSON_AddNumberToObject(json, "revision", fm_revision(a->fm));
	http_reply_json(r, 200, json);
}

void api_list(struct api *a, struct http_request *r)
{
	const char *from = http_query(r, "continue");
	char prefix[MODEL_KEY_LEN], after[2 * MODEL_KEY_LEN];
	uint64_t limit = API_PAGE_MAX;
	struct api_target t;
	struct listing *l;

	if (!api_ready(a, r) || !api_target(r, &t) || !api_number(r, "limit", API_PAGE_MAX, &limit))
		return;
	if (!r->who.operator && t.kind == KIND_TENANT) {
		list_own_tenant(a, r);
		return;
	}
	if ((from && strlen(from) >= MODEL_KEY_LEN) || !limit) {
		http_problem(r, 400, "Bad parameter", "limit must be at least 1, continue as it was"
			     " given", NULL);
		return;
	}
	l = listing_new(r);
	if (!l)
		return;
	if (!read_selector(r, l)) {
		listing_free(l);
		return;
	}
	l->limit = limit;
	list_prefix(&t, prefix, sizeof(prefix));
	l->prefix_len = strlen(prefix);
	snprintf(after, sizeof(after), "%s%s", prefix, from ?: "");
	http_on_gone(r, listing_gone, l);
	store_range(fm_store(a->fm), prefix, from ? after : NULL, limit + 1, on_list, l);
}

static bool is_exported(const struct listing *l, const char *key, enum kind *ret_kind)
{
	char tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];

	return !model_key_parse(key, ret_kind, tenant, name) &&
	       (!*l->tenant || !strcmp(tenant, l->tenant));
}

/* Objects may only refer to those of earlier kinds, so kind by kind is an order to declare them in. */
static void reply_export(struct listing *l, const struct store_reply *reply)
{
	for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
		cJSON *of_kind = l->by_kind[kind], *item;

		while (of_kind && (item = of_kind->child))
			cJSON_AddItemToArray(l->items, cJSON_DetachItemViaPointer(of_kind, item));
	}
	reply_list(l, reply);
}

static void on_export(void *arg, const struct store_reply *reply)
{
	struct listing *l = arg;
	enum kind kind;

	for (unsigned int i = 0; l->r && !reply->err && i < reply->n; i++) {
		if (!is_exported(l, reply->kvs[i].key, &kind))
			continue;
		l->by_kind[kind] = l->by_kind[kind] ?: cJSON_CreateArray();
		add_item(l, l->by_kind[kind], &reply->kvs[i]);
	}
	if (reply->more && !reply->err)
		return;
	if (l->r && reply->err)
		api_fail(l->r, reply->err, reply->text, NULL);
	else if (l->r)
		reply_export(l, reply);
	listing_free(l);
}

void api_export(struct api *a, struct http_request *r)
{
	struct listing *l;

	if (!api_ready(a, r))
		return;
	l = listing_new(r);
	if (!l)
		return;
	if (!r->who.operator)
		strcpy(l->tenant, r->who.tenant);
	http_on_gone(r, listing_gone, l);
	store_range(fm_store(a->fm), MODEL_PREFIX, NULL, 0, on_export, l);
}
