// SPDX-License-Identifier: BSD-2-Clause
/*
 * validate_checks.c - what must hold of an object among the others
 *
 * Called for an object that was put or deleted, with the transaction done: it looks
 * at the object and at those that refer to it, and at nobody else.
 */
#include <ctl/controller/validate_parts.h>

#include <stdio.h>
#include <string.h>

#define SUBNETS_MAX 256			/* of a network: what an agent takes */
#define INSTANCES_MAX 4089		/* of a host: its vports */

static void check_references(struct validation *v, const struct object *o)
{
	char title[MODEL_TITLE_LEN];

	for (const struct relation *r = relations; r->path; r++) {
		const struct ref *ref = (const struct ref *)((const char *)o + r->ref);

		if (r->from == o->kind && ref->to && !ref->to->present)
			complain(v, r->path, "%s does not exist; declare it before, or in the same"
				 " transaction", model_title(ref->to, title));
	}
}

static void check_network(struct validation *v, const struct network *net)
{
	const struct network *other = model_set_by_vni(v->set, net->spec.vni, net);
	const struct instance *i = model_set_by_mac(v->set, net, net->spec.gateway_mac, NULL);

	if (net->spec.vni && other)
		complain(v, "spec.vni", "%llu is the VNI of Network %s/%s; give another one, or none",
			 (unsigned long long)net->spec.vni, other->o.tenant, other->o.name);
	if (i)
		complain(v, "spec.gatewayMac", "is the MAC of Instance %s; give another one",
			 i->o.name);
	for (unsigned int h = 0; h < net->spec.hoverboards.n; h++)
		if (!net->hoverboards[h].to->present)
			complain(v, "spec.hoverboards", "Hoverboard %s does not exist; declare it"
				 " before, or in the same transaction", net->spec.hoverboards.v[h]);
}

static bool overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_covers(a, &b->addr) || ip_prefix_covers(b, &a->addr);
}

/* First and last of an IPv4 subnet, first of an IPv6 subnet; /31, /32, /127, /128 have none. */
static bool is_nobodys(const struct ip_prefix *p, const struct ip_addr *a)
{
	bool v4 = ip_addr_is_v4(a), last = v4;
	unsigned int bits = 128 - p->len;

	if (bits < 2)
		return false;
	for (unsigned int b = 0; b < bits && last; b++)
		last = ((const uint8_t *)a)[15 - b / 8] >> b % 8 & 1;
	return last || ip_addr_equal(a, &p->addr);
}

static bool names_subnet(const struct instance *i, const char *name)
{
	for (unsigned int n = 0; n < i->spec.subnets.n; n++)
		if (!strcmp(i->spec.subnets.v[n], name))
			return true;
	return false;
}

/* Why address @a of @i will not do, or NULL. */
static const char *misfit(const struct network *net, const struct instance *i,
			  const struct ip_addr *a)
{
	const struct subnet *subnet = model_set_subnet_of(net, a);

	if (!subnet)
		return "is in no Subnet of the network";
	if (is_nobodys(&subnet->spec.prefix, a))
		return "is the first or last of its Subnet";
	if (ip_addr_equal(a, &subnet->spec.gateway))
		return "is the gateway of its Subnet";
	if (i->spec.subnets.n && !names_subnet(i, subnet->o.name))
		return "is in none of the subnets named in spec.subnets";
	return NULL;
}

static const struct subnet *named_subnet(const struct validation *v, const struct instance *i,
					 unsigned int n)
{
	const struct subnet *s = (const struct subnet *)
		model_set_find(v->set, KIND_SUBNET, i->o.tenant, i->spec.subnets.v[n]);

	return s && s->network.to == i->network.to ? s : NULL;
}

static bool fits(const struct validation *v, const struct network *net, const struct instance *i)
{
	for (unsigned int a = 0; a < i->spec.addresses.n; a++)
		if (misfit(net, i, &i->spec.addresses.v[a].ip))
			return false;
	for (unsigned int n = 0; n < i->spec.subnets.n; n++)
		if (!named_subnet(v, i, n))
			return false;
	return true;
}

static bool lived_in(const struct instance *i, const struct subnet *old)
{
	for (unsigned int a = 0; a < i->spec.addresses.n; a++)
		if (ip_prefix_covers(&old->spec.prefix, &i->spec.addresses.v[a].ip))
			return true;
	return names_subnet(i, old->o.name);
}

