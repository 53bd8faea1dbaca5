// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_validate_oracle.c - validate() against a stupid twin, on random transactions
 *
 * The twin knows no index and no transaction: it takes the list of objects as the
 * transaction would leave it and asks every rule of every object and every pair. A
 * transaction must be taken exactly when the twin finds nothing wrong, and whatever
 * comes out, validate() leaves the set as it was.
 */
#include <ctl/controller/validate.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <selftests/unit/expect.h>
#include <selftests/unit/model_random.h>

#define MANY 128

struct plain {
	struct object *v[MANY];
	unsigned int n;
};

/* for (each(l, struct subnet, s, KIND_SUBNET)) */
#define EACH(l, type, x, want)                                                              \
	for (unsigned int x##_i = 0; x##_i < (l)->n; x##_i++)                               \
		for (struct type *x = (struct type *)(l)->v[x##_i]; x && x->o.kind == (want); \
		     x = NULL)

static int place(const struct plain *l, const struct object *o)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (l->v[i]->kind == o->kind && !strcmp(l->v[i]->tenant, o->tenant) &&
		    !strcmp(l->v[i]->name, o->name))
			return i;
	return -1;
}

static struct object *get(const struct plain *l, enum kind kind, const char *tenant, const char *name)
{
	struct object like = { .kind = kind };
	int i;

	snprintf(like.tenant, sizeof(like.tenant), "%s", tenant);
	snprintf(like.name, sizeof(like.name), "%s", name);
	i = place(l, &like);
	return i < 0 ? NULL : l->v[i];
}

static bool overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_covers(a, &b->addr) || ip_prefix_covers(b, &a->addr);
}

static bool same_net(const struct object *a, const char *net_a, const struct object *b, const char *net_b)
{
	return !strcmp(a->tenant, b->tenant) && !strcmp(net_a, net_b);
}

static bool references_hold(const struct plain *l)
{
	EACH(l, network, net, KIND_NETWORK) {
		if (!get(l, KIND_TENANT, "", net->o.tenant))
			return false;
		for (unsigned int i = 0; i < net->spec.hoverboards.n; i++)
			if (!get(l, KIND_HOVERBOARD, "", net->spec.hoverboards.v[i]))
				return false;
	}
	for (unsigned int i = 0; i < l->n; i++)
		for (const struct relation *r = relations; r->path; r++)
			if (r->from == l->v[i]->kind && *relation_name(r, l->v[i]) &&
			    !get(l, r->to, kinds[r->to].scope == SCOPE_FABRIC ? "" : l->v[i]->tenant,
				 relation_name(r, l->v[i])))
				return false;
	return true;
}

static bool subnets_hold(const struct plain *l)
{
	EACH(l, subnet, a, KIND_SUBNET)
		EACH(l, subnet, b, KIND_SUBNET)
			if (a != b && same_net(&a->o, a->spec.network, &b->o, b->spec.network) &&
			    overlaps(&a->spec.prefix, &b->spec.prefix))
				return false;
	return true;
}

/* The small world has IPv4 subnets of /22 and /24 only. */
static bool lives_well(const struct plain *l, const struct instance *i)
{
	const struct ip_addr *a = &i->spec.addresses.v[0].ip;

	EACH(l, subnet, s, KIND_SUBNET) {
		uint32_t mask = s->spec.prefix.len == 118 ? 0x3ff : 0xff;

		if (same_net(&i->o, i->spec.network, &s->o, s->spec.network) &&
		    ip_prefix_covers(&s->spec.prefix, a)) {
			uint32_t host = __builtin_bswap32(a->w[3]) & mask;

			return host && host != mask && !ip_addr_equal(a, &s->spec.gateway);
		}
	}
	return false;
}

