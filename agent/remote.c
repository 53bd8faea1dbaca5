/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * remote.c - the ways to one host; remote_refresh() is the table of contents
 */
#include <agent/remote.h>

#include <stdio.h>
#include <string.h>

#include <agent/spread.h>
#include <lib/clock.h>
#include <lib/log.h>
#include <lib/nl.h>

#define each_way(r, w) (w) = (r)->ways; (w) < (r)->ways + PATH_WAYS_MAX; (w)++

/* What is known. */

bool remote_up(const struct remote *r)
{
	const struct remote_way *w;

	for (each_way(r, w))
		if (w->named && w->resolver.up)
			return true;
	return false;
}

bool remote_settled(const struct remote *r)
{
	const struct remote_way *w;

	if (remote_up(r))
		return true;
	for (each_way(r, w))
		if (w->named && !w->resolver.settled)
			return false;
	return true;
}

uint64_t remote_due_ns(const struct remote *r)
{
	uint64_t due = r->pmtu.until_ns ?: UINT64_MAX;
	const struct remote_way *w;

	for (each_way(r, w))
		if (w->named && w->resolver.due_ns < due)
			due = w->resolver.due_ns;
	return due;
}

void remote_hurry(struct remote *r)
{
	struct remote_way *w;

	for (each_way(r, w))
		w->resolver.due_ns = 0;
}

uint32_t remote_mtu(const struct remote *r)
{
	const struct remote_way *w;
	uint32_t mtu = 0;

	for (each_way(r, w))
		if (w->named && w->resolver.up && w->resolver.path.mtu > mtu)
			mtu = w->resolver.path.mtu;
	return mtu;
}

bool remote_leaves_by(const struct remote *r, int ifindex)
{
	const struct remote_way *w;

	for (each_way(r, w))
		if (w->named && w->resolver.wanted.ifindex == ifindex)
			return true;
	return false;
}

bool remote_asks_for(const struct remote *r, int ifindex, const struct ip_addr *hop)
{
	const struct remote_way *w;

	for (each_way(r, w))
		if (w->named && w->resolver.wanted.ifindex == ifindex &&
		    ip_addr_equal(&w->resolver.wanted.hop, hop))
			return true;
	return false;
}

static unsigned int n_named(const struct remote *r)
{
	const struct remote_way *w;
	unsigned int n = 0;

	for (each_way(r, w))
		n += w->named;
	return n;
}

/* The way that stands for the host: one that is up, if any. There always is one. */
static const struct remote_way *best_way(const struct remote *r)
{
	const struct remote_way *w, *best = NULL;

	for (each_way(r, w))
		if (w->named && (!best || (w->resolver.up && !best->resolver.up)))
			best = w;
	return best;
}

/* Words about it. */

static const char *way_why(const struct remote *r, const struct remote_way *w, char *buf, size_t len)
{
	char hop[IP_ADDR_STRLEN];

	ip_addr_format(&w->resolver.wanted.hop, hop, sizeof(hop));
	if (w->resolver.state == RESOLVER_FAILED)
		snprintf(buf, len, "%s on %s does not answer", hop, w->device);
	else if (w->resolver.state == RESOLVER_PROBING)
		snprintf(buf, len, "waiting for the MAC of %s on %s", hop, w->device);
	else
		snprintf(buf, len, "%s", r->why);
	return buf;
}

static void log_change(const struct remote *r, const struct remote_way *w)
{
	char addr[IP_ADDR_STRLEN], mac[MAC_STRLEN], reason[160];

	ip_addr_format(&r->addr, addr, sizeof(addr));
	mac_format(w->resolver.mac, mac, sizeof(mac));
	way_why(r, w, reason, sizeof(reason));
	if (w->resolver.up)
		log_info("remote host reachable", "remote", addr, "device", w->device, "mac", mac,
			 "mtu", log_fmt("%u", w->resolver.path.mtu), "note", reason);
	else
		log_warn(n_named(r) > 1 ? "one way to a remote host is down" : "remote host not reachable",
			 "remote", addr, "why", reason);
}

/* Publishing. */

static void make_body(const struct remote *r, const struct remote_way *w,
		      const struct remote_tools *t, struct nexthop_body *ret)
{
	const struct path_uplink *uplink = path_uplink(&t->paths, w->resolver.path.uplink);
	struct tunnel_spec spec = t->spec;

	spec.local = *path_local(&t->paths, &r->addr);
	spec.remote = r->addr;
	memcpy(spec.smac, w->resolver.path.smac, ETH_ADDR_LEN);
	memcpy(spec.dmac, w->resolver.mac, ETH_ADDR_LEN);
	spec.vlan = uplink ? uplink->vlan : 0;
	spec.port = w->resolver.path.uplink;
	spec.underlay_mtu = w->resolver.path.mtu;
	if (!w->resolver.up || !uplink || template_tunnel(&spec, ret))
		template_down(ret);
}

