// SPDX-License-Identifier: BSD-2-Clause
/*
 * compile.c - one flow's decision, a step at a time
 *
 *	scope ► tags ► source form ► source owner ► destination form ► destination
 *	      ► routed or switched ► receiving vport's tags ► samples
 *
 * A step returns REASON_NONE to go on or the reason to drop. Who asks for an
 * explanation passes a trace, and every step then says what it looked for and what
 * it found; without one, nothing is formatted.
 *
 * Two rules keep flows revalidatable: only the key is looked at, and ports are
 * looked at only where the key's addresses and protocol alone demand it, so that a
 * flow's tuple does not depend on its ports.
 *
 * See also: policy.h (the contract), model.h (what is looked up).
 */
#include "policy.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <agent/policy/model.h>
#include <lib/names.h>
#include <mirach/wire.h>

struct compilation {
	const struct policy *p;
	const struct flow_key *key;
	struct decision *d;
	struct policy_trace *trace;	/* NULL: nobody asks */
	const struct network *network;
	const struct vport *from;	/* sender, NULL if from the fabric */
	const struct remote *from_remote; /* sender, NULL if a vport or a hoverboard vouches for it */
	const struct network *into;	/* the destination's, `network` but for routes between networks */
	const struct vport *to;		/* one of these once the destination is found: a vport, */
	const struct remote *to_remote;	/* another host, */
	bool to_board;			/* a hoverboard, which knows more, */
	bool to_endpoint;		/* or, on a hoverboard, the table of endpoints; none: the gateway */
};

typedef enum drop_reason (*step_fn)(struct compilation *c);

static void __attribute__((format(printf, 3, 4)))
say(struct policy_trace *t, const char *what, const char *fmt, ...)
{
	struct policy_step *step;
	va_list ap;

	if (t->n == POLICY_STEPS_MAX)
		return;
	step = &t->steps[t->n++];
	snprintf(step->what, sizeof(step->what), "%s", what);
	va_start(ap, fmt);
	vsnprintf(step->found, sizeof(step->found), fmt, ap);
	va_end(ap);
}

/* The arguments are evaluated only if somebody listens. */
#define SAY(c, ...) ((c)->trace ? say((c)->trace, __VA_ARGS__) : (void)0)

static uint32_t network_id(const struct compilation *c)
{
	return c->network - c->p->networks;
}

static uint32_t vport_ref(const struct compilation *c, const struct vport *v)
{
	return REF(REF_VPORT, v - c->p->vports);
}

struct tags_text {
	char s[32];
};

static struct tags_text tags_text(const uint16_t tags[2])
{
	struct tags_text text;
	unsigned int outer = tags[0] & VLAN_VID_MASK, inner = tags[1] & VLAN_VID_MASK;

	if (!tags[0])
		snprintf(text.s, sizeof(text.s), "no tag");
	else if (!tags[1])
		snprintf(text.s, sizeof(text.s), "VLAN %u", outer);
	else
		snprintf(text.s, sizeof(text.s), "VLAN %u, inner %u", outer, inner);
	return text;
}

static enum drop_reason enter_vport(struct compilation *c)
{
	uint32_t slot = SCOPE_ID(c->key->scope);

	c->from = policy_find_slot(c->p, slot);
	if (!c->from) {
		SAY(c, "scope", "port %u is no vport of this configuration", slot);
		return REASON_NO_PORT;
	}
	c->network = &c->p->networks[c->from->network];
	SAY(c, "scope", "from vport %s, network %s (VNI %u)", c->from->name, c->network->name,
	    c->network->vni);
	return REASON_NONE;
}

static enum drop_reason enter_fabric(struct compilation *c)
{
	uint32_t vni = SCOPE_ID(c->key->scope);

	c->network = policy_find_vni(c->p, vni);
	if (!c->network) {
		SAY(c, "scope", "from the fabric, no network has VNI %u", vni);
		return REASON_UNKNOWN_VNI;
	}
	SAY(c, "scope", "from the fabric, network %s (VNI %u), sent by host %s", c->network->name,
	    vni, ip_text(&c->key->outer).s);
	return REASON_NONE;
}

static enum drop_reason check_scope(struct compilation *c)
{
	enum drop_reason reason;

	if (c->key->scope & SCOPE_VPORT)
		reason = enter_vport(c);
	else
		reason = enter_fabric(c);
	if (reason)
		return reason;
	c->into = c->network;
	c->d->network = c->network->vni;
	c->d->action.rule = REF(REF_NETWORK, network_id(c));
	return REASON_NONE;
}

