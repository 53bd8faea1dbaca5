/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_trace.c - trace: what would happen to this packet, and why
 *
 *	origin ► bytes ► [decap] ► parser ► [responder, endpoints] ► fast path's table ► policy ► stages ► next hop
 *
 * The same parser and the same compiler that serve real packets, asked with
 * somebody watching. Each function below is one arrow: it adds its steps to the
 * result and says whether the packet goes on or has met its fate.
 *
 * See also: trace.h (what the arrows share), trace_packet.h (bytes), policy/policy.h (policy_trace).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <agent/trace.h>
#include <agent/trace_packet.h>
#include <lib/names.h>
#include <mirach/parse.h>

#define TTL_OFFSET_IPV4 8
#define TTL_OFFSET_IPV6 7
#define EPHEMERAL_PORT 49152

/* Origin. */

struct vport_pick {
	struct trace *t;
	const char *name;
	bool found;
};

static void pick_vport(const struct vport_view *view, void *arg)
{
	struct vport_pick *pick = arg;

	if (view->uplink || strcmp(view->name, pick->name))
		return;
	pick->found = true;
	pick->t->slot = view->slot;
	memcpy(pick->t->vlan, view->vlan, sizeof(view->vlan));
}

static int origin_vport(struct trace *t, const char *name, struct error *e)
{
	struct vport_pick pick = { .t = t, .name = name };

	vports_each(t->a->vports, pick_vport, &pick);
	if (!pick.found)
		return error_set(e, -ENOENT, "no vport is named %s", name);
	t->key.scope = SCOPE_VPORT | t->slot;
	cJSON_AddStringToObject(t->result, "input", name);
	return 0;
}

static int origin(struct trace *t, const cJSON *args, struct error *e)
{
	const char *from = admin_arg_text(args, "from");
	bool host = admin_arg_addr(args, "from_host", &t->key.outer);
	bool vni = admin_arg_given(args, "vni");

	if (from && (host || vni))
		return error_set(e, -EINVAL, "from: a vport, or from_host and vni for the fabric, not both");
	if (from)
		return origin_vport(t, from, e);
	if (host != vni)
		return error_set(e, -EINVAL, "from_host and vni go together");
	t->fabric = true;
	if (host) {
		t->key.scope = SCOPE_FABRIC | admin_arg_number(args, "vni", 0);
		cJSON_AddStringToObject(t->result, "input", "fabric");
		return 0;
	}
	if (!admin_arg_given(args, "hex"))
		return error_set(e, -EINVAL, "say where the packet comes from: from, or from_host and vni");
	t->outer_headers = true;
	return 0;
}

/* Bytes. */

static void default_ports(struct trace_fields *f, const cJSON *args)
{
	uint16_t sport = 0, dport = 0;

	if (f->proto == PROTO_ICMP)
		sport = ICMP_ECHO_REQUEST;
	else if (f->proto == PROTO_ICMPV6)
		sport = ICMPV6_ECHO_REQUEST;
	else if (f->proto == PROTO_TCP || f->proto == PROTO_UDP || f->proto == PROTO_SCTP)
		sport = EPHEMERAL_PORT;
	f->sport = admin_arg_number(args, "sport", sport);
	f->dport = admin_arg_number(args, "dport", dport);
}

static int packet_fields(struct trace *t, const cJSON *args, struct error *e)
{
	struct trace_fields f = {};
	int len;

	if (!admin_arg_addr(args, "src", &f.src) || !admin_arg_addr(args, "dst", &f.dst))
		return error_set(e, -EINVAL, "src and dst are needed, or hex");
	f.proto = ip_addr_is_v4(&f.src) ? PROTO_ICMP : PROTO_ICMPV6;
	admin_arg_proto(args, "proto", &f.proto);
	default_ports(&f, args);
	memcpy(f.vlan, t->vlan, sizeof(f.vlan));
	if (admin_arg_given(args, "vlan")) {
		memset(f.vlan, 0, sizeof(f.vlan));
		admin_arg_vlans(args, "vlan", f.vlan);
	}
	len = trace_packet_build(&f, t->bytes);
	if (len < 0)
		return error_set(e, len, "src and dst are of two address families");
	t->packet = t->bytes;
	t->len = len;
	return 0;
}

static int packet(struct trace *t, const cJSON *args, struct error *e)
{
	static const char *const fields[] = { "src", "dst", "proto", "sport", "dport", "vlan" };
	const char *hex = admin_arg_text(args, "hex");

	if (!hex)
		return packet_fields(t, args, e);
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (admin_arg_given(args, fields[i]))
			return error_set(e, -EINVAL, "%s: hex says it all already", fields[i]);
	t->packet = t->bytes;
	t->len = hex_parse(hex, t->bytes, sizeof(t->bytes));
	return 0;
}

/* Decapsulation: by whichever uplink would take the frame. */

static enum fate decap(struct trace *t)
{
	const struct port *ports = dp_ports(t->a->dp);
	struct trace_outer outer = { .what = "this host has no uplink" };
	enum trace_decap_result result = TRACE_PASSED;

