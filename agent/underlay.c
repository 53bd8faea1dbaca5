/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * underlay.c - asks the kernel on behalf of each remote host's resolver
 *
 *	news, time ──► run(): for each host that is due
 *	                  path_find()        route, device, neighbour: asked afresh
 *	                  resolver_step()    decides
 *	                  publish()          template, next hop
 *
 * News only make hosts due; all facts come from questions asked in run(). Runs
 * are spaced by a multiple of what the last one cost, so that a storm of route
 * changes takes a bounded share of the CPU.
 *
 * An answer inherited from an earlier agent stays in force until this one knows
 * better: a restart loses no packet. Main thread only.
 *
 * See also: path.h (the questions), resolver.h (the decisions), nexthops.h (ids
 * and safe writes), docs/underlay.md.
 */
#include <agent/underlay.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/nexthops.h>
#include <agent/path.h>
#include <agent/pmtu.h>
#include <agent/pmtu_watch.h>
#include <agent/resolver.h>
#include <agent/template.h>
#include <lib/clock.h>
#include <lib/log.h>
#include <lib/nl.h>

#define RUN_GAP_MIN_MS 10u		/* between runs: news come in bunches */
#define RUN_GAP_FACTOR 4u		/* ... and four times the last run: a fifth of a CPU at most */

struct remote {
	struct ip_addr addr;
	uint32_t id;
	bool leaving;			/* no configuration names it any more */
	bool inherited;			/* an earlier agent's answer is in force until we know better */
	struct resolver resolver;
	struct pmtu pmtu;		/* what routers on the way said */
	char device[IF_NAMESIZE];	/* the route leaves by it */
	char why[PATH_WHY_LEN];		/* what is wrong with the way; "" = nothing */
	uint64_t changes;
};

struct underlay {
	struct paths paths;
	struct nl_watch *watch;
	struct pmtu_watch *pmtu_watch;
	struct pmtu_tunnel pmtu_tunnel;	/* what our outer packets look like */
	struct event *timer;
	uint64_t not_before_ns;		/* next run */
	struct nexthops nexthops;
	struct tunnel_spec spec;	/* the part that is the same for all hosts */
	struct remote *remotes;		/* sorted by address */
	unsigned int n_remotes;
};

static int by_address(const void *a, const void *b)
{
	return memcmp(&((const struct remote *)a)->addr, &((const struct remote *)b)->addr,
		      sizeof(struct ip_addr));
}

static struct remote *find_remote(struct remote *remotes, unsigned int n, const struct ip_addr *addr)
{
	const struct remote key = { .addr = *addr };

	return n ? bsearch(&key, remotes, n, sizeof(key), by_address) : NULL;
}

/* Words about it. */

static const char *why(const struct remote *r, char *buf, size_t len)
{
	char hop[IP_ADDR_STRLEN];

	ip_addr_format(&r->resolver.wanted.hop, hop, sizeof(hop));
	if (r->resolver.state == RESOLVER_FAILED)
		snprintf(buf, len, "%s on %s does not answer", hop, r->device);
	else if (r->resolver.state == RESOLVER_PROBING)
		snprintf(buf, len, "waiting for the MAC of %s on %s", hop, r->device);
	else
		snprintf(buf, len, "%s", r->why);
	return buf;
}

static void log_change(struct remote *r)
{
	char addr[IP_ADDR_STRLEN], mac[MAC_STRLEN], reason[160];

	ip_addr_format(&r->addr, addr, sizeof(addr));
	mac_format(r->resolver.mac, mac, sizeof(mac));
	why(r, reason, sizeof(reason));
	if (r->resolver.up)
		log_info("remote host reachable", "remote", addr, "device", r->device, "mac", mac,
			 "mtu", log_fmt("%u", r->resolver.path.mtu), "note", reason);
	else
		log_warn("remote host not reachable", "remote", addr, "why", reason);
}

/* Publishing. */