static enum drop_reason check_tags(struct compilation *c)
{
	static const uint16_t untagged[2];
	const uint16_t *want = c->from ? c->from->tags : untagged;

	if (!memcmp(want, c->key->vlan, sizeof(untagged))) {
		SAY(c, "tags", "%s, as expected", tags_text(want).s);
		return REASON_NONE;
	}
	SAY(c, "tags", "has %s, expected %s", tags_text(c->key->vlan).s, tags_text(want).s);
	return REASON_VLAN_MISMATCH;
}

static enum drop_reason check_source_form(struct compilation *c)
{
	const struct ip_addr *src = &c->key->src;

	if (!ip_addr_is_multicast(src) && !ip_addr_is_loopback(src) &&
	    !ip_addr_is_unspecified(src))
		return REASON_NONE;
	SAY(c, "source form", "%s is not the address of one sender", ip_text(src).s);
	return REASON_IP_SOURCE;
}

/* A vport owns its addresses, and what routes lead to it. */
static enum drop_reason check_source_vport(struct compilation *c)
{
	const struct ip_addr *src = &c->key->src;
	uint32_t ref = prefix_table_find(c->p->routes, network_id(c), src);

	c->d->action.rule = vport_ref(c, c->from);
	if (ref != c->d->action.rule) {
		SAY(c, "source owner", "vport %s does not own %s", c->from->name, ip_text(src).s);
		return REASON_SPOOFED_SOURCE;
	}
	SAY(c, "source owner", "vport %s owns %s", c->from->name, ip_text(src).s);
	return REASON_NONE;
}

/* Hoverboards verify the sender of what they send on; a sender of this host is none of theirs. */
static bool board_vouches(const struct compilation *c, uint32_t source_ref)
{
	if (REF_KIND(source_ref) == REF_VPORT || REF_KIND(source_ref) == REF_GATEWAY)
		return false;
	for (uint32_t i = 0; i < c->network->n_boards; i++)
		if (ip_addr_equal(&c->network->boards[i], &c->key->outer))
			return true;
	return false;
}

/* A pair that does without hoverboards: its receiver was told where the sender lives. */
static uint32_t find_permit(const struct compilation *c, uint32_t source_ref)
{
	uint32_t ref = prefix_table_find_host(c->p->permits, network_id(c), &c->key->src);

	if (!ref || REF_KIND(source_ref) == REF_VPORT || REF_KIND(source_ref) == REF_GATEWAY)
		return source_ref;
	return ref;
}

static bool is_at(const struct remote *r, const struct ip_addr *outer)
{
	for (uint32_t i = 0; i < r->n_gateways; i++)
		if (ip_addr_equal(&r->gateways[i], outer))
			return true;
	return ip_addr_equal(&r->host, outer);
}

static enum drop_reason check_source_fabric(struct compilation *c)
{
	const struct ip_addr *src = &c->key->src;
	uint32_t ref = prefix_table_find(c->p->routes, network_id(c), src);

	if (c->key->scope & SCOPE_VERIFIED) {
		SAY(c, "source owner", "%s is an endpoint of %s", ip_text(src).s,
		    ip_text(&c->key->outer).s);
		return REASON_NONE;
	}
	if (board_vouches(c, ref)) {
		SAY(c, "source owner", "hoverboard %s vouches for %s", ip_text(&c->key->outer).s,
		    ip_text(src).s);
		return REASON_NONE;
	}
	ref = find_permit(c, ref);
	if (REF_KIND(ref) != REF_REMOTE) {
		SAY(c, "source owner", "%s is behind no remote host", ip_text(src).s);
		return REASON_SPOOFED_OUTER;
	}
	c->from_remote = &c->p->remotes[REF_INDEX(ref)];
	c->d->action.rule = ref;
	if (!is_at(c->from_remote, &c->key->outer)) {
		SAY(c, "source owner", "%s is behind %s, not %s", ip_text(src).s,
		    ip_text(&c->from_remote->host).s, ip_text(&c->key->outer).s);
		return REASON_SPOOFED_OUTER;
	}
	SAY(c, "source owner", "%s is behind %s: %s", ip_text(src).s, ip_text(&c->key->outer).s,
	    policy_rule_text(c->p, ref));
	return REASON_NONE;
}

static enum drop_reason check_source_owner(struct compilation *c)
{
	return c->from ? check_source_vport(c) : check_source_fabric(c);
}

