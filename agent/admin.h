/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin.h - the agent's unix socket
 *
 * One request, one reply, each a JSON object in a frame (lib/frame.h):
 *
 *	{"op": "flow.list", "args": {...}}
 *	{"ok": true, "result": {...}}   or   {"ok": false, "error": "sentence", "errno": 22}
 *
 * Several requests may follow each other on a connection. Operations are a table
 * in admin_ops.c; docs/admin-protocol.md lists them. The socket's mode is 0600, or
 * 0660 with config.socket_group; the peer's uid is checked besides (SO_PEERCRED).
 */
#pragma once

#include <lib/error.h>

struct admin;
struct agent;

int admin_new(struct agent *a, const char *path, const char *group, struct admin **ret,
	      struct error *e);
void admin_free(struct admin *admin);	/* removes the socket file */
