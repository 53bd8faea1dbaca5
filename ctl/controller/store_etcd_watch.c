// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_etcd_watch.c - watches as streams of lines from etcd, resumed where they broke
 *
 *	  ┌────────────── stream breaks, or the member has no leader ──────────────┐
 *	  ▼                                                                        │
 *	wait ──► POST /v3/watch, start_revision = position + 1 ──► lines ──► changes
 *
 * `position` is the revision up to which everything was delivered; whatever member
 * the next stream comes from, it goes on behind it and nothing comes twice. A member
 * that lost its leader is asked to end the stream (hasleader), one that vanished is
 * noticed by TCP. Lines are bounded; so is a stream, after which another begins.
 *
 * Streams end within their own callbacks: etcd_conn_bury() frees them later.
 */
#include <ctl/controller/store_etcd.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include <ctl/controller/store_impl.h>
#include <lib/log.h>

#define RETRY_MIN_MS 20u
#define RETRY_MAX_MS 1000u

struct stream;

struct etcd_watch {
	struct store_watch w;
	struct etcd_watch *next, **pprev;
	struct stream *stream;		/* or NULL: waiting for the timer, or over */
	struct event *timer;		/* begins the next stream */
	int64_t position;		/* -1: from now on, and no stream said yet what now is */
	unsigned int retry_ms;
};

/* Outlives the watch where it ends within a callback of its own. */
struct stream {
	struct etcd_watch *w;		/* NULL: ended */
	struct etcd_conn *conn;
	struct evbuffer *in;		/* what is not a whole line yet */
	bool starting, failed;		/* within etcd_conn_post(), which may call back; and it did */
};

static struct etcd_client *client_of(const struct etcd_watch *w)
{
	return ((struct etcd_store *)w->w.store)->client;
}

/* ---- the life of a stream ---- */

static void end_stream(struct etcd_watch *w)
{
	struct stream *t = w->stream;

	if (!t)
		return;
	w->stream = NULL;
	t->w = NULL;
	evbuffer_free(t->in);
	if (t->conn)
		etcd_conn_bury(t->conn, t);
	else
		free(t);
}

static void retry_later(struct etcd_watch *w)
{
	struct timeval t = { w->retry_ms / 1000, w->retry_ms % 1000 * 1000 };

	w->retry_ms = 2 * w->retry_ms < RETRY_MAX_MS ? 2 * w->retry_ms : RETRY_MAX_MS;
	event_add(w->timer, &t);
}

static void next_stream(struct etcd_watch *w, const char *why)
{
	log_debug("watch goes on with another stream", "prefix", w->w.prefix, "reason", why);
	end_stream(w);
	etcd_client_next_member(client_of(w));
	retry_later(w);
}

/* ---- what a stream brings ---- */

static void compacted(struct etcd_watch *w, int64_t since)
{
	struct error e;

	end_stream(w);
	error_set(&e, -ESTALE, "etcd keeps changes since revision %lld, not from %lld on: "
		  "read everything again", (long long)since, (long long)w->position + 1);
	w->w.fn(w->w.arg, &(struct store_change){ .err = e.err, .text = e.text });
}

static void show_events(struct stream *t, const struct etcd_answer *a)
{
	for (unsigned int i = 0, n; i < a->n && t->w; i += n) {
		struct store_change c = { .text = "", .revision = a->events[i].kv.mod_revision,
					  .events = &a->events[i] };

		for (n = 1; i + n < a->n && a->events[i + n].kv.mod_revision == c.revision;)
			n++;
		if (c.revision <= t->w->position)
			continue;
		c.n = n;
		t->w->position = c.revision;
		t->w->w.fn(t->w->w.arg, &c);
	}
}

