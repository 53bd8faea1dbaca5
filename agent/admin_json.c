/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_json.c - Mirach's structures as the JSON of docs/admin-protocol.md
 */
#include <agent/admin_json.h>

#include <errno.h>
#include <string.h>

#include <agent/port.h>
#include <lib/names.h>
#include <mirach/wire.h>

void json_move(cJSON *to, cJSON *from)
{
	while (from->child) {
		cJSON *field = cJSON_DetachItemViaPointer(from, from->child);
		char *name = field->string;

		field->string = NULL;
		cJSON_AddItemToObject(to, name, field);
		cJSON_free(name);
	}
	cJSON_Delete(from);
}

void json_addr(cJSON *o, const char *field, const struct ip_addr *addr)
{
	char text[IP_ADDR_STRLEN];

	cJSON_AddStringToObject(o, field, ip_addr_format(addr, text, sizeof(text)));
}

void json_mac(cJSON *o, const char *field, const uint8_t mac[ETH_ADDR_LEN])
{
	char text[MAC_STRLEN];

	cJSON_AddStringToObject(o, field, mac_format(mac, text, sizeof(text)));
}

void json_vlans(cJSON *o, const char *field, const uint16_t vlan[2])
{
	cJSON *vids = cJSON_AddArrayToObject(o, field);

	for (int i = 0; i < 2 && vlan[i]; i++)
		cJSON_AddItemToArray(vids, cJSON_CreateNumber(vlan[i] & VLAN_VID_MASK));
}

uint32_t flow_vni(const struct agent *a, const struct flow_key *key)
{
	uint32_t id = SCOPE_ID(key->scope);

	if (key->scope & SCOPE_FABRIC)
		return id;
	return dp_ports(a->dp)[id & (PORT_MAX - 1)].vni;
}

/* In the map a port is called by its kind, too; people know it by the rest. */
static const char *bare_name(const struct port *port)
{
	static const char *const prefixes[] = { PORT_VPORT_PREFIX, PORT_UPLINK_PREFIX };

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
		if (!strncmp(port->name, prefixes[i], strlen(prefixes[i])))
			return port->name + strlen(prefixes[i]);
	return port->name;
}

const char *port_name(const struct agent *a, uint32_t slot)
{
	const struct port *port = &dp_ports(a->dp)[slot & (PORT_MAX - 1)];

	if (slot == PORT_NONE)
		return "unknown";
	return port->kind == PORT_FREE ? NULL : bare_name(port);
}

void json_scope(cJSON *o, const struct agent *a, const struct flow_key *key)
{
	uint32_t vni = flow_vni(a, key);
	const char *network = policy_network_name(a->policy, vni), *vport;

	if (key->scope & SCOPE_FABRIC) {
		cJSON_AddStringToObject(o, "scope", "fabric");
		json_addr(o, "outer", &key->outer);
	} else {
		vport = policy_vport_name(a->policy, SCOPE_ID(key->scope));
		cJSON_AddStringToObject(o, "scope", "vport");
		cJSON_AddStringToObject(o, "vport", vport ?: "unknown");
	}
	if (network)
		cJSON_AddStringToObject(o, "network", network);
	cJSON_AddNumberToObject(o, "vni", vni);
}

void json_tuple(cJSON *o, const struct flow_key *key)
{
	char proto[PROTO_STRLEN];

	json_addr(o, "src", &key->src);
	json_addr(o, "dst", &key->dst);
	cJSON_AddStringToObject(o, "proto", proto_format(key->proto, proto));
	if (key->tuple == FLOW_TUPLE_5) {
		cJSON_AddNumberToObject(o, "sport", host16(key->sport));
		cJSON_AddNumberToObject(o, "dport", host16(key->dport));
	}
	json_vlans(o, "vlan", key->vlan);
}

static void json_stages(cJSON *o, const struct action *action)
{
	cJSON *stages = cJSON_AddArrayToObject(o, "stages");

	for (const struct stage_name *s = stage_names; s->bit; s++)
		if (action->stages & s->bit)
			cJSON_AddItemToArray(stages, cJSON_CreateString(s->name));
	if (action->stages & STAGE_MSS)
		cJSON_AddNumberToObject(o, "mss", action->mss);
	if (action->stages & STAGE_VLAN_POP)
		cJSON_AddNumberToObject(o, "n_pop", action->n_pop);
	if (action->stages & STAGE_VLAN_PUSH)
		cJSON_AddNumberToObject(o, "push_vid", host16(action->push_tci) & VLAN_VID_MASK);
	if (action->stages & STAGE_SAMPLE)
		cJSON_AddNumberToObject(o, "sample", action->sample);
}

