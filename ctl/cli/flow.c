/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow.c - flow list, flow show, flow flush: the compiled answers
 */
#include <stdio.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

#define FILTERS                                                                           \
	{ "vport", OPT_TEXT, "NAME", "flows that entered by this vport", false },          \
	{ "network", OPT_TEXT, "NAME", "flows of this network", false },                   \
	{ "src", OPT_TEXT, "PREFIX", "inner source address or prefix", false },            \
	{ "dst", OPT_TEXT, "PREFIX", "inner destination address or prefix", false },       \
	{ "proto", OPT_TEXT, "PROTO", "tcp, udp, icmp, icmpv6, sctp or a number", false }, \
	{ "port", OPT_NUMBER, "N", "source or destination port", false }

static const struct opt list_opts[] = {
	FILTERS,
	{ "limit", OPT_NUMBER, "N", "how many, default 1000, at most 10000", false },
	{ "offset", OPT_NUMBER, "N", "matching flows to skip", false },
	{ "rates", OPT_FLAG, NULL, "packets and bits per second, over 0.2 seconds", false },
	{},
};

static const struct opt flush_opts[] = {
	FILTERS,
	{ "all", OPT_FLAG, NULL, "all flows of this host", false },
	{},
};

static const char *from(const cJSON *f)
{
	const char *outer = view_text(f, "outer");

	return *outer ? view_fmt("%s@%s", view_text(f, "network"), outer) : view_text(f, "vport");
}

/* The ports of a 5-tuple; "*" where the flow speaks for all of them. */
static const char *ports(const cJSON *f)
{
	if (!view_count(f, "sport"))
		return "*";
	return view_fmt("%s>%s", view_count(f, "sport"), view_count(f, "dport"));
}

static const char *does(const cJSON *f)
{
	const char *reason = view_text(f, "reason"), *nexthop = view_count(f, "nexthop");
	const char *stages = view_join(f, "stages");

	if (*reason)
		return view_fmt("drop %s", reason);
	if (!nexthop)
		return view_text(f, "verdict");
	return view_fmt("%s%snexthop %s", stages ?: "", stages ? ", " : "", nexthop);
}

static void print_rated(const cJSON *flows)
{
	struct table *t = table_new("INDEX>,FROM,SRC,DST,PROTO,PORTS,DOES,PACKETS>,PPS>,BIT/S>,IDLE>");
	const cJSON *f;

	cJSON_ArrayForEach(f, flows)
		table_row(t, view_count(f, "index"), from(f), view_text(f, "src"),
			  view_text(f, "dst"), view_text(f, "proto"), ports(f), does(f),
			  view_count(f, "packets"), view_quantity(view_number(f, "pps")),
			  view_quantity(view_number(f, "bps")),
			  view_seconds(view_number(f, "idle_s")));
	table_print(t, stdout);
}

static void print_counted(const cJSON *flows)
{
	struct table *t = table_new("INDEX>,FROM,SRC,DST,PROTO,PORTS,DOES,PACKETS>,BYTES>,AGE>,IDLE>");
	const cJSON *f;

	cJSON_ArrayForEach(f, flows)
		table_row(t, view_count(f, "index"), from(f), view_text(f, "src"),
			  view_text(f, "dst"), view_text(f, "proto"), ports(f), does(f),
			  view_count(f, "packets"), view_count(f, "bytes"),
			  view_seconds(view_number(f, "age_s")),
			  view_seconds(view_number(f, "idle_s")));
	table_print(t, stdout);
}

static void print_list(const cJSON *o)
{
	const cJSON *flows = view_item(o, "flows");
	int n = cJSON_GetArraySize(flows);

	if (n && view_item(flows->child, "pps"))
		print_rated(flows);
	else
		print_counted(flows);
	if (n < view_number(o, "total"))
		printf("%d of %.0f flows; --offset and --limit show the others\n", n,
		       view_number(o, "total"));
}

static int cmd_list(struct cli *cli)
{
	return cli_ask_and_show(cli, "flow.list", print_list);
}

/* flow show */

static void line(const char *name, const char *value)
{
	if (value && *value)
		printf("%-12s %s\n", name, value);
}

static void print_nexthop(const cJSON *n)
{
	const char *remote = view_text(n, "remote");

	if (!n)
		return;
	if (view_item(n, "ways"))
		line("next hop", view_fmt("%s: %s ways to %s", view_count(n, "id"), view_count(n, "ways"),
					  remote));
	else if (*remote)
		line("next hop", view_fmt("%s: %s to %s by %s, MAC %s", view_count(n, "id"),
					  view_text(n, "tunnel"), remote, view_text(n, "device"),
					  view_text(n, "mac")));
	else
		line("next hop", view_fmt("%s: %s %s", view_count(n, "id"), view_text(n, "kind"),
					  view_text(n, "port")));
}

static void print_show(const cJSON *f)
{
	line("flow", view_fmt("%s, %s-tuple", view_count(f, "index"), view_count(f, "tuple")));
	line("from", from(f));
	line("network", view_fmt("%s, VNI %s", view_text(f, "network"), view_count(f, "vni")));
	line("packet", view_fmt("%s > %s, %s, ports %s", view_text(f, "src"), view_text(f, "dst"),
				view_text(f, "proto"), ports(f)));
	line("VLAN", view_join(f, "vlan"));
	line("does", does(f));
	line("rule", view_text(f, "rule"));
	print_nexthop(view_item(f, "nexthop_detail"));
	if (*view_text(f, "dmac"))
		line("leaves as", view_fmt("%s > %s", view_text(f, "smac"), view_text(f, "dmac")));
	line("carried", view_fmt("%s packets, %s bytes", view_count(f, "packets"),
				 view_count(f, "bytes")));
	line("age", view_fmt("%s, idle %s", view_seconds(view_number(f, "age_s")),
			     view_seconds(view_number(f, "idle_s"))));
}

static int cmd_show(struct cli *cli)
{
	const char *word = cli->opts->words[0];
	cJSON *args, *result;
	unsigned int index;
	int rc, end = 0;

	if (sscanf(word, "%9u%n", &index, &end) != 1 || word[end])
		return cli_usage("flow show: %s is no flow index", word);
	args = cJSON_CreateObject();
	cJSON_AddNumberToObject(args, "index", index);
	rc = cli_ask(cli, "flow.show", args, &result);
	return rc ? rc : cli_show(cli, result, print_show);
}

/* flow flush */

static void print_flush(const cJSON *o)
{
	printf("%.0f flows flushed\n", view_number(o, "flushed"));
}

static int cmd_flush(struct cli *cli)
{
	return cli_ask_and_show(cli, "flow.flush", print_flush);
}

const struct command flow_commands[] = {
	{ .name = "flow list", .opts = list_opts, .run = cmd_list,
	  .help = "installed flows, with filters and counters",
	  .example = "mirachctl flow list --network red --dst 10.0.0.0/24 --rates" },
	{ .name = "flow show", .words = "INDEX", .min_words = 1, .max_words = 1, .run = cmd_show,
	  .help = "one flow in full" },
	{ .name = "flow flush", .opts = flush_opts, .run = cmd_flush,
	  .help = "remove flows; their next packets are compiled anew" },
	{},
};
