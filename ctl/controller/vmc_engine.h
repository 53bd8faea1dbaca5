/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc_engine.h - what every host is to have, kept up to date change by change
 *
 *	put, del ──► what did this object touch, before and after?	(vmc_touch.c)
 *	          ──► (host, id) in the queue of its network		one queue per network
 *	vmc_work() round robin over the queues:				(vmc_queue.c)
 *	          ──► vmc_spec(host, id) again; another version than before?
 *	          ──► desired set of the host, and pending for its session (vmc_session.h)
 *
 * A pair that is queued already is not queued again, and its spec is made when its
 * turn comes, of the model as it is then: a storm of changes of one object costs one.
 * Queues take turns, a few pairs each, so that ten thousand changes in one network delay
 * a change in another by no more than that.
 *
 * Of a host's objects only id and version are kept; texts are made anew when they
 * are sent. Hosts of other shards are known but empty.
 *
 * Pure: no I/O, time is an argument. One thread.
 */
#pragma once

#include <ctl/controller/programming.h>
#include <ctl/controller/vmc_compile.h>
#include <lib/objset.h>

struct vmc_session;

struct vmc_host {
	char name[MODEL_NAME_LEN];
	bool declared;			/* there is a Host of that name */
	bool owned;			/* of our shards */
	bool is_ready;			/* in the list of those with something to send */
	bool under_way;			/* a transaction is, `sent` waits for it */
	uint32_t number;		/* from 1, for whoever wants numbers (vmc_offload.c) */
	int64_t term;			/* of its leader, as last looked at (vmc_offload.c) */
	struct vmc_host *next_ready;
	struct objset desired;		/* id -> version */
	struct objset pending;		/* ids that changed since they were last sent */
	struct objset told;		/* ids of permits and direct routes it is to have */
	struct tracks tracks;		/* of what is pending */
	struct tracks sent;		/* of what is on its way (vmc_session.c) */
	struct vmc_session *session;	/* NULL: not connected, or elsewhere */
};

/* A pair whose spec has to be looked at again. */
struct vmc_dirty {
	struct vmc_host *host;
	struct vmc_dirty *next;
	struct tracks tracks;
	char id[];
};

struct vmc_queue {
	char network[VMC_NAME_LEN];	/* "" for what belongs to none */
	struct vmc_dirty *first, **end;
	struct vmc_queue *next;		/* in turn */
};

struct vmc_engine {
	struct vmc_input in;		/* in.set is the caller's */
	struct index hosts;		/* struct vmc_host */
	struct vmc_host **numbered;	/* host n at n - 1 */
	struct index dirty;		/* struct vmc_dirty */
	struct index queues;		/* struct vmc_queue, those that are not empty */
	struct vmc_queue *turn, **turn_end;
	struct vmc_host *ready, **ready_end;
	struct programming *programming;
	struct track *track;		/* of the revision that is coming in */
	bool wholly, moves;		/* found by vmc_changing(), for vmc_changed() */
	uint64_t now_ns;		/* of the call under way */
	uint64_t applied;		/* revision of the model */
	uint64_t settled;		/* everything up to here has been computed */
	uint64_t specs;			/* made so far, for the curious */
	bool (*owns)(void *arg, const char *host);
	void *arg;
	/* The instance with this address comes, goes or moves; direct routes to it are to end. */
	void (*moved)(void *arg, const struct network *net, const struct ip_addr *a);
	void *moved_arg;
	struct text scratch;
};

/* @owns: is this host of our shards? NULL: all are. @set: whoever fills it calls what follows. */
void vmc_init(struct vmc_engine *e, struct model_set *set,
	      bool (*owns)(void *arg, const char *host), void *arg,
	      struct programming *programming);
void vmc_done(struct vmc_engine *e);

/* The set is filled for the first time, or the shards are others: all is computed from nothing. */
void vmc_loaded(struct vmc_engine *e, uint64_t revision, uint64_t now_ns);

/* A transaction: begin, changes, end. @start_ns: when it was written, or 0. */
void vmc_begin(struct vmc_engine *e, uint64_t start_ns, uint64_t now_ns);
/* Before the set changes. @old: as it is there, NULL: not; @next: what it will be, NULL: gone. */
void vmc_changing(struct vmc_engine *e, struct object *old, const struct object *next);
/* After it has, with the object in the set; not for one that has gone. */
void vmc_changed(struct vmc_engine *e, struct object *now);
void vmc_end(struct vmc_engine *e, uint64_t revision);
/* Announcements of other regions, which the set need not hold. Takes over @o. */
void vmc_announced(struct vmc_engine *e, struct remote_network *o);
void vmc_withdrawn(struct vmc_engine *e, const char *region, const char *name);
/* One that cannot be read. */
void vmc_unreadable(struct vmc_engine *e, const char *region, const char *name, const char *why);

/*
 * The host is to have, or no longer, a permit or direct route; what it says follows
 * from the model. Done at once. False: no such host of ours.
 */
bool vmc_tell(struct vmc_engine *e, const char *host, const char *id, bool present,
	      uint64_t now_ns);

/* Works on up to @budget pairs. True: there are more. */
bool vmc_work(struct vmc_engine *e, unsigned int budget, uint64_t now_ns);
/* A host with something to send, in order; NULL: no more. */
struct vmc_host *vmc_next_ready(struct vmc_engine *e);
void vmc_make_ready(struct vmc_engine *e, struct vmc_host *host);

struct vmc_host *vmc_host_find(const struct vmc_engine *e, const char *name);
struct vmc_host *vmc_host_at(const struct vmc_engine *e, uint32_t number);
/* The record of a host, made if nobody declared it. */
struct vmc_host *vmc_host_get(struct vmc_engine *e, const char *name);
/* For programming_options.missing. */
void vmc_missing(const struct vmc_engine *e, uint64_t revision,
		 void (*add)(void *to, const char *host), void *to);

/* Between the parts of the engine. */
/* Queues every pair whose spec depends on @o. @wholly: a network's boards changed, not only what it says. */
void vmc_touch(struct vmc_engine *e, struct object *o, bool wholly);
void vmc_queue_add(struct vmc_engine *e, const struct network *net, const struct host *host,
		   const char *id);
void vmc_queue_host(struct vmc_engine *e, const char *network, struct vmc_host *host,
		    const char *id);
void vmc_queues_init(struct vmc_engine *e);
void vmc_queues_done(struct vmc_engine *e);
/* Makes the spec anew. True: the version is another one, or the object came or went. */
bool vmc_refresh(struct vmc_engine *e, struct vmc_host *host, const char *id, struct text *spec);
struct host *vmc_declared(const struct vmc_engine *e, const char *name);
