// SPDX-License-Identifier: BSD-2-Clause
/*
 * openapi.c - the OpenAPI 3.1 document, made of the tables the API runs by
 *
 *	kinds[]		──► a schema per kind (model_kinds.c)
 *	api_routes[]	──► paths; {kind} is an enumeration of the plurals (api.c)
 *
 * selftests/api/openapi.t asks the running server for it and holds every answer
 * against it.
 */
#include <ctl/controller/api_parts.h>

#include <stdio.h>
#include <string.h>

#include <lib/version.h>

#define NAME_PATTERN "^[a-z0-9]([-a-z0-9_]*[a-z0-9])?$"

static cJSON *typed(const char *type)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "type", type);
	return o;
}

static cJSON *text(size_t max)
{
	cJSON *o = typed("string");

	if (max)
		cJSON_AddNumberToObject(o, "maxLength", max);
	return o;
}

static cJSON *name(size_t len)
{
	cJSON *o = text(len - 1);

	cJSON_AddStringToObject(o, "pattern", NAME_PATTERN);
	return o;
}

static cJSON *list_of(cJSON *items)
{
	cJSON *o = typed("array");

	cJSON_AddItemToObject(o, "items", items);
	return o;
}

static cJSON *reference(const char *schema)
{
	char path[64];
	cJSON *o = cJSON_CreateObject();

	snprintf(path, sizeof(path), "#/components/schemas/%s", schema);
	cJSON_AddStringToObject(o, "$ref", path);
	return o;
}

static cJSON *map(void)
{
	cJSON *o = typed("object");

	cJSON_AddObjectToObject(o, "properties");
	return o;
}

static void add_property(cJSON *schema, const char *key, cJSON *value)
{
	cJSON_AddItemToObject(cJSON_GetObjectItem(schema, "properties"), key, value);
}

static void add_required(cJSON *schema, const char *key)
{
	cJSON *list = cJSON_GetObjectItem(schema, "required");

	if (!list)
		list = cJSON_AddArrayToObject(schema, "required");
	cJSON_AddItemToArray(list, cJSON_CreateString(key));
}

static cJSON *fields_schema(const struct field *fields);

static cJSON *choice(const char *const *choices)
{
	cJSON *o = typed("string"), *list = cJSON_AddArrayToObject(o, "enum");

	for (; *choices; choices++)
		cJSON_AddItemToArray(list, cJSON_CreateString(*choices));
	return o;
}

static cJSON *number(const struct field *f)
{
	cJSON *o = typed("integer");

	cJSON_AddNumberToObject(o, "minimum", f->min);
	cJSON_AddNumberToObject(o, "maximum", f->max);
	if (f->fallback)
		cJSON_AddNumberToObject(o, "default", f->fallback);
	return o;
}

static cJSON *section(const struct field *f)
{
	cJSON *o = fields_schema(f->fields);

	if (f->flags & FIELD_ONE_OF)		/* none where a tenant may not see the one given */
		cJSON_AddNumberToObject(o, "maxProperties", 1);
	return o;
}

static cJSON *type_schema(const struct field *f)
{
	switch (f->type) {
	case FIELD_BOOL:
		return typed("boolean");
	case FIELD_UINT:
		return number(f);
	case FIELD_TEXT:
	case FIELD_NETNS:
		return text(f->max);
	case FIELD_DEVICE:
		return text(15);
	case FIELD_CHOICE:
		return choice(f->choices);
	case FIELD_TENANT:
		return name(MODEL_TENANT_LEN);
	case FIELD_NAME:
		return name(MODEL_NAME_LEN);
	case FIELD_NAMES:
		return list_of(name(MODEL_NAME_LEN));
	case FIELD_ADDRS:
	case FIELD_PREFIXES:
		return list_of(typed("string"));
	case FIELD_SECTION:
		return section(f);
	case FIELD_LIST:
		return list_of(fields_schema(f->fields));
	default:
		return typed("string");
	}
}

static cJSON *field_schema(const struct field *f)
{
	cJSON *o = type_schema(f);

	if (f->type == FIELD_NAMES || f->type == FIELD_ADDRS || f->type == FIELD_PREFIXES ||
	    f->type == FIELD_LIST)
		cJSON_AddNumberToObject(o, "maxItems", f->max);
	cJSON_AddStringToObject(o, "description", f->help);
	if (f->flags & FIELD_OPERATOR)
		cJSON_AddTrueToObject(o, "x-operator");
	if (f->flags & FIELD_ALLOCATED)
		cJSON_AddTrueToObject(o, "x-allocated");
	return o;
}

