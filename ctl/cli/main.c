/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - mirachctl: finds the command, reads its options, runs it
 *
 * See also: commands.c (the list), cli.h (exit codes), docs/mirachctl.md.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <ctl/cli/client.h>
#include <ctl/cli/commands.h>
#include <lib/version.h>

/* Options in front of the command move behind it, where its table is known. Returns how many words. */
static int front_options(int argc, char **argv)
{
	int n = 0;

	while (n < argc && !strncmp(argv[n], "--", 2)) {
		if (!strcmp(argv[n], "--socket"))
			n++;
		n++;
	}
	return n < argc ? n : argc;
}

static int run_command(const struct command *c, const struct opts *opts)
{
	struct cli cli = {
		.socket = opts_text(opts, "socket") ?: CLIENT_SOCKET,
		.json = opts_flag(opts, "json"),
		.opts = opts,
	};

	if (opts_flag(opts, "help")) {
		command_print(c, stdout);
		return CLI_OK;
	}
	if (opts->n_words < c->min_words)
		return cli_usage("%s needs %s", c->name, c->words);
	if (opts->n_words > c->max_words)
		return cli_usage("%s: what is `%s`? Try `mirachctl %s --help`.", c->name,
				 opts->words[c->max_words], c->name);
	return c->run(&cli);
}

/* "mirachctl flow": says what can follow. */
static int half_command(const char *word, const struct opts *opts)
{
	FILE *out = opts_flag(opts, "help") ? stdout : stderr;

	if (out == stderr)
		cli_usage("`%s` is half a command:", word);
	commands_group(word, out);
	return out == stdout ? CLI_OK : CLI_USAGE;
}

static int no_command(const char *near, int argc, char **argv, int front)
{
	const char *word = front < argc ? argv[front] : NULL;
	struct opts opts = {};
	struct error e;

	if (word && near && !commands_group(word, NULL))
		return cli_usage("there is no command `%s`; did you mean `%s`?", word, near);
	if (word && !commands_group(word, NULL))
		return cli_usage("there is no command `%s`; `mirachctl --help` lists them", word);
	if (opts_parse(NULL, commands_common, argc, argv, &opts, &e))
		return cli_usage("%s", e.text);
	if (word && opts.n_words == 1)
		return half_command(word, &opts);
	if (word)
		return cli_usage("there is no command `%s %s`; did you mean `%s`?", word,
				 opts.words[1], near ?: word);
	if (opts_flag(&opts, "version")) {
		puts("mirachctl " MIRACH_VERSION);
		return CLI_OK;
	}
	commands_print(opts_flag(&opts, "help") ? stdout : stderr);
	return opts_flag(&opts, "help") ? CLI_OK : CLI_USAGE;
}

int main(int argc, char **argv)
{
	const struct command *c;
	struct opts opts = {};
	struct error e = {};
	char *args[256];
	const char *near;
	int front, used, n = 0;

	signal(SIGPIPE, SIG_IGN);
	argc--, argv++;
	if (argc > (int)(sizeof(args) / sizeof(args[0])))
		return cli_usage("too many arguments");
	front = front_options(argc, argv);
	c = commands_find(argc - front, argv + front, &used, &near);
	if (!c)
		return no_command(near, argc, argv, front);
	for (int i = 0; i < argc; i++)
		if (i < front || i >= front + used)
			args[n++] = argv[i];
	if (opts_parse(c->opts, commands_common, n, args, &opts, &e))
		return cli_usage("%s: %s", c->name, e.text);
	return run_command(c, &opts);
}
