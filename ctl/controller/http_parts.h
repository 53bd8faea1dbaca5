/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_parts.h - what http.c, http_conn.c and http_listen.c share. Private to them.
 */
#pragma once

#include <event2/bufferevent.h>
#include <event2/listener.h>

#include <ctl/controller/http.h>
#include <ctl/controller/index.h>

#define HTTP_SURPLUS 32u		/* connections beyond the limit that are told so */

enum http_kind { HTTP_TLS, HTTP_PLAIN, HTTP_SOCKET, HTTP_KINDS };

struct http_listener {
	struct http *http;
	enum http_kind kind;
	struct evhttp *evhttp;		/* NULL: not asked for */
	struct evconnlistener *socket;	/* evhttp's; NULL: being closed */
	struct index conns;		/* struct http_conn, by evcon */
	unsigned int open;		/* connections */
	bool resting;			/* nobody is accepted */
};

struct http_conn {
	struct http_listener *listener;
	struct bufferevent *bev;
	struct evhttp_connection *evcon;	/* NULL: not known yet */
	struct event *look;		/* at what is about to be written */
	struct http_request *request;	/* being answered, or NULL */
	bool surplus;
};

struct http {
	struct event_base *base;
	SSL_CTX *ssl;
	struct auth *auth;
	struct http_listener listeners[HTTP_KINDS];
	char *socket_path;
	unsigned int idle_s, connections_max;
	http_fn fn;
	void *arg;
	struct http_counts counts;
};

/* http_conn.c */
void http_conns_init(struct http_listener *l);
/* evhttp's: the stream of a new connection of the listener @arg. */
struct bufferevent *http_conn_new(struct event_base *base, void *arg);
struct http_conn *http_conn_find(struct http_listener *l, struct evhttp_connection *evcon);
/* False: there are too many, and it is one of those. */
bool http_conn_served(struct http_conn *c);

/* http.c */
void http_request_closed(struct http_request *r);
/* A problem's text; free() it. NULL: no memory. */
char *http_problem_text(int status, const char *title, const char *detail);
void http_on_request(struct evhttp_request *req, void *arg);
bool http_is_public(const struct http_request *r);
/* The socket's or certificate's owner into r->who; false: nobody, with -EACCES somebody who may not, -EPERM nobody we trust. */
bool http_listener_identity(const struct http_listener *l, struct http_request *r, struct error *e);