	if (!t->outer_headers)
		return FATE_OPEN;
	for (uint32_t slot = 1; slot < PORT_MAX && result == TRACE_PASSED; slot++) {
		if (ports[slot].kind != PORT_UPLINK)
			continue;
		result = trace_decap(&ports[slot], t->packet, t->len, &outer);
		t->slot = slot;
	}
	trace_step(t, "outer headers", "%s", outer.what);
	cJSON_AddStringToObject(t->result, "input", port_name(t->a, t->slot) ?: "unknown");
	if (result == TRACE_PASSED)
		return trace_end(t, "pass", "left to the host's own stack: %s", outer.what);
	if (result == TRACE_DROPPED)
		return trace_drop(t, outer.reason);
	t->key.scope = SCOPE_FABRIC | outer.vni;
	t->key.outer = outer.src;
	t->packet += outer.offset;
	t->len -= outer.offset;
	return FATE_OPEN;
}

/* Parser. */

static const char *frame_words(const struct trace *t)
{
	switch (t->frame.kind) {
	case FRAME_IPV4:
		return "IPv4";
	case FRAME_IPV6:
		return "IPv6";
	default:
		return "ARP";
	}
}

static const char *fragment_words(const struct trace *t)
{
	static const char *const words[] = {
		[FRAGMENT_NONE] = "",
		[FRAGMENT_FIRST] = ", first fragment",
		[FRAGMENT_LATER] = ", later fragment, has no ports",
	};

	return words[t->frame.fragment];
}

static enum fate parse(struct trace *t)
{
	int reason = parse_frame(t->packet, t->packet + t->len, &t->key, &t->frame);
	cJSON *key;

	if (!reason && t->frame.kind != FRAME_ARP && t->frame.end > t->len)
		reason = REASON_IP_HEADER;
	cJSON_AddBoolToObject(t->result, "parsed", !reason);
	if (reason) {
		trace_step(t, "parser", "refused: %s", reason_text(reason));
		return trace_drop(t, reason);
	}
	trace_step(t, "parser", "%s, %u VLAN tags, %zu bytes%s", frame_words(t), t->frame.n_tags, t->len,
	     fragment_words(t));
	if (t->frame.kind == FRAME_ARP)
		return FATE_OPEN;
	t->key.tuple = FLOW_TUPLE_5;
	key = cJSON_AddObjectToObject(t->result, "key");
	json_scope(key, t->a, &t->key);
	json_tuple(key, &t->key);
	return FATE_OPEN;
}

/* The fast path's table, asked in its order: 3-tuple, then 5-tuple. On the flow thread. */

static void find_installed(struct flow_table *table, const struct policy *policy, void *arg)
{
	struct trace *t = arg;
	struct flow_key key = t->key;

	(void)policy;
	key.tuple = FLOW_TUPLE_3;
	key.sport = 0;
	key.dport = 0;
	t->index = flow_table_find(table, &key);
	if (!t->index)
		t->index = flow_table_find(table, &t->key);
	if (!t->index)
		return;
	t->installed = flow_table_get(table, t->index)->action;
	t->installed_tuple = flow_table_get(table, t->index)->key.tuple;
}

static enum fate lookup(struct trace *t)
{
	flow_thread_call(t->a->flows, find_installed, t);
	cJSON_AddBoolToObject(t->result, "installed", t->index != 0);
	if (!t->index) {
		trace_step(t, "lookup", "miss: the first packet goes to the flow-miss coprocessor");
		return FATE_OPEN;
	}
	cJSON_AddNumberToObject(t->result, "index", t->index);
	trace_step(t, "lookup", "hit: flow %u by its %u-tuple", t->index, t->installed_tuple);
	return FATE_OPEN;
}

/* Policy. */

/* Equal but for the incarnation of the index. */
static bool same_action(struct action a, struct action b)
{
	a.gen = b.gen;
	return !memcmp(&a, &b, sizeof(a));
}

static enum fate compile(struct trace *t)
{
	struct policy_trace steps = {};
	bool stale;

	policy_compile(t->a->policy, &t->key, &t->decision, &steps);
	for (unsigned int i = 0; i < steps.n && i < POLICY_STEPS_MAX; i++)
		trace_step(t, steps.steps[i].what, "%s", steps.steps[i].found);
	cJSON_AddNumberToObject(t->result, "tuple", t->decision.tuple);
	json_action(t->result, t->a, &t->decision.action);
	if (t->index) {
		stale = !same_action(t->installed, t->decision.action);
		cJSON_AddBoolToObject(t->result, "stale", stale);
		if (stale)
			trace_step(t, "installed flow", "differs from what the rules say now");
	}
	if (t->decision.action.verdict == ACTION_DROP)
		return trace_drop(t, t->decision.action.reason);
	return FATE_OPEN;
}

/* What the action does with this very packet. */

static enum fate gateway(struct trace *t)
{
	bool echo = (t->key.proto == PROTO_ICMP && t->key.sport == wire16(ICMP_ECHO_REQUEST)) ||
		    (t->key.proto == PROTO_ICMPV6 && t->key.sport == wire16(ICMPV6_ECHO_REQUEST));