static void make_body(const struct underlay *u, const struct remote *r, struct nexthop_body *ret)
{
	const struct path_uplink *uplink = path_uplink(&u->paths, r->resolver.path.uplink);
	struct tunnel_spec spec = u->spec;

	spec.local = *path_local(&u->paths, &r->addr);
	spec.remote = r->addr;
	memcpy(spec.smac, r->resolver.path.smac, ETH_ADDR_LEN);
	memcpy(spec.dmac, r->resolver.mac, ETH_ADDR_LEN);
	spec.vlan = uplink ? uplink->vlan : 0;
	spec.port = r->resolver.path.uplink;
	spec.underlay_mtu = r->resolver.path.mtu;
	if (!r->resolver.up || !uplink || template_tunnel(&spec, ret))
		template_down(ret);
}

static void publish(struct underlay *u, struct remote *r)
{
	struct nexthop_body body;
	struct error e = {};
	int written;

	if (r->inherited && !r->resolver.up && !r->resolver.settled)
		return;
	r->inherited = false;
	make_body(u, r, &body);
	written = nexthops_put(&u->nexthops, r->id, &body, &r->addr, &e);
	if (written < 0)
		log_error("next hop not written", "id", log_fmt("%u", r->id), "error", e.text);
	r->changes += written > 0;
}

static bool given_up(const struct resolver *r)
{
	return r->state == RESOLVER_FAILED || r->state == RESOLVER_NO_ROUTE;
}

static void refresh(struct underlay *u, struct remote *r, uint64_t now)
{
	const struct resolver before = r->resolver;
	struct resolver_facts facts;

	path_find(&u->paths, &r->addr, &facts, r->device, r->why);
	facts.path.mtu = pmtu_limit(&r->pmtu, facts.path.mtu, now);
	if (resolver_step(&r->resolver, &facts, now))
		nl_neigh_use(u->paths.nl, facts.path.ifindex, &facts.path.hop);
	publish(u, r);
	if (r->resolver.up != before.up ||
	    (given_up(&r->resolver) && (!before.settled || r->resolver.state != before.state)))
		log_change(r);
}

/* When to run. */

static uint64_t due_ns(const struct remote *r)
{
	uint64_t forget = r->pmtu.until_ns ?: UINT64_MAX;

	return forget < r->resolver.due_ns ? forget : r->resolver.due_ns;
}

static void arm(struct underlay *u)
{
	uint64_t due = UINT64_MAX, now = clock_now_ns(), wait;
	struct timeval tv;
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++)
		if (due_ns(&u->remotes[i]) < due)
			due = due_ns(&u->remotes[i]);
	if (due == UINT64_MAX)
		return;
	if (due < u->not_before_ns)
		due = u->not_before_ns;
	wait = due > now ? due - now : 0;
	tv = (struct timeval){ .tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / 1000 };
	evtimer_add(u->timer, &tv);
}

static void run(struct underlay *u)
{
	uint64_t now = clock_now_ns(), cost;
	unsigned int i;

	path_look(&u->paths);
	for (i = 0; i < u->n_remotes; i++)
		if (due_ns(&u->remotes[i]) <= now)
			refresh(u, &u->remotes[i], now);
	cost = clock_now_ns() - now;
	u->not_before_ns = now + cost + cost * RUN_GAP_FACTOR + RUN_GAP_MIN_MS * NS_PER_MS;
	arm(u);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	run(arg);
}

/* Whether news of this device may change a way out. */
static bool concerns_device(const struct underlay *u, int ifindex, const char *name)
{
	unsigned int i;

	if (path_is_uplink(&u->paths, ifindex, name))
		return true;
	for (i = 0; i < u->n_remotes; i++)
		if (u->remotes[i].resolver.wanted.ifindex == ifindex)
			return true;
	return false;
}

