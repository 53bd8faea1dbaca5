/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_board.c - hoverboard.list: a host's hoverboards and gateways, a hoverboard's table
 */
#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <agent/endpoints.h>
#include <agent/hoverboards.h>
#include <lib/clock.h>

static const struct admin_arg no_args[] = { {} };

static const char *state(const struct hoverboard_view *v)
{
	if (!v->reachable)
		return "unreachable";
	if (v->silent)
		return "silent";
	return v->up ? "up" : "down";
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
	cJSON_AddItemToArray(cJSON_GetObjectItem(lists, v->gateway ? "gateways" : "hoverboards"), row);
}

static int op_hoverboard_list(struct agent *a, const cJSON *args, cJSON *o,
			      struct admin_later *later, struct error *e)
{
	cJSON *table;

	(void)args, (void)later, (void)e;
	cJSON_AddStringToObject(o, "role",
				a->config->role == ROLE_HOVERBOARD ? "hoverboard" : "host");
	cJSON_AddArrayToObject(o, "hoverboards");
	cJSON_AddArrayToObject(o, "gateways");
	hoverboards_each(a->hoverboards, add_row, o);
	table = cJSON_AddObjectToObject(o, "endpoints");
	cJSON_AddNumberToObject(table, "used", endpoints_count(a->endpoints));
	cJSON_AddNumberToObject(table, "capacity", endpoints_capacity(a->endpoints));
	return 0;
}

const struct admin_op admin_board_ops[] = {
	{ "hoverboard.list", no_args, op_hoverboard_list },
	{},
};
