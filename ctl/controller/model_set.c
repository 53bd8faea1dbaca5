// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_set.c - all objects, and every question about them that must not cost a walk
 */
#include <ctl/controller/model_set.h>

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <lib/log.h>

const struct relation relations[] = {
	{ KIND_NETWORK, KIND_TENANT, 0, offsetof(struct network, tenant),
	  offsetof(struct tenant, networks), "tenant" },
	{ KIND_SUBNET, KIND_NETWORK, offsetof(struct subnet, spec.network),
	  offsetof(struct subnet, network), offsetof(struct network, subnets), "spec.network" },
	{ KIND_INSTANCE, KIND_NETWORK, offsetof(struct instance, spec.network),
	  offsetof(struct instance, network), offsetof(struct network, instances), "spec.network" },
	{ KIND_INSTANCE, KIND_HOST, offsetof(struct instance, spec.host),
	  offsetof(struct instance, host), offsetof(struct host, instances), "spec.host" },
	{ KIND_PEERING, KIND_NETWORK, offsetof(struct peering, spec.network),
	  offsetof(struct peering, network), offsetof(struct network, peerings), "spec.network" },
	{ KIND_ROUTE, KIND_NETWORK, offsetof(struct route, spec.network),
	  offsetof(struct route, network), offsetof(struct network, routes), "spec.network" },
	{ KIND_ROUTE, KIND_INSTANCE, offsetof(struct route, spec.next_hop.instance),
	  offsetof(struct route, instance), offsetof(struct instance, routes),
	  "spec.nextHop.instance" },
	{ KIND_ROUTE, KIND_PEERING, offsetof(struct route, spec.next_hop.peering),
	  offsetof(struct route, peering), offsetof(struct peering, routes),
	  "spec.nextHop.peering" },
	{ KIND_HOVERBOARD, KIND_HOST, offsetof(struct hoverboard, spec.host),
	  offsetof(struct hoverboard, host), offsetof(struct host, hoverboards), "spec.host" },
	{},
};

static void check_memory(int err)
{
	if (!err)
		return;
	log_error("out of memory while objects changed; starting again from the store");
	abort();
}

static void *must(void *memory)
{
	check_memory(memory ? 0 : -1);
	return memory;
}

/* Keys of the tables. */
static uint64_t object_hash(const void *entry)
{
	const struct object *o = entry;

	return XXH3_64bits(o->tenant, strlen(o->tenant)) ^
	       XXH3_64bits_withSeed(o->name, strlen(o->name), 1);
}

static bool object_same(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return !strcmp(x->name, y->name) && !strcmp(x->tenant, y->tenant);
}

static const struct object *network_of(const struct addr_use *use)
{
	return ((const struct instance *)use->owner)->network.to;
}

static uint64_t hash_in(const void *where, const void *data, size_t len)
{
	return XXH3_64bits_withSeed(data, len, (uintptr_t)where);
}

static uint64_t address_hash(const void *entry)
{
	const struct addr_use *use = entry;

	return hash_in(network_of(use), &use->ip, sizeof(use->ip));
}

static bool address_same(const void *a, const void *b)
{
	const struct addr_use *x = a, *y = b;

	return ip_addr_equal(&x->ip, &y->ip) && network_of(x) == network_of(y);
}

static uint64_t mac_hash(const void *entry)
{
	const struct instance *i = entry;

	return hash_in(i->network.to, i->spec.mac, ETH_ADDR_LEN);
}

static bool mac_same(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;

	return !memcmp(x->spec.mac, y->spec.mac, ETH_ADDR_LEN) && x->network.to == y->network.to;
}

static uint64_t device_hash(const void *entry)
{
	const struct instance *i = entry;

	return hash_in(i->host.to, i->spec.device, strlen(i->spec.device));
}

static bool device_same(const void *a, const void *b)
{
	const struct instance *x = a, *y = b;

	return !strcmp(x->spec.device, y->spec.device) && x->host.to == y->host.to;
}

static uint64_t route_hash(const void *entry)
{
	const struct route *r = entry;

	return hash_in(r->network.to, &r->spec.prefix.addr, sizeof(struct ip_addr)) +
	       r->spec.prefix.len + (r->spec.priority << 8);
}

static bool route_same(const void *a, const void *b)
{
	const struct route *x = a, *y = b;

	return x->network.to == y->network.to && x->spec.priority == y->spec.priority &&
	       x->spec.prefix.len == y->spec.prefix.len &&
	       ip_addr_equal(&x->spec.prefix.addr, &y->spec.prefix.addr);
}

static uint64_t vni_hash(const void *entry)
{
	return hash_in(NULL, &((const struct network *)entry)->spec.vni, sizeof(uint64_t));
}

static bool vni_same(const void *a, const void *b)
{
	return ((const struct network *)a)->spec.vni == ((const struct network *)b)->spec.vni;
}

