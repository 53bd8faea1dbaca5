// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_read.c - fields from documents, led by the tables
 *
 * One function per type of field. Each is given the document's value and the place
 * in the struct; what it does not like becomes a problem with path and line.
 */
#include <ctl/controller/model_fields.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/doc_json.h>
#include <lib/suggest.h>

#define SHOWN_LEN 48

const char *text_of(const struct doc *d, struct problems *p, const char *want)
{
	char shown[SHOWN_LEN];

	if (d->kind == DOC_NULL)
		problems_add(p, d->line, "has no value; give %s, or leave the field out", want);
	else if (d->kind != DOC_SCALAR)
		problems_add(p, d->line, "%s, but %s is wanted", doc_kind_name(d->kind), want);
	else if (doc_scalar_kind(d) != DOC_TEXT)
		problems_add(p, d->line, "%s is a %s, but %s is wanted; put it in quotes",
			     doc_show(d->text, shown, sizeof(shown)),
			     doc_scalar_kind(d) == DOC_NUMBER ? "number" : "boolean", want);
	else
		return d->text;
	return NULL;
}

static void wrong(const struct doc *d, struct problems *p, const char *want)
{
	char shown[SHOWN_LEN];

	problems_add(p, d->line, "\"%s\" is not %s", doc_show(d->text, shown, sizeof(shown)), want);
}

static void read_bool(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	(void)f;
	if (d->kind == DOC_SCALAR && doc_scalar_kind(d) == DOC_BOOL)
		*(bool *)out = !strcmp(d->text, "true");
	else
		problems_add(p, d->line, "must be true or false");
}

static void read_uint(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	unsigned long long value;
	char *end;

	if (d->kind != DOC_SCALAR || d->quoted) {
		problems_add(p, d->line, "must be a number from %llu to %llu, without quotes",
			     (unsigned long long)f->min, (unsigned long long)f->max);
		return;
	}
	errno = 0;
	value = strtoull(d->text, &end, 10);
	if (errno || *end || end == d->text || !strchr("0123456789", d->text[0]) ||
	    value < f->min || value > f->max)
		problems_add(p, d->line, "must be a whole number from %llu to %llu",
			     (unsigned long long)f->min, (unsigned long long)f->max);
	else
		*(uint64_t *)out = value;
}

static void set_text(const char *text, struct problems *p, void *out)
{
	char *copy = strdup(text);

	if (!copy)
		p->no_memory = true;
	else
		*(char **)out = copy;
}

static void read_text(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	const char *text = text_of(d, p, "text");

	if (!text)
		return;
	if (strlen(text) > f->max)
		problems_add(p, d->line, "is %zu bytes long; at most %u are possible", strlen(text),
			     (unsigned int)f->max);
	else if (*text)
		set_text(text, p, out);
}

/* Like the kernel's dev_valid_name(), and nothing a terminal would act on. */
static bool is_device(const char *text)
{
	if (!*text || strlen(text) >= IFNAMSIZ || !strcmp(text, ".") || !strcmp(text, ".."))
		return false;
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || strchr("/:\x7f", *text))
			return false;
	return true;
}

static void read_device(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	const char *text = text_of(d, p, "the name of a network interface");

	(void)f;
	if (text && is_device(text))
		set_text(text, p, out);
	else if (text)
		wrong(d, p, "the name of a network interface: 1 to 15 characters without / : or blanks");
}

static void read_netns(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	const char *text = text_of(d, p, "a namespace");

	if (!text)
		return;
	if (!*text || strlen(text) > f->max || (*text != '/' && strchr(text, '/')) || *text == '.')
		wrong(d, p, "a name under /run/netns or an absolute path");
	else
		set_text(text, p, out);
}

static void read_choice(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	const char *text = text_of(d, p, "a word");
	char known[128] = "";
	size_t len = 0;

	if (!text)
		return;
	for (const char *const *c = f->choices; *c; c++) {
		if (!strcmp(*c, text)) {
			set_text(text, p, out);
			return;
		}
		len += snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "", *c);
	}
	problems_add(p, d->line, "must be one of %s", known);
}

/* A name of at most @max - 1 characters into @out. */
static void name_into(const struct doc *d, struct problems *p, char *out, size_t max)
{
	const char *text = text_of(d, p, "a name");

	if (!text)
		return;
	if (strchr(text, '/') && max != MODEL_TENANT_LEN)
		wrong(d, p, "a name; only objects of the same tenant can be referred to, and other"
			    " tenants' networks by a Peering");
	else if (model_name_check(text, max))
		problems_add(p, d->line, "is no name; 1 to %zu of a-z 0-9 - _ are possible, a letter"
			     " or digit first and last", max - 1);
	else
		snprintf(out, max, "%s", text);
}