static cJSON *fields_schema(const struct field *fields)
{
	cJSON *o = map();

	cJSON_AddFalseToObject(o, "additionalProperties");
	for (const struct field *f = fields; f->name; f++) {
		add_property(o, f->name, field_schema(f));
		if (f->flags & FIELD_REQUIRED)
			add_required(o, f->name);
	}
	return o;
}

static cJSON *labels_schema(void)
{
	cJSON *o = typed("object");

	cJSON_AddItemToObject(o, "additionalProperties", text(63));
	return o;
}

static cJSON *kind_schema(const struct kind_info *kind)
{
	const char *words[] = { kind->name, NULL };
	cJSON *o = map();

	cJSON_AddStringToObject(o, "description", kind->help);
	cJSON_AddFalseToObject(o, "additionalProperties");
	add_property(o, "kind", choice(words));
	if (kind->scope != SCOPE_FABRIC)
		add_property(o, kind->scope == SCOPE_TENANT ? "tenant" : "region",
			     name(MODEL_TENANT_LEN));
	add_property(o, "name", name(kind == &kinds[KIND_TENANT] ? MODEL_TENANT_LEN : MODEL_NAME_LEN));
	add_property(o, "labels", labels_schema());
	add_property(o, "spec", fields_schema(kind->fields));
	add_property(o, "status", typed("object"));
	add_property(o, "revision", typed("integer"));
	add_required(o, "kind");
	add_required(o, "name");
	return o;
}

static cJSON *object_schema(void)
{
	cJSON *o = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(o, "oneOf");

	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (kinds[k].available)
			cJSON_AddItemToArray(list, reference(kinds[k].name));
	return o;
}

/* A schema of plain properties: "name:type" words, those with ! required; @type may be a schema. */
static cJSON *simple(const char *const *words)
{
	cJSON *o = map();

	for (; *words; words += 2) {
		const char *key = words[0] + (*words[0] == '!');
		bool schema = words[1][0] == '#', many = words[1][0] == '*';

		add_property(o, key, schema ? reference(words[1] + 1) :
				     many ? list_of(reference(words[1] + 1)) : typed(words[1]));
		if (key != words[0])
			add_required(o, key);
	}
	return o;
}

static const struct simple_schema {
	const char *name;
	const char *words[20];
} simple_schemas[] = {
	{ "any", {} },
	{ "health", { "!status", "string", "!version", "string" } },
	{ "revision", { "!revision", "integer" } },
	{ "list", { "!items", "*object", "!revision", "integer", "continue", "string", "stale", "boolean" } },
	{ "result", { "!document", "integer", "!kind", "string", "tenant", "string", "region", "string",
		      "!name", "string", "!outcome", "string", "object", "#object" } },
	{ "programming", { "!revision", "integer", "!programmed", "boolean", "reason", "string",
			   "missingCount", "integer", "missing", "array" } },
	{ "applied", { "!revision", "integer", "!dryRun", "boolean", "!results", "*result",
		       "programmed", "#programming" } },
	{ "error", { "document", "integer", "line", "integer", "object", "string", "field", "string",
		     "!problem", "string" } },
	{ "problem", { "!type", "string", "!title", "string", "!status", "integer", "detail", "string",
		       "errors", "*error", "errorCount", "integer" } },
};

static cJSON *schemas(void)
{
	cJSON *o = cJSON_CreateObject();

	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (kinds[k].available)
			cJSON_AddItemToObject(o, kinds[k].name, kind_schema(&kinds[k]));
	cJSON_AddItemToObject(o, "object", object_schema());
	cJSON_AddItemToObject(o, "documents", list_of(reference("object")));
	for (size_t i = 0; i < sizeof(simple_schemas) / sizeof(simple_schemas[0]); i++)
		cJSON_AddItemToObject(o, simple_schemas[i].name, simple(simple_schemas[i].words));
	return o;
}

/* The plurals {kind} stands for, in that scope. */
static cJSON *plurals(enum scope scope)
{
	cJSON *o = typed("string"), *list = cJSON_AddArrayToObject(o, "enum");

	for (enum kind k = 0; k < KIND_COUNT; k++)
		if (kinds[k].available && (scope == SCOPE_ANY || kinds[k].scope == scope))
			cJSON_AddItemToArray(list, cJSON_CreateString(kinds[k].plural));
	return o;
}

static cJSON *parameter(const char *key, const char *in, cJSON *schema, const char *help)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddStringToObject(o, "name", key);
	cJSON_AddStringToObject(o, "in", in);
	cJSON_AddBoolToObject(o, "required", !strcmp(in, "path"));
	if (help)
		cJSON_AddStringToObject(o, "description", help);
	cJSON_AddItemToObject(o, "schema", schema);
	return o;
}

