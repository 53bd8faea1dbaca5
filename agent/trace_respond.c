/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_respond.c - trace: ARP and Neighbour Discovery, answered before any flow is looked for
 *
 * The decisions of bpf/responder.h, with words.
 */
#include <string.h>

#include <agent/admin_json.h>
#include <agent/agent.h>
#include <agent/trace.h>
#include <mirach/parse.h>

struct neighbour_search {
	struct neighbour_key key;
	struct neighbour found;
	bool hit;
};

static void match_neighbour(const struct neighbour_key *key, const struct neighbour *n, void *arg)
{
	struct neighbour_search *s = arg;

	if (memcmp(key, &s->key, sizeof(*key)))
		return;
	s->found = *n;
	s->hit = true;
}

static bool neighbour_of(struct trace *t, const struct ip_addr *addr, struct neighbour *ret)
{
	struct neighbour_search s = {};

	s.key.vni = dp_ports(t->a->dp)[t->slot & (PORT_MAX - 1)].vni;
	s.key.addr = *addr;
	dp_neighbour_each(t->a->dp, match_neighbour, &s);
	*ret = s.found;
	return s.hit;
}

/* Who asked may be nobody yet (a probe), have a link-local address, or must own the address. */
static bool sender_ok(struct trace *t, const struct ip_addr *sender)
{
	static const struct ip_prefix link_local = { { .w = { wire32(0xfe800000) } }, 10 };
	struct neighbour n;

	return ip_addr_is_zero(sender) || ip_prefix_covers(&link_local, sender) ||
	       (ip_addr_is_v4(sender) && !sender->w[3]) ||
	       (neighbour_of(t, sender, &n) && n.port == t->slot);
}

/* In a network with hoverboards: for what is in the vport's subnet, and nobody's here. */
static bool gateway_speaks(struct trace *t, const struct ip_addr *target, struct neighbour *ret)
{
	const struct port *port = &dp_ports(t->a->dp)[t->slot & (PORT_MAX - 1)];
	const bool v6 = !ip_addr_is_v4(target);
	const unsigned int len = port->proxy[v6] ? port->proxy[v6] - 1 : 0;
	const struct ip_prefix subnet = { ip_addr_mask(port->gateway[v6], len), len };

	return port->proxy[v6] && ip_prefix_covers(&subnet, target) &&
	       neighbour_of(t, &port->gateway[v6], ret);
}

static enum fate answer(struct trace *t, const char *protocol, const struct ip_addr *sender,
			const struct ip_addr *target, enum drop_reason bad, enum drop_reason nobody)
{
	char mac[MAC_STRLEN], addr[IP_ADDR_STRLEN];
	struct neighbour n;
	bool known;

	if (!sender_ok(t, sender)) {
		trace_step(t, protocol, "the vport does not own %s",
		     ip_addr_format(sender, addr, sizeof(addr)));
		return trace_drop(t, bad);
	}
	ip_addr_format(target, addr, sizeof(addr));
	known = neighbour_of(t, target, &n);
	if (known ? n.port == t->slot : !gateway_speaks(t, target, &n)) {
		trace_step(t, protocol, "asks for %s, which no one else in the network has", addr);
		return trace_drop(t, nobody);
	}
	mac_format(n.mac, mac, sizeof(mac));
	if (known)
		trace_step(t, protocol, "asks for %s, which has %s", addr, mac);
	else
		trace_step(t, protocol, "asks for %s, which only hoverboards may know: the gateway, %s, "
			   "answers for its subnet", addr, mac);
	return trace_end(t, "reply", "answered with %s", mac);
}

static enum fate answer_arp(struct trace *t)
{
	struct ip_addr sender, target;
	struct arp_header arp;
	__be32 v4;

	if (t->frame.l3 + sizeof(arp) > t->len)
		return trace_drop(t, REASON_ARP);
	memcpy(&arp, t->packet + t->frame.l3, sizeof(arp));
	if (arp.hardware != wire16(1) || arp.protocol != wire16(ETHERTYPE_IPV4) ||
	    arp.hardware_len != ETH_ADDR_LEN || arp.protocol_len != sizeof(v4) ||
	    arp.operation != wire16(ARP_REQUEST))
		return trace_drop(t, REASON_ARP);
	memcpy(&v4, arp.sender_ip, sizeof(v4));
	ip_addr_set_v4(&sender, v4);
	memcpy(&v4, arp.target_ip, sizeof(v4));
	ip_addr_set_v4(&target, v4);
	return answer(t, "ARP", &sender, &target, REASON_ARP, REASON_ARP_UNKNOWN);
}

static enum fate answer_solicitation(struct trace *t)
{
	struct ipv6_header ip;
	struct nd_header nd;

	if (t->frame.l4 + sizeof(nd) > t->len)
		return trace_drop(t, REASON_ND);
	memcpy(&ip, t->packet + t->frame.l3, sizeof(ip));
	memcpy(&nd, t->packet + t->frame.l4, sizeof(nd));
	if (ip.hop_limit != 255 || nd.icmp.code || ip_addr_is_multicast(&nd.target))
		return trace_drop(t, REASON_ND);
	return answer(t, "Neighbour Discovery", &t->key.src, &nd.target, REASON_ND,
		      REASON_ND_UNKNOWN);
}

enum fate trace_respond(struct trace *t)
{
	if (t->frame.kind == FRAME_ARP)
		return t->fabric ? trace_drop(t, REASON_ETHERTYPE) : answer_arp(t);
	if (!t->fabric && t->key.proto == PROTO_ICMPV6 &&
	    t->key.sport == wire16(ICMPV6_NEIGHBOUR_SOLICITATION))
		return answer_solicitation(t);
	return FATE_OPEN;
}
