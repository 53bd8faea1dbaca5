// SPDX-License-Identifier: BSD-2-Clause
/*
 * policy.c - builds the policy from the configuration, and names its parts
 *
 * The order in which addresses enter the route table is the order of
 * precedence between equal prefixes: gateways, then local vports, then remotes, then routes.
 *
 * See also: compile.c (the rules), model.h (the shape).
 */
#include "policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/policy/model.h>
#include <mirach/wire.h>

static int compare_vni(const void *a, const void *b)
{
	const struct vni_index *x = a, *y = b;

	return (x->vni > y->vni) - (x->vni < y->vni);
}

static void copy_name(char dst[NAME_SIZE], const char *src)
{
	snprintf(dst, NAME_SIZE, "%s", src);
}

static uint32_t count_subnets(const struct config *config)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < config->n_networks; i++)
		n += config->networks[i].n_subnets;
	return n;
}

static uint32_t count_addresses(const struct config *config)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < config->n_vports; i++)
		n += config->vports[i].n_addrs;
	return n;
}

static uint32_t count_boards(const struct config *config)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < config->n_networks; i++)
		n += config->networks[i].n_hoverboards;
	return n;
}

static uint32_t count_gateways(const struct config *config)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < config->n_remotes; i++)
		n += config->remotes[i].n_gateways;
	return n;
}

static uint32_t count_permits(const struct config *config)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < config->n_remotes; i++)
		n += config->remotes[i].receive_only;
	return n;
}

static int allocate(struct policy *p, const struct config *config,
		    const struct policy_bindings *b)
{
	uint32_t n_routes = count_addresses(config) + config->n_remotes + config->n_routes;

	p->n_networks = config->n_networks;
	p->n_subnets = count_subnets(config);
	p->n_vports = config->n_vports;
	p->n_remotes = config->n_remotes;
	p->n_routes = config->n_routes;
	p->n_samples = config->n_samples;
	/* One more than needed, so that none is a null pointer. */
	p->networks = calloc(p->n_networks + 1, sizeof(p->networks[0]));
	p->by_vni = calloc(p->n_networks + 1, sizeof(p->by_vni[0]));
	p->subnets = calloc(p->n_subnets + 1, sizeof(p->subnets[0]));
	p->vports = calloc(p->n_vports + 1, sizeof(p->vports[0]));
	p->remotes = calloc(p->n_remotes + 1, sizeof(p->remotes[0]));
	p->samples = calloc(p->n_samples + 1, sizeof(p->samples[0]));
	p->routes_to = calloc(p->n_routes + 1, sizeof(p->routes_to[0]));
	p->boards = calloc(count_boards(config) + 1, sizeof(p->boards[0]));
	p->gateways = calloc(count_gateways(config) + 1, sizeof(p->gateways[0]));
	p->directs = calloc(p->n_remotes + 1, sizeof(p->directs[0]));
	p->set_slots = calloc(b->n_sets + 1, sizeof(p->set_slots[0]));
	if (!p->networks || !p->by_vni || !p->subnets || !p->vports || !p->remotes ||
	    !p->samples || !p->routes_to || !p->boards || !p->set_slots ||
	    !p->gateways || !p->directs)
		return -ENOMEM;
	if (prefix_table_new(p->n_networks, p->n_subnets + n_routes, &p->routes) ||
	    prefix_table_new(p->n_networks, count_permits(config), &p->permits) ||
	    prefix_table_new(p->n_networks, p->n_subnets, &p->subnet_of))
		return -ENOMEM;
	return 0;
}

static void add_host(struct policy *p, uint32_t network, const struct ip_addr *addr, uint32_t ref)
{
	struct ip_prefix host = { .addr = *addr, .len = 128 };

	prefix_table_add(p->routes, network, &host, ref);
}

