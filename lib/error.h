/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * error.h - an errno and a sentence a person can act on
 *
 * Functions that may fail for reasons outside Mirach (files, devices, the
 * kernel) take a struct error as last argument, return -errno, and say in
 * `text` which thing failed and what to do about it. One line, no final stop.
 * The caller logs it or sends it to the user; libraries never print.
 */
#pragma once

#include <stdarg.h>

#define ERROR_TEXT_LEN 1024

struct error {
	int err;			/* negative errno, 0 while nothing failed */
	char text[ERROR_TEXT_LEN];
};

/* Fills @e (NULL is allowed) and returns @err, which is negative. */
int error_set(struct error *e, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Puts "prefix: " in front of what @e says already. Returns e->err. */
int error_prefix(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
