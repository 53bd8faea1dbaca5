// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_report.c - what agents say about their vports, and which devices they bound
 *
 * A report is about vports of that host only; others are left out. Kept are state and
 * problem, for `describe` and for people.
 */
#include <ctl/controller/vmc_session.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

struct vport_report {
	const struct vmc_host *host;
	char state[16];
	char *problem;			/* NULL: none */
	char id[];
};

static uint64_t report_hash(const void *entry)
{
	const struct vport_report *r = entry;

	return XXH3_64bits(r->id, strlen(r->id));
}

static bool report_same(const void *a, const void *b)
{
	return !strcmp(((const struct vport_report *)a)->id, ((const struct vport_report *)b)->id);
}

void vmc_reports_init(struct vmc *v)
{
	index_init(&v->reports, report_hash, report_same);
}

void vmc_reports_done(struct vmc *v)
{
	struct vport_report *r;

	for (size_t i = 0; (r = index_next(&v->reports, &i));) {
		free(r->problem);
		free(r);
	}
	index_done(&v->reports);
}

static struct vport_report *report_new(const char *id)
{
	size_t len = strlen(id) + 1;
	struct vport_report *r = calloc(1, sizeof(*r) + len);

	if (r)
		memcpy(r->id, id, len);
	return r;
}

static int note(struct vmc *v, const struct vmc_host *host, const struct msg_vport *said)
{
	struct vport_report *like = report_new(said->id), *r;
	int err = 0;

	if (!like)
		return -ENOMEM;
	r = index_find(&v->reports, like);
	if (r)
		free(like);
	else
		err = index_add(&v->reports, r = like);
	if (err) {
		free(like);
		return err;
	}
	r->host = host;
	strncpy(r->state, said->state, sizeof(r->state) - 1);
	free(r->problem);
	r->problem = *said->problem ? strdup(said->problem) : NULL;
	return 0;
}

int vmc_report(struct vmc *v, struct vmc_host *host, const cJSON *vports)
{
	const cJSON *vport;
	int err = 0;

	cJSON_ArrayForEach(vport, vports) {
		struct msg_vport said;

		msg_vport(vport, &said);
		if (objset_find(&host->desired, said.id))
			err = err ?: note(v, host, &said);
	}
	return err;
}

/* The instance "<tenant>.<name>" says where it is; NULL: there is none. */
static struct instance *instance_named(const struct vmc *v, const char *name)
{
	const char *dot = strchr(name, '.');
	char tenant[MODEL_TENANT_LEN];

	if (!dot || (size_t)(dot - name) >= sizeof(tenant))
		return NULL;
	memcpy(tenant, name, dot - name);
	tenant[dot - name] = '\0';
	return (struct instance *)model_set_find(v->o.set, KIND_INSTANCE, tenant, dot + 1);
}

static const char *refusal(const struct vmc_session *s, const struct msg_bind *b)
{
	const struct instance *i = instance_named(s->vmc, b->instance);
	const struct host *host = i ? host_of(i) : NULL;

	/* One answer for what is not there and for what is not this host's business. */
	if (!host || strcmp(host->o.name, s->host->name))
		return "no such instance on this host";
	if (b->device && i->spec.device && strcmp(i->spec.device, b->device))
		return "the instance is declared with another device";
	return NULL;
}

int vmc_bind(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	struct msg_bound answer;
	struct msg_bind b;
	char *text;
	cJSON *o;
	int err = msg_read_bind(msg, &b, e);

	if (err)
		return err;
	answer = (struct msg_bound){ b.instance, refusal(s, &b) };
	o = msg_bound(&answer);
	text = o ? cJSON_PrintUnformatted(o) : NULL;
	if (text)
		s->front.send(s->arg, text, strlen(text));
	free(text);
	cJSON_Delete(o);
	return text ? 0 : -ENOMEM;
}

cJSON *vmc_vport_status(struct vmc *v, const char *id)
{
	struct vport_report *like = report_new(id), *r = like ? index_find(&v->reports, like) : NULL;
	cJSON *o = r ? cJSON_CreateObject() : NULL;

	free(like);
	if (!o)
		return NULL;
	cJSON_AddStringToObject(o, "host", r->host->name);
	cJSON_AddStringToObject(o, "state", r->state);
	if (r->problem)
		cJSON_AddStringToObject(o, "problem", r->problem);
	return o;
}
