/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * policy.h - the policy compiler: from declared networks to one flow's action
 *
 *   struct config + slots + next hop ids --policy_new()--> struct policy (immutable)
 *   struct policy + flow_key          --policy_compile()--> struct decision
 *
 * All of Mirach's rules are evaluated here, once per flow. The compiler is pure:
 * no I/O, no clock, no global state; the same call answers a miss, revalidates an
 * installed flow and explains itself to `mirachctl trace`. Nothing but the key
 * may influence a decision, or flows could not be revalidated.
 *
 * A decision says how much of the packet it looked at: `tuple` is FLOW_TUPLE_3
 * unless a rule needed the ports, and the flow is installed with that key.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/boards.h>
#include <agent/config.h>
#include <mirach/flow.h>
#include <mirach/reasons.h>

/* What the compiler needs to know that the configuration does not say. Copied by policy_new(). */
struct policy_bindings {
	const uint32_t *vport_slots;	/* port slot of config.vports[i] */
	const uint32_t *vport_nexthops;	/* local next hop id of config.vports[i] */
	const uint32_t *remote_nexthops;/* tunnel next hop id of config.remotes[i].host */
	const uint32_t *remote_sets;	/* of config.remotes[i].gateways: as network_sets */
	const uint32_t *network_sets;	/* of config.networks[i]: its row of set_slots, SET_NONE: no hoverboards; NULL: none has */
	const uint32_t (*set_slots)[BOARD_SLOTS]; /* next hop ids */
	uint32_t n_sets;
};

#define SET_NONE 0xffffffffu

struct policy;

/* Takes a reference to nothing: @config may be freed afterwards. Returns 0 or -ENOMEM. */
int policy_new(const struct config *config, const struct policy_bindings *b, struct policy **ret);
void policy_free(struct policy *p);

struct decision {
	struct action action;		/* complete but for gen; a drop is an action too */
	uint8_t tuple;			/* FLOW_TUPLE_3 or FLOW_TUPLE_5: key the answer is good for */
	uint32_t network;		/* VNI, 0 if unknown */
	uint8_t way;			/* WAY_*: of what a vport sends to where hoverboards could take it */
};

/* As flow_watch_set() wants it: enum usage_way + 1. */
#define WAY_NONE 0u
#define WAY_HOVERBOARD 1u
#define WAY_DIRECT 2u

/* One step of the explanation: "what was asked", "what was found". */
struct policy_step {
	char what[48];			/* e.g. "source check" */
	char found[160];		/* e.g. "vport web-1 owns 10.0.0.2" */
};
#define POLICY_STEPS_MAX 24
struct policy_trace {
	unsigned int n;
	struct policy_step steps[POLICY_STEPS_MAX];
};

/*
 * Decides for the packet or flow described by @key (tuple 5 for a packet; for
 * revalidation the installed key, where a 3-tuple has zero ports). Never fails:
 * what may not pass gets ACTION_DROP with its reason. @trace may be NULL.
 *
 * Order: scope known > tags match > source owned (vport: its address, or a prefix routed to it; fabric: the
 * outer source is the host of that address or prefix, or a hoverboard, which has
 * made sure of that) > destination form > gateway > destination route (longest prefix;
 * local before remote; on hosts a hoverboard, on hoverboards the endpoints for the
 * rest) > TTL if it crosses subnets > tags of the receiving vport > samples.
 */
void policy_compile(const struct policy *p, const struct flow_key *key, struct decision *ret,
		    struct policy_trace *trace);

/* Name of the vport in a slot, or of the network with a VNI; NULL if unknown. For messages. */
const char *policy_vport_name(const struct policy *p, uint32_t slot);
const char *policy_network_name(const struct policy *p, uint32_t vni);
/* Text of action.rule, e.g. "remote 10.0.0.0/24 via 192.0.2.2"; "" for 0. Valid until the thread asks again. */
const char *policy_rule_text(const struct policy *p, uint32_t rule);
