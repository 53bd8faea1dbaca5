/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_etcd_http.h - HTTP to whichever member of a cluster answers
 *
 * A call goes to the current member; if that cannot be reached, to the next, and
 * the one that answers becomes the current one. What must not be done twice is
 * repeated only where it is certain that it never left. Every call ends within its
 * time, with an answer or with -EAGAIN (never left) or -ETIMEDOUT.
 *
 * Connections carry one request at a time and are kept for the next; one that
 * failed is never used again, and is freed from the loop, not from within its own
 * callback.
 */
#pragma once

#include <event2/http.h>

#include <ctl/controller/store_etcd_json.h>

#define ETCD_ANSWER_MAX (64u << 20)	/* bytes of one answer */

struct etcd_client;
struct etcd_conn;
struct etcd_call;

/* @urls: "http://host:port,..."; names are resolved now. */
int etcd_client_new(struct event_base *base, const struct store_options *o, const char *urls,
		    struct etcd_client **ret, struct error *e);
void etcd_client_cancel(struct etcd_client *c);	/* ends all calls, -ECANCELED */
void etcd_client_free(struct etcd_client *c);	/* NULL is allowed */
unsigned int etcd_client_n_members(const struct etcd_client *c);

/* @e is set, or @text is what came with status 200. -EFBIG: more than ETCD_ANSWER_MAX. */
typedef void (*etcd_call_fn)(void *arg, const struct error *e, const char *text, size_t len);

struct etcd_request {
	const char *path;
	char *body;			/* is taken over; NULL: out of memory */
	size_t len;
	bool repeatable;		/* reads, and what may happen twice */
	unsigned int timeout_ms;	/* of one try, if it is repeatable; 0: as long as there is */
	etcd_call_fn fn;
	void *arg;
};

/* @fn is never called from inside. */
void etcd_client_post(struct etcd_client *c, const struct etcd_request *r);

/* For streams: a connection of one's own. NULL: out of memory or no TLS to be had. */
struct etcd_conn *etcd_conn_new(struct etcd_client *c);
int etcd_conn_post(struct etcd_conn *conn, struct evhttp_request *req, const char *path,
		   const char *body, size_t len);	/* takes @req; 0 or -errno */
void etcd_conn_keepalive(struct etcd_conn *conn);	/* notices a peer that vanished within seconds */
/* Frees the connection, and then @also, once no callback of theirs is running. */
void etcd_conn_bury(struct etcd_conn *conn, void *also);
void etcd_client_next_member(struct etcd_client *c);
