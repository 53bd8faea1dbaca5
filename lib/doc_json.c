/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doc_json.c - trees made from JSON values, and back
 */
#include <lib/doc_json.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct doc *doc_new(enum doc_kind kind)
{
	struct doc *doc = calloc(1, sizeof(*doc));

	if (doc)
		doc->kind = kind;
	return doc;
}

struct doc *doc_new_text(const char *text)
{
	struct doc *doc = doc_new(DOC_SCALAR);

	if (!doc)
		return NULL;
	doc->text = strdup(text);
	if (doc->text)
		return doc;
	doc_free(doc);
	return NULL;
}

int doc_add(struct doc *parent, const char *key, struct doc *child)
{
	if (!child)
		return -ENOMEM;
	child->key = key ? strdup(key) : NULL;
	if (key && !child->key) {
		doc_free(child);
		return -ENOMEM;
	}
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->n++;
	return 0;
}

void doc_set_line(struct doc *doc, int line)
{
	doc->line = line;
	for (struct doc *child = doc->first; child; child = child->next)
		doc_set_line(child, line);
}

static struct doc *from_number(double value)
{
	char text[32];

	snprintf(text, sizeof(text), floor(value) == value ? "%.0f" : "%.17g", value);
	return doc_new_text(text);
}

static struct doc *from_text(const char *value)
{
	struct doc *doc = doc_new_text(value);

	if (doc)
		doc->quoted = true;
	return doc;
}

static struct doc *from_scalar(const cJSON *json)
{
	if (cJSON_IsString(json))
		return from_text(json->valuestring);
	if (cJSON_IsNumber(json))
		return from_number(json->valuedouble);
	if (cJSON_IsBool(json))
		return doc_new_text(cJSON_IsTrue(json) ? "true" : "false");
	return doc_new(DOC_NULL);
}

static int from_json(const cJSON *json, unsigned int depth, struct doc **ret);

static int from_children(const cJSON *json, unsigned int depth, struct doc *doc)
{
	const cJSON *one;

	if (depth >= DOC_DEPTH_MAX)
		return -EFBIG;
	cJSON_ArrayForEach(one, json) {
		struct doc *child;
		int err;

		if (one->string && doc_find(doc, one->string))
			return -EBADMSG;
		err = from_json(one, depth + 1, &child);
		if (!err)
			err = doc_add(doc, one->string, child);
		if (err)
			return err;
	}
	return 0;
}

static int from_json(const cJSON *json, unsigned int depth, struct doc **ret)
{
	bool container = cJSON_IsObject(json) || cJSON_IsArray(json);
	struct doc *doc = !container ? from_scalar(json) :
			  doc_new(cJSON_IsObject(json) ? DOC_MAP : DOC_LIST);
	int err = doc ? 0 : -ENOMEM;

	if (!err && container)
		err = from_children(json, depth, doc);
	if (err)
		doc_free(doc);
	else
		*ret = doc;
	return err;
}

int doc_from_json(const cJSON *json, struct doc **ret)
{
	return from_json(json, 0, ret);
}

enum doc_scalar doc_scalar_kind(const struct doc *scalar)
{
	const char *text = scalar->text;
	char *end;

	if (scalar->quoted)
		return DOC_TEXT;
	if (!strcmp(text, "true") || !strcmp(text, "false"))
		return DOC_BOOL;
	if (!strchr("+-.0123456789", text[0]))
		return DOC_TEXT;
	strtod(text, &end);
	return end > text && !*end ? DOC_NUMBER : DOC_TEXT;
}

static cJSON *scalar_json(const struct doc *doc)
{
	switch (doc_scalar_kind(doc)) {
	case DOC_BOOL:
		return cJSON_CreateBool(!strcmp(doc->text, "true"));
	case DOC_NUMBER:
		return cJSON_CreateNumber(strtod(doc->text, NULL));
	default:
		return cJSON_CreateString(doc->text);
	}
}

static cJSON *container_json(const struct doc *doc)
{
	cJSON *json = doc->kind == DOC_MAP ? cJSON_CreateObject() : cJSON_CreateArray();

	for (const struct doc *child = doc->first; child; child = child->next) {
		cJSON *item = doc_to_json(child);

		if (!item) {
			cJSON_Delete(json);
			return NULL;
		}
		if (doc->kind == DOC_MAP)
			cJSON_AddItemToObject(json, child->key, item);
		else
			cJSON_AddItemToArray(json, item);
	}
	return json;
}

cJSON *doc_to_json(const struct doc *doc)
{
	switch (doc->kind) {
	case DOC_NULL:
		return cJSON_CreateNull();
	case DOC_SCALAR:
		return scalar_json(doc);
	default:
		return container_json(doc);
	}
}
