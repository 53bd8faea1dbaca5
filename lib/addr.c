// SPDX-License-Identifier: BSD-2-Clause
/*
 * addr.c - addresses, prefixes and MACs as people write them
 *
 * Text comes in one spelling per meaning: an IPv4 address is written dotted, and
 * its IPv4-mapped IPv6 spelling is refused, so that "10.0.0.1" and "::ffff:10.0.0.1"
 * cannot be taken for two addresses by a reader and for one by the fast path.
 *
 * IPv4 lives inside ::ffff:0:0/96. A shorter prefix is an IPv6 prefix and covers
 * no IPv4 address, although its bits would: "::/0" is the default route of IPv6
 * alone, as it is everywhere else.
 */
#include <lib/addr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V4_PREFIX_LEN 96	/* bits of the mapped address that say "IPv4" */

int ip_addr_parse(const char *text, struct ip_addr *ret)
{
	struct ip_addr addr;
	__be32 v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		ip_addr_set_v4(ret, v4);
		return 0;
	}
	if (inet_pton(AF_INET6, text, &addr) != 1 || ip_addr_is_v4(&addr))
		return -EINVAL;
	*ret = addr;
	return 0;
}

/* A decimal number from 0 to @max, digits only, nothing after it. */
static int len_parse(const char *text, unsigned int max, unsigned int *ret)
{
	unsigned int value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (*text - '0');
		if (value > max)
			return -EINVAL;
	}
	*ret = value;
	return 0;
}

/* Clears the bits of @a after the first @len. */
struct ip_addr ip_addr_mask(struct ip_addr a, unsigned int len)
{
	uint8_t *bytes = (uint8_t *)&a;

	for (unsigned int i = 0; i < sizeof(a); i++) {
		unsigned int keep = len > i * 8 ? len - i * 8 : 0;

		if (keep < 8)
			bytes[i] &= (uint8_t)(0xff00 >> keep);
	}
	return a;
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret)
{
	char addr_text[IP_ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash ? (size_t)(slash - text) : strlen(text);
	unsigned int base, len = 128;
	struct ip_addr addr, masked;

	if (n >= sizeof(addr_text))
		return -EINVAL;
	memcpy(addr_text, text, n);
	addr_text[n] = '\0';
	if (ip_addr_parse(addr_text, &addr))
		return -EINVAL;
	base = ip_addr_is_v4(&addr) ? V4_PREFIX_LEN : 0;
	if (slash) {
		if (len_parse(slash + 1, 128 - base, &len))
			return -EINVAL;
		len += base;
	}
	masked = ip_addr_mask(addr, len);
	if (!ip_addr_equal(&masked, &addr))
		return -EINVAL;
	ret->addr = addr;
	ret->len = len;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Six bytes of two digits, apart by ':' or all by '-'. */
int mac_parse(const char *text, uint8_t ret[ETH_ADDR_LEN])
{
	uint8_t mac[ETH_ADDR_LEN];

	if (strlen(text) != MAC_STRLEN - 1 || (text[2] != ':' && text[2] != '-'))
		return -EINVAL;
	for (int i = 0; i < ETH_ADDR_LEN; i++) {
		const char *p = text + i * 3;
		int high = hex_digit(p[0]), low = hex_digit(p[1]);

		if (high < 0 || low < 0 || (i < ETH_ADDR_LEN - 1 && p[2] != text[2]))
			return -EINVAL;
		mac[i] = high << 4 | low;
	}
	memcpy(ret, mac, sizeof(mac));
	return 0;
}

/* A controller prints millions, and printf's ways are long. Returns the end. */
static char *put_byte(char *to, uint8_t n)
{
	if (n >= 100)
		*to++ = '0' + n / 100;
	if (n >= 10)
		*to++ = '0' + n / 10 % 10;
	*to++ = '0' + n % 10;
	return to;
}

static void format_v4(const uint8_t b[4], char *to)
{
	for (unsigned int i = 0; i < 4; i++) {
		to = put_byte(to, b[i]);
		*to++ = i < 3 ? '.' : '\0';
	}
}

/* As much of @text as fits, like snprintf(). */
static const char *fit(const char *text, char *buf, size_t len)
{
	size_t n = strnlen(text, len ? len - 1 : 0);

	if (!len)
		return buf;
	memcpy(buf, text, n);
	buf[n] = '\0';
	return buf;
}

const char *ip_addr_format(const struct ip_addr *a, char *buf, size_t len)
{
	char text[IP_ADDR_STRLEN];

	if (ip_addr_is_v4(a))
		format_v4((const uint8_t *)&a->w[3], text);
	else
		inet_ntop(AF_INET6, a, text, sizeof(text));
	return fit(text, buf, len);
}

const char *ip_prefix_format(const struct ip_prefix *p, char *buf, size_t len)
{
	char addr[IP_ADDR_STRLEN];
	unsigned int bits = p->len;

	if (ip_addr_is_v4(&p->addr) && bits >= V4_PREFIX_LEN)
		bits -= V4_PREFIX_LEN;
	snprintf(buf, len, "%s/%u", ip_addr_format(&p->addr, addr, sizeof(addr)), bits);
	return buf;
}

const char *mac_format(const uint8_t mac[ETH_ADDR_LEN], char *buf, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	char text[MAC_STRLEN];

	for (unsigned int i = 0; i < ETH_ADDR_LEN; i++) {
		text[3 * i] = hex[mac[i] >> 4];
		text[3 * i + 1] = hex[mac[i] & 15];
		text[3 * i + 2] = i < ETH_ADDR_LEN - 1 ? ':' : '\0';
	}
	return fit(text, buf, len);
}

bool ip_prefix_covers(const struct ip_prefix *p, const struct ip_addr *a)
{
	struct ip_addr masked;

	if (p->len < V4_PREFIX_LEN && ip_addr_is_v4(a))
		return false;
	masked = ip_addr_mask(*a, p->len);
	return ip_addr_equal(&masked, &p->addr);
}

/* First byte of the dotted form; only for IPv4. */
static uint8_t v4_first_byte(const struct ip_addr *a)
{
	return ((const uint8_t *)a)[12];
}

bool ip_addr_is_zero(const struct ip_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

bool ip_addr_is_multicast(const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return v4_first_byte(a) >> 4 == 0xe || a->w[3] == (__be32)0xffffffffu;
	return ((const uint8_t *)a)[0] == 0xff;
}

bool ip_addr_is_loopback(const struct ip_addr *a)
{
	const uint8_t *bytes = (const uint8_t *)a;

	if (ip_addr_is_v4(a))
		return v4_first_byte(a) == 127;
	return !(a->w[0] | a->w[1] | a->w[2]) && !bytes[12] && !bytes[13] && !bytes[14] &&
	       bytes[15] == 1;
}

bool ip_addr_is_unspecified(const struct ip_addr *a)
{
	return ip_addr_is_zero(a) || (ip_addr_is_v4(a) && !v4_first_byte(a));
}

bool mac_is_zero(const uint8_t mac[ETH_ADDR_LEN])
{
	static const uint8_t zero[ETH_ADDR_LEN];

	return !memcmp(mac, zero, sizeof(zero));
}
