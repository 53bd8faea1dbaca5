// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_etcd_conn.c - members of a cluster, connections to them, TLS
 *
 * A connection belongs to one member and carries one request at a time. Idle ones
 * are kept; libevent tells when the member closes one. A connection can be given
 * up from within its own callbacks, so it is buried first and freed from the loop.
 */
#include <ctl/controller/store_etcd_conn.h>

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#define MEMBERS_MAX 16u
#define IDLE_MAX 64u
#define TIMEOUT_MS 5000u
#define HEADERS_MAX 65536
#define IO_TIMEOUT_S 86400		/* calls have timers of their own */

struct member {
	char name[300];			/* as given, for messages and TLS: host */
	char host[256];
	char addr[NI_MAXHOST];
	uint16_t port;
	bool tls;
};

struct etcd_conn {
	struct etcd_conn *next;
	struct etcd_client *client;
	struct evhttp_connection *evcon;
	unsigned int member;
	bool closed;
	void *also;			/* buried: to be freed with it */
};

struct etcd_client {
	struct event_base *base;
	struct member members[MEMBERS_MAX];
	unsigned int n_members, current;
	unsigned int timeout_ms;
	SSL_CTX *tls;
	struct etcd_conn *idle, *grave;
	struct event *digger;
	struct etcd_call *calls;
};

/* ---- connections ---- */

static void conn_free(struct etcd_conn *conn)
{
	if (conn->evcon)
		evhttp_connection_free(conn->evcon);
	free(conn->also);
	free(conn);
}

static void free_list(struct etcd_conn **list)
{
	struct etcd_conn *conn;

	while ((conn = *list)) {
		*list = conn->next;
		conn_free(conn);
	}
}

static void dig(evutil_socket_t fd, short what, void *arg)
{
	struct etcd_client *c = arg;

	(void)fd;
	(void)what;
	free_list(&c->grave);
}

void etcd_conn_bury(struct etcd_conn *conn, void *also)
{
	struct etcd_client *c = conn->client;

	conn->also = also;
	conn->next = c->grave;
	c->grave = conn;
	event_active(c->digger, EV_TIMEOUT, 0);
}

static void on_close(struct evhttp_connection *evcon, void *arg)
{
	struct etcd_conn *conn = arg;

	(void)evcon;
	conn->closed = true;
}

static struct bufferevent *open_tls(struct etcd_client *c, const struct member *m)
{
	SSL *ssl = SSL_new(c->tls);
	struct bufferevent *bev;
	bool named;

	if (!ssl)
		return NULL;
	named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), m->host) ||
		(SSL_set1_host(ssl, m->host) && SSL_set_tlsext_host_name(ssl, m->host));
	bev = named ? bufferevent_openssl_socket_new(c->base, -1, ssl, BUFFEREVENT_SSL_CONNECTING,
						     BEV_OPT_CLOSE_ON_FREE) : NULL;
	if (!bev)
		SSL_free(ssl);
	else
		bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

struct etcd_conn *etcd_conn_new(struct etcd_client *c)
{
	const struct member *m = &c->members[c->current];
	struct etcd_conn *conn = calloc(1, sizeof(*conn));
	struct bufferevent *bev = NULL;

	if (!conn)
		return NULL;
	conn->client = c;
	conn->member = c->current;
	if (m->tls)
		bev = open_tls(c, m);
	if (bev || !m->tls)
		conn->evcon = evhttp_connection_base_bufferevent_new(c->base, NULL, bev, m->addr, m->port);
	if (!conn->evcon) {
		if (bev)
			bufferevent_free(bev);
		free(conn);
		return NULL;
	}
	evhttp_connection_set_timeout(conn->evcon, IO_TIMEOUT_S);
	evhttp_connection_set_max_headers_size(conn->evcon, HEADERS_MAX);
	evhttp_connection_set_max_body_size(conn->evcon, ETCD_ANSWER_MAX);
	evhttp_connection_set_closecb(conn->evcon, on_close, conn);
	return conn;
}

struct etcd_conn *etcd_conn_take(struct etcd_client *c)
{
	struct etcd_conn *conn;

