/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_state_config.c - host objects become a configuration, or are blamed by their ids
 */
#include <agent/state_config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <selftests/unit/expect.h>

#define V "000102030405060708090a0b0c0d0e0f"
#define OBJECT(id, spec) "{\"id\":\"" id "\",\"v\":\"" V "\",\"spec\":{" spec "}}"
#define SELF OBJECT("host/self", "\"underlay\":[\"192.0.2.1\"],\"uplinks\":[{\"device\":\"eth0\"}]," \
		    "\"encapsulation\":{\"kind\":\"geneve\"},\"role\":\"host\",\"name\":\"other\",\"new\":1")
#define NET OBJECT("network/acme.web", "\"vni\":100,\"subnets\":[{\"prefix\":\"10.0.0.0/24\"," \
		   "\"gateway\":\"10.0.0.1\"}],\"from_the_future\":{\"a\":[1]}")
#define VPORT_OF(name, device, mac, addr)                                                       \
	OBJECT("vport/" name, "\"network\":\"acme.web\"," device "\"mac\":\"" mac "\","         \
	       "\"addresses\":[\"" addr "\"]")
#define VPORT VPORT_OF("acme.web-1", "\"device\":\"tap1\",", "02:00:00:00:00:01", "10.0.0.2")
#define UNBOUND VPORT_OF("acme.web-2", "", "02:00:00:00:00:02", "10.0.0.3")
#define DIRECT OBJECT("direct/acme.web/10.0.0.2/10.0.0.9",					\
		      "\"network\":\"acme.web\",\"src\":\"10.0.0.2\",\"dst\":\"10.0.0.9\","	\
		      "\"mac\":\"02:00:00:00:00:09\",\"host\":\"192.0.2.2\"")
#define PERMIT OBJECT("permit/acme.web/10.0.0.9",						\
		      "\"network\":\"acme.web\",\"address\":\"10.0.0.9\",\"host\":\"192.0.2.2\"")

struct world {
	struct object *objects[8];
	struct bindings bindings;
	struct state_parts parts;
	struct state_blame blame;
	struct config *config;
	struct error e;
};

static struct object *object(const char *text)
{
	cJSON *json = cJSON_Parse(text);
	struct object *o = NULL;
	struct error e = {};

	assert_non_null(json);
	if (object_new(json, &o, &e))
		fail_msg("%s", e.text);
	cJSON_Delete(json);
	return o;
}

static int build(struct world *w)
{
	config_free(w->config);
	w->config = NULL;
	w->e = (struct error){};
	w->parts.host = "host-a";
	w->parts.objects = w->objects;
	w->parts.bindings = &w->bindings;
	return state_config(&w->parts, &w->config, &w->blame, &w->e);
}

static void add(struct world *w, const char *text)
{
	w->objects[w->parts.n_objects++] = object(text);
}

static void done(struct world *w)
{
	config_free(w->config);
	bindings_done(&w->bindings);
	for (unsigned int i = 0; i < w->parts.n_objects; i++)
		object_put(w->objects[i]);
}

static void test_whole(void **state)
{
	struct world w = {};

	(void)state;
	add(&w, SELF);
	add(&w, NET);
	add(&w, DIRECT);
	add(&w, PERMIT);
	add(&w, VPORT);
	for (int i = 0; i < 3; i++) {		/* trees are as before after each reading */
		if (build(&w))
			fail_msg("%s", w.e.text);
		expect_text("name", w.config->host_name, "host-a");
		expect_int("tunnel", w.config->tunnel, TUNNEL_GENEVE);
		expect_int("uplinks", w.config->n_uplinks, 1);
		expect_int("networks", w.config->n_networks, 1);
		expect_text("network", w.config->networks[0].name, "acme.web");
		expect_int("vports", w.config->n_vports, 1);
		expect_text("vport", w.config->vports[0].name, "acme.web-1");
		expect_text("device", w.config->vports[0].device, "tap1");
		expect_int("remotes", w.config->n_remotes, 2);
		for (int k = 0; k < 2; k++) {
			const struct config_remote *r = &w.config->remotes[k];

			expect_int("remote", r->prefix.len, 128);
			expect_int("permit, or of a pair", r->receive_only,
				   ip_addr_is_zero(&r->from));
		}
		expect_int("one permit", w.config->remotes[0].receive_only +
			   w.config->remotes[1].receive_only, 1);
	}
	done(&w);
}