static void add_parameters(cJSON *operation, const struct api_route *route)
{
	static const char *const types[] = { "string", "integer", "boolean" };
	cJSON *list = cJSON_AddArrayToObject(operation, "parameters");
	char key[16];

	for (const char *p = strchr(route->path, '{'); p; p = strchr(p + 1, '{')) {
		sscanf(p, "{%15[^}]", key);
		cJSON_AddItemToArray(list, parameter(key, "path", strcmp(key, "kind") ?
						     name(MODEL_NAME_LEN) : plurals(route->scope), NULL));
	}
	for (const struct api_param *p = route->params; p && p->name; p++)
		cJSON_AddItemToArray(list, parameter(p->name, "query", typed(types[p->type]), p->help));
}

static void add_content(cJSON *o, const char *type, const char *schema)
{
	cJSON *content = cJSON_AddObjectToObject(o, "content");

	cJSON_AddItemToObject(cJSON_AddObjectToObject(content, type), "schema",
			      schema ? reference(schema) : typed("string"));
}

static void add_responses(cJSON *operation, const struct api_route *route)
{
	cJSON *responses = cJSON_AddObjectToObject(operation, "responses");
	cJSON *good = cJSON_AddObjectToObject(responses, "2XX");
	cJSON *bad = cJSON_AddObjectToObject(responses, "default");

	cJSON_AddStringToObject(good, "description", "done");
	add_content(good, route->reply ? "application/json" :
		    !strcmp(route->id, "watch") ? "application/x-ndjson" : "text/plain",
		    route->reply);
	cJSON_AddStringToObject(bad, "description", "not done, and why (RFC 9457)");
	add_content(bad, "application/problem+json", "problem");
}

static cJSON *operation(const struct api_route *route)
{
	cJSON *o = cJSON_CreateObject(), *body;

	cJSON_AddStringToObject(o, "operationId", route->id);
	cJSON_AddStringToObject(o, "summary", route->help);
	if (route->public)
		cJSON_AddArrayToObject(o, "security");
	if (route->operator)
		cJSON_AddTrueToObject(o, "x-operator");
	add_parameters(o, route);
	if (route->body) {
		body = cJSON_AddObjectToObject(o, "requestBody");
		cJSON_AddTrueToObject(body, "required");
		add_content(body, "application/json", route->body);
	}
	add_responses(o, route);
	return o;
}

static cJSON *paths(void)
{
	cJSON *o = cJSON_CreateObject();

	for (const struct api_route *route = api_routes; route->path; route++) {
		cJSON *path = cJSON_GetObjectItemCaseSensitive(o, route->path);

		if (!path)
			path = cJSON_AddObjectToObject(o, route->path);
		cJSON_AddItemToObject(path, route->method == EVHTTP_REQ_GET ? "get" :
				      route->method == EVHTTP_REQ_PUT ? "put" :
				      route->method == EVHTTP_REQ_POST ? "post" : "delete",
				      operation(route));
	}
	return o;
}

static void add_security(cJSON *document, cJSON *components)
{
	cJSON *schemes = cJSON_AddObjectToObject(components, "securitySchemes");
	cJSON *list = cJSON_AddArrayToObject(document, "security"), *scheme;

	scheme = cJSON_AddObjectToObject(schemes, "bearer");
	cJSON_AddStringToObject(scheme, "type", "http");
	cJSON_AddStringToObject(scheme, "scheme", "bearer");
	scheme = cJSON_AddObjectToObject(schemes, "certificate");
	cJSON_AddStringToObject(scheme, "type", "mutualTLS");
	cJSON_AddItemToArray(list, cJSON_Parse("{\"bearer\":[]}"));
	cJSON_AddItemToArray(list, cJSON_Parse("{\"certificate\":[]}"));
}

cJSON *openapi_document(void)
{
	cJSON *o = cJSON_CreateObject(), *info, *components;

	cJSON_AddStringToObject(o, "openapi", "3.1.0");
	info = cJSON_AddObjectToObject(o, "info");
	cJSON_AddStringToObject(info, "title", "Mirach");
	cJSON_AddStringToObject(info, "version", MIRACH_VERSION);
	cJSON_AddItemToObject(o, "paths", paths());
	components = cJSON_AddObjectToObject(o, "components");
	cJSON_AddItemToObject(components, "schemas", schemas());
	add_security(o, components);
	return o;
}
