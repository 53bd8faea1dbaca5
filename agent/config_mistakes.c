// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_mistakes.c - every mistake of a configuration, in the order of its lines
 *
 * A person fixes a file from top to bottom and wants to do it in one go, so the
 * report holds all mistakes sorted by line, and says how many did not fit.
 */
#include <agent/config_mistakes.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HINT_LEN_MAX 31			/* longer words get no hint */
#define MORE_LEN 24			/* "\nand 4294967295 more" */

void mistakes_init(struct mistakes *m, const char *file)
{
	*m = (struct mistakes){.file = file};
}

void mistakes_done(struct mistakes *m)
{
	for (unsigned int i = 0; i < m->n_kept; i++)
		free(m->kept[i].text);
	m->n_kept = 0;
}

bool mistakes_wanted(const struct mistakes *m)
{
	return m->n_kept < MISTAKES_KEPT;
}

void mistakes_add(struct mistakes *m, int line, const char *fmt, ...)
{
	va_list args;
	char *text;
	int n;

	m->n++;
	if (!mistakes_wanted(m))
		return;
	va_start(args, fmt);
	n = vasprintf(&text, fmt, args);
	va_end(args);
	if (n < 0)
		return;				/* counted all the same: the file is refused */
	m->kept[m->n_kept++] = (struct mistake){line, text};
}

/* Insertion: few, mostly sorted already, and mistakes of one line keep their order. */
static void sort_by_line(struct mistakes *m)
{
	for (unsigned int i = 1; i < m->n_kept; i++) {
		struct mistake one = m->kept[i];
		unsigned int at = i;

		for (; at && m->kept[at - 1].line > one.line; at--)
			m->kept[at] = m->kept[at - 1];
		m->kept[at] = one;
	}
}

/*
 * Adds "file:line: text" behind the @len bytes of @e's text and returns the new
 * length; 0 if that would not leave room for @keep more bytes. The first mistake
 * is always taken, cut if need be.
 */
static size_t pack(struct error *e, size_t len, const struct mistakes *m,
		   const struct mistake *one, size_t keep)
{
	size_t room = sizeof(e->text) - len - keep;
	const char *gap = len ? "\n" : "";
	char place[PLACE_LEN];
	int n;

	if (m->origin)
		n = snprintf(e->text + len, room, "%s%s: %s", gap,
			     mistakes_place(m, one->line, place), one->text);
	else
		n = snprintf(e->text + len, room, "%s%s:%d: %s", gap, m->file, one->line, one->text);

	if (n >= 0 && (size_t)n < room)
		return len + n;
	if (!len)
		return room - 1;
	e->text[len] = '\0';
	return 0;
}

const char *mistakes_place(const struct mistakes *m, int line, char buf[PLACE_LEN])
{
	if (m->origin)
		snprintf(buf, PLACE_LEN, "%s", m->origin->name(line, m->origin->arg));
	else
		snprintf(buf, PLACE_LEN, "line %d", line);
	return buf;
}

static void blame(const struct mistakes *m)
{
	for (unsigned int i = 0; m->origin && m->origin->blame && i < m->n_kept; i++)
		m->origin->blame(m->kept[i].line, m->origin->arg);
}

int mistakes_report(struct mistakes *m, struct error *e)
{
	unsigned int shown = 0;
	size_t len = 0;

	if (!m->n)
		return 0;
	blame(m);
	if (!e)
		return -EINVAL;
	sort_by_line(m);
	e->err = -EINVAL;
	e->text[0] = '\0';
	for (; shown < m->n_kept; shown++) {
		bool last = shown + 1 == m->n;
		size_t packed = pack(e, len, m, &m->kept[shown], last ? 0 : MORE_LEN);

		if (!packed)
			break;
		len = packed;
	}
	if (shown < m->n)
		snprintf(e->text + len, sizeof(e->text) - len, "%sand %u more", len ? "\n" : "",
			 m->n - shown);
	return -EINVAL;
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Edits from @a to @b: insert, delete, replace, swap neighbours (optimal string alignment). */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int rows[3][HINT_LEN_MAX + 1], n = strlen(b);

	for (unsigned int j = 0; j <= n; j++)
		rows[0][j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		unsigned int *row = rows[i % 3], *above = rows[(i + 2) % 3];
		const unsigned int *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (unsigned int j = 1; j <= n; j++) {
			bool same = a[i - 1] == b[j - 1];

			row[j] = min3(row[j - 1] + 1, above[j] + 1, above[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min3(row[j], row[j], above2[j - 2] + 1);
		}
	}
	return rows[strlen(a) % 3][n];
}

void hint_init(struct hint *h, const char *given)
{
	*h = (struct hint){.given = given, .distance = HINT_LEN_MAX + 1};
}

void hint_offer(struct hint *h, const char *name)
{
	unsigned int distance;

	if (strlen(h->given) > HINT_LEN_MAX || strlen(name) > HINT_LEN_MAX)
		return;
	distance = edit_distance(h->given, name);
	if (distance < h->distance) {
		h->distance = distance;
		h->best = name;
	}
}

const char *hint_best(const struct hint *h)
{
	size_t allowed = strlen(h->given) / 3;

	return h->best && h->distance <= (allowed ? allowed : 1) ? h->best : NULL;
}