static bool concerns_all(const struct underlay *u, const struct nl_news *news)
{
	switch (news->kind) {
	case NL_LINK:
		return concerns_device(u, news->ifindex, news->name);
	case NL_ADDR:
		return concerns_device(u, news->ifindex, "") ||
		       ip_addr_equal(&news->addr.addr, &u->paths.local[0]) ||
		       ip_addr_equal(&news->addr.addr, &u->paths.local[1]);
	case NL_RESYNC:
		return true;
	default:
		return false;
	}
}

static bool concerns(const struct remote *r, const struct nl_news *news)
{
	if (news->kind == NL_ROUTE)
		return ip_prefix_covers(&news->addr, &r->addr);
	return news->kind == NL_NEIGH && r->resolver.wanted.ifindex == news->ifindex &&
	       ip_addr_equal(&r->resolver.wanted.hop, &news->addr.addr);
}

static void on_news(const struct nl_news *news, void *arg)
{
	struct underlay *u = arg;
	bool all = concerns_all(u, news), any = false;
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++)
		if (all || concerns(&u->remotes[i], news)) {
			u->remotes[i].resolver.due_ns = 0;
			any = true;
		}
	if (any)
		arm(u);
}

/* A router on the way dropped an outer packet: the next hop shrinks, and guests are told. */
static void on_pmtu(const struct pmtu_report *report, void *arg)
{
	struct underlay *u = arg;
	struct remote *r = find_remote(u->remotes, u->n_remotes, &report->remote);
	uint32_t before;
	char addr[IP_ADDR_STRLEN];

	if (!r || !r->resolver.up)
		return;
	before = r->resolver.path.mtu;
	if (!pmtu_learn(&r->pmtu, before, report->mtu, clock_now_ns()))
		return;
	log_info("the path has a smaller MTU", "remote",
		 ip_addr_format(&r->addr, addr, sizeof(addr)), "mtu", log_fmt("%u", report->mtu),
		 "before", log_fmt("%u", before));
	r->resolver.due_ns = 0;
	arm(u);
}

/* Life. */

int underlay_new(struct event_base *base, struct dp *dp, struct underlay **ret, struct error *e)
{
	const unsigned int kinds = 1u << NL_LINK | 1u << NL_ADDR | 1u << NL_ROUTE | 1u << NL_NEIGH;
	struct underlay *u = calloc(1, sizeof(*u));
	int err;

	if (!u)
		return error_set(e, -ENOMEM, "no memory for the underlay");
	u->timer = evtimer_new(base, on_timer, u);
	err = u->timer ? 0 : error_set(e, -ENOMEM, "no memory for a timer");
	if (!err)
		err = nexthops_init(&u->nexthops, dp, e);
	if (!err)
		err = nl_new(&u->paths.nl, e);
	if (!err)
		err = nl_watch_new(base, kinds, on_news, u, &u->watch, e);
	if (!err)
		err = pmtu_watch_new(base, &u->pmtu_tunnel, on_pmtu, u, &u->pmtu_watch, e);
	if (err) {
		underlay_free(u);
		return err;
	}
	*ret = u;
	return 0;
}

void underlay_free(struct underlay *u)
{
	if (!u)
		return;
	pmtu_watch_free(u->pmtu_watch);
	nl_watch_free(u->watch);
	nl_free(u->paths.nl);
	nexthops_done(&u->nexthops);
	if (u->timer)
		event_free(u->timer);
	free(u->remotes);
	free(u);
}

/* Configuration. */

static int by_address_then_leaving(const void *a, const void *b)
{
	const struct remote *x = a, *y = b;
	int order = by_address(a, b);

	return order ? order : x->leaving - y->leaving;
}

