/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * problems.h - everything that is wrong with a transaction, not only the first thing
 *
 * Whoever finds a problem says where he is (document, object, field) as he goes
 * down, and adds a sentence: what is wrong; what would be right. A person mends
 * all of it in one go. Past PROBLEMS_KEPT they are only counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <cjson/cJSON.h>

#define PROBLEMS_KEPT 100

struct problem {
	int document;			/* number within the transaction, from 0; -1: none */
	int line;			/* in the text that was sent; 0: none */
	char object[80];		/* "Instance acme/web-1"; "" before it is known */
	char field[96];			/* "spec.addresses[1]"; "" for the object as such */
	char *text;			/* "what is wrong; what would be right" */
};

struct problems {
	struct problem *kept;
	unsigned int n_kept, n;		/* n: found in all */
	bool no_memory;
	struct problem at;		/* where we are; .text unused */
	size_t field_len;
};

void problems_init(struct problems *p);
void problems_done(struct problems *p);

/* The document and the object that is looked at from now on. */
void problems_document(struct problems *p, int document, int line);
void problems_object(struct problems *p, const char *title);
/* Goes down to a field, until _leave() with what _enter() returned. "": no further. */
size_t problems_enter(struct problems *p, const char *field);
/* To an element; @list: the field that holds it, "": where we are. */
size_t problems_enter_nth(struct problems *p, const char *list, unsigned int n);
void problems_leave(struct problems *p, size_t field_len);

/* Adds one, at @line if that is not 0. */
void problems_add(struct problems *p, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* [{"document","line","object","field","problem"}], at most PROBLEMS_KEPT. */
cJSON *problems_json(const struct problems *p);
/* "Instance acme/web-1: spec.mac: ..." of the first, for logs; returns @buf. */
const char *problems_first(const struct problems *p, char *buf, size_t len);
