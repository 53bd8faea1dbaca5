/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.c - status, reload, log, samples: the agent itself
 */
#include <stdio.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/table.h>

static void line(const char *name, const char *value)
{
	printf("%-14s %s\n", name, value);
}

/* status */

/* "4 ready, 1 absent": the states that have any. */
static const char *states(const cJSON *o, const char *field)
{
	const char *text = "", *separator = "";
	const cJSON *v;

	cJSON_ArrayForEach(v, view_item(o, field)) {
		if (!v->valuedouble)
			continue;
		text = view_fmt("%s%s%.0f %s", text, separator, v->valuedouble, v->string);
		separator = ", ";
	}
	return *text ? text : "none";
}

static void status_checkpoint(const cJSON *o)
{
	const cJSON *age = view_item(o, "age_s");
	const char *problem = view_text(o, "problem");

	if (*problem)
		line("checkpoint", view_fmt("not written: %s", problem));
	else if (age)
		line("checkpoint", view_fmt("%s, written %s ago", view_text(o, "path"),
					    view_seconds(age->valuedouble)));
	else
		line("checkpoint", view_fmt("%s", view_text(o, "path")));
}

static void status_controller(const cJSON *o)
{
	const char *error = view_text(o, "last_error"), *refusal = view_text(o, "last_refusal");

	if (!o)
		return;
	line("controller", view_fmt("%s, %s for %s", view_text(o, "endpoint"), view_text(o, "session"),
				    view_seconds(view_number(o, "since_s"))));
	if (*error)
		line("last error", error);
	line("state", view_fmt("revision %.0f, %.0f objects%s", view_number(o, "revision"),
			       view_number(o, "objects"), view_flag(o, "known") ? "" :
			       "; nothing known yet, an earlier agent's datapath is left alone"));
	if (*refusal)
		line("last refusal", refusal);
	status_checkpoint(view_item(o, "checkpoint"));
}

static void status_agent(const cJSON *o)
{
	const cJSON *last = view_item(o, "last_reload");

	line("agent", view_fmt("mirachd %s, pid %.0f, up %s%s", view_text(o, "version"),
			       view_number(o, "pid"), view_seconds(view_number(o, "uptime_s")),
			       view_flag(o, "adopted") ? ", adopted an earlier agent's datapath" : ""));
	line("host", view_text(o, "host"));
	if (*view_text(o, "config"))
		line("config", view_fmt("%s, reloaded %.0f times", view_text(o, "config"),
					view_number(o, "reloads")));
	if (last && !view_flag(last, "ok"))
		line("last reload", view_fmt("refused: %s", view_text(last, "error")));
	status_controller(view_item(o, "controller"));
	line("log level", view_text(o, "log_level"));
}

static void status_network(const cJSON *o)
{
	const cJSON *encap = view_item(o, "encapsulation");

	line("underlay", view_join(o, "underlay") ?: "none");
	line("encapsulation", view_fmt("%s%s%s, dscp %s", view_text(encap, "kind"),
				       view_count(encap, "port") ? " port " : "",
				       view_count(encap, "port") ?: "", view_text(encap, "dscp")));
	line("uplinks", states(o, "uplinks"));
	line("vports", states(o, "vports"));
	line("next hops", states(o, "nexthops"));
}

static void status_flows(const cJSON *o)
{
	const cJSON *flows = view_item(o, "flows"), *misses = view_item(o, "misses");
	double published = view_number(flows, "published");

	line("flows", view_fmt("%.0f of %.0f (%.0f added, %.0f aged, %.0f evicted, %.0f refused)",
			       published,
			       published + view_number(flows, "retired") + view_number(flows, "free"),
			       view_number(flows, "added"), view_number(flows, "aged"),
			       view_number(flows, "evicted"), view_number(flows, "refused")));
	line("misses", view_fmt("%.0f in %.0f batches, %.0f resumed, %.0f dropped, %.0f overflowed",
				view_number(misses, "misses"), view_number(misses, "batches"),
				view_number(misses, "resumed"), view_number(misses, "dropped"),
				view_number(misses, "hub_overflow")));
}

static void print_status(const cJSON *o)
{
	const cJSON *abi = view_item(o, "abi");

	status_agent(o);
	status_network(o);
	status_flows(o);
	line("memory", view_fmt("%s in maps, %s resident",
				view_bytes(view_number(o, "kernel_memory_bytes")),
				view_bytes(view_number(o, "resident_bytes"))));
	line("maps", view_fmt("%s, layout %.0f", view_text(o, "bpffs"), view_number(abi, "seq")));
}

static int cmd_status(struct cli *cli)
{
	return cli_ask_and_show(cli, "status", print_status);
}

/* reload */

static void print_reload(const cJSON *o)
{
	printf("reloaded, %.0f flows changed\n", view_number(o, "flows_changed"));
}

static int cmd_reload(struct cli *cli)
{
	return cli_ask_and_show(cli, "reload", print_reload);
}

/* log */

static void print_level(const cJSON *o)
{
	printf("%s\n", view_text(o, "level"));
}

static int cmd_log(struct cli *cli)
{
	cJSON *args = cJSON_CreateObject(), *result;
	int rc;

	if (cli->opts->n_words)
		cJSON_AddStringToObject(args, "level", cli->opts->words[0]);
	rc = cli_ask(cli, "log.level", args, &result);
	return rc ? rc : cli_show(cli, result, print_level);
}

/* samples */

static const struct opt samples_opts[] = {
	{ "max", OPT_NUMBER, "N", "how many of the newest, default 100", false },
	{},
};

static void print_samples(const cJSON *o)
{
	struct table *t = table_new("AGE>,PORT,FLOW>,RATE>,LENGTH>,FIRST BYTES");
	const cJSON *s;

	cJSON_ArrayForEach(s, view_item(o, "samples"))
		table_row(t, view_seconds(view_number(s, "age_s")), view_text(s, "port"),
			  view_count(s, "flow"), view_count(s, "rate"), view_count(s, "frame_len"),
			  view_fmt("%.64s", view_text(s, "bytes")));
	table_print(t, stdout);
}

static int cmd_samples(struct cli *cli)
{
	return cli_ask_and_show(cli, "samples", print_samples);
}

const struct command agent_commands[] = {
	{ .name = "status", .help = "the agent at a glance", .run = cmd_status },
	{ .name = "reload", .help = "read the configuration again", .run = cmd_reload },
	{ .name = "log", .words = "[LEVEL]", .max_words = 1, .run = cmd_log,
	  .help = "show or set the log level: error, warn, info, debug" },
	{ .name = "samples", .opts = samples_opts, .run = cmd_samples,
	  .help = "the newest sampled packets" },
	{},
};
