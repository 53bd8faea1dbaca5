/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_board.c - hoverboard.list: a host's hoverboards and gateways, a hoverboard's table
 *
 * With what each carries: a hoverboard, what its uplinks have sent on; a host, by hoverboard what
 * the flows that are there now have sent to it. The flow thread says which flows these are, their
 * counters are read behind it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <agent/endpoints.h>
#include <agent/hoverboards.h>
#include <lib/clock.h>

#define RUN_MAX 256u			/* counters read by one call */

static const struct admin_arg no_args[] = { {} };

static const char *state(const struct hoverboard_view *v)
{
	if (!v->reachable)
		return "unreachable";
	if (v->silent)
		return "silent";
	return v->up ? "up" : "down";
}

/* Flows that go to a slot, and to whom: the next hop says both. */
struct sent {
	const struct nexthop *nexthops;
	uint32_t n_nexthops;
	struct sent_flow {
		uint32_t index, nexthop;
	} *flows;
	uint32_t n, room;
	struct carried {
		double flows, packets, bytes;
	} *carried;				/* by next hop: rows are few, flows may be a million */
};

static bool note_flow(struct flow_table *t, uint32_t index, void *arg)
{
	const struct action *action = &flow_table_get(t, index)->action;
	struct sent *s = arg;

	if (action->verdict != ACTION_FORWARD || action->nexthop >= s->n_nexthops ||
	    !s->nexthops[action->nexthop].set)
		return true;
	if (s->n < s->room)
		s->flows[s->n++] = (struct sent_flow){ index, action->nexthop };
	return true;
}

static void note_flows(struct flow_table *t, const struct policy *policy, void *arg)
{
	(void)policy;
	flow_table_each(t, note_flow, arg);
}

static void add_number(cJSON *o, const char *field, double n)
{
	cJSON *item = cJSON_GetObjectItem(o, field);

	if (item)
		cJSON_SetNumberValue(item, item->valuedouble + n);
	else
		cJSON_AddNumberToObject(o, field, n);
}

static void add_carried(cJSON *o, const struct carried *c)
{
	add_number(o, "flows", c->flows);
	add_number(o, "packets", c->packets);
	add_number(o, "bytes", c->bytes);
}

/* To the row of the hoverboard, or gateway, that serves the slot now. */
static void add_to_row(cJSON *rows, const struct ip_addr *addr, const struct carried *c)
{
	char text[IP_ADDR_STRLEN];
	cJSON *row;

	ip_addr_format(addr, text, sizeof(text));
	cJSON_ArrayForEach(row, rows)
		if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(row, "address")), text))
			add_carried(row, c);
}

/* The flows from *@at on whose counters lie close enough together to be read at once. */
static int add_run(struct agent *a, const struct sent *s, uint32_t *at)
{
	const uint32_t first = s->flows[*at].index;
	uint32_t i = *at, end = i;
	struct flow_stats stats[RUN_MAX];
	int err;

	while (end < s->n && s->flows[end].index - first < RUN_MAX)
		end++;
	err = dp_flow_stats_read(a->dp, first, s->flows[end - 1].index - first + 1, stats);
	for (; !err && i < end; i++) {
		const struct flow_stats *flow = &stats[s->flows[i].index - first];
		struct carried *c = &s->carried[s->flows[i].nexthop];

		c->flows++;
		c->packets += flow->packets;
		c->bytes += flow->bytes;
	}
	*at = end;
	return err;
}

