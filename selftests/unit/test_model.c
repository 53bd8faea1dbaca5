// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_model.c - objects read from documents, printed, read again; and what is refused
 */
#include <ctl/controller/model.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <selftests/unit/expect.h>

static int read_text(const char *text, struct problems *p, struct object **ret)
{
	struct error e = {};
	struct doc *d;
	int err;

	if (doc_parse("t", text, strlen(text), &d, &e))
		fail_msg("%s:\n%s", text, e.text);
	problems_document(p, 0, d->line);
	err = model_read(d, NULL, p, ret);
	doc_free(d);
	return err;
}

/* What is read prints as expected, and reads again as the same from a store. */
static void expect_object(const char *text, const char *expected)
{
	char key[MODEL_KEY_LEN], *seen, *again;
	struct object *o, *loaded;
	struct error e = {};
	struct problems p;

	problems_init(&p);
	if (read_text(text, &p, &o))
		fail_msg("%s:\nrefused: %s", text, problems_first(&p, (char[256]){}, 256));
	seen = model_text(o);
	expect_text(text, seen, expected);
	model_key(o, key);
	if (model_load(key, seen, strlen(seen), 17, &loaded, &e))
		fail_msg("%s", e.text);
	again = model_text(loaded);
	expect_text(text, again, expected);
	expect_int(text, loaded->revision, 17);
	model_free(o);
	model_free(loaded);
	free(seen);
	free(again);
}

