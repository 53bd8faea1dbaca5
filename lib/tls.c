// SPDX-License-Identifier: BSD-2-Clause
/*
 * tls.c - mutual TLS 1.3 between the parts of one Mirach
 */
#include <lib/tls.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>

struct tls {
	SSL_CTX *ctx;
	bool server;
	unsigned int roles;
	struct tls_identity self;
	SSL_SESSION *last;		/* client: to resume */
};

static const char *const role_names[TLS_ROLES] = {
	[TLS_HOST] = "host",
	[TLS_CONTROLLER] = "controller",
	[TLS_TENANT] = "tenant",
	[TLS_OPERATOR] = "operator",
};

const char *tls_role_name(enum tls_role role)
{
	return role_names[role];
}

int tls_identity_parse(const char *common_name, struct tls_identity *ret)
{
	const char *colon = strchr(common_name, ':');

	if (!colon || !colon[1] || strlen(colon + 1) >= sizeof(ret->name))
		return -EINVAL;
	for (enum tls_role r = 0; r < TLS_ROLES; r++) {
		size_t len = strlen(role_names[r]);

		if (len != (size_t)(colon - common_name) || strncmp(role_names[r], common_name, len))
			continue;
		ret->role = r;
		strcpy(ret->name, colon + 1);
		return 0;
	}
	return -EINVAL;
}

static int identity_of(const X509 *cert, struct tls_identity *ret)
{
	char cn[TLS_NAME_LEN + 16] = "";
	int len = X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, cn,
					    sizeof(cn));

	if (len <= 0 || (size_t)len != strlen(cn))
		return -EINVAL;
	return tls_identity_parse(cn, ret);
}

/* OpenSSL's last complaint in its own words. */
static const char *complaint(void)
{
	unsigned long err = ERR_peek_last_error();
	const char *reason = err ? ERR_reason_error_string(err) : NULL;

	ERR_clear_error();
	return reason ?: "not usable";
}

/* At the end of a chain that is good: is this somebody we talk to? */
static int verify(int ok, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	const struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_identity peer;

	if (!ok || X509_STORE_CTX_get_error_depth(store))
		return ok;
	if (!identity_of(X509_STORE_CTX_get_current_cert(store), &peer) &&
	    t->roles & 1u << peer.role)
		return 1;
	X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
	return 0;
}

/* A copy: OpenSSL will not resume the session of a connection that was cut, and that is when it matters. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	if (!copy)
		return 0;
	SSL_SESSION_free(t->last);
	t->last = copy;
	return 0;
}

static int load_files(struct tls *t, const struct tls_files *f, struct error *e)
{
	X509 *cert;

	ERR_clear_error();
	if (SSL_CTX_load_verify_locations(t->ctx, f->ca, NULL) != 1)
		return error_set(e, -EINVAL, "CA certificate %s: %s", f->ca, complaint());
	if (SSL_CTX_use_certificate_chain_file(t->ctx, f->cert) != 1)
		return error_set(e, -EINVAL, "certificate %s: %s", f->cert, complaint());
	if (SSL_CTX_use_PrivateKey_file(t->ctx, f->key, SSL_FILETYPE_PEM) != 1)
		return error_set(e, -EINVAL, "key %s: %s", f->key, complaint());
	if (SSL_CTX_check_private_key(t->ctx) != 1)
		return error_set(e, -EINVAL, "key %s does not belong to certificate %s", f->key,
				 f->cert);
	cert = SSL_CTX_get0_certificate(t->ctx);
	if (identity_of(cert, &t->self))
		return error_set(e, -EINVAL,
				 "certificate %s: its common name is not \"host:NAME\", \"controller:NAME\", \"tenant:NAME\" or \"operator:NAME\"",
				 f->cert);
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return error_set(e, -EINVAL, "certificate %s has expired; `mirachctl ca` makes a new one",
				 f->cert);
	return 0;
}

static void set_modes(struct tls *t)
{
	SSL_CTX_set_app_data(t->ctx, t);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify);
	SSL_CTX_set_session_id_context(t->ctx, (const unsigned char *)"mirach", 6);
	if (t->server) {
		SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);	/* tickets only */
		SSL_CTX_set_num_tickets(t->ctx, 1);
		return;
	}
	SSL_CTX_set_session_cache_mode(t->ctx,
				       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(t->ctx, keep_session);
}