	while ((conn = c->idle)) {
		c->idle = conn->next;
		if (!conn->closed && conn->member == c->current)
			return conn;
		etcd_conn_bury(conn, NULL);
	}
	return etcd_conn_new(c);
}

void etcd_conn_reuse(struct etcd_conn *conn)
{
	struct etcd_client *c = conn->client;
	unsigned int n = 0;

	for (struct etcd_conn *i = c->idle; i; i = i->next)
		n++;
	if (conn->closed || n >= IDLE_MAX) {
		etcd_conn_bury(conn, NULL);
		return;
	}
	conn->next = c->idle;
	c->idle = conn;
}

/* What the kernel has not delivered yet is not to arrive when nobody waits for it any more. */
static void forget_unsent(const struct etcd_conn *conn)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn->evcon));
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

void etcd_conn_failed(struct etcd_conn *conn)
{
	forget_unsent(conn);
	if (conn->client->current == conn->member)
		etcd_client_next_member(conn->client);
	etcd_conn_bury(conn, NULL);
}

static SSL *ssl_of(const struct etcd_conn *conn)
{
	struct bufferevent *bev = evhttp_connection_get_bufferevent(conn->evcon);

	return conn->client->members[conn->member].tls ? bufferevent_openssl_get_ssl(bev) : NULL;
}

bool etcd_conn_was_open(const struct etcd_conn *conn)
{
	SSL *ssl = ssl_of(conn);

	return !ssl || SSL_is_init_finished(ssl);
}

bool etcd_conn_is_open(const struct etcd_conn *conn)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn->evcon));
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);

	return fd >= 0 && !getpeername(fd, (struct sockaddr *)&peer, &len) && etcd_conn_was_open(conn);
}

const char *etcd_conn_why(const struct etcd_conn *conn)
{
	SSL *ssl = ssl_of(conn);
	long result = ssl ? SSL_get_verify_result(ssl) : X509_V_OK;

	if (result != X509_V_OK)
		return X509_verify_cert_error_string(result);
	return "see that it runs and that the address is right";
}

const char *etcd_conn_name(const struct etcd_conn *conn)
{
	return conn->client->members[conn->member].name;
}

int etcd_conn_post(struct etcd_conn *conn, struct evhttp_request *req, const char *path,
		   const char *body, size_t len)
{
	const struct member *m = &conn->client->members[conn->member];
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	if (evhttp_add_header(headers, "Host", m->host) ||
	    evhttp_add_header(headers, "Content-Type", "application/json") ||
	    evbuffer_add(evhttp_request_get_output_buffer(req), body, len)) {
		evhttp_request_free(req);
		return -ENOMEM;
	}
	return evhttp_make_request(conn->evcon, req, EVHTTP_REQ_POST, path) ? -EIO : 0;
}

void etcd_conn_keepalive(struct etcd_conn *conn)
{
	int fd = bufferevent_getfd(evhttp_connection_get_bufferevent(conn->evcon));
	int on = 1, idle_s = 2, every_s = 1, probes = 3;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
}

/* ---- the client ---- */

unsigned int etcd_client_n_members(const struct etcd_client *c)
{
	return c->n_members;
}

void etcd_client_next_member(struct etcd_client *c)
{
	c->current = (c->current + 1) % c->n_members;
}

unsigned int etcd_client_timeout_ms(const struct etcd_client *c)
{
	return c->timeout_ms;
}

struct event_base *etcd_client_base(const struct etcd_client *c)
{
	return c->base;
}

struct etcd_call **etcd_client_calls(struct etcd_client *c)
{
	return &c->calls;
}

static int resolve(struct member *m, struct error *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *info;
	int err = getaddrinfo(m->host, NULL, &hints, &info);

	if (err)
		return error_set(e, -EINVAL, "etcd %s: %s", m->name, gai_strerror(err));
	err = getnameinfo(info->ai_addr, info->ai_addrlen, m->addr, sizeof(m->addr), NULL, 0,
			  NI_NUMERICHOST);
	freeaddrinfo(info);
	return err ? error_set(e, -EINVAL, "etcd %s: %s", m->name, gai_strerror(err)) : 0;
}

