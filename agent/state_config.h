/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_config.h - from host objects to the configuration that the rest of the agent knows
 *
 *	host/self ───────────────────────► host, encapsulation ┐
 *	network/..., vport/... + bindings ► networks, vports   ├─ schema and checks ─► struct config
 *	permit/..., direct/..., route/... ► remotes            │  of configuration files
 *	bootstrap file ───────────────────► agent, limits      ┘
 *
 * The trees of the objects are hung together for the time of one reading, nothing is
 * copied; the schema then says what is wrong with them in the words it has for files,
 * with an object's id where a file has a line.
 *
 * Vports that no device is named for are left out: they wait for `vport attach`.
 *
 * Pure. See also: object.h, config_schema.c.
 */
#pragma once

#include <agent/bind.h>
#include <agent/config.h>
#include <agent/object.h>

#define STATE_BLAMED_MAX 16

/* The objects that a refusal is about. */
struct state_blame {
	const char *ids[STATE_BLAMED_MAX];
	unsigned int n;
};

struct state_parts {
	const char *host;		/* the agent's name */
	const struct doc *bootstrap;	/* checked; NULL: there is none */
	const char *bootstrap_path;
	struct object **objects;	/* those with a tree, sorted by id */
	unsigned int n_objects;
	const struct bindings *bindings;
};

/* Without device, neither its own nor a binding's. */
bool state_is_unbound(const struct object *vport, const struct bindings *bindings);

/* @blame may be NULL; its ids live as long as the objects. */
int state_config(const struct state_parts *parts, struct config **ret, struct state_blame *blame,
		 struct error *e);

/*
 * Reads the bootstrap file: sections agent and limits, strictly. @path NULL: an empty
 * one. On success @ret_doc (NULL if @path is) and a configuration with nothing else in it.
 */
int state_bootstrap(const char *path, const char *host, struct doc **ret_doc,
		    struct config **ret_config, struct error *e);
