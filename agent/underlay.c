/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * underlay.c - the set of remote hosts, and when each is looked at
 *
 *	news, time ──► run(): for each host that is due
 *	                  remote_refresh()   asks the kernel, decides, publishes
 *
 * News only make hosts due; all facts come from questions asked in run(). Runs
 * are spaced by a multiple of what the last one cost, so that a storm of route
 * changes takes a bounded share of the CPU.
 *
 * An answer inherited from an earlier agent stays in force until this one knows
 * better: a restart loses no packet. Main thread only.
 *
 * See also: remote.h (one host), path.h (the questions), resolver.h (the decisions),
 * nexthops.h (ids and safe writes), docs/underlay.md.
 */
#include <agent/underlay.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/pmtu_watch.h>
#include <agent/remote.h>
#include <lib/clock.h>
#include <lib/log.h>
#include <lib/nl.h>

#define RUN_GAP_MIN_MS 10u		/* between runs: news come in bunches */
#define RUN_GAP_FACTOR 4u		/* ... and four times the last run: a fifth of a CPU at most */

struct underlay {
	struct remote_tools tools;
	struct nl_watch *watch;
	struct pmtu_watch *pmtu_watch;
	struct pmtu_tunnel pmtu_tunnel;	/* what our outer packets look like */
	struct event *timer;
	uint64_t not_before_ns;		/* next run */
	struct remote *remotes;		/* sorted by address */
	unsigned int n_remotes, cap_remotes;
	void (*watch_fn)(const struct ip_addr *addr, void *arg); /* somebody looked at the way to @addr */
	void *watch_arg;
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

static void tell(const struct underlay *u, const struct remote *r)
{
	if (u->watch_fn)
		u->watch_fn(&r->addr, u->watch_arg);
}

/* When to run. */

static void arm(struct underlay *u)
{
	uint64_t due = UINT64_MAX, now = clock_now_ns(), wait;
	struct timeval tv;
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++)
		if (remote_due_ns(&u->remotes[i]) < due)
			due = remote_due_ns(&u->remotes[i]);
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

	path_look(&u->tools.paths);
	for (i = 0; i < u->n_remotes; i++)
		if (remote_due_ns(&u->remotes[i]) <= now) {
			remote_refresh(&u->remotes[i], &u->tools, now);
			tell(u, &u->remotes[i]);
		}
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

	if (path_is_uplink(&u->tools.paths, ifindex, name))
		return true;
	for (i = 0; i < u->n_remotes; i++)
		if (remote_leaves_by(&u->remotes[i], ifindex))
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
		       ip_addr_equal(&news->addr.addr, &u->tools.paths.local[0]) ||
		       ip_addr_equal(&news->addr.addr, &u->tools.paths.local[1]);
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
	return news->kind == NL_NEIGH && remote_asks_for(r, news->ifindex, &news->addr.addr);
}

static void on_news(const struct nl_news *news, void *arg)
{
	struct underlay *u = arg;
	bool all = concerns_all(u, news), any = false;
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++)
		if (all || concerns(&u->remotes[i], news)) {
			remote_hurry(&u->remotes[i]);
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

	if (!r || !remote_up(r))
		return;
	before = remote_mtu(r);
	if (!pmtu_learn(&r->pmtu, before, report->mtu, clock_now_ns()))
		return;
	log_info("the path has a smaller MTU", "remote",
		 ip_addr_format(&r->addr, addr, sizeof(addr)), "mtu", log_fmt("%u", report->mtu),
		 "before", log_fmt("%u", before));
	remote_hurry(r);
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
		err = nexthops_init(&u->tools.nexthops, dp, e);
	if (!err)
		err = nl_new(&u->tools.paths.nl, e);
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
	nl_free(u->tools.paths.nl);
	nexthops_done(&u->tools.nexthops);
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
			nexthops_release(&u->tools.nexthops, hosts[i].id);
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
			hosts[i].leaving = leaving && !old->claims;
			continue;
		}
		remote_init(&hosts[i], nexthops_claim_tunnel(&u->tools.nexthops, &hosts[i].addr), now);
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
			remote_release(&u->remotes[i], &u->tools);
		else
			u->remotes[n++] = u->remotes[i];
	}
	u->n_remotes = n;
	nexthops_sweep(&u->tools.nexthops);
}

