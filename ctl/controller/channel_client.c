// SPDX-License-Identifier: BSD-2-Clause
/*
 * channel_client.c - the front ends' end of channels
 *
 * A channel is dialled when a leader is first asked for and again, half a second
 * later, when it ended. Until it is up nobody can attach; the front end tries again.
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
#include <event2/util.h>

#include <ctl/controller/channel_frame.h>
#include <ctl/controller/permits.h>
#include <lib/clock.h>
#include <lib/log.h>

#define RETRY_MS 500
#define BUCKETS 1024u
#define ADDRESS_LEN 80

struct remote {				/* a session whose leader is elsewhere */
	LIST_ENTRY(remote) next;
	struct channel *channel;	/* NULL: lost */
	const struct vmc_front *front;
	void *arg;
	uint64_t n, put;
	bool close;
};

struct held {
	LIST_ENTRY(held) next;
	struct programming *programming;
	struct tracks tracks;
	uint64_t revision;
	char *behind;			/* hosts the leader named last; NULL: none yet */
};

struct channel {
	LIST_ENTRY(channel) next;
	struct channels *all;
	struct ofe_upstream upstream;
	struct bufferevent *bev;	/* NULL: not dialled */
	struct event *retry;
	bool up;
	uint64_t last_n;
	LIST_HEAD(, remote) sessions[BUCKETS];
	LIST_HEAD(, held) held;
	char address[ADDRESS_LEN];
};

struct channels {
	struct channels_options o;
	struct tls *tls;
	LIST_HEAD(, channel) list;
};

static void say(struct channel *c, char kind, uint64_t n, const char *text)
{
	if (c->up)
		channel_put(bufferevent_get_output(c->bev), kind, n, text, strlen(text));
}

/* As an upstream of the front end. */

static void *attach(void *arg, const char *host, const struct digest *digest,
		    const struct vmc_front *front, void *front_arg)
{
	struct channel *c = arg;
	struct remote *r = c->up ? calloc(1, sizeof(*r)) : NULL;
	char hex[DIGEST_STRLEN], text[MSG_NAME_MAX + DIGEST_STRLEN + 2];

	if (!r)
		return NULL;
	*r = (struct remote){ .channel = c, .front = front, .arg = front_arg, .n = ++c->last_n };
	LIST_INSERT_HEAD(&c->sessions[r->n % BUCKETS], r, next);
	snprintf(text, sizeof(text), "%s %s", host, digest_format(digest, hex));
	say(c, 'a', r->n, text);
	return r;
}

static void detach(void *session)
{
	struct remote *r = session;

	if (r->channel) {
		say(r->channel, 'd', r->n, "");
		LIST_REMOVE(r, next);
	}
	free(r);
}

static int message(void *session, const cJSON *msg, struct error *e)
{
	struct remote *r = session;
	char *text = r->channel ? cJSON_PrintUnformatted(msg) : NULL;

	(void)e;
	if (text)
		say(r->channel, 'm', r->n, text);
	free(text);
	return 0;
}

static void drained(void *session)
{
	struct remote *r = session;
	char text[24];

	if (!r->channel)
		return;
	snprintf(text, sizeof(text), "%llu",
		 (unsigned long long)(r->put - r->front->backlog(r->arg)));
	say(r->channel, 't', r->n, text);
}

/* From the leader. */

static struct remote *remote_find(struct channel *c, uint64_t n)
{
	struct remote *r;

	LIST_FOREACH(r, &c->sessions[n % BUCKETS], next)
		if (r->n == n)
			return r;
	return NULL;
}

static void lose(struct remote *r)
{
	LIST_REMOVE(r, next);
	r->channel = NULL;
	r->front->lost(r->arg);
}

static void held_free(struct held *h)
{
	LIST_REMOVE(h, next);
	free(h->behind);
	free(h);
}

static void let_go(struct held *h)
{
	tracks_release(h->programming, &h->tracks, clock_now_ns());
	held_free(h);
}

