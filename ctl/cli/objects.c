// SPDX-License-Identifier: BSD-2-Clause
/*
 * objects.c - get, describe, export, wait, watch: what is declared, and what becomes of it
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ctl/cli/server.h>
#include <ctl/cli/target.h>
#include <ctl/cli/view.h>
#include <ctl/cli/yaml.h>
#include <lib/table.h>

#define WAIT_S 60
#define RETRY_S 1

/* What a table shows of a kind beside its name: headings, and where in the spec. */
static const struct columns {
	const char *headings;
	const char *fields[6];
} columns[KIND_COUNT] = {
	[KIND_TENANT] = { "INSTANCES-MAX>,DESCRIPTION", { "maxInstances", "description" } },
	[KIND_HOST] = { "UNDERLAY,REGION", { "underlay", "region" } },
	[KIND_HOVERBOARD] = { "HOST", { "host" } },
	[KIND_NETWORK] = { "VNI>,HOVERBOARDS,DESCRIPTION", { "vni", "hoverboards", "description" } },
	[KIND_SUBNET] = { "NETWORK,PREFIX,GATEWAY", { "network", "prefix", "gateway" } },
	[KIND_INSTANCE] = { "NETWORK,ADDRESSES,MAC,HOST,DEVICE",
			    { "network", "addresses", "mac", "host", "device" } },
	[KIND_PEERING] = { "NETWORK,PEER", { "network", "peer" } },
	[KIND_ROUTE] = { "NETWORK,PREFIX,PRIORITY>,NEXT-HOP", { "network", "prefix", "priority", "nextHop" } },
	[KIND_REMOTE_NETWORK] = { "NETWORK,VNI>,PREFIXES,GATEWAYS",
				  { "network", "vni", "prefixes", "gateways" } },
};

/* A field as a cell; NULL if it is not there. */
static const char *cell(const cJSON *spec, const char *field)
{
	const cJSON *value = field ? view_item(spec, field) : NULL;
	char *text;
	const char *kept;

	if (!value)
		return NULL;
	if (cJSON_IsArray(value))
		return view_join(spec, field);
	if (cJSON_IsString(value))
		return value->valuestring;
	if (cJSON_IsObject(value) && value->child)
		return cJSON_IsString(value->child) ?
			       view_fmt("%s %s", value->child->string, value->child->valuestring) :
			       value->child->string;
	text = cJSON_PrintUnformatted(value);
	kept = view_fmt("%s", text ?: "");
	free(text);
	return kept;
}

static const char *full_name(const cJSON *o)
{
	const char *owner = *view_text(o, "tenant") ? view_text(o, "tenant") : view_text(o, "region");

	return view_fmt("%s%s%s", owner, *owner ? "/" : "", view_text(o, "name"));
}

static void print_table(enum kind kind, const cJSON *items)
{
	const char *const *f = columns[kind].fields;
	struct table *t = table_new(view_fmt("NAME,%s,REVISION>", columns[kind].headings));
	const cJSON *o;

	cJSON_ArrayForEach(o, items) {
		const cJSON *spec = view_item(o, "spec");
		const char *cells[7] = {};
		int n = 0;

		for (; f[n]; n++)
			cells[n] = cell(spec, f[n]);
		cells[n] = view_count(o, "revision");
		table_row(t, full_name(o), cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]);
	}
	table_print(t, stdout);
}

enum format { FORMAT_TABLE, FORMAT_JSON, FORMAT_YAML };

static int read_format(const struct cli *cli, enum format *ret)
{
	const char *text = opts_text(cli->opts, "output");

	*ret = cli->json ? FORMAT_JSON : FORMAT_TABLE;
	if (!text || !strcmp(text, "table"))
		return CLI_OK;
	*ret = !strcmp(text, "json") ? FORMAT_JSON : FORMAT_YAML;
	if (*ret == FORMAT_JSON || !strcmp(text, "yaml"))
		return CLI_OK;
	return cli_usage("--output is one of table, json, yaml");
}

static void print_all_yaml(const cJSON *items)
{
	const cJSON *o;

	cJSON_ArrayForEach(o, items) {
		if (o != items->child)
			puts("---");
		yaml_print(o, stdout);
	}
}

static void print_items(enum kind kind, const cJSON *items, enum format format)
{
	if (format == FORMAT_JSON)
		cli_print_json(items);
	else if (format == FORMAT_YAML)
		print_all_yaml(items);
	else
		print_table(kind, items);
}

/* All pages of a list; on CLI_OK the caller deletes @ret. */
static int fetch_list(const struct server *s, const struct target *t, const char *labels, cJSON **ret)
{
	char *selector = server_escape(labels ?: ""), from[128] = "";
	cJSON *all = cJSON_CreateArray(), *item;
	int rc;

	do {
		struct answer a;
		cJSON *items;

		rc = server_ask(s, "GET", view_fmt("%s?labels=%s%s%s", target_path(t), selector,
						   *from ? "&continue=" : "", from), NULL, 0, false, &a);
		items = cJSON_GetObjectItem(a.json, "items");
		while (!rc && items && (item = items->child))
			cJSON_AddItemToArray(all, cJSON_DetachItemViaPointer(items, item));
		snprintf(from, sizeof(from), "%s", view_text(a.json, "continue"));
		cJSON_Delete(a.json);
	} while (!rc && *from);
	free(selector);
	if (rc)
		cJSON_Delete(all);
	else
		*ret = all;
	return rc;
}

