/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.c - reading an agent's answer without stumbling
 */
#include <ctl/cli/view.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RING 64
#define RING_LEN 1024

const char *view_fmt(const char *fmt, ...)
{
	static char ring[RING][RING_LEN];
	static unsigned int next;
	char *buf = ring[next++ % RING];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, RING_LEN, fmt, ap);
	va_end(ap);
	return buf;
}

const cJSON *view_item(const cJSON *o, const char *field)
{
	return cJSON_GetObjectItemCaseSensitive(o, field);
}

const char *view_text(const cJSON *o, const char *field)
{
	const cJSON *v = view_item(o, field);

	return cJSON_IsString(v) ? v->valuestring : "";
}

double view_number(const cJSON *o, const char *field)
{
	const cJSON *v = view_item(o, field);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

bool view_flag(const cJSON *o, const char *field)
{
	return cJSON_IsTrue(view_item(o, field));
}

const char *view_count(const cJSON *o, const char *field)
{
	const cJSON *v = view_item(o, field);

	return cJSON_IsNumber(v) ? view_fmt("%.0f", v->valuedouble) : NULL;
}

const char *view_join(const cJSON *o, const char *field)
{
	char text[RING_LEN] = "";
	size_t len = 0;
	const cJSON *v;

	cJSON_ArrayForEach(v, view_item(o, field)) {
		const char *one = cJSON_IsString(v) ? v->valuestring :
						      view_fmt("%.0f", v->valuedouble);
		int n = snprintf(text + len, sizeof(text) - len, "%s%s", len ? "," : "", one);

		if (n < 0 || len + n >= sizeof(text))
			break;
		len += n;
	}
	return len ? view_fmt("%s", text) : NULL;
}

const char *view_seconds(double s)
{
	if (s < 10)
		return view_fmt("%.1fs", s);
	if (s < 120)
		return view_fmt("%.0fs", s);
	if (s < 120 * 60)
		return view_fmt("%.0fm", s / 60);
	if (s < 48 * 3600)
		return view_fmt("%.0fh", s / 3600);
	return view_fmt("%.0fd", s / 86400);
}

const char *view_quantity(double n)
{
	static const char units[] = " kMGT";
	unsigned int unit = 0;

	for (; n >= 1000 && unit < sizeof(units) - 2; unit++)
		n /= 1000;
	return unit ? view_fmt("%.1f%c", n, units[unit]) : view_fmt("%.0f", n);
}

const char *view_bytes(double n)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	for (; n >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1; unit++)
		n /= 1024;
	return unit ? view_fmt("%.1f %s", n, units[unit]) : view_fmt("%.0f B", n);
}