static enum drop_reason check_destination_form(struct compilation *c)
{
	const struct ip_addr *dst = &c->key->dst;

	if (ip_addr_is_multicast(dst)) {
		SAY(c, "destination form", "%s is multicast or broadcast", ip_text(dst).s);
		return REASON_MULTICAST;
	}
	if (ip_addr_is_loopback(dst) || ip_addr_is_unspecified(dst)) {
		SAY(c, "destination form", "%s is never on the wire", ip_text(dst).s);
		return REASON_NO_ROUTE;
	}
	return REASON_NONE;
}

/* No rule covers the destination: on to who may know more. */
static enum drop_reason find_elsewhere(struct compilation *c)
{
	const struct ip_text dst = ip_text(&c->key->dst);
	const char *name = c->into->name;

	c->d->action.rule = REF(REF_NETWORK, c->into - c->p->networks);
	c->to_endpoint = c->p->hoverboard;
	c->to_board = !c->to_endpoint && c->into->slots;
	if (c->to_endpoint)
		SAY(c, "destination", "%s: as the endpoints of network %s say", dst.s, name);
	else if (c->to_board)
		SAY(c, "destination", "%s: not known here, a hoverboard of network %s knows", dst.s,
		    name);
	else
		SAY(c, "destination", "nothing in network %s covers %s", name, dst.s);
	return c->to_endpoint || c->to_board ? REASON_NONE : REASON_NO_ROUTE;
}

#define NETWORKS_CROSSED_MAX 8

/* From network to network. Still a route in the end: a black hole, or a circle. */
static uint32_t follow_routes(struct compilation *c, uint32_t ref)
{
	for (int i = 0; i < NETWORKS_CROSSED_MAX && REF_KIND(ref) == REF_ROUTE; i++) {
		const struct route_to *r = &c->p->routes_to[REF_INDEX(ref)];

		SAY(c, "route", "%s", policy_rule_text(c->p, ref));
		if (r->to == NETWORK_NONE)
			break;
		c->into = &c->p->networks[r->to];
		ref = prefix_table_find(c->p->routes, r->to, &c->key->dst);
	}
	return ref;
}

/* Back to where it came from would be for ever; an instance may talk to itself, but not route to itself. */
static bool goes_back(const struct compilation *c)
{
	if (c->to)
		return c->to == c->from &&
		       !prefix_table_find_host(c->p->routes, network_id(c), &c->key->dst);
	return c->to_remote && !c->from && is_at(c->to_remote, &c->key->outer);
}

/*
 * From the fabric only local vports may be reached: a packet crosses the underlay
 * once. Hoverboards send it on, to a host, never to another one of theirs.
 */
static enum drop_reason find_destination(struct compilation *c)
{
	const struct ip_addr *dst = &c->key->dst;
	uint32_t ref = prefix_table_find(c->p->routes, network_id(c), dst);

	if (!c->from && !c->p->hoverboard && REF_KIND(ref) != REF_VPORT) {
		SAY(c, "destination", "%s is not on this host", ip_text(dst).s);
		return REASON_NOT_LOCAL;
	}
	ref = follow_routes(c, ref);
	if (!ref && c->from)
		ref = policy_find_direct(c->p, network_id(c), &c->key->src, dst);
	if (!ref)
		return find_elsewhere(c);
	c->d->action.rule = ref;
	SAY(c, "destination", "%s: %s", ip_text(dst).s, policy_rule_text(c->p, ref));
	if (REF_KIND(ref) == REF_ROUTE)
		return REASON_BLACKHOLE;
	if (REF_KIND(ref) == REF_GATEWAY && (!c->from || c->into != c->network))
		return REASON_NOT_LOCAL;
	if (REF_KIND(ref) == REF_VPORT)
		c->to = &c->p->vports[REF_INDEX(ref)];
	if (REF_KIND(ref) == REF_REMOTE)
		c->to_remote = &c->p->remotes[REF_INDEX(ref)];
	return goes_back(c) ? REASON_GOES_BACK : REASON_NONE;
}

/* Both ends are instances of the subnet that is the sender's: they see each other's MACs. */
static bool is_switched(const struct compilation *c)
{
	const struct remote *r = c->from ? c->to_remote : c->from_remote;
	uint32_t src, dst;

	if ((r && r->prefix.len != 128) || c->into != c->network)
		return false;
	src = prefix_table_find(c->p->subnet_of, network_id(c), &c->key->src);
	dst = prefix_table_find(c->p->subnet_of, network_id(c), &c->key->dst);
	return src && src == dst;
}

