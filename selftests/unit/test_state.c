/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_state.c - transactions come into force one change at a time, or not at all
 *
 *	update() ──► the real state, objects, configuration, checkpoint ──► outcomes
 *	                        │
 *	                        └──► change_*(), endpoints_*() and underlay_*(), replaced (unit.mk): a
 *	                             datapath that refuses networks with VNI 666, and waits or fails when told
 */
#include <agent/state.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include <agent/agent.h>
#include <agent/change.h>
#include <agent/endpoints.h>
#include <agent/underlay.h>
#include <lib/clock.h>
#include <lib/log.h>
#include <selftests/unit/expect.h>

#define PATIENCE_S 120
#define REFUSED_VNI 666

/* The datapath. */

static struct {
	bool waits;			/* a new host does not answer */
	bool fails;			/* at the end of a change */
	unsigned int begun, made;
	const struct config *in_force;
	struct endpoint_spec endpoints[8];
	unsigned int n_endpoints;
	int n_claims;			/* of hosts that endpoints move to */
} dp;

int __wrap_change_begin(struct change *c, struct agent *a, const struct config *config, struct error *e);
bool __wrap_change_resolved(const struct agent *a);
int __wrap_change_finish(struct change *c, struct agent *a, struct error *e);
void __wrap_change_done(struct change *c);
int __wrap_change_make(struct agent *a, const struct config *config, struct error *e);
int __wrap_endpoints_set(struct endpoints *t, const struct endpoint_spec *list, uint32_t n, struct error *e);
void __wrap_endpoints_del(struct endpoints *t, const struct endpoint_spec *list, uint32_t n);
uint32_t __wrap_underlay_claim(struct underlay *u, const struct ip_addr *addr);
void __wrap_underlay_unclaim(struct underlay *u, const struct ip_addr *addr);
bool __wrap_underlay_host_settled(const struct underlay *u, const struct ip_addr *addr);

int __wrap_change_begin(struct change *c, struct agent *a, const struct config *config, struct error *e)
{
	(void)a;
	*c = (struct change){ .config = config };
	dp.begun++;
	for (unsigned int i = 0; i < config->n_networks; i++)
		if (config->networks[i].vni == REFUSED_VNI)
			return error_set(e, -EIO, "the datapath does not like it");
	return 0;
}

bool __wrap_change_resolved(const struct agent *a)
{
	(void)a;
	return !dp.waits;
}

int __wrap_change_finish(struct change *c, struct agent *a, struct error *e)
{
	(void)a;
	if (dp.fails)
		return error_set(e, -EIO, "no port for it");
	dp.in_force = c->config;
	return 0;
}

void __wrap_change_done(struct change *c)
{
	*c = (struct change){};
}

int __wrap_change_make(struct agent *a, const struct config *config, struct error *e)
{
	(void)a, (void)e;
	dp.made++;
	dp.in_force = config;
	return 0;
}

static unsigned int place_of(const struct endpoint_spec *ep)
{
	unsigned int i;

	for (i = 0; i < dp.n_endpoints; i++)
		if (dp.endpoints[i].vni == ep->vni && ip_addr_equal(&dp.endpoints[i].addr, &ep->addr))
			break;
	return i;
}

int __wrap_endpoints_set(struct endpoints *t, const struct endpoint_spec *list, uint32_t n, struct error *e)
{
	(void)t, (void)e;
	for (uint32_t i = 0; i < n; i++) {
		unsigned int at = place_of(&list[i]);

		assert_true(at < COUNT(dp.endpoints));
		dp.endpoints[at] = list[i];
		dp.n_endpoints += at == dp.n_endpoints;
	}
	return 0;
}

void __wrap_endpoints_del(struct endpoints *t, const struct endpoint_spec *list, uint32_t n)
{
	(void)t;
	for (uint32_t i = 0; i < n; i++) {
		unsigned int at = place_of(&list[i]);

		assert_true(at < dp.n_endpoints);
		dp.endpoints[at] = dp.endpoints[--dp.n_endpoints];
	}
}

