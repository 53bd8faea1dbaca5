/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.h - the pieces of mirachd and the order they start in
 *
 *	config ► lock ► dp ► hub ► flow thread ► underlay ► hoverboards ► endpoints ► vports ► policy
 *	► session ► admin socket
 *
 * agent_start() climbs this ladder, agent_stop() goes down it; nothing that the
 * fast path needs is undone on the way down. The flow thread's socket is there
 * before any vport is, so that the first misses wait for the policy instead of
 * being dropped. agent_reload() makes another configuration true, see change.h.
 */
#pragma once

#include <stdint.h>

#include <agent/config.h>
#include <agent/dp.h>
#include <agent/flow_thread.h>
#include <agent/hub.h>
#include <agent/samples.h>
#include <agent/underlay.h>
#include <agent/vport.h>
#include <lib/error.h>

struct event;
struct event_base;
struct admin;
struct session;
struct state;
struct usage_poll;
struct endpoints;
struct hoverboards;

#define HUB_PREFIX "mirach"		/* devices mirach0n and mirach0f */
#define HUB_SLOT_NEAR 1u		/* port slots of the hub's ends; vports begin after them */
#define HUB_SLOT_FAR 2u
#define HUB_NAME_NEAR "hub0-near"
#define HUB_NAME_FAR "hub0-far"

/* Where the configuration comes from: a file, or a controller. Strings live as long as the agent. */
struct agent_options {
	const char *config;		/* the file; with a controller its sections agent and limits, or NULL */
	const char *controllers;	/* HOST:PORT[,HOST:PORT...]; NULL: the file says all */
	const char *name;		/* of this host, as its certificate has it */
	const char *ca, *cert, *key;	/* PEM files */
	const char *state_dir;		/* of the checkpoint */
};

struct agent {
	struct event_base *base;
	struct event *tick;		/* once a second: grace periods, samples */
	int lock_fd;			/* instance.h; -1 until it is held */
	struct agent_options options;
	struct config *config;		/* in force */
	struct state *state;		/* NULL without a controller, as is session */
	struct session *session;
	struct usage_poll *usage;
	bool held;			/* nothing is known yet, so what an earlier agent left stays */
	struct dp *dp;
	struct hub hub;
	uint32_t hub_slot;
	struct underlay *underlay;
	struct hoverboards *hoverboards;
	struct endpoints *endpoints;
	struct vports *vports;
	struct flow_thread *flows;
	struct policy *policy;		/* main thread's own copy, for trace */
	struct admin *admin;
	struct samples samples;
	uint64_t started_ns;		/* CLOCK_MONOTONIC */
	uint32_t n_reloads;
	uint32_t n_changed;		/* flows the last policy changed */
	struct error last_reload;	/* err 0: the file on disk is the one in force */
};

/* @a zeroed. On failure everything is undone and the agent may be started again. */
int agent_start(struct agent *a, const struct agent_options *o, struct error *e);
void agent_stop(struct agent *a);	/* half-built is allowed */
/* On failure the configuration before it stays in force. With a controller: dials at once. */
int agent_reload(struct agent *a, struct error *e);
/* Removes everything an agent with this configuration made. For `mirachd --teardown`. */
int agent_teardown(const struct agent_options *o, struct error *e);
