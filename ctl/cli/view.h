/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * view.h - reading an agent's answer without stumbling
 *
 * The agent may be older or newer than the command line: a field that is
 * missing or of another type reads as empty, never as a crash. Texts live in a
 * ring of buffers, long enough for the rows of a table.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

const cJSON *view_item(const cJSON *o, const char *field);
const char *view_text(const cJSON *o, const char *field);	/* "" if missing */
double view_number(const cJSON *o, const char *field);		/* 0 if missing */
bool view_flag(const cJSON *o, const char *field);

/* For table cells; NULL (printed as "-") if missing. */
const char *view_count(const cJSON *o, const char *field);	/* whole number */
const char *view_join(const cJSON *o, const char *field);	/* array, comma-separated */
const char *view_seconds(double s);				/* "0.3s", "12s", "5m", "3h", "2d" */
const char *view_quantity(double n);				/* "950", "12.3k", "4.5M" */
const char *view_bytes(double n);				/* "512 B", "24.0 MiB" */

/* Formats into the ring: valid until 64 more texts. */
const char *view_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
