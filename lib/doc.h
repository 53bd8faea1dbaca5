/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doc.h - a YAML or JSON file as a tree that remembers its lines
 *
 *	host: {name: a}			map
 *	vports: [x, 10]			  ├─ "host"   map ── "name" scalar a      line 1
 *					  └─ "vports" list ─┬─ scalar x           line 2
 *					                    └─ scalar 10          line 2
 *
 * The tree holds text only; what a scalar means is for the reader to say. What
 * YAML allows and a configuration does not need is refused with its line:
 * anchors, aliases, tags, several documents, keys that are no scalars, a key
 * given twice, invalid UTF-8, NUL characters. Depth, size and number of values
 * are bounded, so no file can exhaust the agent. JSON is YAML and needs nothing.
 *
 * A tree is immutable once parsed. See also: agent/config_reader.h.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <lib/error.h>

#define DOC_SIZE_MAX (16u << 20)	/* bytes of text */
#define DOC_DEPTH_MAX 32		/* lists and maps inside each other */
#define DOC_NODES_MAX (1u << 20)	/* scalars, lists and maps together */

enum doc_kind {
	DOC_NULL,			/* "key:" with nothing behind it, ~, null */
	DOC_SCALAR,
	DOC_LIST,
	DOC_MAP,
};

struct doc {
	enum doc_kind kind;
	bool quoted;			/* scalar: written in quotes or as a block */
	int line;			/* of the key, or of the value where there is no key */
	unsigned int n;			/* list, map: number of children */
	char *key;			/* name in the map it belongs to; NULL elsewhere */
	char *text;			/* scalar: its text; null: as written */
	struct doc *first, *last;	/* children, in the order of the file */
	struct doc *next;		/* sibling */
};

/*
 * Both return 0 and a tree to free, or -errno and "name:line: what is wrong".
 * -EBADMSG: not a document we take; -EFBIG: too large or too deep.
 */
int doc_load(const char *path, struct doc **ret, struct error *e);
int doc_parse(const char *name, const char *text, size_t len, struct doc **ret, struct error *e);
/*
 * The same for a text of many documents, apart by "---": calls @each with one after
 * the other, of which each may have DOC_NODES_MAX nodes, until one returns not 0,
 * which is then returned. Empty documents are passed over, but not a text without any.
 */
int doc_parse_each(const char *name, const char *text, size_t len,
		   int (*each)(void *arg, const struct doc *doc), void *arg, struct error *e);
/*
 * The same in steps, for whoever has something else to do between them: *@ret is the
 * next document, to free, or NULL if *@n keys, values and brackets were not all of it;
 * what was used of them is taken off. 1: there is more to come, 0: that was all. The text
 * must stay.
 */
struct doc_reader;
int doc_reader_new(const char *name, const char *text, size_t len, struct doc_reader **ret,
		   struct error *e);
int doc_reader_next(struct doc_reader *r, unsigned int *n, struct doc **ret, struct error *e);
void doc_reader_free(struct doc_reader *r);	/* NULL is allowed */
void doc_free(struct doc *doc);		/* NULL is allowed */

/* The value of @key in @map, or NULL. */
const struct doc *doc_find(const struct doc *map, const char *key);
/*
 * Copies @text into @buf for a message: on one line, cut where it does not fit,
 * what a terminal would act on as '?'. Returns @buf.
 */
const char *doc_show(const char *text, char *buf, size_t len);
/* "a list", "a map", ... for messages. */
const char *doc_kind_name(enum doc_kind kind);
