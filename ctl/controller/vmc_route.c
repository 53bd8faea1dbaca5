// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_route.c - where a prefix of a network leads
 */
#include <ctl/controller/vmc_route.h>

#include <string.h>

#define GATEWAYS_MAX 16			/* that one announcement may name */

/*
 * Whom frames to gateways are for. Not the network's own gateway, whose they are from: a Linux vxlan
 * device takes nothing that seems to come from itself.
 */
#define GATEWAYS_MAC "02:00:5e:00:00:02"

static bool prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len == b->len && ip_addr_equal(&a->addr, &b->addr);
}

static bool prefix_inside(const struct ip_prefix *p, const struct ip_prefix *outer)
{
	return outer->len <= p->len && ip_prefix_covers(outer, &p->addr);
}

static bool is_before(const struct route *a, const struct route *b)
{
	if (a->spec.priority != b->spec.priority)
		return a->spec.priority < b->spec.priority;
	return strcmp(a->o.name, b->o.name) < 0;
}

/* The instance a route ends at, if it is somewhere. */
static const struct instance *instance_of(const struct route *r)
{
	const struct instance *i = (struct instance *)r->instance.to;
	const struct host *host = i && i->o.present ? host_of(i) : NULL;

	return host && vmc_underlay(host) && i->network.to == r->network.to ? i : NULL;
}

/* The network behind a peering that both sides declared. */
static const struct network *peer_of(const struct vmc_input *in, const struct route *r)
{
	const struct peering *p = (struct peering *)r->peering.to;

	if (!p || !p->o.present || p->network.to != r->network.to || !model_set_peer(in->set, p))
		return NULL;
	return model_set_find_network(in->set, p->spec.peer);
}

/*
 * A gateway that @host itself has become, or whose family it does not speak, would be refused
 * there with everything else that it is told.
 */
static bool can_reach(const struct host *host, const struct ip_addr *gateway)
{
	const struct addr_list *own = &host->spec.underlay;
	bool family = false;

	for (unsigned int i = 0; i < own->n; i++) {
		if (ip_addr_equal(&own->v[i].ip, gateway))
			return false;
		family |= !ip_addr_is_v4(&own->v[i].ip) == !ip_addr_is_v4(gateway);
	}
	return family;
}

static bool leads_somewhere(const struct vmc_input *in, const struct host *host,
			    const struct route *r)
{
	const struct next_hop *hop = &r->spec.next_hop;
	const struct network *peer;

	if (hop->blackhole)
		return true;
	if (!ip_addr_is_zero(&hop->gateway))
		return can_reach(host, &hop->gateway);
	if (*hop->instance)
		return instance_of(r);
	peer = *hop->peering ? peer_of(in, r) : NULL;
	return peer && vmc_host_carries(host, peer);
}

/* Where the instance is it has a vport; elsewhere it is known by its host. */
static void add_instance(const struct instance *i, const struct host *host, struct text *t)
{
	char buf[IP_ADDR_STRLEN], mac[MAC_STRLEN];

	if (host_of(i) == host)
		text_fmt(t, ",\"vport\":\"%s.%s\"", i->o.tenant, i->o.name);
	else
		text_fmt(t, ",\"mac\":\"%s\",\"host\":\"%s\"",
			 mac_format(i->spec.mac, mac, sizeof(mac)),
			 ip_addr_format(vmc_underlay(host_of(i)), buf, sizeof(buf)));
}

static void add_hop(const struct vmc_input *in, const struct host *host, const struct route *r,
		    struct text *t)
{
	const struct next_hop *hop = &r->spec.next_hop;
	char buf[IP_ADDR_STRLEN], name[VMC_NAME_LEN];

	if (hop->blackhole)
		text_add(t, ",\"blackhole\":true");
	else if (*hop->instance)
		add_instance(instance_of(r), host, t);
	else if (*hop->peering)
		text_fmt(t, ",\"network_to\":\"%s\"", vmc_network_name(peer_of(in, r), name));
	else
		text_fmt(t, ",\"mac\":\"" GATEWAYS_MAC "\",\"gateways\":[\"%s\"]",
			 ip_addr_format(&hop->gateway, buf, sizeof(buf)));
}

