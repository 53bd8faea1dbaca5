// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_vmc_oracle.c - after every random change, every host is as if computed from nothing
 *
 *	change ──► engine: only what it touched ──► desired set ──┐
 *	       └─► vmc_ids() and vmc_spec() over everything ──────┴─ equal, byte by byte
 *	pending ──► an agent that applies it now and then ────────── equal, when it has caught up
 *
 * The universe is small, so that objects meet: everything refers to everything, comes
 * and goes in any order, also before what it refers to. Seeded; ORACLE_CHANGES and
 * ORACLE_SEED choose another walk.
 *
 * And whatever other regions announce, what this region declared comes out byte by byte
 * as it would without them.
 */
#include <ctl/controller/vmc_engine.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/log.h>
#include <selftests/unit/expect.h>

#define HOSTS 6
#define BOARDS 3
#define NETS 4				/* two of each tenant */
#define INSTANCES 24
#define ROUTES 14
#define PEERINGS 6
#define REMOTES 4

static unsigned int seed = 1, step;

static unsigned int dice(unsigned int n)
{
	return (rand_r(&seed) >> 4) % n;
}

static const char *name(const char *what, unsigned int i)
{
	static char buf[8][MODEL_NAME_LEN];
	static unsigned int turn;
	char *s = buf[turn++ % 8];

	snprintf(s, MODEL_NAME_LEN, "%s%u", what, i);
	return s;
}

static const char *tenant_of(unsigned int net)
{
	return name("t", net / 2);
}

static struct ip_addr addr(const char *fmt, unsigned int a, unsigned int b)
{
	struct ip_addr ret;
	char text[64];

	snprintf(text, sizeof(text), fmt, a, b);
	assert_int_equal(ip_addr_parse(text, &ret), 0);
	return ret;
}

static struct ip_prefix prefix(unsigned int i)
{
	static const char *const all[] = { "10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/25",
					   "10.9.0.0/16", "0.0.0.0/0",   "10.0.0.16/28" };
	struct ip_prefix ret;

	assert_int_equal(ip_prefix_parse(all[i % COUNT(all)], &ret), 0);
	return ret;
}

static void addr_add(struct addr_list *list, struct ip_addr a)
{
	list->v = realloc(list->v, (list->n + 1) * sizeof(*list->v));
	list->v[list->n++] = (struct addr_use){ .ip = a };
}

static struct ip_addr address_of(unsigned int i)
{
	return addr("10.0.%u.%u", i % 2, i + 2);
}

static const char *net_path(unsigned int net, char sep)
{
	static char buf[2][VMC_NAME_LEN];
	static unsigned int turn;
	char *s = buf[turn++ % 2];

	snprintf(s, VMC_NAME_LEN, "%s%cn%u", tenant_of(net), sep, net);
	return s;
}

/* Whoever decides on direct routes: takes back those that concern an address. */
static void moved(void *arg, const struct network *net, const struct ip_addr *a)
{
	char name_of[VMC_NAME_LEN], text[IP_ADDR_STRLEN], part[VMC_ID_LEN];
	struct vmc_engine *e = arg;
	struct vmc_host *h;

	vmc_network_name(net, name_of);
	snprintf(part, sizeof(part), "/%s", ip_addr_format(a, text, sizeof(text)));
	for (size_t i = 0; (h = index_next(&e->hosts, &i));) {
		struct objset_entry *told;

		for (size_t k = 0; (told = objset_next(&h->told, &k));) {
			char id[VMC_ID_LEN];

			if (!strstr(told->id, name_of) || !strstr(told->id, part))
				continue;
			strcpy(id, told->id);
			vmc_tell(e, h->name, id, false, 0);
			k = 0;
		}
	}
}

/* Objects with random content. */

static struct object *random_host(unsigned int i)
{
	struct host *h = (struct host *)model_new(KIND_HOST, "", name("h", i));