/* The remote hosts that @config names, and those known before, which leave; each once, sorted. */
static int list_hosts(const struct underlay *u, const struct config *config, struct remote **ret,
		      unsigned int *ret_n)
{
	unsigned int i, all = config->n_remotes + u->n_remotes, n = 0;
	struct remote *hosts = calloc(all + 1, sizeof(*hosts));

	if (!hosts)
		return -ENOMEM;
	for (i = 0; i < config->n_remotes; i++)
		hosts[i].addr = config->remotes[i].host;
	for (i = 0; i < u->n_remotes; i++) {
		hosts[config->n_remotes + i].addr = u->remotes[i].addr;
		hosts[config->n_remotes + i].leaving = true;
	}
	qsort(hosts, all, sizeof(*hosts), by_address_then_leaving);
	for (i = 0; i < all; i++)
		if (!n || by_address(&hosts[n - 1], &hosts[i]))
			hosts[n++] = hosts[i];
	*ret = hosts;
	*ret_n = n;
	return 0;
}

static void release_new(struct underlay *u, struct remote *hosts, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!find_remote(u->remotes, u->n_remotes, &hosts[i].addr))
			nexthops_release(&u->nexthops, hosts[i].id);
}

/* Fills @hosts with what is known of them, and with ids. Takes everything back on failure. */
static int enter_hosts(struct underlay *u, struct remote *hosts, unsigned int n, struct error *e)
{
	uint64_t now = clock_now_ns();
	unsigned int i;

	for (i = 0; i < n; i++) {
		struct remote *old = find_remote(u->remotes, u->n_remotes, &hosts[i].addr);

		if (old) {
			bool leaving = hosts[i].leaving;

			hosts[i] = *old;
			hosts[i].leaving = leaving;
			continue;
		}
		hosts[i].id = nexthops_claim_tunnel(&u->nexthops, &hosts[i].addr);
		hosts[i].inherited = true;
		resolver_init(&hosts[i].resolver, now);
		if (!hosts[i].id) {
			release_new(u, hosts, i);
			return error_set(e, -ENOSPC, "no next hop id is free: %u remote hosts are "
					 "too many", n);
		}
	}
	return 0;
}

void underlay_forget(struct underlay *u)
{
	unsigned int i, n = 0;

	for (i = 0; i < u->n_remotes; i++) {
		if (u->remotes[i].leaving)
			nexthops_release(&u->nexthops, u->remotes[i].id);
		else
			u->remotes[n++] = u->remotes[i];
	}
	u->n_remotes = n;
	nexthops_sweep(&u->nexthops);
}

static void take_settings(struct underlay *u, const struct config *config, const uint32_t *slots)
{
	unsigned int i;

	u->spec = (struct tunnel_spec){ .tunnel = config->tunnel, .udp_port = config->tunnel_port,
					.dscp = config->dscp, .tos = config->tos };
	memcpy(u->paths.local, config->underlay, sizeof(u->paths.local));
	u->pmtu_tunnel = (struct pmtu_tunnel){ .tunnel = config->tunnel,
					       .udp_port = config->tunnel_port };
	memcpy(u->pmtu_tunnel.local, config->underlay, sizeof(u->pmtu_tunnel.local));
	u->paths.n_uplinks = config->n_uplinks;
	for (i = 0; i < config->n_uplinks; i++) {
		struct path_uplink *uplink = &u->paths.uplinks[i];

		*uplink = (struct path_uplink){ .slot = slots[i], .vlan = config->uplinks[i].vlan };
		snprintf(uplink->device, sizeof(uplink->device), "%s", config->uplinks[i].device);
	}
}

/* A body that an earlier agent left may stay if it leaves by a port that still is an uplink. */
static bool may_inherit(const struct underlay *u, const struct nexthop_body *body)
{
	return body->kind == NEXTHOP_TUNNEL && path_uplink(&u->paths, body->port);
}

/* Nothing may leave by a slot that is no uplink any more: it may become a guest's. */
static void drop_stale_answers(struct underlay *u, uint64_t now)
{
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++) {
		struct remote *r = &u->remotes[i];

		if (!path_uplink(&u->paths, r->resolver.path.uplink))
			resolver_uplink_gone(&r->resolver, r->resolver.path.uplink, now);
		if (!may_inherit(u, nexthops_body(&u->nexthops, r->id)))
			r->inherited = false;
		r->resolver.due_ns = now;
		publish(u, r);
	}
}

