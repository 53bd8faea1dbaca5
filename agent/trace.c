/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.c - trace: steps and outcomes in words
 */
#include <agent/trace.h>

#include <stdarg.h>
#include <stdio.h>

#include <lib/names.h>

void trace_step(struct trace *t, const char *what, const char *fmt, ...)
{
	cJSON *o = cJSON_CreateObject();
	char found[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	cJSON_AddStringToObject(o, "what", what);
	cJSON_AddStringToObject(o, "found", found);
	cJSON_AddItemToArray(t->steps, o);
}

static void set_text(cJSON *o, const char *field, const char *text)
{
	cJSON_DeleteItemFromObjectCaseSensitive(o, field);
	cJSON_AddStringToObject(o, field, text);
}

enum fate trace_end(struct trace *t, const char *verdict, const char *fmt, ...)
{
	char outcome[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(outcome, sizeof(outcome), fmt, ap);
	va_end(ap);
	set_text(t->result, "verdict", verdict);
	set_text(t->result, "outcome", outcome);
	return FATE_KNOWN;
}

enum fate trace_drop(struct trace *t, unsigned int reason)
{
	set_text(t->result, "reason", reason_name(reason));
	set_text(t->result, "reason_text", reason_text(reason));
	return trace_end(t, "drop", "dropped as %s", reason_name(reason));
}