	addr_add(&h->spec.underlay, addr("192.0.2.%u", 1 + i + 10 * dice(2), 0));
	if (!dice(4))
		addr_add(&h->spec.underlay, addr("2001:db8::%x", 1 + i, 0));
	return &h->o;
}

static struct object *random_board(unsigned int i)
{
	struct hoverboard *b = (struct hoverboard *)model_new(KIND_HOVERBOARD, "", name("b", i));

	strcpy(b->spec.host, name("h", dice(HOSTS)));
	return &b->o;
}

static struct object *random_network(unsigned int i)
{
	struct network *n = (struct network *)model_new(KIND_NETWORK, tenant_of(i), name("n", i));

	n->spec.vni = 100 + i + 10 * dice(3);
	if (dice(3))
		return &n->o;
	n->spec.hoverboards.v = calloc(2, sizeof(*n->spec.hoverboards.v));
	n->spec.hoverboards.n = 1 + dice(2);
	strcpy(n->spec.hoverboards.v[0], name("b", dice(BOARDS)));
	strcpy(n->spec.hoverboards.v[1], name("b", dice(BOARDS)));
	return &n->o;
}

static struct object *random_subnet(unsigned int i)
{
	struct subnet *s = (struct subnet *)model_new(KIND_SUBNET, tenant_of(i), name("s", i));

	strcpy(s->spec.network, name("n", i));
	s->spec.prefix = prefix(dice(2));
	s->spec.gateway = s->spec.prefix.addr;
	return &s->o;
}

static struct object *random_instance(unsigned int i)
{
	unsigned int net = i % 2 ? i % NETS : dice(2) + i % NETS / 2 * 2;
	struct instance *n = (struct instance *)model_new(KIND_INSTANCE, tenant_of(i % NETS),
							  name("i", i));

	strcpy(n->spec.network, name("n", net));
	if (dice(6))
		strcpy(n->spec.host, name("h", dice(HOSTS)));
	addr_add(&n->spec.addresses, address_of(i));
	if (!dice(3))
		addr_add(&n->spec.addresses, addr("fd00::%x", i, 0));
	n->spec.mac[5] = 1 + i;
	n->spec.mac[4] = dice(2);
	if (dice(2))
		n->spec.device = strdup("tap\"0");
	return &n->o;
}

static struct object *random_route(unsigned int i)
{
	unsigned int net = dice(2) + i % 2 * 2;
	struct route *r = (struct route *)model_new(KIND_ROUTE, tenant_of(net), name("r", i));

	strcpy(r->spec.network, name("n", net));
	r->spec.prefix = prefix(dice(6));
	r->spec.priority = dice(3);
	switch (dice(4)) {
	case 0:
		strcpy(r->spec.next_hop.instance, name("i", dice(INSTANCES)));
		break;
	case 1:
		strcpy(r->spec.next_hop.peering, name("p", dice(PEERINGS)));
		break;
	case 2:
		r->spec.next_hop.gateway = addr("198.51.100.%u", dice(4), 0);
		break;
	default:
		r->spec.next_hop.blackhole = true;
	}
	return &r->o;
}

static struct object *random_peering(unsigned int i)
{
	unsigned int net = i % NETS, peer = (net + 1 + dice(NETS - 1)) % NETS;
	struct peering *p = (struct peering *)model_new(KIND_PEERING, tenant_of(net), name("p", i));

	strcpy(p->spec.network, name("n", net));
	strcpy(p->spec.peer, net_path(peer, '/'));
	return &p->o;
}

static struct object *random_remote(unsigned int i)
{
	struct remote_network *r = (struct remote_network *)model_new(
		KIND_REMOTE_NETWORK, name("region", i % 2), name("rn", i));