static void take_settings(struct underlay *u, const struct config *config, const uint32_t *slots)
{
	unsigned int i;

	u->tools.spec = (struct tunnel_spec){ .tunnel = config->tunnel, .udp_port = config->tunnel_port,
					.dscp = config->dscp, .tos = config->tos };
	memcpy(u->tools.paths.local, config->underlay, sizeof(u->tools.paths.local));
	u->pmtu_tunnel = (struct pmtu_tunnel){ .tunnel = config->tunnel,
					       .udp_port = config->tunnel_port };
	memcpy(u->pmtu_tunnel.local, config->underlay, sizeof(u->pmtu_tunnel.local));
	u->tools.paths.n_uplinks = config->n_uplinks;
	for (i = 0; i < config->n_uplinks; i++) {
		struct path_uplink *uplink = &u->tools.paths.uplinks[i];

		*uplink = (struct path_uplink){ .slot = slots[i], .vlan = config->uplinks[i].vlan };
		snprintf(uplink->device, sizeof(uplink->device), "%s", config->uplinks[i].device);
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
	u->n_remotes = u->cap_remotes = n;
	take_settings(u, config, uplink_slots);
	for (i = 0; i < n; i++) {
		remote_reconsider(&hosts[i], &u->tools, clock_now_ns());
		tell(u, &hosts[i]);
	}
	for (i = 0; i < config->n_remotes; i++)
		ret_ids[i] = find_remote(u->remotes, n, &config->remotes[i].host)->id;
	run(u);
	return 0;
}

/* Hosts by claim. */

static struct remote *find(const struct underlay *u, const struct ip_addr *addr)
{
	return find_remote(u->remotes, u->n_remotes, addr);
}

/* Room for one more in its place among the others, or NULL. */
static struct remote *insert(struct underlay *u, const struct ip_addr *addr)
{
	const struct remote fresh = { .addr = *addr };
	unsigned int at = 0;

	if (u->n_remotes >= u->cap_remotes) {
		unsigned int cap = u->n_remotes ? 2 * u->n_remotes : 16;
		struct remote *more = reallocarray(u->remotes, cap, sizeof(*more));

		if (!more)
			return NULL;
		u->remotes = more;
		u->cap_remotes = cap;
	}
	while (at < u->n_remotes && by_address(&u->remotes[at], &fresh) < 0)
		at++;
	memmove(&u->remotes[at + 1], &u->remotes[at], (u->n_remotes - at) * sizeof(fresh));
	u->remotes[at] = fresh;
	u->n_remotes++;
	return &u->remotes[at];
}

/* Before the first configuration nothing is known of uplinks; it looks at all hosts. */
static struct remote *add(struct underlay *u, const struct ip_addr *addr)
{
	uint32_t id = nexthops_claim_tunnel(&u->tools.nexthops, addr);
	struct remote *r = id ? insert(u, addr) : NULL;

	if (!r)
		return NULL;
	remote_init(r, id, clock_now_ns());
	if (u->tools.paths.n_uplinks) {
		remote_reconsider(r, &u->tools, clock_now_ns());
		arm(u);
	}
	return r;
}

uint32_t underlay_claim(struct underlay *u, const struct ip_addr *addr)
{
	struct remote *r = find(u, addr);

	if (!r)
		r = add(u, addr);
	if (!r)
		return 0;
	r->claims++;
	r->leaving = false;
	return r->id;
}

/* Whether the configuration names it too shows when the next one is entered: until then it stays. */
void underlay_unclaim(struct underlay *u, const struct ip_addr *addr)
{
	struct remote *r = find(u, addr);

	if (r && r->claims)
		r->claims--;
}

uint32_t underlay_host_id(const struct underlay *u, const struct ip_addr *addr)
{
	const struct remote *r = find(u, addr);

	return r ? r->id : 0;
}

bool underlay_host_settled(const struct underlay *u, const struct ip_addr *addr)
{
	const struct remote *r = find(u, addr);

	return r && remote_settled(r);
}

bool underlay_reachable(const struct underlay *u, const struct ip_addr *addr)
{
	const struct remote *r = find(u, addr);

	return r && (remote_up(r) || r->inherited || !remote_settled(r));
}

void underlay_watch(struct underlay *u, void (*fn)(const struct ip_addr *addr, void *arg), void *arg)
{
	u->watch_fn = fn;
	u->watch_arg = arg;
}

struct nexthops *underlay_nexthops(struct underlay *u)
{
	return &u->tools.nexthops;
}

uint32_t underlay_local_id(struct underlay *u, uint32_t port)
{
	return nexthops_claim_local(&u->tools.nexthops, port);
}

int underlay_local_set(struct underlay *u, uint32_t port, uint32_t mtu, struct error *e)
{
	struct nexthop_body body;
	uint32_t id = nexthops_claim_local(&u->tools.nexthops, port);
	int written;

	if (!id)
		return error_set(e, -ENOSPC, "no next hop id is free");
	template_local(port, mtu, &body);
	written = nexthops_put(&u->tools.nexthops, id, &body, NULL, e);
	return written < 0 ? written : 0;
}

void underlay_local_release(struct underlay *u, uint32_t port)
{
	uint32_t id = nexthops_find_local(&u->tools.nexthops, port);

	if (id)
		nexthops_release(&u->tools.nexthops, id);
}

bool underlay_settled(const struct underlay *u)
{
	unsigned int i;

	for (i = 0; i < u->n_remotes; i++)
		if (!remote_settled(&u->remotes[i]))
			return false;
	return true;
}

/* Views. */

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
		remote_show(sorted[i], fn, arg);
	free(sorted);
}