static const uint8_t *mac_or_gateway(const struct compilation *c, const uint8_t *mac)
{
	return !mac || mac_is_zero(mac) ? c->into->gateway_mac : mac;
}

/* NULL: only a hoverboard knows the instance, and the host it is on. */
static const uint8_t *sender_mac(const struct compilation *c)
{
	if (c->from)
		return c->from->mac;
	return c->from_remote ? c->from_remote->mac : NULL;
}

static const uint8_t *receiver_mac(const struct compilation *c)
{
	if (c->to)
		return c->to->mac;
	return c->to_remote ? c->to_remote->mac : NULL;
}

/* Addresses of the inner frame, and who has the TTL to decrement: the sending host, once. */
static enum drop_reason route(struct compilation *c)
{
	struct action *a = &c->d->action;
	const uint8_t *smac = sender_mac(c), *dmac = receiver_mac(c);
	bool switched = is_switched(c);

	if (!switched)
		smac = NULL;
	if (!switched && c->from)
		a->stages |= STAGE_TTL;
	memcpy(a->smac, mac_or_gateway(c, smac), ETH_ADDR_LEN);
	memcpy(a->dmac, mac_or_gateway(c, dmac), ETH_ADDR_LEN);
	SAY(c, "hop", "%s", switched ? "same subnet, no hop in between" :
	    c->from ? "through the virtual gateway, TTL is decremented" :
	    "through the virtual gateway, TTL was decremented by the sender");
	return REASON_NONE;
}

static __be32 wire_vni(const struct compilation *c)
{
	uint32_t vni = c->to_remote && c->to_remote->vni ? c->to_remote->vni : c->into->vni;

	return wire32(c->p->tunnel == TUNNEL_GRE ? vni : vni << 8);
}

/*
 * Which of the slots: by what the 3-tuple and the 5-tuple of a flow share, so that neither the
 * tuple nor the order of a pair's packets depends on it.
 */
static uint32_t pair_slot(const struct flow_key *key)
{
	uint64_t words[4], h = (uint64_t)key->proto << 32 | SCOPE_ID(key->scope);

	memcpy(words, &key->src, 16);
	memcpy(words + 2, &key->dst, 16);
	for (int i = 0; i < 4; i++) {
		h = (h ^ words[i]) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 32;
	}
	return (h * 0xbf58476d1ce4e5b9ull) >> 32 & (BOARD_SLOTS - 1);
}

/* What a guest sends out of this host, where hoverboards would take it or do. */
static uint8_t way_of(const struct compilation *c)
{
	if (!c->from || !c->network->slots)
		return WAY_NONE;
	return c->to_board ? WAY_HOVERBOARD : c->to_remote ? WAY_DIRECT : WAY_NONE;
}

static enum drop_reason choose_nexthop(struct compilation *c)
{
	struct action *a = &c->d->action;

	if (c->to) {
		a->nexthop = c->to->nexthop;
		SAY(c, "next hop", "%u, vport %s on this host", a->nexthop, c->to->name);
		return REASON_NONE;
	}
	a->vni = wire_vni(c);
	c->d->way = way_of(c);
	if (c->to_remote && c->to_remote->slots) {
		a->nexthop = c->to_remote->slots[pair_slot(c->key)];
		SAY(c, "next hop", "%u, slot %u of %u gateways", a->nexthop, pair_slot(c->key),
		    c->to_remote->n_gateways);
	} else if (c->to_remote) {
		a->nexthop = c->to_remote->nexthop;
		SAY(c, "next hop", "%u, tunnel to host %s", a->nexthop,
		    ip_text(&c->to_remote->host).s);
	} else if (c->to_board) {
		a->nexthop = c->into->slots[pair_slot(c->key)];
		SAY(c, "next hop", "%u, slot %u of the hoverboards", a->nexthop, pair_slot(c->key));
	} else {
		a->network = c->into->vni;
		SAY(c, "next hop", "that of the endpoint");
	}
	return REASON_NONE;
}

static enum drop_reason translate_tags(struct compilation *c)
{
	struct action *a = &c->d->action;

