/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pki.h - a certificate authority in a folder
 *
 *	DIR/ca.crt  DIR/ca.key			the authority
 *	DIR/host-a.crt ...			<role>-<name>.crt and .key of whom it speaks for
 *
 * ECDSA P-256, SHA-256. The common name is "<role>:<name>", the identity that
 * lib/tls.h takes. Files are made 0600 and appear whole or not at all; one that is
 * there is never overwritten, unless a renewal asks for just that.
 *
 * All return 0, or -errno with the file or the library's complaint in @e.
 */
#pragma once

#include <stdbool.h>

#include <lib/error.h>
#include <lib/tls.h>

#define PKI_PATH_LEN 4096

struct pki_request {
	enum tls_role role;
	const char *name;
	const char *addresses;		/* "192.0.2.1,ctl.example.net": where clients reach it, or NULL */
	unsigned int days;		/* 0: has expired a day ago, for tests */
};

/* Makes DIR, if it must, and an authority for @days. -EEXIST: there is one. */
int pki_init(const char *dir, unsigned int days, struct error *e);
/* A new key and certificate. -EEXIST: there is one. */
int pki_issue(const char *dir, const struct pki_request *r, struct error *e);
/* A new certificate for the key that is there; takes the addresses over unless some are given. -ENOENT: there is none. */
int pki_renew(const char *dir, const struct pki_request *r, struct error *e);

/* "DIR/host-a.crt"; @suffix "crt" or "key". Returns @buf. */
const char *pki_path(const char *dir, const struct pki_request *r, const char *suffix,
		     char buf[PKI_PATH_LEN]);
