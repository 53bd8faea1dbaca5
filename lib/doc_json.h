/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doc_json.h - trees made from JSON values and back, and put together by hand
 *
 * What a controller sends is JSON that has been parsed already. These make it a
 * tree as doc.h's reader would have, so that one schema reads files and messages.
 * Lines are whatever the caller numbers by: doc_set_line().
 */
#pragma once

#include <cjson/cJSON.h>

#include <lib/doc.h>

/* -ENOMEM; -EFBIG: deeper than DOC_DEPTH_MAX; -EBADMSG: a key twice. */
int doc_from_json(const cJSON *json, struct doc **ret);

/* NULL without memory. A list or map is empty at first. */
struct doc *doc_new(enum doc_kind kind);
struct doc *doc_new_text(const char *text);
/* Hangs @child under @parent, at the end; @key is copied, NULL in a list. On -ENOMEM @child is freed. */
int doc_add(struct doc *parent, const char *key, struct doc *child);

void doc_set_line(struct doc *doc, int line);	/* of the whole tree */

/*
 * YAML has no types of its own here: a scalar without quotes that reads as a number
 * or as true or false is one, everything else is text.
 */
enum doc_scalar { DOC_TEXT, DOC_NUMBER, DOC_BOOL };
enum doc_scalar doc_scalar_kind(const struct doc *scalar);
/* NULL: no memory. The caller deletes it. */
cJSON *doc_to_json(const struct doc *doc);
