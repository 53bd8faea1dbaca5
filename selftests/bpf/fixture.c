// SPDX-License-Identifier: BSD-2-Clause
/*
 * fixture.c - loads the real object, plays the agent, keeps an eye on the books
 *
 * See also: fixture.h; fixture_fire.c, which runs the programs.
 */
#include "fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <agent/template.h>
#include <mirach/parse.h>
#include <selftests/bpf/fixture_internal.h>
#include <selftests/bpf/sandbox.h>

#define BUCKETS 1024u
#define FLOWS 4097u
#define NEXTHOPS 512u
#define MISS_RATE 1000000u

struct fixture fixture;

static int quiet(enum libbpf_print_level level, const char *fmt, va_list args)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, fmt, args) : 0;
}

static void *map_array(const struct bpf_map *map)
{
	size_t len = (size_t)bpf_map__value_size(map) * bpf_map__max_entries(map);
	void *m = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0);

	assert_ptr_not_equal(m, MAP_FAILED);
	return m;
}

static void open_object(struct fixture *f)
{
	struct bpf_map *map;

	f->skel = mirach_xdp__open();
	assert_non_null(f->skel);
	bpf_object__for_each_map(map, f->skel->obj)
		bpf_map__set_pin_path(map, NULL);
	bpf_map__set_max_entries(f->skel->maps.flow_index, BUCKETS);
	bpf_map__set_max_entries(f->skel->maps.flows, FLOWS);
	bpf_map__set_max_entries(f->skel->maps.flow_stats, FLOWS);
	bpf_map__set_max_entries(f->skel->maps.nexthops, NEXTHOPS);
	f->skel->rodata->flow_bucket_mask = BUCKETS - 1;
	for (unsigned int i = 0; i < FLOW_SECRET_WORDS; i++)
		f->skel->rodata->flow_secret[i] = 0x9e3779b9u * (i + 1);
	assert_int_equal(mirach_xdp__load(f->skel), 0);
}

static void map_arrays(struct fixture *f)
{
	f->nexthops = map_array(f->skel->maps.nexthops);
	f->ports = map_array(f->skel->maps.ports);
	f->port_index = map_array(f->skel->maps.port_index);
	f->endpoint_index = map_array(f->skel->maps.endpoint_index);
	f->endpoints = map_array(f->skel->maps.endpoints);
	f->memory = (struct flow_table_memory){
		.index = map_array(f->skel->maps.flow_index),
		.flows = map_array(f->skel->maps.flows),
		.n_buckets = BUCKETS,
		.n_flows = FLOWS,
		.secret = (const uint32_t *)f->skel->rodata->flow_secret,
	};
}

/* Every port needs a device: an ingress device of the test run, a target of redirects. */
static void make_devices(struct fixture *f)
{
	char a[IF_NAMESIZE], b[IF_NAMESIZE];

	for (uint32_t slot = 1; slot < SLOTS; slot++) {
		snprintf(a, sizeof(a), "mt%u", slot);
		snprintf(b, sizeof(b), "mt%up", slot);
		f->ifindex[slot] = sandbox_veth(a, b);
	}
}

int fixture_load(void **state)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	if (geteuid())
		return 0;
	if (sandbox_enter(state))
		return -1;
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(quiet);
	open_object(&fixture);
	map_arrays(&fixture);
	make_devices(&fixture);
	return 0;
}

int fixture_unload(void **state)
{
	(void)state;
	if (geteuid())
		return 0;
	flow_table_free(fixture.table);
	policy_free(fixture.policy);
	mirach_tcx__destroy(fixture.tcx);
	mirach_xdp__destroy(fixture.skel);
	return 0;
}

void fixture_policy(void)
{
	policy_free(fixture.policy);
	fixture.policy = world_policy(&fixture.world);
}

void fixture_nexthop(uint32_t id, const struct nexthop_body *body)
{
	struct nexthop *n = &fixture.nexthops[id];

	n->body[!(n->active & 1)] = *body;
	n->active ^= 1;
}

static void index_port(uint32_t slot, int ifindex)
{
	for (uint32_t b = 0; b < PORT_INDEX_BUCKETS; b++)
		for (uint32_t i = 0; i < PORT_BUCKET_SLOTS; i++)
			if ((uint32_t)fixture.port_index[b].slot[i] == slot)
				fixture.port_index[b].slot[i] = 0;
	if (!ifindex)
		return;
	for (__u64 *s = fixture.port_index[ifindex & (PORT_INDEX_BUCKETS - 1)].slot;; s++)
		if (!*s) {
			*s = PORT_INDEX_SLOT(ifindex, slot);
			return;
		}
}