	if (t->decision.action.verdict != ACTION_GATEWAY)
		return FATE_OPEN;
	if (!echo || t->frame.fragment)
		return trace_drop(t, REASON_GATEWAY);
	return trace_end(t, "gateway", "the virtual gateway answers the echo request");
}

static enum fate stages(struct trace *t)
{
	size_t at = t->frame.l3 + (t->frame.kind == FRAME_IPV4 ? TTL_OFFSET_IPV4 : TTL_OFFSET_IPV6);

	if (!(t->decision.action.stages & STAGE_TTL))
		return FATE_OPEN;
	trace_step(t, "stage ttl", "%u becomes %d", t->packet[at], t->packet[at] - 1);
	return t->packet[at] <= 1 ? trace_drop(t, REASON_TTL_EXPIRED) : FATE_OPEN;
}

static enum fate leave(struct trace *t, const struct ip_addr *remote, const struct nexthop_body *body)
{
	const struct port *port = &dp_ports(t->a->dp)[body->port & (PORT_MAX - 1)];
	char text[IP_ADDR_STRLEN];

	if (port->kind == PORT_FREE || !port->ifindex) {
		trace_step(t, "port", "slot %u has no device now", body->port);
		return trace_drop(t, REASON_PORT_DOWN);
	}
	if (body->kind == NEXTHOP_LOCAL)
		return trace_end(t, "forward", "delivered to %s on this host",
			   port_name(t->a, body->port));
	return trace_end(t, "forward", "forwarded to %s by %s",
		   ip_addr_format(remote, text, sizeof(text)), port_name(t->a, body->port));
}

/* The way that the fast path draws for this packet: leave() of bpf/leave.h. */
static uint32_t draw_way(const struct trace *t, const struct nexthop_body *table)
{
	struct flow_key key = t->key;

	if (t->by_board)
		key.tuple = 0;		/* no flow's key: board_digest() */
	if (t->frame.fragment) {
		key.tuple = t->by_board ? 0 : FLOW_TUPLE_3;
		key.sport = 0;
		key.dport = 0;
	}
	return nexthop_way(table, flow_digest(&key, dp_abi(t->a->dp)->secret));
}

enum fate trace_nexthop(struct trace *t)
{
	uint32_t id = t->decision.action.nexthop, n, size;
	const struct nexthop *nh = dp_nexthops(t->a->dp, &n);
	const struct nexthop_body *body;
	const struct ip_addr *remote;
	cJSON *detail = json_nexthop(t->a, id);

	if (!detail)
		return trace_drop(t, REASON_BAD_ACTION);
	cJSON_AddItemToObject(t->result, "nexthop_detail", detail);
	remote = &nh[id].remote;
	body = &nh[id].body[nh[id].active & 1];
	if (body->kind == NEXTHOP_SPREAD) {
		trace_step(t, "way", "next hop %u has several ways, this connection's is %u", id,
		     draw_way(t, body));
		id = draw_way(t, body);
		body = &nh[id].body[nh[id].active & 1];
	}
	if (body->kind == NEXTHOP_DOWN) {
		trace_step(t, "next hop", "%u is not resolved", id);
		return trace_drop(t, REASON_NEXTHOP_DOWN);
	}
	size = t->frame.end - t->frame.l3;
	trace_step(t, "next hop", "%u takes IP packets of up to %u bytes, this one has %u", id, body->mtu,
	     size);
	if (size > body->mtu)
		return trace_drop(t, REASON_TOO_BIG);
	return leave(t, remote, body);
}

static enum fate (*const arrows[])(struct trace *t) = {
	decap, parse, trace_respond, trace_board, lookup, compile, gateway, stages, trace_endpoint,
	trace_nexthop,
};

static const struct admin_arg trace_args[] = {
	{ .name = "from", .kind = ARG_TEXT },
	{ .name = "from_host", .kind = ARG_ADDR },
	{ .name = "vni", .kind = ARG_NUMBER, .min = 1, .max = 0xffffff },
	{ .name = "src", .kind = ARG_ADDR },
	{ .name = "dst", .kind = ARG_ADDR },
	{ .name = "proto", .kind = ARG_PROTO },
	{ .name = "sport", .kind = ARG_NUMBER, .min = 0, .max = 65535 },
	{ .name = "dport", .kind = ARG_NUMBER, .min = 0, .max = 65535 },
	{ .name = "vlan", .kind = ARG_VLANS },
	{ .name = "hex", .kind = ARG_HEX },
	{},
};

static int op_trace(struct agent *a, const cJSON *args, cJSON *result, struct admin_later *later,
		    struct error *e)
{
	struct trace t = { .a = a, .result = result };
	enum fate fate = FATE_OPEN;
	int err;

	(void)later;
	err = origin(&t, args, e);
	if (!err)
		err = packet(&t, args, e);
	if (err)
		return err;
	t.steps = cJSON_AddArrayToObject(result, "steps");
	for (size_t i = 0; fate == FATE_OPEN && i < sizeof(arrows) / sizeof(arrows[0]); i++)
		fate = arrows[i](&t);
	return 0;
}

const struct admin_op admin_trace_ops[] = {
	{ "trace", trace_args, op_trace },
	{},
};
