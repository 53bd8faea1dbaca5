// SPDX-License-Identifier: BSD-2-Clause
/*
 * model.c - the objects people declare, as typed structs
 *
 * What all kinds have in common: kind, tenant, name, labels, revision. The rest is
 * the table's (model_read.c, model_fields.c).
 */
#include <ctl/controller/model.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/model_fields.h>
#include <lib/doc_json.h>

#define LABELS_MAX 32
#define LABEL_LEN 63

struct object *model_new(enum kind kind, const char *tenant, const char *name)
{
	struct object *o = calloc(1, kinds[kind].size);

	if (!o)
		return NULL;
	o->kind = kind;
	snprintf(o->tenant, sizeof(o->tenant), "%s", tenant);
	snprintf(o->name, sizeof(o->name), "%s", name);
	fields_init(kinds[kind].fields, model_spec(o));
	return o;
}

static void labels_free(struct object *o)
{
	for (unsigned int i = 0; i < o->n_labels; i++) {
		free(o->labels[i].key);
		free(o->labels[i].value);
	}
	free(o->labels);
}

void model_free(struct object *o)
{
	if (!o)
		return;
	fields_free(kinds[o->kind].fields, model_spec(o));
	labels_free(o);
	free(o);
}

const char *model_title(const struct object *o, char buf[MODEL_TITLE_LEN])
{
	snprintf(buf, MODEL_TITLE_LEN, "%s %s%s%s", kinds[o->kind].name, o->tenant,
		 o->tenant[0] ? "/" : "", o->name);
	return buf;
}

const char *model_key(const struct object *o, char buf[MODEL_KEY_LEN])
{
	const struct kind_info *kind = &kinds[o->kind];

	snprintf(buf, MODEL_KEY_LEN, "%s%s/%s/%s",
		 kind->scope == SCOPE_GLOBAL ? MODEL_GLOBAL_PREFIX : MODEL_PREFIX, kind->name,
		 kind->scope == SCOPE_FABRIC ? "-" : o->tenant, o->name);
	return buf;
}

int model_key_parse(const char *key, enum kind *ret_kind, char ret_tenant[MODEL_TENANT_LEN],
		    char ret_name[MODEL_NAME_LEN])
{
	char kind_name[32], tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	bool global = !strncmp(key, MODEL_GLOBAL_PREFIX, strlen(MODEL_GLOBAL_PREFIX));
	enum kind kind = 0;
	int end = 0;

	if (!global && strncmp(key, MODEL_PREFIX, strlen(MODEL_PREFIX)))
		return -EINVAL;
	key += strlen(global ? MODEL_GLOBAL_PREFIX : MODEL_PREFIX);
	if (sscanf(key, "%31[^/]/%15[^/]/%31[^/]%n", kind_name, tenant, name, &end) != 3 || key[end])
		return -EINVAL;
	while (kind < KIND_COUNT && strcmp(kinds[kind].name, kind_name))
		kind++;
	if (kind == KIND_COUNT || (kinds[kind].scope == SCOPE_GLOBAL) != global)
		return -EINVAL;
	*ret_kind = kind;
	strcpy(ret_tenant, kinds[kind].scope == SCOPE_FABRIC ? "" : tenant);
	strcpy(ret_name, name);
	return 0;
}

static bool is_label(const char *text, bool key)
{
	size_t len = strlen(text);

	if (len > LABEL_LEN || (key && !len))
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(key ? "-_./" : "-_.", *text))
			return false;
	return true;
}

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

static void read_label(struct object *o, const struct doc *d, struct problems *p)
{
	const char *value = d->kind == DOC_NULL ? "" : text_of(d, p, "text");
	struct label *l = &o->labels[o->n_labels];

	if (!value)
		return;
	if (!is_label(d->key, true) || !is_label(value, false)) {
		problems_add(p, d->line, "is no label; up to %d letters, digits and - _ . are"
			     " possible, in the key also /", LABEL_LEN);
		return;
	}
	l->key = strdup(d->key);
	l->value = strdup(value);
	o->n_labels++;
	p->no_memory |= !l->key || !l->value;
}

static void read_labels(struct object *o, const struct doc *d, struct problems *p)
{
	char shown[LABEL_LEN + 1];

	if (!d || d->kind == DOC_NULL)
		return;
	if (d->kind != DOC_MAP || d->n > LABELS_MAX) {
		problems_add(p, d->line, "must be a map of at most %d labels", LABELS_MAX);
		return;
	}
	o->labels = calloc(d->n ?: 1, sizeof(*o->labels));
	p->no_memory |= !o->labels;
	for (const struct doc *child = d->first; o->labels && child; child = child->next) {
		size_t old = problems_enter(p, doc_show(child->key, shown, sizeof(shown)));

		read_label(o, child, p);
		problems_leave(p, old);
	}
	if (o->n_labels && !p->no_memory)
		qsort(o->labels, o->n_labels, sizeof(*o->labels), by_key);
}

