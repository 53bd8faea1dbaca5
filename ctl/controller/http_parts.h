/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * http_parts.h - what http.c and http_listen.c share. Private to them.
 */
#pragma once

#include <ctl/controller/http.h>

enum http_kind { HTTP_TLS, HTTP_PLAIN, HTTP_SOCKET, HTTP_KINDS };

struct http_listener {
	struct http *http;
	enum http_kind kind;
	struct evhttp *evhttp;		/* NULL: not asked for */
};

struct http {
	struct event_base *base;
	SSL_CTX *ssl;
	struct auth *auth;
	struct http_listener listeners[HTTP_KINDS];
	char *socket_path;
	unsigned int idle_s;
	http_fn fn;
	void *arg;
	struct http_counts counts;
};

void http_on_request(struct evhttp_request *req, void *arg);
bool http_is_public(const struct http_request *r);
/* The socket's or certificate's owner into r->who; false: nobody, with -EACCES somebody who may not, -EPERM nobody we trust. */
bool http_listener_identity(const struct http_listener *l, struct http_request *r, struct error *e);
