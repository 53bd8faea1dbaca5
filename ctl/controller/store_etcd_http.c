// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_etcd_http.c - HTTP to whichever member of a cluster answers
 *
 * A call is a series of tries, each with one member. libevent says by the way it
 * reports a failure whether a request was sent: a connection that never came about
 * hands the request back, one that broke does not (with TLS, it may have broken in
 * its handshake). A member that swallows packets is given CONNECT_MS.
 *
 * See also: store_etcd_conn.c (members, TLS, connections).
 */
#include <ctl/controller/store_etcd_http.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <ctl/controller/store_etcd_conn.h>
#include <lib/clock.h>

#define CONNECT_MS 1000u

struct etcd_call {
	struct etcd_call *next, **pprev;
	struct etcd_client *client;
	struct etcd_request r;
	struct etcd_conn *conn;		/* of the try under way, or NULL */
	struct event *timer;
	uint64_t deadline_ms, try_until_ms;
	unsigned int tries;
	bool starting;			/* within etcd_conn_post(), which may call back */
	bool failed;			/* already while starting */
	bool too_long;
	struct error e;			/* of the last try */
};

static uint64_t now_ms(void)
{
	return clock_now_ns() / NS_PER_MS;
}

static void set_timer(struct etcd_call *call, uint64_t ms)
{
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_add(call->timer, &t);
}

/* ---- the end of a call ---- */

static void call_free(struct etcd_call *call)
{
	*call->pprev = call->next;
	if (call->next)
		call->next->pprev = call->pprev;
	event_free(call->timer);
	free(call->r.body);
	free(call);
}

static void end_call(struct etcd_call *call, const struct error *e, const char *text, size_t len)
{
	call->r.fn(call->r.arg, e, text, len);
	call_free(call);
}

static bool may_try_again(const struct etcd_call *call)
{
	return (call->r.repeatable || call->e.err == -EAGAIN) &&
	       call->tries < etcd_client_n_members(call->client) && now_ms() < call->deadline_ms;
}

static void start_try(struct etcd_call *call);

static void try_failed(struct etcd_call *call)
{
	if (call->conn) {
		etcd_conn_failed(call->conn);
		call->conn = NULL;
	}
	call->tries++;
	if (may_try_again(call))
		start_try(call);
	else
		end_call(call, &call->e, NULL, 0);
}

/* ---- one try ---- */

static void on_error(enum evhttp_request_error error, void *arg)
{
	struct etcd_call *call = arg;

	call->too_long = error == EVREQ_HTTP_DATA_TOO_LONG;
}

static int broken(struct etcd_call *call, bool sent)
{
	const char *member = etcd_conn_name(call->conn);

	if (call->too_long)
		return error_set(&call->e, -EFBIG, "etcd %s: an answer of more than %u bytes", member,
				 ETCD_ANSWER_MAX);
	if (!sent)
		return error_set(&call->e, -EAGAIN, "etcd %s cannot be reached: %s", member,
				 etcd_conn_why(call->conn));
	return error_set(&call->e, -ETIMEDOUT, "etcd %s did not answer: it may have been done or not",
			 member);
}

/* An answer of HTTP. False: an error that another member may not give. */
static bool take_answer(struct etcd_call *call, struct evhttp_request *req)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(req);
	size_t len = evbuffer_get_length(in);
	const char *text = len ? (const char *)evbuffer_pullup(in, -1) : "";
	struct etcd_answer none;

	if (evhttp_request_get_response_code(req) == 200) {
		etcd_conn_reuse(call->conn);
		call->conn = NULL;
		end_call(call, NULL, text, len);
		return true;
	}
	etcd_parse(ETCD_LEASE, evhttp_request_get_response_code(req), text, len, &none, &call->e);
	etcd_answer_done(&none);
	if (call->e.err == -EAGAIN || call->e.err == -ETIMEDOUT)
		return false;
	etcd_conn_reuse(call->conn);
	call->conn = NULL;
	end_call(call, &call->e, NULL, 0);
	return true;
}

static void on_answer(struct evhttp_request *req, void *arg)
{
	struct etcd_call *call = arg;

	if (req && evhttp_request_get_response_code(req)) {
		if (take_answer(call, req))
			return;
	} else {
		broken(call, !req && etcd_conn_was_open(call->conn));
	}
	if (call->starting)
		call->failed = true;
	else
		try_failed(call);
}

static int post(struct etcd_call *call)
{
	struct evhttp_request *req = evhttp_request_new(on_answer, call);

	if (!req)
		return -ENOMEM;
	evhttp_request_set_error_cb(req, on_error);
	return etcd_conn_post(call->conn, req, call->r.path, call->r.body, call->r.len);
}

static void start_try(struct etcd_call *call)
{
	uint64_t now = now_ms(), left = call->deadline_ms > now ? call->deadline_ms - now : 0;

	if (call->r.timeout_ms && call->r.timeout_ms < left)
		left = call->r.timeout_ms;
	call->try_until_ms = now + left;
	call->failed = false;
	call->starting = true;
	call->conn = etcd_conn_take(call->client);
	if (!call->r.body || !call->conn || post(call)) {
		error_set(&call->e, -ENOMEM, "etcd: out of memory");
		call->failed = true;
	}
	call->starting = false;
	set_timer(call, call->failed ? 0 : left < CONNECT_MS ? left : CONNECT_MS);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct etcd_call *call = arg;
	uint64_t now = now_ms();
	bool open;

	(void)fd;
	(void)what;
	if (!call->failed) {
		open = etcd_conn_is_open(call->conn);
		if (open && now < call->try_until_ms) {
			set_timer(call, call->try_until_ms - now);
			return;
		}
		broken(call, open);
	}
	try_failed(call);
}

/* ---- the interface ---- */

void etcd_client_post(struct etcd_client *c, const struct etcd_request *r)
{
	struct etcd_call *call = calloc(1, sizeof(*call));

	if (!call)
		abort();		/* nobody could be told either */
	call->r = *r;
	call->client = c;
	call->deadline_ms = now_ms() + etcd_client_timeout_ms(c);
	call->timer = evtimer_new(etcd_client_base(c), on_timer, call);
	if (!call->timer)
		abort();
	call->pprev = etcd_client_calls(c);
	call->next = *call->pprev;
	if (call->next)
		call->next->pprev = &call->next;
	*call->pprev = call;
	start_try(call);
}

void etcd_client_cancel(struct etcd_client *c)
{
	struct etcd_call *call;
	struct error e;

	error_set(&e, -ECANCELED, "store: it is being closed");
	while ((call = *etcd_client_calls(c))) {
		if (call->conn)
			etcd_conn_bury(call->conn, NULL);
		end_call(call, &e, NULL, 0);
	}
}
