// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_values.c - how single values are read, and what is said when they are wrong
 *
 * One function per kind of value; each takes the scalar as text, because only the
 * field knows what it should be: "02:00:5e:00:00:01" is a MAC address here and
 * would be a number in base 60 to YAML 1.1. Every refusal shows what was found and
 * what would be right.
 */
#include <agent/config_reader.h>

#include <stdlib.h>
#include <string.h>

/* Offers "found, wanted": the common form of a refusal. */
static void refuse(struct reader *r, const struct doc *d, const char *want)
{
	char shown[SHOWN_LEN];

	mistake(r, d->line, "%s, but %s is wanted", value_shown(d, shown), want);
}

static void store_text(struct reader *r, char **out, const char *text)
{
	*out = strdup(text);
	if (!*out)
		reader_no_memory(r);
}

/* Writes @value into an unsigned integer, or an enum, of @size bytes. */
static void store_uint(void *out, size_t size, uint32_t value)
{
	if (size == sizeof(uint8_t))
		*(uint8_t *)out = value;
	else if (size == sizeof(uint16_t))
		*(uint16_t *)out = value;
	else
		*(uint32_t *)out = value;
}

void read_bool(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "true or false");

	(void)f;
	if (!text)
		return;
	if (!d->quoted && !strcmp(text, "true"))
		*(bool *)out = true;
	else if (!d->quoted && !strcmp(text, "false"))
		*(bool *)out = false;
	else
		refuse(r, d, "true or false without quotes");
}

/*
 * Decimal digits at the start of @text, no sign, no needless zero (YAML 1.1 would
 * read 010 as eight). Returns what follows them; NULL if there is no such number.
 */
static const char *digits(const char *text, uint64_t *ret)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (p - text >= 18)
			return NULL;
		value = value * 10 + (*p - '0');
	}
	if (p == text || (text[0] == '0' && p - text > 1))
		return NULL;
	*ret = value;
	return p;
}

void read_uint(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a whole number");
	char shown[SHOWN_LEN];
	const char *rest;
	uint64_t value;

	if (!text)
		return;
	rest = digits(text, &value);
	if (!rest || *rest || d->quoted || value < f->min || value > f->max)
		mistake(r, d->line, "%s, but a whole number from %u to %u%s is wanted",
			value_shown(d, shown), f->min, f->max, d->quoted ? " without quotes" : "");
	else
		store_uint(out, f->size, value);
}

void read_choice(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a word");
	char words[96] = "", shown[SHOWN_LEN];

	if (!text)
		return;
	for (const struct choice *c = f->choices; c->name; c++) {
		if (!strcmp(c->name, text)) {
			store_uint(out, f->size, c->value);
			return;
		}
		if (c != f->choices)
			strncat(words, c[1].name ? ", " : " or ", sizeof(words) - strlen(words) - 1);
		strncat(words, c->name, sizeof(words) - strlen(words) - 1);
	}
	mistake(r, d->line, "%s, but %s is wanted", value_shown(d, shown), words);
}

/* Milliseconds of "500ms", "60s", "5m" or "1h"; 0 if it is none of them. */
static uint64_t duration_ms(const char *text)
{
	static const struct {
		const char *unit;
		uint32_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 3600 * 1000}};
	const char *rest;
	uint64_t value;

	rest = digits(text, &value);
	if (!rest || value > UINT32_MAX)
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (!strcmp(rest, units[i].unit))
			return value * units[i].ms;
	}
	return 0;
}

void read_duration(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a duration such as 60s");
	char shown[SHOWN_LEN];
	uint64_t ms;

	if (!text)
		return;
	ms = duration_ms(text);
	if (ms < f->min || ms > f->max)
		mistake(r, d->line,
			"%s, but a duration from %ums to %us is wanted, such as 60s, 500ms or 5m",
			value_shown(d, shown), f->min, f->max / 1000);
	else
		store_uint(out, f->size, ms);
}

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* [a-z0-9]([-a-z0-9_.]*[a-z0-9])? */
static bool is_name(const char *text)
{
	size_t len = strlen(text);

	if (!len || len > CONFIG_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_lower_alnum(text[i]) && !strchr("-_.", text[i]))
			return false;
	}
	return is_lower_alnum(text[0]) && is_lower_alnum(text[len - 1]);
}

