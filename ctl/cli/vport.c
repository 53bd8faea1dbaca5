/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vport.c - vport list, vport show: where guests and the underlay plug in
 */
#include <stdio.h>
#include <string.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

static void print_problems(const cJSON *vports)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, vports)
		if (*view_text(v, "problem"))
			printf("%s: %s\n", view_text(v, "name"), view_text(v, "problem"));
}

static const char *text_or_dash(const cJSON *o, const char *field)
{
	const char *text = view_text(o, field);

	return *text ? text : NULL;
}

static void print_list(const cJSON *o)
{
	struct table *t = table_new("NAME,KIND,NETWORK,DEVICE,STATE,HOOK,MODE,SLOT>,ADDRESSES");
	const cJSON *vports = view_item(o, "vports"), *v;

	cJSON_ArrayForEach(v, vports)
		table_row(t, view_text(v, "name"), view_text(v, "kind"), text_or_dash(v, "network"),
			  view_text(v, "device"), view_text(v, "state"), text_or_dash(v, "hook"),
			  text_or_dash(v, "mode"), view_count(v, "slot"), view_join(v, "addresses"));
	table_print(t, stdout);
	print_problems(vports);
}

static int cmd_list(struct cli *cli)
{
	return cli_ask_and_show(cli, "vport.list", print_list);
}

static void line(const char *name, const char *value)
{
	if (value && *value)
		printf("%-10s %s\n", name, value);
}

static void print_books(const cJSON *o)
{
	const cJSON *usage = view_item(o, "usage"), *v;

	printf("\n");
	cJSON_ArrayForEach(v, usage)
		printf("%-16s %12.0f\n", v->string, v->valuedouble);
	cJSON_ArrayForEach(v, view_item(o, "drops"))
		printf("  %-14s %12.0f\n", v->string, v->valuedouble);
	if (!view_flag(o, "closes"))
		printf("the books are open by %.0f frames (under way, if there is traffic)\n",
		       view_number(o, "gap"));
}

static void print_show(const cJSON *o)
{
	const char *network = view_text(o, "network");

	line("name", view_fmt("%s (%s, slot %s)", view_text(o, "name"), view_text(o, "kind"),
			      view_count(o, "slot")));
	if (*network)
		line("network", view_fmt("%s, VNI %s", network, view_count(o, "vni")));
	line("device", view_fmt("%s, ifindex %s, driver %s, MTU %s", view_text(o, "device"),
				view_count(o, "ifindex"), view_text(o, "driver"),
				view_count(o, "mtu")));
	line("state", view_text(o, "state"));
	line("hook", view_fmt("%s %s", view_text(o, "hook"), view_text(o, "mode")));
	line("why", view_text(o, "why"));
	line("problem", view_text(o, "problem"));
	line("MAC", view_text(o, "mac"));
	line("addresses", view_join(o, "addresses"));
	line("VLAN", view_join(o, "vlan"));
	if (view_count(o, "miss_rate"))
		line("miss rate", view_fmt("%s new flows per second", view_count(o, "miss_rate")));
	print_books(o);
}

static int cmd_show(struct cli *cli)
{
	cJSON *args = cJSON_CreateObject(), *result;
	int rc;

	cJSON_AddStringToObject(args, "name", cli->opts->words[0]);
	rc = cli_ask(cli, "vport.show", args, &result);
	return rc ? rc : cli_show(cli, result, print_show);
}

static const struct opt attach_opts[] = {
	{ "instance", OPT_TEXT, "TENANT.NAME", "which instance", false },
	{ "dev", OPT_TEXT, "DEVICE", "the host's end: its tap or veth", true },
	{ "netns", OPT_TEXT, "NETNS", "the guest's namespace, if the agent may prepare its end", false },
	{ "guest-device", OPT_TEXT, "DEVICE", "interface in there, default the other end of the veth", false },
	{},
};

static void print_attach(const cJSON *o)
{
	printf("%s is on %s%s\n", view_text(o, "instance"), view_text(o, "device"),
	       strcmp(view_text(o, "state"), "bound") ? "; the controller has not been heard yet" : "");
}

static int cmd_attach(struct cli *cli)
{
	cJSON *args = opts_json(cli->opts), *result;
	const char *device = opts_text(cli->opts, "dev");
	int rc;

	if (device)
		cJSON_AddStringToObject(args, "device", device);
	rc = cli_ask(cli, "vport.attach", args, &result);
	return rc ? rc : cli_show(cli, result, print_attach);
}

static const struct opt detach_opts[] = {
	{ "instance", OPT_TEXT, "TENANT.NAME", "which instance", false },
	{},
};

static void print_detach(const cJSON *o)
{
	printf("%s has no device any more\n", view_text(o, "instance"));
}

static int cmd_detach(struct cli *cli)
{
	return cli_ask_and_show(cli, "vport.detach", print_detach);
}

const struct command vport_commands[] = {
	{ .name = "vport list", .help = "vports and uplinks, and how they are", .run = cmd_list },
	{ .name = "vport show", .words = "NAME", .min_words = 1, .max_words = 1, .run = cmd_show,
	  .help = "one of them in full, with its counters" },
	{ .name = "vport attach", .opts = attach_opts, .run = cmd_attach,
	  .help = "give an instance of a controller its device on this host",
	  .example = "mirachctl vport attach --instance acme.web-1 --dev tap3" },
	{ .name = "vport detach", .opts = detach_opts, .run = cmd_detach,
	  .help = "take it back" },
	{},
};