int underlay_apply(struct underlay *u, const struct config *config, const uint32_t *uplink_slots,
		   uint32_t *ret_ids, struct error *e)
{
	struct remote *hosts;
	unsigned int i, n;
	int err;

	err = list_hosts(u, config, &hosts, &n);
	if (err)
		return error_set(e, err, "no memory for %u remotes", config->n_remotes);
	err = enter_hosts(u, hosts, n, e);
	if (err) {
		free(hosts);
		return err;
	}
	free(u->remotes);
	u->remotes = hosts;
	u->n_remotes = n;
	take_settings(u, config, uplink_slots);
	drop_stale_answers(u, clock_now_ns());
	for (i = 0; i < config->n_remotes; i++)
		ret_ids[i] = find_remote(u->remotes, n, &config->remotes[i].host)->id;
	run(u);
	return 0;
}

uint32_t underlay_local_id(struct underlay *u, uint32_t port)
{
	return nexthops_claim_local(&u->nexthops, port);
}

int underlay_local_set(struct underlay *u, uint32_t port, uint32_t mtu, struct error *e)
{
	struct nexthop_body body;
	uint32_t id = nexthops_claim_local(&u->nexthops, port);
	int written;

	if (!id)
		return error_set(e, -ENOSPC, "no next hop id is free");
	template_local(port, mtu, &body);
	written = nexthops_put(&u->nexthops, id, &body, NULL, e);
	return written < 0 ? written : 0;
}

void underlay_local_release(struct underlay *u, uint32_t port)
{
	uint32_t id = nexthops_find_local(&u->nexthops, port);

	if (id)
		nexthops_release(&u->nexthops, id);
}

bool underlay_settled(const struct underlay *u)
{
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++)
		if (!u->remotes[i].resolver.settled)
			return false;
	return true;
}

/* Views. */

static enum underlay_state view_state(enum resolver_state state)
{
	switch (state) {
	case RESOLVER_NO_ROUTE:
		return UNDERLAY_NO_ROUTE;
	case RESOLVER_READY:
	case RESOLVER_STALE:
		return UNDERLAY_READY;
	default:
		return UNDERLAY_PROBING;
	}
}

static void show(const struct remote *r, void (*fn)(const struct underlay_view *v, void *arg),
		 void *arg)
{
	const struct resolver *s = &r->resolver;
	char reason[160];
	struct underlay_view v = {
		.id = r->id,
		.remote = r->addr,
		.state = view_state(s->state),
		.mtu = s->up ? s->path.mtu : 0,
		.changes = r->changes,
		.why = why(r, reason, sizeof(reason)),
	};

	if (s->state != RESOLVER_NO_ROUTE && !ip_addr_equal(&s->wanted.hop, &r->addr))
		v.gateway = s->wanted.hop;
	if (s->up)
		memcpy(v.mac, s->mac, ETH_ADDR_LEN);
	memcpy(v.device, r->device, sizeof(v.device));
	fn(&v, arg);
}

static int by_id(const void *a, const void *b)
{
	const struct remote *x = *(struct remote *const *)a, *y = *(struct remote *const *)b;

	return x->id < y->id ? -1 : x->id > y->id;
}

void underlay_each(struct underlay *u, void (*fn)(const struct underlay_view *v, void *arg), void *arg)
{
	struct remote **sorted = calloc(u->n_remotes + 1, sizeof(*sorted));
	unsigned int i;

	if (!sorted)
		return;
	for (i = 0; i < u->n_remotes; i++)
		sorted[i] = &u->remotes[i];
	qsort(sorted, u->n_remotes, sizeof(*sorted), by_id);
	for (i = 0; i < u->n_remotes; i++)
		show(sorted[i], fn, arg);
	free(sorted);
}
