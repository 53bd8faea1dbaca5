/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace.h - what the arrows of a trace share: the packet on its way, and how to say what was found
 *
 * An arrow adds its steps to the result and says whether the packet goes on or has met its
 * fate. admin_ops_trace.c puts them in order.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cJSON.h>

#include <agent/admin.h>
#include <agent/admin_args.h>
#include <agent/policy/policy.h>
#include <mirach/flow.h>
#include <mirach/parse.h>

struct agent;

enum fate { FATE_OPEN, FATE_KNOWN };	/* go on, or the result is complete */

struct trace {
	struct agent *a;
	cJSON *result, *steps;
	uint32_t slot;			/* port that takes the frame; PORT_NONE: fabric, uplink unknown */
	uint16_t vlan[2];		/* tags the vport uses */
	bool fabric, outer_headers;	/* from the fabric; bytes begin with the outer headers */
	bool by_board;			/* sent on without a flow, as a hoverboard does */
	uint8_t bytes[ADMIN_HEX_MAX], *packet;	/* packet: inner frame within bytes */
	size_t len;			/* of packet */
	struct flow_key key;
	struct frame frame;
	struct action installed;	/* what the fast path has; verdict ACTION_NONE: nothing */
	uint32_t index;
	uint8_t installed_tuple;
	struct decision decision;
};

__attribute__((format(printf, 3, 4)))
void trace_step(struct trace *t, const char *what, const char *fmt, ...);
__attribute__((format(printf, 3, 4)))
enum fate trace_end(struct trace *t, const char *verdict, const char *fmt, ...);
enum fate trace_drop(struct trace *t, unsigned int reason);

/* Arrows. */
enum fate trace_respond(struct trace *t);	/* ARP, Neighbour Discovery */
enum fate trace_board(struct trace *t);		/* a hoverboard's endpoints, ahead of any flow */
enum fate trace_endpoint(struct trace *t);	/* and those of the network that the rules lead to */
enum fate trace_nexthop(struct trace *t);	/* decision.action.nexthop */
