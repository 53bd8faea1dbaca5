// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_fields.c - fields as JSON, and what they hold given back
 *
 * What is not given, or is at its default, is not printed: a document that says
 * nothing and one that says the default are the same object.
 */
#include <ctl/controller/model_fields.h>

#include <stdlib.h>
#include <string.h>

void fields_init(const struct field *fields, void *base)
{
	for (; fields->name; fields++)
		if (fields->type == FIELD_UINT && fields->fallback)
			*(uint64_t *)((char *)base + fields->offset) = fields->fallback;
}

static bool is_pointer(enum field_type type)
{
	return type == FIELD_TEXT || type == FIELD_DEVICE || type == FIELD_NETNS ||
	       type == FIELD_CHOICE;
}

static unsigned int *list_count(const struct field *f, const void *value)
{
	return (unsigned int *)((char *)value - f->offset + f->count);
}

static void list_free(const struct field *f, void *value)
{
	char *array = *(char **)value;

	for (unsigned int i = 0; i < *list_count(f, value); i++)
		fields_free(f->fields, array + i * f->size);
	free(array);
}

void field_free(const struct field *f, void *value)
{
	if (f->type == FIELD_LIST)
		list_free(f, value);
	else if (f->type == FIELD_SECTION)
		fields_free(f->fields, value);
	else if (is_pointer(f->type))
		free(*(char **)value);
	else if (f->type == FIELD_NAMES)
		free(((struct name_list *)value)->v);
	else if (f->type == FIELD_ADDRS)
		free(((struct addr_list *)value)->v);
	else if (f->type == FIELD_PREFIXES)
		free(((struct prefix_list *)value)->v);
}

void fields_free(const struct field *fields, void *base)
{
	for (; fields->name; fields++)
		field_free(fields, (char *)base + fields->offset);
}

/* Bytes of a field in its struct; a list's counter is apart. */
static size_t field_size(const struct field *f)
{
	static const size_t sizes[] = {
		[FIELD_BOOL] = sizeof(bool), [FIELD_UINT] = sizeof(uint64_t),
		[FIELD_TEXT] = sizeof(char *), [FIELD_DEVICE] = sizeof(char *),
		[FIELD_NETNS] = sizeof(char *), [FIELD_CHOICE] = sizeof(char *),
		[FIELD_TENANT] = MODEL_TENANT_LEN, [FIELD_NAME] = MODEL_NAME_LEN,
		[FIELD_PATH] = MODEL_PATH_LEN, [FIELD_MAC] = ETH_ADDR_LEN,
		[FIELD_ADDR] = sizeof(struct ip_addr), [FIELD_PREFIX] = sizeof(struct ip_prefix),
		[FIELD_NAMES] = sizeof(struct name_list), [FIELD_ADDRS] = sizeof(struct addr_list),
		[FIELD_PREFIXES] = sizeof(struct prefix_list), [FIELD_LIST] = sizeof(void *),
	};

	return sizes[f->type];
}

void field_reset(const struct field *f, void *value)
{
	if (f->type == FIELD_SECTION) {
		for (const struct field *inner = f->fields; inner->name; inner++)
			field_reset(inner, (char *)value + inner->offset);
		return;
	}
	field_free(f, value);
	if (f->type == FIELD_LIST)
		*list_count(f, value) = 0;
	memset(value, 0, field_size(f));
	if (f->type == FIELD_UINT)
		*(uint64_t *)value = f->fallback;
}

static cJSON *addr_json(const struct ip_addr *a)
{
	char text[IP_ADDR_STRLEN];

	return cJSON_CreateString(ip_addr_format(a, text, sizeof(text)));
}

static cJSON *prefix_json(const struct ip_prefix *p)
{
	char text[IP_ADDR_STRLEN + 4];

	return cJSON_CreateString(ip_prefix_format(p, text, sizeof(text)));
}

static cJSON *mac_json(const uint8_t *mac)
{
	char text[MAC_STRLEN];

	return cJSON_CreateString(mac_format(mac, text, sizeof(text)));
}

static cJSON *names_json(const struct name_list *list)
{
	cJSON *array = cJSON_CreateArray();

	for (unsigned int i = 0; i < list->n; i++)
		cJSON_AddItemToArray(array, cJSON_CreateString(list->v[i]));
	return array;
}

static cJSON *addrs_json(const struct addr_list *list)
{
	cJSON *array = cJSON_CreateArray();

	for (unsigned int i = 0; i < list->n; i++)
		cJSON_AddItemToArray(array, addr_json(&list->v[i].ip));
	return array;
}

static cJSON *prefixes_json(const struct prefix_list *list)
{
	cJSON *array = cJSON_CreateArray();

	for (unsigned int i = 0; i < list->n; i++)
		cJSON_AddItemToArray(array, prefix_json(&list->v[i]));
	return array;
}

static cJSON *list_json(const struct field *f, const void *value, enum model_view view)
{
	cJSON *array = cJSON_CreateArray();

	for (unsigned int i = 0; i < *list_count(f, value); i++)
		cJSON_AddItemToArray(array, fields_json(f->fields, *(char **)value + i * f->size,
							view));
	return array;
}

bool field_given(const struct field *f, const void *value)
{
	switch (f->type) {
	case FIELD_BOOL:
		return *(const bool *)value;
	case FIELD_UINT:
		return *(const uint64_t *)value != f->fallback;
	case FIELD_TENANT:
	case FIELD_NAME:
	case FIELD_PATH:
		return *(const char *)value;
	case FIELD_MAC:
		return !mac_is_zero(value);
	case FIELD_ADDR:
		return !ip_addr_is_zero(value);
	case FIELD_PREFIX:
	case FIELD_SECTION:
		return true;
	case FIELD_NAMES:
		return ((const struct name_list *)value)->n;
	case FIELD_ADDRS:
		return ((const struct addr_list *)value)->n;
	case FIELD_PREFIXES:
		return ((const struct prefix_list *)value)->n;
	case FIELD_LIST:
		return *list_count(f, value);
	default:
		return *(char *const *)value;
	}
}

cJSON *field_json(const struct field *f, const void *value, enum model_view view)
{
	if (!field_given(f, value))
		return NULL;
	switch (f->type) {
	case FIELD_BOOL:
		return cJSON_CreateBool(*(const bool *)value);
	case FIELD_UINT:
		return cJSON_CreateNumber(*(const uint64_t *)value);
	case FIELD_TENANT:
	case FIELD_NAME:
	case FIELD_PATH:
		return cJSON_CreateString(value);
	case FIELD_MAC:
		return mac_json(value);
	case FIELD_ADDR:
		return addr_json(value);
	case FIELD_PREFIX:
		return prefix_json(value);
	case FIELD_NAMES:
		return names_json(value);
	case FIELD_ADDRS:
		return addrs_json(value);
	case FIELD_PREFIXES:
		return prefixes_json(value);
	case FIELD_SECTION:
		return fields_json(f->fields, value, view);
	case FIELD_LIST:
		return list_json(f, value, view);
	default:
		return cJSON_CreateString(*(char *const *)value);
	}
}

cJSON *fields_json(const struct field *fields, const void *base, enum model_view view)
{
	cJSON *map = cJSON_CreateObject();

	for (const struct field *f = fields; f->name; f++) {
		cJSON *value;

		if (view == MODEL_TENANT && f->flags & FIELD_OPERATOR)
			continue;
		value = field_json(f, (const char *)base + f->offset, view);
		if (value)
			cJSON_AddItemToObject(map, f->name, value);
	}
	return map;
}
