// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_status.c - the VM controller in numbers, and who is behind, for people
 */
#include <ctl/controller/vmc_session.h>

#include <lib/clock.h>

#define LISTED_MAX 200			/* hosts with problems that are named */

void vmc_stats(struct vmc *v, struct vmc_stats *ret)
{
	struct vmc_host *h;

	*ret = (struct vmc_stats){ .hosts = v->engine.hosts.n, .specs = v->engine.specs,
				   .updates = v->updates, .acks = v->acks, .refusals = v->refusals,
				   .repairs = v->repairs, .queued = v->engine.dirty.n };
	for (size_t i = 0; (h = index_next(&v->engine.hosts, &i));) {
		ret->owned += h->owned && h->declared;
		ret->connected += h->declared && h->session;
		ret->in_step += h->declared && h->session && session_in_step(h->session);
		ret->objects += h->desired.count;
		ret->objset_bytes += objset_bytes(&h->desired) + sizeof(*h);
	}
	ret->programming = programming_stats(v->programming);
	offload_stats(v->offload, &ret->offload);
}

static void number(cJSON *o, const char *name, double n)
{
	cJSON_AddNumberToObject(o, name, n);
}

static double ms(uint64_t ns)
{
	return ns / (double)NS_PER_MS;
}

/* Why a host of ours is not in step, or NULL. */
static const char *trouble(const struct vmc_host *h)
{
	if (!h->owned || !h->declared)
		return NULL;
	if (!h->session)
		return "not connected";
	if (*h->session->problem)
		return h->session->problem;
	return session_in_step(h->session) ? NULL : "behind";
}

static cJSON *troubles(struct vmc *v)
{
	cJSON *list = cJSON_CreateArray();
	struct vmc_host *h;
	unsigned int n = 0;

	for (size_t i = 0; (h = index_next(&v->engine.hosts, &i)) && n < LISTED_MAX;) {
		cJSON *o = trouble(h) ? cJSON_CreateObject() : NULL;

		if (!o)
			continue;
		cJSON_AddStringToObject(o, "host", h->name);
		cJSON_AddStringToObject(o, "problem", trouble(h));
		cJSON_AddItemToArray(list, o);
		n++;
	}
	return list;
}

static cJSON *quarantine(struct vmc *v)
{
	cJSON *list = cJSON_CreateArray();
	const struct quarantined *q;

	for (size_t i = 0; (q = index_next(&v->engine.in.remotes.bad, &i));) {
		cJSON *o = cJSON_CreateObject();

		cJSON_AddStringToObject(o, "region", q->region);
		cJSON_AddStringToObject(o, "name", q->name);
		cJSON_AddStringToObject(o, "reason", q->reason);
		cJSON_AddItemToArray(list, o);
	}
	return list;
}

cJSON *vmc_status(struct vmc *v)
{
	cJSON *o = cJSON_CreateObject(), *latency;
	struct vmc_stats s;

	vmc_stats(v, &s);
	cJSON_AddBoolToObject(o, "ready", v->ready);
	number(o, "revision", v->engine.applied);
	number(o, "hosts", s.owned);
	number(o, "connected", s.connected);
	number(o, "inStep", s.in_step);
	number(o, "objects", s.objects);
	number(o, "objectBytes", s.objset_bytes);
	number(o, "specs", s.specs);
	number(o, "updates", s.updates);
	number(o, "acknowledged", s.acks);
	number(o, "refused", s.refusals);
	number(o, "compared", s.repairs);
	number(o, "queued", s.queued);
	number(o, "programmed", s.programming.programmed);
	number(o, "underWay", s.programming.under_way);
	number(o, "waiting", s.programming.waiting);
	latency = cJSON_AddObjectToObject(o, "latencyMs");
	number(latency, "p50", ms(s.programming.p50_ns));
	number(latency, "p99", ms(s.programming.p99_ns));
	number(latency, "max", ms(s.programming.max_ns));
	cJSON_AddItemToObject(o, "troubles", troubles(v));
	cJSON_AddItemToObject(o, "quarantine", quarantine(v));
	return o;
}

cJSON *vmc_hoverboards(struct vmc *v)
{
	cJSON *o = cJSON_CreateObject(), *time;
	struct offload_stats s;

	offload_stats(v->offload, &s);
	number(o, "usageReports", v->usage_reports);
	number(o, "hoverboardBytes", v->board_bytes);
	number(o, "directBytes", v->direct_bytes);
	number(o, "pairs", s.n_pairs);
	number(o, "direct", s.n_direct);
	number(o, "routes", s.n_routes);
	number(o, "offloaded", s.n_offloaded);
	number(o, "withdrawn", s.n_withdrawn);
	number(o, "evicted", s.n_evicted);
	number(o, "refused", s.n_refused);
	time = cJSON_AddObjectToObject(o, "reportToDirectMs");
	number(time, "p50", ms(s.p50_ns));
	number(time, "p99", ms(s.p99_ns));
	cJSON_AddItemToObject(o, "offloads", vmc_offload_pairs(v));
	return o;
}
