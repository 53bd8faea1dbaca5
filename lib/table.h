/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * table.h - tables that align
 *
 *	struct table *t = table_new("NAME,SLOT>,DEVICE");	('>' aligns right)
 *	table_row(t, name, slot, device);			(strings, one per column)
 *	table_print(t, stdout);
 */
#pragma once

#include <stdio.h>

struct table;

struct table *table_new(const char *columns);
void table_row(struct table *t, const char *first, ...);	/* as many strings as columns; NULL prints "-" */
void table_print(struct table *t, FILE *out);			/* and frees it */