/* Instances that lived in a subnet that changed or went must still have a place. */
static void check_left_behind(struct validation *v, const struct subnet *old)
{
	const struct network *net = (const struct network *)
		model_set_find(v->set, KIND_NETWORK, old->o.tenant, old->spec.network);
	const struct instance *first = NULL;
	unsigned int n = 0;

	for (const struct ref *r = net ? net->instances : NULL; r; r = r->next) {
		const struct instance *i = ref_from(r, struct instance);

		if (!lived_in(i, old) || fits(v, net, i))
			continue;
		first = first ?: i;
		n++;
	}
	if (n)
		complain(v, "", "%u instances would be without their subnet, one of them %s; move or"
			 " delete them in the same transaction", n, first->o.name);
}

static bool inside(const struct ip_prefix *p, const struct ip_prefix *of)
{
	return p->len >= of->len && ip_prefix_covers(of, &p->addr);
}

/* Routes are for what lies outside of the subnets. */
static void check_routes_into(struct validation *v, const struct subnet *s, const struct network *net)
{
	for (const struct ref *r = net->routes; r; r = r->next)
		if (inside(&ref_from(r, struct route)->spec.prefix, &s->spec.prefix)) {
			complain(v, "spec.prefix", "Route %s leads somewhere inside of it; change or delete"
				 " the route in the same transaction", r->from->name);
			return;
		}
}

static void check_subnet(struct validation *v, const struct subnet *s, const struct subnet *old)
{
	const struct network *net = (const struct network *)s->network.to;
	const struct ip_prefix *p = &s->spec.prefix;
	char text[IP_ADDR_STRLEN + 4];
	const struct instance *i;
	unsigned int n = 0;

	for (const struct ref *r = net->subnets; r; r = r->next, n++) {
		const struct subnet *other = ref_from(r, struct subnet);

		if (other != s && overlap(p, &other->spec.prefix))
			complain(v, "spec.prefix", "overlaps %s of Subnet %s in the same network; choose"
				 " another one", ip_prefix_format(&other->spec.prefix, text,
								  sizeof(text)), other->o.name);
	}
	if (n > SUBNETS_MAX)
		complain(v, "spec.network", "Network %s would have %u subnets; at most %u are possible",
			 net->o.name, n, SUBNETS_MAX);
	if (old)
		check_left_behind(v, old);
	check_routes_into(v, s, net);
	if (ip_addr_is_zero(&s->spec.gateway))
		return;
	if (!ip_prefix_covers(p, &s->spec.gateway) || is_nobodys(p, &s->spec.gateway))
		complain(v, "spec.gateway", "must be an address inside %s, not its first and, in IPv4,"
			 " not its last", ip_prefix_format(p, text, sizeof(text)));
	i = model_set_by_address(v->set, net, &s->spec.gateway, NULL);
	if (i)
		complain(v, "spec.gateway", "is the address of Instance %s; choose another one",
			 i->o.name);
}

static void check_addresses(struct validation *v, const struct instance *i,
			    const struct network *net)
{
	char text[IP_ADDR_STRLEN];

	for (unsigned int a = 0; a < i->spec.addresses.n; a++) {
		const struct ip_addr *addr = &i->spec.addresses.v[a].ip;
		const struct instance *other = model_set_by_address(v->set, net, addr, i);
		const char *why = misfit(net, i, addr);
		size_t old = problems_enter_nth(v->problems, "spec.addresses", a);

		ip_addr_format(addr, text, sizeof(text));
		if (why)
			complain(v, "", "%s %s; give another address, or none", text, why);
		if (other)
			complain(v, "", "%s is the address of Instance %s; give another one, or none",
				 text, other->o.name);
		problems_leave(v->problems, old);
	}
	for (unsigned int n = 0; n < i->spec.subnets.n; n++)
		if (!named_subnet(v, i, n))
			complain(v, "spec.subnets", "there is no Subnet %s in Network %s; declare it,"
				 " or name another one", i->spec.subnets.v[n], net->o.name);
}

static bool is_uplink(const struct host *host, const char *device)
{
	for (unsigned int u = 0; u < host->spec.n_uplinks; u++)
		if (!strcmp(host->spec.uplinks[u].device, device))
			return true;
	return false;
}

