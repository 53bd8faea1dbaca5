/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h - mutual TLS 1.3 between the parts of one Mirach
 *
 * Every part has a certificate of the same CA whose common name says what it is:
 * "host:host-a", "controller:c1", "tenant:acme", "operator:ann". Both ends demand
 * the other's, and take only the roles they expect, so that a stolen host key cannot
 * play controller. The identity is the certificate's, never what the peer says.
 *
 * Sessions are resumed by ticket, without signatures, which is what makes thousands of
 * returning hosts cheap; an expired certificate is refused on resumption, too.
 *
 * A struct tls is for one thread. See also: docs/certificates.md, ctl/cli/ca.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

#include <lib/error.h>

#define TLS_NAME_LEN 64			/* with NUL: a common name has at most 64 bytes */

enum tls_role { TLS_HOST, TLS_CONTROLLER, TLS_TENANT, TLS_OPERATOR, TLS_ROLES };

struct tls_identity {
	enum tls_role role;
	char name[TLS_NAME_LEN];
};

struct tls_files {
	const char *ca, *cert, *key;	/* PEM */
};

struct tls;

/* @roles: bits 1 << enum tls_role of the peers it talks to. 0 or -errno and which file is at fault. */
int tls_new(bool server, const struct tls_files *files, unsigned int roles, struct tls **ret,
	    struct error *e);
void tls_free(struct tls *t);		/* NULL is allowed; its SSLs are gone by then */
/* Files are to be read again: a new one takes over, this one goes with the last of its SSLs. */
void tls_retire(struct tls *t);

/* For bufferevent_openssl_socket_new(), which frees it. A client resumes its last session. NULL: no memory. */
SSL *tls_open(struct tls *t);
/* After the handshake: who the peer is. -EACCES: certificate no longer valid, or no role we know. */
int tls_peer(const SSL *ssl, struct tls_identity *ret, struct error *e);
/* Our own, from the certificate that was loaded. */
const struct tls_identity *tls_self(const struct tls *t);

/* Why a session failed, for people. @openssl_error: of bufferevent_get_openssl_error(), or 0. Returns @buf. */
const char *tls_failure(const SSL *ssl, unsigned long openssl_error, char *buf, size_t len);

const char *tls_role_name(enum tls_role role);	/* "host" */
/* "host:host-a". 0 or -EINVAL. */
int tls_identity_parse(const char *common_name, struct tls_identity *ret);
