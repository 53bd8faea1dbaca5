/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * text.h - JSON text that grows, without a tree behind it
 *
 *	text_reset(&t);
 *	text_add(&t, "{\"mac\":");
 *	text_string(&t, mac);
 *
 * The caller writes the punctuation; strings are quoted and escaped here. A struct
 * text is used again and again, so that most texts cost no allocation. Running out
 * of memory is kept in `failed` and asked for once, at the end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *s;			/* s[len] is NUL once something was added */
	size_t len, cap;
	bool failed;
};

void text_done(struct text *t);
static inline void text_reset(struct text *t)
{
	t->len = 0;
	t->failed = false;
}

void text_bytes(struct text *t, const char *s, size_t len);
void text_add(struct text *t, const char *s);
void text_fmt(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_string(struct text *t, const char *s);	/* "quoted\n" */
