// SPDX-License-Identifier: BSD-2-Clause
/*
 * channel.c - the leaders' end of channels
 */
#include <ctl/controller/channel.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/listener.h>
#include <event2/util.h>

#include <ctl/controller/channel_frame.h>
#include <ctl/controller/permits.h>
#include <ctl/controller/text.h>
#include <lib/clock.h>
#include <lib/log.h>

#define STREAM_BACKLOG (8u << 20)	/* of all hosts of a stream together */
#define WAIT_NS (600 * NS_PER_S)
#define BEHIND_MAX 8192u		/* bytes of names of hosts that are behind */

/* Streams and their sessions. */

struct stream_session {
	LIST_ENTRY(stream_session) next;
	struct stream *stream;
	struct vmc_session *vmc;	/* NULL: not attached */
	uint64_t n, sent, taken;
};

struct stream_wait {
	LIST_ENTRY(stream_wait) next;
	struct stream *stream;
	struct programming_wait *wait;
	uint64_t revision;
};

#define BUCKETS 1024u

struct stream {
	LIST_ENTRY(stream) next;
	struct channel_server *server;
	struct bufferevent *bev;
	bool known;			/* is a controller */
	LIST_HEAD(, stream_session) sessions[BUCKETS];
	LIST_HEAD(, stream_wait) waits;
};

struct channel_server {
	struct vmc *vmc;
	struct tls *tls;
	struct event_base *base;
	struct evconnlistener *listener;
	LIST_HEAD(, stream) streams;
};

static void say(struct stream *s, char kind, uint64_t n, const char *text)
{
	channel_put(bufferevent_get_output(s->bev), kind, n, text, strlen(text));
}

static void front_send(void *arg, const char *text, size_t len)
{
	struct stream_session *s = arg;

	s->sent += len;
	channel_put(bufferevent_get_output(s->stream->bev), 's', s->n, text, len);
}

static size_t front_backlog(void *arg)
{
	const struct stream_session *s = arg;

	if (evbuffer_get_length(bufferevent_get_output(s->stream->bev)) > STREAM_BACKLOG)
		return STREAM_BACKLOG;
	return s->sent - s->taken;
}

static void front_close(void *arg, const char *why)
{
	struct stream_session *s = arg;

	say(s->stream, 'c', s->n, why);
}

static void front_lost(void *arg)
{
	struct stream_session *s = arg;

	say(s->stream, 'l', s->n, "");
}

static const struct vmc_front front = { front_send, front_backlog, front_close, front_lost };

static struct stream_session *session_find(struct stream *s, uint64_t n)
{
	struct stream_session *one;

	LIST_FOREACH(one, &s->sessions[n % BUCKETS], next)
		if (one->n == n)
			return one;
	return NULL;
}

static void session_free(struct stream_session *s)
{
	if (s->vmc)
		vmc_detach(s->vmc);
	LIST_REMOVE(s, next);
	free(s);
}

static int attach(struct stream *s, const struct channel_frame *f, struct error *e)
{
	char host[MSG_NAME_MAX + 1], hex[DIGEST_STRLEN];
	struct stream_session *one;
	struct digest digest;

	if (sscanf(f->text, "%63s %32s", host, hex) != 2 || digest_parse(hex, &digest) ||
	    session_find(s, f->n))
		return error_set(e, -EBADMSG, "attach: host and digest are wanted, once");
	one = calloc(1, sizeof(*one));
	if (!one)
		return error_set(e, -ENOMEM, "no memory");
	one->stream = s;
	one->n = f->n;
	LIST_INSERT_HEAD(&s->sessions[f->n % BUCKETS], one, next);
	one->vmc = vmc_attach(s->server->vmc, host, &digest, &front, one);
	if (!one->vmc)
		front_lost(one);
	return 0;
}

static void on_programmed(void *arg, int err, const char *const *missing, unsigned int n)
{
	struct stream_wait *w = arg;

	(void)missing;
	(void)n;
	say(w->stream, 'p', w->revision, err == -ESTALE ? "moved" : "");
	LIST_REMOVE(w, next);
	free(w);
}

static int wait_for(struct stream *s, uint64_t revision, struct error *e)
{
	struct stream_wait *w = calloc(1, sizeof(*w));
	struct programming_wait *wait;

	if (!w)
		return error_set(e, -ENOMEM, "no memory");
	w->stream = s;
	w->revision = revision;
	LIST_INSERT_HEAD(&s->waits, w, next);
	wait = vmc_wait(s->server->vmc, revision, clock_now_ns() + WAIT_NS, on_programmed, w);
	if (wait)
		w->wait = wait;		/* else it was answered, and @w is gone */
	return 0;
}

/* As many as fit; who waits is told of a hundred. */
static void add_behind(void *to, const char *host)
{
	struct text *names = to;

	if (names->len + strlen(host) < BEHIND_MAX)
		text_fmt(names, "%s%s", names->len ? " " : "", host);
}

static void say_behind(struct stream *s, uint64_t revision)
{
	struct text names = {};

	programming_missing(vmc_programming(s->server->vmc), revision, add_behind, &names);
	if (!names.failed)
		say(s, 'b', revision, names.s ?: "");
	text_done(&names);
}