static enum kind read_kind(const struct doc *d, struct problems *p)
{
	const struct doc *field = doc_find(d, "kind");
	const char *text, *near = NULL;
	enum kind kind;
	char shown[48];

	if (!field) {
		problems_add(p, d->line, "is required and missing");
		return KIND_COUNT;
	}
	text = text_of(field, p, "a kind");
	if (!text)
		return KIND_COUNT;
	kind = kind_find(text, &near);
	if (kind == KIND_COUNT || strcmp(text, kinds[kind].name)) {
		problems_add(p, field->line, "unknown kind \"%s\"%s%s%s",
			     doc_show(text, shown, sizeof(shown)), near ? "; did you mean " : "",
			     near ?: kind < KIND_COUNT ? "; it is written " : "",
			     kind < KIND_COUNT ? kinds[kind].name : near ? "?" : "");
		return KIND_COUNT;
	}
	if (!kinds[kind].available) {
		problems_add(p, field->line, "%s is not available yet", kinds[kind].name);
		return KIND_COUNT;
	}
	return kind;
}

/* A name of the header into @out of @max bytes; @fallback stands in for a missing one. */
static void read_header_name(const struct doc *d, const char *field, const char *fallback,
			     char *out, size_t max, struct problems *p)
{
	const struct doc *value = doc_find(d, field);
	size_t old = problems_enter(p, field);
	const char *text = value ? text_of(value, p, "a name") : fallback;

	if (text && model_name_check(text, max))
		problems_add(p, value ? value->line : d->line,
			     "is no name; 1 to %zu of a-z 0-9 - _ are possible, a letter or digit"
			     " first and last", max - 1);
	else if (text)
		snprintf(out, max, "%s", text);
	else if (!value)
		problems_add(p, d->line, "is required and missing");
	problems_leave(p, old);
}

static void read_revision(struct object *o, const struct doc *d, struct problems *p)
{
	static const struct field revision = { .name = "revision", .type = FIELD_UINT, .max = UINT64_MAX >> 1 };
	size_t old = problems_enter(p, "revision");

	if (d)
		field_read(&revision, d, p, &o->revision);
	problems_leave(p, old);
}

/* What a document may hold beside its spec, by scope. */
#define NAMED(field) { .name = field }
#define COMMON NAMED("kind"), NAMED("name"), NAMED("labels"), NAMED("spec"), NAMED("status"), \
	       NAMED("revision"), NAMED("delete")
static const struct field header_fields[][9] = {
	[SCOPE_TENANT] = { COMMON, NAMED("tenant"), {} },
	[SCOPE_FABRIC] = { COMMON, {} },
	[SCOPE_GLOBAL] = { COMMON, NAMED("region"), {} },
};

static void read_header(struct object *o, const struct doc *d, const char *tenant_default,
			struct problems *p)
{
	enum scope scope = kinds[o->kind].scope;
	char title[MODEL_TITLE_LEN];

	read_header_name(d, "name", NULL, o->name,
			 o->kind == KIND_TENANT ? MODEL_TENANT_LEN : MODEL_NAME_LEN, p);
	if (scope == SCOPE_TENANT)
		read_header_name(d, "tenant", tenant_default, o->tenant, MODEL_TENANT_LEN, p);
	else if (scope == SCOPE_GLOBAL)
		read_header_name(d, "region", NULL, o->tenant, MODEL_TENANT_LEN, p);
	problems_object(p, model_title(o, title));
	read_revision(o, doc_find(d, "revision"), p);
	problems_enter(p, "labels");
	read_labels(o, doc_find(d, "labels"), p);
	problems_leave(p, 0);
	fields_unknown(header_fields[scope], d, p);
}

static void read_delete(const struct doc *d, struct problems *p, bool *ret)
{
	static const struct field field = { .name = "delete", .type = FIELD_BOOL };
	size_t old = problems_enter(p, "delete");

	if (d)
		field_read(&field, d, p, ret);
	problems_leave(p, old);
}

static void read_spec(struct object *o, const struct doc *d, struct problems *p)
{
	static const struct doc nothing = { .kind = DOC_MAP };
	const struct doc *spec = doc_find(d, "spec");
	struct doc empty = nothing;

	empty.line = d->line;
	problems_enter(p, "spec");
	fields_read(kinds[o->kind].fields, spec && spec->kind != DOC_NULL ? spec : &empty, p,
		    model_spec(o));
	problems_leave(p, 0);
}

int model_read_change(const struct doc *d, const char *tenant_default, struct problems *p,
		      struct object **ret, bool *ret_del)
{
	unsigned int before = p->n;
	bool del = false;
	struct object *o;
	enum kind kind;