static void take_answer(struct stream *t, const struct etcd_answer *a)
{
	struct etcd_watch *w = t->w;

	if (a->compact_revision) {
		compacted(w, a->compact_revision);
	} else if (a->canceled) {
		next_stream(w, "the member cancelled it");
	} else if (a->created) {
		etcd_conn_keepalive(t->conn);
		w->retry_ms = RETRY_MIN_MS;
		if (w->position < 0)
			w->position = a->revision;
	} else if (a->n) {
		show_events(t, a);
	} else if (a->revision > w->position) {
		w->position = a->revision;	/* a sign of life: up to here there was nothing for us */
	}
}

static void take_line(struct stream *t, const char *line, size_t len)
{
	struct etcd_answer a;
	struct error e;

	if (etcd_parse(ETCD_WATCH, 200, line, len, &a, &e))
		next_stream(t->w, e.text);
	else
		take_answer(t, &a);
	etcd_answer_done(&a);
}

static void on_chunk(struct evhttp_request *req, void *arg)
{
	struct stream *t = arg;
	char *line;
	size_t len;

	if (!t->w || evhttp_request_get_response_code(req) != 200)
		return;
	evbuffer_add_buffer(t->in, evhttp_request_get_input_buffer(req));
	while (t->w && (line = evbuffer_readln(t->in, &len, EVBUFFER_EOL_LF))) {
		if (len)
			take_line(t, line, len);
		free(line);
	}
	if (t->w && evbuffer_get_length(t->in) > ETCD_ANSWER_MAX) {
		log_warn("watch: a change too large to take", "prefix", t->w->w.prefix);
		next_stream(t->w, "a line too long");
	}
}

static void on_end(struct evhttp_request *req, void *arg)
{
	struct stream *t = arg;

	(void)req;
	if (t->starting)
		t->failed = true;
	else if (t->w)
		next_stream(t->w, "the stream ended");
}

static int post(struct stream *t)
{
	struct evhttp_request *req = evhttp_request_new(on_end, t);
	size_t len;
	char *body = etcd_watch_body(t->w->w.prefix, t->w->position + 1, &len);
	int err = -ENOMEM;

	if (req && body) {
		evhttp_request_set_chunked_cb(req, on_chunk);
		evhttp_add_header(evhttp_request_get_output_headers(req), "Grpc-Metadata-hasleader", "true");
		err = etcd_conn_post(t->conn, req, "/v3/watch", body, len);
	} else if (req) {
		evhttp_request_free(req);
	}
	free(body);
	return err;
}

static void start_stream(evutil_socket_t fd, short what, void *arg)
{
	struct etcd_watch *w = arg;
	struct stream *t = calloc(1, sizeof(*t));

	(void)fd;
	(void)what;
	if (!t || !(t->in = evbuffer_new())) {
		free(t);
		retry_later(w);
		return;
	}
	t->w = w;
	w->stream = t;
	t->starting = true;
	t->conn = etcd_conn_new(client_of(w));
	if (!t->conn || post(t))
		t->failed = true;
	t->starting = false;
	if (t->failed)
		next_stream(w, "no connection");
}

/* ---- the interface ---- */

struct store_watch *etcd_watch_new(struct store *store, const char *prefix, int64_t from,
				   store_watch_fn fn, void *arg)
{
	struct etcd_store *s = (struct etcd_store *)store;
	struct etcd_watch *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	store_watch_init(&w->w, store, prefix, fn, arg);
	w->position = from - 1;
	w->retry_ms = RETRY_MIN_MS;
	w->timer = evtimer_new(store->base, start_stream, w);
	if (!w->timer) {
		free(w);
		return NULL;
	}
	w->next = s->watches;
	w->pprev = &s->watches;
	if (w->next)
		w->next->pprev = &w->next;
	s->watches = w;
	event_active(w->timer, EV_TIMEOUT, 0);
	return &w->w;
}

void etcd_watch_cancel(struct store_watch *watch)
{
	struct etcd_watch *w = (struct etcd_watch *)watch;

	*w->pprev = w->next;
	if (w->next)
		w->next->pprev = w->pprev;
	end_stream(w);
	event_free(w->timer);
	free(w);
}

void etcd_watches_free(struct etcd_store *s)
{
	while (s->watches)
		etcd_watch_cancel(&s->watches->w);
}