static void put(struct remote *r, struct remote_tools *t, uint32_t id,
		const struct nexthop_body *body)
{
	struct error e = {};
	int written = nexthops_put(&t->nexthops, id, body, id == r->id ? &r->addr : NULL, &e);

	if (written < 0)
		log_error("next hop not written", "id", log_fmt("%u", id), "error", e.text);
	r->changes += written > 0;
}

/* Every way that the route names has its id. False: there are none left, one way must do. */
static bool claim_ways(struct remote *r, struct remote_tools *t)
{
	struct remote_way *w;

	for (each_way(r, w)) {
		if (w->named && !w->id)
			w->id = nexthops_claim_way(&t->nexthops, r->id);
		if (w->named && !w->id)
			return false;
	}
	return true;
}

/* Where a way is down for good its template goes, too; behind the table, which names it no more. */
static void withdraw_ways(struct remote *r, struct remote_tools *t)
{
	struct nexthop_body down;
	struct remote_way *w;

	template_down(&down);
	for (each_way(r, w))
		if (w->id && ((w->named && !w->resolver.up) ||
			      !path_uplink(&t->paths, w->resolver.path.uplink)))
			put(r, t, w->id, &down);
}

static void publish_spread(struct remote *r, struct remote_tools *t)
{
	struct nexthop_body body, table = { .kind = NEXTHOP_SPREAD, .mtu = UINT32_MAX };
	struct spread_way well[PATH_WAYS_MAX] = {};
	struct remote_way *w;
	unsigned int n = 0;

	for (each_way(r, w)) {
		make_body(r, w, t, &body);
		if (!w->named || body.kind != NEXTHOP_TUNNEL)
			continue;
		put(r, t, w->id, &body);
		well[n++] = (struct spread_way){ .id = w->id, .weight = w->weight };
		if (body.mtu < table.mtu)
			table.mtu = body.mtu;
	}
	spread_fill(r->places, well, n);
	memcpy(table.way, r->places, sizeof(table.way));
	if (!n)
		template_down(&table);
	put(r, t, r->id, &table);
	withdraw_ways(r, t);
}

static void publish(struct remote *r, struct remote_tools *t)
{
	struct nexthop_body body;

	if (r->inherited && !remote_up(r) && !remote_settled(r))
		return;
	r->inherited = false;
	r->spread |= n_named(r) > 1;
	if (r->spread && claim_ways(r, t)) {
		publish_spread(r, t);
		return;
	}
	make_body(r, best_way(r), t, &body);
	put(r, t, r->id, &body);
}

/* Ways. */

static bool is_at(const struct remote_way *w, const struct resolver_path *path)
{
	return w->resolver.wanted.ifindex == path->ifindex &&
	       ip_addr_equal(&w->resolver.wanted.hop, &path->hop);
}

/* A known way; else one that lost its hop, whose answer serves meanwhile; else an empty place. */
static struct remote_way *find_way(struct remote *r, const struct path_way *path,
				   const bool *taken, unsigned int pass)
{
	struct remote_way *w;

	for (each_way(r, w))
		if (!taken[w - r->ways] && (pass == 0 ? is_at(w, &path->path) : pass == 2 || w->named))
			return w;
	return NULL;
}

/* Gives each way of the route its place, so that resolvers keep what they know. */
static void match_ways(struct remote *r, const struct path_ways *ways, uint64_t now_ns,
		       struct remote_way **ret)
{
	bool taken[PATH_WAYS_MAX] = {};
	unsigned int i, pass;

	for (pass = 0; pass < 3; pass++)
		for (i = 0; i < ways->n; i++) {
			if (pass && ret[i])
				continue;
			ret[i] = find_way(r, &ways->way[i], taken, pass);
			if (!ret[i])
				continue;
			taken[ret[i] - r->ways] = true;
			if (pass == 2)
				resolver_init(&ret[i]->resolver, now_ns);
		}
	for (i = 0; i < PATH_WAYS_MAX; i++)
		r->ways[i].named = taken[i];
}

static bool given_up(const struct resolver *r)
{
	return r->state == RESOLVER_FAILED || r->state == RESOLVER_NO_ROUTE;
}

/* @path: NULL if there is no route. */
static void step(struct remote *r, struct remote_way *w, const struct path_way *path,
		 struct remote_tools *t, uint64_t now_ns)
{
	const struct resolver before = w->resolver;
	struct resolver_facts facts;

	path_neighbour(&t->paths, path ? &path->path : NULL, &facts);
	facts.path.mtu = pmtu_limit(&r->pmtu, facts.path.mtu, now_ns);
	memcpy(w->device, path ? path->device : "", path ? sizeof(w->device) : 1);
	w->weight = path ? path->weight : 1;
	if (resolver_step(&w->resolver, &facts, now_ns))
		nl_neigh_use(t->paths.nl, facts.path.ifindex, &facts.path.hop);
	if (w->resolver.up != before.up ||
	    (given_up(&w->resolver) && (!before.settled || w->resolver.state != before.state)))
		log_change(r, w);
}