void read_name(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a name");

	(void)f;
	if (!text)
		return;
	if (is_name(text))
		store_text(r, out, text);
	else
		refuse(r, d, "a name of 1 to 47 characters a-z, 0-9, '-', '_', '.', "
			     "first and last a letter or digit,");
}

/* A word: printable ASCII without blanks. */
static bool is_word(const char *text, size_t max)
{
	size_t len = strlen(text);

	if (!len || len > max)
		return false;
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

void read_word(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a word");
	char shown[SHOWN_LEN];

	if (!text)
		return;
	if (is_word(text, f->max))
		store_text(r, out, text);
	else
		mistake(r, d->line, "%s, but 1 to %u printable characters without blanks are wanted",
			value_shown(d, shown), f->max);
}

/* What the kernel takes for the name of an interface. */
static bool is_device(const char *text)
{
	return is_word(text, 15) && strcmp(text, ".") && strcmp(text, "..") &&
	       !strpbrk(text, "/:");
}

void read_device(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "the name of an interface");

	(void)f;
	if (!text)
		return;
	if (is_device(text))
		store_text(r, out, text);
	else
		refuse(r, d, "the name of an interface, 1 to 15 characters without '/', ':' "
			     "and blanks,");
}

static bool has_control(const char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	}
	return false;
}

static bool is_path(const char *text, size_t max)
{
	return text[0] == '/' && strlen(text) <= max && !has_control(text);
}

void read_path(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "an absolute path");
	char shown[SHOWN_LEN];

	if (!text)
		return;
	if (is_path(text, f->max))
		store_text(r, out, text);
	else
		mistake(r, d->line, "%s, but an absolute path of at most %u bytes is wanted",
			value_shown(d, shown), f->max);
}

/* A name under /run/netns, or a path such as /proc/123/ns/net. */
static bool is_netns(const char *text, size_t max)
{
	if (strchr(text, '/'))
		return is_path(text, max);
	return is_word(text, max) && strcmp(text, ".") && strcmp(text, "..");
}

void read_netns(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a network namespace");

	if (!text)
		return;
	if (is_netns(text, f->max))
		store_text(r, out, text);
	else
		refuse(r, d, "a name under /run/netns or an absolute path");
}

static bool is_unicast(const struct ip_addr *a)
{
	return !ip_addr_is_multicast(a) && !ip_addr_is_loopback(a) && !ip_addr_is_unspecified(a);
}

void read_addr(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "an address");
	struct ip_addr addr;

	(void)f;
	if (!text)
		return;
	if (ip_addr_parse(text, &addr))
		refuse(r, d, "an address such as 192.0.2.1 or 2001:db8::1");
	else if (!is_unicast(&addr))
		refuse(r, d, "a unicast address, not multicast, loopback or unspecified,");
	else
		*(struct ip_addr *)out = addr;
}

void read_prefix(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a prefix");
	struct ip_prefix prefix;

	(void)f;
	if (!text)
		return;
	if (ip_prefix_parse(text, &prefix))
		refuse(r, d, "a prefix such as 10.0.0.0/24 or fd00:1::/64, "
			     "bits after its length zero,");
	else if (ip_addr_is_multicast(&prefix.addr) || ip_addr_is_loopback(&prefix.addr))
		refuse(r, d, "a unicast prefix");
	else
		*(struct ip_prefix *)out = prefix;
}

void read_mac(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "a MAC address");
	uint8_t mac[ETH_ADDR_LEN];

	if (!text)
		return;
	if (mac_parse(text, mac))
		refuse(r, d, "a MAC address such as 02:00:00:00:01:01");
	else if (mac[0] & 1)
		refuse(r, d, "a unicast MAC address, the last bit of its first byte zero,");
	else if (mac_is_zero(mac))
		refuse(r, d, "a MAC address that is not zero");
	else
		memcpy(out, mac, f->size);
}
