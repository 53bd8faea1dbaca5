// SPDX-License-Identifier: BSD-2-Clause
/*
 * http_conn.c - the web server's connections: how many there are, and what libevent says on them
 *
 *	accepted ──► served		up to the limit of the listener
 *	        └──► surplus		HTTP_SURPLUS more; each request is answered with 503
 *	             listener rests	beyond that the kernel keeps who comes waiting
 *
 * libevent answers what it cannot read by itself, with a page for browsers. Such a page
 * is exchanged for a problem like any other before it is sent: whatever starts to wait
 * for being written is looked at within the same turn of the loop. It closes the
 * connection behind its page, and so does what is sent instead.
 *
 * libevent 2.1 does not tell of new connections. But it asks for a bufferevent for each,
 * and makes the connection the argument of its callbacks: there it is found, once, as
 * soon as the listener is done with it.
 */
#include <ctl/controller/http_parts.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>

#include <lib/log.h>

#define HEAD_MAX 256			/* of a reply: libevent's own headers are shorter */

static uint64_t conn_hash(const void *entry)
{
	return (uintptr_t)((const struct http_conn *)entry)->evcon * 0x9e3779b97f4a7c15ull >> 20;
}

static bool conn_same(const void *a, const void *b)
{
	return ((const struct http_conn *)a)->evcon == ((const struct http_conn *)b)->evcon;
}

void http_conns_init(struct http_listener *l)
{
	index_init(&l->conns, conn_hash, conn_same);
}

struct http_conn *http_conn_find(struct http_listener *l, struct evhttp_connection *evcon)
{
	struct http_conn like = { .evcon = evcon };

	return index_find(&l->conns, &like);
}

/* Accepts, or lets who comes wait. */
static void pace(struct http_listener *l)
{
	bool full = l->open >= l->http->connections_max + HTTP_SURPLUS;

	if (!l->socket || full == l->resting)
		return;
	l->resting = full;
	if (full)
		evconnlistener_disable(l->socket);
	else
		evconnlistener_enable(l->socket);
}

static void conn_free(struct http_conn *c)
{
	struct http_listener *l = c->listener;

	index_del(&l->conns, c);
	event_free(c->look);
	free(c);
	l->open--;
	pace(l);
}

static void on_closed(struct evhttp_connection *evcon, void *arg)
{
	struct http_conn *c = arg;

	(void)evcon;
	if (c->request)
		http_request_closed(c->request);
	conn_free(c);
}

/* @c->evcon is known from now on. */
static void adopt(struct http_conn *c)
{
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;
	void *evcon;

	bufferevent_getcb(c->bev, &read_cb, &write_cb, &event_cb, &evcon);
	c->evcon = evcon;
	evhttp_connection_set_closecb(c->evcon, on_closed, c);
	if (index_add(&c->listener->conns, c))
		log_warn("out of memory for a connection; its requests are not answered");
}

static const char *what_is_wrong(int status)
{
	return status == 413 ? "the body is larger than is taken here" :
	       status == 417 ? "there is no such expectation; 100-continue is the only one" :
	       "this is no request that can be read: its first line or a header is wrong, or its"
	       " headers are too large";
}

/* Exchanges a page of libevent's own. */
static void exchange(struct http_conn *c)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	char head[HEAD_MAX + 1], reason[64];
	ev_ssize_t n = evbuffer_copyout(out, head, HEAD_MAX);
	char *text;
	int status;

	head[n > 0 ? n : 0] = '\0';
	if (sscanf(head, "HTTP/%*d.%*d %d %63[^\r]", &status, reason) != 2 ||
	    !strstr(head, "\r\nContent-Type: text/html\r\n"))
		return;
	text = http_problem_text(status, reason, what_is_wrong(status));
	evbuffer_drain(out, evbuffer_get_length(out));
	evbuffer_add_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: application/problem+json\r\n"
			    "Cache-Control: no-store\r\nContent-Length: %zu\r\nConnection: close\r\n"
			    "\r\n%s", status, reason, strlen(text ?: ""), text ?: "");
	free(text);
	c->listener->http->counts.requests[status / 100 % 6]++;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
	struct http_conn *c = arg;

	(void)fd;
	(void)what;
	if (!c->evcon)
		adopt(c);
	exchange(c);
}

static void on_output(struct evbuffer *out, const struct evbuffer_cb_info *info, void *arg)
{
	struct http_conn *c = arg;

	(void)out;
	if (!info->orig_size && info->n_added)
		event_active(c->look, EV_WRITE, 0);
}

static struct bufferevent *new_stream(const struct http_listener *l)
{
	struct event_base *base = l->http->base;
	SSL *ssl = l->kind == HTTP_TLS ? SSL_new(l->http->ssl) : NULL;
	struct bufferevent *bev;

	if (l->kind != HTTP_TLS)
		return bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (!ssl)
		return NULL;
	bev = bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING,
					     BEV_OPT_CLOSE_ON_FREE);
	if (bev)
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

struct bufferevent *http_conn_new(struct event_base *base, void *arg)
{
	struct http_listener *l = arg;
	struct http_conn *c = calloc(1, sizeof(*c));
	struct bufferevent *bev = c ? new_stream(l) : NULL;

	if (bev)
		c->look = event_new(base, -1, 0, on_look, c);
	if (!bev || !c->look) {
		log_error("out of memory for a connection; starting again");
		abort();
	}
	c->listener = l;
	c->bev = bev;
	evbuffer_add_cb(bufferevent_get_output(bev), on_output, c);
	event_active(c->look, EV_WRITE, 0);
	l->open++;
	c->surplus = l->open > l->http->connections_max;
	pace(l);
	return bev;
}

bool http_conn_served(struct http_conn *c)
{
	struct http_listener *l = c->listener;

	c->surplus &= l->open > l->http->connections_max;
	l->http->counts.refused += c->surplus;
	return !c->surplus;
}