void json_action(cJSON *o, const struct agent *a, const struct action *action)
{
	cJSON_AddStringToObject(o, "verdict", verdict_name(action->verdict));
	if (action->verdict == ACTION_DROP)
		cJSON_AddStringToObject(o, "reason", reason_name(action->reason));
	json_stages(o, action);
	if (action->verdict == ACTION_FORWARD) {
		cJSON_AddNumberToObject(o, "nexthop", action->nexthop);
		json_mac(o, "dmac", action->dmac);
		json_mac(o, "smac", action->smac);
	}
	cJSON_AddStringToObject(o, "rule", policy_rule_text(a->policy, action->rule) ?: "");
}

/* Next hops. */

static const char *underlay_state_name(enum underlay_state state)
{
	static const char *const names[] = {
		[UNDERLAY_NO_ROUTE] = "no_route",
		[UNDERLAY_PROBING] = "probing",
		[UNDERLAY_READY] = "ready",
	};

	return names[state];
}

struct view_search {
	uint32_t id;
	cJSON *o;
};

static void add_resolution(const struct underlay_view *v, void *arg)
{
	struct view_search *s = arg;

	if (v->id != s->id)
		return;
	json_addr(s->o, "remote", &v->remote);
	if (v->way_of)
		cJSON_AddNumberToObject(s->o, "way_of", v->way_of);
	if (v->n_ways)
		cJSON_AddNumberToObject(s->o, "ways", v->n_ways);
	cJSON_AddStringToObject(s->o, "state", underlay_state_name(v->state));
	cJSON_AddNumberToObject(s->o, "changes", v->changes);
	if (*v->why)
		cJSON_AddStringToObject(s->o, "why", v->why);
	if (v->state == UNDERLAY_NO_ROUTE)
		return;
	if (*v->device)
		cJSON_AddStringToObject(s->o, "device", v->device);
	if (!ip_addr_is_zero(&v->gateway))
		json_addr(s->o, "gateway", &v->gateway);
	if (v->state == UNDERLAY_READY && !v->n_ways)
		json_mac(s->o, "mac", v->mac);
	cJSON_AddNumberToObject(s->o, "underlay_mtu", v->mtu);
}