static int get_one(const struct server *s, const struct target *t, enum format format)
{
	struct answer a;
	int rc = server_ask(s, "GET", target_path(t), NULL, 0, false, &a);
	cJSON *items;

	if (rc) {
		cJSON_Delete(a.json);
		return rc;
	}
	if (format == FORMAT_JSON) {
		cli_print_json(a.json);
		cJSON_Delete(a.json);
		return CLI_OK;
	}
	items = cJSON_CreateArray();
	cJSON_AddItemToArray(items, a.json);
	print_items(t->kind, items, format);
	cJSON_Delete(items);
	return CLI_OK;
}

static int get(struct cli *cli, const struct server *s, const struct target *t)
{
	enum format format;
	cJSON *items;
	int rc = read_format(cli, &format);

	if (rc)
		return rc;
	if (t->name[0])
		return get_one(s, t, format);
	rc = fetch_list(s, t, opts_text(cli->opts, "labels"), &items);
	if (rc)
		return rc;
	print_items(t->kind, items, format);
	cJSON_Delete(items);
	return CLI_OK;
}

/* Whether @o names @t in one of its references. */
static bool refers_to(const cJSON *o, const struct target *t)
{
	static const char *const fields[KIND_COUNT] = {
		[KIND_HOST] = "host", [KIND_NETWORK] = "network", [KIND_INSTANCE] = "instance",
		[KIND_PEERING] = "peering",
	};
	const cJSON *spec = view_item(o, "spec");

	if (!fields[t->kind] || (t->tenant[0] && strcmp(view_text(o, "tenant"), t->tenant)))
		return false;
	return !strcmp(view_text(spec, fields[t->kind]), t->name) ||
	       !strcmp(view_text(view_item(spec, "nextHop"), fields[t->kind]), t->name);
}

static void print_referrers(const struct server *s, const struct target *t, enum kind kind)
{
	struct target list = { .kind = kind };
	unsigned int n = 0;
	cJSON *items;
	const cJSON *o;

	strcpy(list.tenant, t->tenant);
	if (fetch_list(s, &list, NULL, &items))
		return;
	cJSON_ArrayForEach(o, items) {
		if (!refers_to(o, t))
			continue;
		if (!n++)
			printf("\nused by %s:", kinds[kind].plural);
		if (n <= 20)
			printf(" %s", t->tenant[0] ? view_text(o, "name") : full_name(o));
	}
	if (n > 20)
		printf(" and %u more", n - 20);
	if (n)
		putchar('\n');
	cJSON_Delete(items);
}

/* The object, what each field means, and who uses it. */
static int describe(struct cli *cli, const struct server *s, const struct target *t)
{
	struct answer a;
	int rc;

	if (!t->name[0])
		return cli_usage("describe needs KIND NAME");
	rc = server_ask(s, "GET", target_path(t), NULL, 0, false, &a);
	if (!rc && cli->json)
		cli_print_json(a.json);
	else if (!rc)
		yaml_print(a.json, stdout);
	cJSON_Delete(a.json);
	if (rc || cli->json)
		return rc;
	for (enum kind kind = KIND_SUBNET; kind <= KIND_ROUTE; kind++)
		print_referrers(s, t, kind);
	return CLI_OK;
}

static int export(struct cli *cli, const struct server *s, const struct target *t)
{
	struct answer a;
	int rc = server_ask(s, "GET", "/v1/export", NULL, 0, false, &a);
	cJSON *o;

	(void)t;
	if (!rc) {
		cJSON_ArrayForEach(o, view_item(a.json, "items"))
			cJSON_DeleteItemFromObject(o, "revision");
		if (cli->json)
			cli_print_json(view_item(a.json, "items"));
		else
			print_all_yaml(view_item(a.json, "items"));
	}
	cJSON_Delete(a.json);
	return rc;
}

/* Runs @fn with the server, and with the words' target if the command has one. */
static int with_server(struct cli *cli, bool target, int (*fn)(struct cli *cli, const struct server *s,
							       const struct target *t))
{
	struct server s = {};
	struct target t = {};
	struct error e = {};
	int rc = CLI_OK;

	if (server_init(&s, cli->opts, &e)) {
		fprintf(stderr, "mirachctl: %s\n", e.text);
		return CLI_FAILED;
	}
	if (target)
		rc = target_read(cli, &s, &t);
	if (!rc)
		rc = fn(cli, &s, &t);
	server_done(&s);
	return rc;
}

