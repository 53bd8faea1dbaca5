// SPDX-License-Identifier: BSD-2-Clause
/*
 * problems.c - everything that is wrong with a transaction, not only the first thing
 */
#include <ctl/controller/problems.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void problems_init(struct problems *p)
{
	*p = (struct problems){ .at.document = -1 };
}

void problems_done(struct problems *p)
{
	for (unsigned int i = 0; i < p->n_kept; i++)
		free(p->kept[i].text);
	free(p->kept);
	problems_init(p);
}

void problems_document(struct problems *p, int document, int line)
{
	p->at.document = document;
	p->at.line = line;
	p->at.object[0] = '\0';
	problems_leave(p, 0);
}

void problems_object(struct problems *p, const char *title)
{
	snprintf(p->at.object, sizeof(p->at.object), "%s", title);
	problems_leave(p, 0);
}

static void append(struct problems *p, const char *text, size_t len)
{
	size_t room = sizeof(p->at.field) - 1 - p->field_len;

	len = len < room ? len : room;
	memcpy(p->at.field + p->field_len, text, len);
	p->field_len += len;
	p->at.field[p->field_len] = '\0';
}

/* Every field of every object is entered, wrong or not: no printf here. */
size_t problems_enter(struct problems *p, const char *field)
{
	size_t old = p->field_len;

	if (old && *field)
		append(p, ".", 1);
	append(p, field, strlen(field));
	return old;
}

size_t problems_enter_nth(struct problems *p, const char *list, unsigned int n)
{
	size_t old = p->field_len;
	char digits[16], *at = &digits[sizeof(digits)];

	*--at = ']';
	do
		*--at = '0' + n % 10;
	while (n /= 10);
	*--at = '[';
	if (*list)
		problems_enter(p, list);
	append(p, at, &digits[sizeof(digits)] - at);
	return old;
}

void problems_leave(struct problems *p, size_t field_len)
{
	p->field_len = field_len;
	p->at.field[field_len] = '\0';
}

static struct problem *new_problem(struct problems *p)
{
	struct problem *kept;

	p->n++;
	if (p->n_kept == PROBLEMS_KEPT)
		return NULL;
	kept = reallocarray(p->kept, p->n_kept + 1, sizeof(*kept));
	if (!kept) {
		p->no_memory = true;
		return NULL;
	}
	p->kept = kept;
	return &kept[p->n_kept];
}

void problems_add(struct problems *p, int line, const char *fmt, ...)
{
	struct problem *problem = new_problem(p);
	va_list args;
	char *text;
	int n;

	if (!problem)
		return;				/* counted all the same */
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0) {
		p->no_memory = true;
		return;
	}
	*problem = p->at;
	problem->text = text;
	if (line)
		problem->line = line;
	p->n_kept++;
}

static cJSON *one_json(const struct problem *problem)
{
	cJSON *o = cJSON_CreateObject();

	if (problem->document >= 0)
		cJSON_AddNumberToObject(o, "document", problem->document);
	if (problem->line)
		cJSON_AddNumberToObject(o, "line", problem->line);
	if (problem->object[0])
		cJSON_AddStringToObject(o, "object", problem->object);
	if (problem->field[0])
		cJSON_AddStringToObject(o, "field", problem->field);
	cJSON_AddStringToObject(o, "problem", problem->text);
	return o;
}

cJSON *problems_json(const struct problems *p)
{
	cJSON *list = cJSON_CreateArray();

	for (unsigned int i = 0; i < p->n_kept; i++)
		cJSON_AddItemToArray(list, one_json(&p->kept[i]));
	return list;
}

const char *problems_first(const struct problems *p, char *buf, size_t len)
{
	const struct problem *first = p->kept;

	if (p->n_kept)
		snprintf(buf, len, "%s%s%s%s%s", first->object, first->object[0] ? ": " : "",
			 first->field, first->field[0] ? ": " : "", first->text);
	else
		snprintf(buf, len, "%s", p->no_memory ? "no memory" : "");
	return buf;
}