	if (c->from && c->from->n_tags) {
		a->stages |= STAGE_VLAN_POP;
		a->n_pop = c->from->n_tags;
		SAY(c, "tags off", "%s", tags_text(c->from->tags).s);
	}
	if (c->to && c->to->n_tags) {
		a->stages |= STAGE_VLAN_PUSH;
		a->push_tci = wire16(c->to->tags[0] & VLAN_VID_MASK);
		a->push_inner_tci = wire16(c->to->tags[1] & VLAN_VID_MASK);
		SAY(c, "tags on", "%s", tags_text(c->to->tags).s);
	}
	return REASON_NONE;
}

/*
 * What either end on this host asks for, the smaller. A segment size agreed on here limits what
 * comes back, so for a sender behind the fabric the way to it counts.
 */
static enum drop_reason clamp_mss(struct compilation *c)
{
	uint16_t from = c->from ? c->from->mss : 0, to = c->to ? c->to->mss : 0;
	struct action *a = &c->d->action;

	if (c->key->proto != PROTO_TCP || !(from | to))
		return REASON_NONE;
	a->stages |= STAGE_MSS;
	a->mss = from && (!to || from < to) ? from : to;
	a->mss_way = c->from_remote ? c->from_remote->nexthop : 0;
	SAY(c, "segment size", "at most %u, and what the MTUs allow", a->mss);
	return REASON_NONE;
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

/* The first rule that matches wins. A rule with a port makes the flow a 5-tuple, match or not. */
static enum drop_reason choose_sample(struct compilation *c)
{
	const struct flow_key *key = c->key;
	struct decision *d = c->d;

	for (uint32_t i = 0; i < c->network->n_samples; i++) {
		const struct sample_rule *rule = &c->network->samples[i];

		if (rule->proto && rule->proto != key->proto)
			continue;
		if (rule->port && !has_ports(key->proto))
			continue;
		if (rule->port)
			d->tuple = FLOW_TUPLE_5;
		if (rule->port && rule->port != key->sport && rule->port != key->dport)
			continue;
		d->action.stages |= STAGE_SAMPLE;
		d->action.sample = rule->rate ? rule->rate : 1;
		break;
	}
	if (d->action.stages & STAGE_SAMPLE)
		SAY(c, "sample", "one packet in %u", d->action.sample);
	else
		SAY(c, "sample", "%s", "no rule matches");
	return REASON_NONE;
}

static const step_fn checks[] = {
	check_scope,
	check_tags,
	check_source_form,
	check_source_owner,
	check_destination_form,
	find_destination,
};

static const step_fn forwarding[] = {
	route,
	choose_nexthop,
	clamp_mss,
	translate_tags,
	choose_sample,
};

static void drop(struct compilation *c, enum drop_reason reason)
{
	struct action *a = &c->d->action;

	a->verdict = ACTION_DROP;
	a->reason = reason;
}

/* The fast path answers echo requests in the frame they came in and drops the rest. */
static void answer_as_gateway(struct compilation *c)
{
	struct action *a = &c->d->action;

	a->verdict = ACTION_GATEWAY;
	memcpy(a->smac, c->network->gateway_mac, ETH_ADDR_LEN);
	memcpy(a->dmac, c->from->mac, ETH_ADDR_LEN);
}

static void decide(struct compilation *c)
{
	for (unsigned int i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		enum drop_reason reason = checks[i](c);

		if (reason) {
			drop(c, reason);
			return;
		}
	}
	if (!c->to && !c->to_remote && !c->to_board && !c->to_endpoint) {
		answer_as_gateway(c);
		return;
	}
	for (unsigned int i = 0; i < sizeof(forwarding) / sizeof(forwarding[0]); i++)
		forwarding[i](c);
	c->d->action.verdict = c->to_endpoint ? ACTION_ENDPOINT : ACTION_FORWARD;
}

static void say_verdict(struct policy_trace *t, const struct decision *d)
{
	if (d->action.verdict == ACTION_DROP)
		say(t, "verdict", "drop: %s", reason_name(d->action.reason));
	else if (d->action.verdict == ACTION_GATEWAY)
		say(t, "verdict", "for the virtual gateway: echo is answered, the rest dropped");
	else
		say(t, "verdict", "forward, by the %s",
		    d->tuple == FLOW_TUPLE_3 ? "3-tuple" : "5-tuple");
}

void policy_compile(const struct policy *p, const struct flow_key *key, struct decision *ret,
		    struct policy_trace *trace)
{
	struct compilation c = { .p = p, .key = key, .d = ret, .trace = trace };

	*ret = (struct decision){ .tuple = FLOW_TUPLE_3 };
	if (trace)
		trace->n = 0;
	decide(&c);
	if (trace)
		say_verdict(trace, ret);
}