static void build_networks(struct policy *p, const struct config *config)
{
	struct subnet *s = p->subnets;

	for (uint32_t i = 0; i < p->n_networks; i++) {
		const struct config_network *from = &config->networks[i];
		struct network *n = &p->networks[i];

		copy_name(n->name, from->name);
		n->vni = from->vni;
		memcpy(n->gateway_mac, from->gateway_mac, ETH_ADDR_LEN);
		p->by_vni[i] = (struct vni_index){ .vni = n->vni, .network = i };
		for (unsigned int k = 0; k < from->n_subnets; k++, s++) {
			s->prefix = from->subnets[k].prefix;
			s->gateway = from->subnets[k].gateway;
			s->network = i;
		}
	}
	qsort(p->by_vni, p->n_networks, sizeof(p->by_vni[0]), compare_vni);
}

static void build_subnets(struct policy *p)
{
	for (uint32_t i = 0; i < p->n_subnets; i++) {
		const struct subnet *s = &p->subnets[i];

		prefix_table_add(p->subnet_of, s->network, &s->prefix, REF(REF_SUBNET, i));
		if (!ip_addr_is_zero(&s->gateway))
			add_host(p, s->network, &s->gateway, REF(REF_GATEWAY, i));
	}
}

static uint16_t mss_of(uint16_t mss_clamp)
{
	return mss_clamp == MSS_CLAMP_OFF ? 0 : mss_clamp;
}

static void build_vports(struct policy *p, const struct config *config,
			 const struct policy_bindings *b)
{
	for (uint32_t i = 0; i < p->n_vports; i++) {
		const struct config_vport *from = &config->vports[i];
		struct vport *v = &p->vports[i];

		copy_name(v->name, from->name);
		v->network = from->network;
		v->slot = b->vport_slots[i];
		v->nexthop = b->vport_nexthops[i];
		memcpy(v->mac, from->mac, ETH_ADDR_LEN);
		for (int k = 0; k < 2 && from->vlan[k]; k++)
			v->tags[v->n_tags++] = from->vlan[k] | FLOW_VLAN_PRESENT;
		v->mss = mss_of(from->mss_clamp ?: config->networks[from->network].mss_clamp);
		for (unsigned int k = 0; k < from->n_addrs; k++)
			add_host(p, v->network, &from->addrs[k], REF(REF_VPORT, i));
		if (v->slot && v->slot < PORT_MAX)
			p->by_slot[v->slot] = i + 1;
	}
}

static int compare_direct(const void *a, const void *b)
{
	const struct direct *x = a, *y = b;
	int order = (x->network > y->network) - (x->network < y->network);

	order = order ?: memcmp(&x->from, &y->from, sizeof(x->from));
	return order ?: memcmp(&x->to, &y->to, sizeof(x->to));
}

/* To which of its tables a remote belongs: what it says about sources, about a pair, or about everybody. */
static void add_remote(struct policy *p, uint32_t i)
{
	const struct remote *r = &p->remotes[i];

	if (r->receive_only)
		prefix_table_add(p->permits, r->network, &r->prefix, REF(REF_REMOTE, i));
	else if (ip_addr_is_zero(&r->from))
		prefix_table_add(p->routes, r->network, &r->prefix, REF(REF_REMOTE, i));
	else
		p->directs[p->n_directs++] = (struct direct){
			.network = r->network, .from = r->from, .to = r->prefix.addr, .remote = i };
}

static const uint32_t *slots_of(const struct policy *p, const uint32_t *sets, uint32_t i)
{
	return sets && sets[i] != SET_NONE ? p->set_slots[sets[i]] : NULL;
}

static void build_sets(struct policy *p, const struct policy_bindings *b)
{
	if (b->n_sets)
		memcpy(p->set_slots, b->set_slots, b->n_sets * sizeof(p->set_slots[0]));
}

static struct ip_addr *build_gateways(struct remote *r, const struct config_remote *from,
				      struct ip_addr *next)
{
	if (!from->n_gateways)
		return next;
	r->gateways = next;
	r->n_gateways = from->n_gateways;
	memcpy(next, from->gateways, r->n_gateways * sizeof(*next));
	return next + r->n_gateways;
}

