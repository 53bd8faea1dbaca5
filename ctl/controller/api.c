// SPDX-License-Identifier: BSD-2-Clause
/*
 * api.c - the REST API: its table of paths, and what all requests have in common
 */
#include <ctl/controller/api_parts.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include <lib/clock.h>
#include <lib/version.h>

#define TICK_MS 100

static void healthz(struct api *a, struct http_request *r)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "status", fm_revision(a->fm) ? "ready" : "starting");
	cJSON_AddStringToObject(json, "version", MIRACH_VERSION);
	http_reply_json(r, fm_revision(a->fm) ? 200 : 503, json);
}

static void revision(struct api *a, struct http_request *r)
{
	cJSON *json;

	if (!api_ready(a, r))
		return;
	json = cJSON_CreateObject();
	cJSON_AddNumberToObject(json, "revision", fm_revision(a->fm));
	http_reply_json(r, 200, json);
}

static void openapi(struct api *a, struct http_request *r)
{
	(void)a;
	http_reply_json(r, 200, openapi_document());
}

/* Prometheus' text format. */
static void metrics(struct api *a, struct http_request *r)
{
	const struct http_counts *counts = http_counts(a->http);
	const struct model_set *set = fm_set(a->fm);
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	fprintf(out, "# TYPE mirach_revision gauge\nmirach_revision %lld\n",
		(long long)fm_revision(a->fm));
	fprintf(out, "# TYPE mirach_objects gauge\n");
	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (kinds[k].available)
			fprintf(out, "mirach_objects{kind=\"%s\"} %u\n", kinds[k].name,
				set->n_present[k]);
	fprintf(out, "# TYPE mirach_http_requests_total counter\n");
	for (int status = 2; status < 6; status++)
		fprintf(out, "mirach_http_requests_total{status=\"%dxx\"} %llu\n", status,
			(unsigned long long)counts->requests[status]);
	fprintf(out, "# TYPE mirach_http_requests_open gauge\nmirach_http_requests_open %u\n",
		counts->open);
	fprintf(out, "# TYPE mirach_http_connections gauge\nmirach_http_connections %u\n",
		http_connections(a->http));
	fprintf(out, "# TYPE mirach_http_connections_refused_total counter\n"
		"mirach_http_connections_refused_total %llu\n", (unsigned long long)counts->refused);
	fclose(out);
	http_reply(r, 200, "text/plain; version=0.0.4", text);
	free(text);
}

#define DRY_RUN { "dryRun", PARAM_BOOL, "true: say what would happen, change nothing" }
#define WAIT { "wait", PARAM_NUMBER, "seconds to wait until all concerned hosts have it; 0: do not" }

static const struct api_param list_params[] = {
	{ "limit", PARAM_NUMBER, "objects in one answer, 1 to 1000" },
	{ "continue", PARAM_TEXT, "of the answer before" },
	{ "labels", PARAM_TEXT, "selector: role=web,env!=test,tier,!old" },
	{},
};
static const struct api_param write_params[] = { DRY_RUN, WAIT, {} };
static const struct api_param delete_params[] = {
	DRY_RUN, WAIT, { "revision", PARAM_NUMBER, "the one it must be at" }, {},
};
static const struct api_param watch_params[] = {
	{ "revision", PARAM_NUMBER, "changes behind this revision; 0: from now on" },
	{ "kind", PARAM_TEXT, "only this kind" },
	{},
};
static const struct api_param programming_params[] = {
	{ "revision", PARAM_NUMBER, "the one whose changes to ask for; 0: everything up to the newest" },
	{ "wait", PARAM_NUMBER, "seconds to wait for it" },
	{},
};

#define GET EVHTTP_REQ_GET
#define PUT EVHTTP_REQ_PUT
#define DEL EVHTTP_REQ_DELETE
#define REPLY(schema, params_) .params = params_, .reply = schema
#define WRITE(schema, params_, operator_) REPLY(schema, params_), .operator = operator_
#define ONE(path_, scope_, tag, operator_)                                                     \
	{ GET, path_, scope_, api_get, "get" tag, "one object", .reply = "object" },            \
	{ PUT, path_, scope_, api_put, "put" tag, "creates or changes an object",               \
	  .body = "object", WRITE("object", write_params, operator_) },                         \
	{ DEL, path_, scope_, api_delete, "delete" tag, "deletes an object",                    \
	  WRITE("applied", delete_params, operator_) }

