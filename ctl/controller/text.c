// SPDX-License-Identifier: BSD-2-Clause
/*
 * text.c - JSON text that grows, without a tree behind it
 */
#include <ctl/controller/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FMT_MAX 512			/* text_fmt(): longer ones go piecewise */

void text_done(struct text *t)
{
	free(t->s);
	*t = (struct text){};
}

static bool reserve(struct text *t, size_t len)
{
	size_t cap = t->cap ?: 256;
	char *s;

	if (t->len + len < t->cap)
		return true;
	while (cap <= t->len + len)
		cap *= 2;
	s = realloc(t->s, cap);
	if (!s) {
		t->failed = true;
		return false;
	}
	t->s = s;
	t->cap = cap;
	return true;
}

void text_bytes(struct text *t, const char *s, size_t len)
{
	if (t->failed || !reserve(t, len))
		return;
	memcpy(t->s + t->len, s, len);
	t->len += len;
	t->s[t->len] = '\0';
}

void text_add(struct text *t, const char *s)
{
	text_bytes(t, s, strlen(s));
}

void text_fmt(struct text *t, const char *fmt, ...)
{
	char buf[FMT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(buf))
		t->failed = true;
	else
		text_bytes(t, buf, n);
}

void text_string(struct text *t, const char *s)
{
	text_bytes(t, "\"", 1);
	for (; *s; s++) {
		size_t plain = 0;

		while ((unsigned char)s[plain] >= ' ' && s[plain] != '"' && s[plain] != '\\')
			plain++;
		text_bytes(t, s, plain);
		s += plain;
		if (!*s)
			break;
		text_fmt(t, "\\u%04x", (unsigned char)*s);
	}
	text_bytes(t, "\"", 1);
}