uint32_t __wrap_underlay_claim(struct underlay *u, const struct ip_addr *addr)
{
	(void)u, (void)addr;
	return ++dp.n_claims;
}

void __wrap_underlay_unclaim(struct underlay *u, const struct ip_addr *addr)
{
	(void)u, (void)addr;
	dp.n_claims--;
}

bool __wrap_underlay_host_settled(const struct underlay *u, const struct ip_addr *addr)
{
	(void)u, (void)addr;
	return !dp.waits;
}

/* A host with its state, and what it was told. */

struct told {
	uint64_t seq, revision;
	int err;
	char text[128], blamed[64];
};

static struct {
	char dir[64];
	struct event_base *base;
	struct agent agent;
	struct state *s;
	struct told told[16];
	unsigned int n_told, n_bindings;
} host;

static void on_done(const struct state_outcome *o, void *arg)
{
	struct told *t = &host.told[host.n_told++];

	(void)arg;
	assert_true(host.n_told <= COUNT(host.told));
	*t = (struct told){ .seq = o->seq, .revision = o->revision, .err = o->e->err };
	snprintf(t->text, sizeof(t->text), "%.127s", o->e->text);
	snprintf(t->blamed, sizeof(t->blamed), "%.63s", o->n_ids ? o->ids[0] : "");
}

static void on_bindings(const char *instance, void *arg)
{
	(void)instance, (void)arg;
	host.n_bindings++;
}

static void start(void)
{
	static const struct state_listener listener = { .done = on_done, .bindings_changed = on_bindings };
	const struct state_options o = { .host = "host-a", .dir = host.dir };
	struct config *config = NULL, *restored = NULL;
	struct error e = {};

	host.base = event_base_new();
	host.agent = (struct agent){ .base = host.base };
	if (state_new(&o, &host.s, &config, &e) || state_restore(host.s, &host.agent, &restored, &e))
		fail_msg("%s", e.text);
	if (restored)
		config_free(config);
	host.agent.config = restored ?: config;
	host.agent.state = host.s;
	dp.in_force = host.agent.config;
	state_listen(host.s, &listener);
}

static void stop(void)
{
	state_free(host.s);
	config_free(host.agent.config);
	event_base_free(host.base);
}

static int set_up(void **state)
{
	(void)state;
	memset(&dp, 0, sizeof(dp));
	memset(&host, 0, sizeof(host));
	strcpy(host.dir, "/tmp/mirach-state-XXXXXX");
	if (!mkdtemp(host.dir))
		return -1;
	start();
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "checkpoint", "checkpoint.new", "checkpoint.bad" };
	char path[128];

	(void)state;
	stop();
	for (size_t i = 0; i < COUNT(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", host.dir, files[i]);
		unlink(path);
	}
	return rmdir(host.dir);
}

static void update(const char *text)
{
	cJSON *frame = cJSON_Parse(text);
	struct error e = {};

	assert_non_null(frame);
	if (state_update(host.s, frame, &e))
		fail_msg("%s", e.text);
	cJSON_Delete(frame);
}

static void turn(void)
{
	static const struct timeval short_while = { .tv_usec = 1000 };

	event_base_loopexit(host.base, &short_while);
	event_base_dispatch(host.base);
}

static void settle(void)
{
	uint64_t deadline = clock_now_ns() + PATIENCE_S * NS_PER_S;

	do
		turn();
	while (!state_idle(host.s) && clock_now_ns() < deadline);
	assert_true(state_idle(host.s));
}

static void expect_told(unsigned int i, uint64_t seq, int err)
{
	if (i >= host.n_told)
		fail_msg("%u outcomes, no number %u", host.n_told, i);
	expect_int("seq", host.told[i].seq, seq);
	if (host.told[i].err != err)
		fail_msg("outcome of %d: %d %s", (int)seq, host.told[i].err, host.told[i].text);
}

static bool has(const char *id)
{
	return object_set_find(state_objects(host.s), id);
}

