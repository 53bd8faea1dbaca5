/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * files.h - documents from files, folders or standard input, and where each stood
 *
 * The order of a transaction's documents does not matter, so a folder is read in the
 * order of its names: *.yaml, *.yml, *.json. A list is as many documents.
 */
#pragma once

#include <stdio.h>

#include <cjson/cJSON.h>

#include <lib/doc.h>
#include <lib/error.h>

struct document {
	char *file;
	int line;
	char *places;			/* "line field\n" for each field, to find its line */
	cJSON *json;
};

struct documents {
	struct document *v;
	unsigned int n;
};

/* @path: a file, a folder, or "-". 0, or -errno with the file and line. */
int documents_load(const char *path, struct documents *ret, struct error *e);
void documents_free(struct documents *d);
/* All of them as one text to send; to free(). NULL: no memory. */
char *documents_text(const struct documents *d);
/* The line of a field like "spec.addresses[1]", or of what holds it. */
int document_line(const struct document *d, const char *field);