	strcpy(r->spec.network, net_path(dice(NETS), '/'));
	r->spec.vni = dice(5) * 7;	/* 0: bad */
	r->spec.prefixes.v = calloc(2, sizeof(*r->spec.prefixes.v));
	r->spec.prefixes.n = 2;
	r->spec.prefixes.v[0] = prefix(dice(6));
	r->spec.prefixes.v[1] = prefix(dice(6));
	addr_add(&r->spec.gateways, dice(4) ? addr("203.0.113.%u", 1 + dice(3), 0) :
					      addr("192.0.2.%u", 1 + dice(4), 0));	/* maybe a host: bad */
	return &r->o;
}

static const struct {
	struct object *(*make)(unsigned int i);
	unsigned int n, weight;
} makers[] = {
	{ random_host, HOSTS, 2 },	   { random_board, BOARDS, 1 },
	{ random_network, NETS, 1 },	   { random_subnet, NETS, 1 },
	{ random_instance, INSTANCES, 8 }, { random_route, ROUTES, 4 },
	{ random_peering, PEERINGS, 2 },   { random_remote, REMOTES, 2 },
};

static void change_told(struct vmc_engine *e)
{
	char src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN], id[VMC_ID_LEN];
	struct ip_addr a = address_of(dice(INSTANCES)), b = address_of(dice(INSTANCES));
	const char *net = net_path(dice(NETS), '.');

	ip_addr_format(&a, src, sizeof(src));
	ip_addr_format(&b, dst, sizeof(dst));
	if (dice(2))
		snprintf(id, sizeof(id), "permit/%s/%s", net, src);
	else
		snprintf(id, sizeof(id), "direct/%s/%s/%s", net, src, dst);
	vmc_tell(e, name("h", dice(HOSTS)), id, dice(3), 0);
}

static void put(struct vmc_engine *e, struct object *o)
{
	struct object *old = model_set_find(e->in.set, o->kind, o->tenant, o->name), *now;

	if (o->kind == KIND_REMOTE_NETWORK) {
		vmc_announced(e, (struct remote_network *)o);
		return;
	}
	vmc_changing(e, old, o);
	model_free(model_set_put(e->in.set, o, &now));
	vmc_changed(e, now);
}

static void del(struct vmc_engine *e, const struct object *o)
{
	if (o->kind == KIND_REMOTE_NETWORK) {
		vmc_withdrawn(e, o->tenant, o->name);
		return;
	}
	vmc_changing(e, model_set_find(e->in.set, o->kind, o->tenant, o->name), NULL);
	model_free(model_set_del(e->in.set, o->kind, o->tenant, o->name));
}

static void random_change(struct vmc_engine *e)
{
	unsigned int kind = 0, w = dice(23);
	struct object *o;

	if (w >= 21) {
		change_told(e);
		return;
	}
	while (w >= makers[kind].weight)
		w -= makers[kind++].weight;
	o = makers[kind].make(dice(makers[kind].n));
	if (dice(3)) {
		put(e, o);
		return;
	}
	del(e, o);
	model_free(o);
}

/* The oracle. */

struct check {
	struct vmc_engine *e;
	struct host *declared;
	struct vmc_host *h;
	struct objset all;
};

static void check_id(void *arg, const char *id)
{
	static struct text t;
	struct check *c = arg;
	struct objset_entry *have = objset_find(&c->h->desired, id);
	bool wanted = vmc_spec(&c->e->in, c->declared, id, &t);
	struct digest v;

	if (wanted != !!have)
		fail_msg("change %u: host %s: %s is %s", step, c->h->name, id,
			 wanted ? "missing" : "there and should not be");
	if (!wanted)
		return;
	v = digest_of(t.s, t.len);
	if (!digest_equal(&v, &have->v))
		fail_msg("change %u: host %s: %s should be %s", step, c->h->name, id, t.s);
	objset_put(&c->all, id, &v);
}

