/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * reasons.c - reasons: every way a packet can be dropped
 *
 * The list is compiled in (mirach/reasons.def); docs/drop-reasons.md is made from
 * --json.
 */
#include <stdio.h>
#include <string.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/names.h>

static void add_reason(cJSON *list, unsigned int number)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "number", number);
	cJSON_AddStringToObject(o, "name", reason_name(number));
	cJSON_AddStringToObject(o, "text", reason_text(number));
	cJSON_AddItemToArray(list, o);
}

static void print_reasons(const cJSON *o)
{
	const cJSON *r;

	cJSON_ArrayForEach(r, view_item(o, "reasons"))
		printf("%3s  %-16s %s\n", view_count(r, "number"), view_text(r, "name"),
		       view_text(r, "text"));
}

static int cmd_reasons(struct cli *cli)
{
	const char *only = cli->opts->n_words ? cli->opts->words[0] : NULL;
	cJSON *o = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(o, "reasons");

	for (unsigned int i = 1; i < REASON_MAX; i++)
		if (*reason_text(i) && (!only || !strcmp(only, reason_name(i))))
			add_reason(list, i);
	if (!cJSON_GetArraySize(list)) {
		cJSON_Delete(o);
		fprintf(stderr, "mirachctl: there is no drop reason %s\n", only);
		return CLI_NOT_FOUND;
	}
	return cli_show(cli, o, print_reasons);
}

const struct command reasons_commands[] = {
	{ .name = "reasons", .words = "[NAME]", .max_words = 1, .run = cmd_reasons,
	  .help = "every way a packet can be dropped, and what to do about it" },
	{},
};
