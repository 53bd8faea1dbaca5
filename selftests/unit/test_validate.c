// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_validate.c - transactions judged: every rule by name, and all of them against a stupid twin
 *
 * The twin (judge) knows no index: it takes the list of objects as the transaction would
 * leave it and asks every rule of every object and every pair. Random transactions
 * must be taken exactly when the twin finds nothing, and the set must be the same
 * text before and after validate().
 */
#include <ctl/controller/validate.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <selftests/unit/expect.h>
#include <selftests/unit/model_random.h>

static const struct validate_options operator = { .vni_min = 1, .vni_max = 16777215 };

static void put_all(struct model_set *s, const char *const *texts)
{
	for (; *texts; texts++)
		model_free(model_set_put(s, object_of(*texts), NULL));
}

static const char *const world[] = {
	"{kind: Tenant, name: acme, spec: {maxInstances: 4, maxNetworks: 3}}",
	"{kind: Tenant, name: other}",
	"{kind: Host, name: h1, spec: {underlay: [192.0.2.1], uplinks: [{device: eth0}]}}",
	"{kind: Host, name: h2, spec: {underlay: [192.0.2.2]}}",
	"{kind: Hoverboard, name: hb, spec: {host: h2}}",
	"{kind: Network, tenant: acme, name: front, spec: {vni: 100, hoverboards: [hb],"
	" gatewayMac: '02:00:5e:00:00:01'}}",
	"{kind: Network, tenant: acme, name: back, spec: {vni: 101, gatewayMac: '02:00:5e:00:00:01'}}",
	"{kind: Network, tenant: other, name: net, spec: {vni: 102, gatewayMac: '02:00:5e:00:00:01'}}",
	"{kind: Subnet, tenant: acme, name: a, spec: {network: front, prefix: 10.0.0.0/24, gateway: 10.0.0.1}}",
	"{kind: Subnet, tenant: acme, name: b, spec: {network: back, prefix: 10.0.1.0/24, gateway: 10.0.1.1}}",
	"{kind: Subnet, tenant: other, name: o, spec: {network: net, prefix: 10.0.2.0/24, gateway: 10.0.2.1}}",
	"{kind: Instance, tenant: acme, name: web, spec: {network: front, addresses: [10.0.0.5],"
	" mac: '02:00:00:00:00:05', host: h1, device: tap0}}",
	"{kind: Instance, tenant: acme, name: db, spec: {network: back, subnets: [b], addresses: [10.0.1.5],"
	" mac: '02:00:00:00:00:06', host: h1, device: tap1}}",
	"{kind: Peering, tenant: acme, name: f2b, spec: {network: front, peer: acme/back}}",
	"{kind: Peering, tenant: acme, name: b2f, spec: {network: back, peer: acme/front}}",
	"{kind: Peering, tenant: acme, name: f2o, spec: {network: front, peer: other/net}}",
	"{kind: Route, tenant: acme, name: up, spec: {network: front, prefix: 10.0.0.0/8, nextHop: {peering: f2b}}}",
	"{kind: Route, tenant: acme, name: via, spec: {network: front, prefix: 172.16.0.0/12, nextHop: {instance: web}}}",
	NULL,
};

/* A line "-Kind tenant/name" deletes, everything else is a document. */
static void add_line(struct changes *c, const char *line)
{
	char kind[32], tenant[16], name[32];
	struct object *o;

	if (sscanf(line, "-%31s %15[^/]/%31s", kind, tenant, name) == 3) {
		o = model_new(kind_find(kind, NULL), strcmp(tenant, "_") ? tenant : "", name);
		assert_int_equal(changes_add(c, o, true, c->n, 0), 0);
		return;
	}
	assert_int_equal(changes_add(c, object_of(line), false, c->n, 0), 0);
}

struct verdict {
	const char *lines[4];
	const char *object, *field, *why;	/* NULL: taken */
};

