/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.h - a command's options as a table: read, sent, printed
 *
 *	static const struct opt opts[] = {
 *		{ "vport", OPT_TEXT, "NAME", "flows that entered by this vport" },
 *		{ "rates", OPT_FLAG, NULL, "..." },
 *		{},
 *	};
 *
 * "--name value", "--name=value" and "--flag", anywhere behind the command; OPT_MAYBE is
 * a flag or "--name=number"; -f, -l and -o are short for --file, --labels, --output. The
 * same table makes the arguments of the agent's operation and the help. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cjson/cJSON.h>

#include <lib/error.h>

enum opt_kind { OPT_FLAG, OPT_TEXT, OPT_NUMBER, OPT_VLANS, OPT_MAYBE };

struct opt {
	const char *name;		/* without dashes; NULL ends a table */
	enum opt_kind kind;
	const char *arg, *help;		/* arg NULL: a flag */
	bool ours;			/* for the command line itself, not sent to the agent */
};

#define OPTS_MAX 40
#define OPTS_WORDS_MAX 4

/* What was found. Pointers are into argv. */
struct opts {
	const struct opt *spec, *common;
	const char *values[OPTS_MAX];	/* in the order of spec, then common; NULL: not given */
	const char *words[OPTS_WORDS_MAX]; /* what is no option */
	unsigned int n_words;
};

/*
 * Reads argv[0] .. argv[argc - 1]. @common: options every command takes. 0, or
 * -EINVAL: unknown, repeated, without its value, or no number where one must be.
 */
int opts_parse(const struct opt *spec, const struct opt *common, int argc, char **argv,
	       struct opts *ret, struct error *e);

const char *opts_text(const struct opts *o, const char *name);	/* NULL: not given */
bool opts_flag(const struct opts *o, const char *name);
uint64_t opts_number(const struct opts *o, const char *name, uint64_t fallback);

/* The given options of the command's own table as an object for the agent; dashes become underscores. */
cJSON *opts_json(const struct opts *o);
void opts_print(const struct opt *spec, FILE *out);
