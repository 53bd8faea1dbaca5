/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent.c - the pieces of mirachd and the order they start in
 *
 * The ladder is a table: each step builds one piece or says why not, and
 * agent_stop() takes the pieces apart in reverse, whichever are there. What the
 * kernel holds (maps, programs, links, the hub's devices) stays: forwarding goes
 * on without the agent, and the next one adopts it.
 *
 * See also: agent.h (the order and why), instance.h, docs/operations.md.
 */
#include <agent/agent.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <systemd/sd-daemon.h>

#include <agent/admin.h>
#include <agent/change.h>
#include <agent/endpoints.h>
#include <agent/gro.h>
#include <agent/hoverboards.h>
#include <agent/instance.h>
#include <agent/session.h>
#include <agent/state.h>
#include <agent/usage_poll.h>
#include <lib/clock.h>
#include <lib/log.h>

#define SETTLE_MAX_MS 3000		/* how long the first policy waits for the underlay */
#define SETTLE_POLL_MS 50

static void wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

/* Runs the loop until every remote host is resolved or given up on, or time is up. */
static int wait_settled(struct agent *a)
{
	const struct timeval period = { .tv_usec = SETTLE_POLL_MS * 1000 };
	uint64_t deadline = clock_now_ns() + SETTLE_MAX_MS * NS_PER_MS;
	struct event *poll = event_new(a->base, -1, EV_PERSIST, wake, NULL);

	if (!poll || event_add(poll, &period)) {
		if (poll)
			event_free(poll);
		return -ENOMEM;
	}
	while (!change_resolved(a) && clock_now_ns() < deadline &&
	       !event_base_got_break(a->base))
		event_base_loop(a->base, EVLOOP_ONCE);
	event_free(poll);
	if (!change_resolved(a))
		log_warn("remote hosts not resolved yet, going on without them");
	return 0;
}

/* The steps of the ladder. */

static int start_config(struct agent *a, struct error *e)
{
	const struct state_options o = {
		.host = a->options.name,
		.bootstrap = a->options.config,
		.dir = a->options.state_dir,
	};

	if (!a->options.controllers)
		return config_load(a->options.config, &a->config, e);
	return state_new(&o, &a->state, &a->config, e);
}

static int start_lock(struct agent *a, struct error *e)
{
	return instance_lock(a->config->socket, &a->lock_fd, e);
}

static int start_loop(struct agent *a, struct error *e)
{
	a->base = event_base_new();
	return a->base ? 0 : error_set(e, -ENOMEM, "cannot make an event loop");
}

static int start_dp(struct agent *a, struct error *e)
{
	const struct dp_options options = {
		.dir = a->config->bpffs,
		/* The flow table keeps an eighth in reserve: places that wait for a grace period. */
		.n_flows = a->config->max_flows + a->config->max_flows / 7,
		.n_endpoints = a->config->max_endpoints,
	};

	return dp_open(&options, &a->dp, e);
}

static int hub_end_set(struct agent *a, uint32_t slot, struct port port, const char *name,
		       enum dp_program program, struct error *e)
{
	int err;

	strncpy(port.name, name, sizeof(port.name) - 1);
	err = dp_port_set(a->dp, slot, &port, e);
	if (err)
		return err;
	return dp_port_attach(a->dp, name, port.ifindex, program, DP_HOOK_XDP_NATIVE, e);
}

/* The far end first: without its program the kernel refuses redirects into the pair. */
static int start_hub(struct agent *a, struct error *e)
{
	int err = hub_create(HUB_PREFIX, &a->hub, e);

	if (err)
		return err;
	a->hub_slot = HUB_SLOT_NEAR;
	err = hub_end_set(a, HUB_SLOT_FAR,
			  (struct port){ .ifindex = a->hub.far_ifindex, .kind = PORT_HUB_FAR },
			  HUB_NAME_FAR, DP_HUB_FEED, e);
	if (err)
		return err;
	return hub_end_set(a, HUB_SLOT_NEAR,
			   (struct port){ .ifindex = a->hub.near_ifindex, .kind = PORT_HUB },
			   HUB_NAME_NEAR, DP_HUB_RESUME, e);
}

static int start_flows(struct agent *a, struct error *e)
{
	const struct flow_thread_options options = {
		.dp = a->dp,
		.far_device = a->hub.far,
		.hub = 0,
		.flow_idle_ns = a->config->flow_idle_ms * NS_PER_MS,
		.busy_poll = a->config->busy_poll,
	};

	return flow_thread_new(&options, &a->flows, e);
}

static int start_underlay(struct agent *a, struct error *e)
{
	return underlay_new(a->base, a->dp, &a->underlay, e);
}

static int start_hoverboards(struct agent *a, struct error *e)
{
	return hoverboards_new(a->base, a->underlay, &a->hoverboards, e);
}

static int start_endpoints(struct agent *a, struct error *e)
{
	return endpoints_new(a->dp, a->underlay, &a->endpoints, e);
}

static int start_vports(struct agent *a, struct error *e)
{
	return vports_new(a->base, a->dp, a->underlay, a->hub_slot, &a->vports, e);
}

/* With a controller: what was in force last, as the checkpoint has it. */
static int start_state(struct agent *a, struct error *e)
{
	struct config *last;
	int err;

	if (!a->state)
		return 0;
	err = state_restore(a->state, a, &last, e);
	if (err)
		return err;
	a->held = !last && dp_adopted(a->dp);
	if (last) {
		config_free(a->config);
		a->config = last;
	}
	return 0;
}

/* Nothing is made true; the policy is for those who ask for explanations. */
static int hold(struct agent *a, struct error *e)
{
	const struct policy_bindings none = {};
	int err = policy_new(a->config, &none, &a->policy);

	if (err)
		return error_set(e, err, "no memory for a policy");
	log_warn("nothing is known of this host: what an earlier agent left stays until a "
		 "controller has spoken");
	return 0;
}

/* Makes the table of endpoints what the file says, or the checkpoint. */
static int endpoints_of_file(struct agent *a, const struct config *config, struct error *e)
{
	int err = 0;

	if (a->state)
		return state_endpoints_sync(a->state, e);
	endpoints_mark(a->endpoints);
	for (unsigned int i = 0; !err && i < config->n_endpoints; i++) {
		const struct config_endpoint *from = &config->endpoints[i];
		struct endpoint_spec s = { .vni = config->networks[from->network].vni,
					   .addr = from->addr, .host = from->host };

		memcpy(s.mac, from->mac, ETH_ADDR_LEN);
		err = endpoints_set(a->endpoints, &s, 1, e);
	}
	if (!err)
		endpoints_sweep(a->endpoints);
	return err;
}

static int start_policy(struct agent *a, struct error *e)
{
	struct change c = {};
	int err;

	if (a->held)
		return hold(a, e);
	err = endpoints_of_file(a, a->config, e);
	if (!err)
		err = change_begin(&c, a, a->config, e);
	if (!err)
		err = wait_settled(a);
	if (!err)
		err = change_finish(&c, a, e);
	change_done(&c);
	return err;
}

static int start_admin(struct agent *a, struct error *e)
{
	return admin_new(a, a->config->socket, a->config->socket_group, &a->admin, e);
}

static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct agent *a = arg;

	(void)fd, (void)what;
	flow_thread_grace(a->flows);
	samples_drain(&a->samples, a->dp);
	if (a->session)
		session_tick(a->session);
}