static bool has_problem(const struct problems *p, const struct verdict *t)
{
	for (unsigned int i = 0; i < p->n_kept; i++)
		if (!strcmp(p->kept[i].object, t->object) && !strcmp(p->kept[i].field, t->field) &&
		    strstr(p->kept[i].text, t->why))
			return true;
	return false;
}

static void expect_verdict(struct model_set *s, const struct verdict *t)
{
	struct changes c = {};
	struct problems p;
	int err;

	problems_init(&p);
	for (int i = 0; i < 4 && t->lines[i]; i++)
		add_line(&c, t->lines[i]);
	err = validate(s, &c, &operator, &p);
	if (!t->object && err)
		fail_msg("%s:\nrefused: %s", t->lines[0], problems_first(&p, (char[512]){}, 512));
	if (t->object && !has_problem(&p, t))
		fail_msg("%s:\nseen (%u): %s\nexpected: %s: %s: %s", t->lines[0], p.n,
			 problems_first(&p, (char[512]){}, 512), t->object, t->field, t->why);
	problems_done(&p);
	changes_free(&c);
}

#define INST(name, spec) "{kind: Instance, tenant: acme, name: " name ", spec: {network: front, " spec "}}"
#define ROUTE(net, prefix, hop) \
	"{kind: Route, tenant: acme, name: r, spec: {network: " net ", prefix: " prefix ", nextHop: {" hop "}}}"

