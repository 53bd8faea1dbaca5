/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * opts.c - a command's options as a table: read, sent, printed
 */
#include <ctl/cli/opts.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lib/suggest.h>

static unsigned int spec_len(const struct opt *spec)
{
	unsigned int n = 0;

	while (spec && spec[n].name)
		n++;
	return n;
}

/* Place of the option in values[], or -1. @ret_opt is its row. */
static int find(const struct opts *o, const char *name, size_t len, const struct opt **ret_opt)
{
	const struct opt *tables[] = { o->spec, o->common };
	unsigned int base = 0;

	for (int t = 0; t < 2; t++) {
		for (unsigned int i = 0; i < spec_len(tables[t]); i++) {
			if (strncmp(tables[t][i].name, name, len) || tables[t][i].name[len])
				continue;
			*ret_opt = &tables[t][i];
			return base + i;
		}
		base += spec_len(tables[t]);
	}
	return -1;
}

static int unknown(const struct opts *o, const char *name, size_t len, struct error *e)
{
	const char *names[OPTS_MAX], *near;
	unsigned int n = 0;
	char copy[64];

	for (unsigned int i = 0; i < spec_len(o->spec); i++)
		names[n++] = o->spec[i].name;
	for (unsigned int i = 0; i < spec_len(o->common); i++)
		names[n++] = o->common[i].name;
	snprintf(copy, sizeof(copy), "%.*s", (int)len, name);
	near = suggest(copy, names, n);
	if (near)
		return error_set(e, -EINVAL, "there is no option --%s; did you mean --%s?", copy,
				 near);
	return error_set(e, -EINVAL, "there is no option --%s", copy);
}

static bool is_number(const char *text)
{
	char *end;

	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	strtoull(text, &end, 0);
	return !errno && !*end;
}

/* "10" or "10,20". */
static bool is_vlans(const char *text)
{
	unsigned int outer, inner;
	int end = 0;

	if (sscanf(text, "%4u%n", &outer, &end) == 1 && !text[end])
		return true;
	end = 0;
	return sscanf(text, "%4u,%4u%n", &outer, &inner, &end) == 2 && !text[end];
}

static int check(const struct opt *opt, const char *value, struct error *e)
{
	if (opt->kind == OPT_NUMBER && !is_number(value))
		return error_set(e, -EINVAL, "--%s: %s is no number", opt->name, value);
	if (opt->kind == OPT_VLANS && !is_vlans(value))
		return error_set(e, -EINVAL, "--%s: must be a VID, or two as OUTER,INNER", opt->name);
	return 0;
}

/* Reads the option at argv[*i] and steps over its value. */
static int parse_option(struct opts *o, int argc, char **argv, int *i, struct error *e)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct opt *opt;
	int place;

	place = find(o, name, len, &opt);
	if (place < 0)
		return unknown(o, name, len, e);
	if (o->values[place])
		return error_set(e, -EINVAL, "--%s: given twice", opt->name);
	if (opt->kind == OPT_FLAG) {
		if (value)
			return error_set(e, -EINVAL, "--%s: takes no value", opt->name);
		o->values[place] = "";
		return 0;
	}
	if (value)
		value++;
	else if (++*i < argc)
		value = argv[*i];
	if (!value)
		return error_set(e, -EINVAL, "--%s: needs %s", opt->name, opt->arg);
	o->values[place] = value;
	return check(opt, value, e);
}

int opts_parse(const struct opt *spec, const struct opt *common, int argc, char **argv,
	       struct opts *ret, struct error *e)
{
	struct opts o = { .spec = spec, .common = common };

	for (int i = 0; i < argc; i++) {
		int err = 0;

		if (!strncmp(argv[i], "--", 2) && argv[i][2])
			err = parse_option(&o, argc, argv, &i, e);
		else if (o.n_words < OPTS_WORDS_MAX)
			o.words[o.n_words++] = argv[i];
		else
			err = error_set(e, -EINVAL, "%s: too many arguments", argv[i]);
		if (err)
			return err;
	}
	*ret = o;
	return 0;
}

const char *opts_text(const struct opts *o, const char *name)
{
	const struct opt *opt;
	int place = find(o, name, strlen(name), &opt);

	return place < 0 ? NULL : o->values[place];
}

bool opts_flag(const struct opts *o, const char *name)
{
	return opts_text(o, name) != NULL;
}

uint64_t opts_number(const struct opts *o, const char *name, uint64_t fallback)
{
	const char *text = opts_text(o, name);

	return text ? strtoull(text, NULL, 0) : fallback;
}

static cJSON *json_vlans(const char *text)
{
	cJSON *vids = cJSON_CreateArray();
	char *end;

	do {
		cJSON_AddItemToArray(vids, cJSON_CreateNumber(strtoul(text, &end, 10)));
		text = end + 1;
	} while (*end);
	return vids;
}

static cJSON *json_value(const struct opt *opt, const char *value)
{
	switch (opt->kind) {
	case OPT_FLAG:
		return cJSON_CreateTrue();
	case OPT_NUMBER:
		return cJSON_CreateNumber(strtoull(value, NULL, 0));
	case OPT_VLANS:
		return json_vlans(value);
	default:
		return cJSON_CreateString(value);
	}
}

cJSON *opts_json(const struct opts *o)
{
	cJSON *args = cJSON_CreateObject();

	for (unsigned int i = 0; i < spec_len(o->spec); i++) {
		char name[32];

		if (!o->values[i] || o->spec[i].ours)
			continue;
		snprintf(name, sizeof(name), "%s", o->spec[i].name);
		for (char *c = name; *c; c++)
			if (*c == '-')
				*c = '_';
		cJSON_AddItemToObject(args, name, json_value(&o->spec[i], o->values[i]));
	}
	return args;
}

void opts_print(const struct opt *spec, FILE *out)
{
	for (; spec && spec->name; spec++) {
		char left[48];

		snprintf(left, sizeof(left), "--%s %s", spec->name, spec->arg ?: "");
		fprintf(out, "  %-24s %s\n", left, spec->help);
	}
}