static bool instances_hold(const struct plain *l)
{
	EACH(l, instance, a, KIND_INSTANCE) {
		if (!lives_well(l, a))
			return false;
		EACH(l, instance, b, KIND_INSTANCE) {
			if (a == b || !same_net(&a->o, a->spec.network, &b->o, b->spec.network))
				continue;
			if (ip_addr_equal(&a->spec.addresses.v[0].ip, &b->spec.addresses.v[0].ip))
				return false;
			if (!mac_is_zero(a->spec.mac) && !memcmp(a->spec.mac, b->spec.mac, ETH_ADDR_LEN))
				return false;
		}
	}
	return true;
}

static bool networks_hold(const struct plain *l)
{
	EACH(l, network, a, KIND_NETWORK)
		EACH(l, network, b, KIND_NETWORK)
			if (a != b && a->spec.vni && a->spec.vni == b->spec.vni)
				return false;
	EACH(l, tenant, t, KIND_TENANT) {
		unsigned int n = 0;

		EACH(l, instance, i, KIND_INSTANCE)
			n += !strcmp(i->o.tenant, t->o.name);
		if (n > t->spec.max_instances)
			return false;
	}
	return true;
}

static bool hosts_hold(const struct plain *l)
{
	EACH(l, host, a, KIND_HOST)
		EACH(l, host, b, KIND_HOST)
			if (a != b && ip_addr_equal(&a->spec.underlay.v[0].ip, &b->spec.underlay.v[0].ip))
				return false;
	EACH(l, hoverboard, a, KIND_HOVERBOARD)
		EACH(l, hoverboard, b, KIND_HOVERBOARD)
			if (a != b && !strcmp(a->spec.host, b->spec.host))
				return false;
	return true;
}

static bool routes_hold(const struct plain *l)
{
	EACH(l, route, a, KIND_ROUTE) {
		const struct next_hop *hop = &a->spec.next_hop;
		const struct instance *i = (struct instance *)get(l, KIND_INSTANCE, a->o.tenant, hop->instance);
		const struct peering *p = (struct peering *)get(l, KIND_PEERING, a->o.tenant, hop->peering);

		if ((i && strcmp(i->spec.network, a->spec.network)) ||
		    (p && strcmp(p->spec.network, a->spec.network)))
			return false;
		EACH(l, route, b, KIND_ROUTE)
			if (a != b && same_net(&a->o, a->spec.network, &b->o, b->spec.network) &&
			    a->spec.priority == b->spec.priority &&
			    a->spec.prefix.len == b->spec.prefix.len &&
			    ip_addr_equal(&a->spec.prefix.addr, &b->spec.prefix.addr))
				return false;
	}
	EACH(l, peering, a, KIND_PEERING) {
		char own[MODEL_PATH_LEN];

		snprintf(own, sizeof(own), "%s/%s", a->o.tenant, a->spec.network);
		if (!strcmp(own, a->spec.peer))
			return false;
		EACH(l, peering, b, KIND_PEERING)
			if (a != b && same_net(&a->o, a->spec.network, &b->o, b->spec.network) &&
			    !strcmp(a->spec.peer, b->spec.peer))
				return false;
	}
	return true;
}

/* "tenant/network" into @path, if a peering of @from into it is declared by both. */
static bool in_force(const struct plain *l, const struct peering *from)
{
	char own[MODEL_PATH_LEN], theirs[MODEL_PATH_LEN];

	snprintf(own, sizeof(own), "%s/%s", from->o.tenant, from->spec.network);
	EACH(l, peering, p, KIND_PEERING) {
		snprintf(theirs, sizeof(theirs), "%s/%s", p->o.tenant, p->spec.network);
		if (!strcmp(theirs, from->spec.peer) && !strcmp(p->spec.peer, own))
			return true;
	}
	return false;
}