static const struct verdict verdicts[] = {
	{ { "{kind: Subnet, tenant: acme, name: c, spec: {network: front, prefix: 10.0.0.128/25}}" },
	  "Subnet acme/c", "spec.prefix", "overlaps 10.0.0.0/24 of Subnet a" },
	{ { "{kind: Subnet, tenant: acme, name: c, spec: {network: front, prefix: 10.0.1.0/24}}" }, NULL, NULL, NULL },
	{ { "{kind: Subnet, tenant: acme, name: c, spec: {network: front, prefix: 10.7.0.0/24, gateway: 10.8.0.1}}" },
	  "Subnet acme/c", "spec.gateway", "must be an address inside 10.7.0.0/24" },
	{ { "{kind: Subnet, tenant: acme, name: a, spec: {network: front, prefix: 10.0.0.0/24, gateway: 10.0.0.5}}" },
	  "Subnet acme/a", "spec.gateway", "is the address of Instance web" },
	{ { "{kind: Subnet, tenant: acme, name: a, spec: {network: front, prefix: 10.9.0.0/24}}" },
	  "Subnet acme/a", "", "1 instances would be without their subnet, one of them web" },
	{ { "-Subnet acme/b" }, "Subnet acme/b", "", "1 instances would be without" },
	{ { "-Subnet acme/b", "-Instance acme/db" }, NULL, NULL, NULL },
	{ { INST("x", "addresses: [10.0.0.5]") }, "Instance acme/x", "spec.addresses[0]",
	  "10.0.0.5 is the address of Instance web" },
	{ { INST("x", "addresses: [10.0.0.7]"), INST("y", "addresses: [10.0.0.7]") }, "Instance acme/y",
	  "spec.addresses[0]", "10.0.0.7 is the address of Instance x" },
	{ { INST("x", "addresses: [10.0.0.5]"), "-Instance acme/web", "-Route acme/via" }, NULL, NULL, NULL },
	{ { INST("x", "addresses: [10.5.0.5]") }, "Instance acme/x", "spec.addresses[0]", "is in no Subnet" },
	{ { INST("x", "addresses: [10.0.0.1]") }, "Instance acme/x", "spec.addresses[0]", "is the gateway" },
	{ { INST("x", "addresses: [10.0.0.255]") }, "Instance acme/x", "spec.addresses[0]", "first or last" },
	{ { INST("x", "addresses: [10.0.0.0]") }, "Instance acme/x", "spec.addresses[0]", "first or last" },
	{ { INST("x", "subnets: [b]") }, "Instance acme/x", "spec.subnets", "there is no Subnet b in Network front" },
	{ { INST("x", "mac: '02:00:00:00:00:05'") }, "Instance acme/x", "spec.mac", "is the MAC of Instance web" },
	{ { INST("x", "mac: '02:00:00:00:00:06'") }, NULL, NULL, NULL },
	{ { INST("x", "mac: '02:00:5e:00:00:01'") }, "Instance acme/x", "spec.mac", "is the gateway's MAC" },
	{ { INST("x", "host: h9") }, "Instance acme/x", "spec.host", "Host h9 does not exist" },
	{ { INST("x", "host: h1, device: tap0") }, "Instance acme/x", "spec.device", "is the device of Instance acme/web" },
	{ { INST("x", "host: h1, device: eth0") }, "Instance acme/x", "spec.device", "is an uplink" },
	{ { INST("x", "host: h2, device: tap0") }, NULL, NULL, NULL },
	{ { INST("x", "device: tap9") }, "Instance acme/x", "spec.host", "is missing" },
	{ { INST("x", "host: h1, device: tap9, guestDevice: e") }, "Instance acme/x", "spec.guestDevice", "netns" },
	{ { "{kind: Instance, tenant: acme, name: x, spec: {network: nope}}" }, "Instance acme/x", "spec.network",
	  "Network acme/nope does not exist" },
	{ { "{kind: Instance, tenant: other, name: x, spec: {network: front}}" }, "Instance other/x", "spec.network",
	  "Network other/front does not exist" },
	{ { "{kind: Network, tenant: nobody, name: x}" }, "Network nobody/x", "tenant", "Tenant nobody does not exist" },
	{ { "{kind: Network, tenant: other, name: x, spec: {vni: 100}}" }, "Network other/x", "spec.vni",
	  "100 is the VNI of Network acme/front" },
	{ { "{kind: Network, tenant: other, name: x, spec: {hoverboards: [no]}}" }, "Network other/x",
	  "spec.hoverboards", "Hoverboard no does not exist" },
	{ { "{kind: Network, tenant: acme, name: front, spec: {gatewayMac: '02:00:00:00:00:05'}}" },
	  "Network acme/front", "spec.gatewayMac", "is the MAC of Instance web" },
	{ { "{kind: Network, tenant: acme, name: x}", "{kind: Network, tenant: acme, name: y}" }, "Tenant acme", "",
	  "would have 4 networks; 3 are allowed" },
	{ { INST("x", "mac: '02:00:00:00:01:05'"), INST("y", "mac: '02:00:00:00:02:05'"),
	    INST("z", "mac: '02:00:00:00:03:05'") }, "Tenant acme", "", "would have 5 instances; 4 are allowed" },
	{ { "{kind: Tenant, name: acme, spec: {maxInstances: 1}}" }, "Tenant acme", "", "would have 2 instances" },
	{ { "-Tenant _/acme" }, "Tenant acme", "", "is still used by Network acme/" },
	{ { "-Host _/h1" }, "Host h1", "", " and 1 more" },
	{ { "-Host _/h2" }, "Host h2", "", "is still used by Hoverboard hb" },
	{ { "-Hoverboard _/hb" }, "Hoverboard hb", "", "is still used by Network acme/front" },
	{ { "-Network other/net" }, "Network other/net", "", "is still used by Subnet other/o" },
	{ { "-Network other/net", "-Subnet other/o" }, NULL, NULL, NULL },
	{ { "-Instance acme/web" }, "Instance acme/web", "", "is still used by Route acme/via" },
	{ { "-Peering acme/f2b" }, "Peering acme/f2b", "", "is still used by Route acme/up" },
	{ { "-Peering acme/nope" }, "Peering acme/nope", "", "does not exist" },
	{ { INST("web", "addresses: [10.0.0.5]"), INST("web", "addresses: [10.0.0.6]") }, "Instance acme/web", "",
	  "is in this transaction twice, first as document 0" },
	{ { "{kind: Instance, tenant: acme, name: web, spec: {network: back}}" }, "Instance acme/web", "spec.network",
	  "Route via of another network leads here" },
	{ { "{kind: Peering, tenant: acme, name: p, spec: {network: front, peer: acme/front}}" }, "Peering acme/p",
	  "spec.peer", "is the network itself" },
	{ { "{kind: Peering, tenant: acme, name: p, spec: {network: front, peer: acme/back}}" }, "Peering acme/p",
	  "spec.peer", "Peering f2b leads there, too" },
	{ { ROUTE("front", "10.0.0.128/25", "blackhole: true") }, "Route acme/r", "spec.prefix", "lies inside of Subnet a" },
	{ { "{kind: Subnet, tenant: acme, name: w, spec: {network: front, prefix: 172.16.0.0/12}}" }, "Subnet acme/w",
	  "spec.prefix", "Route via leads somewhere inside" },
	{ { ROUTE("front", "0.0.0.0/0", "instance: db") }, "Route acme/r", "spec.nextHop.instance", "is not in Network front" },
	{ { ROUTE("front", "0.0.0.0/0", "instance: no") }, "Route acme/r", "spec.nextHop.instance", "Instance acme/no does not exist" },
	{ { ROUTE("front", "0.0.0.0/0", "peering: b2f") }, "Route acme/r", "spec.nextHop.peering", "is not a Peering of" },
	{ { ROUTE("front", "10.0.0.0/8", "blackhole: true") }, "Route acme/r", "spec.priority", "Route up has the same" },
	{ { ROUTE("back", "10.0.0.0/8", "peering: b2f") }, "Route acme/r", "spec.nextHop.peering",
	  "leads in a circle: acme/back, acme/front, acme/back" },
	{ { ROUTE("back", "0.0.0.0/0", "peering: b2f") }, "Route acme/r", "spec.nextHop.peering", "leads in a circle" },
	{ { ROUTE("back", "10.0.0.0/24", "peering: b2f") }, NULL, NULL, NULL },	/* front's own subnet */
	{ { ROUTE("back", "10.0.0.0/23", "peering: b2f") }, NULL, NULL, NULL },	/* front's and back's own */
	{ { ROUTE("back", "10.0.0.0/22", "peering: b2f") }, "Route acme/r", "spec.nextHop.peering", "leads in a circle" },
	{ { ROUTE("back", "'::/0'", "peering: b2f") }, NULL, NULL, NULL },
	{ { "{kind: Host, name: h3, spec: {underlay: [192.0.2.1]}}" }, "Host h3", "spec.underlay[0]", "is the address of Host h1" },
	{ { "{kind: Host, name: h1, spec: {underlay: [192.0.2.1], uplinks: [{device: tap0}]}}" }, "Host h1",
	  "spec.uplinks[0].device", "is the device of Instance acme/web" },
	{ { "{kind: Hoverboard, name: hc, spec: {host: h2}}" }, "Hoverboard hc", "spec.host", "is Hoverboard hb already" },
	{ { "{kind: RemoteNetwork, region: us, name: x, spec: {network: acme/front, vni: 7, prefixes: [10.9.0.0/16],"
	    " gateways: [198.51.100.1]}}", "{kind: Tenant, name: new}" }, "RemoteNetwork us/x", "kind", "of global scope" },
};