	if (d->kind != DOC_MAP) {
		problems_add(p, d->line, "%s, but an object is wanted: a map with kind, name and spec",
			     doc_kind_name(d->kind));
		return -EINVAL;
	}
	problems_enter(p, "kind");
	kind = read_kind(d, p);
	problems_leave(p, 0);
	if (kind == KIND_COUNT)
		return -EINVAL;
	o = model_new(kind, "", "");
	if (!o)
		return -ENOMEM;
	read_header(o, d, tenant_default, p);
	read_delete(doc_find(d, "delete"), p, &del);
	if (!del)
		read_spec(o, d, p);
	if (p->n == before && !p->no_memory) {
		*ret = o;
		*ret_del = del;
		return 0;
	}
	model_free(o);
	return p->no_memory ? -ENOMEM : -EINVAL;
}

int model_read(const struct doc *d, const char *tenant_default, struct problems *p,
	       struct object **ret)
{
	struct object *o;
	bool del;
	int err = model_read_change(d, tenant_default, p, &o, &del);

	if (err)
		return err;
	if (!del) {
		*ret = o;
		return 0;
	}
	problems_enter(p, "delete");
	problems_add(p, d->line, "is not possible here");
	problems_leave(p, 0);
	model_free(o);
	return -EINVAL;
}

/* The document must be the object its key says. */
static int load_checked(const char *key, const struct doc *d, struct object **ret, struct error *e)
{
	char own_key[MODEL_KEY_LEN], first[512];
	struct problems p;
	int err;

	problems_init(&p);
	err = model_read(d, NULL, &p, ret);
	if (err)
		error_set(e, err, "%s: %s", key, problems_first(&p, first, sizeof(first)));
	problems_done(&p);
	if (!err && strcmp(model_key(*ret, own_key), key)) {
		model_free(*ret);
		err = error_set(e, -EINVAL, "%s: holds the object of %s", key, own_key);
	}
	return err;
}

int model_load(const char *key, const char *text, size_t len, uint64_t revision,
	       struct object **ret, struct error *e)
{
	cJSON *json = cJSON_ParseWithLength(text, len);
	struct object *o;
	struct doc *d;
	int err;

	if (!json)
		return error_set(e, -EINVAL, "%s: holds no JSON", key);
	err = doc_from_json(json, &d);
	cJSON_Delete(json);
	if (err)
		return error_set(e, err == -ENOMEM ? err : -EINVAL, "%s: holds no document", key);
	err = load_checked(key, d, &o, e);
	doc_free(d);
	if (err)
		return err;
	o->revision = revision;
	*ret = o;
	return 0;
}

cJSON *model_json(const struct object *o, enum model_view view)
{
	const struct kind_info *kind = &kinds[o->kind];
	cJSON *json = cJSON_CreateObject(), *labels;

	cJSON_AddStringToObject(json, "kind", kind->name);
	if (kind->scope != SCOPE_FABRIC)
		cJSON_AddStringToObject(json, kind->scope == SCOPE_GLOBAL ? "region" : "tenant",
					o->tenant);
	cJSON_AddStringToObject(json, "name", o->name);
	if (o->n_labels) {
		labels = cJSON_AddObjectToObject(json, "labels");
		for (unsigned int i = 0; i < o->n_labels; i++)
			cJSON_AddStringToObject(labels, o->labels[i].key, o->labels[i].value);
	}
	cJSON_AddItemToObject(json, "spec", fields_json(kind->fields, model_spec(o), view));
	if (view != MODEL_STORED && o->revision)
		cJSON_AddNumberToObject(json, "revision", o->revision);
	return json;
}

char *model_text(const struct object *o)
{
	cJSON *json = model_json(o, MODEL_STORED);
	char *text = json ? cJSON_PrintUnformatted(json) : NULL;

	cJSON_Delete(json);
	return text;
}

struct object *model_copy(const struct object *o)
{
	cJSON *json = model_json(o, MODEL_STORED);
	struct object *copy = NULL;
	struct problems p;
	struct doc *d;

	problems_init(&p);
	if (!doc_from_json(json, &d)) {
		model_read(d, NULL, &p, &copy);
		doc_free(d);
	}
	cJSON_Delete(json);
	problems_done(&p);
	if (copy)
		copy->revision = o->revision;
	return copy;
}

const char *model_changes(const struct object *a, const struct object *b, char *buf, size_t len)
{
	size_t used = 0;

	*buf = '\0';
	for (const struct field *f = kinds[a->kind].fields; f->name; f++) {
		cJSON *x = field_json(f, (char *)model_spec(a) + f->offset, MODEL_STORED);
		cJSON *y = field_json(f, (char *)model_spec(b) + f->offset, MODEL_STORED);

		if ((x || y) && !cJSON_Compare(x, y, true) && used < len)
			used += snprintf(buf + used, len - used, "%s%s", used ? ", " : "", f->name);
		cJSON_Delete(x);
		cJSON_Delete(y);
	}
	return buf;
}