static int start_tick(struct agent *a, struct error *e)
{
	const struct timeval period = { .tv_sec = 1 };

	a->tick = event_new(a->base, -1, EV_PERSIST, tick, a);
	if (!a->tick || event_add(a->tick, &period))
		return error_set(e, -ENOMEM, "cannot make a timer");
	return 0;
}

static int start_session(struct agent *a, struct error *e)
{
	int err = a->state ? session_new(a, &a->session, e) : 0;

	if (!err && a->state)
		err = usage_poll_new(a, &a->usage, e);
	return err;
}

static int (*const ladder[])(struct agent *a, struct error *e) = {
	start_config, start_lock, start_loop, start_dp, start_hub, start_flows, start_underlay,
	start_hoverboards, start_endpoints, start_vports, start_state, start_policy, start_session,
	start_admin, start_tick,
};

static const char *counted(unsigned int n)
{
	return log_fmt("%u", n);
}

static void log_started(const struct agent *a)
{
	log_info(dp_adopted(a->dp) ? "started, adopted the datapath of an earlier agent" : "started",
		 "config", a->options.config ?: "none", "controllers", a->options.controllers ?: "none",
		 "host", a->config->host_name,
		 "networks", counted(a->config->n_networks),
		 "vports", counted(a->config->n_vports),
		 "remotes", counted(a->config->n_remotes));
}

