/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * server.h - questions to the controller: where it is, who asks, and the answer
 *
 * What is not said by an option comes from the environment (MIRACH_SERVER,
 * MIRACH_CA, MIRACH_CERT, MIRACH_KEY, MIRACH_TOKEN, MIRACH_TENANT), then from the
 * file $MIRACH_CONFIG or ~/.config/mirach/config.yaml:
 *
 *	server: https://controller.example:7443
 *	ca: /etc/mirach/ca.crt
 *	token: ...			(or cert and key)
 *	tenant: acme
 *
 * A server is https://HOST:PORT, http://LOOPBACK:PORT or unix:PATH.
 */
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

#include <ctl/cli/cli.h>

#define SERVER_DEFAULT "unix:/run/mirach/api.sock"

/* Rows for the options of every command that asks the controller. */
#define SERVER_OPTS                                                                       \
	{ "server", OPT_TEXT, "URL", "the controller, default " SERVER_DEFAULT, .ours = true }, \
	{ "ca", OPT_TEXT, "FILE", "authority that signed its certificate", .ours = true },      \
	{ "cert", OPT_TEXT, "FILE", "our certificate", .ours = true },                          \
	{ "key", OPT_TEXT, "FILE", "our private key", .ours = true },                           \
	{ "token", OPT_TEXT, "TOKEN", "bearer token instead of a certificate", .ours = true }

struct server {
	char *url, *ca, *cert, *key, *token, *tenant;	/* NULL: not given */
};

/* 0, or -EINVAL: the file is wrong. */
int server_init(struct server *s, const struct opts *opts, struct error *e);
void server_done(struct server *s);

struct answer {
	long status;
	cJSON *json;			/* NULL: none */
};

/*
 * Asks and reads the answer. Returns CLI_OK, CLI_UNREACHABLE, or CLI_FAILED or
 * CLI_NOT_FOUND by its status; what went wrong is printed unless @quiet. The caller
 * deletes ret->json in any case. @wait_s: how long the server may take, beside.
 */
int server_ask(const struct server *s, const char *method, const char *path, const char *body,
	       unsigned int wait_s, bool quiet, struct answer *ret);
/* The same for a stream of lines, until @line returns false or the server ends it. */
int server_stream(const struct server *s, const char *path, bool (*line)(void *arg, const char *text),
		  void *arg);
/* Prints the answer's problem: title, detail, errors. */
void server_print_problem(const cJSON *problem);
/* Text as part of a URL; to curl_free(). */
char *server_escape(const char *text);