static void test_rules(void **state)
{
	struct model_set s;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	for (size_t i = 0; i < COUNT(verdicts); i++)
		expect_verdict(&s, &verdicts[i]);
	model_set_done(&s);
}

/* What is left out is filled in, the same everywhere, and stays. */
static void expect_texts(struct model_set *s, const char *line, const char *stored)
{
	struct changes c = {};
	struct problems p;

	problems_init(&p);
	add_line(&c, line);
	if (validate(s, &c, &operator, &p))
		fail_msg("%s:\nrefused: %s", line, problems_first(&p, (char[512]){}, 512));
	expect_text(line, c.v[0].text ?: "unchanged", stored);
	if (c.v[0].text) {
		model_free(model_set_put(s, c.v[0].object, NULL));
		c.v[0].object = NULL;
	}
	changes_free(&c);
}

static void test_allocation(void **state)
{
	static const struct validate_options narrow = { .vni_min = 5, .vni_max = 6 };
	struct changes c = {};
	struct model_set s;
	struct problems p;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	expect_texts(&s, "{kind: Network, tenant: other, name: n}",
		     "{\"kind\":\"Network\",\"tenant\":\"other\",\"name\":\"n\",\"spec\":{\"vni\":1,"
		     "\"gatewayMac\":\"02:00:5e:00:00:01\"}}");
	expect_texts(&s, "{kind: Network, tenant: other, name: n}", "unchanged");
	expect_texts(&s, "{kind: Subnet, tenant: other, name: v6, spec: {network: n, prefix: 'fd00:1::/64'}}",
		     "{\"kind\":\"Subnet\",\"tenant\":\"other\",\"name\":\"v6\",\"spec\":{\"network\":\"n\","
		     "\"prefix\":\"fd00:1::/64\",\"gateway\":\"fd00:1::1\"}}");
	expect_texts(&s, "{kind: Subnet, tenant: other, name: v4, spec: {network: n, prefix: 10.9.0.0/30}}",
		     "{\"kind\":\"Subnet\",\"tenant\":\"other\",\"name\":\"v4\",\"spec\":{\"network\":\"n\","
		     "\"prefix\":\"10.9.0.0/30\",\"gateway\":\"10.9.0.1\"}}");
	expect_texts(&s, "{kind: Instance, tenant: other, name: i, spec: {network: n}}", "{\"kind\":\"Instance\",\"tenant\":\"other\",\"name\":\"i\",\"spec\":{\"network\":\"n\",\"addresses\":[\"10.9.0.2\",\"fd00:1::b1d9:1b86\"],\"mac\":\"02:8d:fd:cc:1e:a3\"}}");
	expect_texts(&s, "{kind: Instance, tenant: other, name: i, spec: {network: n}}", "unchanged");
	expect_texts(&s, "{kind: Instance, tenant: other, name: i, spec: {network: n, subnets: [v6]}}",
		     "{\"kind\":\"Instance\",\"tenant\":\"other\",\"name\":\"i\",\"spec\":{\"network\":\"n\",\"subnets\":[\"v6\"],\"addresses\":[\"fd00:1::b1d9:1b86\"],\"mac\":\"02:8d:fd:cc:1e:a3\"}}");
	problems_init(&p);
	add_line(&c, "{kind: Instance, tenant: other, name: j, spec: {network: n, addresses: [10.9.0.2]}}");
	add_line(&c, "{kind: Instance, tenant: other, name: k, spec: {network: n, subnets: [v4]}}");
	add_line(&c, "{kind: Network, tenant: acme, name: k}");
	add_line(&c, "{kind: Network, tenant: other, name: k}");
	add_line(&c, "{kind: Network, tenant: other, name: l}");
	assert_int_equal(validate(&s, &c, &narrow, &p), -EINVAL);
	assert_int_equal(p.n, 2);
	expect_part("vni", p.kept[0].text, "no network can be added: all 2 identifiers");
	expect_text("vni", p.kept[0].object, "Network other/l");
	expect_part("full", p.kept[1].text, "no address is free in Subnet v4");
	problems_done(&p);
	changes_free(&c);
	model_set_done(&s);
}