static void give_away(struct channel *c, struct held *h)
{
	c->all->o.orphan(c->all->o.arg, h->revision, &h->tracks);
	held_free(h);
}

/* With a text: only hosts that others lead by now were missing. */
static void on_programmed(struct channel *c, uint64_t revision, bool moved)
{
	struct held *h = LIST_FIRST(&c->held), *next;

	for (; h; h = next) {
		next = LIST_NEXT(h, next);
		if (h->revision != revision)
			continue;
		if (moved)
			give_away(c, h);
		else
			let_go(h);
	}
}

static void on_behind(struct channel *c, uint64_t revision, const char *hosts)
{
	struct held *h;

	LIST_FOREACH(h, &c->held, next) {
		if (h->revision != revision)
			continue;
		free(h->behind);
		h->behind = strdup(hosts);
	}
}

/* Of a session, or of one that we gave up. */
static void on_session(struct channel *c, struct remote *r, const struct channel_frame *f)
{
	if (f->kind == 's') {
		r->put += f->len;
		r->front->send(r->arg, f->text, f->len);
		if (!r->front->backlog(r->arg))
			drained(r);
	} else if (f->kind == 'c') {
		r->front->close(r->arg, f->text);
	} else {
		say(c, 'd', r->n, "");
		lose(r);
	}
}

static int handle(struct channel *c, const struct channel_frame *f, struct error *e)
{
	struct remote *r;

	switch (f->kind) {
	case 's':
	case 'c':
	case 'l':
		r = remote_find(c, f->n);
		if (r)
			on_session(c, r, f);
		return 0;
	case 'p':
		on_programmed(c, f->n, *f->text);
		return 0;
	case 'b':
		on_behind(c, f->n, f->text);
		return 0;
	case PERMIT_GRANTED:
	case PERMIT_REFUSED:
	case PERMIT_UNUSED:
		return c->all->o.vmc ?
			       vmc_permit(c->all->o.vmc, f->kind, f->n, f->text, f->len, NULL, c, e) :
			       0;
	default:
		return 0;		/* of a later version */
	}
}

static void down(struct channel *c, const char *why)
{
	static const struct timeval delay = { .tv_usec = RETRY_MS * 1000 };
	struct remote *r;
	struct held *h;

	if (c->up)
		log_warn("channel to a controller ended", "address", c->address, "why", why);
	c->up = false;
	for (unsigned int b = 0; b < BUCKETS; b++)
		while ((r = LIST_FIRST(&c->sessions[b])))
			lose(r);
	while ((h = LIST_FIRST(&c->held)))
		give_away(c, h);
	if (c->bev)
		bufferevent_free(c->bev);
	c->bev = NULL;
	event_add(c->retry, &delay);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct channel *c = arg;
	struct channel_frame f;
	struct error e = {};
	char *copy;
	int n;

	while ((n = channel_take(bufferevent_get_input(bev), &copy, &f, &e)) == 1) {
		n = handle(c, &f, &e);
		free(copy);
		if (n < 0)
			break;
	}
	if (n < 0)
		down(c, e.text);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct channel *c = arg;
	struct tls_identity peer;
	struct error e = {};
	char why[256];

	if (what & BEV_EVENT_CONNECTED && !tls_peer(bufferevent_openssl_get_ssl(bev), &peer, &e)) {
		c->up = true;
		log_info("channel to a controller", "address", c->address, "name", peer.name);
		return;
	}
	tls_failure(bufferevent_openssl_get_ssl(bev), bufferevent_get_openssl_error(bev), why,
		    sizeof(why));
	down(c, *e.text ? e.text : why);
}

static void dial(struct channel *c)
{
	struct sockaddr_storage sa;
	int len = sizeof(sa);
	SSL *ssl = tls_open(c->all->tls);

	if (ssl)
		c->bev = bufferevent_openssl_socket_new(c->all->o.base, -1, ssl,
							BUFFEREVENT_SSL_CONNECTING,
							BEV_OPT_CLOSE_ON_FREE);
	if (!c->bev || evutil_parse_sockaddr_port(c->address, (struct sockaddr *)&sa, &len)) {
		down(c, "no memory, or no address");
		return;
	}
	bufferevent_setcb(c->bev, on_read, NULL, on_event, c);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(c->bev, (struct sockaddr *)&sa, len))
		down(c, "cannot connect");
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	dial(arg);
}