static int wait_for(struct cli *cli, const struct server *s, const struct target *t)
{
	const char *revision = cli->opts->n_words ? cli->opts->words[0] : "0";
	unsigned int timeout = opts_number(cli->opts, "timeout", WAIT_S);
	const cJSON *host;
	struct answer a;
	bool done;
	int rc;

	(void)t;
	if (strspn(revision, "0123456789") != strlen(revision))
		return cli_usage("%s is no revision", revision);
	rc = server_ask(s, "GET", view_fmt("/v1/programming?revision=%s&wait=%u", revision, timeout), NULL,
			timeout, false, &a);
	done = view_flag(a.json, "programmed");
	if (!rc && cli->json)
		cli_print_json(a.json);
	else if (!rc && done)
		printf("revision %.0f is programmed on all concerned hosts\n", view_number(a.json, "revision"));
	else if (!rc)
		fprintf(stderr, "mirachctl: revision %.0f: %s\n", view_number(a.json, "revision"),
			view_text(a.json, "reason"));
	if (!rc && !done && !cli->json)
		cJSON_ArrayForEach(host, view_item(a.json, "missing"))
			puts(host->valuestring);
	cJSON_Delete(a.json);
	return rc || done ? rc : CLI_BEHIND;
}

struct watching {
	bool json, over;
	double revision;		/* of the last bookmark */
};

static bool print_change(void *arg, const char *text)
{
	struct watching *w = arg;
	cJSON *line = cJSON_Parse(text);
	const char *type = view_text(line, "type");
	const cJSON *o = view_item(line, "object");

	if (!strcmp(type, "BOOKMARK"))
		w->revision = view_number(line, "revision");
	else if (w->json)
		puts(text);
	else if (!strcmp(type, "ERROR"))
		fprintf(stderr, "mirachctl: %s\n", view_text(line, "title"));
	else
		printf("%8.0f %-6s %s %s\n", view_number(line, "revision"), type, view_text(o, "kind"),
		       full_name(o));
	w->over = !strcmp(type, "ERROR");
	fflush(stdout);
	cJSON_Delete(line);
	return !w->over;
}

/* Comes back after a broken connection, from where it was. */
static int watch(struct cli *cli, const struct server *s, const struct target *t)
{
	struct watching w = { .json = cli->json, .revision = opts_number(cli->opts, "revision", 0) };
	const char *kind = cli->opts->n_words ? cli->opts->words[0] : NULL;
	int rc;

	(void)t;
	for (;;) {
		bool begun = w.revision > 0;

		rc = server_stream(s, view_fmt("/v1/watch?revision=%.0f%s%s", w.revision,
					       kind ? "&kind=" : "", kind ?: ""), print_change, &w);
		if (w.over)
			return CLI_FAILED;
		if (rc && (rc != CLI_UNREACHABLE || (!begun && !w.revision)))
			return rc;
		sleep(RETRY_S);
	}
}

static int cmd_get(struct cli *cli)
{
	return with_server(cli, true, get);
}

static int cmd_describe(struct cli *cli)
{
	return with_server(cli, true, describe);
}

static int cmd_export(struct cli *cli)
{
	return with_server(cli, false, export);
}

static int cmd_wait(struct cli *cli)
{
	return with_server(cli, false, wait_for);
}

static int cmd_watch(struct cli *cli)
{
	return with_server(cli, false, watch);
}

#define TENANT_OPT { "tenant", OPT_TEXT, "NAME", "whose, where a name does not say it", .ours = true }

static const struct opt get_opts[] = {
	TENANT_OPT,
	{ "labels", OPT_TEXT, "SELECTOR", "role=web,env!=test,tier,!old", .ours = true },
	{ "output", OPT_TEXT, "FORMAT", "table, json or yaml", .ours = true },
	SERVER_OPTS,
	{},
};
static const struct opt describe_opts[] = { TENANT_OPT, SERVER_OPTS, {} };
static const struct opt export_opts[] = { SERVER_OPTS, {} };
static const struct opt wait_opts[] = {
	{ "timeout", OPT_NUMBER, "SECONDS", "default 60", .ours = true }, SERVER_OPTS, {},
};
static const struct opt watch_opts[] = {
	{ "revision", OPT_NUMBER, "N", "changes behind this one; else from now on", .ours = true },
	SERVER_OPTS,
	{},
};

const struct command object_commands[] = {
	{ "get", "KIND [NAME]", 1, 2, get_opts,
	  "tenants, hosts, hoverboards, networks, subnets, instances, peerings, routes, remotenetworks",
	  cmd_get, "mirachctl get instances --tenant acme -l role=web" },
	{ "describe", "KIND NAME", 2, 2, describe_opts, "one object, and who uses it", cmd_describe,
	  "mirachctl describe network acme/front" },
	{ "export", NULL, 0, 0, export_opts, "everything declared, ready to be applied", cmd_export, NULL },
	{ "wait", "[REVISION]", 0, 1, wait_opts, "until all concerned hosts have a revision", cmd_wait, NULL },
	{ "watch", "[KIND]", 0, 1, watch_opts, "changes as they happen", cmd_watch, NULL },
	{},
};
