/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * msg_internal.h - fields of a message, checked
 *
 * For msg.c and msg_host.c. All of them leave their output untouched on -EBADMSG
 * and name the field in @e.
 */
#pragma once

#include <lib/msg.h>

/* Objects have at most this many members that anybody knows; more is refused. */
int field_text(const cJSON *o, const char *name, size_t max, const char **ret, struct error *e);
/* Not there or null: @ret stays as it is. */
int field_text_if(const cJSON *o, const char *name, size_t max, const char **ret,
		  struct error *e);
int field_number(const cJSON *o, const char *name, uint64_t max, uint64_t *ret, struct error *e);
int field_digest(const cJSON *o, const char *name, struct digest *ret, struct error *e);
/* An array of at most @max; NULL if it is not there. */
int field_list(const cJSON *o, const char *name, unsigned int max, const cJSON **ret,
	       struct error *e);
int value_digest(const cJSON *value, const char *name, struct digest *ret, struct error *e);
int value_id(const cJSON *value, const char *name, struct error *e);

/* {"msg": kind}; the adders delete @o and make it NULL when memory ends. */
cJSON *message_new(enum msg_kind kind);
void message_text(cJSON **o, const char *name, const char *text);	/* NULL: left out */
void message_number(cJSON **o, const char *name, uint64_t n);
void message_digest(cJSON **o, const char *name, const struct digest *d);
void message_item(cJSON **o, const char *name, cJSON *item);		/* takes @item; NULL: no memory */
