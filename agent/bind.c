/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind.c - which device an instance has, where the host decides that
 *
 * A list: a host has as many as it has guests. What a name may be is for the schema
 * of the configuration to judge; here only what would break the list is refused.
 */
#include <agent/bind.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/config.h>
#include <lib/doc_json.h>

static const char *const fields[] = { "device", "netns", "guest_device" };
#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

static void binding_free(struct binding *b)
{
	if (!b)
		return;
	free(b->instance);
	free(b->problem);
	doc_free(b->doc);
	free(b);
}

void bindings_done(struct bindings *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		binding_free(b->all[i]);
	free(b->all);
	*b = (struct bindings){};
}

struct binding *bindings_find(const struct bindings *b, const char *instance)
{
	for (unsigned int i = 0; i < b->n; i++)
		if (!strcmp(b->all[i]->instance, instance))
			return b->all[i];
	return NULL;
}

const char *binding_text(const struct binding *b, const char *field)
{
	const struct doc *d = doc_find(b->doc, field);

	return d ? d->text : NULL;
}

static struct binding *binding_new(const char *instance, const char *const values[N_FIELDS])
{
	struct binding *b = calloc(1, sizeof(*b));
	int err = 0;

	if (!b)
		return NULL;
	b->instance = strdup(instance);
	b->doc = doc_new(DOC_MAP);
	for (size_t i = 0; b->doc && !err && i < N_FIELDS; i++)
		if (values[i])
			err = doc_add(b->doc, fields[i], doc_new_text(values[i]));
	if (b->instance && b->doc && !err)
		return b;
	binding_free(b);
	return NULL;
}

static int check(const struct bindings *b, const char *instance, const char *device,
		 struct error *e)
{
	const char *dot = strchr(instance, '.');

	if (!dot || dot == instance || !dot[1] || strlen(instance) > CONFIG_NAME_MAX)
		return error_set(e, -EINVAL, "an instance is named TENANT.NAME here, as in acme.web-1, "
				 "not \"%.64s\"", instance);
	if (!*device)
		return error_set(e, -EINVAL, "the name of a device is needed");
	for (unsigned int i = 0; i < b->n; i++)
		if (strcmp(b->all[i]->instance, instance) &&
		    !strcmp(binding_text(b->all[i], "device"), device))
			return error_set(e, -EEXIST, "%.64s is the device of %s already", device,
					 b->all[i]->instance);
	return 0;
}

static int put(struct bindings *b, struct binding *one)
{
	struct binding **more;

	for (unsigned int i = 0; i < b->n; i++) {
		if (strcmp(b->all[i]->instance, one->instance))
			continue;
		binding_free(b->all[i]);
		b->all[i] = one;
		return 0;
	}
	more = reallocarray(b->all, b->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	b->all = more;
	b->all[b->n++] = one;
	return 0;
}

int bindings_set(struct bindings *b, const char *instance, const char *device, const char *netns,
		 const char *guest_device, struct error *e)
{
	const char *const values[N_FIELDS] = { device, netns, guest_device };
	struct binding *one;
	int err = check(b, instance, device, e);

	if (err)
		return err;
	one = binding_new(instance, values);
	err = one ? put(b, one) : -ENOMEM;
	if (!err)
		return 0;
	binding_free(one);
	return error_set(e, err, "%s: no memory", instance);
}

int bindings_del(struct bindings *b, const char *instance, struct error *e)
{
	struct binding *one = bindings_find(b, instance);

	if (!one)
		return error_set(e, -ENOENT, "%.64s is not attached by this host", instance);
	for (unsigned int i = 0; i < b->n; i++)
		if (b->all[i] == one)
			b->all[i] = b->all[--b->n];
	binding_free(one);
	return 0;
}

int binding_answered(struct binding *b, const char *problem)
{
	char *copy = problem ? strdup(problem) : NULL;

	if (problem && !copy)
		return -ENOMEM;
	free(b->problem);
	b->problem = copy;
	b->state = problem ? BIND_REFUSED : BIND_BOUND;
	return 0;
}

cJSON *binding_to_json(const struct binding *b)
{
	cJSON *json = cJSON_CreateObject();

	cJSON_AddStringToObject(json, "instance", b->instance);
	for (size_t i = 0; i < N_FIELDS; i++)
		if (binding_text(b, fields[i]))
			cJSON_AddStringToObject(json, fields[i], binding_text(b, fields[i]));
	return json;
}

int bindings_set_json(struct bindings *b, const cJSON *json, struct error *e)
{
	const char *values[N_FIELDS] = {};
	const cJSON *instance = cJSON_GetObjectItemCaseSensitive(json, "instance");

	for (size_t i = 0; i < N_FIELDS; i++) {
		const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, fields[i]);

		if (v && !cJSON_IsString(v))
			return error_set(e, -EBADMSG, "a binding's %s is not text", fields[i]);
		values[i] = v ? v->valuestring : NULL;
	}
	if (!cJSON_IsString(instance) || !values[0])
		return error_set(e, -EBADMSG, "a binding needs instance and device");
	return bindings_set(b, instance->valuestring, values[0], values[1], values[2], e);
}
