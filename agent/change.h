/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.h - one configuration on its way into force: make before break
 *
 *	change_begin()		slots and ids for what is new, uplinks, next hops, the
 *				compiled policy: all that may fail, nothing that a packet of
 *				a known flow could notice
 *	change_resolved()	hosts that are new have answered, or have been given up on
 *	change_finish()		the policy, flow by flow; then ports come and go, and next
 *				hops that no rule names any more
 *
 * Every packet is handled by one action, compiled wholly by the old rules or wholly
 * by the new. A new vport finds its rules when its first frame comes; a flow that
 * moves to another host finds the next hop resolved; what goes loses its rules
 * before it loses its port.
 *
 * A change that fails is followed by one back to the configuration before. Main
 * thread only. See also: vport.h, underlay.h, flow_thread.h.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/config.h>
#include <lib/error.h>

struct agent;
struct policy;

struct change {
	const struct config *config;	/* the caller's; must live until change_done() */
	uint32_t uplink_slots[CONFIG_UPLINKS_MAX]; /* slots and ids in the order of config's arrays */
	uint32_t *vport_slots, *vport_nexthops, *remote_nexthops;
	uint32_t *remote_sets, *network_sets;
	struct policy *ours, *theirs;	/* two copies: ours explains, theirs is the flow thread's */
};

/* All but _done() return 0 or -errno. After any of them, also a failed one: change_done(). */
int change_begin(struct change *c, struct agent *a, const struct config *config, struct error *e);
bool change_resolved(const struct agent *a);
int change_finish(struct change *c, struct agent *a, struct error *e);
void change_done(struct change *c);

/* All at once, without waiting for hosts that are new. */
int change_make(struct agent *a, const struct config *config, struct error *e);