static int take_url(struct member *m, const char *url, struct error *e)
{
	struct evhttp_uri *uri = evhttp_uri_parse(url);
	const char *scheme = uri ? evhttp_uri_get_scheme(uri) : NULL;
	const char *host = uri ? evhttp_uri_get_host(uri) : NULL;
	int port = uri ? evhttp_uri_get_port(uri) : 0;
	int err = 0;

	snprintf(m->name, sizeof(m->name), "%s", url);
	if (!scheme || (strcmp(scheme, "http") && strcmp(scheme, "https")) || !host || !*host ||
	    port == 0 || strlen(host) >= sizeof(m->host)) {
		err = error_set(e, -EINVAL, "etcd \"%.200s\": say http://HOST:PORT or https://HOST:PORT", url);
	} else {
		m->tls = !strcmp(scheme, "https");
		m->port = port < 0 ? 2379 : (uint16_t)port;
		strcpy(m->host, host + (*host == '['));
		m->host[strcspn(m->host, "]")] = '\0';
	}
	if (uri)
		evhttp_uri_free(uri);
	return err ?: resolve(m, e);
}

static int take_urls(struct etcd_client *c, const char *urls, struct error *e)
{
	char *copy = strdup(urls), *rest = copy, *url;
	int err = copy ? 0 : error_set(e, -ENOMEM, "etcd: out of memory");

	while (!err && (url = strsep(&rest, ","))) {
		if (c->n_members == MEMBERS_MAX)
			err = error_set(e, -EINVAL, "etcd: more than %u members", MEMBERS_MAX);
		else
			err = take_url(&c->members[c->n_members++], url, e);
	}
	free(copy);
	return err;
}

static int fail_tls(struct error *e, const char *file)
{
	return error_set(e, -EINVAL, "etcd over https: %s: %s", file,
			 ERR_reason_error_string(ERR_get_error()) ?: "cannot be used");
}

static int set_up_tls(struct etcd_client *c, const struct store_options *o, struct error *e)
{
	bool wanted = false;

	for (unsigned int i = 0; i < c->n_members; i++)
		wanted |= c->members[i].tls;
	if (!wanted)
		return 0;
	c->tls = SSL_CTX_new(TLS_client_method());
	if (!c->tls)
		return error_set(e, -ENOMEM, "etcd: out of memory");
	SSL_CTX_set_min_proto_version(c->tls, TLS1_2_VERSION);
	SSL_CTX_set_verify(c->tls, SSL_VERIFY_PEER, NULL);
	if (o->ca ? !SSL_CTX_load_verify_locations(c->tls, o->ca, NULL)
		  : !SSL_CTX_set_default_verify_paths(c->tls))
		return fail_tls(e, o->ca ?: "the system's authorities");
	if (o->cert && SSL_CTX_use_certificate_chain_file(c->tls, o->cert) != 1)
		return fail_tls(e, o->cert);
	if (o->key && SSL_CTX_use_PrivateKey_file(c->tls, o->key, SSL_FILETYPE_PEM) != 1)
		return fail_tls(e, o->key);
	return 0;
}

int etcd_client_new(struct event_base *base, const struct store_options *o, const char *urls,
		    struct etcd_client **ret, struct error *e)
{
	struct etcd_client *c = calloc(1, sizeof(*c));

	if (!c)
		return error_set(e, -ENOMEM, "etcd: out of memory");
	c->base = base;
	c->timeout_ms = o->timeout_ms ?: TIMEOUT_MS;
	c->digger = event_new(base, -1, 0, dig, c);
	if (!c->digger || take_urls(c, urls, e) || set_up_tls(c, o, e)) {
		if (!c->digger)
			error_set(e, -ENOMEM, "etcd: out of memory");
		etcd_client_free(c);
		return e->err;
	}
	*ret = c;
	return 0;
}

void etcd_client_free(struct etcd_client *c)
{
	if (!c)
		return;
	free_list(&c->idle);
	free_list(&c->grave);
	if (c->digger)
		event_free(c->digger);
	SSL_CTX_free(c->tls);
	free(c);
}
