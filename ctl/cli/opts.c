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

/* Letters mean the same in every command that has the option; 0: none. */
static char letter_of(const char *name)
{
	static const char *const names[] = { "file", "labels", "output" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcmp(names[i], name))
			return name[0];
	return 0;
}

static int find_letter(const struct opts *o, char letter, const struct opt **ret_opt)
{
	for (unsigned int i = 0; i < spec_len(o->spec); i++)
		if (letter_of(o->spec[i].name) == letter) {
			*ret_opt = &o->spec[i];
			return i;
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
	if ((opt->kind == OPT_NUMBER || opt->kind == OPT_MAYBE) && !is_number(value))
		return error_set(e, -EINVAL, "--%s: %s is no number", opt->name, value);
	if (opt->kind == OPT_VLANS && !is_vlans(value))
		return error_set(e, -EINVAL, "--%s: must be a VID, or two as OUTER,INNER", opt->name);
	return 0;
}

/* Keeps the option at @place with @value, or with the next argument. */
static int keep(struct opts *o, int place, const struct opt *opt, const char *value, int argc,
		char **argv, int *i, struct error *e)
{
	if (o->values[place])
		return error_set(e, -EINVAL, "--%s: given twice", opt->name);
	if (opt->kind == OPT_FLAG && value)
		return error_set(e, -EINVAL, "--%s: takes no value", opt->name);
	if (opt->kind == OPT_FLAG || (opt->kind == OPT_MAYBE && !value)) {
		o->values[place] = "";
		return 0;
	}
	if (!value && ++*i < argc)
		value = argv[*i];
	if (!value)
		return error_set(e, -EINVAL, "--%s: needs %s", opt->name, opt->arg);
	o->values[place] = value;
	return check(opt, value, e);
}

/* Reads the option at argv[*i] and steps over its value. */
static int parse_option(struct opts *o, int argc, char **argv, int *i, struct error *e)
{
	const char *name = argv[*i] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	const struct opt *opt;
	int place = find(o, name, len, &opt);

	if (place < 0)
		return unknown(o, name, len, e);
	return keep(o, place, opt, value ? value + 1 : NULL, argc, argv, i, e);
}

static bool is_letter(const char *text)
{
	return text[0] == '-' && isalpha((unsigned char)text[1]) && !text[2];
}

/* "-f FILE". A letter the command does not know is a word, as before there were letters. */
static int parse_letter(struct opts *o, int argc, char **argv, int *i, bool *ret_known,
			struct error *e)
{
	const struct opt *opt;
	int place = find_letter(o, argv[*i][1], &opt);

	*ret_known = place >= 0;
	return place < 0 ? 0 : keep(o, place, opt, NULL, argc, argv, i, e);
}

int opts_parse(const struct opt *spec, const struct opt *common, int argc, char **argv,
	       struct opts *ret, struct error *e)
{
	struct opts o = { .spec = spec, .common = common };

	for (int i = 0; i < argc; i++) {
		bool known = false;
		int err = 0;

		if (is_letter(argv[i]))
			err = parse_letter(&o, argc, argv, &i, &known, e);
		if (known || err)
			known = true;
		else if (!strncmp(argv[i], "--", 2) && argv[i][2])
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

		if (letter_of(spec->name))
			snprintf(left, sizeof(left), "-%c, --%s %s", letter_of(spec->name), spec->name,
				 spec->arg);
		else
			snprintf(left, sizeof(left), spec->kind == OPT_MAYBE ? "--%s[=%s]" : "--%s %s",
				 spec->name, spec->arg ?: "");
		fprintf(out, "  %-24s %s\n", left, spec->help);
	}
}