/* Declares a network, or deletes it: the number it gets, and where the next one is looked for. */
static uint64_t vni_of(struct model_set *s, const char *line, uint64_t *next)
{
	const struct validate_options o = { .vni_min = 5, .vni_max = 8, .vni_next = *next };
	struct changes c = {};
	struct problems p;
	uint64_t vni = 0;

	problems_init(&p);
	add_line(&c, line);
	if (validate(s, &c, &o, &p))
		fail_msg("%s: %s", line, problems_first(&p, (char[512]){}, 512));
	*next = c.vni_next;
	if (c.v[0].del) {
		model_free(model_set_del(s, KIND_NETWORK, "other", c.v[0].object->name));
	} else {
		vni = ((struct network *)c.v[0].object)->spec.vni;
		model_free(model_set_put(s, c.v[0].object, NULL));
		c.v[0].object = NULL;
	}
	problems_done(&p);
	changes_free(&c);
	return vni;
}

/* What was given up is the last to be given away, also to the same name. */
static void test_vnis_go_round(void **state)
{
	static const struct {
		const char *line;
		uint64_t vni, next;
	} steps[] = {
		{ "{kind: Network, tenant: other, name: a}", 5, 6 },
		{ "{kind: Network, tenant: other, name: b, spec: {vni: 6}}", 6, 6 },
		{ "{kind: Network, tenant: other, name: c}", 7, 8 },
		{ "-Network other/a", 0, 8 },
		{ "-Network other/c", 0, 8 },
		{ "{kind: Network, tenant: other, name: c}", 8, 9 },
		{ "{kind: Network, tenant: other, name: a}", 5, 6 },
		{ "{kind: Network, tenant: other, name: d}", 7, 8 },
		{ "-Network other/b", 0, 8 },
		{ "{kind: Network, tenant: other, name: e}", 6, 7 },	/* the only one left */
	};
	struct model_set s;
	uint64_t next = 0;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	for (size_t i = 0; i < COUNT(steps); i++) {
		expect_int(steps[i].line, vni_of(&s, steps[i].line, &next), steps[i].vni);
		expect_int("next", next, steps[i].next);
	}
	model_set_done(&s);
}