static void build_remotes(struct policy *p, const struct config *config,
			  const struct policy_bindings *b)
{
	struct ip_addr *next = p->gateways;

	for (uint32_t i = 0; i < p->n_remotes; i++) {
		const struct config_remote *from = &config->remotes[i];
		struct remote *r = &p->remotes[i];

		r->prefix = from->prefix;
		r->host = from->host;
		r->network = from->network;
		r->nexthop = b->remote_nexthops[i];
		memcpy(r->mac, from->mac, ETH_ADDR_LEN);
		r->from = from->from;
		r->vni = from->vni;
		r->receive_only = from->receive_only;
		r->slots = slots_of(p, b->remote_sets, i);
		next = build_gateways(r, from, next);
		add_remote(p, i);
	}
	qsort(p->directs, p->n_directs, sizeof(p->directs[0]), compare_direct);
}

/* A hoverboard asks no other one, and takes no other one's word: nothing goes round in circles. */
static void build_boards(struct policy *p, const struct config *config,
			 const struct policy_bindings *b)
{
	struct ip_addr *next = p->boards;

	p->hoverboard = config->role == ROLE_HOVERBOARD;
	if (p->hoverboard)
		return;
	for (uint32_t i = 0; i < p->n_networks; i++) {
		const struct config_network *from = &config->networks[i];
		struct network *n = &p->networks[i];

		if (!from->n_hoverboards)
			continue;
		n->boards = next;
		n->n_boards = from->n_hoverboards;
		memcpy(next, from->hoverboards, n->n_boards * sizeof(*next));
		next += n->n_boards;
		n->slots = slots_of(p, b->network_sets, i);
	}
}

static void build_routes(struct policy *p, const struct config *config)
{
	for (uint32_t i = 0; i < p->n_routes; i++) {
		const struct config_route *from = &config->routes[i];
		struct route_to *r = &p->routes_to[i];

		*r = (struct route_to){ .prefix = from->prefix, .network = from->network,
					.to = from->network_to };
		prefix_table_add(p->routes, r->network, &r->prefix,
				 from->vport == VPORT_NONE ? REF(REF_ROUTE, i) :
							     REF(REF_VPORT, from->vport));
	}
}

/* Gathers the rules of each network, in their order, so that a network names one run of them. */
static void build_samples(struct policy *p, const struct config *config)
{
	struct sample_rule *rule = p->samples;

	for (uint32_t i = 0; i < p->n_networks; i++) {
		p->networks[i].samples = rule;
		for (uint32_t k = 0; k < config->n_samples; k++) {
			const struct config_sample *from = &config->samples[k];

			if (from->network != i)
				continue;
			*rule++ = (struct sample_rule){ .network = i, .rate = from->rate,
							.proto = from->proto,
							.port = wire16(from->port) };
		}
		p->networks[i].n_samples = rule - p->networks[i].samples;
	}
}

int policy_new(const struct config *config, const struct policy_bindings *b, struct policy **ret)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	if (allocate(p, config, b)) {
		policy_free(p);
		return -ENOMEM;
	}
	p->tunnel = config->tunnel;
	build_networks(p, config);
	build_subnets(p);
	build_vports(p, config, b);
	build_sets(p, b);
	build_remotes(p, config, b);
	build_boards(p, config, b);
	build_routes(p, config);
	build_samples(p, config);
	*ret = p;
	return 0;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	prefix_table_free(p->subnet_of);
	prefix_table_free(p->routes);
	prefix_table_free(p->permits);
	free(p->directs);
	free(p->samples);
	free(p->set_slots);
	free(p->boards);
	free(p->gateways);
	free(p->routes_to);
	free(p->remotes);
	free(p->vports);
	free(p->subnets);
	free(p->by_vni);
	free(p->networks);
	free(p);
}

