/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * commands.c - all commands of mirachctl, and how one is found among the words
 */
#include <ctl/cli/commands.h>

#include <string.h>

#include <ctl/cli/client.h>
#include <lib/suggest.h>
#include <ctl/cli/view.h>

#define COMMANDS_MAX 64

const struct opt commands_common[] = {
	{ "json", OPT_FLAG, NULL, "print the result as JSON", true },
	{ "socket", OPT_TEXT, "PATH", "the agent's socket, default " CLIENT_SOCKET, true },
	{ "help", OPT_FLAG, NULL, "print help, also for one command", true },
	{ "version", OPT_FLAG, NULL, "print the version", true },
	{},
};

static const struct command *const tables[] = {
	agent_commands, vport_commands,	 flow_commands,	   nexthop_commands, drops_commands,
	trace_commands, doctor_commands, reasons_commands, encode_commands,
	declare_commands, object_commands, token_commands,
	ca_commands,	hoverboard_commands, controller_commands,
};

const struct command *commands_at(unsigned int i)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct command *c = tables[t]; c->name; c++)
			if (!i--)
				return c;
	return NULL;
}

/* How many words of @argv the command's name takes, 0 if it is another one. */
static int name_matches(const struct command *c, int argc, char *const *argv)
{
	const char *second = strchr(c->name, ' ');
	size_t len = second ? (size_t)(second - c->name) : strlen(c->name);

	if (!argc || strlen(argv[0]) != len || strncmp(argv[0], c->name, len))
		return 0;
	if (!second)
		return 1;
	return argc > 1 && !strcmp(argv[1], second + 1) ? 2 : 0;
}

static const char *nearest(int argc, char *const *argv)
{
	const char *names[COMMANDS_MAX], *typed;
	const struct command *c;
	unsigned int n = 0;

	while (n < COMMANDS_MAX && (c = commands_at(n)))
		names[n++] = c->name;
	typed = argc > 1 ? view_fmt("%.30s %.30s", argv[0], argv[1]) : argv[0];
	return suggest(typed, names, n) ?: suggest(argv[0], names, n);
}

const struct command *commands_find(int argc, char *const *argv, int *ret_used,
				    const char **ret_near)
{
	const struct command *c;

	*ret_near = NULL;
	for (unsigned int i = 0; (c = commands_at(i)); i++) {
		*ret_used = name_matches(c, argc, argv);
		if (*ret_used)
			return c;
	}
	if (argc)
		*ret_near = nearest(argc, argv);
	return NULL;
}

static void print_line(const struct command *c, FILE *out)
{
	fprintf(out, "  %-24s %s\n", view_fmt("%s %s", c->name, c->words ?: ""), c->help);
}

bool commands_group(const char *word, FILE *out)
{
	const struct command *c;
	bool found = false;

	for (unsigned int i = 0; (c = commands_at(i)); i++) {
		if (strncmp(c->name, word, strlen(word)) || c->name[strlen(word)] != ' ')
			continue;
		found = true;
		if (out)
			print_line(c, out);
	}
	return found;
}

void commands_print(FILE *out)
{
	const struct command *c;

	fputs("Usage: mirachctl [--socket PATH] [--json] COMMAND ...\n\n"
	      "Asks the Mirach agent of this host, or the controller (apply, get, ...).\n\n", out);
	for (unsigned int i = 0; (c = commands_at(i)); i++)
		print_line(c, out);
	fputc('\n', out);
	opts_print(commands_common, out);
	fputs("\nExit codes: 0 done, 1 refused, 2 wrong usage, 3 not reachable, 4 not found,"
	      " 5 diff: differs, 6 done but not programmed everywhere in time.\n", out);
}

void command_print(const struct command *c, FILE *out)
{
	fprintf(out, "Usage: mirachctl %s%s%s%s\n\n%s\n", c->name, c->words ? " " : "",
		c->words ?: "", c->opts ? " [OPTIONS]" : "", c->help);
	if (c->opts) {
		fputc('\n', out);
		opts_print(c->opts, out);
	}
	if (c->example)
		fprintf(out, "\nExample:\n  %s\n", c->example);
}
