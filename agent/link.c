/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * link.c - one TLS connection to a controller, and the frames on it
 *
 * An end is noted first (`over`, `why`) and carried out from the loop, so that who
 * hangs up in the middle of a frame does not pull the connection away under itself.
 */
#include <agent/link.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/dns.h>
#include <event2/event.h>

#include <lib/msg.h>

#define FRAMES_PER_TURN 64		/* then the rest of the loop has a go */

struct link {
	struct event_base *base;
	struct evdns_base *dns;		/* NULL until a name has to be resolved */
	struct tls_files files;
	const char *name;		/* of this host */
	struct link_events events;
	struct tls *tls;		/* kept for its session, which makes the next dial cheap, */
	struct stat stamps[3];		/*   as long as the files are these */
	struct bufferevent *bev;	/* NULL: no connection */
	struct event *ending;
	bool up, over;
	struct error why;
};

static void hang_up_now(struct link *l)
{
	if (l->bev)
		bufferevent_free(l->bev);
	l->bev = NULL;
	l->up = l->over = false;
}

static void on_ending(evutil_socket_t fd, short what, void *arg)
{
	struct link *l = arg;

	(void)fd, (void)what;
	hang_up_now(l);
	l->events.down(&l->why, l->events.arg);
}

void link_hang_up(struct link *l, const struct error *why)
{
	const struct timeval at_once = {};

	if (!l->bev || l->over)
		return;
	l->over = true;
	l->why = *why;
	bufferevent_disable(l->bev, EV_READ | EV_WRITE);
	evtimer_add(l->ending, &at_once);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct link *l = arg;
	struct error e = {};
	cJSON *msg;
	int got = 0;

	for (unsigned int n = 0; n < FRAMES_PER_TURN && !l->over; n++) {
		got = msg_take(bufferevent_get_input(bev), &msg, &e);
		if (got <= 0)
			break;
		l->events.frame(msg, l->events.arg);
		cJSON_Delete(msg);
	}
	if (got < 0)
		link_hang_up(l, &e);
	else if (got > 0 && !l->over)
		bufferevent_trigger(bev, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
}

static void on_connected(struct link *l)
{
	struct tls_identity peer;
	struct error e = {};

	if (tls_peer(bufferevent_openssl_get_ssl(l->bev), &peer, &e)) {
		link_hang_up(l, &e);
		return;
	}
	l->up = true;
	l->events.up(l->events.arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	int socket_error = EVUTIL_SOCKET_ERROR(), dns;
	struct link *l = arg;
	char words[256];
	unsigned long err;
	struct error e;

	if (what & BEV_EVENT_CONNECTED) {
		on_connected(l);
		return;
	}
	err = bufferevent_get_openssl_error(bev);
	dns = bufferevent_socket_get_dns_error(bev);
	if (dns)
		error_set(&e, -EHOSTUNREACH, "no such host: %s", evutil_gai_strerror(dns));
	else if (!l->up && socket_error)
		error_set(&e, -ECONNREFUSED, "%s", evutil_socket_error_to_string(socket_error));
	else if (err)
		error_set(&e, -EPROTO, "%s", tls_failure(bufferevent_openssl_get_ssl(bev), err, words,
							  sizeof(words)));
	else if (what & BEV_EVENT_EOF)
		error_set(&e, -ECONNRESET, "the controller closed the connection");
	else
		error_set(&e, -ECONNREFUSED, "%s", socket_error ?
			  evutil_socket_error_to_string(socket_error) : "the connection broke");
	link_hang_up(l, &e);
}

/* "HOST:PORT" in pieces; brackets around an IPv6 address go. */
static int split(const char *endpoint, char host[256], int *ret_port, struct error *e)
{
	const char *colon = strrchr(endpoint, ':');
	size_t len = colon ? (size_t)(colon - endpoint) : 0;
	char *rest;
	long port = colon ? strtol(colon + 1, &rest, 10) : 0;

	if (!len || len >= 256 || port < 1 || port > 65535 || *rest)
		return error_set(e, -EINVAL, "%s: HOST:PORT is wanted", endpoint);
	if (endpoint[0] == '[' && endpoint[len - 1] == ']') {
		endpoint++;
		len -= 2;
	}
	memcpy(host, endpoint, len);
	host[len] = '\0';
	*ret_port = port;
	return 0;
}

static int open_connection(struct link *l, struct error *e)
{
	SSL *ssl = tls_open(l->tls);

	if (ssl)
		l->bev = bufferevent_openssl_socket_new(l->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
							BEV_OPT_CLOSE_ON_FREE |
							BEV_OPT_DEFER_CALLBACKS);
	if (!l->bev)
		return error_set(e, -ENOMEM, "no memory for a connection");
	bufferevent_openssl_set_allow_dirty_shutdown(l->bev, 1);
	bufferevent_setcb(l->bev, on_read, NULL, on_event, l);
	bufferevent_setwatermark(l->bev, EV_READ, 0, 2 * MSG_FRAME_MAX);
	bufferevent_enable(l->bev, EV_READ | EV_WRITE);
	return 0;
}

static bool same_files(const struct stat a[3], const struct stat b[3])
{
	for (int i = 0; i < 3; i++)
		if (a[i].st_ino != b[i].st_ino || a[i].st_size != b[i].st_size ||
		    a[i].st_mtim.tv_sec != b[i].st_mtim.tv_sec ||
		    a[i].st_mtim.tv_nsec != b[i].st_mtim.tv_nsec)
			return false;
	return true;
}

static int check_self(const struct link *l, struct error *e)
{
	const struct tls_identity *self = tls_self(l->tls);

	if (self->role == TLS_HOST && !strcmp(self->name, l->name))
		return 0;
	return error_set(e, -EACCES, "certificate %s is %s:%s, and this is host:%s", l->files.cert,
			 tls_role_name(self->role), self->name, l->name);
}

static int load_files(struct link *l, struct error *e)
{
	const char *const paths[3] = { l->files.ca, l->files.cert, l->files.key };
	struct stat stamps[3] = {};
	int err;

	for (int i = 0; i < 3; i++)
		stat(paths[i], &stamps[i]);
	if (l->tls && same_files(stamps, l->stamps))
		return 0;
	tls_free(l->tls);
	l->tls = NULL;
	err = tls_new(false, &l->files, 1u << TLS_CONTROLLER, &l->tls, e);
	if (!err)
		err = check_self(l, e);
	if (err) {
		tls_free(l->tls);
		l->tls = NULL;
		return err;
	}
	memcpy(l->stamps, stamps, sizeof(stamps));
	return 0;
}

int link_dial(struct link *l, const char *endpoint, struct error *e)
{
	char host[256];
	int err, port = 0;

	err = split(endpoint, host, &port, e);
	if (err)
		return err;
	hang_up_now(l);
	err = load_files(l, e);
	if (!err)
		err = open_connection(l, e);
	if (err)
		return err;
	if (!l->dns)
		l->dns = evdns_base_new(l->base, EVDNS_BASE_INITIALIZE_NAMESERVERS |
					EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (!bufferevent_socket_connect_hostname(l->bev, l->dns, AF_UNSPEC, host, port))
		return 0;
	hang_up_now(l);
	return error_set(e, -ECONNREFUSED, "cannot connect to %s", endpoint);
}

bool link_is_up(const struct link *l)
{
	return l->up && !l->over;
}

bool link_send(struct link *l, cJSON *msg)
{
	if (link_is_up(l))
		return !msg_send(bufferevent_get_output(l->bev), msg);
	cJSON_Delete(msg);
	return false;
}

size_t link_backlog(const struct link *l)
{
	return l->bev ? evbuffer_get_length(bufferevent_get_output(l->bev)) : 0;
}

int link_new(struct event_base *base, const struct tls_files *files, const char *name,
	     const struct link_events *events, struct link **ret, struct error *e)
{
	struct link *l = calloc(1, sizeof(*l));

	if (!l)
		return error_set(e, -ENOMEM, "no memory");
	l->base = base;
	l->files = *files;
	l->name = name;
	l->events = *events;
	l->ending = evtimer_new(base, on_ending, l);
	if (!l->ending) {
		link_free(l);
		return error_set(e, -ENOMEM, "no memory for a timer");
	}
	*ret = l;
	return 0;
}

void link_free(struct link *l)
{
	if (!l)
		return;
	hang_up_now(l);
	if (l->dns)
		evdns_base_free(l->dns, 0);
	if (l->ending)
		event_free(l->ending);
	tls_free(l->tls);
	free(l);
}