static void check_host(struct vmc_engine *e, struct vmc_host *h)
{
	struct check c = { .e = e, .declared = vmc_declared(e, h->name), .h = h };
	struct objset_entry *told;

	objset_init(&c.all);
	if (c.declared)
		vmc_ids(&e->in, c.declared, check_id, &c);
	for (size_t i = 0; c.declared && (told = objset_next(&h->told, &i));)
		check_id(&c, told->id);
	if (h->desired.count != c.all.count) {
		struct objset_entry *entry;

		for (size_t i = 0; (entry = objset_next(&h->desired, &i));)
			if (!objset_find(&c.all, entry->id))
				fail_msg("change %u: host %s: %s should not be there", step, h->name, entry->id);
	}
	assert_true(digest_equal(&h->desired.root, &c.all.root));
	objset_done(&c.all);
}

/* Agents that fall behind and catch up. */
static struct objset agents[HOSTS];

static void catch_up(struct vmc_engine *e, struct vmc_host *h)
{
	struct objset *agent = &agents[atoi(h->name + 1)];
	struct objset_entry *id;
	struct text t = {};

	for (size_t i = 0; (id = objset_next(&h->pending, &i));) {
		struct objset_entry *want = objset_find(&h->desired, id->id);
		struct digest v;

		if (!want) {
			objset_del(agent, id->id);
			continue;
		}
		assert_false(vmc_refresh(e, h, id->id, &t));
		v = digest_of(t.s, t.len);
		assert_true(digest_equal(&v, &want->v));
		objset_put(agent, id->id, &v);
	}
	objset_done(&h->pending);
	text_done(&t);
	tracks_release(e->programming, &h->tracks, 0);
	assert_true(digest_equal(&agent->root, &h->desired.root));
	expect_int("objects", agent->count, h->desired.count);
}

static void check_all(struct vmc_engine *e)
{
	struct vmc_host *h;

	for (size_t i = 0; (h = index_next(&e->hosts, &i));)
		check_host(e, h);
	while ((h = vmc_next_ready(e)))
		if (dice(2))
			catch_up(e, h);
		else
			assert_int_not_equal(h->pending.count, 0);
}

static void test_oracle(void **state)
{
	unsigned int changes = getenv("ORACLE_CHANGES") ? atoi(getenv("ORACLE_CHANGES")) : 10000;
	struct programming *p = programming_new(&(struct programming_options){});
	struct model_set set;
	struct vmc_engine e;
	struct vmc_host *h;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	seed = getenv("ORACLE_SEED") ? atoi(getenv("ORACLE_SEED")) : 7;
	printf("# seed %u, %u changes\n", seed, changes);
	model_set_init(&set);
	vmc_init(&e, &set, NULL, NULL, p);
	e.moved = moved;
	e.moved_arg = &e;
	for (step = 1; step <= changes; step++) {
		vmc_begin(&e, 1, 2);
		random_change(&e);
		vmc_end(&e, step);
		while (vmc_work(&e, 10, 3))
			;
		expect_int("settled", e.settled, step);
		check_all(&e);
	}
	for (size_t i = 0; (h = index_next(&e.hosts, &i));)
		catch_up(&e, h);
	expect_int("revisions still under way", programming_stats(p).under_way, 0);
	printf("# %llu specs made\n", (unsigned long long)e.specs);
	vmc_done(&e);
	model_set_done(&set);
	programming_free(p);
	for (unsigned int i = 0; i < HOSTS; i++)
		objset_done(&agents[i]);
}

/* All there can be but announcements. */
static void fill_set(struct model_set *set)
{
	for (unsigned int k = 0; k + 1 < COUNT(makers); k++)
		for (unsigned int i = 0; i < makers[k].n; i++)
			model_free(model_set_put(set, makers[k].make(i), NULL));
}

/* Loading everything at once comes to the same as change by change. */
static void test_load(void **state)
{
	struct programming *p = programming_new(&(struct programming_options){});
	struct model_set set;
	struct vmc_engine e;
	struct vmc_host *h;

	(void)state;
	model_set_init(&set);
	vmc_init(&e, &set, NULL, NULL, p);
	fill_set(&set);
	vmc_loaded(&e, 42, 1);
	assert_true(e.hosts.n == HOSTS);
	for (size_t i = 0; (h = index_next(&e.hosts, &i));)
		check_host(&e, h);
	vmc_done(&e);
	model_set_done(&set);
	programming_free(p);
}

