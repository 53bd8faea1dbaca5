/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cli.h - what the commands of mirachctl share
 *
 * A command is a row: name, words, options, function. The function gets what was
 * typed, asks the agent, and prints; --json prints the agent's result as it came.
 *
 * See also: docs/mirachctl.md, docs/admin-protocol.md.
 */
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

#include <ctl/cli/opts.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,			/* the agent refused, or doctor found what would be */
	CLI_USAGE = 2,
	CLI_UNREACHABLE = 3,		/* no agent or controller, or no permission */
	CLI_NOT_FOUND = 4,		/* what was named does not exist */
	CLI_DIFFERENT = 5,		/* diff: something would change */
	CLI_BEHIND = 6,			/* done, but hosts have not acknowledged in time */
};

struct cli {
	const char *socket;
	bool json;
	const struct opts *opts;
};

struct command {
	const char *name;		/* one or two words; NULL ends a table */
	const char *words;		/* arguments beside options, "NAME"; NULL: none */
	unsigned int min_words, max_words;
	const struct opt *opts;
	const char *help;		/* one line */
	int (*run)(struct cli *cli);	/* enum cli_exit */
	const char *example;		/* optional */
};

/* The rows, by file. Each ends with name NULL. */
extern const struct command agent_commands[];	/* agent.c: status, reload, log, samples */
extern const struct command vport_commands[];
extern const struct command flow_commands[];
extern const struct command hoverboard_commands[];
extern const struct command nexthop_commands[];
extern const struct command drops_commands[];
extern const struct command trace_commands[];
extern const struct command doctor_commands[];
extern const struct command reasons_commands[];
extern const struct command encode_commands[];
extern const struct command declare_commands[];	/* apply, delete, diff */
extern const struct command object_commands[];	/* get, describe, export, wait, watch */
extern const struct command token_commands[];
extern const struct command ca_commands[];
extern const struct command controller_commands[];	/* controller.c: controller status, hoverboard show */

/* Asks the agent; takes over @args. Prints what went wrong. On CLI_OK the caller deletes @ret. */
int cli_ask(struct cli *cli, const char *op, cJSON *args, cJSON **ret);
/* Prints @result by @print, or as JSON if asked to; deletes it. Returns CLI_OK. */
int cli_show(struct cli *cli, cJSON *result, void (*print)(const cJSON *result));
/* The common case: the options are the arguments. */
int cli_ask_and_show(struct cli *cli, const char *op, void (*print)(const cJSON *result));
/* Prints "mirachctl: ..." to stderr and returns CLI_USAGE. */
int cli_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void cli_print_json(const cJSON *o);