static uint64_t underlay_hash(const void *entry)
{
	return hash_in(NULL, &((const struct addr_use *)entry)->ip, sizeof(struct ip_addr));
}

static bool underlay_same(const void *a, const void *b)
{
	return ip_addr_equal(&((const struct addr_use *)a)->ip, &((const struct addr_use *)b)->ip);
}

void model_set_init(struct model_set *s)
{
	*s = (struct model_set){};
	for (enum kind k = 0; k < KIND_COUNT; k++)
		index_init(&s->objects[k], object_hash, object_same);
	index_init(&s->addresses, address_hash, address_same);
	index_init(&s->macs, mac_hash, mac_same);
	index_init(&s->vnis, vni_hash, vni_same);
	index_init(&s->devices, device_hash, device_same);
	index_init(&s->routes, route_hash, route_same);
	index_init(&s->underlay, underlay_hash, underlay_same);
	presence_init(&s->presences);
}

void model_set_done(struct model_set *s)
{
	for (enum kind k = 0; k < KIND_COUNT; k++) {
		struct object *o;

		for (size_t i = 0; (o = index_next(&s->objects[k], &i));) {
			if (k == KIND_NETWORK)
				free(((struct network *)o)->hoverboards);
			model_free(o);
		}
		index_done(&s->objects[k]);
	}
	index_done(&s->addresses);
	index_done(&s->macs);
	index_done(&s->vnis);
	index_done(&s->devices);
	index_done(&s->routes);
	index_done(&s->underlay);
	presence_done(&s->presences);
}

struct object *model_set_placeholder(const struct model_set *s, enum kind kind,
				     const char *tenant, const char *name)
{
	struct object like = { .kind = kind };

	if (strlen(tenant) >= sizeof(like.tenant) || strlen(name) >= sizeof(like.name))
		return NULL;
	if (kinds[kind].scope != SCOPE_FABRIC)
		strcpy(like.tenant, tenant);
	strcpy(like.name, name);
	return index_find(&s->objects[kind], &like);
}

struct object *model_set_find(const struct model_set *s, enum kind kind, const char *tenant,
			      const char *name)
{
	struct object *o = model_set_placeholder(s, kind, tenant, name);

	return o && o->present ? o : NULL;
}

static void ref_link(struct model_set *s, struct ref *r, struct object *from, enum kind to,
		     const char *name, size_t list)
{
	struct object *target = model_set_placeholder(s, to, from->tenant, name);
	struct ref **head;

	if (!target) {
		target = must(model_new(to, kinds[to].scope == SCOPE_FABRIC ? "" : from->tenant,
					name));
		check_memory(index_add(&s->objects[to], target));
	}
	head = (struct ref **)((char *)target + list);
	*r = (struct ref){ .from = from, .to = target, .next = *head, .pprev = head };
	if (*head)
		(*head)->pprev = &r->next;
	*head = r;
}

static bool is_referred_to(const struct object *o)
{
	if (o->kind == KIND_HOVERBOARD && ((const struct hoverboard *)o)->networks)
		return true;
	for (const struct relation *r = relations; r->path; r++)
		if (r->to == o->kind && *(struct ref *const *)((const char *)o + r->list))
			return true;
	return false;
}

/* A placeholder nobody needs any more goes. */
static void drop_unused(struct model_set *s, struct object *o)
{
	if (o->present || is_referred_to(o))
		return;
	index_del(&s->objects[o->kind], o);
	model_free(o);
}

static void ref_unlink(struct model_set *s, struct ref *r)
{
	struct object *target = r->to;

	if (!target)
		return;
	*r->pprev = r->next;
	if (r->next)
		r->next->pprev = r->pprev;
	*r = (struct ref){};
	drop_unused(s, target);
}

static void link_hoverboards(struct model_set *s, struct network *net)
{
	const struct name_list *names = &net->spec.hoverboards;

	if (!names->n)
		return;
	net->hoverboards = must(calloc(names->n, sizeof(*net->hoverboards)));
	for (unsigned int i = 0; i < names->n; i++)
		ref_link(s, &net->hoverboards[i], &net->o, KIND_HOVERBOARD, names->v[i],
			 offsetof(struct hoverboard, networks));
}

static void unlink_hoverboards(struct model_set *s, struct network *net)
{
	for (unsigned int i = 0; net->hoverboards && i < net->spec.hoverboards.n; i++)
		ref_unlink(s, &net->hoverboards[i]);
	free(net->hoverboards);
	net->hoverboards = NULL;
}