#define V "\"v\":\"000102030405060708090a0b0c0d0e0f\""
#define NET(name, vni) "{\"id\":\"network/t." name "\"," V ",\"spec\":{\"vni\":" #vni ",\"subnets\":"	\
		       "[{\"prefix\":\"10.0.0.0/24\",\"gateway\":\"10.0.0.1\"}]}}"
#define SELF "{\"id\":\"host/self\"," V ",\"spec\":{\"underlay\":[\"192.0.2.1\"],\"role\":\"hoverboard\"," \
	     "\"uplinks\":[{\"device\":\"eth0\"}]}}"
#define ENDPOINT(host) "{\"id\":\"endpoint/t.red/10.0.0.9\"," V ",\"spec\":{\"network\":\"t.red\",\"address\":"	\
		       "\"10.0.0.9\",\"mac\":\"02:00:00:00:00:09\",\"host\":\"" host "\"}}"
#define VPORT(name, addr) "{\"id\":\"vport/t." name "\"," V ",\"spec\":{\"network\":\"t.red\",\"mac\":"	\
			  "\"02:00:00:00:00:" addr "\",\"addresses\":[\"10.0.0." addr "\"]}}"
#define UPDATE(seq, set) "{\"seq\":" #seq ",\"revision\":" #seq "0,\"set\":[" set "]}"

static void test_comes_into_force(void **state)
{
	struct state_view v;

	(void)state;
	state_show(host.s, &v);
	assert_false(v.known);
	update(UPDATE(1, SELF "," NET("red", 100)));
	assert_false(state_idle(host.s));
	expect_int("outcomes from within", host.n_told, 0);
	settle();
	expect_told(0, 1, 0);
	expect_int("revision", state_revision(host.s), 10);
	assert_ptr_equal(dp.in_force, host.agent.config);
	expect_int("networks", host.agent.config->n_networks, 1);
	/* What is in force outlives the agent. */
	stop();
	start();
	state_show(host.s, &v);
	assert_true(v.known);
	expect_int("revision", v.revision, 10);
	expect_int("networks", host.agent.config->n_networks, 1);
	/* Removed again. */
	update("{\"seq\":2,\"revision\":20,\"del\":[\"network/t.red\"]}");
	settle();
	expect_told(1, 2, 0);
	expect_int("networks", host.agent.config->n_networks, 0);
}

static void test_what_comes_together(void **state)
{
	(void)state;
	update(UPDATE(1, SELF));
	update(UPDATE(2, NET("red", 100)));
	update(UPDATE(3, NET("blue", 200)));
	settle();
	expect_int("changes", dp.begun, 1);
	for (unsigned int i = 0; i < 3; i++)
		expect_told(i, i + 1, 0);
	expect_int("revision", state_revision(host.s), 30);
}

/* Of several that come together the right one is refused, and the others are made true. */
static void test_who_is_to_blame(void **state)
{
	struct state_view v;

	(void)state;
	update(UPDATE(1, SELF "," NET("red", 100)));
	settle();
	update(UPDATE(2, NET("blue", 200)));
	update(UPDATE(3, NET("bad", 666)));
	update(UPDATE(4, "{\"id\":\"network/t.odd\"," V ",\"spec\":{\"vni\":0}}"));
	update("{\"seq\":5,\"revision\":50,\"set\":[{\"id\":\"network/t.no\",\"v\":\"zz\",\"spec\":{}}]}");
	update(UPDATE(6, NET("green", 300)));
	settle();
	expect_int("outcomes", host.n_told, 6);
	expect_told(1, 2, 0);
	expect_told(2, 3, -EIO);
	expect_told(3, 4, -EINVAL);
	expect_text("blamed", host.told[3].blamed, "network/t.odd");
	expect_told(4, 5, -EBADMSG);
	expect_text("blamed", host.told[4].blamed, "network/t.no");
	expect_told(5, 6, 0);
	assert_true(has("network/t.blue") && has("network/t.green") && has("network/t.red"));
	assert_false(has("network/t.bad") || has("network/t.odd") || has("network/t.no"));
	expect_int("objects", object_set_digest(state_objects(host.s))->count, 4);
	assert_true(dp.made > 0);		/* the datapath went back behind number 3 */
	assert_ptr_equal(dp.in_force, host.agent.config);
	expect_int("networks", host.agent.config->n_networks, 3);
	update(UPDATE(7, NET("bad", 666)));
	settle();
	state_show(host.s, &v);
	expect_part("refused", v.refused, "does not like it");
	expect_int("revision", v.revision, 60);
	assert_ptr_equal(dp.in_force, host.agent.config);
}

