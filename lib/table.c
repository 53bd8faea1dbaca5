// SPDX-License-Identifier: BSD-2-Clause
/*
 * table.c - tables that align
 *
 * Cells are kept as one list of strings, row by row, and printed when all widths
 * are known. Widths count characters, not bytes, so UTF-8 names align too. When
 * memory runs out the table stays as it was: the rows that fit are printed.
 */
#include <lib/table.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_COLUMNS_MAX 32
#define TABLE_GAP 2			/* blanks between columns */

struct table {
	unsigned int n_columns;
	bool right[TABLE_COLUMNS_MAX];	/* aligned to the right */
	char **cells;			/* the header first, then row by row */
	size_t n_rows, cap_rows;
};

/* Characters of @text: every byte that does not continue a UTF-8 sequence. */
static int text_width(const char *text)
{
	int n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void row_free(struct table *t, size_t row)
{
	for (unsigned int i = 0; i < t->n_columns; i++)
		free(t->cells[row * t->n_columns + i]);
}

static void table_free(struct table *t)
{
	for (size_t row = 0; row < t->n_rows; row++)
		row_free(t, row);
	free(t->cells);
	free(t);
}

/* Room for one more row, all cells NULL. NULL when there is no memory. */
static char **row_reserve(struct table *t)
{
	size_t cap = t->cap_rows ? t->cap_rows * 2 : 16;
	char **row;

	if (t->n_rows == t->cap_rows) {
		char **cells = reallocarray(t->cells, cap * t->n_columns, sizeof(*cells));

		if (!cells)
			return NULL;
		t->cells = cells;
		t->cap_rows = cap;
	}
	row = t->cells + t->n_rows * t->n_columns;
	memset(row, 0, t->n_columns * sizeof(*row));
	return row;
}

/* The row counts only if every cell could be copied. */
static void row_commit(struct table *t, char **row)
{
	for (unsigned int i = 0; i < t->n_columns; i++) {
		if (!row[i]) {
			row_free(t, t->n_rows);
			return;
		}
	}
	t->n_rows++;
}

static unsigned int count_columns(const char *columns)
{
	unsigned int n = 1;

	for (; *columns; columns++)
		n += *columns == ',';
	return n;
}

struct table *table_new(const char *columns)
{
	struct table *t = calloc(1, sizeof(*t));
	char **row;

	if (!t)
		return NULL;
	t->n_columns = count_columns(columns);
	if (t->n_columns > TABLE_COLUMNS_MAX || !(row = row_reserve(t))) {
		table_free(t);
		return NULL;
	}
	for (unsigned int i = 0; i < t->n_columns; i++) {
		size_t len = strcspn(columns, ",");

		t->right[i] = len && columns[len - 1] == '>';
		row[i] = strndup(columns, len - t->right[i]);
		columns += len + 1;
	}
	row_commit(t, row);
	return t;
}

void table_row(struct table *t, const char *first, ...)
{
	char **row = t ? row_reserve(t) : NULL;
	const char *cell = first;
	va_list args;

	if (!row)
		return;
	va_start(args, first);
	for (unsigned int i = 0; i < t->n_columns; i++) {
		if (i)
			cell = va_arg(args, const char *);
		row[i] = strdup(cell ? cell : "-");
	}
	va_end(args);
	row_commit(t, row);
}

static void measure(const struct table *t, int *widths)
{
	for (size_t i = 0; i < t->n_rows * t->n_columns; i++) {
		int width = text_width(t->cells[i]);

		if (width > widths[i % t->n_columns])
			widths[i % t->n_columns] = width;
	}
}

/* One line without blanks at its end. */
static void print_row(const struct table *t, size_t row, const int *widths, FILE *out)
{
	int owed = 0;			/* blanks due before the next visible character */

	for (unsigned int i = 0; i < t->n_columns; i++) {
		const char *cell = t->cells[row * t->n_columns + i];
		int fill = widths[i] - text_width(cell);

		owed += (i ? TABLE_GAP : 0) + (t->right[i] ? fill : 0);
		if (*cell) {
			fprintf(out, "%*s%s", owed, "", cell);
			owed = 0;
		}
		owed += t->right[i] ? 0 : fill;
	}
	fputc('\n', out);
}

void table_print(struct table *t, FILE *out)
{
	int widths[TABLE_COLUMNS_MAX] = {};

	if (!t)
		return;
	measure(t, widths);
	for (size_t row = 0; row < t->n_rows; row++)
		print_row(t, row, widths, out);
	table_free(t);
}