const struct api_route api_routes[] = {
	{ GET, "/healthz", 0, healthz, "healthz", "is it there", .reply = "health", .public = true },
	{ GET, "/metrics", 0, metrics, "metrics", "figures for Prometheus", .operator = true },
	{ GET, "/v1/status", 0, api_status, "status", "hosts, sessions, latency, and who is behind",
	  .reply = "any", .operator = true },
	{ GET, "/v1/offloads", 0, api_offloads, "offloads",
	  "pairs that went direct, and how fast", .reply = "any", .operator = true },
	{ GET, "/v1/openapi.json", 0, openapi, "openapi", "this document", .reply = "any",
	  .public = true },
	{ GET, "/v1/revision", 0, revision, "revision", "the newest revision", .reply = "revision" },
	{ EVHTTP_REQ_POST, "/v1/apply", 0, api_apply, "apply", "many objects as one transaction",
	  .body = "documents", REPLY("applied", write_params) },
	{ GET, "/v1/export", 0, api_export, "export", "all objects, to be applied elsewhere",
	  .reply = "list" },
	{ GET, "/v1/watch", 0, api_watch, "watch", "changes as they happen, a JSON text a line",
	  .params = watch_params },
	{ GET, "/v1/programming", 0, api_programming, "programming",
	  "have all concerned hosts a revision", REPLY("programming", programming_params) },
	{ GET, "/v1/tenants/{tenant}/{kind}", SCOPE_TENANT, api_list, "listOfTenant",
	  "a tenant's objects of a kind", REPLY("list", list_params) },
	ONE("/v1/tenants/{tenant}/{kind}/{name}", SCOPE_TENANT, "OfTenant", false),
	ONE("/v1/regions/{region}/{kind}/{name}", SCOPE_GLOBAL, "OfRegion", true),
	{ GET, "/v1/{kind}", SCOPE_ANY, api_list, "list", "objects of a kind that one may see",
	  REPLY("list", list_params) },
	ONE("/v1/{kind}/{name}", SCOPE_FABRIC, "OfFabric", true),
	{},
};

/* "{...}" takes any segment. */
static bool path_matches(const struct api_route *route, const struct http_request *r)
{
	const char *p = route->path;
	unsigned int n = 0;

	while (*p++ == '/') {
		size_t len = strcspn(p, "/");

		if (n == r->n_segments)
			return false;
		if (*p != '{' && (strncmp(p, r->segments[n], len) || r->segments[n][len]))
			return false;
		p += len;
		n++;
	}
	return n == r->n_segments;
}

static bool method_matches(const struct api_route *route, const struct http_request *r)
{
	return route->method == r->method || (route->method == GET && r->method == EVHTTP_REQ_HEAD);
}

static void on_request(void *arg, struct http_request *r)
{
	const struct api_route *found = NULL;

	for (const struct api_route *route = api_routes; route->path; route++) {
		if (!path_matches(route, r))
			continue;
		found = route;
		if (!method_matches(route, r))
			continue;
		if (route->operator && !r->who.operator)
			http_problem(r, 403, "Not allowed", "this is for the operator", NULL);
		else
			route->fn(arg, r);
		return;
	}
	if (found)
		http_problem(r, 405, "No such method", "this address knows other methods;"
			     " /v1/openapi.json lists them", NULL);
	else
		http_problem(r, 404, "No such address", "/v1/openapi.json lists what there is", NULL);
}

enum model_view api_view(const struct http_request *r)
{
	return r->who.operator ? MODEL_OPERATOR : MODEL_TENANT;
}

const char *api_writer(const struct http_request *r)
{
	return r->who.operator ? NULL : r->who.tenant;
}

bool api_ready(struct api *a, struct http_request *r)
{
	if (fm_revision(a->fm))
		return true;
	http_problem(r, 503, "Not ready", "the objects are still being read from the store; try"
		     " again soon", NULL);
	return false;
}

void api_fail(struct http_request *r, int err, const char *text, const struct problems *p)
{
	switch (err) {
	case -EINVAL:
		http_problem(r, 422, "Not valid", "the whole would not be right; nothing was changed", p);
		return;
	case -ESTALE:
		http_problem(r, 409, "Changed by somebody else", "nothing was changed", p);
		return;
	case -E2BIG:
		http_problem(r, 413, "Too large", text, NULL);
		return;
	case -EAGAIN:
		http_problem(r, 503, "Not now", text, NULL);
		return;
	case -ETIMEDOUT:
		http_problem(r, 504, "No answer from the store", "it may have been done or not; look"
			     " before you try again", NULL);
		return;
	case -ENOSPC:
		http_problem(r, 507, "The store is full", text, NULL);
		return;
	default:
		http_problem(r, 500, "Failed", text, NULL);
	}
}

