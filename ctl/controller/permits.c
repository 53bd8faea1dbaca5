// SPDX-License-Identifier: BSD-2-Clause
/*
 * permits.c - what controllers say to each other about a pair whose hosts they share
 */
#include <ctl/controller/permits.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#define NUMBER_MAX (1ull << 53)		/* whole numbers in JSON */
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._"

static bool read_name(const cJSON *o, const char *field, char ret[MSG_NAME_MAX + 1])
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, field));

	if (!name || !*name || strlen(name) > MSG_NAME_MAX || name[strspn(name, NAME_CHARS)])
		return false;
	strcpy(ret, name);
	return true;
}

/* What is missing or makes no sense is 0. */
static uint64_t read_number(const cJSON *o, const char *field)
{
	double n = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(o, field));

	return n > 0 && n <= NUMBER_MAX ? n : 0;
}

int permit_read(const char *text, size_t len, struct permit_text *ret, struct error *e)
{
	cJSON *o = cJSON_ParseWithLength(text, len);
	const char *src = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "src"));
	struct permit_text p = {};
	int err = 0;

	if (!read_name(o, "host", p.host) || !read_name(o, "network", p.network) ||
	    !read_name(o, "from", p.from) || !src || ip_addr_parse(src, &p.src))
		err = error_set(e, -EBADMSG, "permit: host, network, src and from are wanted");
	p.term = read_number(o, "term");
	p.bps = read_number(o, "bps");
	cJSON_Delete(o);
	if (!err)
		*ret = p;
	return err;
}

const char *permit_format(const struct permit_text *p, char buf[PERMIT_TEXT_LEN])
{
	char src[IP_ADDR_STRLEN];

	snprintf(buf, PERMIT_TEXT_LEN,
		 "{\"host\":\"%s\",\"network\":\"%s\",\"src\":\"%s\",\"from\":\"%s\",\"term\":%lld,\"bps\":%llu}",
		 p->host, p->network, ip_addr_format(&p->src, src, sizeof(src)), p->from,
		 (long long)p->term, (unsigned long long)p->bps);
	return buf;
}
