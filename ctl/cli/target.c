// SPDX-License-Identifier: BSD-2-Clause
/*
 * target.c - an object or a kind as people name it
 */
#include <ctl/cli/target.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <ctl/cli/view.h>

static int set_name(struct target *t, const char *word)
{
	const char *slash = strchr(word, '/');
	bool owned = kinds[t->kind].scope != SCOPE_FABRIC;

	if (slash && owned)
		snprintf(t->tenant, sizeof(t->tenant), "%.*s", (int)(slash - word), word);
	else if (slash)
		return cli_usage("%s: a %s belongs to no tenant", word, kinds[t->kind].name);
	word = slash ? slash + 1 : word;
	if (owned && !t->tenant[0])
		return cli_usage("whose %s? Name it as %s/%s, or give --tenant", word,
				 kinds[t->kind].scope == SCOPE_TENANT ? "TENANT" : "REGION", word);
	if (model_name_check(word, MODEL_NAME_LEN))
		return cli_usage("%s is no name", word);
	snprintf(t->name, sizeof(t->name), "%s", word);
	return CLI_OK;
}

int target_read(const struct cli *cli, const struct server *s, struct target *ret)
{
	const char *near = NULL, *word = cli->opts->n_words ? cli->opts->words[0] : "";
	const char *tenant = opts_text(cli->opts, "tenant") ?: s->tenant;

	*ret = (struct target){ .kind = kind_find(word, &near) };
	if (ret->kind == KIND_COUNT)
		return cli_usage("there is no kind \"%s\"%s%s%s", word, near ? "; did you mean " : "",
				 near ?: "", near ? "?" : "; `mirachctl get --help` lists them");
	if (tenant && kinds[ret->kind].scope != SCOPE_FABRIC)
		snprintf(ret->tenant, sizeof(ret->tenant), "%s", tenant);
	return cli->opts->n_words > 1 ? set_name(ret, cli->opts->words[1]) : CLI_OK;
}

int target_of(const cJSON *json, struct target *ret)
{
	const char *owner = *view_text(json, "tenant") ? view_text(json, "tenant") :
							 view_text(json, "region");

	*ret = (struct target){ .kind = kind_find(view_text(json, "kind"), NULL) };
	snprintf(ret->tenant, sizeof(ret->tenant), "%s", owner);
	snprintf(ret->name, sizeof(ret->name), "%s", view_text(json, "name"));
	return ret->kind < KIND_COUNT && ret->name[0] ? 0 : -EINVAL;
}

const char *target_path(const struct target *t)
{
	const struct kind_info *kind = &kinds[t->kind];
	bool nested = kind->scope != SCOPE_FABRIC && t->tenant[0] &&
		      (t->name[0] || kind->scope == SCOPE_TENANT);

	return view_fmt("/v1/%s%s%s%s%s%s",
			!nested ? "" : kind->scope == SCOPE_TENANT ? "tenants/" : "regions/",
			nested ? t->tenant : "", nested ? "/" : "", kind->plural, t->name[0] ? "/" : "",
			t->name);
}
