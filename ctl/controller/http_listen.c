// SPDX-License-Identifier: BSD-2-Clause
/*
 * http_listen.c - the web server's listeners, and who is at the other end
 *
 * With TLS a client need not have a certificate, as it may have a token. One that is
 * expired or of a foreign authority does not end the handshake, where an alert would
 * be lost behind the request that is under way already: every request is answered
 * with what is wrong instead. Sessions are not resumed, so a certificate is looked at
 * on every connection. Plain HTTP is for the machine itself.
 */
#include <ctl/controller/http_parts.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/bufferevent_ssl.h>
#include <event2/util.h>
#include <openssl/err.h>

#include <lib/log.h>

/* SSL_get_verify_result() remembers; http_listener_identity() decides. */
static int verify_later(int ok, X509_STORE_CTX *store)
{
	(void)ok;
	(void)store;
	return 1;
}

bool http_listener_identity(const struct http_listener *l, struct http_request *r, struct error *e)
{
	struct evhttp_connection *conn = evhttp_request_get_connection(r->req);
	SSL *ssl;
	X509 *cert;
	char cn[80] = "";
	long verdict;

	if (l->kind == HTTP_SOCKET)
		return !auth_identity("operator:socket", &r->who);
	if (l->kind == HTTP_PLAIN)
		return false;
	ssl = bufferevent_openssl_get_ssl(evhttp_connection_get_bufferevent(conn));
	cert = ssl ? SSL_get_peer_certificate(ssl) : NULL;
	if (!cert)
		return false;
	X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn, sizeof(cn));
	X509_free(cert);
	verdict = SSL_get_verify_result(ssl);
	if (verdict != X509_V_OK) {
		error_set(e, -EPERM, "the client certificate is not trusted: %s",
			  X509_verify_cert_error_string(verdict));
		return false;
	}
	if (!auth_identity(cn, &r->who))
		return true;
	error_set(e, -EACCES, "the certificate of \"%s\" is for something else; one of"
			      " \"tenant:NAME\" or \"operator:NAME\" is wanted", cn);
	return false;
}

static int tls_error(struct error *e, const char *what, const char *file)
{
	unsigned long code = ERR_peek_last_error();

	ERR_clear_error();
	return error_set(e, -EINVAL, "%s %s: %s", what, file,
			 code ? ERR_reason_error_string(code) : "cannot be used");
}

static int open_tls(struct http *h, const struct tls_files *f, struct error *e)
{
	if (!f->ca || !f->cert || !f->key)
		return error_set(e, -EINVAL, "TLS needs --ca, --cert and --key");
	h->ssl = SSL_CTX_new(TLS_server_method());
	if (!h->ssl)
		return error_set(e, -ENOMEM, "no memory");
	SSL_CTX_set_min_proto_version(h->ssl, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(h->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(h->ssl, (const unsigned char *)"mirach-api", 10);
	if (SSL_CTX_load_verify_locations(h->ssl, f->ca, NULL) != 1)
		return tls_error(e, "authority", f->ca);
	if (SSL_CTX_use_certificate_chain_file(h->ssl, f->cert) != 1)
		return tls_error(e, "certificate", f->cert);
	if (SSL_CTX_use_PrivateKey_file(h->ssl, f->key, SSL_FILETYPE_PEM) != 1)
		return tls_error(e, "key", f->key);
	if (SSL_CTX_check_private_key(h->ssl) != 1)
		return error_set(e, -EINVAL, "key %s does not belong to certificate %s", f->key,
				 f->cert);
	SSL_CTX_set_verify(h->ssl, SSL_VERIFY_PEER, verify_later);
	SSL_CTX_set_options(h->ssl, SSL_OP_NO_TICKET);
	SSL_CTX_set_num_tickets(h->ssl, 0);
	SSL_CTX_set_client_CA_list(h->ssl, SSL_load_client_CA_file(f->ca));
	return 0;
}

/* Also those nobody knows: which ones an address has is for the API to say. */
#define ANY_METHOD 0xffff

static int open_evhttp(struct http *h, enum http_kind kind, struct error *e)
{
	struct http_listener *l = &h->listeners[kind];

	l->http = h;
	l->kind = kind;
	http_conns_init(l);
	l->evhttp = evhttp_new(h->base);
	if (!l->evhttp)
		return error_set(e, -ENOMEM, "no memory");
	evhttp_set_max_body_size(l->evhttp, HTTP_BODY_MAX);
	evhttp_set_max_headers_size(l->evhttp, HTTP_HEADERS_MAX);
	evhttp_set_timeout(l->evhttp, h->idle_s);
	evhttp_set_allowed_methods(l->evhttp, ANY_METHOD);
	evhttp_set_bevcb(l->evhttp, http_conn_new, l);
	evhttp_set_gencb(l->evhttp, http_on_request, l);
	return 0;
}

static bool is_loopback(const struct sockaddr *sa)
{
	if (sa->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)sa)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)sa)->sin6_addr);
}