static void read_tenant(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	(void)f;
	name_into(d, p, out, MODEL_TENANT_LEN);
}

static void read_name(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	(void)f;
	name_into(d, p, out, MODEL_NAME_LEN);
}

static void read_path(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	const char *text = text_of(d, p, "\"tenant/network\""), *slash = text ? strchr(text, '/') : NULL;
	char tenant[MODEL_TENANT_LEN];
	int n;

	(void)f;
	if (!text)
		return;
	n = slash ? snprintf(tenant, sizeof(tenant), "%.*s", (int)(slash - text), text) : 0;
	if (!slash || n >= MODEL_TENANT_LEN || model_name_check(tenant, MODEL_TENANT_LEN) ||
	    model_name_check(slash + 1, MODEL_NAME_LEN))
		wrong(d, p, "a network; write \"tenant/network\"");
	else
		snprintf(out, MODEL_PATH_LEN, "%s", text);
}

static void read_mac(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	const char *text = text_of(d, p, "a MAC");
	uint8_t mac[ETH_ADDR_LEN];

	(void)f;
	if (!text)
		return;
	if (mac_parse(text, mac))
		wrong(d, p, "a MAC; write it like 02:00:00:00:00:01");
	else if (mac[0] & 1 || mac_is_zero(mac))
		wrong(d, p, "the MAC of one machine");
	else
		memcpy(out, mac, sizeof(mac));
}

static bool addr_into(const struct doc *d, struct problems *p, struct ip_addr *out)
{
	const char *text = text_of(d, p, "an address");
	struct ip_addr a;

	if (!text)
		return false;
	if (ip_addr_parse(text, &a))
		wrong(d, p, "an IPv4 or IPv6 address");
	else if (ip_addr_is_multicast(&a) || ip_addr_is_loopback(&a) || ip_addr_is_unspecified(&a))
		wrong(d, p, "the address of one machine");
	else {
		*out = a;
		return true;
	}
	return false;
}

static void read_addr(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	(void)f;
	addr_into(d, p, out);
}

static bool prefix_into(const struct doc *d, struct problems *p, struct ip_prefix *out)
{
	const char *text = text_of(d, p, "a prefix");

	if (!text)
		return false;
	if (ip_prefix_parse(text, out)) {
		wrong(d, p, "a prefix; write it like 10.0.0.0/24, bits behind the length zero");
		return false;
	}
	return true;
}

static void read_prefix(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	(void)f;
	prefix_into(d, p, out);
}

/* A list of at most f->max; false: it is none, or has no elements. */
static bool list_of(const struct field *f, const struct doc *d, struct problems *p)
{
	if (d->kind != DOC_LIST)
		problems_add(p, d->line, "%s, but a list is wanted", doc_kind_name(d->kind));
	else if (d->n > f->max)
		problems_add(p, d->line, "%u entries; at most %u are possible", d->n,
			     (unsigned int)f->max);
	else if (!d->n && f->flags & FIELD_REQUIRED)
		problems_add(p, d->line, "is empty; give at least one");
	else
		return d->n;
	return false;
}

static void *array_new(const struct doc *d, size_t size, struct problems *p)
{
	void *array = calloc(d->n, size);

	if (!array)
		p->no_memory = true;
	return array;
}

static void read_names(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	struct name_list *list = out;

	if (!list_of(f, d, p) || !(list->v = array_new(d, sizeof(*list->v), p)))
		return;
	for (const struct doc *child = d->first; child; child = child->next, list->n++) {
		size_t old = problems_enter_nth(p, "", list->n);

		name_into(child, p, list->v[list->n], MODEL_NAME_LEN);
		for (unsigned int i = 0; i < list->n && list->v[list->n][0]; i++)
			if (!strcmp(list->v[i], list->v[list->n]))
				problems_add(p, child->line, "%s is given twice", list->v[i]);
		problems_leave(p, old);
	}
}

static void check_addr(const struct field *f, const struct doc *d, struct problems *p,
		       const struct addr_list *list)
{
	const struct ip_addr *a = &list->v[list->n].ip;

	for (unsigned int i = 0; i < list->n; i++) {
		if (ip_addr_equal(a, &list->v[i].ip))
			problems_add(p, d->line, "the same address is given twice");
		else if (f->flags & FIELD_ONE_PER_FAMILY &&
			 ip_addr_is_v4(a) == ip_addr_is_v4(&list->v[i].ip))
			problems_add(p, d->line, "a second address of the same family; one IPv4 and"
				     " one IPv6 address are possible");
	}
}

static void read_addrs(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	struct addr_list *list = out;

	if (!list_of(f, d, p) || !(list->v = array_new(d, sizeof(*list->v), p)))
		return;
	for (const struct doc *child = d->first; child; child = child->next) {
		size_t old = problems_enter_nth(p, "", list->n);

		if (addr_into(child, p, &list->v[list->n].ip)) {
			check_addr(f, child, p, list);
			list->n++;
		}
		problems_leave(p, old);
	}
}

