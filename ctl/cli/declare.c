// SPDX-License-Identifier: BSD-2-Clause
/*
 * declare.c - apply, delete, diff: what is wanted, as one transaction
 *
 * See also: server.h, files.h, docs/mirachctl.md.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/cli/files.h>
#include <ctl/cli/server.h>
#include <ctl/cli/target.h>
#include <ctl/cli/view.h>
#include <ctl/controller/model.h>

#define WAIT_S 60

static int failed(const struct error *e)
{
	fprintf(stderr, "mirachctl: %s\n", e->text);
	return e->err == -ENOENT ? CLI_NOT_FOUND : CLI_FAILED;
}

/* The tenant of those that name none, where one is set. */
static void add_tenant(const struct documents *docs, const char *tenant)
{
	for (unsigned int i = 0; tenant && i < docs->n; i++) {
		cJSON *json = docs->v[i].json;
		enum kind kind = kind_find(view_text(json, "kind"), NULL);

		if (cJSON_IsObject(json) && kind < KIND_COUNT && kinds[kind].scope == SCOPE_TENANT &&
		    !view_item(json, "tenant"))
			cJSON_AddStringToObject(json, "tenant", tenant);
	}
}

/* "web.yaml:12: Instance acme/web-1: spec.mac: ...", where the server named a document. */
static void print_problem(const cJSON *problem, const struct documents *docs)
{
	const cJSON *error;

	fprintf(stderr, "mirachctl: %s", view_text(problem, "title"));
	if (*view_text(problem, "detail"))
		fprintf(stderr, ": %s", view_text(problem, "detail"));
	fputc('\n', stderr);
	cJSON_ArrayForEach(error, view_item(problem, "errors")) {
		const cJSON *number = view_item(error, "document");
		const char *field = view_text(error, "field");

		if (cJSON_IsNumber(number) && number->valuedouble < docs->n) {
			const struct document *d = &docs->v[(unsigned int)number->valuedouble];

			fprintf(stderr, "  %s:%d: ", d->file, document_line(d, field));
		} else {
			fputs("  ", stderr);
		}
		fprintf(stderr, "%s%s%s%s%s\n", view_text(error, "object"),
			*view_text(error, "object") ? ": " : "", field, *field ? ": " : "",
			view_text(error, "problem"));
	}
	if (view_number(problem, "errorCount") > cJSON_GetArraySize(view_item(problem, "errors")))
		fprintf(stderr, "  and %.0f more\n", view_number(problem, "errorCount") -
			cJSON_GetArraySize(view_item(problem, "errors")));
}

static const char *title(const cJSON *result)
{
	const char *owner = *view_text(result, "tenant") ? view_text(result, "tenant") :
							   view_text(result, "region");

	return view_fmt("%s %s%s%s", view_text(result, "kind"), owner, *owner ? "/" : "",
			view_text(result, "name"));
}

/* Prints who is behind; returns the exit code. */
static int print_programmed(const cJSON *programmed)
{
	const cJSON *host;

	if (!programmed)
		return CLI_OK;
	if (view_flag(programmed, "programmed")) {
		puts("programmed on all concerned hosts");
		return CLI_OK;
	}
	fprintf(stderr, "mirachctl: done, but not programmed everywhere: %s", view_text(programmed, "reason"));
	cJSON_ArrayForEach(host, view_item(programmed, "missing"))
		fprintf(stderr, "%s%s", host == view_item(programmed, "missing")->child ? ": " : ", ",
			host->valuestring);
	fputc('\n', stderr);
	return CLI_BEHIND;
}

static int print_applied(const struct cli *cli, const cJSON *json)
{
	const cJSON *result;

	if (cli->json) {
		cli_print_json(json);
		return view_item(json, "programmed") &&
		       !view_flag(view_item(json, "programmed"), "programmed") ? CLI_BEHIND : CLI_OK;
	}
	cJSON_ArrayForEach(result, view_item(json, "results"))
		printf("%-40s %s%s\n", title(result), view_text(result, "outcome"),
		       view_flag(json, "dryRun") ? " (dry run)" : "");
	printf("revision %.0f\n", view_number(json, "revision"));
	return print_programmed(view_item(json, "programmed"));
}