bool api_number(struct http_request *r, const char *name, uint64_t max, uint64_t *ret)
{
	const char *text = http_query(r, name);
	char *end;

	if (!text)
		return true;
	errno = 0;
	*ret = strtoull(text, &end, 10);
	if (!errno && *text >= '0' && *text <= '9' && !*end && *ret <= max)
		return true;
	http_problem_fmt(r, 400, "Bad parameter", "%s must be a number from 0 to %llu", name,
			 (unsigned long long)max);
	return false;
}

bool api_flag(struct http_request *r, const char *name, bool *ret)
{
	const char *text = http_query(r, name);

	*ret = text && (!*text || !strcmp(text, "true"));
	if (!text || *ret || !strcmp(text, "false"))
		return true;
	http_problem_fmt(r, 400, "Bad parameter", "%s must be true or false", name);
	return false;
}

static bool forbid(struct http_request *r)
{
	http_problem(r, 403, "Not allowed", "tenants see and change their own objects only", NULL);
	return false;
}

/* The plural in the path as a kind of that scope. */
static bool find_kind(struct http_request *r, const char *plural, struct api_target *ret)
{
	const char *near = NULL;

	ret->kind = kind_find(plural, &near);
	if (ret->kind < KIND_COUNT && !strcmp(kinds[ret->kind].plural, plural)) {
		if (kinds[ret->kind].available)
			return true;
		http_problem_fmt(r, 404, "Not available yet", "%s is not available yet",
				 kinds[ret->kind].name);
		return false;
	}
	http_problem_fmt(r, 404, "No such kind", "there are no \"%.40s\"%s%s%s", plural,
			 near ? "; did you mean " : "", near ? kinds[kind_find(near, NULL)].plural : "",
			 near ? "?" : "");
	return false;
}

static bool check_scope(struct http_request *r, const struct api_target *t, bool nested)
{
	bool one = t->name;

	if (kinds[t->kind].scope == SCOPE_FABRIC ? !nested : nested || !one)
		return true;
	http_problem_fmt(r, 404, "No such address", "%s are at /v1/%s%s{name}", kinds[t->kind].plural,
			 kinds[t->kind].scope == SCOPE_TENANT ? "tenants/{tenant}/" :
			 kinds[t->kind].scope == SCOPE_GLOBAL ? "regions/{region}/" : "",
			 kinds[t->kind].plural);
	return false;
}

bool api_target(struct http_request *r, struct api_target *ret)
{
	char **s = r->segments + 1;		/* behind "v1" */
	unsigned int n = r->n_segments - 1;
	bool nested = n > 2 && (!strcmp(s[0], "tenants") || !strcmp(s[0], "regions"));

	*ret = (struct api_target){ .tenant = "" };
	if (!find_kind(r, nested ? s[2] : s[0], ret))
		return false;
	if (nested) {
		ret->tenant = s[1];
		ret->name = n > 3 ? s[3] : NULL;
	} else {
		ret->name = n > 1 ? s[1] : NULL;
	}
	if (!check_scope(r, ret, nested))
		return false;
	if (r->who.operator)
		return true;
	if (kinds[ret->kind].scope == SCOPE_TENANT) {
		if (!nested)
			ret->tenant = r->who.tenant;
		return !strcmp(ret->tenant, r->who.tenant) || forbid(r);
	}
	if (ret->kind == KIND_TENANT && (!ret->name || !strcmp(ret->name, r->who.tenant)))
		return true;
	return forbid(r);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct api *a = arg;

	(void)fd;
	(void)what;
	if (a->programming)
		programming_tick(a->programming, clock_now_ns());
	api_watch_tick(a);
}

int api_new(struct event_base *base, const struct api_options *o, struct api **ret, struct error *e)
{
	static const struct timeval tick = { .tv_usec = TICK_MS * 1000 };
	struct api *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return error_set(e, -ENOMEM, "no memory");
	a->base = base;
	a->fm = o->fm;
	a->programming = o->programming;
	a->vmc = o->vmc;
	a->ofe = o->ofe;
	a->tick = event_new(base, -1, EV_PERSIST, on_tick, a);
	err = a->tick ? http_new(base, &o->http, on_request, a, &a->http, e) :
			error_set(e, -ENOMEM, "no memory");
	if (err) {
		api_free(a);
		return err;
	}
	event_add(a->tick, &tick);
	*ret = a;
	return 0;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	http_free(a->http);
	if (a->tick)
		event_free(a->tick);
	free(a);
}