static void read_prefixes(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	struct prefix_list *list = out;

	if (!list_of(f, d, p) || !(list->v = array_new(d, sizeof(*list->v), p)))
		return;
	for (const struct doc *child = d->first; child; child = child->next) {
		size_t old = problems_enter_nth(p, "", list->n);

		if (prefix_into(child, p, &list->v[list->n]))
			list->n++;
		problems_leave(p, old);
	}
}

static void read_section(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	unsigned int given = 0;

	fields_read(f->fields, d, p, out);
	if (d->kind != DOC_MAP || !(f->flags & FIELD_ONE_OF))
		return;
	for (const struct field *inner = f->fields; inner->name; inner++)
		given += doc_find(d, inner->name) != NULL;
	if (given != 1)
		problems_add(p, d->line, "must hold exactly one of its fields, not %u", given);
	for (const struct field *inner = f->fields; inner->name; inner++)
		if (given == 1 && inner->type == FIELD_BOOL && doc_find(d, inner->name) &&
		    !*(bool *)((char *)out + inner->offset))
			problems_add(p, d->line, "%s must be true, or left out for another field",
				     inner->name);
}

static void read_list(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	unsigned int *n = (unsigned int *)((char *)out - f->offset + f->count);
	char *array;

	if (!list_of(f, d, p) || !(array = array_new(d, f->size, p)))
		return;
	*(char **)out = array;
	for (const struct doc *child = d->first; child; child = child->next, ++*n) {
		size_t old = problems_enter_nth(p, "", *n);

		fields_init(f->fields, array + *n * f->size);
		fields_read(f->fields, child, p, array + *n * f->size);
		problems_leave(p, old);
	}
}

void field_read(const struct field *f, const struct doc *d, struct problems *p, void *out)
{
	static void (*const read[])(const struct field *f, const struct doc *d,
				    struct problems *p, void *out) = {
		[FIELD_BOOL] = read_bool, [FIELD_UINT] = read_uint,
		[FIELD_TEXT] = read_text, [FIELD_DEVICE] = read_device,
		[FIELD_NETNS] = read_netns, [FIELD_CHOICE] = read_choice,
		[FIELD_TENANT] = read_tenant, [FIELD_NAME] = read_name,
		[FIELD_PATH] = read_path, [FIELD_MAC] = read_mac,
		[FIELD_ADDR] = read_addr, [FIELD_PREFIX] = read_prefix,
		[FIELD_NAMES] = read_names, [FIELD_ADDRS] = read_addrs,
		[FIELD_PREFIXES] = read_prefixes, [FIELD_SECTION] = read_section,
		[FIELD_LIST] = read_list,
	};

	read[f->type](f, d, p, out);
}

static void unknown_field(const struct field *fields, const struct doc *d, struct problems *p)
{
	const char *names[16] = {}, *near;
	char shown[SHOWN_LEN], known[320] = "";
	unsigned int n = 0;
	size_t len = 0, old;

	for (; fields->name && n < 16; fields++) {
		names[n++] = fields->name;
		len += snprintf(known + len, sizeof(known) - len, "%s%s", len ? ", " : "",
				fields->name);
	}
	near = suggest(d->key, names, n);
	old = problems_enter(p, doc_show(d->key, shown, sizeof(shown)));
	if (near)
		problems_add(p, d->line, "unknown field; did you mean \"%s\"?", near);
	else
		problems_add(p, d->line, "unknown field; known here: %s", n ? known : "none");
	problems_leave(p, old);
}

static const struct field *find(const struct field *fields, const char *name)
{
	for (; fields->name; fields++)
		if (!strcmp(fields->name, name))
			return fields;
	return NULL;
}

void fields_unknown(const struct field *fields, const struct doc *map, struct problems *p)
{
	for (const struct doc *d = map->first; d; d = d->next)
		if (!find(fields, d->key))
			unknown_field(fields, d, p);
}

void fields_read(const struct field *fields, const struct doc *map, struct problems *p, void *base)
{
	if (map->kind != DOC_MAP) {
		problems_add(p, map->line, "%s, but a map of fields is wanted",
			     doc_kind_name(map->kind));
		return;
	}
	for (const struct field *f = fields; f->name; f++) {
		const struct doc *d = doc_find(map, f->name);
		size_t old = problems_enter(p, f->name);

		if (d)
			field_read(f, d, p, (char *)base + f->offset);
		else if (f->flags & FIELD_REQUIRED)
			problems_add(p, map->line, "is required and missing");
		problems_leave(p, old);
	}
	fields_unknown(fields, map, p);
}
