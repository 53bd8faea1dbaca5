/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_mistakes.h - every mistake of a configuration, in the order of its lines
 *
 * Reader and checks add mistakes as they find them; the report sorts them by
 * line and packs as many as fit into one struct error. Private to agent/config*.c.
 */
#pragma once

#include <stdbool.h>

#include <agent/config.h>
#include <lib/error.h>

#define MISTAKES_KEPT 64		/* more are counted, not kept */

struct mistake {
	int line;
	char *text;			/* "field: what is wrong and what would be right" */
};

struct mistakes {
	const char *file;
	const struct config_origin *origin; /* NULL: lines are lines of the file */
	struct mistake kept[MISTAKES_KEPT];
	unsigned int n_kept;
	unsigned int n;			/* found in all */
};

void mistakes_init(struct mistakes *m, const char *file);
void mistakes_done(struct mistakes *m);
/* False once texts are no longer kept: no need to search for hints any more. */
bool mistakes_wanted(const struct mistakes *m);
void mistakes_add(struct mistakes *m, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* "line 17", or the name of the part that has this number; in @buf. */
#define PLACE_LEN 160
const char *mistakes_place(const struct mistakes *m, int line, char buf[PLACE_LEN]);
/* 0 if there are none, else -EINVAL and all of them in @e. */
int mistakes_report(struct mistakes *m, struct error *e);

/*
 * The name somebody probably meant: offer all that exist, ask for the best. Near
 * enough is one edit, or one in three characters; swapped neighbours are one edit.
 */
struct hint {
	const char *given, *best;
	unsigned int distance;		/* of best */
};

void hint_init(struct hint *h, const char *given);
void hint_offer(struct hint *h, const char *name);
/* NULL if nothing was near. */
const char *hint_best(const struct hint *h);