static void test_fails_at_the_end(void **state)
{
	struct objset_digest before;

	(void)state;
	update(UPDATE(1, SELF "," NET("red", 100)));
	settle();
	before = *object_set_digest(state_objects(host.s));
	dp.fails = true;
	update(UPDATE(2, NET("red", 101) "," ENDPOINT("192.0.2.2")));
	settle();
	expect_told(1, 2, -EIO);
	assert_true(digest_equal(&object_set_digest(state_objects(host.s))->root, &before.root));
	assert_ptr_equal(dp.in_force, host.agent.config);
	expect_int("VNI", host.agent.config->networks[0].vni, 100);
	expect_int("endpoints", dp.n_endpoints, 0);
}

/* Nothing is in force, and nothing is told, before new hosts have answered or had their time. */
static void test_waits_for_hosts(void **state)
{
	(void)state;
	dp.waits = true;
	update(UPDATE(1, SELF "," NET("red", 100)));
	update(UPDATE(2, NET("blue", 200)));
	turn();
	assert_false(state_idle(host.s));
	expect_int("outcomes", host.n_told, 0);
	update(UPDATE(3, NET("green", 300)));		/* waits its turn */
	dp.waits = false;
	settle();
	expect_int("outcomes", host.n_told, 3);
	expect_int("changes", dp.begun, 2);
	dp.waits = true;
	update(UPDATE(4, NET("white", 400)));
	settle();					/* one that never answers */
	expect_told(3, 4, 0);
}

/* What has come whole is made true; the next session is not told of it, nor of what came in part. */
static void test_session_ends(void **state)
{
	(void)state;
	update(UPDATE(1, SELF "," NET("red", 100)));
	update("{\"seq\":2,\"revision\":20,\"set\":[" NET("blue", 200) "],\"more\":true}");
	state_session_over(host.s);
	settle();
	expect_int("outcomes", host.n_told, 0);
	assert_true(has("network/t.red"));
	assert_false(has("network/t.blue"));
	update(UPDATE(1, NET("green", 300)));
	settle();
	expect_told(0, 1, 0);
}

/* Endpoints are no change of the configuration; moved or refused, the table is what the set says. */
static void test_endpoints(void **state)
{
	struct ip_addr there;

	(void)state;
	update(UPDATE(1, SELF "," NET("red", 100)));
	settle();
	update(UPDATE(2, ENDPOINT("192.0.2.2")));
	settle();
	expect_int("changes", dp.begun, 1);
	expect_int("endpoints", dp.n_endpoints, 1);
	expect_int("VNI", dp.endpoints[0].vni, 100);
	update(UPDATE(3, ENDPOINT("192.0.2.3") "," NET("bad", 666)));
	settle();
	expect_told(2, 3, -EIO);
	ip_addr_parse("192.0.2.2", &there);
	assert_true(ip_addr_equal(&dp.endpoints[0].host, &there));
	update("{\"seq\":4,\"revision\":40,\"del\":[\"endpoint/t.red/10.0.0.9\"]}");
	settle();
	expect_int("endpoints", dp.n_endpoints, 0);
	update("{\"seq\":5,\"revision\":50,\"set\":[{\"id\":\"endpoint/t.no/10.0.0.9\"," V ",\"spec\":{\"network\":\"t.no\","
	       "\"address\":\"10.0.0.9\",\"mac\":\"02:00:00:00:00:09\",\"host\":\"192.0.2.2\"}}]}");
	settle();
	expect_told(4, 5, -EINVAL);
	expect_part("why", host.told[4].text, "its network is not here");
	expect_int("endpoints", dp.n_endpoints, 0);
}

