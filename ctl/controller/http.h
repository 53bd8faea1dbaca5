/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http.h - the web server under the API: listeners, TLS, identity, replies
 *
 *	TLS		https://:7443	certificate or bearer token
 *	plain		loopback only	bearer token; when asked for
 *	socket		a file		whoever may open it is the operator
 *
 * libevent's evhttp reads requests; bodies over HTTP_BODY_MAX and headers over
 * HTTP_HEADERS_MAX are refused, connections that stand still are closed, and a listener
 * has no more than connections_max. A request
 * lives until it is answered or its client is gone; who keeps one in the meantime
 * sets http_on_gone().
 *
 * Errors are application/problem+json (RFC 9457).
 */
#pragma once

#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include <ctl/controller/auth.h>
#include <ctl/controller/problems.h>
#include <lib/tls.h>

#define HTTP_BODY_MAX (16 << 20)
#define HTTP_HEADERS_MAX (16 << 10)
#define HTTP_IDLE_S 30
#define HTTP_CONNECTIONS 512u		/* of a listener; more are answered with 503 */
#define HTTP_SEGMENTS_MAX 6
#define HTTP_BACKLOG_MAX (8u << 20)	/* unsent bytes of a stream until its client is given up */

struct http;
struct http_conn;

struct http_options {
	const char *listen;		/* "ADDRESS:PORT" with TLS; NULL: none */
	struct tls_files tls;
	const char *plain;		/* "127.0.0.1:PORT", "[::1]:PORT"; NULL: none */
	const char *socket;		/* path; NULL: none */
	const char *tokens;		/* path; NULL: none */
	unsigned int idle_s;		/* 0: HTTP_IDLE_S */
	unsigned int connections_max;	/* 0: HTTP_CONNECTIONS */
};

struct http_request {
	struct http *http;
	struct http_conn *conn;
	struct evhttp_request *req;	/* NULL once the client is gone */
	enum evhttp_cmd_type method;
	struct identity who;
	char *segments[HTTP_SEGMENTS_MAX + 1]; /* of the path, decoded; NULL behind the last */
	unsigned int n_segments;
	struct evkeyvalq query;
	void (*on_gone)(void *arg);
	void *arg;
};

typedef void (*http_fn)(void *arg, struct http_request *r);

/* @fn answers every request, now or later. */
int http_new(struct event_base *base, const struct http_options *o, http_fn fn, void *arg,
	     struct http **ret, struct error *e);
void http_free(struct http *h);		/* open requests end as if their clients were gone */

/* The query's parameter, or NULL. */
const char *http_query(const struct http_request *r, const char *name);
const char *http_header(const struct http_request *r, const char *name);
/* The body as text, with its length; valid until the reply. */
const char *http_body(struct http_request *r, size_t *ret_len);
/* Is called once if the client goes before the reply; @r is freed right after. */
void http_on_gone(struct http_request *r, void (*fn)(void *arg), void *arg);

/* Each ends the request and frees @r; JSON is deleted. */
void http_reply(struct http_request *r, int status, const char *type, const char *text);
void http_reply_json(struct http_request *r, int status, cJSON *json);
/* @problems may be NULL; @title and @detail are sentences without a stop. */
void http_problem(struct http_request *r, int status, const char *title, const char *detail,
		  const struct problems *problems);
void http_problem_fmt(struct http_request *r, int status, const char *title, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A reply in pieces: start, lines, end. http_line(): false: the client does not keep up, the request is over. */
void http_start(struct http_request *r, const char *type);
bool http_line(struct http_request *r, const char *text);
void http_end(struct http_request *r);

struct http_counts {
	uint64_t requests[6];		/* by status / 100 */
	unsigned int open;		/* requests */
	uint64_t refused;		/* because of too many connections */
};
const struct http_counts *http_counts(const struct http *h);
unsigned int http_connections(const struct http *h);
