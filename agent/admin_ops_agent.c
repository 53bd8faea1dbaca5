/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * admin_ops_agent.c - status, reload, log.level, samples
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <agent/admin_json.h>
#include <agent/admin_ops.h>
#include <agent/agent.h>
#include <lib/clock.h>
#include <lib/log.h>
#include <lib/names.h>
#include <lib/version.h>

#define SAMPLES_DEFAULT 100

static const struct admin_arg no_args[] = { {} };

/* status */

static uint64_t resident_bytes(void)
{
	unsigned long long size, resident = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	if (!f)
		return 0;
	if (fscanf(f, "%llu %llu", &size, &resident) != 2)
		resident = 0;
	fclose(f);
	return resident * sysconf(_SC_PAGESIZE);
}

static void status_reload(cJSON *o, const struct agent *a)
{
	cJSON *last;

	cJSON_AddNumberToObject(o, "reloads", a->n_reloads);
	if (!a->n_reloads && !a->last_reload.err)
		return;
	last = cJSON_AddObjectToObject(o, "last_reload");
	cJSON_AddBoolToObject(last, "ok", !a->last_reload.err);
	if (a->last_reload.err)
		cJSON_AddStringToObject(last, "error", a->last_reload.text);
}

static void status_underlay(cJSON *o, const struct config *c)
{
	cJSON *addrs = cJSON_AddArrayToObject(o, "underlay"), *encap;

	for (int i = 0; i < 2; i++) {
		char text[IP_ADDR_STRLEN];

		if (ip_addr_is_zero(&c->underlay[i]))
			continue;
		ip_addr_format(&c->underlay[i], text, sizeof(text));
		cJSON_AddItemToArray(addrs, cJSON_CreateString(text));
	}
	encap = cJSON_AddObjectToObject(o, "encapsulation");
	cJSON_AddStringToObject(encap, "kind", tunnel_name(c->tunnel));
	if (c->tunnel_port)
		cJSON_AddNumberToObject(encap, "port", c->tunnel_port);
	cJSON_AddStringToObject(encap, "dscp", c->dscp == DSCP_PIPE ? "pipe" : "uniform");
	if (c->dscp == DSCP_PIPE)
		cJSON_AddNumberToObject(encap, "tos", c->tos);
}

struct port_states {
	unsigned int n[2][VPORT_REFUSED + 1];	/* [uplink][state] */
};

static void count_port(const struct vport_view *view, void *arg)
{
	struct port_states *s = arg;

	s->n[view->uplink][view->state]++;
}

static void status_ports(cJSON *o, struct agent *a)
{
	static const char *const kinds[] = { "vports", "uplinks" };
	struct port_states s = {};

	vports_each(a->vports, count_port, &s);
	for (int uplink = 0; uplink < 2; uplink++) {
		cJSON *states = cJSON_AddObjectToObject(o, kinds[uplink]);

		cJSON_AddNumberToObject(states, "ready", s.n[uplink][VPORT_READY]);
		cJSON_AddNumberToObject(states, "attaching", s.n[uplink][VPORT_ATTACHING]);
		cJSON_AddNumberToObject(states, "absent", s.n[uplink][VPORT_ABSENT]);
		cJSON_AddNumberToObject(states, "refused", s.n[uplink][VPORT_REFUSED]);
	}
}

static void count_nexthop(const struct underlay_view *view, void *arg)
{
	unsigned int *n = arg;

	if (!view->way_of)
		n[view->state]++;
}

static void status_nexthops(cJSON *o, struct agent *a)
{
	unsigned int n[UNDERLAY_READY + 1] = {};
	cJSON *states = cJSON_AddObjectToObject(o, "nexthops");

	underlay_each(a->underlay, count_nexthop, n);
	cJSON_AddNumberToObject(states, "ready", n[UNDERLAY_READY]);
	cJSON_AddNumberToObject(states, "probing", n[UNDERLAY_PROBING]);
	cJSON_AddNumberToObject(states, "no_route", n[UNDERLAY_NO_ROUTE]);
}

static void copy_counts(struct flow_table *t, const struct policy *p, void *arg)
{
	(void)p;
	*(struct flow_table_counts *)arg = flow_table_counts(t);
}

static void status_flows(cJSON *o, struct agent *a)
{
	struct flow_table_counts c = {};
	cJSON *flows = cJSON_AddObjectToObject(o, "flows");

	flow_thread_call(a->flows, copy_counts, &c);
	cJSON_AddNumberToObject(flows, "published", c.published);
	cJSON_AddNumberToObject(flows, "retired", c.retired);
	cJSON_AddNumberToObject(flows, "free", c.free);
	cJSON_AddNumberToObject(flows, "added", c.added);
	cJSON_AddNumberToObject(flows, "replaced", c.replaced);
	cJSON_AddNumberToObject(flows, "deleted", c.deleted);
	cJSON_AddNumberToObject(flows, "aged", c.aged);
	cJSON_AddNumberToObject(flows, "evicted", c.evicted);
	cJSON_AddNumberToObject(flows, "refused", c.refused);
}

