// SPDX-License-Identifier: BSD-2-Clause
/*
 * api_apply.c - objects written: one, or many documents as one transaction
 *
 *	body ──doc.h──► documents ──model.h──► changes ──fm_apply()──► done ──wait──► programmed
 *
 * Reading a large body takes many turns of the loop, like judging it (fm.c), so that
 * sessions and other writers do not wait for it.
 *
 * A document with `delete: true` deletes what it names. With ?wait the answer comes
 * when all concerned hosts have acknowledged, or names those that have not.
 */
#include <ctl/controller/api_parts.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/clock.h>
#include <lib/doc_json.h>

#define SLICE 8192u			/* keys, values and brackets of a body read in one turn of the loop */
#define OBJECT_COST 24u			/* making an object of them costs as much as reading so many */

struct writing {
	struct api *api;
	struct http_request *r;			/* NULL: the client is gone */
	struct fm_request *request;		/* under way, or NULL */
	struct programming_wait *wait;		/* the same */
	struct changes changes;
	struct problems problems;
	cJSON *answer;
	bool dry_run, one;			/* one: answered with the object itself */
	uint64_t wait_s;
	int document;				/* the one being read */
	/* A body that is being read: */
	struct doc_reader *reader;
	struct doc *list;			/* one that was read; NULL: none yet */
	const struct doc *next;			/* of it, the next object; NULL: no more */
	int more;				/* the reader has some */
	struct event *turn;
};

static void writing_free(struct writing *w)
{
	changes_free(&w->changes);
	problems_done(&w->problems);
	cJSON_Delete(w->answer);
	doc_reader_free(w->reader);
	doc_free(w->list);
	if (w->turn)
		event_free(w->turn);
	free(w);
}

static void writing_gone(void *arg)
{
	struct writing *w = arg;

	w->r = NULL;
	if (w->request)
		fm_forget(w->request);
	if (w->wait)
		programming_wait_cancel(w->api->programming, w->wait);
	writing_free(w);
}

static const char *const outcomes[] = {
	[OUTCOME_CREATED] = "created",
	[OUTCOME_UPDATED] = "updated",
	[OUTCOME_UNCHANGED] = "unchanged",
	[OUTCOME_DELETED] = "deleted",
};

/* The object as it is after the change. */
static cJSON *changed_json(const struct writing *w, const struct change *c, int64_t revision)
{
	bool written = c->outcome <= OUTCOME_UPDATED && !w->dry_run;

	c->object->revision = written ? (uint64_t)revision : c->old_revision;
	return model_json(c->object, api_view(w->r));
}

static cJSON *result_json(const struct writing *w, const struct change *c, int64_t revision)
{
	const struct kind_info *kind = &kinds[c->object->kind];
	cJSON *json = cJSON_CreateObject();

	cJSON_AddNumberToObject(json, "document", c->document);
	cJSON_AddStringToObject(json, "kind", kind->name);
	if (kind->scope != SCOPE_FABRIC)
		cJSON_AddStringToObject(json, kind->scope == SCOPE_GLOBAL ? "region" : "tenant",
					c->object->tenant);
	cJSON_AddStringToObject(json, "name", c->object->name);
	cJSON_AddStringToObject(json, "outcome", outcomes[c->outcome]);
	if (w->dry_run && c->outcome <= OUTCOME_UNCHANGED)
		cJSON_AddItemToObject(json, "object", changed_json(w, c, revision));
	return json;
}

static cJSON *answer_json(const struct writing *w, const struct fm_result *result)
{
	const struct changes *c = result->changes;
	cJSON *json, *results;

	if (w->one && !c->v[0].del)
		return changed_json(w, &c->v[0], result->revision);
	json = cJSON_CreateObject();
	cJSON_AddNumberToObject(json, "revision", result->revision);
	cJSON_AddBoolToObject(json, "dryRun", w->dry_run);
	results = cJSON_AddArrayToObject(json, "results");
	for (unsigned int i = 0; i < c->n; i++)
		cJSON_AddItemToArray(results, result_json(w, &c->v[i], result->revision));
	return json;
}

