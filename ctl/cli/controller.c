// SPDX-License-Identifier: BSD-2-Clause
/*
 * controller.c - mirachctl controller status, hoverboard show: the controller in numbers
 */
#include <stdio.h>

#include <ctl/cli/server.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

/* Asks @path and prints the answer; the controller's text as it came with --json. */
static int ask_and_show(struct cli *cli, const char *path, void (*print)(const cJSON *o))
{
	struct answer a = {};
	struct error e = {};
	struct server s;
	int rc;

	if (server_init(&s, cli->opts, &e))
		return cli_usage("%s", e.text);
	rc = server_ask(&s, "GET", path, NULL, 0, false, &a);
	server_done(&s);
	if (rc) {
		cJSON_Delete(a.json);
		return rc;
	}
	return cli_show(cli, a.json, print);
}

static void row(const char *name, const char *value)
{
	printf("%-22s %s\n", name, value);
}

static const char *milliseconds(const cJSON *o)
{
	return view_fmt("p50 %.1f ms, p99 %.1f ms", view_number(o, "p50"), view_number(o, "p99"));
}

static void print_troubles(const cJSON *list)
{
	const cJSON *one;
	struct table *t;

	if (!cJSON_GetArraySize(list))
		return;
	putchar('\n');
	t = table_new("HOST,PROBLEM");
	cJSON_ArrayForEach(one, list)
		table_row(t, view_text(one, "host"), view_text(one, "problem"));
	table_print(t, stdout);
}

static void print_quarantine(const cJSON *list)
{
	const cJSON *one;
	struct table *t;

	if (!cJSON_GetArraySize(list))
		return;
	putchar('\n');
	t = table_new("REGION,REMOTE NETWORK,IN QUARANTINE FOR");
	cJSON_ArrayForEach(one, list)
		table_row(t, view_text(one, "region"), view_text(one, "name"), view_text(one, "reason"));
	table_print(t, stdout);
}

static void print_status(const cJSON *o)
{
	const cJSON *hosts = view_item(o, "hosts"), *sessions = view_item(o, "sessions");

	row("revision", view_count(hosts, "revision") ?: "-");
	row("hosts led", view_fmt("%.0f, %.0f connected, %.0f in step", view_number(hosts, "hosts"),
				  view_number(hosts, "connected"), view_number(hosts, "inStep")));
	row("objects of hosts", view_quantity(view_number(hosts, "objects")));
	row("write to last host", milliseconds(view_item(hosts, "latencyMs")));
	row("revisions under way", view_count(hosts, "underWay") ?: "-");
	row("updates", view_fmt("%.0f, %.0f refused, %.0f comparisons", view_number(hosts, "updates"),
				view_number(hosts, "refused"), view_number(hosts, "compared")));
	if (sessions)
		row("sessions here", view_fmt("%.0f, %.0f attached, %.0f refused, %.0f throttled",
					      view_number(sessions, "up"),
					      view_number(sessions, "attached"),
					      view_number(sessions, "refused"),
					      view_number(sessions, "throttled")));
	row("memory", view_bytes(view_number(o, "residentBytes")));
	print_troubles(view_item(hosts, "troubles"));
	print_quarantine(view_item(hosts, "quarantine"));
}

static void print_hoverboards(const cJSON *o)
{
	double boards = view_number(o, "hoverboardBytes"), direct = view_number(o, "directBytes");
	const cJSON *one;
	struct table *t;

	row("pairs direct", view_fmt("%.0f of %.0f known", view_number(o, "direct"), view_number(o, "pairs")));
	row("through hoverboards", boards + direct ? view_fmt("%.2f %% of the bytes of reported pairs",
							      100 * boards / (boards + direct)) :
						    "nothing was reported");
	row("report to direct", milliseconds(view_item(o, "reportToDirectMs")));
	row("offloaded so far", view_fmt("%.0f, %.0f withdrawn, %.0f evicted", view_number(o, "offloaded"),
					 view_number(o, "withdrawn"), view_number(o, "evicted")));
	if (!cJSON_GetArraySize(view_item(o, "offloads")))
		return;
	putchar('\n');
	t = table_new("NETWORK,SOURCE,DESTINATION,FROM,TO,BIT/S>");
	cJSON_ArrayForEach(one, view_item(o, "offloads"))
		table_row(t, view_text(one, "network"), view_text(one, "src"), view_text(one, "dst"),
			  view_text(one, "from"), view_text(one, "to"),
			  view_quantity(view_number(one, "bps")));
	table_print(t, stdout);
}

static int run_status(struct cli *cli)
{
	return ask_and_show(cli, "/v1/status", print_status);
}

static int run_hoverboards(struct cli *cli)
{
	return ask_and_show(cli, "/v1/offloads", print_hoverboards);
}

static const struct opt server_opts[] = { SERVER_OPTS, {} };

const struct command controller_commands[] = {
	{ "controller status", NULL, 0, 0, server_opts,
	  "the controller: hosts, sessions, latency, who is behind", run_status, NULL },
	{ "hoverboard show", NULL, 0, 0, server_opts,
	  "pairs that went direct, their share, and how fast", run_hoverboards, NULL },
	{},
};
