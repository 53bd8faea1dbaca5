/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * expect.h - comparisons that say what was seen and what was expected
 *
 * @of names the case, for tests that walk a table: cmocka alone would only
 * name the line.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static inline void expect_int(const char *of, long long seen, long long expected)
{
	if (seen != expected)
		fail_msg("%s: seen %lld, expected %lld", of, seen, expected);
}

static inline void expect_text(const char *of, const char *seen, const char *expected)
{
	if (strcmp(seen, expected))
		fail_msg("%s:\nseen     \"%s\"\nexpected \"%s\"", of, seen, expected);
}

/* @seen must hold @expected somewhere. */
static inline void expect_part(const char *of, const char *seen, const char *expected)
{
	if (!strstr(seen, expected))
		fail_msg("%s:\nseen             \"%s\"\nexpected therein \"%s\"", of, seen, expected);
}
