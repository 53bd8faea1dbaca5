// SPDX-License-Identifier: BSD-2-Clause
/*
 * http.c - the web server under the API: requests and replies
 *
 * See also: http_listen.c (listeners and TLS), http_conn.c (how many connections).
 */
#include <ctl/controller/http_parts.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>

#include <lib/log.h>

static void request_free(struct http_request *r)
{
	for (unsigned int i = 0; i < r->n_segments; i++)
		free(r->segments[i]);
	evhttp_clear_headers(&r->query);
	r->http->counts.open--;
	free(r);
}

void http_request_closed(struct http_request *r)
{
	if (!evhttp_request_get_connection(r->req))
		evhttp_request_free(r->req);	/* evhttp left it to us */
	r->req = NULL;
	if (r->on_gone)
		r->on_gone(r->arg);
	request_free(r);
}

void http_on_gone(struct http_request *r, void (*fn)(void *arg), void *arg)
{
	r->on_gone = fn;
	r->arg = arg;
}

/* The reply is on its way: the connection is evhttp's alone again. */
static void let_go(struct http_request *r, int status)
{
	r->conn->request = NULL;
	r->http->counts.requests[status / 100]++;
	log_debug("request", "who", r->who.known ? r->who.name : "-", "path",
		  evhttp_request_get_uri(r->req), "status", log_fmt("%d", status));
}

static void set_header(struct http_request *r, const char *name, const char *value)
{
	evhttp_add_header(evhttp_request_get_output_headers(r->req), name, value);
}

/* Reasons libevent does not know; it writes the others itself. */
static const char *reason(int status)
{
	return status == 422 ? "Unprocessable Content" : status == 507 ? "Insufficient Storage" : NULL;
}

void http_reply(struct http_request *r, int status, const char *type, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	let_go(r, status);
	set_header(r, "Content-Type", type);
	set_header(r, "Cache-Control", "no-store");
	if (body && text)
		evbuffer_add(body, text, strlen(text));
	evhttp_send_reply(r->req, status, reason(status), body);
	if (body)
		evbuffer_free(body);
	request_free(r);
}

static void reply_json(struct http_request *r, int status, const char *type, cJSON *json)
{
	char *text = json ? cJSON_PrintUnformatted(json) : NULL;

	cJSON_Delete(json);
	http_reply(r, text ? status : 500, type, text ?: "{}");
	free(text);
}

void http_reply_json(struct http_request *r, int status, cJSON *json)
{
	reply_json(r, status, "application/json", json);
}

static cJSON *problem_json(int status, const char *title, const char *detail)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "type", "about:blank");
	cJSON_AddStringToObject(json, "title", title);
	cJSON_AddNumberToObject(json, "status", status);
	if (detail && *detail)
		cJSON_AddStringToObject(json, "detail", detail);
	return json;
}

char *http_problem_text(int status, const char *title, const char *detail)
{
	cJSON *json = problem_json(status, title, detail);
	char *text = cJSON_PrintUnformatted(json);

	cJSON_Delete(json);
	return text;
}

void http_problem(struct http_request *r, int status, const char *title, const char *detail,
		  const struct problems *problems)
{
	cJSON *json = problem_json(status, title, detail);

	if (problems && problems->n) {
		cJSON_AddItemToObject(json, "errors", problems_json(problems));
		cJSON_AddNumberToObject(json, "errorCount", problems->n);
	}
	if (status == 401)
		set_header(r, "WWW-Authenticate", "Bearer realm=\"mirach\"");
	if (status == 503)
		set_header(r, "Retry-After", "1");
	reply_json(r, status, "application/problem+json", json);
}

void http_problem_fmt(struct http_request *r, int status, const char *title, const char *fmt, ...)
{
	char detail[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	http_problem(r, status, title, detail, NULL);
}

/* A client that only listens is not idle; one that does not take what is sent is. */
void http_start(struct http_request *r, const char *type)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(r->req);
	const struct timeval idle = { .tv_sec = r->http->idle_s };

	bufferevent_set_timeouts(evhttp_connection_get_bufferevent(conn), NULL, &idle);
	set_header(r, "Connection", "close");
	set_header(r, "Content-Type", type);
	set_header(r, "Cache-Control", "no-store");
	evhttp_send_reply_start(r->req, 200, "OK");
}

bool http_line(struct http_request *r, const char *text)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(r->req);
	struct bufferevent *bev = conn ? evhttp_connection_get_bufferevent(conn) : NULL;
	struct evbuffer *line;

	if (!bev || evbuffer_get_length(bufferevent_get_output(bev)) > HTTP_BACKLOG_MAX) {
		log_warn("a client does not read what it asked for; it is given up", "who",
			 r->who.name);
		http_end(r);
		return false;
	}
	line = evbuffer_new();
	if (!line)
		return true;
	evbuffer_add_printf(line, "%s\n", text);
	evhttp_send_reply_chunk(r->req, line);
	evbuffer_free(line);
	return true;
}

/*
 * libevent ends a reply when something has been written, and that may be what was sent
 * before: over TLS it hears of it a little later. So it hears only when all is.
 */
static bufferevent_data_cb libevent_written;

