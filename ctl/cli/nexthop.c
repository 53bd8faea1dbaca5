/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nexthop.c - nexthop list: where flows leave to
 */
#include <stdio.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

static const char *text_or_dash(const cJSON *o, const char *field)
{
	const char *text = view_text(o, field);

	return *text ? text : NULL;
}

static void print_list(const cJSON *o)
{
	struct table *t = table_new("ID>,KIND,TO,STATE,ENCAP,DEVICE,GATEWAY,MAC,MTU>");
	const cJSON *n;

	cJSON_ArrayForEach(n, view_item(o, "nexthops"))
		table_row(t, view_count(n, "id"),
			  view_item(n, "way_of") ? "way" : view_text(n, "kind"),
			  text_or_dash(n, "remote") ?: text_or_dash(n, "port"),
			  text_or_dash(n, "state"), text_or_dash(n, "tunnel"),
			  text_or_dash(n, "device"), text_or_dash(n, "gateway"),
			  text_or_dash(n, "mac"), view_count(n, "mtu"));
	table_print(t, stdout);
}

static int cmd_list(struct cli *cli)
{
	return cli_ask_and_show(cli, "nexthop.list", print_list);
}

const struct command nexthop_commands[] = {
	{ .name = "nexthop list", .run = cmd_list,
	  .help = "remote hosts with their outer headers, and local vports" },
	{},
};
