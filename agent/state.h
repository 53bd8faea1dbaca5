/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state.h - what a controller wants of this host, and how it comes into force
 *
 *	update ─► transaction ─► queue ─► object set ─► struct config ─► change ─► ack
 *	                                     │ refused anywhere: rolled back          │
 *	                                     └─ old state whole, ack with the error   └─► checkpoint
 *
 * Transactions that arrive together are made true together; if they cannot be, one by
 * one, so that the right one is blamed. One change is under way at a time; while hosts
 * that are new to it are asked for their MAC, the loop runs on.
 *
 * Fail static: what was in force is on disk (checkpoint.h) and is made true at the start,
 * with or without a controller. A host that has no checkpoint but a datapath of an
 * earlier agent leaves it as it is until a controller has spoken.
 *
 * An ack says that a change is in force. It is on disk a moment later: writing begins
 * CHECKPOINT_DELAY_MS after the change, and takes no more than a twentieth of the time on
 * average, which matters for a hoverboard with a million endpoints only. A host that loses
 * power in between comes up with the state before and is told the difference.
 *
 * Main thread only. See also: session.h (who talks to the controller).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/bind.h>
#include <agent/object_set.h>
#include <agent/state_config.h>
#include <agent/transaction.h>

#define CHECKPOINT_DELAY_MS 100u

struct agent;
struct state;

/* An outcome. @e->err 0: in force. @blame: the objects that are to blame, may be NULL. */
struct state_outcome {
	uint64_t seq, revision;
	const struct error *e;
	const char *const *ids;		/* of the objects that are to blame */
	unsigned int n_ids;
};

/* Whom outcomes are told. */
struct state_listener {
	void (*done)(const struct state_outcome *o, void *arg);
	void (*bindings_changed)(const char *instance, void *arg);
	void *arg;
};

struct state_options {
	const char *host;
	const char *bootstrap;		/* path, or NULL */
	const char *dir;		/* of the checkpoint */
};

/*
 * Reads the bootstrap file; *@ret_config is then the configuration that holds until there
 * is more, and the caller's. Nothing is made true, no checkpoint read.
 */
int state_new(const struct state_options *o, struct state **ret, struct config **ret_config,
	      struct error *e);
void state_erase(struct state *s);	/* removes its checkpoint */
void state_free(struct state *s);	/* a checkpoint under way is written to its end */

/*
 * Reads the checkpoint, a refused one is set aside. *@ret_config is then what it says, and
 * the caller's; NULL: there is none, the state is not known.
 */
int state_restore(struct state *s, struct agent *a, struct config **ret_config, struct error *e);
/* Makes the table of endpoints that of the set. For the start; later it follows the changes. */
int state_endpoints_sync(struct state *s, struct error *e);
void state_listen(struct state *s, const struct state_listener *l);

/* One "update". -EBADMSG: the session is to end. Outcomes are told later. */
int state_update(struct state *s, const cJSON *frame, struct error *e);
/* The session ended: what has come in part is dropped, what is whole is made true but told nobody. */
void state_session_over(struct state *s);
/* False while a change is under way or waits: the digests are about to change. */
bool state_idle(const struct state *s);

const struct object_set *state_objects(const struct state *s);
uint64_t state_revision(const struct state *s);

/* Bindings of this host. Refused ones change nothing. */
int state_attach(struct state *s, const char *instance, const char *device, const char *netns,
		 const char *guest_device, struct error *e);
int state_detach(struct state *s, const char *instance, struct error *e);
/* What the controller answered; @problem NULL: it agrees. */
void state_bound(struct state *s, const char *instance, const char *problem);
const struct bindings *state_bindings(const struct state *s);
/* Vports that wait for a device. */
void state_each_unbound(const struct state *s, void (*fn)(const struct object *vport, void *arg),
			void *arg);

struct state_view {
	bool known;			/* a checkpoint was good, or a controller has spoken */
	uint64_t revision, objects;
	const char *checkpoint;		/* its path */
	uint64_t written_ns;		/* CLOCK_MONOTONIC; 0: not by this agent */
	const char *refused;		/* last update that was refused, and why; "" = none since */
	const char *disk_problem;	/* of the last checkpoint; "" = it is on disk */
};
void state_show(const struct state *s, struct state_view *ret);
