// SPDX-License-Identifier: BSD-2-Clause
/*
 * msg.c - frames on a stream, and the fields of messages
 *
 * A length that is refused, or bytes that are no JSON, lose the stream for good:
 * nothing says where the next frame would begin. See msg_host.c for the messages.
 */
#include <lib/msg.h>
#include <lib/msg_internal.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>

#include <lib/frame.h>

#define HEADER_LEN 4

static const char *const names[] = {
	[MSG_OTHER] = "other",	   [MSG_HELLO] = "hello",	[MSG_WELCOME] = "welcome",
	[MSG_QUERY] = "query",	   [MSG_BUCKETS] = "buckets",	[MSG_OBJECTS] = "objects",
	[MSG_UPDATE] = "update",   [MSG_ACK] = "ack",		[MSG_REPORT] = "report",
	[MSG_BIND] = "bind",	   [MSG_BOUND] = "bound",	[MSG_USAGE] = "usage",
	[MSG_PING] = "ping",	   [MSG_PONG] = "pong",		[MSG_ERROR] = "error",
};

const char *msg_kind_name(enum msg_kind kind)
{
	return names[kind];
}

enum msg_kind msg_kind(const cJSON *msg)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(msg, "msg"));

	for (enum msg_kind k = MSG_HELLO; name && k <= MSG_ERROR; k++)
		if (!strcmp(names[k], name))
			return k;
	return MSG_OTHER;
}

/* The stream. */

static int parse(struct evbuffer *in, size_t len, cJSON **ret, struct error *e)
{
	const unsigned char *text = evbuffer_pullup(in, len);
	cJSON *msg;
	int err = text ? frame_parse(text, len, &msg, e) : error_set(e, -ENOMEM, "no memory");

	if (err)
		return err;
	if (!cJSON_IsObject(msg) ||
	    !cJSON_IsString(cJSON_GetObjectItemCaseSensitive(msg, "msg"))) {
		cJSON_Delete(msg);
		return error_set(e, -EBADMSG, "a message must be an object with \"msg\"");
	}
	evbuffer_drain(in, len);
	*ret = msg;
	return 0;
}

int msg_take(struct evbuffer *in, cJSON **ret, struct error *e)
{
	unsigned char h[HEADER_LEN];
	uint32_t len;
	int err;

	if (evbuffer_copyout(in, h, sizeof(h)) < (ssize_t)sizeof(h))
		return 0;
	len = (uint32_t)h[0] << 24 | h[1] << 16 | h[2] << 8 | h[3];
	if (!len)
		return error_set(e, -EBADMSG, "frame of no bytes");
	if (len > MSG_FRAME_MAX)
		return error_set(e, -EBADMSG, "frame of %u bytes, the most is %u", len,
				 MSG_FRAME_MAX);
	if (evbuffer_get_length(in) < HEADER_LEN + (size_t)len)
		return 0;
	evbuffer_drain(in, HEADER_LEN);
	err = parse(in, len, ret, e);
	return err ? err : 1;
}

int msg_put_text(struct evbuffer *out, const char *text, size_t len)
{
	unsigned char h[HEADER_LEN] = { len >> 24, len >> 16, len >> 8, len };

	if (!len || len > MSG_FRAME_MAX)
		return -EMSGSIZE;
	if (evbuffer_expand(out, HEADER_LEN + len) || evbuffer_add(out, h, sizeof(h)) ||
	    evbuffer_add(out, text, len))
		return -ENOMEM;
	return 0;
}

int msg_put(struct evbuffer *out, const cJSON *msg)
{
	char *text = cJSON_PrintUnformatted(msg);
	int err = text ? msg_put_text(out, text, strlen(text)) : -ENOMEM;

	free(text);
	return err;
}

int msg_send(struct evbuffer *out, cJSON *msg)
{
	int err = msg ? msg_put(out, msg) : -ENOMEM;

	cJSON_Delete(msg);
	return err;
}

/* Fields. */

static const cJSON *get(const cJSON *o, const char *name)
{
	const cJSON *value = cJSON_GetObjectItemCaseSensitive(o, name);

	return cJSON_IsNull(value) ? NULL : value;
}

