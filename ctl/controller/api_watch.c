// SPDX-License-Identifier: BSD-2-Clause
/*
 * api_watch.c - changes as they happen, a JSON text a line
 *
 *	{"type":"PUT","revision":17,"object":{...}}
 *	{"type":"DELETE","revision":18,"object":{"kind":..,"tenant":..,"name":..}}
 *	{"type":"BOOKMARK","revision":18}	everything up to here has been told
 *	{"type":"ERROR","status":410,...}	too far back: list again, then watch from there
 *
 * A bookmark ends every transaction, and comes every few seconds while nothing
 * happens, which keeps the connection from standing still. Whoever comes back asks
 * for what is behind his last bookmark and misses nothing.
 */
#include <ctl/controller/api_parts.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lib/clock.h>

#define BOOKMARK_S 5

struct api_watch {
	struct api_watch *next, **pprev;
	struct http_request *r;
	struct store_watch *watch;
	int64_t revision;
	uint64_t next_bookmark_ns;
	enum kind kind;				/* KIND_COUNT: all */
};

static void watch_free(struct api_watch *w)
{
	store_watch_cancel(w->watch);
	*w->pprev = w->next;
	if (w->next)
		w->next->pprev = w->pprev;
	free(w);
}

static void watch_gone(void *arg)
{
	watch_free(arg);
}

/* False: the client was given up, and the watch with it. */
static bool send_line(struct api_watch *w, cJSON *json)
{
	char *text = cJSON_PrintUnformatted(json);
	bool sent = http_line(w->r, text ?: "{}");

	cJSON_Delete(json);
	free(text);
	w->next_bookmark_ns = clock_now_ns() + BOOKMARK_S * NS_PER_S;
	if (!sent)
		watch_free(w);
	return sent;
}

static cJSON *line(const char *type, int64_t revision)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", type);
	cJSON_AddNumberToObject(json, "revision", revision);
	return json;
}

static bool is_wanted(const struct api_watch *w, enum kind kind, const char *tenant)
{
	if (w->kind != KIND_COUNT && w->kind != kind)
		return false;
	return w->r->who.operator ||
	       (kinds[kind].scope == SCOPE_TENANT && !strcmp(tenant, w->r->who.tenant));
}

static cJSON *deleted_json(enum kind kind, const char *tenant, const char *name)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "kind", kinds[kind].name);
	if (kinds[kind].scope == SCOPE_TENANT)
		cJSON_AddStringToObject(json, "tenant", tenant);
	cJSON_AddStringToObject(json, "name", name);
	return json;
}

/* The event as a line, or NULL if it is not for this watch. */
static cJSON *event_line(const struct api_watch *w, const struct store_event *event)
{
	char tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	struct error e = {};
	struct object *o;
	enum kind kind;
	cJSON *json;

	if (model_key_parse(event->kv.key, &kind, tenant, name) || !is_wanted(w, kind, tenant))
		return NULL;
	if (event->del) {
		json = line("DELETE", event->kv.mod_revision);
		cJSON_AddItemToObject(json, "object", deleted_json(kind, tenant, name));
		return json;
	}
	if (model_load(event->kv.key, event->kv.value, event->kv.value_len,
		       event->kv.mod_revision, &o, &e))
		return NULL;			/* the replica has logged it */
	json = line("PUT", event->kv.mod_revision);
	cJSON_AddItemToObject(json, "object", model_json(o, api_view(w->r)));
	model_free(o);
	return json;
}

static void watch_over(struct api_watch *w, const char *text)
{
	struct http_request *r = w->r;
	cJSON *json = line("ERROR", w->revision);

	cJSON_AddNumberToObject(json, "status", 410);
	cJSON_AddStringToObject(json, "title", "Too far back; list again and watch from there");
	cJSON_AddStringToObject(json, "detail", text);
	if (send_line(w, json)) {
		watch_free(w);
		http_end(r);
	}
}

static void on_watch(void *arg, const struct store_change *c)
{
	struct api_watch *w = arg;

	if (c->err) {
		watch_over(w, c->text);
		return;
	}
	for (unsigned int i = 0; i < c->n; i++) {
		cJSON *json = event_line(w, &c->events[i]);

		if (json && !send_line(w, json))
			return;
	}
	w->revision = c->revision;
	send_line(w, line("BOOKMARK", c->revision));
}

static bool read_kind(struct http_request *r, enum kind *ret)
{
	const char *text = http_query(r, "kind"), *near = NULL;

	*ret = text ? kind_find(text, &near) : KIND_COUNT;
	if (!text || *ret < KIND_COUNT)
		return true;
	http_problem_fmt(r, 400, "Bad parameter", "there is no kind \"%.40s\"%s%s%s", text,
			 near ? "; did you mean " : "", near ?: "", near ? "?" : "");
	return false;
}

void api_watch(struct api *a, struct http_request *r)
{
	uint64_t from = 0;
	struct api_watch *w;
	enum kind kind;

	if (!api_ready(a, r) || !api_number(r, "revision", INT64_MAX - 1, &from) ||
	    !read_kind(r, &kind))
		return;
	w = calloc(1, sizeof(*w));
	if (!w) {
		api_fail(r, -ENOMEM, "no memory", NULL);
		return;
	}
	w->r = r;
	w->kind = kind;
	w->revision = from ? (int64_t)from : fm_revision(a->fm);
	w->next = a->watches;
	w->pprev = &a->watches;
	if (w->next)
		w->next->pprev = &w->next;
	a->watches = w;
	http_on_gone(r, watch_gone, w);
	http_start(r, "application/x-ndjson");
	if (!send_line(w, line("BOOKMARK", w->revision)))
		return;
	w->watch = store_watch(fm_store(a->fm), MODEL_PREFIX, w->revision + 1, on_watch, w);
	if (!w->watch)
		watch_over(w, "no memory");
}

void api_watch_tick(struct api *a)
{
	uint64_t now = clock_now_ns();
	struct api_watch *next;

	for (struct api_watch *w = a->watches; w; w = next) {
		next = w->next;
		if (now >= w->next_bookmark_ns)
			send_line(w, line("BOOKMARK", w->revision));
	}
}
