/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands.h - all commands of mirachctl, and how one is found among the words
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include <ctl/cli/cli.h>

/* --json, --socket, --help, --version: before or behind the command. */
extern const struct opt commands_common[];

/* The @i-th command, NULL behind the last. */
const struct command *commands_at(unsigned int i);

/*
 * The command named by the first words of @argv; @ret_used is how many. NULL: none,
 * and @ret_near is the name that was probably meant, or NULL.
 */
const struct command *commands_find(int argc, char *const *argv, int *ret_used,
				    const char **ret_near);

/* True if @word begins commands of two words; with @out set their lines are printed. */
bool commands_group(const char *word, FILE *out);
void commands_print(FILE *out);				/* the overview */
void command_print(const struct command *c, FILE *out);	/* one command's help */