static void add_mesh(struct changes *c, const char *net, unsigned int octet, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		changes_add(c, object_fmt("{kind: Route, tenant: acme, name: %s-%u, spec: {network: %s, prefix: %u.%u.%u.0/24,"
					  " nextHop: {peering: %c2%c}}}", net, i, net, octet, i / 256, i % 256, net[0],
					  net[0] == 'f' ? 'b' : 'f'), false, c->n, 0);
}

/* A mesh that would take long to follow is refused instead of holding up everybody; a large one is not. */
static void test_dense_mesh(void **state)
{
	static const struct {
		unsigned int n;
		int err;
	} cases[] = { { 500, 0 }, { 3000, -EINVAL } };
	struct model_set s;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct changes c = {};
		struct problems p;

		problems_init(&p);
		add_mesh(&c, "front", 20, cases[i].n);
		add_mesh(&c, "back", 21, cases[i].n);
		expect_int("mesh", validate(&s, &c, &operator, &p), cases[i].err);
		expect_part("mesh", problems_first(&p, (char[512]){}, 512), cases[i].err ? "cannot be followed" : "");
		problems_done(&p);
		changes_free(&c);
	}
	model_set_done(&s);
}

/* The revision somebody saw must be the one it is at. */
static void test_revisions(void **state)
{
	static const struct {
		const char *line;
		int err;
		const char *why;
	} cases[] = {
		{ "{kind: Tenant, name: acme, revision: 7, spec: {maxNetworks: 9}}", 0, "" },
		{ "{kind: Tenant, name: acme, revision: 6}", -ESTALE, "is at revision 7 by now, not 6" },
		{ "{kind: Tenant, name: new, revision: 6}", -ESTALE, "does not exist" },
	};
	struct model_set s;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	model_set_find(&s, KIND_TENANT, "", "acme")->revision = 7;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct changes c = {};
		struct problems p;

		problems_init(&p);
		add_line(&c, cases[i].line);
		expect_int(cases[i].line, validate(&s, &c, &operator, &p), cases[i].err);
		expect_part(cases[i].line, problems_first(&p, (char[256]){}, 256), cases[i].why);
		problems_done(&p);
		changes_free(&c);
	}
	model_set_done(&s);
}

