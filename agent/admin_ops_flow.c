/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_flow.c - flow.list, flow.show, flow.flush
 *
 * The flow table belongs to the flow thread. Whatever is asked of it runs there
 * between two batches and copies out what matched; the counters and the JSON
 * follow on the main loop, from the copies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <agent/flow_filter.h>
#include <lib/clock.h>

#define LIMIT_DEFAULT 1000
#define LIMIT_MAX 10000
#define RATE_WINDOW_MS 200

struct flow_copy {
	uint32_t index;
	struct flow flow;
	uint64_t created_ns, used_ns;
	struct flow_stats stats;	/* summed over CPUs */
};

/* One question to the flow thread, and its answer. */
struct flow_query {
	const struct port *ports;	/* for the network of a vport's flows */
	struct flow_filter filter;
	uint32_t offset, limit;
	uint64_t total;			/* that match */
	uint32_t n;			/* copied, flows[0] .. flows[n - 1] */
	struct flow_copy *flows;
	uint64_t stats_ns;		/* when the counters were read */
	bool rates;
};

/* The filter. */

static const struct admin_arg list_args[] = {
	{ .name = "vport", .kind = ARG_TEXT },
	{ .name = "network", .kind = ARG_TEXT },
	{ .name = "src", .kind = ARG_PREFIX },
	{ .name = "dst", .kind = ARG_PREFIX },
	{ .name = "proto", .kind = ARG_PROTO },
	{ .name = "port", .kind = ARG_NUMBER, .min = 0, .max = 65535 },
	{ .name = "limit", .kind = ARG_NUMBER, .min = 1, .max = LIMIT_MAX },
	{ .name = "offset", .kind = ARG_NUMBER, .min = 0, .max = UINT32_MAX },
	{ .name = "rates", .kind = ARG_BOOL },
	{},
};

struct slot_search {
	const char *name;
	uint32_t slot;			/* PORT_NONE: not found */
};

static void match_slot(const struct vport_view *view, void *arg)
{
	struct slot_search *s = arg;

	if (!view->uplink && !strcmp(view->name, s->name))
		s->slot = view->slot;
}

static int filter_vport(struct agent *a, const cJSON *args, struct flow_filter *f, struct error *e)
{
	struct slot_search s = { .name = admin_arg_text(args, "vport") };

	if (!s.name)
		return 0;
	vports_each(a->vports, match_slot, &s);
	if (s.slot == PORT_NONE)
		return error_set(e, -ENOENT, "no vport is named %s", s.name);
	f->by_vport = true;
	f->vport = s.slot;
	return 0;
}

static int filter_network(struct agent *a, const cJSON *args, struct flow_filter *f,
			  struct error *e)
{
	const char *name = admin_arg_text(args, "network");

	if (!name)
		return 0;
	for (unsigned int i = 0; i < a->config->n_networks; i++) {
		if (strcmp(a->config->networks[i].name, name))
			continue;
		f->by_network = true;
		f->network = a->config->networks[i].vni;
		return 0;
	}
	return error_set(e, -ENOENT, "no network is named %s", name);
}

static int filter_init(struct agent *a, const cJSON *args, struct flow_filter *f, struct error *e)
{
	int err;

	*f = (struct flow_filter){};
	err = filter_vport(a, args, f, e);
	if (!err)
		err = filter_network(a, args, f, e);
	if (err)
		return err;
	f->by_src = admin_arg_prefix(args, "src", &f->src);
	f->by_dst = admin_arg_prefix(args, "dst", &f->dst);
	f->by_proto = admin_arg_proto(args, "proto", &f->proto);
	f->by_port = admin_arg_given(args, "port");
	f->port = admin_arg_number(args, "port", 0);
	return 0;
}

/* On the flow thread. */

static bool query_match(const struct flow_query *q, const struct flow *flow)
{
	uint32_t id = SCOPE_ID(flow->key.scope);
	uint32_t vni = flow->key.scope & SCOPE_FABRIC ? id : q->ports[id & (PORT_MAX - 1)].vni;

	return flow_filter_match(&q->filter, &flow->key, vni);
}

static void copy_flow(struct flow_table *t, uint32_t index, struct flow_copy *ret)
{
	*ret = (struct flow_copy){
		.index = index,
		.flow = *flow_table_get(t, index),
		.created_ns = flow_table_created(t, index),
		.used_ns = flow_table_last_used(t, index),
	};
}

