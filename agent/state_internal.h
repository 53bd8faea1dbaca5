/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_internal.h - what state.c and state_disk.c share
 */
#pragma once

#include <limits.h>

#include <agent/change.h>
#include <agent/checkpoint.h>
#include <agent/state.h>

struct event;

struct state {
	struct agent *agent;
	const char *host, *bootstrap_path;
	struct doc *bootstrap;		/* NULL: no file */
	struct object_set *objects;
	struct bindings bindings;
	struct state_listener listener;
	uint64_t revision;
	bool known;

	/* coming in */
	uint64_t session;		/* counts sessions; outcomes of an earlier one are told nobody */
	struct transaction *incoming;	/* not whole yet */
	struct transaction *queue, **queue_end;

	/* coming into force */
	struct event *timer;
	bool changing;
	bool rebuild;			/* bindings changed */
	bool one_by_one;		/* a batch was refused: find out which */
	struct transaction *batch;
	struct config *next;
	struct change change;
	struct ip_addr *asked;		/* hosts that endpoints move to, claimed until they have */
	unsigned int n_asked;
	uint64_t began_ns;
	char refused[ERROR_TEXT_LEN];

	/* on disk */
	char path[PATH_MAX];
	struct checkpoint_writer *writer;
	struct event *disk_timer;
	bool dirty;
	uint64_t not_before_ns;		/* next write */
	struct object **held;		/* what is being written */
	uint64_t n_held, n_made;	/* n_made: the writer's, how many are in the text */
	uint64_t written_ns;
	struct error disk_problem;
};

/* From what is in the set and the bindings. @blame may be NULL. */
int state_build(struct state *s, struct config **ret, struct state_blame *blame, struct error *e);

/*
 * state_endpoints.c: the table follows the set. _ask for the hosts that endpoints move to, which
 * packets follow no sooner than it is known how to reach them, or that they do not answer: _resolved.
 * _add before the change, and undone if that fails; _remove when it is in force. _asked_done in either
 * case. _sync makes it equal, whatever it was.
 */
int state_endpoints_ask(struct state *s, struct error *e);
bool state_endpoints_resolved(const struct state *s);
void state_endpoints_asked_done(struct state *s);
int state_endpoints_add(struct state *s, struct error *e);
void state_endpoints_undo(struct state *s);
void state_endpoints_remove(struct state *s);

/* state_disk.c */
int state_disk_open(struct state *s, struct error *e);
void state_disk_close(struct state *s);
/* *@ret_config NULL: there is nothing to start from. */
int state_disk_load(struct state *s, struct config **ret_config, struct error *e);
void state_disk_dirty(struct state *s);
