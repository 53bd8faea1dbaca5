/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * names.h - numbers of the packet world as the words people use for them
 *
 * The agent prints with these and the command line reads with them, so that what
 * one shows the other takes back. All tables are constant; any thread may call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <mirach/action.h>
#include <mirach/nexthop.h>
#include <mirach/port.h>
#include <mirach/reasons.h>

#define PROTO_STRLEN 8

/* "tcp", "udp", "icmp", "icmpv6", "sctp", "gre", else the number. Returns @buf. */
const char *proto_format(uint8_t proto, char buf[PROTO_STRLEN]);
/* A name as above or a number from 0 to 255. 0 or -EINVAL. */
int proto_parse(const char *text, uint8_t *ret);

/* "spoofed_source", and what it means; "unknown" and "" for numbers nobody gave. */
const char *reason_name(unsigned int reason);
const char *reason_text(unsigned int reason);
/* 0 or -EINVAL. */
int reason_parse(const char *name, enum drop_reason *ret);

const char *verdict_name(unsigned int verdict);	/* enum action_verdict: "forward", ... */
const char *tunnel_name(unsigned int tunnel);	/* enum tunnel_kind: "vxlan", ... */
int tunnel_parse(const char *name, enum tunnel_kind *ret);
const char *port_kind_name(unsigned int kind);	/* enum port_kind: "vport", ... */

/* Stages in order of execution, for loops: bit and name, ends with bit 0. */
struct stage_name {
	uint32_t bit;			/* enum action_stage */
	const char *name;		/* "ttl", "vlan_pop", ... */
};
extern const struct stage_name stage_names[];

/*
 * Bytes from hex digits; blanks, colons and newlines between bytes are skipped.
 * Returns how many were written, -EINVAL for other characters or half a byte,
 * -E2BIG when @max is not enough.
 */
int hex_parse(const char *text, uint8_t *ret, size_t max);
/* Lower-case digits with @sep between bytes (0: none). Returns @buf; always ends with NUL. */
const char *hex_format(const void *data, size_t n, char sep, char *buf, size_t len);