static bool collect_one(struct flow_table *t, uint32_t index, void *arg)
{
	struct flow_query *q = arg;

	if (!query_match(q, flow_table_get(t, index)))
		return true;
	if (q->total++ >= q->offset && q->n < q->limit)
		copy_flow(t, index, &q->flows[q->n++]);
	return true;
}

static void collect(struct flow_table *t, const struct policy *p, void *arg)
{
	(void)p;
	flow_table_each(t, collect_one, arg);
}

static bool flush_one(struct flow_table *t, uint32_t index, void *arg)
{
	struct flow_query *q = arg;

	if (query_match(q, flow_table_get(t, index))) {
		flow_table_del(t, index);
		q->total++;
	}
	return true;
}

static void flush(struct flow_table *t, const struct policy *p, void *arg)
{
	(void)p;
	flow_table_each(t, flush_one, arg);
}

static bool find_one(struct flow_table *t, uint32_t index, void *arg)
{
	struct flow_query *q = arg;

	if (index != q->offset)
		return true;
	copy_flow(t, index, q->flows);
	q->n = 1;
	return false;
}

static void find_index(struct flow_table *t, const struct policy *p, void *arg)
{
	(void)p;
	flow_table_each(t, find_one, arg);
}

/* JSON. */

static int read_stats(struct agent *a, struct flow_query *q, struct flow_stats *ret)
{
	for (uint32_t i = 0; i < q->n; i++) {
		int err = dp_flow_stats_read(a->dp, q->flows[i].index, 1, &ret[i]);

		if (err)
			return err;
	}
	return 0;
}

static double seconds(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? (double)(to_ns - from_ns) / NS_PER_S : 0;
}

static cJSON *json_flow(const struct agent *a, const struct flow_copy *f, uint64_t now)
{
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "index", f->index);
	cJSON_AddNumberToObject(o, "tuple", f->flow.key.tuple);
	json_scope(o, a, &f->flow.key);
	json_tuple(o, &f->flow.key);
	json_action(o, a, &f->flow.action);
	cJSON_AddNumberToObject(o, "age_s", seconds(f->created_ns, now));
	cJSON_AddNumberToObject(o, "idle_s", seconds(f->used_ns, now));
	cJSON_AddNumberToObject(o, "packets", f->stats.packets);
	cJSON_AddNumberToObject(o, "bytes", f->stats.bytes);
	return o;
}

/* @before: counters of the same flows, @elapsed seconds ago. A flow that was replaced meanwhile shows zero. */
static void json_rates(cJSON *o, const struct flow_stats *before, const struct flow_stats *now,
		       double elapsed)
{
	bool same = now->packets >= before->packets && now->bytes >= before->bytes && elapsed > 0;

	cJSON_AddNumberToObject(o, "pps",
				same ? (double)(now->packets - before->packets) / elapsed : 0);
	cJSON_AddNumberToObject(o, "bps",
				same ? (double)(now->bytes - before->bytes) * 8 / elapsed : 0);
}

static cJSON *list_head(const struct flow_query *q, cJSON *result)
{
	cJSON_AddNumberToObject(result, "total", q->total);
	cJSON_AddNumberToObject(result, "offset", q->offset);
	return cJSON_AddArrayToObject(result, "flows");
}

static void list_flows(const struct agent *a, const struct flow_query *q, cJSON *result)
{
	cJSON *list = list_head(q, result);

	for (uint32_t i = 0; i < q->n; i++)
		cJSON_AddItemToArray(list, json_flow(a, &q->flows[i], q->stats_ns));
}

/* flow.list */

static void query_free(void *arg)
{
	struct flow_query *q = arg;

	if (!q)
		return;
	free(q->flows);
	free(q);
}

static struct flow_query *query_new(struct agent *a, uint32_t limit)
{
	struct flow_query *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->flows = calloc(limit, sizeof(*q->flows));
	if (!q->flows) {
		free(q);
		return NULL;
	}
	q->limit = limit;
	q->ports = dp_ports(a->dp);
	return q;
}

static int query_stats(struct agent *a, struct flow_query *q)
{
	struct flow_stats *stats = calloc(q->n + 1, sizeof(*stats));
	int err;

	if (!stats)
		return -ENOMEM;
	err = read_stats(a, q, stats);
	for (uint32_t i = 0; !err && i < q->n; i++)
		q->flows[i].stats = stats[i];
	free(stats);
	q->stats_ns = clock_now_ns();
	return err;
}

