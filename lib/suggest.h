/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * suggest.h - what somebody probably meant
 */
#pragma once

/* The name nearest to @word by edit distance, or one it begins; NULL if none is near. Pure. */
const char *suggest(const char *word, const char *const *names, unsigned int n);
