/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api_parts.h - the parts of the API. Private to ctl/controller/api*.c and openapi.c.
 */
#pragma once

#include <ctl/controller/api.h>

#define API_PAGE_MAX 1000u
#define API_WAIT_MAX_S 600u
#define API_DOCUMENTS_MAX 20000		/* of a transaction: judging them holds up the loop */

struct api {
	struct event_base *base;
	struct fm *fm;
	struct programming *programming;
	struct vmc *vmc;
	struct ofe *ofe;
	struct http *http;
	struct event *tick;			/* deadlines of programming, bookmarks of watches */
	struct api_watch *watches;
};

struct api_param {
	const char *name;			/* NULL ends a list */
	enum { PARAM_TEXT, PARAM_NUMBER, PARAM_BOOL } type;
	const char *help;
};

struct api_route {
	enum evhttp_cmd_type method;
	const char *path;			/* "/v1/{kind}/{name}"; {tenant}, {region}, {name}, {kind} */
	enum scope scope;			/* of the kinds {kind} may be */
	void (*fn)(struct api *a, struct http_request *r);
	const char *id, *help;
	const struct api_param *params;
	const char *body, *reply;		/* names of schemas; body NULL: none */
	bool operator;				/* tenants are refused */
	bool public;				/* asked without saying who one is */
};
extern const struct api_route api_routes[];

/* What the path names. */
struct api_target {
	enum kind kind;
	const char *tenant, *name;		/* tenant "": none; name NULL: the list */
};

/* Resolves the path and whether the asker may; false: answered. */
bool api_target(struct http_request *r, struct api_target *ret);
/* Query parameters; false: answered with 400. */
bool api_number(struct http_request *r, const char *name, uint64_t max, uint64_t *ret);
bool api_flag(struct http_request *r, const char *name, bool *ret);
/* The set is there; false: answered with 503. */
bool api_ready(struct api *a, struct http_request *r);
/* Answers with an error of the fabric manager or the store. */
void api_fail(struct http_request *r, int err, const char *text, const struct problems *p);
enum model_view api_view(const struct http_request *r);
const char *api_writer(const struct http_request *r);	/* NULL: the operator */

/* api_objects.c */
void api_get(struct api *a, struct http_request *r);
void api_list(struct api *a, struct http_request *r);
void api_export(struct api *a, struct http_request *r);
/* api_apply.c */
void api_put(struct api *a, struct http_request *r);
void api_delete(struct api *a, struct http_request *r);
void api_apply(struct api *a, struct http_request *r);
void api_programming(struct api *a, struct http_request *r);
/* api_status.c */
void api_status(struct api *a, struct http_request *r);
void api_offloads(struct api *a, struct http_request *r);
/* api_watch.c */
void api_watch(struct api *a, struct http_request *r);
void api_watch_tick(struct api *a);
/* openapi.c */
cJSON *openapi_document(void);

/* Labels: "role=web,env!=test,tier,!old". */
struct selector;
int selector_parse(const char *text, struct selector **ret, struct error *e);
bool selector_match(const struct selector *s, const struct object *o);	/* NULL matches all */
void selector_free(struct selector *s);