/* The next "tenant/network" into @path; false: the packet stops here. */
static bool walk(const struct plain *l, char *path, const struct ip_addr *a)
{
	const struct route *best = NULL;
	const struct peering *p;
	char here[MODEL_PATH_LEN];

	EACH(l, subnet, s, KIND_SUBNET) {
		snprintf(here, sizeof(here), "%s/%s", s->o.tenant, s->spec.network);
		if (!strcmp(here, path) && ip_prefix_covers(&s->spec.prefix, a))
			return false;
	}
	EACH(l, route, r, KIND_ROUTE) {
		snprintf(here, sizeof(here), "%s/%s", r->o.tenant, r->spec.network);
		if (strcmp(here, path) || !ip_prefix_covers(&r->spec.prefix, a))
			continue;
		if (!best || r->spec.prefix.len > best->spec.prefix.len ||
		    (r->spec.prefix.len == best->spec.prefix.len &&
		     r->spec.priority < best->spec.priority))
			best = r;
	}
	p = best ? (struct peering *)get(l, KIND_PEERING, best->o.tenant, best->spec.next_hop.peering) :
		   NULL;
	if (!p || !in_force(l, p))
		return false;
	strcpy(path, p->spec.peer);
	return true;
}

/* Every third octet of the small world from every network. */
static bool no_circles(const struct plain *l)
{
	EACH(l, network, net, KIND_NETWORK)
		for (unsigned int octets = 0; octets < 3 * 8; octets++) {
			char text[32], path[MODEL_PATH_LEN];
			struct ip_addr a;
			int hops = 0;

			snprintf(text, sizeof(text), "10.%u.%u.9", octets / 8, octets % 8);
			ip_addr_parse(text, &a);
			snprintf(path, sizeof(path), "%s/%s", net->o.tenant, net->o.name);
			while (walk(l, path, &a))
				if (++hops > 20)
					return false;
		}
	return true;
}

static bool judge(const struct plain *l)
{
	return references_hold(l) && subnets_hold(l) && instances_hold(l) && networks_hold(l) &&
	       hosts_hold(l) && routes_hold(l) && no_circles(l);
}

/* What validate() keeps of the old object or fills in without a choice. */
static void fill(struct object *o, const struct object *old)
{
	struct instance *i = (struct instance *)o;
	const struct instance *was = (const struct instance *)old;
	struct subnet *s = (struct subnet *)o;

	if (o->kind == KIND_INSTANCE && was && mac_is_zero(i->spec.mac) &&
	    !strcmp(i->spec.network, was->spec.network))
		memcpy(i->spec.mac, was->spec.mac, ETH_ADDR_LEN);
	if (o->kind == KIND_NETWORK && old && !((struct network *)o)->spec.vni)
		((struct network *)o)->spec.vni = ((const struct network *)old)->spec.vni;
	if (o->kind != KIND_SUBNET)
		return;
	if (old && ip_prefix_covers(&s->spec.prefix, &((const struct subnet *)old)->spec.gateway)) {
		s->spec.gateway = ((const struct subnet *)old)->spec.gateway;
		return;
	}
	s->spec.gateway = s->spec.prefix.addr;
	s->spec.gateway.w[3] |= __builtin_bswap32(1);
}

static bool mostly_routes;		/* so that circles have a chance */

/* A random transaction; false: it holds an object twice or deletes what is not there. */
static bool random_changes(struct plain *after, struct changes *c)
{
	struct plain seen = {};
	bool sound = true;

	for (unsigned int n = 1 + dice(4); n; n--) {
		struct object *o = mostly_routes && dice(6) ? random_tenant_object(KIND_ROUTE) :
							      random_object();
		bool del = !dice(4);
		int at = place(after, o);

		sound &= place(&seen, o) < 0 && !(del && at < 0);
		seen.v[seen.n++] = o;
		changes_add(c, o, del, c->n, 0);
		if (!sound)
			continue;
		if (del) {
			model_free(after->v[at]);
			after->v[at] = after->v[--after->n];
		} else {
			struct object *copy = model_copy(o);

			fill(copy, at < 0 ? NULL : after->v[at]);
			if (at < 0)
				at = after->n++;
			else
				model_free(after->v[at]);
			after->v[at] = copy;
		}
	}
	return sound;
}

static struct plain list_of(const struct model_set *s)
{
	struct plain l = {};
	struct object *o;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		for (size_t i = 0; (o = model_set_next(s, k, &i));)
			l.v[l.n++] = model_copy(o);
	return l;
}