static int finish_rates(struct agent *a, void *state, cJSON *result, struct error *e)
{
	struct flow_query *q = state;
	uint64_t before_ns = q->stats_ns;
	struct flow_stats *before;
	cJSON *list;
	int err;

	before = calloc(q->n + 1, sizeof(*before));
	if (!before)
		return error_set(e, -ENOMEM, "out of memory");
	for (uint32_t i = 0; i < q->n; i++)
		before[i] = q->flows[i].stats;
	err = query_stats(a, q);
	list = list_head(q, result);
	for (uint32_t i = 0; !err && i < q->n; i++) {
		cJSON *o = json_flow(a, &q->flows[i], q->stats_ns);

		json_rates(o, &before[i], &q->flows[i].stats, seconds(before_ns, q->stats_ns));
		cJSON_AddItemToArray(list, o);
	}
	free(before);
	return err;
}

static int op_flow_list(struct agent *a, const cJSON *args, cJSON *result,
			struct admin_later *later, struct error *e)
{
	struct flow_query *q = query_new(a, admin_arg_number(args, "limit", LIMIT_DEFAULT));
	int err;

	if (!q)
		return error_set(e, -ENOMEM, "out of memory");
	q->offset = admin_arg_number(args, "offset", 0);
	err = filter_init(a, args, &q->filter, e);
	if (err)
		goto free_query;
	flow_thread_call(a->flows, collect, q);
	err = query_stats(a, q);
	if (err) {
		error_set(e, err, "cannot read the flows' counters: %s", strerror(-err));
		goto free_query;
	}
	if (admin_arg_bool(args, "rates")) {
		*later = (struct admin_later){ RATE_WINDOW_MS, finish_rates, query_free, q };
		return 0;
	}
	list_flows(a, q, result);
free_query:
	query_free(q);
	return err;
}

/* flow.show */

static const struct admin_arg show_args[] = {
	{ .name = "index", .kind = ARG_NUMBER, .needed = true, .min = 1, .max = UINT32_MAX },
	{},
};

static int op_flow_show(struct agent *a, const cJSON *args, cJSON *result,
			struct admin_later *later, struct error *e)
{
	struct flow_copy copy;
	struct flow_query q = { .flows = &copy, .offset = admin_arg_number(args, "index", 0) };
	cJSON *nexthop;
	int err;

	(void)later;
	flow_thread_call(a->flows, find_index, &q);
	if (!q.n)
		return error_set(e, -ENOENT, "no flow has the index %u", q.offset);
	err = query_stats(a, &q);
	if (err)
		return error_set(e, err, "cannot read the flow's counters: %s", strerror(-err));
	json_move(result, json_flow(a, &copy, q.stats_ns));
	if (copy.flow.action.verdict != ACTION_FORWARD)
		return 0;
	nexthop = json_nexthop(a, copy.flow.action.nexthop);
	if (nexthop)
		cJSON_AddItemToObject(result, "nexthop_detail", nexthop);
	return 0;
}

/* flow.flush */

static const struct admin_arg flush_args[] = {
	{ .name = "vport", .kind = ARG_TEXT },
	{ .name = "network", .kind = ARG_TEXT },
	{ .name = "src", .kind = ARG_PREFIX },
	{ .name = "dst", .kind = ARG_PREFIX },
	{ .name = "proto", .kind = ARG_PROTO },
	{ .name = "port", .kind = ARG_NUMBER, .min = 0, .max = 65535 },
	{ .name = "all", .kind = ARG_BOOL },
	{},
};

static int op_flow_flush(struct agent *a, const cJSON *args, cJSON *result,
			 struct admin_later *later, struct error *e)
{
	struct flow_query q = { .ports = dp_ports(a->dp) };
	int err;

	(void)later;
	err = filter_init(a, args, &q.filter, e);
	if (err)
		return err;
	if (flow_filter_is_empty(&q.filter) && !admin_arg_bool(args, "all"))
		return error_set(e, -EINVAL, "say which flows, or all: true");
	flow_thread_call(a->flows, flush, &q);
	cJSON_AddNumberToObject(result, "flushed", q.total);
	return 0;
}

const struct admin_op admin_flow_ops[] = {
	{ "flow.list", list_args, op_flow_list },
	{ "flow.show", show_args, op_flow_show },
	{ "flow.flush", flush_args, op_flow_flush },
	{},
};