static void test_every_kind(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{ "kind: Tenant\nname: acme\n",
		  "{\"kind\":\"Tenant\",\"name\":\"acme\",\"spec\":{}}" },
		{ "kind: Tenant\nname: acme\nspec: {maxInstances: 5, maxNetworks: 1000}\n",
		  "{\"kind\":\"Tenant\",\"name\":\"acme\",\"spec\":{\"maxInstances\":5}}" },
		{ "kind: Host\nname: host-a\nlabels: {rack: r1, az: \"1\"}\nspec:\n"
		  "  underlay: [192.0.2.1, 'fd00::1']\n  uplinks: [{device: eth0, vlan: 7, hook: tcx}]\n"
		  "  region: eu\n",
		  "{\"kind\":\"Host\",\"name\":\"host-a\",\"labels\":{\"az\":\"1\",\"rack\":\"r1\"},"
		  "\"spec\":{\"underlay\":[\"192.0.2.1\",\"fd00::1\"],\"uplinks\":[{\"device\":"
		  "\"eth0\",\"vlan\":7,\"hook\":\"tcx\"}],\"region\":\"eu\"}}" },
		{ "kind: Hoverboard\nname: hb-1\nspec: {host: host-a}\n",
		  "{\"kind\":\"Hoverboard\",\"name\":\"hb-1\",\"spec\":{\"host\":\"host-a\"}}" },
		{ "kind: Network\ntenant: acme\nname: front\nspec: {vni: 100, hoverboards: [hb-1],"
		  " offloadThreshold: 0, gatewayMac: 02:00:5E:00:00:01}\n",
		  "{\"kind\":\"Network\",\"tenant\":\"acme\",\"name\":\"front\",\"spec\":{\"vni\":100,"
		  "\"gatewayMac\":\"02:00:5e:00:00:01\",\"offloadThreshold\":0,"
		  "\"hoverboards\":[\"hb-1\"]}}" },
		{ "{\"kind\":\"Subnet\",\"tenant\":\"acme\",\"name\":\"a\",\"status\":{\"x\":[1]},"
		  "\"spec\":{\"network\":\"front\",\"prefix\":\"10.0.0.0/24\"}}",
		  "{\"kind\":\"Subnet\",\"tenant\":\"acme\",\"name\":\"a\",\"spec\":{\"network\":"
		  "\"front\",\"prefix\":\"10.0.0.0/24\"}}" },
		{ "kind: Instance\ntenant: acme\nname: web-1\nspec:\n  network: front\n"
		  "  addresses: [10.0.0.5]\n  mac: 02:00:00:00:00:01\n  host: host-a\n"
		  "  device: tap3\n  netns: /run/netns/x\n  guestDevice: eth0\n  subnets: [a]\n",
		  "{\"kind\":\"Instance\",\"tenant\":\"acme\",\"name\":\"web-1\",\"spec\":{"
		  "\"network\":\"front\",\"subnets\":[\"a\"],\"addresses\":[\"10.0.0.5\"],\"mac\":"
		  "\"02:00:00:00:00:01\",\"host\":\"host-a\",\"device\":\"tap3\",\"netns\":"
		  "\"/run/netns/x\",\"guestDevice\":\"eth0\"}}" },
		{ "kind: Route\ntenant: acme\nname: r\nspec: {network: front, prefix: '::/0',"
		  " priority: 5, nextHop: {blackhole: true}}\n",
		  "{\"kind\":\"Route\",\"tenant\":\"acme\",\"name\":\"r\",\"spec\":{\"network\":"
		  "\"front\",\"prefix\":\"::/0\",\"priority\":5,\"nextHop\":{\"blackhole\":true}}}" },
		{ "kind: Peering\ntenant: acme\nname: p\nspec: {network: front, peer: other/net}\n",
		  "{\"kind\":\"Peering\",\"tenant\":\"acme\",\"name\":\"p\",\"spec\":{\"network\":"
		  "\"front\",\"peer\":\"other/net\"}}" },
		{ "kind: RemoteNetwork\nregion: us\nname: x\nspec: {network: acme/front, vni: 7,"
		  " prefixes: [10.9.0.0/16], gateways: [198.51.100.1]}\n",
		  "{\"kind\":\"RemoteNetwork\",\"region\":\"us\",\"name\":\"x\",\"spec\":{\"network\":"
		  "\"acme/front\",\"vni\":7,\"prefixes\":[\"10.9.0.0/16\"],\"gateways\":"
		  "[\"198.51.100.1\"]}}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_object(cases[i].text, cases[i].json);
}

static void expect_refused(const char *text, const char *field, int line, const char *why)
{
	struct object *untouched = (struct object *)1, *o = untouched;
	struct problems p;

	problems_init(&p);
	expect_int(text, read_text(text, &p, &o), -EINVAL);
	assert_ptr_equal(o, untouched);
	expect_int(text, p.n, 1);
	expect_text(text, p.kept[0].field, field);
	expect_int(text, p.kept[0].line, line);
	expect_part(text, p.kept[0].text, why);
	problems_done(&p);
}

#define NET "kind: Network\ntenant: acme\nname: front\n"
#define INST "kind: Instance\ntenant: acme\nname: web-1\nspec:\n  network: front\n"
#define ROUTE "kind: Route\ntenant: acme\nname: r\nspec:\n  network: front\n"

static void test_refused(void **state)
{
	static const struct {
		const char *text, *field;
		int line;
		const char *why;
	} cases[] = {
		{ "[1]", "", 1, "a list, but an object is wanted" },
		{ "name: x", "kind", 1, "is required and missing" },
		{ "kind: Networq\nname: x", "kind", 1, "unknown kind \"Networq\"; did you mean Network?" },
		{ "kind: network\nname: x", "kind", 1, "it is written Network" },
		{ "kind: 7\nname: x", "kind", 1, "7 is a number, but a kind is wanted" },
		{ "kind: FirewallRule\nname: x", "kind", 1, "FirewallRule is not available yet" },
		{ "kind: LoadBalancer\nname: x", "kind", 1, "LoadBalancer is not available yet" },
		{ "kind: NatGateway\nname: x", "kind", 1, "NatGateway is not available yet" },
		{ "kind: Tenant\n", "name", 1, "is required and missing" },
		{ "kind: Tenant\nname: Acme\n", "name", 2, "is no name; 1 to 15 of" },
		{ "kind: Tenant\nname: sixteen-letters-\n", "name", 2, "is no name" },
		{ "kind: Tenant\nname: a.b\n", "name", 2, "is no name" },
		{ "kind: Tenant\nname: acme\ntenant: x\n", "tenant", 3, "unknown field" },
		{ "kind: Network\nname: front\n", "tenant", 1, "is required and missing" },
		{ NET "labls: {}\n", "labls", 4, "did you mean \"labels\"?" },
		{ NET "revision: -1\n", "revision", 4, "must be a whole number" },
		{ NET "labels: [a]\n", "labels", 4, "must be a map" },
		{ NET "labels: {a: 1}\n", "labels.a", 4, "1 is a number" },
		{ NET "labels: {a b: c}\n", "labels.a b", 4, "is no label" },
		{ NET "spec: 5\n", "spec", 4, "a single value, but a map of fields is wanted" },
		{ NET "spec: {vni: \"5\"}\n", "spec.vni", 4, "without quotes" },
		{ NET "spec: {vni: 0}\n", "spec.vni", 4, "must be a whole number from 1 to 16777215" },
		{ NET "spec: {vni: 16777216}\n", "spec.vni", 4, "must be a whole number" },
		{ NET "spec: {vni: 1.5}\n", "spec.vni", 4, "must be a whole number" },
		{ NET "spec: {vni: [1]}\n", "spec.vni", 4, "must be a number" },
		{ NET "spec:\n  vnii: 1\n", "spec.vnii", 5, "unknown field; did you mean \"vni\"?" },
		{ NET "spec: {hoverboards: [a, a]}\n", "spec.hoverboards[1]", 4, "given twice" },
		{ NET "spec: {gatewayMac: '01:00:00:00:00:00'}\n", "spec.gatewayMac", 4,
		  "is not the MAC of one machine" },
		{ INST "  mac: 02-00\n", "spec.mac", 6, "is not a MAC; write it like" },
		{ INST "  addresses: 10.0.0.1\n", "spec.addresses", 6, "but a list is wanted" },
		{ INST "  addresses: [10.0.0.1, 10.0.0.1]\n", "spec.addresses[1]", 6, "given twice" },
		{ INST "  addresses: [224.0.0.1]\n", "spec.addresses[0]", 6,
		  "is not the address of one machine" },
		{ INST "  addresses: [10.0.0.256]\n", "spec.addresses[0]", 6, "IPv4 or IPv6" },
		{ INST "  addresses: [1]\n", "spec.addresses[0]", 6, "1 is a number" },
		{ INST "  device: a/b\n", "spec.device", 6, "1 to 15 characters" },
		{ INST "  netns: ../x\n", "spec.netns", 6, "an absolute path" },
		{ INST "  host: other/host\n", "spec.host", 6, "objects of the same tenant" },
		{ INST "  host:\n", "spec.host", 6, "has no value" },
		{ "kind: Subnet\ntenant: t\nname: s\nspec: {network: n, prefix: 10.0.0.1/24}\n",
		  "spec.prefix", 4, "bits behind the length zero" },
		{ "kind: Subnet\ntenant: t\nname: s\nspec: {network: n}\n", "spec.prefix", 4,
		  "is required and missing" },
		{ ROUTE "  prefix: 0.0.0.0/0\n  nextHop: {}\n", "spec.nextHop", 7, "exactly one" },
		{ ROUTE "  prefix: 0.0.0.0/0\n  nextHop: {blackhole: true, instance: x}\n",
		  "spec.nextHop", 7, "exactly one of its fields, not 2" },
		{ ROUTE "  prefix: 0.0.0.0/0\n  nextHop: {blackhole: false}\n", "spec.nextHop", 7,
		  "must be true" },
		{ "kind: Peering\ntenant: t\nname: p\nspec: {network: n, peer: x}\n", "spec.peer", 4,
		  "write \"tenant/network\"" },
		{ "kind: Host\nname: h\nspec: {underlay: [10.0.0.1, 10.0.0.2]}\n",
		  "spec.underlay[1]", 3, "a second address of the same family" },
		{ "kind: Host\nname: h\nspec: {underlay: []}\n", "spec.underlay", 3, "is empty" },
		{ "kind: Host\nname: h\nspec: {underlay: [10.0.0.1], uplinks: [{device: e, hook: x}]}\n",
		  "spec.uplinks[0].hook", 3, "must be one of auto, xdp, tcx" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_refused(cases[i].text, cases[i].field, cases[i].line, cases[i].why);
}

static void test_all_at_once(void **state)
{
	struct object *o;
	struct problems p;
	cJSON *json;
	char *text;

	(void)state;
	problems_init(&p);
	expect_int("all", read_text("kind: Instance\nname: A\nspec:\n  mac: x\n  foo: 1\n", &p, &o),
		   -EINVAL);
	expect_int("all", p.n, 5);
	json = problems_json(&p);
	text = cJSON_PrintUnformatted(json);
	expect_part("all", text, "{\"document\":0,\"line\":4,\"object\":\"Instance \",\"field\":"
				 "\"spec.mac\",\"problem\":\"\\\"x\\\" is not a MAC");
	free(text);
	cJSON_Delete(json);
	problems_done(&p);
}

static void test_load_refuses(void **state)
{
	static const struct {
		const char *key, *text, *why;
	} cases[] = {
		{ "/mirach/objects/Tenant/-/a", "{\"kind\":\"Tenant\",\"name\":\"b\"}", "of /mirach" },
		{ "/mirach/objects/Tenant/-/a", "{\"kind\":", "holds no JSON" },
		{ "/mirach/objects/Tenant/-/a", "{\"kind\":\"Tenant\",\"name\":\"a\",\"name\":\"a\"}",
		  "no document" },
		{ "/mirach/objects/Tenant/-/a", "{\"kind\":\"X\",\"name\":\"a\"}", "unknown kind" },
	};
	struct object *o;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error e = {};

		expect_int(cases[i].text, model_load(cases[i].key, cases[i].text,
						     strlen(cases[i].text), 1, &o, &e), -EINVAL);
		expect_part(cases[i].text, e.text, cases[i].why);
	}
}

static void test_keys(void **state)
{
	static const char *const bad[] = {
		"", "/mirach/objects/", "/mirach/objects/Tenant/-", "/mirach/objects/Nope/a/b",
		"/mirach/global/Tenant/-/a", "/mirach/objects/RemoteNetwork/us/a",
		"/mirach/objects/Tenant/-/a/b", "/mirach/objects/Subnet/sixteen-letters-/b",
	};
	char tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	enum kind kind;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		expect_int(bad[i], model_key_parse(bad[i], &kind, tenant, name), -EINVAL);
	assert_int_equal(model_key_parse("/mirach/objects/Host/-/h", &kind, tenant, name), 0);
	assert_int_equal(kind, KIND_HOST);
	assert_string_equal(tenant, "");
	assert_int_equal(model_key_parse("/mirach/global/RemoteNetwork/us/n", &kind, tenant, name), 0);
	assert_string_equal(tenant, "us");
}

static void test_tenant_view(void **state)
{
	struct object *o;
	struct problems p;
	cJSON *json;
	char *text;

	(void)state;
	problems_init(&p);
	assert_int_equal(read_text(INST "  host: host-a\n  device: tap0\n  addresses: [10.0.0.1]\n", &p, &o), 0);
	o->revision = 5;
	json = model_json(o, MODEL_TENANT);
	text = cJSON_PrintUnformatted(json);
	assert_string_equal(text, "{\"kind\":\"Instance\",\"tenant\":\"acme\",\"name\":\"web-1\","
				  "\"spec\":{\"network\":\"front\",\"addresses\":[\"10.0.0.1\"]},"
				  "\"revision\":5}");
	free(text);
	cJSON_Delete(json);
	model_free(o);
}

static void test_changes(void **state)
{
	struct object *a, *b;
	struct problems p;
	char buf[64];

	(void)state;
	problems_init(&p);
	assert_int_equal(read_text(INST "  host: host-a\n  device: tap0\n", &p, &a), 0);
	assert_int_equal(read_text(INST "  host: host-b\n  mac: 02:00:00:00:00:01\n", &p, &b), 0);
	assert_string_equal(model_changes(a, b, buf, sizeof(buf)), "mac, host, device");
	assert_string_equal(model_changes(a, a, buf, sizeof(buf)), "");
	model_free(a);
	model_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_all_at_once), cmocka_unit_test(test_load_refuses),
		cmocka_unit_test(test_keys), cmocka_unit_test(test_tenant_view),
		cmocka_unit_test(test_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