static const struct route *best_route(const struct vmc_input *in, const struct host *host,
				      const struct network *net, const struct ip_prefix *p)
{
	const struct route *best = NULL;

	for (const struct ref *r = net->routes; r; r = r->next) {
		const struct route *route = ref_from(r, struct route);

		if (route->o.present && prefix_equal(&route->spec.prefix, p) &&
		    (!best || is_before(route, best)) && leads_somewhere(in, host, route))
			best = route;
	}
	return best;
}

/* Does anything of this region lie over @p? Then no announcement gets in. */
static bool is_ours(const struct network *net, const struct ip_prefix *p)
{
	for (const struct ref *r = net->subnets; r; r = r->next)
		if (prefix_inside(p, &ref_from(r, struct subnet)->spec.prefix))
			return true;
	for (const struct ref *r = net->routes; r; r = r->next)
		if (prefix_inside(p, &ref_from(r, struct route)->spec.prefix))
			return true;
	return false;
}

/* Those of @list that @host can reach, in @v with room for all. */
static struct addr_list reachable(const struct host *host, const struct addr_list *list,
				  struct addr_use *v)
{
	struct addr_list ret = { .v = v };

	for (unsigned int i = 0; i < list->n && ret.n < GATEWAYS_MAX; i++)
		if (can_reach(host, &list->v[i].ip))
			v[ret.n++] = list->v[i];
	return ret;
}

static bool is_reachable(const struct host *host, const struct remote_network *o)
{
	struct addr_use v[GATEWAYS_MAX];

	return reachable(host, &o->spec.gateways, v).n;
}

static const struct remote_network *best_remote(const struct vmc_input *in,
						const struct host *host,
						const struct network *net,
						const struct ip_prefix *p)
{
	const struct remote_group *g = vmc_remotes_of(&in->remotes, net);
	const struct remote_network *best = NULL;

	for (unsigned int i = 0; g && i < g->n; i++) {
		const struct remote_network *o = g->v[i];
		int order = best ? strcmp(o->o.tenant, best->o.tenant) ?:
					   strcmp(o->o.name, best->o.name) :
				   -1;

		for (unsigned int k = 0; k < o->spec.prefixes.n && order < 0; k++)
			if (prefix_equal(&o->spec.prefixes.v[k], p) && is_reachable(host, o)) {
				best = o;
				break;
			}
	}
	return best && !is_ours(net, p) ? best : NULL;
}

bool vmc_route(const struct vmc_input *in, const struct host *host, const struct network *net,
	       const struct ip_prefix *p, struct text *t)
{
	bool carries = vmc_host_carries(host, net);
	const struct route *r = best_route(in, host, net, p);
	const struct remote_network *remote = carries && !r ? best_remote(in, host, net, p) : NULL;
	char name[VMC_NAME_LEN], prefix[IP_ADDR_STRLEN + 4];
	bool ends_here = r && *r->spec.next_hop.instance && host_of(instance_of(r)) == host;

	if (carries ? !r && !remote : !ends_here)
		return false;
	text_fmt(t, "{\"network\":\"%s\",\"prefix\":\"%s\"", vmc_network_name(net, name),
		 ip_prefix_format(p, prefix, sizeof(prefix)));
	if (r) {
		add_hop(in, host, r, t);
	} else {
		struct addr_use v[GATEWAYS_MAX];
		const struct addr_list gateways = reachable(host, &remote->spec.gateways, v);

		text_fmt(t, ",\"mac\":\"" GATEWAYS_MAC "\",\"vni\":%llu,",
			 (unsigned long long)remote->spec.vni);
		vmc_add_addr_list(t, "gateways", &gateways);
	}
	text_add(t, "}");
	return true;
}
