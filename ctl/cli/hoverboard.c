/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hoverboard.c - hoverboard list: who is asked for what this host does not know
 */
#include <stdio.h>
#include <string.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

#define COLUMNS ",STATE,SINCE>,CHANGES>,ASKED>,ANSWERED>,SLOTS>,FLOWS>,PACKETS>,BYTES>"

static void print_peers(const cJSON *list, const char *columns)
{
	struct table *t = table_new(columns);
	const cJSON *h;

	cJSON_ArrayForEach(h, list)
		table_row(t, view_text(h, "address"), view_text(h, "state"),
			  view_seconds(view_number(h, "since_s")), view_count(h, "changes"),
			  view_count(h, "asked"), view_count(h, "answered"),
			  view_fmt("%.0f/%.0f", view_number(h, "slots"), view_number(h, "of_slots")),
			  view_count(h, "flows"), view_count(h, "packets"),
			  view_bytes(view_number(h, "bytes")));
	table_print(t, stdout);
}

static void print_board(const cJSON *o)
{
	const cJSON *endpoints = view_item(o, "endpoints"), *forwarded = view_item(o, "forwarded");

	printf("This host is a hoverboard: %s endpoints, room for %s.\n",
	       view_count(endpoints, "used"), view_count(endpoints, "capacity"));
	printf("Sent on: %s packets, %s; answered: %s; dropped: %s.\n",
	       view_count(forwarded, "packets"), view_bytes(view_number(forwarded, "bytes")),
	       view_count(forwarded, "replied"), view_count(forwarded, "dropped"));
}

static void print_list(const cJSON *o)
{
	const cJSON *gateways = view_item(o, "gateways");

	if (!strcmp(view_text(o, "role"), "hoverboard"))
		print_board(o);
	else
		print_peers(view_item(o, "hoverboards"), "HOVERBOARD" COLUMNS);
	if (cJSON_GetArraySize(gateways))
		print_peers(gateways, "GATEWAY" COLUMNS);
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
