/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * change.c - one configuration on its way into force; the order is in change.h
 */
#include <agent/change.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/agent.h>
#include <agent/hoverboards.h>
#include <agent/policy/policy.h>

static int make_room(struct change *c)
{
	c->vport_slots = calloc(c->config->n_vports + 1, sizeof(uint32_t));
	c->vport_nexthops = calloc(c->config->n_vports + 1, sizeof(uint32_t));
	c->remote_nexthops = calloc(c->config->n_remotes + 1, sizeof(uint32_t));
	c->remote_sets = calloc(c->config->n_remotes + 1, sizeof(uint32_t));
	c->network_sets = calloc(c->config->n_networks + 1, sizeof(uint32_t));
	return c->vport_slots && c->vport_nexthops && c->remote_nexthops && c->remote_sets &&
	       c->network_sets ? 0 : -ENOMEM;
}

/* Two policies from the same bindings: the flow thread owns one, the other explains. */
static int compile(struct change *c, struct agent *a, struct error *e)
{
	struct policy_bindings b = {
		.vport_slots = c->vport_slots,
		.vport_nexthops = c->vport_nexthops,
		.remote_nexthops = c->remote_nexthops,
		.remote_sets = c->remote_sets,
		.network_sets = c->network_sets,
	};
	int err;

	b.set_slots = hoverboards_slots(a->hoverboards, &b.n_sets);
	err = policy_new(c->config, &b, &c->ours);
	if (!err)
		err = policy_new(c->config, &b, &c->theirs);
	return err ? error_set(e, err, "cannot compile the policy: %s", strerror(-err)) : 0;
}

/* The underlay needs the uplinks' slots, so ports come first. */
int change_begin(struct change *c, struct agent *a, const struct config *config, struct error *e)
{
	int err;

	*c = (struct change){ .config = config };
	err = make_room(c);
	if (err)
		return error_set(e, err, "out of memory");
	err = vports_apply(a->vports, config, c->uplink_slots, c->vport_slots, c->vport_nexthops, e);
	if (err)
		return err;
	err = underlay_apply(a->underlay, config, c->uplink_slots, c->remote_nexthops, e);
	if (!err)
		err = hoverboards_apply(a->hoverboards, config, c->network_sets,
					c->remote_sets, e);
	return err ? err : compile(c, a, e);
}

bool change_resolved(const struct agent *a)
{
	return underlay_settled(a->underlay);
}

int change_finish(struct change *c, struct agent *a, struct error *e)
{
	int err;

	flow_thread_set_policy(a->flows, c->theirs, &a->n_changed);
	c->theirs = NULL;
	policy_free(a->policy);
	a->policy = c->ours;
	c->ours = NULL;
	err = vports_settle(a->vports, c->config, c->vport_slots, e);
	if (err)
		return err;
	hoverboards_forget(a->hoverboards);
	underlay_forget(a->underlay);
	return 0;
}

void change_done(struct change *c)
{
	policy_free(c->ours);
	policy_free(c->theirs);
	free(c->vport_slots);
	free(c->vport_nexthops);
	free(c->remote_nexthops);
	free(c->remote_sets);
	free(c->network_sets);
	*c = (struct change){};
}

int change_make(struct agent *a, const struct config *config, struct error *e)
{
	struct change c;
	int err = change_begin(&c, a, config, e);

	if (!err)
		err = change_finish(&c, a, e);
	change_done(&c);
	return err;
}