static const char *nexthop_kind_name(unsigned int kind)
{
	static const char *const names[] = {
		[NEXTHOP_DOWN] = "down",
		[NEXTHOP_LOCAL] = "local",
		[NEXTHOP_TUNNEL] = "tunnel",
		[NEXTHOP_SPREAD] = "spread",
	};

	return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

cJSON *json_nexthop(const struct agent *a, uint32_t id)
{
	const struct nexthop_body *body;
	const struct nexthop *nh;
	cJSON *o;
	uint32_t n;

	nh = dp_nexthops(a->dp, &n);
	if (!id || id >= n)
		return NULL;
	body = &nh[id].body[nh[id].active & 1];
	o = cJSON_CreateObject();
	cJSON_AddNumberToObject(o, "id", id);
	cJSON_AddStringToObject(o, "kind", nexthop_kind_name(body->kind));
	underlay_each(a->underlay, add_resolution, &(struct view_search){ id, o });
	if (body->kind == NEXTHOP_DOWN)
		return o;
	if (body->kind == NEXTHOP_TUNNEL) {
		cJSON_AddStringToObject(o, "tunnel", tunnel_name(body->tunnel));
		cJSON_AddNumberToObject(o, "header_len", body->header_len);
	} else if (body->kind == NEXTHOP_LOCAL) {
		cJSON_AddStringToObject(o, "port", port_name(a, body->port) ?: "unknown");
		cJSON_AddNumberToObject(o, "slot", body->port);
	}
	cJSON_AddNumberToObject(o, "mtu", body->mtu);
	return o;
}

/* Ports. */

static const char *vport_state_name(enum vport_state state)
{
	static const char *const names[] = {
		[VPORT_ABSENT] = "absent",
		[VPORT_ATTACHING] = "attaching",
		[VPORT_READY] = "ready",
		[VPORT_REFUSED] = "refused",
	};

	return names[state];
}

cJSON *json_vport(const struct vport_view *view)
{
	cJSON *o = cJSON_CreateObject(), *addrs;

	cJSON_AddStringToObject(o, "name", view->name);
	cJSON_AddStringToObject(o, "kind", view->uplink ? "uplink" : "vport");
	cJSON_AddNumberToObject(o, "slot", view->slot);
	cJSON_AddStringToObject(o, "device", view->device);
	cJSON_AddNumberToObject(o, "ifindex", view->ifindex);
	cJSON_AddStringToObject(o, "state", vport_state_name(view->state));
	cJSON_AddStringToObject(o, "driver", view->driver ?: "");
	cJSON_AddStringToObject(o, "hook", view->hook ?: "");
	cJSON_AddStringToObject(o, "mode", view->mode ?: "");
	cJSON_AddStringToObject(o, "why", view->why ?: "");
	cJSON_AddStringToObject(o, "problem", view->problem ?: "");
	json_mac(o, "mac", view->mac);
	json_vlans(o, "vlan", view->vlan);
	cJSON_AddNumberToObject(o, "mtu", view->mtu);
	if (view->uplink)
		return o;

	cJSON_AddStringToObject(o, "network", view->network ?: "");
	cJSON_AddNumberToObject(o, "vni", view->vni);
	cJSON_AddNumberToObject(o, "miss_rate", view->miss_rate);
	addrs = cJSON_AddArrayToObject(o, "addresses");
	for (unsigned int i = 0; i < view->n_addrs; i++) {
		char text[IP_ADDR_STRLEN];

		ip_addr_format(&view->addrs[i], text, sizeof(text));
		cJSON_AddItemToArray(addrs, cJSON_CreateString(text));
	}
	return o;
}

static uint64_t json_drops(cJSON *o, const struct drops *drops)
{
	cJSON *by_reason = cJSON_AddObjectToObject(o, "drops");
	uint64_t sum = 0;

	for (unsigned int i = 0; i < REASON_MAX; i++) {
		if (!drops->count[i])
			continue;
		sum += drops->count[i];
		cJSON_AddNumberToObject(by_reason, reason_name(i), drops->count[i]);
	}
	return sum;
}

static void json_usage(cJSON *o, const struct usage *u, uint64_t dropped)
{
	const struct {
		const char *name;
		uint64_t value;
	} counters[] = {
		{ "in", u->in },
		{ "in_bytes", u->in_bytes },
		{ "out", u->out },
		{ "out_bytes", u->out_bytes },
		{ "replied", u->replied },
		{ "passed", u->passed },
		{ "punted", u->punted },
		{ "resumed", u->resumed },
		{ "delivered", u->delivered },
		{ "delivered_bytes", u->delivered_bytes },
		{ "drops", dropped },
	};
	cJSON *usage = cJSON_AddObjectToObject(o, "usage");

	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
		cJSON_AddNumberToObject(usage, counters[i].name, counters[i].value);
}

/* The law of struct usage. Frames of no port (slot 0) have drops only. */
static int64_t books_gap(uint32_t slot, const struct usage *u, uint64_t dropped)
{
	if (slot == PORT_NONE)
		return 0;
	return (int64_t)(u->in + u->resumed) -
	       (int64_t)(u->out + u->replied + u->passed + u->punted + dropped);
}

int json_books(cJSON *o, const struct agent *a, uint32_t slot, struct error *e)
{
	struct drops drops;
	struct usage usage;
	uint64_t dropped;
	int64_t gap;
	int err;

	err = dp_usage_read(a->dp, slot, &usage);
	if (!err)
		err = dp_drops_read(a->dp, slot, &drops);
	if (err)
		return error_set(e, err, "cannot read the counters of port slot %u: %s", slot,
				 strerror(-err));
	dropped = json_drops(o, &drops);
	gap = books_gap(slot, &usage, dropped);
	json_usage(o, &usage, dropped);
	cJSON_AddBoolToObject(o, "closes", gap == 0);
	cJSON_AddNumberToObject(o, "gap", gap);
	return 0;
}