int tls_new(bool server, const struct tls_files *files, unsigned int roles, struct tls **ret,
	    struct error *e)
{
	struct tls *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return error_set(e, -ENOMEM, "no memory");
	t->server = server;
	t->roles = roles;
	t->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
	if (!t->ctx || SSL_CTX_set_min_proto_version(t->ctx, TLS1_3_VERSION) != 1) {
		tls_free(t);
		return error_set(e, -ENOMEM, "OpenSSL has no TLS 1.3");
	}
	set_modes(t);
	err = load_files(t, files, e);
	if (err) {
		tls_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_SESSION_free(t->last);
	SSL_CTX_free(t->ctx);
	free(t);
}

/* An SSL holds a reference of its context; who frees the context last frees what belongs to it. */
static void on_context_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
			    void *argp)
{
	struct tls *t = ptr;

	(void)parent;
	(void)ad;
	(void)index;
	(void)argl;
	(void)argp;
	if (!t)
		return;
	SSL_SESSION_free(t->last);
	free(t);
}

void tls_retire(struct tls *t)
{
	static int index = -1;

	if (index < 0)
		index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
	SSL_CTX_set_ex_data(t->ctx, index, t);
	SSL_CTX_free(t->ctx);
}

const struct tls_identity *tls_self(const struct tls *t)
{
	return &t->self;
}

SSL *tls_open(struct tls *t)
{
	SSL *ssl = SSL_new(t->ctx);

	if (ssl && t->last)
		SSL_set_session(ssl, t->last);
	return ssl;
}

int tls_peer(const SSL *ssl, struct tls_identity *ret, struct error *e)
{
	X509 *cert = SSL_get0_peer_certificate(ssl);
	const struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	struct tls_identity peer;

	if (!cert || SSL_get_verify_result(ssl) != X509_V_OK || identity_of(cert, &peer) ||
	    !(t->roles & 1u << peer.role))
		return error_set(e, -EACCES, "the peer shows no certificate of a role that may come here");
	if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
		return error_set(e, -EACCES, "the certificate of %s:%s has expired",
				 role_names[peer.role], peer.name);
	*ret = peer;
	return 0;
}

/* What went wrong with the peer's certificate, as we found; NULL: nothing. */
static const char *our_verdict(const SSL *ssl)
{
	long result = SSL_get_verify_result(ssl);

	switch (result) {
	case X509_V_OK:
		return NULL;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return "the peer's certificate has expired";
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the peer's certificate is not valid yet; are the clocks right?";
	case X509_V_ERR_APPLICATION_VERIFICATION:
		return "the peer's certificate is of a role that may not come here";
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return "the peer's certificate is not of our CA";
	default:
		return X509_verify_cert_error_string(result);
	}
}

/* What the peer says of ours. */
static const char *their_verdict(unsigned long err)
{
	switch (ERR_GET_REASON(err)) {
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
		return "the peer says that our certificate has expired";
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
		return "the peer says that our certificate is not of its CA";
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return "the peer wants a certificate of us";
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
		return "the peer does not take our certificate's role";
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
		return "the peer does not speak TLS 1.3";
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return "the peer shows no certificate";
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_BAD_RECORD_TYPE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return "the peer does not speak TLS";
	case SSL_R_UNEXPECTED_EOF_WHILE_READING:
		return "the connection was cut";
	default:
		return NULL;
	}
}

const char *tls_failure(const SSL *ssl, unsigned long openssl_error, char *buf, size_t len)
{
	const char *text = ssl ? our_verdict(ssl) : NULL;

	if (!text && openssl_error)
		text = their_verdict(openssl_error);
	if (!text && openssl_error)
		text = ERR_reason_error_string(openssl_error);
	snprintf(buf, len, "%s", text ?: "the connection was closed");
	return buf;
}