static void finish(struct writing *w, int status)
{
	http_reply_json(w->r, status, w->answer);
	w->answer = NULL;
	writing_free(w);
}

static cJSON *programmed_json(bool operator, uint64_t revision, int err, const char *const *missing,
			   unsigned int n)
{
	cJSON *json = cJSON_CreateObject(), *list;

	cJSON_AddNumberToObject(json, "revision", revision);
	cJSON_AddBoolToObject(json, "programmed", !err);
	if (!err)
		return json;
	cJSON_AddStringToObject(json, "reason", err == -ETIMEDOUT ? "hosts have not acknowledged in time" :
				err == -EIO ? "a host was away for so long that nobody knows" :
				"the controller stops or handed its hosts over");
	cJSON_AddNumberToObject(json, "missingCount", n);
	if (!operator)				/* tenants see no hosts */
		return json;
	list = cJSON_AddArrayToObject(json, "missing");
	for (unsigned int i = 0; i < n; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(missing[i]));
	return json;
}

static void on_programmed(void *arg, int err, const char *const *missing, unsigned int n)
{
	struct writing *w = arg;
	cJSON *revision = cJSON_GetObjectItem(w->answer, "revision");

	w->wait = NULL;
	cJSON_AddItemToObject(w->answer, w->one ? "status" : "programmed",
			      programmed_json(w->r->who.operator, revision ? revision->valuedouble : 0,
						  err, missing, n));
	finish(w, err ? 202 : 200);
}

static void on_applied(void *arg, const struct fm_result *result)
{
	struct writing *w = arg;
	uint64_t deadline = clock_now_ns() + w->wait_s * NS_PER_S;
	struct programming_wait *wait;

	w->request = NULL;
	if (result->err) {
		api_fail(w->r, result->err, result->text, result->problems);
		writing_free(w);
		return;
	}
	w->answer = answer_json(w, result);
	if (!w->wait_s || w->dry_run) {
		finish(w, w->one && result->changes->v[0].outcome == OUTCOME_CREATED && !w->dry_run ?
			  201 : 200);
		return;
	}
	wait = programming_wait(w->api->programming, result->revision, deadline, on_programmed, w);
	if (wait)				/* else it was called, and @w is gone */
		w->wait = wait;
}

/* The parameters of every write; NULL: answered. */
static struct writing *writing_new(struct api *a, struct http_request *r)
{
	struct writing *w;
	bool dry_run;
	uint64_t wait_s = 0;

	if (!api_ready(a, r) || !api_flag(r, "dryRun", &dry_run) ||
	    !api_number(r, "wait", API_WAIT_MAX_S, &wait_s))
		return NULL;
	if (wait_s && !a->programming) {
		http_problem(r, 501, "Cannot wait", "this controller does not program hosts", NULL);
		return NULL;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		api_fail(r, -ENOMEM, "no memory", NULL);
		return NULL;
	}
	w->api = a;
	w->r = r;
	w->dry_run = dry_run;
	w->wait_s = wait_s;
	problems_init(&w->problems);
	return w;
}

/* Answers what is wrong with the documents themselves. */
static void refuse(struct writing *w, const struct error *e)
{
	if (e->err == -EFBIG)
		http_problem(w->r, 413, "Too large", e->text, NULL);
	else if (e->err == -ENOMEM || w->problems.no_memory)
		api_fail(w->r, -ENOMEM, "no memory", NULL);
	else
		http_problem(w->r, 400, "Not readable", e->text, &w->problems);
	writing_free(w);
}

static void forbid_foreign(struct writing *w)
{
	http_problem(w->r, 403, "Not allowed", "tenants see and change their own objects only;"
		     " nothing was changed", &w->problems);
	writing_free(w);
}

