/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_port.c - vport.list, vport.show, nexthop.list, drops
 */
#include <errno.h>
#include <string.h>

#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <lib/names.h>

static const struct admin_arg no_args[] = { {} };

/* vport.list, vport.show */

static void list_vport(const struct vport_view *view, void *arg)
{
	cJSON_AddItemToArray(arg, json_vport(view));
}

static int op_vport_list(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
			 struct error *e)
{
	cJSON *list = cJSON_AddArrayToObject(o, "vports");

	(void)args, (void)later, (void)e;
	vports_each(a->vports, list_vport, list);
	json_unbound(list, a);
	return 0;
}

static const struct admin_arg show_args[] = { { "name", ARG_TEXT, .needed = true }, {} };

struct vport_search {
	const char *name;
	cJSON *found;
	uint32_t slot;
};

static void match_vport(const struct vport_view *view, void *arg)
{
	struct vport_search *s = arg;

	if (s->found || strcmp(view->name, s->name))
		return;
	s->found = json_vport(view);
	s->slot = view->slot;
}

static int op_vport_show(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
			 struct error *e)
{
	struct vport_search s = { .name = admin_arg_text(args, "name") };

	(void)later;
	vports_each(a->vports, match_vport, &s);
	if (!s.found)
		return error_set(e, -ENOENT, "no vport or uplink is named %s", s.name);
	json_move(o, s.found);
	return json_books(o, a, s.slot, e);
}

/* nexthop.list */

struct nexthop_list {
	const struct agent *a;
	cJSON *rows;
};

static void list_remote(const struct underlay_view *view, void *arg)
{
	struct nexthop_list *list = arg;

	cJSON_AddItemToArray(list->rows, json_nexthop(list->a, view->id));
}

static int op_nexthop_list(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
			   struct error *e)
{
	struct nexthop_list list = { a, cJSON_AddArrayToObject(o, "nexthops") };
	const struct nexthop *nh;
	uint32_t n;

	(void)args, (void)later, (void)e;
	underlay_each(a->underlay, list_remote, &list);
	nh = dp_nexthops(a->dp, &n);
	for (uint32_t id = 1; id < n; id++)
		if (nh[id].body[nh[id].active & 1].kind == NEXTHOP_LOCAL)
			cJSON_AddItemToArray(list.rows, json_nexthop(a, id));
	return 0;
}

/* drops */

static const struct admin_arg drops_args[] = { { .name = "port", .kind = ARG_TEXT }, {} };

struct hub_books {
	double punted, resumed, lost;
};

static double number_of(const cJSON *o, const char *outer, const char *field)
{
	const cJSON *inner = cJSON_GetObjectItemCaseSensitive(o, outer);
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(inner, field);

	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

/* What left for the hub, what came back, and what was lost inside and named there. */
static void sum_hub(struct hub_books *h, const cJSON *o, unsigned int kind)
{
	h->punted += number_of(o, "usage", "punted");
	h->resumed += number_of(o, "usage", "resumed");
	if (kind == PORT_HUB || kind == PORT_HUB_FAR)
		h->lost += number_of(o, "usage", "drops");
}

/* Beyond the port's own books: frames the kernel could not put into the socket's ring. */
static void add_overflow(cJSON *o, uint64_t overflow)
{
	if (overflow)
		cJSON_AddNumberToObject(cJSON_GetObjectItemCaseSensitive(o, "drops"),
					reason_name(REASON_HUB_OVERFLOW), overflow);
}

/* Adds a port's row to @list, unless it is slot 0 with nothing to tell. */
static int list_books(struct agent *a, uint32_t slot, cJSON *list, struct hub_books *h,
		      uint64_t overflow, struct error *e)
{
	unsigned int kind = dp_ports(a->dp)[slot].kind;
	cJSON *o = cJSON_CreateObject();
	int err;

	cJSON_AddStringToObject(o, "name", port_name(a, slot));
	cJSON_AddNumberToObject(o, "slot", slot);
	cJSON_AddStringToObject(o, "kind", slot ? port_kind_name(kind) : "unknown");
	err = json_books(o, a, slot, e);
	if (err || (!slot && !number_of(o, "usage", "drops"))) {
		cJSON_Delete(o);
		return err;
	}
	sum_hub(h, o, kind);
	if (slot == a->hub_slot)
		add_overflow(o, overflow);
	cJSON_AddItemToArray(list, o);
	return 0;
}

static void list_hub(cJSON *o, const struct hub_books *h, uint64_t overflow)
{
	cJSON *hub = cJSON_AddObjectToObject(o, "hub");

	cJSON_AddNumberToObject(hub, "punted", h->punted);
	cJSON_AddNumberToObject(hub, "resumed", h->resumed);
	cJSON_AddNumberToObject(hub, "lost", h->lost);
	cJSON_AddNumberToObject(hub, "overflow", overflow);
	cJSON_AddNumberToObject(hub, "in_flight", h->punted - h->resumed - h->lost - overflow);
}

static int op_drops(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
		    struct error *e)
{
	const char *only = admin_arg_text(args, "port");
	cJSON *list = cJSON_AddArrayToObject(o, "ports");
	struct flow_thread_counts counts = {};
	struct hub_books hub = {};

	(void)later;
	flow_thread_counts(a->flows, &counts);
	for (uint32_t slot = 0; slot < PORT_MAX; slot++) {
		const char *name = port_name(a, slot);
		int err;

		if (!name || (only && strcmp(name, only)))
			continue;
		err = list_books(a, slot, list, &hub, counts.hub_overflow, e);
		if (err)
			return err;
	}
	if (only && !cJSON_GetArraySize(list) && strcmp(only, "unknown"))
		return error_set(e, -ENOENT, "no port is named %s", only);
	if (!only)
		list_hub(o, &hub, counts.hub_overflow);
	return 0;
}

const struct admin_op admin_port_ops[] = {
	{ "vport.list", no_args, op_vport_list },
	{ "vport.show", show_args, op_vport_show },
	{ "nexthop.list", no_args, op_nexthop_list },
	{ "drops", drops_args, op_drops },
	{},
};
