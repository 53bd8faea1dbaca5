// SPDX-License-Identifier: BSD-2-Clause
/*
 * token.c - mirachctl token: a bearer token, and its line for the controller's file
 */
#include <stdio.h>
#include <string.h>

#include <openssl/rand.h>

#include <ctl/cli/cli.h>
#include <ctl/controller/auth.h>
#include <lib/names.h>

#define TOKEN_BYTES 32

static int cmd_token(struct cli *cli)
{
	const char *name = cli->opts->words[0];
	unsigned char bytes[TOKEN_BYTES];
	char token[2 * TOKEN_BYTES + 4], hash[AUTH_HASH_LEN];
	struct identity who;

	if (auth_identity(name, &who))
		return cli_usage("%s: tokens are for \"tenant:NAME\" or \"operator:NAME\"", name);
	if (RAND_bytes(bytes, sizeof(bytes)) != 1) {
		fputs("mirachctl: no random numbers to be had\n", stderr);
		return CLI_FAILED;
	}
	hex_format(bytes, sizeof(bytes), 0, token, sizeof(token));
	auth_hash(token, hash);
	fprintf(stderr, "For %s, shown this once:\n", name);
	fprintf(stderr, "%s\nFor the controller's file (--tokens):\n", token);
	printf("%s %s\n", hash, name);
	return CLI_OK;
}

const struct command token_commands[] = {
	{ "token", "tenant:NAME|operator:NAME", 1, 1, NULL,
	  "makes a bearer token; the line for the controller goes to standard output", cmd_token,
	  "mirachctl token tenant:acme >>/etc/mirach/tokens" },
	{},
};
