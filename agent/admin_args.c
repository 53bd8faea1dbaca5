/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_args.c - what an admin operation takes, as a table, checked before it runs
 */
#include <agent/admin_args.h>

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <lib/names.h>

static bool whole(const cJSON *v, double min, double max)
{
	return cJSON_IsNumber(v) && v->valuedouble >= min && v->valuedouble <= max &&
	       floor(v->valuedouble) == v->valuedouble;
}

static const char *text_of(const cJSON *v)
{
	return cJSON_IsString(v) && *v->valuestring ? v->valuestring : NULL;
}

static bool is_proto(const cJSON *v)
{
	uint8_t proto;

	return whole(v, 0, 255) || (text_of(v) && !proto_parse(v->valuestring, &proto));
}

static bool is_vlans(const cJSON *v)
{
	const cJSON *vid;

	if (!cJSON_IsArray(v) || cJSON_GetArraySize(v) > 2)
		return false;
	cJSON_ArrayForEach(vid, v)
		if (!whole(vid, 1, 4094))
			return false;
	return true;
}

static bool is_hex(const cJSON *v)
{
	uint8_t bytes[ADMIN_HEX_MAX];

	return text_of(v) && hex_parse(v->valuestring, bytes, sizeof(bytes)) > 0;
}

static int check_value(const struct admin_arg *spec, const cJSON *v, struct error *e)
{
	const char *name = spec->name;
	struct ip_prefix prefix;
	struct ip_addr addr;

	switch (spec->kind) {
	case ARG_TEXT:
		if (text_of(v) && strlen(v->valuestring) <= ADMIN_TEXT_MAX)
			return 0;
		return error_set(e, -EINVAL, "%s: must be a short string", name);
	case ARG_HEX:
		if (is_hex(v))
			return 0;
		return error_set(e, -EINVAL, "%s: must be the hex digits of 1 to %d bytes", name,
				 ADMIN_HEX_MAX);
	case ARG_BOOL:
		if (cJSON_IsBool(v))
			return 0;
		return error_set(e, -EINVAL, "%s: must be true or false", name);
	case ARG_NUMBER:
		if (whole(v, spec->min, spec->max))
			return 0;
		return error_set(e, -EINVAL, "%s: must be a number from %u to %u", name, spec->min,
				 spec->max);
	case ARG_ADDR:
		if (text_of(v) && !ip_addr_parse(v->valuestring, &addr))
			return 0;
		return error_set(e, -EINVAL, "%s: must be an IPv4 or IPv6 address", name);
	case ARG_PREFIX:
		if (text_of(v) && !ip_prefix_parse(v->valuestring, &prefix))
			return 0;
		return error_set(e, -EINVAL, "%s: must be an address, or a prefix whose host bits "
				 "are zero", name);
	case ARG_PROTO:
		if (is_proto(v))
			return 0;
		return error_set(e, -EINVAL, "%s: must be tcp, udp, icmp, icmpv6, sctp, gre or a "
				 "number from 0 to 255", name);
	case ARG_VLANS:
		if (is_vlans(v))
			return 0;
		return error_set(e, -EINVAL, "%s: must be an array of up to two VIDs from 1 to 4094",
				 name);
	}
	return error_set(e, -EINVAL, "%s: cannot be checked", name);
}

static const struct admin_arg *find_spec(const struct admin_arg *spec, const char *name)
{
	for (; spec->name; spec++)
		if (!strcmp(spec->name, name))
			return spec;
	return NULL;
}

static const cJSON *find(const cJSON *args, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(args, name);
}

static int check_given(const struct admin_arg *spec, const cJSON *args, struct error *e)
{
	const cJSON *v;

	cJSON_ArrayForEach(v, args) {
		const struct admin_arg *s = find_spec(spec, v->string);
		int err;

		if (!s)
			return error_set(e, -EINVAL, "%.64s: there is no such argument", v->string);
		if (find(args, v->string) != v)
			return error_set(e, -EINVAL, "%s: given twice", s->name);
		err = check_value(s, v, e);
		if (err)
			return err;
	}
	return 0;
}

int admin_args_check(const struct admin_arg *spec, const cJSON *args, struct error *e)
{
	if (args) {
		int err;

		if (!cJSON_IsObject(args))
			return error_set(e, -EINVAL, "args: must be an object");
		err = check_given(spec, args, e);
		if (err)
			return err;
	}
	for (; spec->name; spec++)
		if (spec->needed && !find(args, spec->name))
			return error_set(e, -EINVAL, "%s: is needed", spec->name);
	return 0;
}

bool admin_arg_given(const cJSON *args, const char *name)
{
	return find(args, name) != NULL;
}

const char *admin_arg_text(const cJSON *args, const char *name)
{
	const cJSON *v = find(args, name);

	return v ? v->valuestring : NULL;
}

uint32_t admin_arg_number(const cJSON *args, const char *name, uint32_t fallback)
{
	const cJSON *v = find(args, name);

	return v ? (uint32_t)v->valuedouble : fallback;
}

bool admin_arg_bool(const cJSON *args, const char *name)
{
	return cJSON_IsTrue(find(args, name));
}

bool admin_arg_addr(const cJSON *args, const char *name, struct ip_addr *ret)
{
	const char *text = admin_arg_text(args, name);

	return text && !ip_addr_parse(text, ret);
}

bool admin_arg_prefix(const cJSON *args, const char *name, struct ip_prefix *ret)
{
	const char *text = admin_arg_text(args, name);

	return text && !ip_prefix_parse(text, ret);
}

bool admin_arg_proto(const cJSON *args, const char *name, uint8_t *ret)
{
	const cJSON *v = find(args, name);

	if (!v)
		return false;
	if (cJSON_IsString(v))
		return !proto_parse(v->valuestring, ret);
	*ret = v->valuedouble;
	return true;
}

unsigned int admin_arg_vlans(const cJSON *args, const char *name, uint16_t ret[2])
{
	const cJSON *vid;
	unsigned int n = 0;

	cJSON_ArrayForEach(vid, find(args, name))
		ret[n++] = vid->valuedouble;
	return n;
}
