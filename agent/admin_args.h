/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_args.h - what an admin operation takes, as a table, checked before it runs
 *
 *	static const struct admin_arg args[] = {
 *		{ .name = "limit", .kind = ARG_NUMBER, .min = 1, .max = 10000 },
 *		{ .name = "src", .kind = ARG_PREFIX },
 *		{},
 *	};
 *
 * An operation sees arguments only after admin_args_check() has accepted them,
 * so its getters cannot fail. Unknown, repeated and mistyped arguments are
 * refused by name. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <lib/addr.h>
#include <lib/error.h>

enum admin_arg_kind {
	ARG_TEXT,			/* string, not empty, at most ADMIN_TEXT_MAX */
	ARG_HEX,			/* string of hex bytes, at most ADMIN_HEX_MAX */
	ARG_BOOL,
	ARG_NUMBER,			/* whole, min to max */
	ARG_ADDR,
	ARG_PREFIX,
	ARG_PROTO,			/* name, or number as string or number */
	ARG_VLANS,			/* array of up to two VIDs */
};

#define ADMIN_TEXT_MAX 255
#define ADMIN_HEX_MAX 10240		/* bytes */

struct admin_arg {
	const char *name;		/* NULL ends a table */
	enum admin_arg_kind kind;
	bool needed;
	uint32_t min, max;		/* ARG_NUMBER */
};

/* @args may be NULL: none were given. 0 or -EINVAL. */
int admin_args_check(const struct admin_arg *spec, const cJSON *args, struct error *e);

/* Getters, for checked arguments only. Absent: NULL, @fallback or false. */
bool admin_arg_given(const cJSON *args, const char *name);
const char *admin_arg_text(const cJSON *args, const char *name);
uint32_t admin_arg_number(const cJSON *args, const char *name, uint32_t fallback);
bool admin_arg_bool(const cJSON *args, const char *name);
bool admin_arg_addr(const cJSON *args, const char *name, struct ip_addr *ret);
bool admin_arg_prefix(const cJSON *args, const char *name, struct ip_prefix *ret);
bool admin_arg_proto(const cJSON *args, const char *name, uint8_t *ret);
unsigned int admin_arg_vlans(const cJSON *args, const char *name, uint16_t ret[2]);
