/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suggest.c - what somebody probably meant
 */
#include <lib/suggest.h>

#include <stddef.h>
#include <string.h>

#define WORD_MAX 40
#define FAR_AWAY 100

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/*
 * Edits that make @b out of @a: insert, delete, change, or swap two neighbours
 * (optimal string alignment, three rows of the usual table).
 */
static unsigned int distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned int rows[3][WORD_MAX + 1];

	if (n > WORD_MAX || m > WORD_MAX)
		return FAR_AWAY;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		unsigned int *now = rows[i % 3], *above = rows[(i - 1) % 3];
		unsigned int *twice = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= m; j++) {
			now[j] = min3(now[j - 1] + 1, above[j] + 1,
				      above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    twice[j - 2] + 1 < now[j])
				now[j] = twice[j - 2] + 1;
		}
	}
	return rows[n % 3][m];
}

const char *suggest(const char *word, const char *const *names, unsigned int n)
{
	unsigned int best = strlen(word) / 3 + 2;	/* exclusive */
	const char *found = NULL;

	for (unsigned int i = 0; i < n; i++) {
		unsigned int d = distance(word, names[i]);

		if (strlen(word) >= 2 && !strncmp(word, names[i], strlen(word)))
			d = 1;
		if (d < best) {
			best = d;
			found = names[i];
		}
	}
	return found;
}
