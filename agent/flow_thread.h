/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_thread.h - the flow-miss coprocessor: one thread, one hub, one flow table
 *
 *	hub far end ──AF_XDP rx──► parse ► compile ► publish ──AF_XDP tx──► hub far end
 *	                            (batches; the frame stays where it is in the UMEM)
 *
 * The thread takes misses off its socket in batches, compiles each flow once,
 * publishes the action and sends the same packet back with the flow's index in
 * the hub header: the first packet of a flow is never lost. Between batches it
 * ages flows and revalidates them when the policy changed.
 *
 * The thread is the single writer of flow_index and flows. Everybody else asks it
 * through a mailbox of depth one: flow_thread_call() runs a short function on the
 * thread and waits for it.
 */
#pragma once

#include <stdint.h>

#include <agent/dp.h>
#include <agent/flow_table.h>
#include <agent/policy/policy.h>
#include <lib/error.h>

struct flow_thread;

struct flow_thread_options {
	struct dp *dp;
	const char *far_device;		/* the hub's far end */
	uint32_t hub;			/* index into hub_socks */
	uint64_t flow_idle_ns;
	bool busy_poll;
	uint32_t n_frames;		/* UMEM frames of 4 KiB, a power of two; 0 = 4096 */
};

/* Starts the thread with no policy: until flow_thread_set_policy() misses wait in the ring. */
int flow_thread_new(const struct flow_thread_options *o, struct flow_thread **ret, struct error *e);
/* Ends and joins it. Published flows stay. */
void flow_thread_free(struct flow_thread *t);

/*
 * Hands over a new policy (ownership passes) and revalidates every flow against
 * it: on return no flow acts on a rule that is gone. @ret_changed may be NULL.
 */
void flow_thread_set_policy(struct flow_thread *t, struct policy *p, uint32_t *ret_changed);

/* flow_thread_options.flow_idle_ns, from now on. */
void flow_thread_set_idle(struct flow_thread *t, uint64_t idle_ns);

/* Runs @fn on the thread between two batches and waits. @fn must be short and must not block. */
typedef void (*flow_thread_fn)(struct flow_table *table, const struct policy *policy, void *arg);
void flow_thread_call(struct flow_thread *t, flow_thread_fn fn, void *arg);

/*
 * Passes retired indices through a grace period. The thread sees to that itself,
 * once a second and sooner when indices run low; this asks for a round now and
 * returns at once.
 */
void flow_thread_grace(struct flow_thread *t);

struct flow_thread_counts {
	uint64_t misses;		/* frames taken off the hub */
	uint64_t installed;		/* flows published */
	uint64_t resumed;		/* frames sent back to act on */
	uint64_t dropped;		/* frames sent back to be dropped */
	uint64_t batches;
	uint64_t hub_overflow;		/* frames lost because the socket's ring was full (kernel's count) */
	uint64_t tx_errors;
};
void flow_thread_counts(struct flow_thread *t, struct flow_thread_counts *ret);
