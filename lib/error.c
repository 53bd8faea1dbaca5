// SPDX-License-Identifier: BSD-2-Clause
/*
 * error.c - an errno and a sentence a person can act on
 *
 * Text that does not fit is cut, never refused: half a sentence helps more than
 * none. See error.h for who fills it and who prints it.
 */
#include <lib/error.h>

#include <assert.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, int err, const char *fmt, ...)
{
	va_list args;

	assert(err < 0);
	if (!e)
		return err;
	e->err = err;
	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	return err;
}

int error_prefix(struct error *e, const char *fmt, ...)
{
	char said[ERROR_TEXT_LEN];
	va_list args;
	size_t len;

	if (!e)
		return 0;
	memcpy(said, e->text, sizeof(said));
	va_start(args, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, args);
	va_end(args);
	len = strlen(e->text);
	if (len + 3 < sizeof(e->text)) {
		memcpy(e->text + len, ": ", 3);
		len += 2;
		memccpy(e->text + len, said, '\0', sizeof(e->text) - len);
		e->text[sizeof(e->text) - 1] = '\0';
	}
	return e->err;
}