/* Gateways are remotes; what is nobody's stays a route. */
static void test_routes(void **state)
{
	struct world w = {};

	(void)state;
	add(&w, SELF);
	add(&w, NET);
	add(&w, OBJECT("route/acme.web/172.16.0.0/12", "\"network\":\"acme.web\",\"prefix\":\"172.16.0.0/12\","
		       "\"gateways\":[\"192.0.2.50\"]"));
	add(&w, OBJECT("route/acme.web/172.32.0.0/12", "\"network\":\"acme.web\",\"prefix\":\"172.32.0.0/12\","
		       "\"vni\":7777,\"gateways\":[\"192.0.2.51\",\"192.0.2.52\"]"));
	add(&w, OBJECT("route/acme.web/172.64.0.0/12", "\"network\":\"acme.web\",\"prefix\":\"172.64.0.0/12\","
		       "\"blackhole\":true"));
	for (int i = 0; i < 2; i++) {
		if (build(&w))
			fail_msg("%s", w.e.text);
		expect_int("remotes", w.config->n_remotes, 2);
		expect_int("VNI of the first", w.config->remotes[0].vni, 0);
		expect_int("VNI of the second", w.config->remotes[1].vni, 7777);
		expect_int("one gateway is a host", w.config->remotes[0].n_gateways, 0);
		expect_int("gateways", w.config->remotes[1].n_gateways, 2);
		assert_true(ip_addr_equal(&w.config->remotes[1].gateways[0], &w.config->remotes[1].host));
		expect_int("routes", w.config->n_routes, 1);
		expect_int("black hole", w.config->routes[0].blackhole, 1);
	}
	done(&w);
}

/* A prefix behind an instance of this host is there as soon as the instance is. */
static void test_route_by_instance(void **state)
{
	struct world w = {};

	(void)state;
	add(&w, SELF);
	add(&w, NET);
	add(&w, OBJECT("route/acme.web/172.16.0.0/12", "\"network\":\"acme.web\",\"prefix\":\"172.16.0.0/12\","
		       "\"vport\":\"acme.web-2\""));
	if (build(&w))
		fail_msg("%s", w.e.text);
	expect_int("without its instance", w.config->n_routes, 0);
	add(&w, UNBOUND);
	if (build(&w))
		fail_msg("%s", w.e.text);
	expect_int("without a device", w.config->n_routes, 0);
	if (bindings_set(&w.bindings, "acme.web-2", "tap2", NULL, NULL, &w.e) || build(&w))
		fail_msg("%s", w.e.text);
	expect_int("routes", w.config->n_routes, 1);
	expect_int("vport", w.config->routes[0].vport, 0);
	done(&w);
}

static void test_nothing(void **state)
{
	struct world w = {};

	(void)state;
	assert_int_equal(build(&w), 0);
	expect_int("vports", w.config->n_vports, 0);
	done(&w);
}

static void test_binding(void **state)
{
	struct world w = {};

	(void)state;
	add(&w, SELF);
	add(&w, NET);
	add(&w, UNBOUND);
	assert_true(state_is_unbound(w.objects[2], &w.bindings));
	assert_int_equal(build(&w), 0);
	expect_int("unbound is left out", w.config->n_vports, 0);
	assert_int_equal(bindings_set(&w.bindings, "acme.web-2", "tap7", "guest7", NULL, &w.e), 0);
	assert_int_equal(build(&w), 0);
	expect_int("bound", w.config->n_vports, 1);
	expect_text("device", w.config->vports[0].device, "tap7");
	expect_text("netns", w.config->vports[0].netns, "guest7");
	assert_int_equal(bindings_del(&w.bindings, "acme.web-2", &w.e), 0);
	assert_int_equal(build(&w), 0);
	expect_int("unbound again", w.config->n_vports, 0);
	done(&w);
}

static void test_binding_refusals(void **state)
{
	struct bindings b = {};
	struct error e = {};
	cJSON *json;

	(void)state;
	assert_int_equal(bindings_set(&b, "web-1", "tap0", NULL, NULL, &e), -EINVAL);
	assert_int_equal(bindings_set(&b, "acme.web-1", "", NULL, NULL, &e), -EINVAL);
	assert_int_equal(bindings_set(&b, "acme.web-1", "tap0", NULL, "eth0", &e), 0);
	assert_int_equal(bindings_set(&b, "acme.web-2", "tap0", NULL, NULL, &e), -EEXIST);
	expect_text("taken", e.text, "tap0 is the device of acme.web-1 already");
	assert_int_equal(bindings_set(&b, "acme.web-1", "tap1", NULL, NULL, &e), 0);
	assert_int_equal(b.n, 1);
	json = binding_to_json(b.all[0]);
	assert_int_equal(bindings_del(&b, "acme.web-1", &e), 0);
	assert_int_equal(bindings_del(&b, "acme.web-1", &e), -ENOENT);
	assert_int_equal(bindings_set_json(&b, json, &e), 0);
	expect_text("device", binding_text(b.all[0], "device"), "tap1");
	assert_int_equal(binding_answered(b.all[0], "no such instance"), 0);
	assert_int_equal(b.all[0]->state, BIND_REFUSED);
	cJSON_Delete(json);
	bindings_done(&b);
}