static void expect_at(const char *where)
{
	struct ip_addr there;

	ip_addr_parse(where, &there);
	expect_int("endpoints", dp.n_endpoints, 1);
	if (!ip_addr_equal(&dp.endpoints[0].host, &there))
		fail_msg("the endpoint is not at %s", where);
}

/* An endpoint stays where it is until its next host has answered or had its time; a new one has no such place. */
static void test_endpoint_moves(void **state)
{
	(void)state;
	update(UPDATE(1, SELF "," NET("red", 100)));
	settle();
	dp.waits = true;
	update(UPDATE(2, ENDPOINT("192.0.2.2")));
	turn();
	expect_at("192.0.2.2");
	expect_int("asked", dp.n_claims, 0);
	update(UPDATE(3, ENDPOINT("192.0.2.3")));
	turn();
	assert_false(state_idle(host.s));
	expect_at("192.0.2.2");
	expect_int("asked", dp.n_claims, 1);
	expect_int("outcomes", host.n_told, 2);
	dp.waits = false;
	settle();
	expect_told(2, 3, 0);
	expect_at("192.0.2.3");
	expect_int("asked", dp.n_claims, 0);
	dp.waits = true;
	update(UPDATE(4, ENDPOINT("192.0.2.4")));
	settle();					/* one that never answers */
	expect_told(3, 4, 0);
	expect_at("192.0.2.4");
	/* Refused meanwhile, it has not moved at all. */
	update(UPDATE(5, ENDPOINT("192.0.2.5") "," NET("red", 101)));
	turn();
	dp.fails = true;
	settle();
	expect_told(4, 5, -EIO);
	expect_at("192.0.2.4");
	expect_int("asked", dp.n_claims, 0);
	expect_int("changes of the configuration", dp.begun, 2);
}

static void count_unbound(const struct object *vport, void *arg)
{
	(void)vport;
	++*(unsigned int *)arg;
}

static void test_bindings(void **state)
{
	unsigned int unbound = 0;
	struct error e = {};

	(void)state;
	update(UPDATE(1, SELF "," NET("red", 100) "," VPORT("x", "12") "," VPORT("y", "13")));
	settle();
	expect_int("vports", host.agent.config->n_vports, 0);
	state_each_unbound(host.s, count_unbound, &unbound);
	expect_int("unbound", unbound, 2);
	if (state_attach(host.s, "t.x", "tap1", NULL, NULL, &e))
		fail_msg("%s", e.text);
	settle();
	expect_int("vports", host.agent.config->n_vports, 1);
	expect_text("device", host.agent.config->vports[0].device, "tap1");
	expect_int("controller told", host.n_bindings, 1);
	/* One that the configuration could not have changes nothing. */
	assert_int_not_equal(state_attach(host.s, "t.y", "tap1", NULL, NULL, &e), 0);
	assert_int_not_equal(state_attach(host.s, "t.x", "eth0", NULL, NULL, &e), 0);
	settle();
	expect_int("vports", host.agent.config->n_vports, 1);
	expect_text("device", host.agent.config->vports[0].device, "tap1");
	expect_int("bindings", state_bindings(host.s)->n, 1);
	/* Nor does one in the middle of a change. */
	dp.waits = true;
	update(UPDATE(2, NET("blue", 200)));
	turn();
	assert_int_equal(state_attach(host.s, "t.y", "tap2", NULL, NULL, &e), -EAGAIN);
	dp.waits = false;
	settle();
	assert_int_equal(state_detach(host.s, "t.x", &e), 0);
	settle();
	expect_int("vports", host.agent.config->n_vports, 0);
}

#define with_host(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(test_comes_into_force), with_host(test_what_comes_together),
		with_host(test_who_is_to_blame),  with_host(test_fails_at_the_end),
		with_host(test_waits_for_hosts),  with_host(test_session_ends),
		with_host(test_endpoints),	  with_host(test_bindings),
		with_host(test_endpoint_moves),	  with_host(test_bindings),
	};

	log_init("test_state");
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
