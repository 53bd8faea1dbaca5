/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encode_read.c - options become the structures of the maps
 */
#include <ctl/cli/encode.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/template.h>
#include <lib/addr.h>
#include <lib/names.h>
#include <mirach/wire.h>

#define VNI_MAX 0xffffffu

/* Readers. */

static int missing(const char *name, struct error *e)
{
	return error_set(e, -EINVAL, "--%s is needed", name);
}

int encode_addr(const struct opts *o, const char *name, bool needed, struct ip_addr *ret,
		struct error *e)
{
	const char *text = opts_text(o, name);

	if (!text)
		return needed ? missing(name, e) : 0;
	if (ip_addr_parse(text, ret))
		return error_set(e, -EINVAL, "--%s: %s is no address", name, text);
	return 0;
}

int encode_mac(const struct opts *o, const char *name, bool needed, uint8_t ret[ETH_ADDR_LEN],
	       struct error *e)
{
	const char *text = opts_text(o, name);

	if (!text)
		return needed ? missing(name, e) : 0;
	if (mac_parse(text, ret))
		return error_set(e, -EINVAL, "--%s: %s is no MAC", name, text);
	return 0;
}

int encode_u32(const struct opts *o, const char *name, bool needed, uint32_t min, uint32_t max,
	       uint32_t *ret, struct error *e)
{
	uint64_t value = opts_number(o, name, 0);

	if (!opts_text(o, name))
		return needed ? missing(name, e) : 0;
	if (value < min || value > max)
		return error_set(e, -EINVAL, "--%s: must be from %u to %u", name, min, max);
	*ret = value;
	return 0;
}

/* flow */

const struct opt encode_flow_opts[] = {
	{ "index", OPT_NUMBER, "N", "flow index, from 1", true },
	{ "port", OPT_NUMBER, "SLOT", "the flow enters by the vport in this port slot", true },
	{ "vni", OPT_NUMBER, "N", "or from the fabric with this VNI; also the VNI it leaves with", true },
	{ "outer", OPT_TEXT, "ADDR", "and this outer source", true },
	{ "src", OPT_TEXT, "ADDR", "inner source", true },
	{ "dst", OPT_TEXT, "ADDR", "inner destination", true },
	{ "proto", OPT_TEXT, "PROTO", "protocol", true },
	{ "sport", OPT_NUMBER, "N", "source port: makes it a 5-tuple", true },
	{ "dport", OPT_NUMBER, "N", "destination port: makes it a 5-tuple", true },
	{ "vlan", OPT_VLANS, "VID[,VID]", "tags of the inner frame", true },
	{ "nexthop", OPT_NUMBER, "ID", "forward to this next hop", true },
	{ "dmac", OPT_TEXT, "MAC", "destination MAC the frame leaves with", true },
	{ "smac", OPT_TEXT, "MAC", "source MAC the frame leaves with", true },
	{ "tunnel", OPT_TEXT, "KIND", "vxlan, geneve (default) or gre: how the VNI is written", true },
	{ "ttl", OPT_FLAG, NULL, "decrement the TTL", true },
	{ "drop", OPT_TEXT, "REASON", "drop instead, with this reason", true },
	{ "slot", OPT_NUMBER, "N", "slot of the bucket to take, 0 (default) to 7", true },
	{ "secret", OPT_TEXT, "HEX", "the digest's secret, 64 bytes; default the object's own", true },
	{ "buckets", OPT_NUMBER, "N", "buckets of flow_index; default 16384", true },
	{ "abi", OPT_TEXT, "HEX", "both, from `bpftool map dump pinned .../abi`: 80 bytes", true },
	{ "pins", OPT_TEXT, "DIR", "print whole bpftool commands for the maps pinned there", true },
	{},
};

static int read_abi(const char *hex, struct encode_table *t, struct error *e)
{
	struct abi_record record;

	if (hex_parse(hex, (void *)&record, sizeof(record)) != (int)sizeof(record))
		return error_set(e, -EINVAL, "--abi: must be the hex digits of %zu bytes",
				 sizeof(record));
	if (record.seq != MIRACH_ABI_SEQ)
		return error_set(e, -EINVAL, "--abi: maps of layout %u, this mirachctl knows %u",
				 record.seq, MIRACH_ABI_SEQ);
	memcpy(t->secret, record.secret, sizeof(t->secret));
	t->n_buckets = record.n_buckets;
	return 0;
}