int agent_start(struct agent *a, const struct agent_options *o, struct error *e)
{
	*a = (struct agent){ .options = *o, .lock_fd = -1, .started_ns = clock_now_ns() };
	for (size_t i = 0; i < sizeof(ladder) / sizeof(ladder[0]); i++) {
		int err = ladder[i](a, e);

		if (err) {
			agent_stop(a);
			return err;
		}
	}
	log_started(a);
	return 0;
}

void agent_stop(struct agent *a)
{
	if (a->tick)
		event_free(a->tick);
	admin_free(a->admin);
	usage_poll_free(a->usage);
	session_free(a->session);
	state_free(a->state);
	policy_free(a->policy);
	vports_free(a->vports);
	endpoints_free(a->endpoints);
	hoverboards_free(a->hoverboards);
	underlay_free(a->underlay);
	flow_thread_free(a->flows);
	dp_close(a->dp);
	if (a->base)
		event_base_free(a->base);
	if (a->lock_fd >= 0)
		close(a->lock_fd);
	config_free(a->config);
	*a = (struct agent){ .lock_fd = -1 };
}

/* Reload. */

static bool same_text(const char *a, const char *b)
{
	return !a || !b ? a == b : !strcmp(a, b);
}

/* What only a restart can change. */
static int check_unchanged(const struct config *old, const struct config *new, struct error *e)
{
	const struct {
		const char *field;
		bool same;
	} fixed[] = {
		{ "agent.bpffs", same_text(old->bpffs, new->bpffs) },
		{ "agent.socket", same_text(old->socket, new->socket) },
		{ "agent.socket_group", same_text(old->socket_group, new->socket_group) },
		{ "agent.busy_poll", old->busy_poll == new->busy_poll },
		{ "limits.endpoints", old->max_endpoints == new->max_endpoints },
		{ "limits.flows", old->max_flows == new->max_flows },
		{ "limits.flow_idle", old->flow_idle_ms == new->flow_idle_ms },
	};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (!fixed[i].same)
			return error_set(e, -EBUSY, "%s: %s cannot change while the agent runs; "
					 "restart it", new->path, fixed[i].field);
	return 0;
}

static int reload(struct agent *a, struct error *e)
{
	struct config *config = NULL;
	struct error undo = {};
	int err;

	err = config_load(a->options.config, &config, e);
	if (err)
		return err;
	err = check_unchanged(a->config, config, e);
	if (err)
		goto free_config;
	err = endpoints_of_file(a, config, e);
	if (!err)
		err = change_make(a, config, e);
	if (err)
		goto restore;
	config_free(a->config);
	a->config = config;
	a->n_reloads++;
	return 0;

restore:
	if (endpoints_of_file(a, a->config, &undo) || change_make(a, a->config, &undo))
		log_error("cannot go back to the old configuration either", "error", undo.text);
free_config:
	config_free(config);
	return err;
}

static void log_each_line(const char *msg, const char *text)
{
	while (*text) {
		int len = strcspn(text, "\n");

		log_error(msg, "error", log_fmt("%.*s", len, text));
		text += len;
		text += *text == '\n';
	}
}

int agent_reload(struct agent *a, struct error *e)
{
	struct error local = {};
	int err;

	if (!e)
		e = &local;
	if (a->session) {
		session_hurry(a->session);
		return 0;
	}
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_now_ns() / 1000));
	err = reload(a, e);
	if (err) {
		a->last_reload = *e;
		log_each_line("reload refused, the old configuration stays", e->text);
	} else {
		a->last_reload = (struct error){};
		log_info("reloaded", "flows_changed", counted(a->n_changed));
	}
	sd_notify(0, "READY=1");
	return err;
}

/* Teardown. */

static int teardown(const struct config *config, struct error *e)
{
	int err, lock;

	err = instance_lock(config->socket, &lock, e);
	if (err)
		return err;
	err = dp_teardown(config->bpffs, e);
	if (!err)
		err = hub_destroy(HUB_PREFIX, e);
	if (!err)
		err = gro_remove(e);
	if (!err) {
		unlink(config->socket);
		instance_forget(config->socket);
	}
	close(lock);
	return err;
}

int agent_teardown(const struct agent_options *o, struct error *e)
{
	struct agent a = { .options = *o };
	int err = start_config(&a, e);

	if (err)
		return err;
	err = teardown(a.config, e);
	if (!err && a.state)
		state_erase(a.state);
	state_free(a.state);
	config_free(a.config);
	return err;
}