/* Tables an instance stands in; its references are linked. */
static void index_instance(struct model_set *s, struct instance *i)
{
	for (unsigned int a = 0; a < i->spec.addresses.n; a++) {
		i->spec.addresses.v[a].owner = &i->o;
		check_memory(index_add(&s->addresses, &i->spec.addresses.v[a]));
	}
	if (!mac_is_zero(i->spec.mac))
		check_memory(index_add(&s->macs, i));
	if (i->host.to && i->spec.device)
		check_memory(index_add(&s->devices, i));
	if (i->host.to) {
		struct host *host = (struct host *)i->host.to;

		host->n_instances++;
		check_memory(presence_add(&s->presences, host, (struct network *)i->network.to));
	}
	((struct network *)i->network.to)->n_instances++;
}

static void unindex_instance(struct model_set *s, struct instance *i)
{
	for (unsigned int a = 0; a < i->spec.addresses.n; a++)
		index_del(&s->addresses, &i->spec.addresses.v[a]);
	if (!mac_is_zero(i->spec.mac))
		index_del(&s->macs, i);
	if (i->host.to && i->spec.device)
		index_del(&s->devices, i);
	if (i->host.to) {
		struct host *host = (struct host *)i->host.to;

		host->n_instances--;
		presence_del(&s->presences, host, (struct network *)i->network.to);
	}
	((struct network *)i->network.to)->n_instances--;
}

static void index_host(struct model_set *s, struct host *h)
{
	for (unsigned int a = 0; a < h->spec.underlay.n; a++) {
		h->spec.underlay.v[a].owner = &h->o;
		check_memory(index_add(&s->underlay, &h->spec.underlay.v[a]));
	}
}

static void unindex_host(struct model_set *s, struct host *h)
{
	for (unsigned int a = 0; a < h->spec.underlay.n; a++)
		index_del(&s->underlay, &h->spec.underlay.v[a]);
}

static void index_content(struct model_set *s, struct object *o)
{
	if (o->kind == KIND_NETWORK && ((struct network *)o)->spec.vni)
		check_memory(index_add(&s->vnis, o));
	if (o->kind == KIND_ROUTE) {
		check_memory(index_add(&s->routes, o));
		((struct network *)((struct route *)o)->network.to)->n_routes++;
	}
	if (o->kind == KIND_HOST)
		index_host(s, (struct host *)o);
	if (o->kind == KIND_INSTANCE)
		index_instance(s, (struct instance *)o);
}

static void unindex_content(struct model_set *s, struct object *o)
{
	if (o->kind == KIND_NETWORK)
		index_del(&s->vnis, o);
	if (o->kind == KIND_ROUTE) {
		index_del(&s->routes, o);
		((struct network *)((struct route *)o)->network.to)->n_routes--;
	}
	if (o->kind == KIND_HOST)
		unindex_host(s, (struct host *)o);
	if (o->kind == KIND_INSTANCE)
		unindex_instance(s, (struct instance *)o);
}

static void link_content(struct model_set *s, struct object *o)
{
	for (const struct relation *r = relations; r->path; r++)
		if (r->from == o->kind && *relation_name(r, o))
			ref_link(s, (struct ref *)((char *)o + r->ref), o, r->to,
				 relation_name(r, o), r->list);
	if (o->kind == KIND_NETWORK)
		link_hoverboards(s, (struct network *)o);
	index_content(s, o);
	o->present = true;
	s->n_present[o->kind]++;
}

/* @o stays present while its references go, so that none of them can take it along. */
static void unlink_content(struct model_set *s, struct object *o)
{
	unindex_content(s, o);
	for (const struct relation *r = relations; r->path; r++)
		if (r->from == o->kind)
			ref_unlink(s, (struct ref *)((char *)o + r->ref));
	if (o->kind == KIND_NETWORK)
		unlink_hoverboards(s, (struct network *)o);
	o->present = false;
	s->n_present[o->kind]--;
}

static void swap_bytes(void *a, void *b, size_t len)
{
	char *x = a, *y = b;

	for (size_t i = 0; i < len; i++) {
		char kept = x[i];

		x[i] = y[i];
		y[i] = kept;
	}
}

static void swap_content(struct object *a, struct object *b)
{
	struct object header = *a;

	a->labels = b->labels;
	a->n_labels = b->n_labels;
	a->revision = b->revision;
	b->labels = header.labels;
	b->n_labels = header.n_labels;
	b->revision = header.revision;
	swap_bytes(model_spec(a), model_spec(b), kinds[a->kind].spec_size);
}

struct object *model_set_put(struct model_set *s, struct object *o, struct object **ret_now)
{
	struct object *here = model_set_placeholder(s, o->kind, o->tenant, o->name);
	struct object *old = NULL;

	s->generation++;
	if (!here) {
		check_memory(index_add(&s->objects[o->kind], o));
		here = o;
	} else {
		bool was_present = here->present;

		if (was_present)
			unlink_content(s, here);
		swap_content(here, o);
		if (was_present)
			old = o;
		else
			model_free(o);
	}
	link_content(s, here);
	if (ret_now)
		*ret_now = here;
	return old;
}