/* Sends the documents; on CLI_OK the caller deletes @ret. */
static int send(const struct server *s, const struct documents *docs, const char *query,
		unsigned int wait_s, cJSON **ret)
{
	char *text = documents_text(docs);
	struct answer a;
	int rc;

	if (!text)
		return CLI_FAILED;
	if (strlen(text) > DOC_SIZE_MAX) {
		fprintf(stderr, "mirachctl: %zu bytes of documents are more than one transaction holds: %u\n",
			strlen(text), DOC_SIZE_MAX);
		free(text);
		return CLI_FAILED;
	}
	rc = server_ask(s, "POST", view_fmt("/v1/apply%s", query), text, wait_s, true, &a);
	free(text);
	if (rc == CLI_OK) {
		*ret = a.json;
		return rc;
	}
	if (rc != CLI_UNREACHABLE && a.json)
		print_problem(a.json, docs);
	else if (rc != CLI_UNREACHABLE)
		fprintf(stderr, "mirachctl: the controller refused with status %ld\n", a.status);
	cJSON_Delete(a.json);
	return rc;
}

/* --wait, --wait=SECONDS; 0: not given. */
static unsigned int wait_of(const struct cli *cli)
{
	const char *text = opts_text(cli->opts, "wait");

	return text ? *text ? strtoul(text, NULL, 10) : WAIT_S : 0;
}

static int send_and_print(struct cli *cli, const struct server *s, const struct documents *docs)
{
	bool dry_run = opts_flag(cli->opts, "dry-run");
	unsigned int wait_s = wait_of(cli);
	cJSON *json;
	int rc;

	rc = send(s, docs, view_fmt("?dryRun=%s&wait=%u", dry_run ? "true" : "false", wait_s), wait_s,
		  &json);
	if (rc)
		return rc;
	rc = print_applied(cli, json);
	cJSON_Delete(json);
	return rc;
}

/* Reads --file and asks the server by @fn. */
static int with_documents(struct cli *cli, int (*fn)(struct cli *cli, const struct server *s,
						    const struct documents *docs))
{
	const char *path = opts_text(cli->opts, "file");
	struct documents docs = {};
	struct server s = {};
	struct error e = {};
	int rc;

	if (!path)
		return cli_usage("-f FILE is wanted: a file, a folder, or - for standard input");
	if (documents_load(path, &docs, &e) || server_init(&s, cli->opts, &e)) {
		documents_free(&docs);
		return failed(&e);
	}
	add_tenant(&docs, opts_text(cli->opts, "tenant") ?: s.tenant);
	rc = fn(cli, &s, &docs);
	documents_free(&docs);
	server_done(&s);
	return rc;
}

static int cmd_apply(struct cli *cli)
{
	return with_documents(cli, send_and_print);
}

static int delete_all(struct cli *cli, const struct server *s, const struct documents *docs)
{
	for (unsigned int i = 0; i < docs->n; i++) {
		if (!cJSON_IsObject(docs->v[i].json))
			continue;
		cJSON_DeleteItemFromObject(docs->v[i].json, "delete");
		cJSON_AddTrueToObject(docs->v[i].json, "delete");
	}
	return send_and_print(cli, s, docs);
}

static int delete_one(struct cli *cli, const struct server *s, const struct target *t)
{
	struct document d = { .file = "command line", .json = cJSON_CreateObject() };
	struct documents docs = { &d, 1 };
	const struct kind_info *kind = &kinds[t->kind];
	int rc;

	cJSON_AddStringToObject(d.json, "kind", kind->name);
	if (kind->scope != SCOPE_FABRIC)
		cJSON_AddStringToObject(d.json, kind->scope == SCOPE_TENANT ? "tenant" : "region",
					t->tenant);
	cJSON_AddStringToObject(d.json, "name", t->name);
	rc = delete_all(cli, s, &docs);
	cJSON_Delete(d.json);
	return rc;
}