static int check_text(const cJSON *value, const char *name, size_t max, struct error *e)
{
	const char *text = cJSON_GetStringValue(value);

	if (!text)
		return error_set(e, -EBADMSG, "%s: a text is missing", name);
	if (strlen(text) > max)
		return error_set(e, -EBADMSG, "%s: longer than %zu bytes", name, max);
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return error_set(e, -EBADMSG, "%s: control characters", name);
	return 0;
}

int field_text(const cJSON *o, const char *name, size_t max, const char **ret, struct error *e)
{
	const cJSON *value = get(o, name);
	int err = check_text(value, name, max, e);

	if (!err && !*value->valuestring)
		err = error_set(e, -EBADMSG, "%s: empty", name);
	if (!err)
		*ret = value->valuestring;
	return err;
}

int field_text_if(const cJSON *o, const char *name, size_t max, const char **ret, struct error *e)
{
	const cJSON *value = get(o, name);
	int err = value ? check_text(value, name, max, e) : 0;

	if (!err && value)
		*ret = value->valuestring;
	return err;
}

int field_number(const cJSON *o, const char *name, uint64_t max, uint64_t *ret, struct error *e)
{
	const cJSON *value = get(o, name);

	if (!cJSON_IsNumber(value))
		return error_set(e, -EBADMSG, "%s: a number is missing", name);
	if (!(value->valuedouble >= 0) || value->valuedouble > (double)max ||
	    value->valuedouble != floor(value->valuedouble))
		return error_set(e, -EBADMSG, "%s: not a whole number from 0 to %llu", name,
				 (unsigned long long)max);
	*ret = (uint64_t)value->valuedouble;
	return 0;
}

int value_digest(const cJSON *value, const char *name, struct digest *ret, struct error *e)
{
	const char *text = cJSON_GetStringValue(value);

	if (!text || strlen(text) != DIGEST_STRLEN - 1 || digest_parse(text, ret))
		return error_set(e, -EBADMSG, "%s: not 32 hex digits", name);
	return 0;
}

int field_digest(const cJSON *o, const char *name, struct digest *ret, struct error *e)
{
	return value_digest(get(o, name), name, ret, e);
}

int field_list(const cJSON *o, const char *name, unsigned int max, const cJSON **ret,
	       struct error *e)
{
	const cJSON *value = get(o, name), *item;
	unsigned int n = 0;

	*ret = NULL;
	if (!value)
		return 0;
	if (!cJSON_IsArray(value))
		return error_set(e, -EBADMSG, "%s: not a list", name);
	cJSON_ArrayForEach(item, value)
		if (++n > max)
			return error_set(e, -EBADMSG, "%s: more than %u", name, max);
	*ret = value;
	return 0;
}

int value_id(const cJSON *value, const char *name, struct error *e)
{
	int err = check_text(value, name, MSG_ID_MAX, e);
	const char *slash = err ? NULL : strchr(value->valuestring, '/');

	if (!err && (!slash || slash == value->valuestring || !slash[1]))
		err = error_set(e, -EBADMSG, "%s: not an object's id", name);
	return err;
}

/* Building. */

cJSON *message_new(enum msg_kind kind)
{
	cJSON *o = cJSON_CreateObject();

	message_text(&o, "msg", names[kind]);
	return o;
}

static void keep_if(cJSON **o, bool added)
{
	if (added)
		return;
	cJSON_Delete(*o);
	*o = NULL;
}

void message_text(cJSON **o, const char *name, const char *text)
{
	if (*o && text)
		keep_if(o, cJSON_AddStringToObject(*o, name, text));
}

void message_number(cJSON **o, const char *name, uint64_t n)
{
	if (*o)
		keep_if(o, cJSON_AddNumberToObject(*o, name, n));
}

void message_digest(cJSON **o, const char *name, const struct digest *d)
{
	char buf[DIGEST_STRLEN];

	message_text(o, name, digest_format(d, buf));
}

void message_item(cJSON **o, const char *name, cJSON *item)
{
	if (*o && item && cJSON_AddItemToObject(*o, name, item))
		return;
	cJSON_Delete(item);
	keep_if(o, false);
}