static void written(struct bufferevent *bev, void *arg)
{
	if (!evbuffer_get_length(bufferevent_get_output(bev)))
		libevent_written(bev, arg);
}

static void tell_when_all_is_written(struct evhttp_connection *conn)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(conn);
	bufferevent_data_cb read_cb, write_cb;
	bufferevent_event_cb event_cb;
	void *arg;

	bufferevent_getcb(bev, &read_cb, &write_cb, &event_cb, &arg);
	if (write_cb != written)
		libevent_written = write_cb;
	bufferevent_setcb(bev, read_cb, written, event_cb, arg);
}

void http_end(struct http_request *r)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(r->req);
	bool chunked = r->req->chunked;		/* else @conn may be gone with the reply */

	let_go(r, 200);
	evhttp_send_reply_end(r->req);
	if (conn && chunked)
		tell_when_all_is_written(conn);
	request_free(r);
}

const char *http_query(const struct http_request *r, const char *name)
{
	return evhttp_find_header(&r->query, name);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return evhttp_find_header(evhttp_request_get_input_headers(r->req), name);
}

const char *http_body(struct http_request *r, size_t *ret_len)
{
	struct evbuffer *in = evhttp_request_get_input_buffer(r->req);

	*ret_len = evbuffer_get_length(in);
	return *ret_len ? (const char *)evbuffer_pullup(in, -1) : "";
}

/* Splits the path; false: too many segments, or an empty one. */
static bool read_path(struct http_request *r, const char *path)
{
	char *copy = path && *path == '/' ? strdup(path + 1) : NULL, *save = NULL;
	bool good = copy && !strstr(path, "//");

	for (char *s = copy ? strtok_r(copy, "/", &save) : NULL; s && good;
	     s = strtok_r(NULL, "/", &save)) {
		good = r->n_segments < HTTP_SEGMENTS_MAX;
		if (good)
			r->segments[r->n_segments++] = evhttp_uridecode(s, 0, NULL);
	}
	free(copy);
	for (unsigned int i = 0; i < r->n_segments; i++)
		good &= r->segments[i] != NULL;
	return good;
}

static void refuse_identity(struct http_request *r, const char *why)
{
	http_problem(r, 401, "Who is asking?", why, NULL);
}

/* A token decides if there is one, else the socket's or the certificate's owner. */
static bool identify(struct http_request *r, const struct http_listener *l)
{
	static const char bearer[] = "Bearer ";
	const char *given = http_header(r, "Authorization");
	struct error e = {};

	if (given && strncasecmp(given, bearer, strlen(bearer))) {
		refuse_identity(r, "the Authorization header must be \"Bearer TOKEN\"");
		return false;
	}
	if (given) {
		if (!auth_token(r->http->auth, given + strlen(bearer), time(NULL), &r->who, &e))
			return true;
		refuse_identity(r, e.text);
		return false;
	}
	if (http_listener_identity(l, r, &e))
		return true;
	if (e.err == -EACCES)
		http_problem(r, 403, "Not allowed", e.text, NULL);
	else
		refuse_identity(r, e.err ? e.text : "give a client certificate or a bearer token");
	return false;
}

/* NULL: no memory; it was answered. */
static struct http_request *request_new(struct evhttp_request *req, struct http_listener *l)
{
	struct http_conn *c = http_conn_find(l, evhttp_request_get_connection(req));
	struct http_request *r = c ? calloc(1, sizeof(*r)) : NULL;

	if (!r) {
		evhttp_send_error(req, 503, NULL);
		return NULL;
	}
	l->http->counts.open++;
	TAILQ_INIT(&r->query);
	r->http = l->http;
	r->conn = c;
	r->req = req;
	r->method = evhttp_request_get_command(req);
	c->request = r;
	return r;
}

static void refuse_surplus(struct http_request *r)
{
	set_header(r, "Connection", "close");
	http_problem_fmt(r, 503, "Too many connections", "there are %u already, and no more are"
			 " served at once; try again soon", r->http->connections_max);
}

void http_on_request(struct evhttp_request *req, void *arg)
{
	struct http_listener *l = arg;
	struct http_request *r = request_new(req, l);
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	bool good;

	if (!r)
		return;
	if (!http_conn_served(r->conn)) {
		refuse_surplus(r);
		return;
	}
	good = uri && read_path(r, evhttp_uri_get_path(uri));
	if (good && evhttp_uri_get_query(uri))
		good = !evhttp_parse_query_str(evhttp_uri_get_query(uri), &r->query);
	if (!good)
		http_problem(r, 400, "No such address", "the path or query cannot be read", NULL);
	else if (http_is_public(r) || identify(r, l))
		r->http->fn(r->http->arg, r);
}

/* What anybody may ask: is it there, and how is it spoken to. */
bool http_is_public(const struct http_request *r)
{
	if (r->n_segments == 1)
		return !strcmp(r->segments[0], "healthz");
	return r->n_segments == 2 && !strcmp(r->segments[1], "openapi.json");
}

const struct http_counts *http_counts(const struct http *h)
{
	return &h->counts;
}

unsigned int http_connections(const struct http *h)
{
	unsigned int n = 0;

	for (enum http_kind kind = 0; kind < HTTP_KINDS; kind++)
		n += h->listeners[kind].open;
	return n;
}