static int cmd_delete(struct cli *cli)
{
	struct server s = {};
	struct target t;
	struct error e = {};
	int rc;

	if (opts_text(cli->opts, "file"))
		return with_documents(cli, delete_all);
	if (server_init(&s, cli->opts, &e))
		return failed(&e);
	rc = target_read(cli, &s, &t);
	if (!rc && !t.name[0])
		rc = cli_usage("delete needs KIND NAME, or -f FILE");
	if (!rc)
		rc = delete_one(cli, &s, &t);
	server_done(&s);
	return rc;
}

static void print_value(const char *sign, const char *path, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);

	printf("  %s %s: %s\n", sign, path, text ?: "");
	free(text);
}

/* Prints what differs below @path; returns how much. */
static unsigned int diff(const char *path, const cJSON *old, const cJSON *now)
{
	const cJSON *item;
	unsigned int n = 0;

	if (old && now && cJSON_Compare(old, now, true))
		return 0;
	if (!cJSON_IsObject(old) || !cJSON_IsObject(now)) {
		if (old)
			print_value("-", path, old);
		if (now)
			print_value("+", path, now);
		return 1;
	}
	cJSON_ArrayForEach(item, old)
		n += diff(view_fmt("%s.%s", path, item->string), item, view_item(now, item->string));
	cJSON_ArrayForEach(item, now)
		if (!view_item(old, item->string))
			n += diff(view_fmt("%s.%s", path, item->string), NULL, item);
	return n;
}

static void diff_result(const struct server *s, const cJSON *result)
{
	static const char *const parts[] = { "labels", "spec" };
	const cJSON *now = view_item(result, "object");
	struct answer a = {};
	struct target t;

	printf("%s %s\n", title(result), view_text(result, "outcome"));
	if (strcmp(view_text(result, "outcome"), "updated") || target_of(result, &t))
		return;
	if (!server_ask(s, "GET", target_path(&t), NULL, 0, false, &a))
		for (int i = 0; i < 2; i++)
			diff(parts[i], view_item(a.json, parts[i]), view_item(now, parts[i]));
	cJSON_Delete(a.json);
}

static int diff_all(struct cli *cli, const struct server *s, const struct documents *docs)
{
	const cJSON *result;
	bool differs = false;
	cJSON *json;
	int rc = send(s, docs, "?dryRun=true", 0, &json);

	if (rc)
		return rc;
	if (cli->json)
		cli_print_json(json);
	cJSON_ArrayForEach(result, view_item(json, "results")) {
		if (!strcmp(view_text(result, "outcome"), "unchanged"))
			continue;
		differs = true;
		if (!cli->json)
			diff_result(s, result);
	}
	cJSON_Delete(json);
	return differs ? CLI_DIFFERENT : CLI_OK;
}

static int cmd_diff(struct cli *cli)
{
	return with_documents(cli, diff_all);
}

#define FILE_OPT { "file", OPT_TEXT, "FILE", "YAML or JSON: a file, a folder, - for standard input", .ours = true }
#define TENANT_OPT { "tenant", OPT_TEXT, "NAME", "tenant of those that name none", .ours = true }
#define DRY_RUN_OPT { "dry-run", OPT_FLAG, NULL, "say what would happen, change nothing", .ours = true }
#define WAIT_OPT { "wait", OPT_MAYBE, "SECONDS", "until all concerned hosts have it, default 60", .ours = true }

static const struct opt write_opts[] = { FILE_OPT, TENANT_OPT, DRY_RUN_OPT, WAIT_OPT, SERVER_OPTS, {} };
static const struct opt diff_opts[] = { FILE_OPT, TENANT_OPT, SERVER_OPTS, {} };

const struct command declare_commands[] = {
	{ "apply", NULL, 0, 0, write_opts, "makes declared objects so, all in one transaction", cmd_apply,
	  "mirachctl apply -f network.yaml --wait" },
	{ "delete", "[KIND NAME]", 0, 2, write_opts, "deletes an object, or those of a file", cmd_delete,
	  "mirachctl delete instance acme/web-1" },
	{ "diff", NULL, 0, 0, diff_opts, "what apply would change; exit code 5 if anything", cmd_diff,
	  "mirachctl diff -f network.yaml" },
	{},
};
