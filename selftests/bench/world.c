// SPDX-License-Identifier: BSD-2-Clause
/*
 * world.c - makes the host of world.h
 */
#include "world.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <agent/template.h>
#include <lib/addr.h>
#include <mirach/wire.h>
#include <mirach_xdp.skel.h>

#define LOOPBACK 1
#define MTU 9000

static int say(int err, const char *what)
{
	fprintf(stderr, "world: %s: %s\n", what, strerror(-err));
	return err;
}

static int put(struct bpf_map *map, uint32_t key, const void *value)
{
	return bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY) ? -errno : 0;
}

static struct ip_addr address(const char *text)
{
	struct ip_addr a = {};

	if (ip_addr_parse(text, &a))
		abort();
	return a;
}

static struct ip_addr remote(bool ipv6, uint32_t i)
{
	struct ip_addr a = address("fd00:2::");

	if (ipv6)
		a.w[3] = wire32(i);
	else
		ip_addr_set_v4(&a, wire32(WORLD_REMOTE_V4 + i));
	return a;
}

static int make_ports(struct world *w)
{
	const uint32_t device = LOOPBACK;
	const struct port ports[WORLD_N_PORTS] = {
		[WORLD_VPORT] = { .kind = PORT_VPORT, .vni = WORLD_VNI, .mac = { 2, 0, 0, 0, 0, 0x11 } },
		[WORLD_UPLINK_VXLAN] = { .kind = PORT_UPLINK, .tunnel = TUNNEL_VXLAN,
					 .tunnel_port = wire16(VXLAN_PORT) },
		[WORLD_UPLINK_GENEVE] = { .kind = PORT_UPLINK, .tunnel = TUNNEL_GENEVE,
					  .tunnel_port = wire16(GENEVE_PORT) },
	};
	int err = 0;

	for (uint32_t slot = 1; slot < WORLD_N_PORTS && !err; slot++) {
		struct port port = ports[slot];

		port.ifindex = LOOPBACK;
		port.mtu = MTU;
		port.underlay[0] = address("192.0.2.1");
		err = put(w->skel->maps.ports, slot, &port);
		if (!err)
			err = put(w->skel->maps.port_devs, slot, &device);
	}
	return err;
}

static int make_nexthops(struct world *w)
{
	struct nexthop hops[WORLD_N_NEXTHOPS] = {};
	struct tunnel_spec spec = {
		.local = address("192.0.2.1"),
		.remote = address("192.0.2.2"),
		.smac = { 2, 0, 0, 0, 1, 1 },
		.dmac = { 2, 0, 0, 0, 1, 2 },
		.underlay_mtu = MTU,
	};
	int err = 0;

	template_local(WORLD_VPORT, MTU, &hops[WORLD_TO_GUEST].body[0]);
	spec.tunnel = TUNNEL_VXLAN;
	spec.udp_port = VXLAN_PORT;
	spec.port = WORLD_UPLINK_VXLAN;
	err = template_tunnel(&spec, &hops[WORLD_BY_VXLAN].body[0]);
	spec.tunnel = TUNNEL_GENEVE;
	spec.udp_port = GENEVE_PORT;
	spec.port = WORLD_UPLINK_GENEVE;
	err = err ?: template_tunnel(&spec, &hops[WORLD_BY_GENEVE].body[0]);
	for (uint32_t id = 1; id < WORLD_N_NEXTHOPS && !err; id++)
		err = put(w->skel->maps.nexthops, id, &hops[id]);
	return err;
}

