/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_reader.h - reads a document tree into structs, led by tables
 *
 *	static const struct field subnet_fields[] = {
 *		{"prefix", read_prefix, AT(struct config_subnet, prefix), .required = true},
 *		...
 *
 * A table says for every field its name, how to read it, where it goes and what
 * it may be. The walk over a map takes the fields in the order of the table, not of
 * the file, so a section may refer to one that stands above it in the table. A
 * field that cannot be read is a mistake and keeps the empty value it had.
 *
 * Private to agent/config*.c. See also: config_schema.c (the tables),
 * config_values.c (how single values are read), config_checks.c.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <agent/config.h>
#include <agent/config_mistakes.h>
#include <lib/doc.h>

#define PREFIX_UNREAD 255		/* ip_prefix.len while the prefix is missing or wrong */
#define NETWORK_UNREAD 0xffffffffu	/* .network while it is missing or unknown */

struct reader {
	struct config *config;
	struct mistakes *mistakes;
	bool lenient;			/* pass over fields that are not known */
	int err;			/* -ENOMEM once memory ran out */
	char where[160];		/* the field being read, "vports[3].mac" */
	size_t where_len;
	struct config_network **by_name; /* config->networks sorted by name, once they are read */
};

/* One of the words a field may hold. Ends with a NULL name. */
struct choice {
	const char *name;
	unsigned int value;
};

/* A list of maps that becomes an array. */
struct list {
	const struct field *fields;	/* of one element */
	size_t size;			/* of one element */
	size_t line;			/* offset of the element's `int line` */
	size_t count;			/* offset of the array's counter in the parent */
	unsigned int max;		/* elements */
	void (*init)(void *element);	/* defaults; NULL: zeroes */
};

/* Ends with a NULL name. */
struct field {
	const char *name;
	void (*read)(struct reader *r, const struct doc *d, const struct field *f, void *out);
	size_t offset, size;		/* where it goes in the struct, and how wide that is */
	bool required;
	uint32_t min, max;		/* numbers: value; strings: length; durations: milliseconds */
	const struct choice *choices;
	const struct field *fields;	/* of a section */
	const struct list *list;
};

#define AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

/* Reads map @d into @base by @fields; unknown and missing fields are mistakes. */
void read_fields(struct reader *r, const struct doc *d, const struct field *fields, void *base);

/* Notes that the field being read is wrong. @fmt: what is wrong, and what would be right. */
void mistake(struct reader *r, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void reader_no_memory(struct reader *r);

/* Names the element being read, until _leave() with what _enter() returned. */
size_t reader_enter(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void reader_leave(struct reader *r, size_t where_len);

/* What @d holds, on one line and short, for messages; in @buf. */
#define SHOWN_LEN 64
const char *value_shown(const struct doc *d, char buf[SHOWN_LEN]);

/* Text of a single value. Anything else is a mistake that says @want is wanted; NULL. */
const char *scalar_text(struct reader *r, const struct doc *d, const char *want);
/* The same for lists: NULL, or @d. */
const struct doc *list_of(struct reader *r, const struct doc *d, unsigned int max,
			  const char *want);

/* Containers: a map whose fields lie in the parent's struct; a list of maps. */
void read_section(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_list(struct reader *r, const struct doc *d, const struct field *f, void *out);

/* Single values, config_values.c. */
void read_bool(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_uint(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_choice(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_duration(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_name(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_word(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_device(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_path(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_netns(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_addr(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_prefix(struct reader *r, const struct doc *d, const struct field *f, void *out);
void read_mac(struct reader *r, const struct doc *d, const struct field *f, void *out);

/* The whole document, config_schema.c. */
void read_config(struct reader *r, const struct doc *d);
/* What only the whole can tell, config_checks.c. Returns 0 or -ENOMEM. */
int config_check(const struct config *c, struct mistakes *m);
/* Its part about addresses and prefixes, config_check_addrs.c. Likewise. */
int config_check_addrs(const struct config *c, struct mistakes *m);
