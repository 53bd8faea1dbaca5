// SPDX-License-Identifier: BSD-2-Clause
/*
 * ofe.c - the front end: the listener, its pacing, and the clock of all sessions
 *
 * Handshakes cost signatures. So only HANDSHAKES_MAX are under way; while there are as
 * many nobody else is accepted, and whoever waits does so in the kernel's queue, for
 * nothing. Five thousand hosts that return at once thus come one after the other.
 */
#include <ctl/controller/ofe_internal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <event2/util.h>

#include <lib/clock.h>
#include <lib/log.h>

#define HANDSHAKES_MAX 128u
#define LISTEN_QUEUE 4096
#define TICK_MS 250
#define PING_MS 10000u
#define USAGE_MS 50u

static void format_peer(const struct sockaddr *sa, char *buf, size_t len)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;

	if (sa->sa_family == AF_INET6)
		evutil_inet_ntop(AF_INET6, &v6->sin6_addr, buf, len);
	else
		evutil_inet_ntop(AF_INET, &v4->sin_addr, buf, len);
}

static void pace(struct ofe *f)
{
	bool full = f->n_handshakes >= HANDSHAKES_MAX;

	if (full == f->paused)
		return;
	f->paused = full;
	if (full)
		evconnlistener_disable(f->listener);
	else
		evconnlistener_enable(f->listener);
}

void ofe_handshake_over(struct ofe *f)
{
	f->n_handshakes--;
	pace(f);
}

static void on_accept(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len,
		      void *arg)
{
	struct ofe *f = arg;
	char peer[64] = "";

	(void)l;
	(void)len;
	format_peer(sa, peer, sizeof(peer));
	f->stats.accepted++;
	ofe_accepted(f, fd, peer);
	pace(f);
}

/* Out of descriptors or memory: those who are connected go on, others wait a moment. */
static void on_accept_error(struct evconnlistener *l, void *arg)
{
	struct ofe *f = arg;

	(void)l;
	log_warn("cannot accept a session", "error", strerror(errno));
	f->paused = true;
	evconnlistener_disable(f->listener);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct ofe *f = arg;
	uint64_t now_ns = clock_now_ns();
	struct ofe_session *s = TAILQ_FIRST(&f->sessions), *next;

	(void)fd;
	(void)what;
	for (; s; s = next) {
		next = TAILQ_NEXT(s, all);
		ofe_session_tick(s, now_ns);
	}
	pace(f);
}

static int listen_on(struct ofe *f, struct error *e)
{
	struct sockaddr_storage sa;
	int len = sizeof(sa);

	if (evutil_parse_sockaddr_port(f->o.listen, (struct sockaddr *)&sa, &len))
		return error_set(e, -EINVAL, "`%s` is no address to listen on; one is 0.0.0.0:6650 or [::]:6650",
				 f->o.listen);
	f->listener = evconnlistener_new_bind(
		f->o.base, on_accept, f,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, LISTEN_QUEUE,
		(struct sockaddr *)&sa, len);
	if (!f->listener)
		return error_set(e, -errno, "cannot listen on %s: %s", f->o.listen, strerror(errno));
	evconnlistener_set_error_cb(f->listener, on_accept_error);
	return 0;
}

int ofe_new(const struct ofe_options *o, struct ofe **ret, struct error *e)
{
	static const struct timeval tick = { .tv_usec = TICK_MS * 1000 };
	struct ofe *f = calloc(1, sizeof(*f));
	int err;

	if (!f)
		return error_set(e, -ENOMEM, "no memory");
	f->o = *o;
	f->o.ping_ms = o->ping_ms ?: PING_MS;
	f->o.usage_ms = o->usage_ms ?: USAGE_MS;
	TAILQ_INIT(&f->sessions);
	ofe_index_init(f);
	err = tls_new(true, &o->files, 1u << TLS_HOST, &f->tls, e);
	err = err ?: listen_on(f, e);
	f->tick = err ? NULL : event_new(o->base, -1, EV_PERSIST, on_tick, f);
	if (!err && !f->tick)
		err = error_set(e, -ENOMEM, "no memory");
	if (err) {
		ofe_free(f);
		return err;
	}
	event_add(f->tick, &tick);
	*ret = f;
	return 0;
}

void ofe_free(struct ofe *f)
{
	if (!f)
		return;
	if (f->listener)
		evconnlistener_free(f->listener);
	f->listener = NULL;
	f->paused = f->n_handshakes >= HANDSHAKES_MAX;
	while (!TAILQ_EMPTY(&f->sessions))
		ofe_session_free(TAILQ_FIRST(&f->sessions), NULL);
	index_done(&f->by_host);
	if (f->tick)
		event_free(f->tick);
	tls_free(f->tls);
	free(f);
}

void ofe_leaders_changed(struct ofe *f)
{
	struct ofe_session *s = TAILQ_FIRST(&f->sessions), *next;

	for (; s; s = next) {
		next = TAILQ_NEXT(s, all);
		ofe_session_lead(s);
	}
}

int ofe_reload(struct ofe *f, struct error *e)
{
	struct tls *tls;
	int err = tls_new(true, &f->o.files, 1u << TLS_HOST, &tls, e);

	if (err)
		return err;
	tls_retire(f->tls);
	f->tls = tls;
	return 0;
}

void ofe_stats(const struct ofe *f, struct ofe_stats *ret)
{
	const struct ofe_session *s;

	*ret = f->stats;
	ret->sessions = f->n_sessions;
	ret->handshakes = f->n_handshakes;
	TAILQ_FOREACH(s, &f->sessions, all)
		ret->attached += !!s->upstream;
}