struct object *model_set_del(struct model_set *s, enum kind kind, const char *tenant,
			     const char *name)
{
	struct object *here = model_set_find(s, kind, tenant, name), *old;

	if (!here)
		return NULL;
	s->generation++;
	unlink_content(s, here);
	if (!is_referred_to(here)) {
		index_del(&s->objects[kind], here);
		return here;
	}
	old = must(model_new(kind, here->tenant, here->name));
	swap_content(here, old);
	return old;
}

struct network *model_set_find_network(const struct model_set *s, const char *path)
{
	const char *slash = strchr(path, '/');
	char tenant[MODEL_TENANT_LEN];

	if (!slash || (size_t)(slash - path) >= sizeof(tenant))
		return NULL;
	memcpy(tenant, path, slash - path);
	tenant[slash - path] = '\0';
	return (struct network *)model_set_find(s, KIND_NETWORK, tenant, slash + 1);
}

struct object *model_set_next(const struct model_set *s, enum kind kind, size_t *i)
{
	struct object *o;

	while ((o = index_next(&s->objects[kind], i)))
		if (o->present)
			return o;
	return NULL;
}

struct instance *model_set_by_address(const struct model_set *s, const struct network *net,
				      const struct ip_addr *a, const struct instance *except)
{
	struct instance like = { .network.to = (struct object *)&net->o };
	struct addr_use use = { .ip = *a, .owner = &like.o }, *found = NULL;

	/* An instance holds an address once (model_read), so one entry at most is its own. */
	for (unsigned int i = 0; except && i < except->spec.addresses.n; i++)
		if (ip_addr_equal(&except->spec.addresses.v[i].ip, a))
			found = &except->spec.addresses.v[i];
	found = index_find_other(&s->addresses, &use, found);
	return found ? (struct instance *)found->owner : NULL;
}

struct instance *model_set_by_mac(const struct model_set *s, const struct network *net,
				  const uint8_t mac[ETH_ADDR_LEN], const struct instance *except)
{
	struct instance like = { .network.to = (struct object *)&net->o };

	memcpy(like.spec.mac, mac, ETH_ADDR_LEN);
	return index_find_other(&s->macs, &like, except);
}

struct instance *model_set_by_device(const struct model_set *s, const struct host *host,
				     const char *device, const struct instance *except)
{
	struct instance like = { .spec.device = (char *)device,
				 .host.to = (struct object *)&host->o };

	return index_find_other(&s->devices, &like, except);
}

struct route *model_set_same_route(const struct model_set *s, const struct route *route)
{
	return index_find_other(&s->routes, route, route);
}

struct network *model_set_by_vni(const struct model_set *s, uint64_t vni,
				 const struct network *except)
{
	struct network like = { .spec.vni = vni };

	return index_find_other(&s->vnis, &like, except);
}

struct host *model_set_by_underlay(const struct model_set *s, const struct ip_addr *a,
				   const struct host *except)
{
	struct addr_use use = { .ip = *a }, *found = NULL;

	for (unsigned int i = 0; except && i < except->spec.underlay.n; i++)
		if (ip_addr_equal(&except->spec.underlay.v[i].ip, a))
			found = &except->spec.underlay.v[i];
	found = index_find_other(&s->underlay, &use, found);
	return found ? (struct host *)found->owner : NULL;
}

struct subnet *model_set_subnet_of(const struct network *net, const struct ip_addr *a)
{
	for (const struct ref *r = net->subnets; r; r = r->next) {
		struct subnet *subnet = ref_from(r, struct subnet);

		if (ip_prefix_covers(&subnet->spec.prefix, a))
			return subnet;
	}
	return NULL;
}

struct peering *model_set_peer(const struct model_set *s, const struct peering *peering)
{
	const struct network *peer = model_set_find_network(s, peering->spec.peer);

	for (const struct ref *r = peer ? peer->peerings : NULL; r; r = r->next) {
		struct peering *other = ref_from(r, struct peering);

		if (other != peering &&
		    model_set_find_network(s, other->spec.peer) == (struct network *)peering->network.to)
			return other;
	}
	return NULL;
}

unsigned int model_set_on_host(const struct model_set *s, const struct network *net,
			       const struct host *host)
{
	return presence_count(&s->presences, host, net);
}

size_t model_set_bytes(const struct model_set *s)
{
	size_t bytes = index_bytes(&s->addresses) + index_bytes(&s->macs) + index_bytes(&s->vnis) +
		       index_bytes(&s->devices) + index_bytes(&s->routes) + index_bytes(&s->underlay) +
		       index_bytes(&s->presences);

	for (enum kind k = 0; k < KIND_COUNT; k++)
		bytes += index_bytes(&s->objects[k]);
	return bytes;
}
