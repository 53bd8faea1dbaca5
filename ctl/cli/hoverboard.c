/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hoverboard.c - hoverboard list: who is asked for what this host does not know
 */
#include <stdio.h>
#include <string.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

static void print_list(const cJSON *o)
{
	const cJSON *h, *endpoints = view_item(o, "endpoints");
	struct table *t;

	if (!strcmp(view_text(o, "role"), "hoverboard")) {
		printf("This host is a hoverboard: %s endpoints, room for %s.\n",
		       view_count(endpoints, "used"), view_count(endpoints, "capacity"));
		return;
	}
	t = table_new("HOVERBOARD,STATE,SINCE>,CHANGES>,ASKED>,ANSWERED>,SLOTS>");
	cJSON_ArrayForEach(h, view_item(o, "hoverboards"))
		table_row(t, view_text(h, "address"), view_text(h, "state"),
			  view_seconds(view_number(h, "since_s")), view_count(h, "changes"),
			  view_count(h, "asked"), view_count(h, "answered"),
			  view_fmt("%.0f/%.0f", view_number(h, "slots"), view_number(h, "of_slots")));
	table_print(t, stdout);
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