static void status_misses(cJSON *o, struct agent *a)
{
	struct flow_thread_counts c = {};
	cJSON *misses = cJSON_AddObjectToObject(o, "misses");

	flow_thread_counts(a->flows, &c);
	cJSON_AddNumberToObject(misses, "misses", c.misses);
	cJSON_AddNumberToObject(misses, "installed", c.installed);
	cJSON_AddNumberToObject(misses, "resumed", c.resumed);
	cJSON_AddNumberToObject(misses, "dropped", c.dropped);
	cJSON_AddNumberToObject(misses, "batches", c.batches);
	cJSON_AddNumberToObject(misses, "hub_overflow", c.hub_overflow);
	cJSON_AddNumberToObject(misses, "tx_errors", c.tx_errors);
}

static void status_datapath(cJSON *o, const struct agent *a)
{
	const struct abi_record *record = dp_abi(a->dp);
	cJSON *abi = cJSON_AddObjectToObject(o, "abi");

	cJSON_AddNumberToObject(abi, "seq", record->seq);
	cJSON_AddNumberToObject(abi, "buckets", record->n_buckets);
	cJSON_AddNumberToObject(abi, "flows", record->n_flows);
	cJSON_AddNumberToObject(o, "kernel_memory_bytes", dp_memory_bytes(a->dp));
	cJSON_AddNumberToObject(o, "resident_bytes", resident_bytes());
}

static int op_status(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
		     struct error *e)
{
	(void)args, (void)later, (void)e;
	cJSON_AddStringToObject(o, "version", MIRACH_VERSION);
	cJSON_AddNumberToObject(o, "pid", getpid());
	cJSON_AddStringToObject(o, "host", a->config->host_name ?: "");
	cJSON_AddNumberToObject(o, "uptime_s", (double)(clock_now_ns() - a->started_ns) / NS_PER_S);
	cJSON_AddStringToObject(o, "config", a->options.config ?: "");
	cJSON_AddStringToObject(o, "bpffs", a->config->bpffs);
	cJSON_AddBoolToObject(o, "adopted", dp_adopted(a->dp));
	cJSON_AddStringToObject(o, "log_level", log_level_name(log_get_level()));
	status_reload(o, a);
	json_controller(o, a);
	status_underlay(o, a->config);
	status_datapath(o, a);
	status_ports(o, a);
	status_nexthops(o, a);
	status_flows(o, a);
	status_misses(o, a);
	return 0;
}

/* reload */

static int op_reload(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
		     struct error *e)
{
	int err = agent_reload(a, e);

	(void)args, (void)later;
	if (err)
		return err;
	cJSON_AddNumberToObject(o, "reloads", a->n_reloads);
	cJSON_AddNumberToObject(o, "flows_changed", a->n_changed);
	return 0;
}

/* log.level */

static const struct admin_arg log_args[] = { { .name = "level", .kind = ARG_TEXT }, {} };

static int op_log_level(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
			struct error *e)
{
	const char *name = admin_arg_text(args, "level");
	enum log_level level;

	(void)a, (void)later;
	if (name && log_level_parse(name, &level))
		return error_set(e, -EINVAL, "level: must be error, warn, info or debug");
	if (name)
		log_set_level(level);
	cJSON_AddStringToObject(o, "level", log_level_name(log_get_level()));
	return 0;
}

/* samples */

static const struct admin_arg samples_args[] = {
	{ "max", ARG_NUMBER, .min = 1, .max = SAMPLES_KEPT },
	{},
};

static cJSON *json_sample(const struct agent *a, const struct sample *s, uint64_t now)
{
	uint32_t caught = s->caught_len < SAMPLE_BYTES ? s->caught_len : SAMPLE_BYTES;
	char bytes[2 * SAMPLE_BYTES + 4];
	cJSON *o = cJSON_CreateObject();

	cJSON_AddNumberToObject(o, "age_s", (double)(now - s->stamp_ns) / NS_PER_S);
	cJSON_AddStringToObject(o, "port", port_name(a, s->port) ?: "unknown");
	cJSON_AddNumberToObject(o, "slot", s->port);
	cJSON_AddNumberToObject(o, "flow", s->flow);
	cJSON_AddNumberToObject(o, "rate", s->rate);
	cJSON_AddNumberToObject(o, "frame_len", s->frame_len);
	cJSON_AddStringToObject(o, "bytes", hex_format(s->bytes, caught, 0, bytes, sizeof(bytes)));
	return o;
}

static int op_samples(struct agent *a, const cJSON *args, cJSON *o, struct admin_later *later,
		      struct error *e)
{
	uint64_t n = admin_arg_number(args, "max", SAMPLES_DEFAULT);
	cJSON *list = cJSON_AddArrayToObject(o, "samples");
	struct samples *s = &a->samples;
	uint64_t now;

	(void)later, (void)e;
	samples_drain(s, a->dp);
	now = clock_now_ns();
	if (n > s->n_seen)
		n = s->n_seen;
	for (uint64_t i = s->n_seen - n; i < s->n_seen; i++)
		cJSON_AddItemToArray(list, json_sample(a, &s->kept[i & (SAMPLES_KEPT - 1)], now));
	return 0;
}

const struct admin_op admin_agent_ops[] = {
	{ "status", no_args, op_status },
	{ "reload", no_args, op_reload },
	{ "log.level", log_args, op_log_level },
	{ "samples", samples_args, op_samples },
	{},
};
