/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.c - numbers of the packet world as the words people use for them
 */
#include <lib/names.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mirach/wire.h>

struct word {
	unsigned int number;
	const char *name;
};

static const struct word protos[] = {
	{ PROTO_ICMP, "icmp" }, { PROTO_TCP, "tcp" },	    { PROTO_UDP, "udp" },
	{ PROTO_GRE, "gre" },	{ PROTO_ICMPV6, "icmpv6" }, { PROTO_SCTP, "sctp" },
	{ 0, NULL },
};

static const struct word verdicts[] = {
	{ ACTION_NONE, "none" },
	{ ACTION_FORWARD, "forward" },
	{ ACTION_DROP, "drop" },
	{ ACTION_GATEWAY, "gateway" },
	{ ACTION_ENDPOINT, "endpoint" },
	{ 0, NULL },
};

static const struct word tunnels[] = {
	{ TUNNEL_VXLAN, "vxlan" },
	{ TUNNEL_GENEVE, "geneve" },
	{ TUNNEL_GRE, "gre" },
	{ 0, NULL },
};

static const struct word port_kinds[] = {
	{ PORT_FREE, "free" },
	{ PORT_VPORT, "vport" },
	{ PORT_UPLINK, "uplink" },
	{ PORT_HUB, "hub" },
	{ PORT_HUB_FAR, "hub_far" },
	{ 0, NULL },
};

static const struct {
	const char *name, *text;
} reasons[REASON_MAX] = {
#define REASON(number, NAME, name, text) [number] = { name, text },
#include <mirach/reasons.def>
#undef REASON
};

const struct stage_name stage_names[] = {
	{ STAGE_TTL, "ttl" },
	{ STAGE_MSS, "mss" },
	{ STAGE_VLAN_POP, "vlan_pop" },
	{ STAGE_VLAN_PUSH, "vlan_push" },
	{ STAGE_SAMPLE, "sample" },
	{ 0, NULL },
};

static const char *name_of(const struct word *words, unsigned int number)
{
	for (; words->name; words++)
		if (words->number == number)
			return words->name;
	return NULL;
}

static const struct word *word_of(const struct word *words, const char *name)
{
	for (; words->name; words++)
		if (!strcmp(words->name, name))
			return words;
	return NULL;
}

const char *proto_format(uint8_t proto, char buf[PROTO_STRLEN])
{
	const char *name = name_of(protos, proto);

	if (name)
		snprintf(buf, PROTO_STRLEN, "%s", name);
	else
		snprintf(buf, PROTO_STRLEN, "%u", proto);
	return buf;
}

int proto_parse(const char *text, uint8_t *ret)
{
	const struct word *word = word_of(protos, text);
	char *end;
	unsigned long number;

	if (word) {
		*ret = word->number;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || *end || number > 255)
		return -EINVAL;
	*ret = number;
	return 0;
}

const char *reason_name(unsigned int reason)
{
	return reason < REASON_MAX && reasons[reason].name ? reasons[reason].name : "unknown";
}

const char *reason_text(unsigned int reason)
{
	return reason < REASON_MAX && reasons[reason].text ? reasons[reason].text : "";
}

int reason_parse(const char *name, enum drop_reason *ret)
{
	for (unsigned int i = 0; i < REASON_MAX; i++) {
		if (reasons[i].name && !strcmp(reasons[i].name, name)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *verdict_name(unsigned int verdict)
{
	return name_of(verdicts, verdict) ?: "unknown";
}

const char *tunnel_name(unsigned int tunnel)
{
	return name_of(tunnels, tunnel) ?: "unknown";
}

int tunnel_parse(const char *name, enum tunnel_kind *ret)
{
	const struct word *word = word_of(tunnels, name);

	if (!word)
		return -EINVAL;
	*ret = word->number;
	return 0;
}

const char *port_kind_name(unsigned int kind)
{
	return name_of(port_kinds, kind) ?: "unknown";
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int hex_parse(const char *text, uint8_t *ret, size_t max)
{
	size_t n = 0;

	while (*text) {
		int high, low;

		if (isspace((unsigned char)*text) || *text == ':') {
			text++;
			continue;
		}
		high = hex_digit(text[0]);
		low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		if (n == max)
			return -E2BIG;
		ret[n++] = high << 4 | low;
		text += 2;
	}
	return n;
}

const char *hex_format(const void *data, size_t n, char sep, char *buf, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *bytes = data;
	size_t pos = 0;

	for (size_t i = 0; i < n && pos + 3 < len; i++) {
		if (sep && i)
			buf[pos++] = sep;
		buf[pos++] = digits[bytes[i] >> 4];
		buf[pos++] = digits[bytes[i] & 15];
	}
	if (len)
		buf[pos] = 0;
	return buf;
}