static int bind_to(struct http *h, enum http_kind kind, const struct sockaddr *sa, int len,
		   const char *where, struct error *e)
{
	struct evconnlistener *listener =
		evconnlistener_new_bind(h->base, NULL, NULL, LEV_OPT_CLOSE_ON_FREE |
					LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE, 128, sa, len);

	int on = 1;

	if (!listener)
		return error_set(e, -errno, "cannot listen on %s: %s", where, strerror(errno));
	/* Connections inherit it; without it an answer waits for the client's delayed ACK. */
	if (kind != HTTP_SOCKET)
		setsockopt(evconnlistener_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (!evhttp_bind_listener(h->listeners[kind].evhttp, listener)) {
		evconnlistener_free(listener);
		return error_set(e, -ENOMEM, "no memory");
	}
	h->listeners[kind].socket = listener;
	return 0;
}

static int listen_tcp(struct http *h, enum http_kind kind, const char *where, struct error *e)
{
	struct sockaddr_storage sa;
	int len = sizeof(sa), err;

	if (evutil_parse_sockaddr_port(where, (struct sockaddr *)&sa, &len) ||
	    !((struct sockaddr_in *)&sa)->sin_port)
		return error_set(e, -EINVAL, "%s: not an address with a port, like 0.0.0.0:7443 or"
				 " [::]:7443", where);
	if (kind == HTTP_PLAIN && !is_loopback((struct sockaddr *)&sa))
		return error_set(e, -EINVAL, "%s: without TLS only loopback addresses are possible,"
				 " like 127.0.0.1:7380", where);
	err = open_evhttp(h, kind, e);
	return err ?: bind_to(h, kind, (struct sockaddr *)&sa, len, where, e);
}

static int listen_socket(struct http *h, const char *path, struct error *e)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int err;

	if (strlen(path) >= sizeof(sun.sun_path))
		return error_set(e, -EINVAL, "%s: too long for a socket", path);
	strcpy(sun.sun_path, path);
	h->socket_path = strdup(path);
	unlink(path);
	err = open_evhttp(h, HTTP_SOCKET, e);
	mask = umask(0177);
	err = err ?: bind_to(h, HTTP_SOCKET, (struct sockaddr *)&sun, sizeof(sun), path, e);
	umask(mask);
	return err;
}

int http_new(struct event_base *base, const struct http_options *o, http_fn fn, void *arg,
	     struct http **ret, struct error *e)
{
	struct http *h = calloc(1, sizeof(*h));
	int err;

	if (!h)
		return error_set(e, -ENOMEM, "no memory");
	h->base = base;
	h->fn = fn;
	h->arg = arg;
	h->idle_s = o->idle_s ?: HTTP_IDLE_S;
	h->connections_max = o->connections_max ?: HTTP_CONNECTIONS;
	err = auth_new(o->tokens, &h->auth, e);
	if (!err && o->listen)
		err = open_tls(h, &o->tls, e) ?: listen_tcp(h, HTTP_TLS, o->listen, e);
	if (!err && o->plain)
		err = listen_tcp(h, HTTP_PLAIN, o->plain, e);
	if (!err && o->socket)
		err = listen_socket(h, o->socket, e);
	if (err)
		http_free(h);
	else
		*ret = h;
	return err;
}

static void close_listener(struct http_listener *l)
{
	if (!l->evhttp)
		return;
	l->socket = NULL;		/* evhttp closes it before the connections */
	evhttp_free(l->evhttp);
	index_done(&l->conns);
}

void http_free(struct http *h)
{
	if (!h)
		return;
	for (enum http_kind kind = 0; kind < HTTP_KINDS; kind++)
		close_listener(&h->listeners[kind]);
	if (h->socket_path)
		unlink(h->socket_path);
	free(h->socket_path);
	auth_free(h->auth);
	SSL_CTX_free(h->ssl);
	free(h);
}