static struct channel *channel_new(struct channels *all, const char *address)
{
	struct channel *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->retry = evtimer_new(all->o.base, on_retry, c);
	if (!c->retry || strlen(address) >= sizeof(c->address)) {
		free(c);
		return NULL;
	}
	c->all = all;
	strcpy(c->address, address);
	c->upstream = (struct ofe_upstream){ attach, detach, message, drained, c };
	LIST_INSERT_HEAD(&all->list, c, next);
	dial(c);
	return c;
}

static struct channel *channel_to(struct channels *all, const char *address)
{
	struct channel *c;

	LIST_FOREACH(c, &all->list, next)
		if (!strcmp(c->address, address))
			return c;
	return channel_new(all, address);
}

const struct ofe_upstream *channels_to(struct channels *all, const char *address)
{
	struct channel *c = channel_to(all, address);

	return c ? &c->upstream : NULL;
}

bool channels_wait(struct channels *all, const char *address, struct programming *p,
		   struct track *t, uint64_t revision, uint64_t now_ns)
{
	struct channel *c = channel_to(all, address);
	struct held *h;

	if (!c || !c->up)
		return false;
	LIST_FOREACH(h, &c->held, next)
		if (h->programming == p && h->revision == revision)
			return true;
	h = calloc(1, sizeof(*h));
	if (!h)
		return false;
	h->programming = p;
	h->revision = revision;
	tracks_add(p, &h->tracks, t, now_ns);
	LIST_INSERT_HEAD(&c->held, h, next);
	say(c, 'w', revision, "");
	return true;
}

void channels_say(struct channels *all, const char *address, char kind, uint64_t n,
		  const char *text)
{
	struct channel *c = channel_to(all, address);

	if (c)
		say(c, kind, n, text);
}

bool channels_ask(struct channels *all, uint64_t revision)
{
	struct channel *c;
	struct held *h;
	bool any = false;

	LIST_FOREACH(c, &all->list, next)
		LIST_FOREACH(h, &c->held, next)
			if (h->revision == revision) {
				say(c, 'b', revision, "");
				any = true;
				break;
			}
	return any;
}

bool channels_up(struct channels *all, const char *address)
{
	struct channel *c = channel_to(all, address);

	return c && c->up;
}

static void add_behind(const struct channel *c, const struct held *h,
		       void (*add)(void *to, const char *who), void *to)
{
	char who[ADDRESS_LEN + 32], *names = h->behind ? strdup(h->behind) : NULL, *rest = names, *one;

	if (!names) {
		snprintf(who, sizeof(who), "hosts of controller %s", c->address);
		add(to, who);
	}
	while ((one = strsep(&rest, " ")))
		if (*one)
			add(to, one);
	free(names);
}

void channels_behind(struct channels *all, uint64_t revision,
		     void (*add)(void *to, const char *who), void *to)
{
	struct channel *c;
	struct held *h;

	LIST_FOREACH(c, &all->list, next)
		LIST_FOREACH(h, &c->held, next)
			if (h->revision == revision)
				add_behind(c, h, add, to);
}

int channels_new(const struct channels_options *o, struct channels **ret, struct error *e)
{
	struct channels *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return error_set(e, -ENOMEM, "no memory");
	c->o = *o;
	err = tls_new(false, o->files, 1u << TLS_CONTROLLER, &c->tls, e);
	if (err) {
		free(c);
		return err;
	}
	*ret = c;
	return 0;
}

void channels_free(struct channels *all)
{
	struct channel *c;

	if (!all)
		return;
	while ((c = LIST_FIRST(&all->list))) {
		down(c, "the controller stops");
		event_free(c->retry);
		LIST_REMOVE(c, next);
		free(c);
	}
	tls_free(all->tls);
	free(all);
}
