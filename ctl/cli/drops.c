/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drops.c - drops: who lost what, and why
 *
 * With --watch the answer is asked for again and again, and printed with the
 * rates since the answer before.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <ctl/cli/cli.h>
#include <ctl/cli/view.h>
#include <lib/clock.h>
#include <lib/table.h>

static const struct opt opts[] = {
	{ "port", OPT_TEXT, "NAME", "this vport, uplink or hub end only", false },
	{ "watch", OPT_FLAG, NULL, "again and again, with rates", true },
	{ "interval", OPT_NUMBER, "SECONDS", "between two looks, default 1", true },
	{ "count", OPT_NUMBER, "N", "looks before --watch ends, default for ever", true },
	{},
};

/* The answer before, for rates; NULL the first time. */
struct look {
	const cJSON *now, *before;
	double elapsed;			/* seconds between the two */
};

static const cJSON *port_before(const struct look *look, const char *name)
{
	const cJSON *p;

	cJSON_ArrayForEach(p, view_item(look->before, "ports"))
		if (!strcmp(view_text(p, "name"), name))
			return p;
	return NULL;
}

/* Growth per second of a counter of @port; NULL the first time. */
static const char *rate(const struct look *look, const cJSON *port, const char *group,
			const char *field)
{
	const cJSON *before = port_before(look, view_text(port, "name"));
	double grown;

	if (!before || look->elapsed <= 0)
		return NULL;
	grown = view_number(view_item(port, group), field) -
		view_number(view_item(before, group), field);
	return view_quantity(grown > 0 ? grown / look->elapsed : 0);
}

static void print_reasons(const struct look *look)
{
	struct table *t = table_new(look->before ? "PORT,REASON,PACKETS>,PER SECOND>" :
						   "PORT,REASON,PACKETS>");
	const cJSON *p, *r;
	unsigned int n = 0;

	cJSON_ArrayForEach(p, view_item(look->now, "ports")) {
		cJSON_ArrayForEach(r, view_item(p, "drops")) {
			table_row(t, view_text(p, "name"), r->string,
				  view_fmt("%.0f", r->valuedouble), rate(look, p, "drops", r->string));
			n++;
		}
	}
	table_print(t, stdout);
	if (!n)
		puts("nothing was dropped");
}

static void print_books(const struct look *look)
{
	struct table *t = table_new("PORT,IN>,RESUMED>,OUT>,REPLIED>,PASSED>,PUNTED>,DROPS>,"
				    "BOOKS,DELIVERED>,IN/S>,OUT/S>");
	const cJSON *p;

	cJSON_ArrayForEach(p, view_item(look->now, "ports")) {
		const cJSON *u = view_item(p, "usage");

		table_row(t, view_text(p, "name"), view_count(u, "in"), view_count(u, "resumed"),
			  view_count(u, "out"), view_count(u, "replied"), view_count(u, "passed"),
			  view_count(u, "punted"), view_count(u, "drops"),
			  view_flag(p, "closes") ? "close" :
						   view_fmt("open %+.0f", view_number(p, "gap")),
			  view_count(u, "delivered"), rate(look, p, "usage", "in"),
			  rate(look, p, "usage", "out"));
	}
	table_print(t, stdout);
}

static void print_look(const struct look *look)
{
	const cJSON *hub = view_item(look->now, "hub");

	print_reasons(look);
	putchar('\n');
	print_books(look);
	if (hub)
		printf("\nhub: %.0f punted, %.0f resumed, %.0f lost, %.0f overflowed, %.0f under way\n",
		       view_number(hub, "punted"), view_number(hub, "resumed"),
		       view_number(hub, "lost"), view_number(hub, "overflow"),
		       view_number(hub, "in_flight"));
}

static void print_once(const cJSON *o)
{
	print_look(&(struct look){ .now = o });
}

static void print_again(struct cli *cli, const struct look *look)
{
	if (cli->json) {
		cli_print_json(look->now);
	} else {
		if (isatty(STDOUT_FILENO))
			fputs("\033[H\033[2J", stdout);
		print_look(look);
		putchar('\n');
	}
	fflush(stdout);
}

static int watch(struct cli *cli)
{
	uint64_t interval = opts_number(cli->opts, "interval", 1);
	uint64_t count = opts_number(cli->opts, "count", UINT64_MAX);
	struct look look = {};
	uint64_t then = 0;
	int rc = CLI_OK;

	if (!interval || !count)
		return cli_usage("drops: --interval and --count begin at 1");
	while (count--) {
		cJSON *result;
		uint64_t now;

		rc = cli_ask(cli, "drops", opts_json(cli->opts), &result);
		if (rc)
			break;
		now = clock_now_ns();
		look.now = result;
		look.elapsed = (double)(now - then) / NS_PER_S;
		print_again(cli, &look);
		cJSON_Delete((cJSON *)look.before);
		look.before = result;
		then = now;
		if (count)
			sleep(interval);
	}
	cJSON_Delete((cJSON *)look.before);
	return rc;
}

static int cmd_drops(struct cli *cli)
{
	if (opts_flag(cli->opts, "watch"))
		return watch(cli);
	return cli_ask_and_show(cli, "drops", print_once);
}

const struct command drops_commands[] = {
	{ .name = "drops", .opts = opts, .run = cmd_drops,
	  .help = "drops by port and reason, and whether the books close",
	  .example = "mirachctl drops --watch --port web-1" },
	{},
};