static int pass(struct stream_session *one, const struct channel_frame *f)
{
	struct error e = {};
	cJSON *msg = cJSON_ParseWithLength(f->text, f->len);
	int err = !msg || !one->vmc ? 0 : vmc_message(one->vmc, msg, &e);

	cJSON_Delete(msg);
	if (!msg || err)
		front_close(one, *e.text ? e.text : "the controller is out of memory for this");
	return 0;
}

static void answer(void *to, char kind, uint64_t n, const char *text)
{
	say(to, kind, n, text);
}

static int handle(struct stream *s, const struct channel_frame *f, struct error *e)
{
	struct stream_session *one = session_find(s, f->n);

	switch (f->kind) {
	case 'a':
		return attach(s, f, e);
	case 'w':
		return wait_for(s, f->n, e);
	case 'b':
		say_behind(s, f->n);
		return 0;
	case 'd':
		if (one)
			session_free(one);
		return 0;
	case 't':
		if (one)
			one->taken = strtoull(f->text, NULL, 10);
		if (one && one->vmc)
			vmc_drained(one->vmc);
		return 0;
	case 'm':
		return one ? pass(one, f) : 0;
	case PERMIT_WANTED:
	case PERMIT_GIVEN_BACK:
	case PERMIT_DOUBT:
		return vmc_permit(s->server->vmc, f->kind, f->n, f->text, f->len, answer, s, e);
	default:
		return 0;		/* of a later version */
	}
}

static void stream_free(struct stream *s, const char *why)
{
	struct stream_session *one;
	struct stream_wait *w;

	for (unsigned int b = 0; b < BUCKETS; b++)
		while ((one = LIST_FIRST(&s->sessions[b])))
			session_free(one);
	while ((w = LIST_FIRST(&s->waits))) {
		if (w->wait)
			programming_wait_cancel(vmc_programming(s->server->vmc), w->wait);
		LIST_REMOVE(w, next);
		free(w);
	}
	vmc_permit_gone(s->server->vmc, s);
	if (why)
		log_info("channel ended", "why", why);
	LIST_REMOVE(s, next);
	bufferevent_free(s->bev);
	free(s);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct stream *s = arg;
	struct channel_frame f;
	struct error e = {};
	char *copy;
	int n;

	while ((n = channel_take(bufferevent_get_input(bev), &copy, &f, &e)) == 1) {
		n = handle(s, &f, &e);
		free(copy);
		if (n < 0)
			break;
	}
	if (n < 0)
		stream_free(s, e.text);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct stream *s = arg;
	struct tls_identity peer;
	struct error e = {};
	char why[256];

	if (what & BEV_EVENT_CONNECTED && !tls_peer(bufferevent_openssl_get_ssl(bev), &peer, &e)) {
		log_info("channel", "from", peer.name);
		return;
	}
	tls_failure(bufferevent_openssl_get_ssl(bev), bufferevent_get_openssl_error(bev), why,
		    sizeof(why));
	stream_free(s, *e.text ? e.text : why);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct channel_server *c = arg;
	struct stream *s = calloc(1, sizeof(*s));
	SSL *ssl = s ? tls_open(c->tls) : NULL;

	(void)l;
	(void)sa;
	(void)len;
	if (ssl)
		s->bev = bufferevent_openssl_socket_new(c->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
							BEV_OPT_CLOSE_ON_FREE);
	if (!s || !s->bev) {
		SSL_free(ssl);
		evutil_closesocket(fd);
		free(s);
		return;
	}
	s->server = c;
	LIST_INSERT_HEAD(&c->streams, s, next);
	bufferevent_setcb(s->bev, on_read, NULL, on_event, s);
	bufferevent_enable(s->bev, EV_READ | EV_WRITE);
}

int channel_server_new(struct event_base *base, const char *listen, const struct tls_files *files,
		       struct vmc *vmc, struct channel_server **ret, struct error *e)
{
	struct channel_server *c = calloc(1, sizeof(*c));
	struct sockaddr_storage sa;
	int len = sizeof(sa), err;

	if (!c)
		return error_set(e, -ENOMEM, "no memory");
	c->vmc = vmc;
	c->base = base;
	err = tls_new(true, files, 1u << TLS_CONTROLLER, &c->tls, e);
	if (!err && evutil_parse_sockaddr_port(listen, (struct sockaddr *)&sa, &len))
		err = error_set(e, -EINVAL, "`%s` is no address for the channel", listen);
	if (!err)
		c->listener = evconnlistener_new_bind(
			base, on_accept, c,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 64,
			(struct sockaddr *)&sa, len);
	if (!err && !c->listener)
		err = error_set(e, -errno, "cannot listen on %s: %s", listen, strerror(errno));
	if (err) {
		channel_server_free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void channel_server_free(struct channel_server *c)
{
	struct stream *s;

	if (!c)
		return;
	while ((s = LIST_FIRST(&c->streams)))
		stream_free(s, NULL);
	if (c->listener)
		evconnlistener_free(c->listener);
	tls_free(c->tls);
	free(c);
}
