/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is one LLVMFuzzerTestOneInput(): any bytes in, rules checked, nothing
 * left behind. It must give the same answer for the same bytes, or a crash could
 * not be replayed: build/fuzz/fuzz_NAME FILE.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A rule that must hold for every input, in every build. */
#define FUZZ_CHECK(rule)                                                                      \
	do {                                                                                  \
		if (!(rule)) {                                                                \
			fprintf(stderr, "%s:%d: rule broken: %s\n", __FILE__, __LINE__, #rule); \
			abort();                                                              \
		}                                                                             \
	} while (0)

/* A heap block of exactly @size bytes, so that the sanitizer sees one read too many. */
static inline void *exact_copy(const void *data, size_t size)
{
	void *copy = malloc(size);

	if (size)
		memcpy(copy, data, size);
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