static void check_place(struct validation *v, const struct instance *i)
{
	const struct host *host = (const struct host *)i->host.to;
	const struct instance *other;

	if (!host && (i->spec.device || i->spec.netns || i->spec.guest_device))
		complain(v, "spec.host", "is missing: device, netns and guestDevice are of a host;"
			 " name it, or leave them out");
	if (i->spec.guest_device && !i->spec.netns)
		complain(v, "spec.guestDevice", "is an interface inside netns; give that, too");
	if (!host || !host->o.present)
		return;
	if (host->n_instances > INSTANCES_MAX)
		complain(v, "spec.host", "Host %s would have %u instances; at most %d are possible",
			 host->o.name, host->n_instances, INSTANCES_MAX);
	if (!i->spec.device)
		return;
	other = model_set_by_device(v->set, host, i->spec.device, i);
	if (other)
		complain(v, "spec.device", "%s of Host %s is the device of Instance %s/%s; name"
			 " another one", i->spec.device, host->o.name, other->o.tenant, other->o.name);
	if (is_uplink(host, i->spec.device))
		complain(v, "spec.device", "%s is an uplink of Host %s; name another one",
			 i->spec.device, host->o.name);
}

/* Routes that go to the instance or peering must be of its network. */
static void check_routes_to(struct validation *v, const struct ref *routes,
			    const struct object *network)
{
	for (const struct ref *r = routes; r; r = r->next)
		if (ref_from(r, struct route)->network.to != network)
			complain(v, "spec.network", "Route %s of another network leads here; change or"
				 " delete it in the same transaction", r->from->name);
}

static void check_instance(struct validation *v, const struct instance *i)
{
	const struct network *net = (const struct network *)i->network.to;
	const struct instance *other;

	check_place(v, i);
	check_routes_to(v, i->routes, i->network.to);
	if (!net->o.present)
		return;
	check_addresses(v, i, net);
	other = model_set_by_mac(v->set, net, i->spec.mac, i);
	if (other)
		complain(v, "spec.mac", "is the MAC of Instance %s in the same network; give another"
			 " one, or none", other->o.name);
	if (!memcmp(i->spec.mac, net->spec.gateway_mac, ETH_ADDR_LEN))
		complain(v, "spec.mac", "is the gateway's MAC; give another one, or none");
}

static void check_peering(struct validation *v, const struct peering *p)
{
	char own[MODEL_PATH_LEN];

	snprintf(own, sizeof(own), "%s/%s", p->o.tenant, p->spec.network);
	if (!strcmp(own, p->spec.peer))
		complain(v, "spec.peer", "is the network itself; name another one");
	for (const struct ref *r = ((struct network *)p->network.to)->peerings; r; r = r->next)
		if (r->from != &p->o && !strcmp(ref_from(r, struct peering)->spec.peer, p->spec.peer))
			complain(v, "spec.peer", "Peering %s leads there, too; one is enough",
				 r->from->name);
	check_routes_to(v, p->routes, p->network.to);
}

static void check_route(struct validation *v, const struct route *r)
{
	const struct route *other = model_set_same_route(v->set, r);
	const struct instance *i = (const struct instance *)r->instance.to;
	const struct peering *p = (const struct peering *)r->peering.to;

	for (const struct ref *s = ((struct network *)r->network.to)->subnets; s; s = s->next)
		if (inside(&r->spec.prefix, &ref_from(s, struct subnet)->spec.prefix))
			complain(v, "spec.prefix", "lies inside of Subnet %s; only what lies outside of the"
				 " network's subnets can be routed", s->from->name);
	if (other)
		complain(v, "spec.priority", "Route %s has the same prefix and priority; give another"
			 " priority", other->o.name);
	if (i && i->o.present && i->network.to != r->network.to)
		complain(v, "spec.nextHop.instance", "%s is not in Network %s; name an instance that"
			 " is", i->o.name, r->spec.network);
	if (p && p->o.present && p->network.to != r->network.to)
		complain(v, "spec.nextHop.peering", "%s is not a Peering of Network %s; name one that"
			 " is", p->o.name, r->spec.network);
}

