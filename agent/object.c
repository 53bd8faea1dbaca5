/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.c - one thing that a controller told this host
 */
#include <agent/object.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <lib/doc_json.h>

static const struct {
	const char *prefix;
	enum object_kind kind;
} kinds[] = {
	{ "host/", OBJECT_HOST },	{ "network/", OBJECT_NETWORK },
	{ "vport/", OBJECT_VPORT },	{ "permit/", OBJECT_PERMIT },
	{ "direct/", OBJECT_DIRECT },
	{ "route/", OBJECT_ROUTE },	{ "endpoint/", OBJECT_ENDPOINT },
};

enum object_kind object_kind_of(const char *id)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strncmp(id, kinds[i].prefix, strlen(kinds[i].prefix)))
			return kinds[i].kind;
	return OBJECT_OTHER;
}

const char *object_name(const struct object *o)
{
	return strchr(o->id, '/') + 1;
}

/* kind/name, printable and without blanks: ids stand in logs and messages. */
bool object_id_valid(const char *id)
{
	const char *slash = strchr(id, '/');

	if (!slash || slash == id || !slash[1] || strlen(id) > OBJECT_ID_MAX)
		return false;
	for (; *id; id++)
		if (*id <= ' ' || *id > '~' || *id == '"' || *id == '\\')
			return false;
	return true;
}

uint64_t object_hash(const char *id)
{
	return XXH3_64bits(id, strlen(id));
}

/* The tree. */

static int add_text(struct doc *doc, const char *key, const char *text)
{
	return doc_find(doc, key) ? 0 : doc_add(doc, key, doc_new_text(text));
}

static void rename_child(struct doc *doc, const char *from, const char *to)
{
	struct doc *child = (struct doc *)doc_find(doc, from);
	char *key;

	if (!child || doc_find(doc, to))
		return;
	key = strdup(to);
	if (!key)
		return;			/* then the schema misses it and says so */
	free(child->key);
	child->key = key;
}

/* Takes child @key out of @doc; NULL if there is none. */
static struct doc *take_child(struct doc *doc, const char *key)
{
	struct doc **link = &doc->first, *child, *before = NULL;

	for (; *link && strcmp((*link)->key, key); link = &(*link)->next)
		before = *link;
	child = *link;
	if (!child)
		return NULL;
	*link = child->next;
	if (doc->last == child)
		doc->last = before;
	child->next = NULL;
	doc->n--;
	return child;
}

/* The first of its gateways is the remote's host; the others serve as well. */
static int shape_route(struct object *o)
{
	const struct doc *gateways = doc_find(o->doc, "gateways");
	const struct doc *first = gateways ? gateways->first : NULL;

	return first && first->text ? add_text(o->doc, "host", first->text) : 0;
}

static int shape(struct object *o)
{
	switch (o->kind) {
	case OBJECT_HOST:
		doc_free(take_child(o->doc, "name"));	/* the agent knows its own */
		o->encapsulation = take_child(o->doc, "encapsulation");
		return 0;
	case OBJECT_NETWORK:
	case OBJECT_VPORT:
		return add_text(o->doc, "name", object_name(o));
	case OBJECT_PERMIT:
		rename_child(o->doc, "address", "prefix");
		return add_text(o->doc, "receive_only", "true");
	case OBJECT_DIRECT:
		rename_child(o->doc, "dst", "prefix");
		rename_child(o->doc, "src", "from");
		return 0;
	case OBJECT_ROUTE:
		return shape_route(o);
	case OBJECT_ENDPOINT:
	case OBJECT_OTHER:
		return 0;
	}
	return 0;
}

/* Endpoints. */

static const char *text_of(const cJSON *json, const char *field)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, field);

	return cJSON_IsString(v) ? v->valuestring : NULL;
}

const char *object_network(const struct object *o, char buf[OBJECT_ID_MAX + 1])
{
	const char *name = object_name(o), *slash = strchr(name, '/');

	snprintf(buf, OBJECT_ID_MAX + 1, "%.*s", slash ? (int)(slash - name) : 0, name);
	return buf;
}