static bool prefix_covers(const struct ip_prefix *outer, const struct ip_prefix *p)
{
	return outer->len <= p->len && ip_prefix_covers(outer, &p->addr);
}

/* What a region is told alone, host by host; and what of it announcements may have changed. */
static struct objset alone[HOSTS];

static void remember(const struct vmc_host *h)
{
	const struct objset_entry *entry;

	for (size_t i = 0; (entry = objset_next(&h->desired, &i));)
		objset_put(&alone[atoi(h->name + 1)], entry->id, &entry->v);
}

/* No announced route lies where the region has a subnet or a route of its own. */
static void expect_outside(const struct model_set *set, const char *id)
{
	char path[MODEL_PATH_LEN];
	const struct network *net;
	struct ip_prefix p;

	if (sscanf(id, "route/%47[^/]/", path) != 1 || !strchr(path, '.') ||
	    ip_prefix_parse(id + strlen("route/") + strlen(path) + 1, &p))
		fail_msg("announcement %u: %s is new", step, id);
	*strchr(path, '.') = '/';
	net = model_set_find_network(set, path);
	for (const struct ref *r = net->subnets; r; r = r->next)
		assert_false(prefix_covers(&ref_from(r, struct subnet)->spec.prefix, &p));
	for (const struct ref *r = net->routes; r; r = r->next)
		assert_false(prefix_covers(&ref_from(r, struct route)->spec.prefix, &p));
}

/* Announced routes on top of what the region says, and nothing else: how many. */
static unsigned int expect_region(const struct model_set *set, const struct vmc_host *h)
{
	const struct objset *before = &alone[atoi(h->name + 1)];
	const struct objset_entry *entry, *now;
	unsigned int more = 0;

	for (size_t i = 0; (entry = objset_next(before, &i));) {
		now = objset_find(&h->desired, entry->id);
		if (!now || !digest_equal(&now->v, &entry->v))
			fail_msg("announcement %u: host %s: %s is %s", step, h->name, entry->id,
				 now ? "another one" : "gone");
	}
	for (size_t i = 0; (entry = objset_next(&h->desired, &i));) {
		if (objset_find(before, entry->id))
			continue;
		expect_outside(set, entry->id);
		more++;
	}
	expect_int("objects", h->desired.count, before->count + more);
	return more;
}

static void random_announcement(struct vmc_engine *e)
{
	struct object *o = random_remote(dice(REMOTES));

	switch (dice(4)) {
	case 0:
		del(e, o);
		model_free(o);
		return;
	case 1:
		vmc_remotes_unreadable(&e->in.remotes, o->tenant, o->name, "nonsense");
		model_free(o);
		return;
	default:
		put(e, o);
	}
}

static void test_announcements(void **state)
{
	struct programming *p = programming_new(&(struct programming_options){});
	unsigned int added = 0, refused = 0;
	struct model_set set;
	struct vmc_engine e;
	struct vmc_host *h;

	(void)state;
	seed = 11;
	model_set_init(&set);
	vmc_init(&e, &set, NULL, NULL, p);
	fill_set(&set);
	vmc_loaded(&e, 42, 1);
	for (size_t i = 0; (h = index_next(&e.hosts, &i));)
		remember(h);
	for (step = 1; step <= 1000; step++) {
		vmc_begin(&e, 1, 2);
		random_announcement(&e);
		vmc_end(&e, 42 + step);
		while (vmc_work(&e, 10, 3))
			;
		for (size_t i = 0; (h = index_next(&e.hosts, &i));)
			added += expect_region(&set, h);
		refused += e.in.remotes.bad.n;
	}
	assert_true(added > 100);	/* good ones do come through */
	assert_true(refused > 100);	/* and bad ones are known as such */
	vmc_done(&e);
	model_set_done(&set);
	programming_free(p);
	for (unsigned int i = 0; i < HOSTS; i++)
		objset_done(&alone[i]);
}