static void plain_free(struct plain *l)
{
	while (l->n)
		model_free(l->v[--l->n]);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The whole set as one text. */
static char *set_text(const struct model_set *s)
{
	struct plain l = list_of(s);
	char *lines[MANY], *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (unsigned int i = 0; i < l.n; i++)
		lines[i] = model_text(l.v[i]);
	qsort(lines, l.n, sizeof(*lines), by_text);
	for (unsigned int i = 0; i < l.n; i++) {
		fprintf(out, "%s\n", lines[i]);
		free(lines[i]);
	}
	fprintf(out, "%zu %zu %zu %zu\n", s->addresses.n, s->macs.n, s->vnis.n, s->routes.n);
	fclose(out);
	plain_free(&l);
	return text;
}

/* Does what validate() said, as the store's watch would. */
static void commit(struct model_set *s, struct changes *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct change *one = &c->v[i];

		if (one->outcome == OUTCOME_DELETED)
			model_free(model_set_del(s, one->object->kind, one->object->tenant,
						 one->object->name));
		if (one->outcome > OUTCOME_UPDATED)
			continue;
		model_free(model_set_put(s, one->object, NULL));
		one->object = NULL;
	}
}

static void step(struct model_set *s, unsigned int seed, unsigned int *taken)
{
	static const struct validate_options options = { .vni_min = 1, .vni_max = 16777215 };
	struct plain after = list_of(s);
	struct changes c = {};
	struct validate_progress at = {};
	char *before = set_text(s), *behind;
	bool right = random_changes(&after, &c) && judge(&after);
	struct problems p;
	int err;

	problems_init(&p);
	do
		err = validate_some(s, &c, &options, &p, &at, 1 + dice(3));
	while (err == 1);
	if (!err != right)
		fail_msg("seed %u: %s, but the twin says %s\n%s\nof these:\n%s", seed,
			 err ? "refused" : "taken", right ? "right" : "wrong",
			 problems_first(&p, (char[512]){}, 512), before);
	behind = set_text(s);
	assert_string_equal(behind, before);
	if (!err)
		commit(s, &c);
	*taken += !err;
	free(before);
	free(behind);
	problems_done(&p);
	changes_free(&c);
	plain_free(&after);
}

/* Tenants with three networks each, all peered with all of the same tenant. */
static void put_world(struct model_set *s)
{
	for (unsigned int t = 0; t < 2; t++) {
		model_set_put(s, object_fmt("{kind: Tenant, name: t%u, spec: {maxInstances: %u}}", t,
					    3 + t), NULL);
		for (unsigned int n = 0; n < 3; n++) {
			model_set_put(s, object_fmt("{kind: Network, tenant: t%u, name: n%u, spec: {vni:"
						    " %u, gatewayMac: '02:00:5e:00:00:01'}}", t, n,
						    100 + t * 3 + n), NULL);
			model_set_put(s, object_fmt("{kind: Peering, tenant: t%u, name: p%u, spec:"
						    " {network: n%u, peer: t%u/n%u}}", t, 2 * n, n, t,
						    (n + 1) % 3), NULL);
			model_set_put(s, object_fmt("{kind: Peering, tenant: t%u, name: p%u, spec:"
						    " {network: n%u, peer: t%u/n%u}}", t, 2 * n + 1,
						    (n + 1) % 3, t, n), NULL);
		}
	}
}

static void test_against_twin(void **state)
{
	unsigned int taken = 0, n = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= 40; seed++) {
		struct model_set s;

		srandom(seed);
		mostly_routes = seed % 4 == 1;
		model_set_init(&s);
		if (seed % 4)
			put_world(&s);
		for (int i = 0; i < 400; i++, n++)
			step(&s, seed, &taken);
		model_set_done(&s);
	}
	print_message("%u of %u transactions were taken\n", taken, n);
	assert_true(taken > n / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_twin) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
