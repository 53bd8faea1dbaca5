/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hoverboard.c - hoverboard list: who is asked for what this host does not know
 */
#include <stdio.h>
#include <string.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

static void print_peers(const cJSON *list, const char *columns)
{
	struct table *t = table_new(columns);
	const cJSON *h;

	cJSON_ArrayForEach(h, list)
		table_row(t, view_text(h, "address"), view_text(h, "state"),
			  view_seconds(view_number(h, "since_s")), view_count(h, "changes"),
			  view_count(h, "asked"), view_count(h, "answered"),
			  view_fmt("%.0f/%.0f", view_number(h, "slots"), view_number(h, "of_slots")));
	table_print(t, stdout);
}

static void print_list(const cJSON *o)
{
	const cJSON *endpoints = view_item(o, "endpoints"), *gateways = view_item(o, "gateways");

	if (!strcmp(view_text(o, "role"), "hoverboard"))
		printf("This host is a hoverboard: %s endpoints, room for %s.\n",
		       view_count(endpoints, "used"), view_count(endpoints, "capacity"));
	else
		print_peers(view_item(o, "hoverboards"),
			    "HOVERBOARD,STATE,SINCE>,CHANGES>,ASKED>,ANSWERED>,SLOTS>");
	if (cJSON_GetArraySize(gateways))
		print_peers(gateways, "GATEWAY,STATE,SINCE>,CHANGES>,ASKED>,ANSWERED>,SLOTS>");
}

static int cmd_list(struct cli *cli)
{
	return cli_ask_and_show(cli, "hoverboard.list", print_list);
}

const struct command hoverboard_commands[] = {
	{ .name = "hoverboard list", .run = cmd_list,
	  .help = "the host's hoverboards: do they answer, how many slots they serve" },
	{},
};
