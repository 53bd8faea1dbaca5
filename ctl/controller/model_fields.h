/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_fields.h - one type of field: how it is read, printed, copied and freed
 *
 * Private to ctl/controller/model*.c.
 */
#pragma once

#include <ctl/controller/model.h>

/* Reads @d into @out; what is wrong goes to @p and leaves @out as it was. */
void field_read(const struct field *f, const struct doc *d, struct problems *p, void *out);
/* The value as JSON, or NULL if it is not given or at its default. */
cJSON *field_json(const struct field *f, const void *value, enum model_view view);
void field_free(const struct field *f, void *value);
/* Back to as if it had not been given. */
void field_reset(const struct field *f, void *value);
bool field_given(const struct field *f, const void *value);

/* The same for all fields of a table; @base is the spec, section or element. */
void fields_init(const struct field *fields, void *base);
void fields_read(const struct field *fields, const struct doc *map, struct problems *p, void *base);
/* Every field of @map that is not in the table is a problem. */
void fields_unknown(const struct field *fields, const struct doc *map, struct problems *p);
cJSON *fields_json(const struct field *fields, const void *base, enum model_view view);
void fields_free(const struct field *fields, void *base);

/* Text of a scalar that is no number and no boolean; else a problem and NULL. */
const char *text_of(const struct doc *d, struct problems *p, const char *want);
