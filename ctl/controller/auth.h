/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * auth.h - who asks: a certificate's name, or a bearer token of a file
 *
 *	common name "tenant:acme", "operator:ann"	or	Authorization: Bearer TOKEN
 *
 * The file of tokens holds their hashes only, a line each:
 *
 *	SHA256-OF-THE-TOKEN tenant:acme [not after, 2027-01-31T00:00:00Z]
 *
 * `mirachctl token` makes a token and its line. The file is read again when it
 * changed; one that cannot be read leaves the tokens as they were.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include <ctl/controller/model.h>
#include <lib/error.h>

struct identity {
	bool known, operator;
	char tenant[MODEL_TENANT_LEN];	/* unless operator */
	char name[80];			/* for the log, "tenant:acme" */
};

struct auth;

/* @path NULL: no tokens. -EINVAL, -errno: the file is missing or wrong, with the line. */
int auth_new(const char *path, struct auth **ret, struct error *e);
void auth_free(struct auth *a);

/* "tenant:acme", "operator:ann"; -EINVAL for anything else. */
int auth_identity(const char *name, struct identity *ret);
/* 0, or -EACCES with why in @e. @now in seconds. */
int auth_token(struct auth *a, const char *token, time_t now, struct identity *ret, struct error *e);

/* What the file holds for @token: 64 hexadecimal digits. */
#define AUTH_HASH_LEN 68
void auth_hash(const char *token, char ret[AUTH_HASH_LEN]);
