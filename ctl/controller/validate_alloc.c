// SPDX-License-Identifier: BSD-2-Clause
/*
 * validate_alloc.c - VNIs, MACs and addresses for those who did not ask for one
 *
 *	hash of "tenant/name" ──► first place to try, and how far to the next ──► ... ──► free
 *
 * The steps are such that every place comes up once, and so that runs of places in
 * use, as people fill subnets from below, are left at once. VNIs go round.
 */
#include <ctl/controller/validate_parts.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static const uint8_t gateway_mac[ETH_ADDR_LEN] = { 0x02, 0x00, 0x5e, 0x00, 0x00, 0x01 };

static uint64_t name_hash(const struct object *o, uint64_t seed)
{
	char path[MODEL_PATH_LEN];
	int n = snprintf(path, sizeof(path), "%s/%s", o->tenant, o->name);

	return XXH3_64bits_withSeed(path, n, seed);
}

/* How far from one place to the next of @n, so that all come up: prime to @n. */
static uint64_t step_of(const struct object *o, uint64_t n)
{
	static const uint64_t primes[] = { 15485863, 32452843 };

	if (!(n & (n - 1)))
		return name_hash(o, 1) | 1;
	return n % primes[0] ? primes[0] : primes[1];
}

static void allocate_vni(struct validation *v, struct network *net)
{
	uint64_t min = v->options->vni_min, max = v->options->vni_max, n = max - min + 1;
	uint64_t vni = v->vni_next < min || v->vni_next > max ? min : v->vni_next;

	for (uint64_t i = 0; i < n; i++, vni = vni < max ? vni + 1 : min)
		if (!model_set_by_vni(v->set, vni, NULL)) {
			net->spec.vni = vni;
			v->vni_next = vni + 1;
			return;
		}
	complain(v, "", "no network can be added: all %llu identifiers of networks are in use;"
		 " delete networks, or the operator gives more (--vni-range)", (unsigned long long)n);
}

static void allocate_mac(struct validation *v, struct instance *i)
{
	const struct network *net = (struct network *)
		model_set_find(v->set, KIND_NETWORK, i->o.tenant, i->spec.network);
	uint64_t seed = 1;

	if (!net)
		return;				/* a problem of its own */
	do {
		uint64_t hash = name_hash(&i->o, seed++);

		memcpy(i->spec.mac, &hash, ETH_ADDR_LEN);
		i->spec.mac[0] = 0x02;		/* one machine's, locally administered */
	} while (model_set_by_mac(v->set, net, i->spec.mac, i) ||
		 !memcmp(i->spec.mac, net->spec.gateway_mac, ETH_ADDR_LEN));
}

/* @offset behind the first address of @p. */
static struct ip_addr addr_at(const struct ip_prefix *p, uint32_t offset)
{
	struct ip_addr a = p->addr;

	a.w[3] = htonl(ntohl(a.w[3]) + offset);
	return a;
}

/* Bits of an address that may differ inside @p, at most 32. */
static unsigned int host_bits(const struct ip_prefix *p)
{
	return 128 - p->len < 32 ? 128 - p->len : 32;
}

/* The first and last of an IPv4 subnet, the first of an IPv6 subnet: nobody's. */
static bool is_reserved(const struct ip_prefix *p, uint32_t offset)
{
	if (128 - p->len < 2)
		return false;
	return !offset || (ip_addr_is_v4(&p->addr) && offset == (1ull << host_bits(p)) - 1);
}

static bool allocate_in(struct validation *v, const struct instance *i, const struct network *net,
			const struct subnet *subnet, struct ip_addr *ret)
{
	const struct ip_prefix *p = &subnet->spec.prefix;
	uint64_t size = 1ull << host_bits(p), start = name_hash(&i->o, 0) % size;
	uint64_t step = step_of(&i->o, size) % size;

	if (subnet == v->full)
		return false;
	for (uint64_t n = 0; n < size; n++) {
		uint32_t offset = (start + n * step) % size;
		struct ip_addr a = addr_at(p, offset);

		if (is_reserved(p, offset) || ip_addr_equal(&a, &subnet->spec.gateway) ||
		    model_set_by_address(v->set, net, &a, NULL))
			continue;
		*ret = a;
		return true;
	}
	v->full = subnet;
	return false;
}

static void give_address(struct validation *v, struct instance *i, const struct ip_addr *a)
{
	struct addr_list *list = &i->spec.addresses;
	struct addr_use *bigger = reallocarray(list->v, list->n + 1, sizeof(*bigger));

	if (!bigger) {
		v->problems->no_memory = true;
		return;
	}
	list->v = bigger;
	list->v[list->n++] = (struct addr_use){ .ip = *a };
}

