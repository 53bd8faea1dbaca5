/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops.h - the operations of the admin socket
 *
 *	request ─► admin_find(): known? arguments good? ─► op->run() ─► result
 *
 * Each operation is a row of a table: name, arguments, function. The functions
 * run on the main loop, take checked arguments and fill a JSON object. One that
 * needs time hands back a second half instead of blocking the loop.
 *
 * See also: docs/admin-protocol.md (shapes), admin.h (the socket).
 */
#pragma once

#include <cjson/cJSON.h>

#include <agent/admin_args.h>
#include <lib/error.h>

struct agent;

/* The second half of an operation, run `delay_ms` later unless the asker is gone. */
struct admin_later {
	unsigned int delay_ms;		/* 0: there is none */
	int (*finish)(struct agent *a, void *state, cJSON *result, struct error *e); /* -EAGAIN: once more */
	void (*drop)(void *state);	/* frees it, finished or not */
	void *state;
};

struct admin_op {
	const char *name;
	const struct admin_arg *args;
	int (*run)(struct agent *a, const cJSON *args, cJSON *result, struct admin_later *later,
		   struct error *e);
};

/*
 * The operation a request asks for, and its arguments (NULL: none). 0, -EINVAL or
 * -EOPNOTSUPP. Looks at no agent.
 */
int admin_find(const cJSON *request, const struct admin_op **ret_op, const cJSON **ret_args,
	       struct error *e);

/* Replies as they go on the wire; the caller deletes them. @result passes to the reply. */
cJSON *admin_reply_ok(cJSON *result);
cJSON *admin_reply_error(const struct error *e);

/* The rows, by file. Each ends with name NULL. */
extern const struct admin_op admin_agent_ops[];	/* admin_ops_agent.c */
extern const struct admin_op admin_port_ops[];	/* admin_ops_port.c */
extern const struct admin_op admin_control_ops[];	/* admin_ops_control.c */
extern const struct admin_op admin_board_ops[];	/* admin_ops_board.c */
extern const struct admin_op admin_flow_ops[];	/* admin_ops_flow.c */
extern const struct admin_op admin_trace_ops[];	/* admin_ops_trace.c */