static struct route *route_by(const char *name_of, const char *prefix_of, const char *gateway)
{
	struct route *r = (struct route *)model_new(KIND_ROUTE, "t0", name_of);

	strcpy(r->spec.network, "n0");
	assert_int_equal(ip_prefix_parse(prefix_of, &r->spec.prefix), 0);
	r->spec.next_hop.gateway = addr(gateway, 0, 0);
	return r;
}

/* What a hoverboard could only refuse, with everything else, it is not told. */
static void test_gateways(void **state)
{
	static const struct {
		const char *id, *spec;		/* NULL: not to have */
	} routes[] = {
		{ "route/t0.n0/172.16.1.0/24", NULL },
		{ "route/t0.n0/172.16.2.0/24", NULL },
		{ "route/t0.n0/172.16.3.0/24", "{\"network\":\"t0.n0\",\"prefix\":\"172.16.3.0/24\",\"mac\":"
		  "\"02:00:5e:00:00:02\",\"gateways\":[\"198.51.100.9\"]}" },
		{ "route/t0.n0/10.0.0.0/24", "{\"network\":\"t0.n0\",\"prefix\":\"10.0.0.0/24\",\"mac\":"
		  "\"02:00:5e:00:00:02\",\"vni\":7,\"gateways\":[\"198.51.100.7\",\"198.51.100.8\"]}" },
	};
	struct remote_network *o = (struct remote_network *)model_new(KIND_REMOTE_NETWORK, "west", "w");
	struct host *h = (struct host *)model_new(KIND_HOST, "", "h0");
	struct hoverboard *b = (struct hoverboard *)model_new(KIND_HOVERBOARD, "", "b0");
	struct network *n = (struct network *)model_new(KIND_NETWORK, "t0", "n0");
	struct vmc_input in = {};
	struct model_set set;
	struct object *now;
	struct text t = {};

	(void)state;
	model_set_init(&set);
	vmc_remotes_init(&in.remotes);
	in.set = &set;
	strcpy(o->spec.network, "t0/n0");
	o->spec.vni = 7;
	o->spec.prefixes.v = calloc(1, sizeof(*o->spec.prefixes.v));
	o->spec.prefixes.v[o->spec.prefixes.n++] = prefix(0);
	addr_add(&o->spec.gateways, addr("198.51.100.8", 0, 0));
	addr_add(&o->spec.gateways, addr("192.0.2.1", 0, 0));	/* nobody's yet */
	addr_add(&o->spec.gateways, addr("2001:db8::7", 0, 0));
	addr_add(&o->spec.gateways, addr("198.51.100.7", 0, 0));
	assert_int_equal(vmc_remotes_put(&in.remotes, &set, o), 0);
	addr_add(&h->spec.underlay, addr("192.0.2.1", 0, 0));
	strcpy(b->spec.host, "h0");
	n->spec.vni = 100;
	model_set_put(&set, &h->o, &now);
	h = (struct host *)now;
	model_set_put(&set, &b->o, NULL);
	model_set_put(&set, &n->o, NULL);
	model_set_put(&set, &route_by("own", "172.16.1.0/24", "192.0.2.1")->o, NULL);
	model_set_put(&set, &route_by("v6", "172.16.2.0/24", "2001:db8::9")->o, NULL);
	model_set_put(&set, &route_by("good", "172.16.3.0/24", "198.51.100.9")->o, NULL);
	for (size_t i = 0; i < COUNT(routes); i++) {
		bool there = vmc_spec(&in, h, routes[i].id, &t);

		expect_text(routes[i].id, there ? t.s : "none", routes[i].spec ?: "none");
	}
	text_done(&t);
	vmc_remotes_done(&in.remotes);
	model_set_done(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oracle),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_announcements),
		cmocka_unit_test(test_gateways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