void fixture_port(uint32_t slot)
{
	int fd = bpf_map__fd(fixture.skel->maps.port_devs);
	int ifindex = fixture.ports[slot].ifindex;

	if (ifindex)
		assert_int_equal(bpf_map_update_elem(fd, &slot, &ifindex, 0), 0);
	else
		bpf_map_delete_elem(fd, &slot);
	index_port(slot, ifindex);
}

static void set_port(uint32_t slot, struct port port)
{
	port.ifindex = fixture.ifindex[slot];
	snprintf(port.name, sizeof(port.name), "port-%u", slot);
	fixture.ports[slot] = port;
	fixture_port(slot);
}

const char *fixture_host(unsigned int n)
{
	static char text[4][IP_ADDR_STRLEN];
	static unsigned int turn;
	char *at = text[turn++ % 4];

	snprintf(at, IP_ADDR_STRLEN, fixture.underlay.v6 ? "2001:db8::%u" : "192.0.2.%u", n);
	return at;
}

static void set_uplink(const struct underlay_shape *u)
{
	struct port uplink = {
		.kind = PORT_UPLINK,
		.hub = SLOT_HUB,
		.mtu = u->mtu,
		.mac = { 2, 0, 0, 0, 9, 1 },
		.tunnel = u->tunnel,
		.tunnel_port = wire16(u->port),
		.vlan = u->vlan ? u->vlan | FLOW_VLAN_PRESENT : 0,
		.miss_rate = MISS_RATE,
		.miss_burst = MISS_RATE,
		.underlay = { packet_addr("192.0.2.1"), packet_addr("2001:db8::1") },
	};

	set_port(SLOT_UPLINK, uplink);
}

static void set_vports(void)
{
	for (int i = 0; i < WORLD_VPORTS; i++) {
		const struct config_vport *v = &fixture.world.vports[i];
		struct nexthop_body body;
		struct port port = {
			.kind = PORT_VPORT,
			.vni = fixture.world.networks[v->network].vni,
			.hub = SLOT_HUB,
			.mtu = 9000,
			.miss_rate = MISS_RATE,
			.miss_burst = MISS_RATE,
		};

		memcpy(port.mac, v->mac, ETH_ADDR_LEN);
		set_port(WORLD_SLOT(i), port);
		template_local(WORLD_SLOT(i), port.mtu, &body);
		fixture_nexthop(WORLD_LOCAL_NEXTHOP(i), &body);
	}
}

static void set_remote_nexthop(int remote, const struct underlay_shape *u)
{
	struct config_remote *r = &fixture.world.remotes[remote];
	unsigned int n = ((uint8_t *)&r->host)[15];
	struct tunnel_spec spec = {
		.tunnel = u->tunnel,
		.udp_port = u->port,
		.dmac = { 2, 0, 0, 0, 9, n },
		.smac = { 2, 0, 0, 0, 9, 1 },
		.vlan = u->vlan,
		.dscp = u->dscp,
		.tos = u->tos,
		.port = SLOT_UPLINK,
		.underlay_mtu = u->mtu,
	};
	struct nexthop_body body;

	r->host = packet_addr(fixture_host(n));
	spec.remote = r->host;
	spec.local = packet_addr(fixture_host(1));
	assert_int_equal(template_tunnel(&spec, &body), 0);
	fixture_nexthop(WORLD_REMOTE_NEXTHOP(remote), &body);
}

static void clear_flows(void)
{
	flow_table_free(fixture.table);
	memset(fixture.memory.index, 0, BUCKETS * sizeof(struct flow_bucket));
	memset(fixture.memory.flows, 0, FLOWS * sizeof(struct flow));
	assert_int_equal(flow_table_new(&fixture.memory, 0, &fixture.table), 0);
}

void fixture_underlay(const struct underlay_shape *shape)
{
	struct underlay_shape *u = &fixture.underlay;

	*u = *shape;
	u->tunnel = u->tunnel ? u->tunnel : TUNNEL_VXLAN;
	u->mtu = u->mtu ? u->mtu : UNDERLAY_MTU;
	if (!u->port && u->tunnel != TUNNEL_GRE)
		u->port = u->tunnel == TUNNEL_VXLAN ? VXLAN_PORT : GENEVE_PORT;
	fixture.world.config.tunnel = u->tunnel;
	set_uplink(u);
	for (int i = 0; i < WORLD_REMOTES; i++)
		set_remote_nexthop(i, u);
	fixture_policy();
	clear_flows();
}

void fixture_neighbour(uint32_t vni, struct ip_addr addr, const uint8_t *mac, bool router, uint32_t slot)
{
	struct neighbour_key key = { .vni = vni, .addr = addr };
	struct neighbour n = { .router = router, .port = slot };

	memcpy(n.mac, mac, ETH_ADDR_LEN);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(fixture.skel->maps.neighbours), &key, &n, 0), 0);
}