static int read_table(const struct opts *o, struct encode_table *t, struct error *e)
{
	const char *abi = opts_text(o, "abi"), *secret = opts_text(o, "secret");
	int err = 0;

	*t = (struct encode_table){ FLOW_SECRET_DEFAULT, FLOW_BUCKETS_DEFAULT };
	if (abi)
		err = read_abi(abi, t, e);
	if (!err && secret &&
	    hex_parse(secret, (void *)t->secret, sizeof(t->secret)) != (int)sizeof(t->secret))
		err = error_set(e, -EINVAL, "--secret: must be the hex digits of %zu bytes",
				sizeof(t->secret));
	if (!err)
		err = encode_u32(o, "buckets", false, 1, 1u << 30, &t->n_buckets, e);
	if (!err && t->n_buckets & (t->n_buckets - 1))
		err = error_set(e, -EINVAL, "--buckets: must be a power of two");
	return err;
}

static int read_scope(const struct opts *o, struct flow_key *key, struct error *e)
{
	uint32_t port = 0, vni = 0;
	int err;

	if (opts_text(o, "port")) {
		err = encode_u32(o, "port", true, 1, PORT_MAX - 1, &port, e);
		key->scope = SCOPE_VPORT | port;
		if (!err && opts_text(o, "outer"))
			err = error_set(e, -EINVAL, "--outer: a vport's flow has no outer source");
		return err;
	}
	if (!opts_text(o, "outer"))
		return error_set(e, -EINVAL, "--port, or --vni and --outer: where does it enter?");
	err = encode_u32(o, "vni", true, 0, VNI_MAX, &vni, e);
	key->scope = SCOPE_FABRIC | vni;
	return err ?: encode_addr(o, "outer", true, &key->outer, e);
}

static int read_tuple(const struct opts *o, struct flow_key *key, struct error *e)
{
	const char *proto = opts_text(o, "proto"), *vlan = opts_text(o, "vlan");
	uint32_t sport = 0, dport = 0;
	int err;

	err = encode_addr(o, "src", true, &key->src, e);
	if (!err)
		err = encode_addr(o, "dst", true, &key->dst, e);
	if (!err)
		err = encode_u32(o, "sport", false, 0, 65535, &sport, e);
	if (!err)
		err = encode_u32(o, "dport", false, 0, 65535, &dport, e);
	if (err)
		return err;
	if (!proto || proto_parse(proto, &key->proto))
		return error_set(e, -EINVAL, "--proto: is needed, a name or a number");
	key->sport = wire16(sport);
	key->dport = wire16(dport);
	key->tuple = opts_text(o, "sport") || opts_text(o, "dport") ? FLOW_TUPLE_5 : FLOW_TUPLE_3;
	for (int i = 0; vlan && i < 2; i++) {
		char *end;

		key->vlan[i] = strtoul(vlan, &end, 10) | FLOW_VLAN_PRESENT;
		vlan = *end ? end + 1 : NULL;
	}
	return 0;
}

/* How the header of @tunnel has the VNI: as key of GRE, else in the upper 24 bits. */
static int read_vni(const struct opts *o, struct action *a, struct error *e)
{
	enum tunnel_kind tunnel = TUNNEL_GENEVE;
	const char *name = opts_text(o, "tunnel");
	uint32_t vni = 0;
	int err;

	if (name && tunnel_parse(name, &tunnel))
		return error_set(e, -EINVAL, "--tunnel: must be vxlan, geneve or gre");
	err = encode_u32(o, "vni", false, 0, VNI_MAX, &vni, e);
	if (!err)
		a->vni = wire32(tunnel == TUNNEL_GRE ? vni : vni << 8);
	return err;
}

static int read_action(const struct opts *o, struct action *a, struct error *e)
{
	const char *drop = opts_text(o, "drop");
	enum drop_reason reason;
	int err;

	if (drop) {
		if (reason_parse(drop, &reason))
			return error_set(e, -EINVAL, "--drop: there is no reason %s, see mirachctl reasons",
					 drop);
		a->verdict = ACTION_DROP;
		a->reason = reason;
		return 0;
	}
	a->verdict = ACTION_FORWARD;
	a->stages = opts_flag(o, "ttl") ? STAGE_TTL : 0;
	err = encode_u32(o, "nexthop", true, 1, UINT32_MAX, &a->nexthop, e);
	if (!err)
		err = encode_mac(o, "dmac", true, a->dmac, e);
	if (!err)
		err = encode_mac(o, "smac", true, a->smac, e);
	return err ?: read_vni(o, a, e);
}