/* Its network is part of its id, and not kept a second time. */
static int read_endpoint(struct object *o, const cJSON *spec, struct error *e)
{
	const char *network = text_of(spec, "network"), *addr = text_of(spec, "address");
	const char *host = text_of(spec, "host"), *mac = text_of(spec, "mac");
	char named[OBJECT_ID_MAX + 1];
	struct object_endpoint *ep = calloc(1, sizeof(*ep));

	o->endpoint = ep;
	if (!ep)
		return error_set(e, -ENOMEM, "%s: no memory", o->id);
	if (!network || strcmp(network, object_network(o, named)))
		return error_set(e, -EBADMSG, "%s: network is not that of the id", o->id);
	if (!addr || ip_addr_parse(addr, &ep->addr))
		return error_set(e, -EBADMSG, "%s: address is none", o->id);
	if (!host || ip_addr_parse(host, &ep->host))
		return error_set(e, -EBADMSG, "%s: host is not an address", o->id);
	if (!mac || mac_parse(mac, ep->mac))
		return error_set(e, -EBADMSG, "%s: mac is none", o->id);
	return 0;
}

static char *endpoint_spec(const struct object *o)
{
	char network[OBJECT_ID_MAX + 1], addr[IP_ADDR_STRLEN], host[IP_ADDR_STRLEN];
	char mac[MAC_STRLEN], *text;

	ip_addr_format(&o->endpoint->addr, addr, sizeof(addr));
	ip_addr_format(&o->endpoint->host, host, sizeof(host));
	mac_format(o->endpoint->mac, mac, sizeof(mac));
	if (asprintf(&text, "{\"network\":\"%s\",\"address\":\"%s\",\"mac\":\"%s\",\"host\":\"%s\"}",
		     object_network(o, network), addr, mac, host) < 0)
		return NULL;
	return text;
}

char *object_spec(const struct object *o)
{
	return o->endpoint ? endpoint_spec(o) : strdup(o->spec);
}

static int fill(struct object *o, const cJSON *spec, struct error *e)
{
	int err = 0;

	if (o->kind == OBJECT_ENDPOINT)
		return read_endpoint(o, spec, e);
	o->spec = cJSON_PrintUnformatted(spec);
	if (!o->spec)
		err = -ENOMEM;
	if (!err && o->kind < OBJECT_ENDPOINT)
		err = doc_from_json(spec, &o->doc);
	if (!err && o->doc)
		err = shape(o);
	if (err == -EBADMSG)
		return error_set(e, err, "%s: a field is given twice", o->id);
	if (err == -EFBIG)
		return error_set(e, -EBADMSG, "%s: nested too deeply", o->id);
	return err ? error_set(e, err, "%s: no memory", o->id) : 0;
}

int object_new(const cJSON *json, struct object **ret, struct error *e)
{
	const cJSON *spec = cJSON_GetObjectItemCaseSensitive(json, "spec");
	const char *id = text_of(json, "id"), *v = text_of(json, "v");
	struct digest digest;
	struct object *o;
	int err;

	if (!id || !object_id_valid(id))
		return error_set(e, -EBADMSG, "an object has no proper id");
	if (!v || digest_parse(v, &digest))
		return error_set(e, -EBADMSG, "%s: v is not 32 hex digits", id);
	if (!cJSON_IsObject(spec))
		return error_set(e, -EBADMSG, "%s: spec is not an object", id);
	o = calloc(1, sizeof(*o) + strlen(id) + 1);
	if (!o)
		return error_set(e, -ENOMEM, "%s: no memory", id);
	o->refs = 1;
	strcpy(o->id, id);
	o->v = digest;
	o->kind = object_kind_of(id);
	o->hash = object_hash(id);
	err = fill(o, spec, e);
	if (err)
		object_put(o);
	else
		*ret = o;
	return err;
}

struct object *object_get(struct object *o)
{
	o->refs++;
	return o;
}

void object_put(struct object *o)
{
	if (!o || --o->refs)
		return;
	free(o->spec);
	free(o->endpoint);
	doc_free(o->doc);
	doc_free(o->encapsulation);
	free(o);
}