static void check_host(struct validation *v, const struct host *h)
{
	for (unsigned int a = 0; a < h->spec.underlay.n; a++) {
		const struct host *other =
			model_set_by_underlay(v->set, &h->spec.underlay.v[a].ip, h);
		size_t old = problems_enter_nth(v->problems, "spec.underlay", a);

		if (other)
			complain(v, "", "is the address of Host %s; give this host's own", other->o.name);
		problems_leave(v->problems, old);
	}
	for (unsigned int u = 0; u < h->spec.n_uplinks; u++) {
		const char *device = h->spec.uplinks[u].device;
		const struct instance *i = model_set_by_device(v->set, h, device, NULL);
		size_t old = problems_enter_nth(v->problems, "spec.uplinks", u);

		problems_enter(v->problems, "device");
		if (i)
			complain(v, "", "%s is the device of Instance %s/%s; name another one", device,
				 i->o.tenant, i->o.name);
		for (unsigned int w = 0; w < u; w++)
			if (!strcmp(h->spec.uplinks[w].device, device))
				complain(v, "", "%s is given twice", device);
		problems_leave(v->problems, old);
	}
}

static void check_hoverboard(struct validation *v, const struct hoverboard *b)
{
	for (const struct ref *r = ((struct host *)b->host.to)->hoverboards; r; r = r->next)
		if (r->from != &b->o)
			complain(v, "spec.host", "Host %s is Hoverboard %s already; name another one",
				 b->spec.host, r->from->name);
}

void check_put(struct validation *v, const struct object *o, const struct object *old)
{
	check_references(v, o);
	switch (o->kind) {
	case KIND_HOST:
		check_host(v, (const struct host *)o);
		break;
	case KIND_HOVERBOARD:
		check_hoverboard(v, (const struct hoverboard *)o);
		break;
	case KIND_NETWORK:
		check_network(v, (const struct network *)o);
		break;
	case KIND_SUBNET:
		check_subnet(v, (const struct subnet *)o, (const struct subnet *)old);
		break;
	case KIND_INSTANCE:
		check_instance(v, (const struct instance *)o);
		break;
	case KIND_PEERING:
		check_peering(v, (const struct peering *)o);
		break;
	case KIND_ROUTE:
		check_route(v, (const struct route *)o);
		break;
	default:
		break;
	}
}

static void complain_used(struct validation *v, const struct ref *list)
{
	char title[MODEL_TITLE_LEN];
	unsigned int n = 0;

	if (!list)
		return;
	for (const struct ref *r = list; r; r = r->next)
		n++;
	model_title(list->from, title);
	if (n > 1)
		complain(v, "", "is still used by %s and %u more; change or delete them in the same"
			 " transaction", title, n - 1);
	else
		complain(v, "", "is still used by %s; change or delete it in the same transaction",
			 title);
}

void check_deleted(struct validation *v, const struct object *old)
{
	const struct object *here;

	if (old->kind == KIND_SUBNET)
		check_left_behind(v, (const struct subnet *)old);
	here = model_set_placeholder(v->set, old->kind, old->tenant, old->name);
	if (!here || here->present)
		return;
	for (const struct relation *r = relations; r->path; r++)
		if (r->to == here->kind)
			complain_used(v, *(struct ref *const *)((const char *)here + r->list));
	if (here->kind == KIND_HOVERBOARD)
		complain_used(v, ((const struct hoverboard *)here)->networks);
}

static void check_limit(struct validation *v, const struct tenant *t, const char *what, uint64_t n,
			uint64_t max)
{
	if (n > max)
		complain(v, "", "Tenant %s would have %llu %s; %llu are allowed", t->o.name,
			 (unsigned long long)n, what, (unsigned long long)max);
}

void check_quota(struct validation *v, const struct tenant *t)
{
	uint64_t networks = 0, instances = 0, routes = 0;
	char title[MODEL_TITLE_LEN];

	for (const struct ref *r = t->networks; r; r = r->next) {
		const struct network *net = ref_from(r, struct network);

		networks++;
		instances += net->n_instances;
		routes += net->n_routes;
	}
	problems_object(v->problems, model_title(&t->o, title));
	check_limit(v, t, "networks", networks, t->spec.max_networks);
	check_limit(v, t, "instances", instances, t->spec.max_instances);
	check_limit(v, t, "routes", routes, t->spec.max_routes);
}