void remote_refresh(struct remote *r, struct remote_tools *t, uint64_t now_ns)
{
	struct remote_way *w, *at[PATH_WAYS_MAX];
	struct path_ways ways;
	unsigned int i;

	path_find(&t->paths, &r->addr, &ways);
	memcpy(r->why, ways.why, sizeof(r->why));
	if (ways.n) {
		match_ways(r, &ways, now_ns, at);
		for (i = 0; i < ways.n; i++)
			step(r, at[i], &ways.way[i], t, now_ns);
	} else {
		for (each_way(r, w))
			if (w->named)
				step(r, w, NULL, t, now_ns);
	}
	publish(r, t);
}

/* Life. */

void remote_init(struct remote *r, uint32_t id, uint64_t now_ns)
{
	struct remote_way *w;

	r->id = id;
	r->inherited = true;
	r->ways[0].named = true;
	for (each_way(r, w))
		resolver_init(&w->resolver, now_ns);
}

static bool is_by_uplink(const struct remote_tools *t, uint32_t id)
{
	const struct nexthop_body *body = nexthops_body(&t->nexthops, id);

	return body->kind == NEXTHOP_TUNNEL && path_uplink(&t->paths, body->port);
}

/* What an earlier agent left may stay if it leaves by ports that still are uplinks. */
static bool may_inherit(const struct remote_tools *t, uint32_t id)
{
	const struct nexthop_body *body = nexthops_body(&t->nexthops, id);
	unsigned int i;

	if (body->kind != NEXTHOP_SPREAD)
		return is_by_uplink(t, id);
	for (i = 0; i < NEXTHOP_WAYS; i++)
		if (!is_by_uplink(t, body->way[i]))
			return false;
	return true;
}

/* Nothing may leave by a slot that is no uplink any more: it may become a guest's. */
void remote_reconsider(struct remote *r, struct remote_tools *t, uint64_t now_ns)
{
	struct remote_way *w;

	for (each_way(r, w)) {
		if (!path_uplink(&t->paths, w->resolver.path.uplink))
			resolver_uplink_gone(&w->resolver, w->resolver.path.uplink, now_ns);
		w->resolver.due_ns = now_ns;
	}
	if (!may_inherit(t, r->id))
		r->inherited = false;
	publish(r, t);
}

void remote_release(struct remote *r, struct remote_tools *t)
{
	struct remote_way *w;

	nexthops_release(&t->nexthops, r->id);
	for (each_way(r, w))
		if (w->id)
			nexthops_release(&t->nexthops, w->id);
}

/* Views. */

static enum underlay_state view_state(const struct remote_way *w)
{
	switch (w->resolver.state) {
	case RESOLVER_NO_ROUTE:
		return UNDERLAY_NO_ROUTE;
	case RESOLVER_READY:
	case RESOLVER_STALE:
		return UNDERLAY_READY;
	default:
		return UNDERLAY_PROBING;
	}
}

static void show_way(const struct remote *r, const struct remote_way *w, uint32_t id,
		     void (*fn)(const struct underlay_view *v, void *arg), void *arg)
{
	const struct resolver *s = &w->resolver;
	char reason[160];
	struct underlay_view v = {
		.id = id,
		.way_of = id == r->id ? 0 : r->id,
		.remote = r->addr,
		.state = view_state(w),
		.mtu = s->up ? s->path.mtu : 0,
		.changes = r->changes,
		.why = way_why(r, w, reason, sizeof(reason)),
	};

	if (s->state != RESOLVER_NO_ROUTE && !ip_addr_equal(&s->wanted.hop, &r->addr))
		v.gateway = s->wanted.hop;
	if (s->up)
		memcpy(v.mac, s->mac, ETH_ADDR_LEN);
	memcpy(v.device, w->device, sizeof(v.device));
	fn(&v, arg);
}

/* A host with a table is as well as its best way, and says what is wrong with the others. */
static void show_spread(const struct remote *r, void (*fn)(const struct underlay_view *v, void *arg),
			void *arg)
{
	struct underlay_view v = {
		.id = r->id,
		.remote = r->addr,
		.state = view_state(best_way(r)),
		.mtu = remote_mtu(r),
		.changes = r->changes,
		.n_ways = n_named(r),
		.why = r->why,
	};
	const struct remote_way *w;
	char reason[160];

	for (each_way(r, w))
		if (w->named && !w->resolver.up)
			v.why = way_why(r, w, reason, sizeof(reason));
	fn(&v, arg);
	for (each_way(r, w))
		if (w->named && w->id)
			show_way(r, w, w->id, fn, arg);
}

void remote_show(const struct remote *r, void (*fn)(const struct underlay_view *v, void *arg), void *arg)
{
	if (r->spread)
		show_spread(r, fn, arg);
	else
		show_way(r, best_way(r), r->id, fn, arg);
}