static void set_neighbours(void)
{
	const struct config *c = &fixture.world.config;

	for (unsigned int i = 0; i < c->n_networks; i++)
		for (unsigned int k = 0; k < c->networks[i].n_subnets; k++)
			fixture_neighbour(c->networks[i].vni, c->networks[i].subnets[k].gateway,
				      c->networks[i].gateway_mac, true, 0);
	for (unsigned int i = 0; i < c->n_vports; i++)
		for (unsigned int k = 0; k < c->vports[i].n_addrs; k++)
			fixture_neighbour(c->networks[c->vports[i].network].vni, c->vports[i].addrs[k],
				      c->vports[i].mac, false, WORLD_SLOT(i));
	for (unsigned int i = 0; i < c->n_remotes; i++)
		if (c->remotes[i].prefix.len == 128 && !mac_is_zero(c->remotes[i].mac))
			fixture_neighbour(c->networks[c->remotes[i].network].vni,
				      c->remotes[i].prefix.addr, c->remotes[i].mac, false, 0);
}

static void clear_miss_limits(void)
{
	const struct token_bucket empty = {};

	for (uint32_t i = 0; i < SENDERS; i++)
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(fixture.skel->maps.miss_limits),
						     &i, &empty, 0), 0);
}

void fixture_forget_fragments(void)
{
	const struct bpf_map *map = fixture.skel->maps.fragments;
	uint32_t n = bpf_map__max_entries(map);
	void *none = calloc(n, bpf_map__value_size(map));
	uint32_t *keys = malloc(n * sizeof(*keys));

	for (uint32_t i = 0; i < n; i++)
		keys[i] = i;
	assert_int_equal(bpf_map_update_batch(bpf_map__fd(map), keys, none, &n, NULL), 0);
	free(none);
	free(keys);
}

int fixture_reset(void **state)
{
	const struct port hub = { .kind = PORT_HUB, .mtu = 3500 };
	const struct port hub_far = { .kind = PORT_HUB_FAR, .mtu = 3500, .hub = 1 };
	struct sample drained;

	(void)state;
	if (geteuid())
		return 0;
	world_init(&fixture.world);
	fixture.now_ns = 0;
	set_vports();
	set_port(SLOT_HUB, hub);
	set_port(SLOT_HUB_FAR, hub_far);
	fixture_underlay(&(struct underlay_shape){});
	set_neighbours();
	clear_miss_limits();
	fixture_forget_fragments();
	fixture_clear_books();
	while (next_sample(&drained))
		;
	return 0;
}

/* --------------------------------------------------------------- the agent's part */

static void parse_spec(const struct packet_spec *spec, struct flow_key *ret)
{
	uint8_t bytes[FRAME_MAX_BYTES];
	size_t len = packet_build(spec, bytes);
	struct frame frame = {};

	memset(ret, 0, sizeof(*ret));
	assert_int_equal(parse_frame(bytes, bytes + len, ret, &frame), 0);
}

static uint32_t publish(struct flow_key *key, uint8_t tuple, const struct action *action)
{
	uint32_t evicted = 0;
	int64_t index;

	key->tuple = tuple;
	if (tuple == FLOW_TUPLE_3)
		key->sport = key->dport = 0;
	index = flow_table_add(fixture.table, key, action, fixture.now_ns++, &evicted);
	assert_true(index > 0);
	fixture_clear_flow_stats(index);
	return index;
}

static uint32_t learn(struct flow_key *key)
{
	struct decision d;

	key->tuple = FLOW_TUPLE_5;
	policy_compile(fixture.policy, key, &d, NULL);
	return publish(key, d.tuple, &d.action);
}

uint32_t learn_vport(int vport, const struct packet_spec *spec)
{
	struct flow_key key;

	parse_spec(spec, &key);
	key.scope = SCOPE_VPORT | WORLD_SLOT(vport);
	return learn(&key);
}

uint32_t learn_fabric(uint32_t vni, const char *host, const struct packet_spec *spec)
{
	struct flow_key key;

	parse_spec(spec, &key);
	key.scope = SCOPE_FABRIC | vni;
	key.outer = packet_addr(host);
	return learn(&key);
}

uint32_t learn_action(int vport, const struct packet_spec *spec, uint8_t tuple,
		      const struct action *action)
{
	struct flow_key key;

	parse_spec(spec, &key);
	key.scope = SCOPE_VPORT | WORLD_SLOT(vport);
	return publish(&key, tuple, action);
}