const struct network *policy_find_vni(const struct policy *p, uint32_t vni)
{
	struct vni_index want = { .vni = vni };
	const struct vni_index *found =
		bsearch(&want, p->by_vni, p->n_networks, sizeof(want), compare_vni);

	return found ? &p->networks[found->network] : NULL;
}

uint32_t policy_find_direct(const struct policy *p, uint32_t network, const struct ip_addr *from,
			    const struct ip_addr *to)
{
	const struct direct want = { .network = network, .from = *from, .to = *to }, *found;

	found = bsearch(&want, p->directs, p->n_directs, sizeof(want), compare_direct);
	return found ? REF(REF_REMOTE, found->remote) : 0;
}

const struct vport *policy_find_slot(const struct policy *p, uint32_t slot)
{
	if (slot >= PORT_MAX || !p->by_slot[slot])
		return NULL;
	return &p->vports[p->by_slot[slot] - 1];
}

const char *policy_vport_name(const struct policy *p, uint32_t slot)
{
	const struct vport *v = policy_find_slot(p, slot);

	return v ? v->name : NULL;
}

const char *policy_network_name(const struct policy *p, uint32_t vni)
{
	const struct network *n = policy_find_vni(p, vni);

	return n ? n->name : NULL;
}

struct ip_text ip_text(const struct ip_addr *addr)
{
	struct ip_text text = {};

	ip_addr_format(addr, text.s, sizeof(text.s));
	return text;
}

static void gateway_text(const struct subnet *s, char *buf, size_t len)
{
	char prefix[IP_ADDR_STRLEN + 4];

	snprintf(buf, len, "gateway %s of %s", ip_text(&s->gateway).s,
		 ip_prefix_format(&s->prefix, prefix, sizeof(prefix)));
}

static void remote_text(const struct remote *r, char *buf, size_t len)
{
	char prefix[IP_ADDR_STRLEN + 4];

	int n = snprintf(buf, len, "%s %s via %s", r->receive_only ? "permit for" : "remote",
			 ip_prefix_format(&r->prefix, prefix, sizeof(prefix)), ip_text(&r->host).s);

	if (!ip_addr_is_zero(&r->from))
		snprintf(buf + n, len - n, " for %s", ip_text(&r->from).s);
	else if (r->n_gateways)
		snprintf(buf + n, len - n, " and %u more", r->n_gateways - 1);
}

static void route_text(const struct policy *p, const struct route_to *r, char *buf, size_t len)
{
	char prefix[IP_ADDR_STRLEN + 4];

	ip_prefix_format(&r->prefix, prefix, sizeof(prefix));
	if (r->to == NETWORK_NONE)
		snprintf(buf, len, "black hole %s", prefix);
	else
		snprintf(buf, len, "route %s to network %s", prefix, p->networks[r->to].name);
}

const char *policy_rule_text(const struct policy *p, uint32_t rule)
{
	static _Thread_local char text[3 * IP_ADDR_STRLEN + NAME_SIZE + 32];
	uint32_t i = REF_INDEX(rule);

	text[0] = '\0';
	if (REF_KIND(rule) == REF_GATEWAY && i < p->n_subnets)
		gateway_text(&p->subnets[i], text, sizeof(text));
	else if (REF_KIND(rule) == REF_VPORT && i < p->n_vports)
		snprintf(text, sizeof(text), "vport %s", p->vports[i].name);
	else if (REF_KIND(rule) == REF_REMOTE && i < p->n_remotes)
		remote_text(&p->remotes[i], text, sizeof(text));
	else if (REF_KIND(rule) == REF_ROUTE && i < p->n_routes)
		route_text(p, &p->routes_to[i], text, sizeof(text));
	else if (REF_KIND(rule) == REF_NETWORK && i < p->n_networks)
		snprintf(text, sizeof(text), "network %s", p->networks[i].name);
	return text;
}