int encode_flow_read(const struct opts *o, struct encode_flow *ret, struct error *e)
{
	struct encode_flow f = { .flow.action.gen = 1 };
	int err;

	err = encode_u32(o, "index", true, 1, UINT32_MAX, &f.index, e);
	if (!err)
		err = encode_u32(o, "slot", false, 0, FLOW_BUCKET_SLOTS - 1, &f.slot, e);
	if (!err)
		err = read_table(o, &f.table, e);
	if (!err)
		err = read_scope(o, &f.flow.key, e);
	if (!err)
		err = read_tuple(o, &f.flow.key, e);
	if (!err)
		err = read_action(o, &f.flow.action, e);
	if (!err)
		*ret = f;
	return err;
}

/* nexthop */

const struct opt encode_nexthop_opts[] = {
	{ "id", OPT_NUMBER, "N", "next hop id, from 1", true },
	{ "port", OPT_NUMBER, "SLOT", "port slot to leave by", true },
	{ "tunnel", OPT_TEXT, "KIND", "vxlan, geneve or gre; without it a local vport", true },
	{ "local", OPT_TEXT, "ADDR", "tunnel: this host's endpoint", true },
	{ "remote", OPT_TEXT, "ADDR", "tunnel: the other host's", true },
	{ "smac", OPT_TEXT, "MAC", "tunnel: of the uplink", true },
	{ "dmac", OPT_TEXT, "MAC", "tunnel: of the underlay's next hop", true },
	{ "udp-port", OPT_NUMBER, "N", "tunnel: destination port; default 4789 or 6081", true },
	{ "vlan", OPT_NUMBER, "VID", "tunnel: of the underlay", true },
	{ "tos", OPT_NUMBER, "N", "tunnel: a fixed outer TOS (pipe); default the inner one", true },
	{ "mtu", OPT_NUMBER, "N", "largest IP packet the device takes, default 1500", true },
	{ "pins", OPT_TEXT, "DIR", "print whole bpftool commands for the maps pinned there", true },
	{},
};

static int read_tunnel_rest(const struct opts *o, struct tunnel_spec *s, struct error *e)
{
	uint32_t udp = s->tunnel == TUNNEL_VXLAN ? VXLAN_PORT : GENEVE_PORT, vlan = 0, tos = 0;
	int err;

	err = encode_u32(o, "udp-port", false, 1, 65535, &udp, e);
	if (!err)
		err = encode_u32(o, "vlan", false, 1, 4094, &vlan, e);
	if (!err)
		err = encode_u32(o, "tos", false, 0, 252, &tos, e);
	s->udp_port = s->tunnel == TUNNEL_GRE ? 0 : udp;
	s->vlan = vlan;
	s->tos = tos;
	s->dscp = opts_text(o, "tos") ? DSCP_PIPE : DSCP_UNIFORM;
	return err;
}

static int read_tunnel(const struct opts *o, const char *kind, struct tunnel_spec *s,
		       struct error *e)
{
	int err;

	if (tunnel_parse(kind, &s->tunnel))
		return error_set(e, -EINVAL, "--tunnel: must be vxlan, geneve or gre");
	err = encode_addr(o, "local", true, &s->local, e);
	if (!err)
		err = encode_addr(o, "remote", true, &s->remote, e);
	if (!err)
		err = encode_mac(o, "smac", true, s->smac, e);
	if (!err)
		err = encode_mac(o, "dmac", true, s->dmac, e);
	return err ?: read_tunnel_rest(o, s, e);
}

int encode_nexthop_read(const struct opts *o, struct encode_nexthop *ret, struct error *e)
{
	struct tunnel_spec s = { .underlay_mtu = 1500 };
	const char *tunnel = opts_text(o, "tunnel");
	struct encode_nexthop n = {};
	int err;

	err = encode_u32(o, "id", true, 1, UINT32_MAX, &n.id, e);
	if (!err)
		err = encode_u32(o, "port", true, 1, PORT_MAX - 1, &s.port, e);
	if (!err)
		err = encode_u32(o, "mtu", false, 68, 65535, &s.underlay_mtu, e);
	if (!err && tunnel)
		err = read_tunnel(o, tunnel, &s, e);
	if (err)
		return err;
	if (!tunnel) {
		template_local(s.port, s.underlay_mtu, &n.nexthop.body[0]);
	} else if (template_tunnel(&s, &n.nexthop.body[0])) {
		return error_set(e, -EINVAL, "--local and --remote are of two address families");
	}
	n.nexthop.remote = s.remote;
	*ret = n;
	return 0;
}

/* port */