/* False: a tenant writes what is not its own. */
static bool may_write(struct writing *w)
{
	const char *writer = api_writer(w->r);

	for (unsigned int i = 0; writer && i < w->changes.n; i++) {
		const struct object *o = w->changes.v[i].object;

		if (kinds[o->kind].scope != SCOPE_TENANT || strcmp(o->tenant, writer))
			return false;
	}
	return true;
}

static void submit(struct writing *w)
{
	if (!may_write(w)) {
		forbid_foreign(w);
		return;
	}
	http_on_gone(w->r, writing_gone, w);
	w->request = fm_apply(w->api->fm, &w->changes, api_writer(w->r), w->dry_run, on_applied, w);
	if (w->request)
		return;
	api_fail(w->r, -ENOMEM, "no memory", NULL);
	writing_free(w);
}

static int add_object(struct writing *w, const struct doc *d)
{
	const char *tenant = api_writer(w->r);
	struct object *o;
	bool del;
	int err;

	if (w->document == API_DOCUMENTS_MAX)
		return -E2BIG;
	problems_document(&w->problems, w->document, d->line);
	err = model_read_change(d, tenant, &w->problems, &o, &del);
	if (!err)
		err = changes_add(&w->changes, o, del, w->document, d->line);
	w->document++;
	return err == -ENOMEM ? err : 0;	/* what is wrong is in the problems */
}

/* The next document, or a part of it: an object or a list of objects. */
static int read_document(struct writing *w, unsigned int *slice, struct error *e)
{
	w->more = doc_reader_next(w->reader, slice, &w->list, e);
	if (w->list)
		w->next = w->list->kind == DOC_LIST ? w->list->first : w->list;
	return w->more < 0 ? w->more : 0;
}

static int add_objects(struct writing *w, unsigned int *slice)
{
	int err = 0;

	for (; !err && w->next && *slice; *slice -= *slice < OBJECT_COST ? *slice : OBJECT_COST) {
		err = add_object(w, w->next);
		w->next = w->next->next;
	}
	if (!w->next) {
		doc_free(w->list);
		w->list = NULL;
	}
	return err;
}

static void body_read(struct writing *w, int err, struct error *e)
{
	doc_reader_free(w->reader);
	w->reader = NULL;
	if (err == -E2BIG)
		error_set(e, -EFBIG, "more than %d documents in one transaction; apply them in parts",
			  API_DOCUMENTS_MAX);
	if (err || w->problems.n)
		refuse(w, e);
	else
		submit(w);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval now = {};
	struct writing *w = arg;
	unsigned int slice = SLICE;
	struct error e = {};
	int err = 0;

	(void)fd;
	(void)what;
	while (!err && slice && (w->list || w->more))
		err = w->list ? add_objects(w, &slice) : read_document(w, &slice, &e);
	if (!err && (w->list || w->more))
		event_add(w->turn, &now);
	else
		body_read(w, err, &e);
}

void api_apply(struct api *a, struct http_request *r)
{
	struct writing *w = writing_new(a, r);
	struct error e = {};
	const char *body;
	size_t len;
	int err;

	if (!w)
		return;
	body = http_body(r, &len);
	w->turn = evtimer_new(a->base, on_turn, w);
	err = w->turn ? doc_reader_new("body", body, len, &w->reader, &e) : -ENOMEM;
	if (err) {
		refuse(w, err == -ENOMEM ? &(struct error){ .err = err } : &e);
		return;
	}
	w->more = 1;
	http_on_gone(r, writing_gone, w);
	on_turn(-1, 0, w);
}

/* What the path says may be left out of the body, and must not differ from it. */
static int complete(struct doc *d, const char *field, const char *value, struct error *e)
{
	const struct doc *given = doc_find(d, field);
	struct doc *text;

	if (given && (given->kind != DOC_SCALAR || strcmp(given->text, value)))
		return error_set(e, -EINVAL, "%s must be %s, as in the address, or left out", field,
				 value);
	if (given)
		return 0;
	text = doc_new_text(value);
	if (!text)
		return -ENOMEM;
	text->quoted = true;
	return doc_add(d, field, text);
}

