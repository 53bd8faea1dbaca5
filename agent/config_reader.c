// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_reader.c - reads a document tree into structs, led by tables
 *
 * The walk: known fields in table order, then whatever else the map holds, which
 * is unknown and gets the nearest known name as a hint. Containers recurse here;
 * single values are read by config_values.c.
 */
#include <agent/config_reader.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void mistake(struct reader *r, int line, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	mistakes_add(r->mistakes, line, "%s: %s", r->where_len ? r->where : "top level", text);
}

void reader_no_memory(struct reader *r)
{
	r->err = -ENOMEM;
}

size_t reader_enter(struct reader *r, const char *fmt, ...)
{
	size_t old = r->where_len, room = sizeof(r->where) - old;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(r->where + old, room, fmt, args);
	va_end(args);
	if (n > 0)
		r->where_len += (size_t)n < room ? (size_t)n : room - 1;
	return old;
}

void reader_leave(struct reader *r, size_t where_len)
{
	r->where_len = where_len;
	r->where[where_len] = '\0';
}

static size_t enter_field(struct reader *r, const char *name)
{
	return reader_enter(r, "%s%s", r->where_len ? "." : "", name);
}

const char *value_shown(const struct doc *d, char buf[SHOWN_LEN])
{
	char text[SHOWN_LEN - 8];

	if (d->kind != DOC_SCALAR)
		return doc_kind_name(d->kind);
	doc_show(d->text, text, sizeof(text));
	snprintf(buf, SHOWN_LEN, "\"%s\"%s", text, strlen(text) < strlen(d->text) ? "..." : "");
	return buf;
}

const char *scalar_text(struct reader *r, const struct doc *d, const char *want)
{
	if (d->kind == DOC_SCALAR)
		return d->text;
	if (d->kind == DOC_NULL)
		mistake(r, d->line, "has no value; give %s, or leave the field out", want);
	else
		mistake(r, d->line, "%s, but %s is wanted", doc_kind_name(d->kind), want);
	return NULL;
}

const struct doc *list_of(struct reader *r, const struct doc *d, unsigned int max,
			  const char *want)
{
	if (d->kind != DOC_LIST) {
		mistake(r, d->line, "%s, but %s is wanted", doc_kind_name(d->kind), want);
		return NULL;
	}
	if (d->n > max) {
		mistake(r, d->line, "%u entries; at most %u are possible", d->n, max);
		return NULL;
	}
	return d;
}

static const struct field *field_find(const struct field *fields, const char *name)
{
	for (; fields->name; fields++) {
		if (!strcmp(fields->name, name))
			return fields;
	}
	return NULL;
}

static void unknown_field(struct reader *r, const struct doc *d, const struct field *fields)
{
	char known[320], name[SHOWN_LEN];
	size_t len = 0, old;
	struct hint hint;

	hint_init(&hint, d->key);
	known[0] = '\0';
	for (const struct field *f = fields; mistakes_wanted(r->mistakes) && f->name; f++) {
		hint_offer(&hint, f->name);
		len += snprintf(known + len, len < sizeof(known) ? sizeof(known) - len : 0, "%s%s",
				len ? ", " : "", f->name);
	}
	old = enter_field(r, doc_show(d->key, name, sizeof(name)));
	if (hint_best(&hint))
		mistake(r, d->line, "unknown field; did you mean \"%s\"?", hint_best(&hint));
	else
		mistake(r, d->line, "unknown field; known here are %s", known);
	reader_leave(r, old);
}

static void read_field(struct reader *r, const struct doc *map, const struct field *f, void *base)
{
	const struct doc *d = doc_find(map, f->name);
	size_t old = enter_field(r, f->name);

	if (d)
		f->read(r, d, f, (char *)base + f->offset);
	else if (f->required)
		mistake(r, map->line, "is required and missing");
	reader_leave(r, old);
}

void read_fields(struct reader *r, const struct doc *d, const struct field *fields, void *base)
{
	if (d->kind != DOC_MAP) {
		mistake(r, d->line, "%s, but a map of fields is wanted", doc_kind_name(d->kind));
		return;
	}
	for (const struct field *f = fields; f->name; f++)
		read_field(r, d, f, base);
	for (const struct doc *child = d->first; child; child = child->next) {
		if (!r->lenient && !field_find(fields, child->key))
			unknown_field(r, child, fields);
	}
}

/* A section has no offset of its own: its fields lie in the parent struct. */
void read_section(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	if (d->kind == DOC_NULL && !f->required)
		return;				/* all its lines are comments */
	read_fields(r, d, f->fields, out);
}

static void read_element(struct reader *r, const struct doc *d, const struct list *list,
			 void *element)
{
	if (list->init)
		list->init(element);
	*(int *)((char *)element + list->line) = d->line;
	read_fields(r, d, list->fields, element);
}

void read_list(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const struct list *list = f->list;
	unsigned int *count = (unsigned int *)((char *)out - f->offset + list->count);
	char *array;

	if (d->kind == DOC_NULL)
		return;				/* all its entries are comments */
	d = list_of(r, d, list->max, "a list of maps");
	if (!d || !d->n)
		return;
	array = calloc(d->n, list->size);
	if (!array) {
		reader_no_memory(r);
		return;
	}
	*(char **)out = array;
	for (const struct doc *child = d->first; child; child = child->next) {
		size_t old = reader_enter(r, "[%u]", *count);

		read_element(r, child, list, array + *count * list->size);
		++*count;
		reader_leave(r, old);
	}
}