static int add_sent(struct agent *a, cJSON *o, struct error *e)
{
	struct sent s = { .room = dp_abi(a->dp)->n_flows };
	int err = 0;

	s.nexthops = dp_nexthops(a->dp, &s.n_nexthops);
	s.flows = calloc(s.room, sizeof(*s.flows));
	s.carried = calloc(s.n_nexthops + 1, sizeof(*s.carried));
	if (!s.flows || !s.carried) {
		free(s.flows);
		free(s.carried);
		return error_set(e, -ENOMEM, "no memory for a list of flows");
	}
	flow_thread_call(a->flows, note_flows, &s);
	for (uint32_t i = 0; i < s.n && !err;)
		err = add_run(a, &s, &i);
	for (uint32_t i = 0; i < s.n_nexthops && !err; i++) {
		if (!s.carried[i].flows)
			continue;
		add_to_row(cJSON_GetObjectItem(o, "hoverboards"), &s.nexthops[i].remote, &s.carried[i]);
		add_to_row(cJSON_GetObjectItem(o, "gateways"), &s.nexthops[i].remote, &s.carried[i]);
	}
	free(s.flows);
	free(s.carried);
	return err ? error_set(e, err, "cannot read the counters of flows: %s", strerror(-err)) : 0;
}

/* What the uplinks have sent on, without the outer headers, and what they have answered or dropped. */
static int add_forwarded(struct agent *a, cJSON *o, struct error *e)
{
	const struct port *ports = dp_ports(a->dp);
	cJSON *to = cJSON_AddObjectToObject(o, "forwarded");
	struct usage usage;
	struct drops drops;

	add_number(to, "packets", 0);
	add_number(to, "bytes", 0);
	add_number(to, "replied", 0);
	add_number(to, "dropped", 0);
	for (uint32_t slot = 1; slot < PORT_MAX; slot++) {
		if (ports[slot].kind != PORT_UPLINK)
			continue;
		if (dp_usage_read(a->dp, slot, &usage) || dp_drops_read(a->dp, slot, &drops))
			return error_set(e, -EIO, "cannot read the counters of port slot %u", slot);
		add_number(to, "packets", usage.out);
		add_number(to, "bytes", usage.out_bytes);
		add_number(to, "replied", usage.replied);
		for (unsigned int r = 0; r < REASON_MAX; r++)
			add_number(to, "dropped", drops.count[r]);
	}
	return 0;
}

static void add_row(const struct hoverboard_view *v, void *arg)
{
	cJSON *row = cJSON_CreateObject(), *lists = arg;

	json_addr(row, "address", &v->addr);
	cJSON_AddStringToObject(row, "state", state(v));
	cJSON_AddNumberToObject(row, "since_s", (clock_now_ns() - v->since_ns) / 1e9);
	cJSON_AddNumberToObject(row, "changes", v->changes);
	cJSON_AddNumberToObject(row, "asked", v->asked);
	cJSON_AddNumberToObject(row, "answered", v->answered);
	cJSON_AddNumberToObject(row, "slots", v->slots);
	cJSON_AddNumberToObject(row, "of_slots", v->of_slots);
	add_carried(row, &(struct carried){});
	cJSON_AddItemToArray(cJSON_GetObjectItem(lists, v->gateway ? "gateways" : "hoverboards"), row);
}

static int op_hoverboard_list(struct agent *a, const cJSON *args, cJSON *o,
			      struct admin_later *later, struct error *e)
{
	const bool is_board = a->config->role == ROLE_HOVERBOARD;
	cJSON *table;

	(void)args, (void)later;
	cJSON_AddStringToObject(o, "role", is_board ? "hoverboard" : "host");
	cJSON_AddArrayToObject(o, "hoverboards");
	cJSON_AddArrayToObject(o, "gateways");
	hoverboards_each(a->hoverboards, add_row, o);
	table = cJSON_AddObjectToObject(o, "endpoints");
	cJSON_AddNumberToObject(table, "used", endpoints_count(a->endpoints));
	cJSON_AddNumberToObject(table, "capacity", endpoints_capacity(a->endpoints));
	return is_board ? add_forwarded(a, o, e) : add_sent(a, o, e);
}

const struct admin_op admin_board_ops[] = {
	{ "hoverboard.list", no_args, op_hoverboard_list },
	{},
};
