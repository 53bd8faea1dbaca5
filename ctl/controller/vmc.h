/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc.h - the VM controller: from declared objects to hosts that have acknowledged
 *
 *	replica ──changes──► engine ──pending──► sessions ──frames──► front end ──► agents
 *	   usage reports ──► offload ──permits, direct routes──┘ ◄──── acknowledgements
 *
 * A front end (ofe.h) attaches each agent's session to the controller that leads the
 * host's shard, hands its messages on and sends what comes back. The two talk
 * through this interface in one process, and through a channel (channel.h) that has the
 * same interface at both ends in two.
 *
 * On the loop's thread. See also: vmc_engine.h, vmc_session.h, programming.h.
 */
#pragma once

#include <event2/event.h>

#include <ctl/controller/offload.h>
#include <ctl/controller/programming.h>
#include <ctl/controller/replica.h>
#include <lib/msg.h>

struct vmc;
struct vmc_session;

/* The front end's end of a session. None of them calls back. */
struct vmc_front {
	void (*send)(void *arg, const char *text, size_t len);
	size_t (*backlog)(void *arg);			/* bytes not yet taken by the agent */
	void (*close)(void *arg, const char *why);	/* soon; vmc_detach() follows */
	void (*lost)(void *arg);			/* another leads; the agent's session stays, vmc_detach() follows */
};

struct vmc_options {
	struct event_base *base;
	struct model_set *set;
	struct replica *regional, *global;	/* of that set */
	/* Is this host of a shard we lead? NULL: all are. */
	bool (*owns)(void *arg, const char *host);
	/*
	 * Several controllers: what @host's leader is to hear (permits.h), and a number that is
	 * another one whenever another leads @host. NULL: we are alone.
	 */
	void (*say)(void *arg, const char *host, char kind, uint64_t n, const char *text);
	int64_t (*term)(void *arg, const char *host);
	/* Do we and the store agree on what we lead? NULL: they always do. */
	bool (*agreed)(void *arg);
	/* All changes of a revision have come in. NULL: nobody wants to know. */
	void (*settled)(void *arg, uint64_t revision);
	void *arg;
	uint64_t cold_ns;		/* see offload.h */
	uint32_t offloads_max;
};

struct vmc *vmc_new(const struct vmc_options *o);	/* NULL: no memory */
void vmc_free(struct vmc *v);		/* NULL is allowed; sessions are detached before */
/* Everything has been read and computed: sessions may be attached. */
bool vmc_is_ready(const struct vmc *v);
/* owns() or term() say something else: hosts that came are computed, sessions of those that went are lost. */
void vmc_shards_moved(struct vmc *v);

/* An agent that has @digest. NULL: no memory, or not ready. A session it had is closed. */
struct vmc_session *vmc_attach(struct vmc *v, const char *host, const struct digest *digest,
			       const struct vmc_front *front, void *arg);
void vmc_detach(struct vmc_session *s);
/* -EBADMSG: the agent does not speak the protocol, @e says what; close it. */
int vmc_message(struct vmc_session *s, const cJSON *msg, struct error *e);
void vmc_drained(struct vmc_session *s);	/* there is room for more */

/*
 * What another controller says about permits (permits.h). It is answered by @answer, at once or
 * later; NULL: it is an answer itself. -EBADMSG: it does not speak the protocol.
 */
typedef void (*vmc_answer_fn)(void *to, char kind, uint64_t n, const char *text);
int vmc_permit(struct vmc *v, char kind, uint64_t n, const char *text, size_t len,
	       vmc_answer_fn answer, void *to, struct error *e);
void vmc_permit_gone(struct vmc *v, const void *to);	/* cannot be answered any more */

struct programming *vmc_programming(struct vmc *v);	/* of the hosts we lead */
/* Waits for those; also -ESTALE while it is open which they are. */
struct programming_wait *vmc_wait(struct vmc *v, uint64_t revision, uint64_t deadline_ns,
				  programming_fn fn, void *arg);

struct vmc_stats {
	unsigned int hosts, owned, connected, in_step;
	uint64_t objects;		/* all hosts are to have */
	uint64_t specs, updates, acks, refusals, repairs;
	unsigned int queued;
	struct programming_stats programming;
	struct offload_stats offload;
	size_t objset_bytes;
};
void vmc_stats(struct vmc *v, struct vmc_stats *ret);
/* For people: status, hosts that are behind or have problems, quarantine, offloads. The caller deletes it. */
cJSON *vmc_status(struct vmc *v);
cJSON *vmc_hoverboards(struct vmc *v);
/* What the host said about "vport/<tenant>.<instance>": host, state, problem; NULL: nothing yet. */
cJSON *vmc_vport_status(struct vmc *v, const char *id);