/* Mistakes are said by id, and the ids are handed back. */
static void test_blame(void **state)
{
	struct world w = {};

	(void)state;
	add(&w, SELF);
	add(&w, NET);
	add(&w, VPORT);
	add(&w, VPORT_OF("acme.web-3", "\"device\":\"tap1\",", "02:00:00:00:00:03", "10.9.0.2"));
	assert_int_equal(build(&w), -EINVAL);
	assert_null(w.config);
	expect_part("device", w.e.text, "vport/acme.web-3: vports[1].device: \"tap1\" is taken by "
		    "vports[0], vport/acme.web-1");
	expect_part("address", w.e.text, "vport/acme.web-3: vports[1].addresses: 10.9.0.2 is in no subnet");
	expect_int("blamed", w.blame.n, 1);
	expect_text("blamed", w.blame.ids[0], "vport/acme.web-3");
	done(&w);
}

static void test_bad_objects(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"{}", "an object has no proper id"},
		{"{\"id\":\"web\"}", "an object has no proper id"},
		{"{\"id\":\"a/b c\"}", "an object has no proper id"},
		{"{\"id\":\"a/b\\\"c\"}", "an object has no proper id"},
		{"{\"id\":\"host/self\",\"v\":\"00\"}", "host/self: v is not 32 hex digits"},
		{"{\"id\":\"host/self\",\"v\":\"" V "\"}", "host/self: spec is not an object"},
		{OBJECT("endpoint/a.b/10.0.0.1", "\"network\":\"a.c\""),
		 "endpoint/a.b/10.0.0.1: network is not that of the id"},
		{OBJECT("endpoint/a.b/10.0.0.1", "\"network\":\"a.b\",\"address\":\"10.0.0\""),
		 "endpoint/a.b/10.0.0.1: address is none"},
		{OBJECT("endpoint/a.b/10.0.0.1", "\"network\":\"a.b\",\"address\":\"10.0.0.1\",\"host\":5"),
		 "endpoint/a.b/10.0.0.1: host is not an address"},
		{"{\"id\":\"host/self\",\"v\":\"" V "\",\"spec\":{\"a\":1,\"a\":2}}",
		 "host/self: a field is given twice"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		cJSON *json = cJSON_Parse(cases[i].text);
		struct object *o = NULL;
		struct error e = {};

		assert_non_null(json);
		expect_int(cases[i].why, object_new(json, &o, &e), -EBADMSG);
		expect_text(cases[i].text, e.text, cases[i].why);
		cJSON_Delete(json);
	}
}

static void test_unknown_kind_is_kept(void **state)
{
	struct object *o = object(OBJECT("firewall/acme.web/1", "\"x\":1"));

	(void)state;
	expect_int("kind", o->kind, OBJECT_OTHER);
	expect_text("spec", o->spec, "{\"x\":1}");
	assert_null(o->doc);
	object_put(o);
}

/* An endpoint keeps what it says and not its text; the text comes out as it went in. */
static void test_endpoint(void **state)
{
	const char *spec = "\"network\":\"a.b\",\"address\":\"fd00::7\",\"mac\":\"02:00:00:00:00:07\","
			   "\"host\":\"192.0.2.9\"";
	struct object *o = object(OBJECT("endpoint/a.b/fd00::7",
					 "\"network\":\"a.b\",\"address\":\"fd00::7\","
					 "\"mac\":\"02:00:00:00:00:07\",\"host\":\"192.0.2.9\""));
	char network[OBJECT_ID_MAX + 1], want[200], *text;

	(void)state;
	expect_text("network", object_network(o, network), "a.b");
	assert_non_null(o->endpoint);
	assert_null(o->doc);
	snprintf(want, sizeof(want), "{%s}", spec);
	text = object_spec(o);
	expect_text("spec", text, want);
	free(text);
	object_put(o);
}

static void test_bootstrap(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"agent: {socket: /s}\nlimits: {flows: 4096}\n", NULL},
		{"{}\n", NULL},
		{"limits: {flows: 1}\n", "limits.flows"},
		{"limitz: {}\n", "unknown field"},
		{"networks: []\n", "networks: comes from the controller"},
		{"[]\n", "a map of fields is wanted"},
	};
	char path[] = "/tmp/mirach-test-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct config *config = NULL;
		struct doc *doc = NULL;
		struct error e = {};
		FILE *f = fopen(path, "w");
		int err;

		fputs(cases[i].text, f);
		fclose(f);
		err = state_bootstrap(path, "host-a", &doc, &config, &e);
		if (cases[i].why)
			expect_part(cases[i].text, e.text, cases[i].why);
		expect_int(cases[i].text, err != 0, cases[i].why != NULL);
		if (!err)
			expect_text("host", config->host_name, "host-a");
		config_free(config);
		doc_free(doc);
	}
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_route_by_instance),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_binding),
		cmocka_unit_test(test_binding_refusals),
		cmocka_unit_test(test_blame),
		cmocka_unit_test(test_bad_objects),
		cmocka_unit_test(test_unknown_kind_is_kept),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_bootstrap),
	};

	return cmocka_run_group_tests_name("state_config", tests, NULL, NULL);
}