static void *map_array(struct bpf_map *map, size_t value_size)
{
	void *at = mmap(NULL, value_size * bpf_map__max_entries(map), PROT_READ | PROT_WRITE,
			MAP_SHARED, bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static int load(struct world *w, uint32_t n_flows)
{
	struct bpf_map *map;
	uint32_t n_buckets = 64;

	w->skel = mirach_xdp__open();
	if (!w->skel)
		return -errno;
	while (n_buckets < n_flows / 4)
		n_buckets *= 2;
	bpf_object__for_each_map(map, w->skel->obj)
		bpf_map__set_pin_path(map, NULL);
	bpf_map__set_max_entries(w->skel->maps.flow_index, n_buckets);
	bpf_map__set_max_entries(w->skel->maps.flows, n_flows + 1);
	bpf_map__set_max_entries(w->skel->maps.flow_stats, n_flows + 1);
	w->skel->rodata->flow_bucket_mask = n_buckets - 1;
	return mirach_xdp__load(w->skel);
}

int world_open(uint32_t n_flows, struct world *ret)
{
	struct world w = {};
	int err;

	n_flows += n_flows / 4 + 64;	/* the table keeps a reserve of indices */
	err = load(&w, n_flows);
	if (err)
		goto fail;
	w.memory = (struct flow_table_memory){
		.index = map_array(w.skel->maps.flow_index, sizeof(struct flow_bucket)),
		.flows = map_array(w.skel->maps.flows, sizeof(struct flow)),
		.n_buckets = bpf_map__max_entries(w.skel->maps.flow_index),
		.n_flows = n_flows + 1,
		.secret = (const uint32_t *)w.skel->rodata->flow_secret,
	};
	err = w.memory.index && w.memory.flows ? 0 : -ENOMEM;
	err = err ?: flow_table_new(&w.memory, 0, &w.table);
	err = err ?: make_ports(&w);
	err = err ?: make_nexthops(&w);
	if (err)
		goto fail;
	*ret = w;
	return 0;
fail:
	world_close(&w);
	return say(err, "cannot make the host");
}

void world_close(struct world *w)
{
	flow_table_free(w->table);
	if (w->memory.index)
		munmap(w->memory.index, (size_t)w->memory.n_buckets * sizeof(struct flow_bucket));
	if (w->memory.flows)
		munmap(w->memory.flows, (size_t)w->memory.n_flows * sizeof(struct flow));
	mirach_xdp__destroy(w->skel);
}

static struct flow_key flow_of(const struct world_kind *kind, uint32_t i)
{
	struct ip_addr here = address(kind->ipv6 ? "fd00::11" : "10.0.0.11");
	struct flow_key key = { .proto = PROTO_UDP, .tuple = kind->tuple };

	if (kind->port == WORLD_VPORT) {
		key.src = here;
		key.dst = remote(kind->ipv6, i);
		key.scope = SCOPE_VPORT | WORLD_VPORT;
	} else {
		key.src = remote(kind->ipv6, i);
		key.dst = here;
		key.scope = SCOPE_FABRIC | WORLD_VNI;
		key.outer = address("192.0.2.2");
	}
	if (kind->tuple == FLOW_TUPLE_5) {
		key.sport = wire16(1000);
		key.dport = wire16(2000);
	}
	return key;
}

int world_fill(struct world *w, const struct world_kind *kind, uint32_t n)
{
	const struct action action = {
		.verdict = ACTION_FORWARD,
		.nexthop = kind->nexthop,
		.vni = wire32(WORLD_VNI << 8),
		.dmac = { 2, 0, 0, 0, 0, 0x12 },
		.smac = { 2, 0, 0x5e, 0, 0, 1 },
	};

	for (uint32_t i = 0; i < n; i++) {
		struct flow_key key = flow_of(kind, i);
		uint32_t evicted = 0;
		int64_t index = flow_table_add(w->table, &key, &action, 0, &evicted);

		if (index < 0 || evicted)
			return say(index < 0 ? index : -ENOSPC, "flow table has no room");
	}
	return 0;
}

int world_enter(struct world *w, enum world_port port)
{
	struct port_bucket bucket = { .slot = { PORT_INDEX_SLOT(LOOPBACK, port) } };

	return put(w->skel->maps.port_index, LOOPBACK, &bucket);
}

int world_program(const struct world *w, enum world_port port)
{
	return bpf_program__fd(port == WORLD_VPORT ? w->skel->progs.mirach_egress :
						     w->skel->progs.mirach_ingress);
}

uint64_t world_forwarded(const struct world *w, enum world_port port)
{
	int n_cpus = libbpf_num_possible_cpus();
	struct usage copies[n_cpus];
	uint32_t key = port;
	uint64_t sum = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(w->skel->maps.usage), &key, copies))
		return 0;
	for (int i = 0; i < n_cpus; i++)
		sum += copies[i].out;
	return sum;
}