const struct opt encode_port_opts[] = {
	{ "slot", OPT_NUMBER, "N", "port slot, from 1", true },
	{ "kind", OPT_TEXT, "KIND", "vport or uplink", true },
	{ "ifindex", OPT_NUMBER, "N", "of the device", true },
	{ "name", OPT_TEXT, "NAME", "for people", true },
	{ "mac", OPT_TEXT, "MAC", "vport: the guest's; uplink: the device's", true },
	{ "mtu", OPT_NUMBER, "N", "largest IP packet, default 1500", true },
	{ "vni", OPT_NUMBER, "N", "vport: its network", true },
	{ "tunnel", OPT_TEXT, "KIND", "uplink: vxlan, geneve or gre", true },
	{ "tunnel-port", OPT_NUMBER, "N", "uplink: outer UDP port; default 4789 or 6081", true },
	{ "underlay", OPT_TEXT, "ADDR", "uplink: this host's endpoint, IPv4", true },
	{ "underlay6", OPT_TEXT, "ADDR", "uplink: this host's endpoint, IPv6", true },
	{ "vlan", OPT_NUMBER, "VID", "uplink: of the underlay", true },
	{ "pins", OPT_TEXT, "DIR", "print whole bpftool commands for the maps pinned there", true },
	{},
};

static int read_uplink(const struct opts *o, struct port *p, struct error *e)
{
	const char *name = opts_text(o, "tunnel");
	enum tunnel_kind tunnel;
	uint32_t udp, vlan = 0;
	int err;

	if (!name || tunnel_parse(name, &tunnel))
		return error_set(e, -EINVAL, "--tunnel: is needed, vxlan, geneve or gre");
	udp = tunnel == TUNNEL_VXLAN ? VXLAN_PORT : GENEVE_PORT;
	err = encode_u32(o, "tunnel-port", false, 1, 65535, &udp, e);
	if (!err)
		err = encode_u32(o, "vlan", false, 1, 4094, &vlan, e);
	if (!err)
		err = encode_addr(o, "underlay", false, &p->underlay[0], e);
	if (!err)
		err = encode_addr(o, "underlay6", false, &p->underlay[1], e);
	p->tunnel = tunnel;
	p->tunnel_port = tunnel == TUNNEL_GRE ? 0 : wire16(udp);
	p->vlan = vlan ? vlan | FLOW_VLAN_PRESENT : 0;
	return err;
}

static int read_port_kind(const struct opts *o, struct port *p, struct error *e)
{
	const char *kind = opts_text(o, "kind");

	if (kind && !strcmp(kind, "uplink")) {
		p->kind = PORT_UPLINK;
		return read_uplink(o, p, e);
	}
	if (!kind || strcmp(kind, "vport"))
		return error_set(e, -EINVAL, "--kind: is needed, vport or uplink");
	p->kind = PORT_VPORT;
	return encode_u32(o, "vni", true, 1, VNI_MAX, &p->vni, e);
}

int encode_port_read(const struct opts *o, struct encode_port *ret, struct error *e)
{
	struct encode_port p = { .port.mtu = 1500 };
	int err;

	err = encode_u32(o, "slot", true, 1, PORT_MAX - 1, &p.slot, e);
	if (!err)
		err = encode_u32(o, "ifindex", true, 1, INT32_MAX, &p.port.ifindex, e);
	if (!err)
		err = encode_u32(o, "mtu", false, 68, 65535, &p.port.mtu, e);
	if (!err)
		err = encode_mac(o, "mac", false, p.port.mac, e);
	if (!err)
		err = read_port_kind(o, &p.port, e);
	if (err)
		return err;
	strncpy(p.port.name, opts_text(o, "name") ?: "by-hand", sizeof(p.port.name) - 1);
	*ret = p;
	return 0;
}

/* neighbour */

const struct opt encode_neighbour_opts[] = {
	{ "vni", OPT_NUMBER, "N", "network", true },
	{ "addr", OPT_TEXT, "ADDR", "the address to answer for", true },
	{ "mac", OPT_TEXT, "MAC", "who has it", true },
	{ "port", OPT_NUMBER, "SLOT", "port slot of the local vport that owns it", true },
	{ "router", OPT_FLAG, NULL, "it is the gateway", true },
	{ "pins", OPT_TEXT, "DIR", "print whole bpftool commands for the maps pinned there", true },
	{},
};

int encode_neighbour_read(const struct opts *o, struct encode_neighbour *ret, struct error *e)
{
	struct encode_neighbour n = { .neighbour.router = opts_flag(o, "router") };
	int err;

	err = encode_u32(o, "vni", true, 1, VNI_MAX, &n.key.vni, e);
	if (!err)
		err = encode_addr(o, "addr", true, &n.key.addr, e);
	if (!err)
		err = encode_mac(o, "mac", true, n.neighbour.mac, e);
	if (!err)
		err = encode_u32(o, "port", false, 1, PORT_MAX - 1, &n.neighbour.port, e);
	if (!err)
		*ret = n;
	return err;
}