/* A tenant says nothing about hosts, and takes nothing away of what the operator said. */
static void test_tenant_writes(void **state)
{
	static const struct validate_options tenant = { .writer = "acme", .vni_min = 1, .vni_max = 16777215 };
	struct changes c = {};
	struct model_set s;
	struct problems p;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	problems_init(&p);
	add_line(&c, "{kind: Instance, tenant: acme, name: web, labels: {a: b}, spec: {network: front}}");
	assert_int_equal(validate(&s, &c, &tenant, &p), 0);
	expect_part("kept", c.v[0].text, "\"host\":\"h1\",\"device\":\"tap0\"");
	changes_free(&c);
	add_line(&c, "{kind: Instance, tenant: acme, name: web, spec: {network: front, host: h2}}");
	add_line(&c, "{kind: Network, tenant: acme, name: front, spec: {vni: 9, hoverboards: [hb]}}");
	add_line(&c, ROUTE("front", "0.0.0.0/0", "gateway: 192.0.2.77"));
	assert_int_equal(validate(&s, &c, &tenant, &p), -EINVAL);
	assert_int_equal(p.n, 4);
	expect_text("host", p.kept[0].field, "spec.host");
	expect_text("vni", p.kept[1].field, "spec.vni");
	expect_text("boards", p.kept[2].field, "spec.hoverboards");
	expect_text("gateway", p.kept[3].field, "spec.nextHop.gateway");
	expect_part("gateway", p.kept[3].text, "is for the operator alone");
	problems_done(&p);
	changes_free(&c);
	/* Of a circle it is told its own part. */
	put_all(&s, (const char *const[]){
		"{kind: Peering, tenant: other, name: o2f, spec: {network: net, peer: acme/front}}",
		"{kind: Route, tenant: other, name: all, spec: {network: net, prefix: 0.0.0.0/0, nextHop: {peering: o2f}}}",
		NULL });
	add_line(&c, ROUTE("front", "0.0.0.0/0", "peering: f2o"));
	assert_int_equal(validate(&s, &c, &tenant, &p), -EINVAL);
	expect_part("circle", p.kept[0].text, "in a circle: acme/front, a network of another tenant, acme/front");
	problems_done(&p);
	changes_free(&c);
	model_set_done(&s);
}

/* What was prepared for a set that is another one by now is not judged by it. */
static void test_set_changes_meanwhile(void **state)
{
	struct validate_progress at = {};
	struct changes c = {};
	struct model_set s;
	struct problems p;

	(void)state;
	model_set_init(&s);
	put_all(&s, world);
	problems_init(&p);
	add_line(&c, "{kind: Instance, tenant: acme, name: web, labels: {a: b}, spec: {network: front}}");
	assert_int_equal(validate_some(&s, &c, &operator, &p, &at, 1), 1);
	model_free(model_set_del(&s, KIND_INSTANCE, "acme", "web"));
	assert_int_equal(validate_some(&s, &c, &operator, &p, &at, 1), -EAGAIN);
	at = (struct validate_progress){};
	while (at.settled < 1)
		assert_true(validate_some(&s, &c, &operator, &p, &at, 1) >= 0);
	assert_int_equal(c.v[0].outcome, OUTCOME_CREATED);
	problems_done(&p);
	changes_free(&c);
	model_set_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules), cmocka_unit_test(test_allocation),
		cmocka_unit_test(test_vnis_go_round),
		cmocka_unit_test(test_revisions), cmocka_unit_test(test_dense_mesh), cmocka_unit_test(test_tenant_writes),
		cmocka_unit_test(test_set_changes_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