static bool has_address_in(const struct instance *i, const struct subnet *subnet)
{
	for (unsigned int a = 0; a < i->spec.addresses.n; a++)
		if (ip_prefix_covers(&subnet->spec.prefix, &i->spec.addresses.v[a].ip))
			return true;
	return false;
}

static void allocate_named(struct validation *v, struct instance *i, const struct network *net)
{
	for (unsigned int n = 0; n < i->spec.subnets.n; n++) {
		const struct subnet *subnet = (struct subnet *)
			model_set_find(v->set, KIND_SUBNET, i->o.tenant, i->spec.subnets.v[n]);
		struct ip_addr a;

		if (!subnet || has_address_in(i, subnet))
			continue;
		if (allocate_in(v, i, net, subnet, &a))
			give_address(v, i, &a);
		else
			complain(v, "spec.subnets", "no address is free in Subnet %s; name another"
				 " one, or delete instances", subnet->o.name);
	}
}

/* The subnet of a family whose name follows @after. */
static const struct subnet *next_subnet(const struct network *net, bool v4, const char *after)
{
	const struct subnet *next = NULL;

	for (const struct ref *r = net->subnets; r; r = r->next) {
		const struct subnet *s = ref_from(r, struct subnet);

		if (!!ip_addr_is_v4(&s->spec.prefix.addr) == v4 && strcmp(s->o.name, after) > 0 &&
		    (!next || strcmp(s->o.name, next->o.name) < 0))
			next = s;
	}
	return next;
}

/* One of either family, from the first subnet by name that has one. */
static void allocate_any(struct validation *v, struct instance *i, const struct network *net)
{
	bool any = net->subnets;

	for (int v4 = 1; v4 >= 0; v4--) {
		const struct subnet *s = next_subnet(net, v4, "");
		struct ip_addr a;

		if (!s)
			continue;
		while (s && !allocate_in(v, i, net, s, &a))
			s = next_subnet(net, v4, s->o.name);
		if (s)
			give_address(v, i, &a);
		else
			complain(v, "spec.addresses", "no %s address is free in Network %s; add a"
				 " Subnet, or delete instances", v4 ? "IPv4" : "IPv6", net->o.name);
	}
	if (!any)
		complain(v, "spec.addresses", "Network %s has no Subnet to take an address from;"
			 " add one", net->o.name);
}

static void allocate_addresses(struct validation *v, struct instance *i)
{
	const struct network *net = (struct network *)
		model_set_find(v->set, KIND_NETWORK, i->o.tenant, i->spec.network);

	if (!net)
		return;
	if (i->spec.subnets.n)
		allocate_named(v, i, net);
	else if (!i->spec.addresses.n)
		allocate_any(v, i, net);
}

bool allocate_wanted(const struct object *o)
{
	const struct network *net = (const struct network *)o;
	const struct instance *i = (const struct instance *)o;

	if (o->kind == KIND_NETWORK)
		return !net->spec.vni || mac_is_zero(net->spec.gateway_mac);
	if (o->kind == KIND_SUBNET)
		return ip_addr_is_zero(&((const struct subnet *)o)->spec.gateway);
	return o->kind == KIND_INSTANCE &&
	       (mac_is_zero(i->spec.mac) || i->spec.addresses.n < (i->spec.subnets.n ?: 1));
}

static void allocate_gateway(struct subnet *subnet)
{
	const struct ip_prefix *p = &subnet->spec.prefix;

	if (128 - p->len >= 2)			/* a smaller one has no room for a gateway */
		subnet->spec.gateway = addr_at(p, 1);
}

void allocate(struct validation *v, struct object *o)
{
	struct network *net = (struct network *)o;

	if (o->kind == KIND_NETWORK && !net->spec.vni)
		allocate_vni(v, net);
	if (o->kind == KIND_NETWORK && mac_is_zero(net->spec.gateway_mac))
		memcpy(net->spec.gateway_mac, gateway_mac, ETH_ADDR_LEN);
	if (o->kind == KIND_SUBNET && ip_addr_is_zero(&((struct subnet *)o)->spec.gateway))
		allocate_gateway((struct subnet *)o);
	if (o->kind != KIND_INSTANCE)
		return;
	allocate_addresses(v, (struct instance *)o);
	if (mac_is_zero(((struct instance *)o)->spec.mac))
		allocate_mac(v, (struct instance *)o);
}
