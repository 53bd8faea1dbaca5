/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.c - what the commands of mirachctl share
 */
#include <ctl/cli/cli.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <ctl/cli/client.h>

int cli_usage(const char *fmt, ...)
{
	va_list ap;

	fputs("mirachctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_USAGE;
}

void cli_print_json(const cJSON *o)
{
	char *text = cJSON_Print(o);

	if (text)
		puts(text);
	free(text);
}

int cli_ask(struct cli *cli, const char *op, cJSON *args, cJSON **ret)
{
	struct error e = {};

	switch (client_call(cli->socket, op, args, ret, &e)) {
	case CLIENT_OK:
		return CLI_OK;
	case CLIENT_UNREACHABLE:
		fprintf(stderr, "mirachctl: %s\n", e.text);
		return CLI_UNREACHABLE;
	default:
		fprintf(stderr, "mirachctl: %s\n", e.text);
		return e.err == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED;
	}
}

int cli_show(struct cli *cli, cJSON *result, void (*print)(const cJSON *result))
{
	if (cli->json)
		cli_print_json(result);
	else
		print(result);
	cJSON_Delete(result);
	return CLI_OK;
}

int cli_ask_and_show(struct cli *cli, const char *op, void (*print)(const cJSON *result))
{
	cJSON *result;
	int rc = cli_ask(cli, op, opts_json(cli->opts), &result);

	return rc ? rc : cli_show(cli, result, print);
}