static int read_body(struct writing *w, const struct api_target *t, struct doc *d, struct error *e)
{
	enum scope scope = kinds[t->kind].scope;
	int err;

	if (d->kind != DOC_MAP)
		return error_set(e, -EINVAL, "%s, but an object is wanted", doc_kind_name(d->kind));
	err = complete(d, "kind", kinds[t->kind].name, e) ?: complete(d, "name", t->name, e);
	if (!err && scope != SCOPE_FABRIC)
		err = complete(d, scope == SCOPE_TENANT ? "tenant" : "region", t->tenant, e);
	if (!err && doc_find(d, "delete"))
		err = error_set(e, -EINVAL, "delete is for POST /v1/apply; here it is the method DELETE");
	return err ?: add_object(w, d);
}

void api_put(struct api *a, struct http_request *r)
{
	struct api_target t;
	struct error e = {};
	struct doc *d = NULL;
	struct writing *w;
	const char *body;
	size_t len;
	int err;

	if (!api_target(r, &t))
		return;
	w = writing_new(a, r);
	if (!w)
		return;
	w->one = true;
	body = http_body(r, &len);
	err = doc_parse("body", body, len, &d, &e);
	if (!err)
		err = read_body(w, &t, d, &e);
	doc_free(d);
	if (err || w->problems.n)
		refuse(w, &e);
	else
		submit(w);
}

void api_delete(struct api *a, struct http_request *r)
{
	uint64_t revision = 0;
	struct api_target t;
	struct writing *w;
	struct object *o;

	if (!api_target(r, &t) || !api_number(r, "revision", INT64_MAX, &revision))
		return;
	w = writing_new(a, r);
	if (!w)
		return;
	if (!model_set_find(fm_set(a->fm), t.kind, t.tenant, t.name)) {
		http_problem(r, 404, "No such object", "there is nothing to delete", NULL);
		writing_free(w);
		return;
	}
	w->one = true;
	o = model_new(t.kind, t.tenant, t.name);
	if (!o || changes_add(&w->changes, o, true, 0, 0)) {
		api_fail(r, -ENOMEM, "no memory", NULL);
		writing_free(w);
		return;
	}
	o->revision = revision;
	submit(w);
}

/* Somebody asks for a revision's programming. */
struct asking {
	struct api *api;
	struct http_request *r;
	struct programming_wait *wait;
	uint64_t revision;
};

static void asking_gone(void *arg)
{
	struct asking *q = arg;

	if (q->wait)
		programming_wait_cancel(q->api->programming, q->wait);
	free(q);
}

static void on_asked(void *arg, int err, const char *const *missing, unsigned int n)
{
	struct asking *q = arg;

	http_reply_json(q->r, err ? 202 : 200,
			programmed_json(q->r->who.operator, q->revision, err, missing, n));
	free(q);
}

void api_programming(struct api *a, struct http_request *r)
{
	uint64_t revision = 0, wait_s = 0;
	struct programming_wait *wait;
	struct asking *q;

	if (!api_ready(a, r) || !api_number(r, "revision", INT64_MAX, &revision) ||
	    !api_number(r, "wait", API_WAIT_MAX_S, &wait_s))
		return;
	if (!a->programming) {
		http_problem(r, 501, "Cannot tell", "this controller does not program hosts", NULL);
		return;
	}
	q = calloc(1, sizeof(*q));
	if (!q) {
		api_fail(r, -ENOMEM, "no memory", NULL);
		return;
	}
	*q = (struct asking){ .api = a, .r = r, .revision = revision ?: (uint64_t)fm_revision(a->fm) };
	http_on_gone(r, asking_gone, q);
	wait = (revision ? programming_wait : programming_wait_all)(
		a->programming, q->revision, clock_now_ns() + wait_s * NS_PER_S, on_asked, q);
	if (wait)				/* else it was called, and @q is gone */
		q->wait = wait;
}
