/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * checkpoint.c - the text of a checkpoint: made, and taken apart
 *
 * See also: checkpoint_file.c (files and the thread that writes them).
 */
#include <agent/checkpoint.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#define DIGEST_LEN 32

static void format_digest(XXH128_hash_t h, char ret[DIGEST_LEN + 1])
{
	snprintf(ret, DIGEST_LEN + 1, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64,
		 (uint64_t)h.low64);
}

/* Making. */

static char *room(struct checkpoint_text *t, size_t n)
{
	size_t cap = t->cap ? t->cap : 4096;
	char *buf;

	while (cap < t->len + n)
		cap *= 2;
	if (cap == t->cap)
		return t->buf + t->len;
	buf = realloc(t->buf, cap);
	if (!buf) {
		t->failed = true;
		return NULL;
	}
	t->buf = buf;
	t->cap = cap;
	return buf + t->len;
}

static void __attribute__((format(printf, 2, 3)))
line(struct checkpoint_text *t, const char *fmt, ...)
{
	va_list ap, again;
	char *to;
	int n;

	if (t->failed)
		return;
	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	to = room(t, n + 1);
	if (to) {
		vsnprintf(to, n + 1, fmt, again);
		t->len += n;
		t->lines++;
	}
	va_end(again);
	va_end(ap);
}

void checkpoint_begin(struct checkpoint_text *t, const char *host, uint64_t revision)
{
	*t = (struct checkpoint_text){ .hash = XXH3_createState() };
	t->failed = !t->hash || XXH3_128bits_reset(t->hash) != XXH_OK;
	line(t, "{\"mirach\":\"checkpoint\",\"version\":%d,\"host\":\"%s\",\"revision\":%" PRIu64 "}\n",
	     CHECKPOINT_VERSION, host, revision);
}

void checkpoint_object(struct checkpoint_text *t, const char *id, const char *v, const char *spec)
{
	line(t, "{\"object\":{\"id\":\"%s\",\"v\":\"%s\",\"spec\":%s}}\n", id, v, spec);
}

void checkpoint_binding(struct checkpoint_text *t, const cJSON *binding)
{
	char *text = cJSON_PrintUnformatted(binding);

	if (text)
		line(t, "{\"binding\":%s}\n", text);
	else
		t->failed = true;
	free(text);
}

void checkpoint_taken(struct checkpoint_text *t)
{
	if (!t->failed)
		XXH3_128bits_update(t->hash, t->buf, t->len);
	t->len = 0;
}

int checkpoint_end(struct checkpoint_text *t)
{
	char hex[DIGEST_LEN + 1];

	if (!t->failed) {
		XXH3_128bits_update(t->hash, t->buf, t->len);
		format_digest(XXH3_128bits_digest(t->hash), hex);
		line(t, "{\"lines\":%" PRIu64 ",\"xxh3\":\"%s\"}\n", t->lines, hex);
	}
	return t->failed ? -ENOMEM : 0;
}

void checkpoint_text_done(struct checkpoint_text *t)
{
	free(t->buf);
	XXH3_freeState(t->hash);
	*t = (struct checkpoint_text){};
}

/* Reading. */

struct parse {
	const char *name;
	const char *text, *end;		/* what is left, without the last line */
	const struct checkpoint_reader *reader;
};

static const char *text_of(const cJSON *json, const char *field)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, field);

	return cJSON_IsString(v) ? v->valuestring : "";
}

static double number_of(const cJSON *json, const char *field)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(json, field);

	return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble < 0x1p53 ?
	       v->valuedouble : -1;
}

/* The next line as JSON, or NULL. Deep nesting is refused by cJSON. */
static cJSON *next_line(struct parse *p)
{
	const char *eol = memchr(p->text, '\n', p->end - p->text);
	cJSON *json;

	if (!eol)
		return NULL;
	json = cJSON_ParseWithLength(p->text, eol - p->text);
	p->text = eol + 1;
	return json;
}

static int read_head(struct parse *p, const char *host, uint64_t *ret_revision, struct error *e)
{
	cJSON *head = next_line(p);
	double version = number_of(head, "version"), revision = number_of(head, "revision");
	int err = 0;

	if (strcmp(text_of(head, "mirach"), "checkpoint") || version < 1 || revision < 0)
		err = error_set(e, -EBADMSG, "%s: is no checkpoint of Mirach", p->name);
	else if (version > CHECKPOINT_VERSION)
		err = error_set(e, -ENOTSUP, "%s: has version %.0f, written by a later mirachd; this "
				"one reads up to %d", p->name, version, CHECKPOINT_VERSION);
	else if (strcmp(text_of(head, "host"), host))
		err = error_set(e, -EXDEV, "%s: is of host %.64s, and this is %s", p->name,
				text_of(head, "host"), host);
	else
		*ret_revision = revision;
	cJSON_Delete(head);
	return err;
}

static uint64_t count_lines(const char *text, const char *end)
{
	uint64_t n = 0;

	while (text < end && (text = memchr(text, '\n', end - text))) {
		text++;
		n++;
	}
	return n;
}

/* Finds the last line, sets p->end before it, and compares. */
static int check_digest(struct parse *p, const char *begin, struct error *e)
{
	const char *all_end = p->end, *last;
	char hex[DIGEST_LEN + 1];
	cJSON *tail;
	int err = 0;

	if (p->end == begin || p->end[-1] != '\n')
		return error_set(e, -EBADMSG, "%s: is cut short", p->name);
	last = memrchr(begin, '\n', p->end - begin - 1);
	last = last ? last + 1 : begin;
	tail = cJSON_ParseWithLength(last, all_end - last - 1);
	p->end = last;
	format_digest(XXH3_128bits(begin, last - begin), hex);
	if (!*text_of(tail, "xxh3"))
		err = error_set(e, -EBADMSG, "%s: is cut short", p->name);
	else if (strcmp(text_of(tail, "xxh3"), hex) ||
		 number_of(tail, "lines") != (double)count_lines(begin, last))
		err = error_set(e, -EBADMSG, "%s: is damaged: its checksum is not that of its lines",
				p->name);
	cJSON_Delete(tail);
	return err;
}

static int read_line(struct parse *p, const cJSON *json, struct error *e)
{
	const cJSON *object = cJSON_GetObjectItemCaseSensitive(json, "object");
	const cJSON *binding = cJSON_GetObjectItemCaseSensitive(json, "binding");

	if (object)
		return p->reader->object(object, p->reader->arg, e);
	if (binding)
		return p->reader->binding(binding, p->reader->arg, e);
	return error_set(e, -EBADMSG, "%s: has a line that is neither object nor binding", p->name);
}

/* The version first: a later one may be checked in another way. */
int checkpoint_parse(const char *name, const char *text, size_t len, const char *host,
		     const struct checkpoint_reader *r, uint64_t *ret_revision, struct error *e)
{
	struct parse p = { .name = name, .text = text, .end = text + len, .reader = r };
	int err = read_head(&p, host, ret_revision, e);

	if (!err)
		err = check_digest(&p, text, e);
	while (!err && p.text < p.end) {
		cJSON *json = next_line(&p);

		err = read_line(&p, json, e);
		cJSON_Delete(json);
	}
	return err;
}
