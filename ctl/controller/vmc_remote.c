// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_remote.c - what other regions announce, kept apart and believed with care
 */
#include <ctl/controller/vmc_remote.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static uint64_t group_hash(const void *entry)
{
	const struct remote_group *g = entry;

	return XXH3_64bits(g->network, strlen(g->network));
}

static bool group_same(const void *a, const void *b)
{
	return !strcmp(((const struct remote_group *)a)->network,
		       ((const struct remote_group *)b)->network);
}

static uint64_t bad_hash(const void *entry)
{
	const struct quarantined *q = entry;

	return XXH3_64bits(q->region, strlen(q->region)) ^
	       XXH3_64bits_withSeed(q->name, strlen(q->name), 1);
}

static bool bad_same(const void *a, const void *b)
{
	const struct quarantined *x = a, *y = b;

	return !strcmp(x->region, y->region) && !strcmp(x->name, y->name);
}

void vmc_remotes_init(struct vmc_remotes *r)
{
	model_set_init(&r->good);
	index_init(&r->by_network, group_hash, group_same);
	index_init(&r->bad, bad_hash, bad_same);
}

void vmc_remotes_done(struct vmc_remotes *r)
{
	struct remote_group *g;
	void *bad;

	for (size_t i = 0; (g = index_next(&r->by_network, &i));) {
		free(g->v);
		free(g);
	}
	for (size_t i = 0; (bad = index_next(&r->bad, &i));)
		free(bad);
	index_done(&r->by_network);
	index_done(&r->bad);
	model_set_done(&r->good);
}

static struct remote_group *group_find(const struct vmc_remotes *r, const char *network)
{
	struct remote_group like = {};

	snprintf(like.network, sizeof(like.network), "%s", network);
	return index_find(&r->by_network, &like);
}

/* Out of memory costs the announcement, no more: it is left out of its group. */
static void group_add(struct vmc_remotes *r, struct remote_network *o)
{
	struct remote_group *g = group_find(r, o->spec.network);
	struct remote_network **v;

	if (!g) {
		g = calloc(1, sizeof(*g));
		if (!g)
			return;
		snprintf(g->network, sizeof(g->network), "%s", o->spec.network);
		if (index_add(&r->by_network, g)) {
			free(g);
			return;
		}
	}
	v = realloc(g->v, (g->n + 1) * sizeof(*v));
	if (!v)
		return;
	g->v = v;
	g->v[g->n++] = o;
}

static void group_del(struct vmc_remotes *r, const struct remote_network *o)
{
	struct remote_group *g = group_find(r, o->spec.network);

	for (unsigned int i = 0; g && i < g->n; i++)
		if (g->v[i] == o)
			g->v[i--] = g->v[--g->n];
	if (!g || g->n)
		return;
	index_del(&r->by_network, g);
	free(g->v);
	free(g);
}

static void forgive(struct vmc_remotes *r, const char *region, const char *name)
{
	struct quarantined like = {}, *q;

	snprintf(like.region, sizeof(like.region), "%s", region);
	snprintf(like.name, sizeof(like.name), "%s", name);
	q = index_find(&r->bad, &like);
	if (!q)
		return;
	index_del(&r->bad, q);
	free(q);
}

void vmc_remotes_unreadable(struct vmc_remotes *r, const char *region, const char *name,
			    const char *reason)
{
	struct quarantined *q = calloc(1, sizeof(*q));

	forgive(r, region, name);
	if (!q)
		return;
	snprintf(q->region, sizeof(q->region), "%s", region);
	snprintf(q->name, sizeof(q->name), "%s", name);
	snprintf(q->reason, sizeof(q->reason), "%s", reason);
	if (index_add(&r->bad, q))
		free(q);
}

static const char *what_is_wrong(const struct model_set *region, const struct remote_network *o)
{
	if (!o->spec.vni)
		return "no VNI";
	if (!o->spec.gateways.n)
		return "no gateways";
	if (!o->spec.prefixes.n)
		return "no prefixes";
	for (unsigned int i = 0; i < o->spec.gateways.n; i++) {
		const struct ip_addr *a = &o->spec.gateways.v[i].ip;

		if (ip_addr_is_zero(a) || ip_addr_is_multicast(a) || ip_addr_is_loopback(a))
			return "a gateway that no host can have";
		if (model_set_by_underlay(region, a, NULL))
			return "a gateway that is a host of this region";
	}
	return NULL;
}

int vmc_remotes_put(struct vmc_remotes *r, const struct model_set *region,
		    struct remote_network *o)
{
	const char *wrong = what_is_wrong(region, o);
	struct remote_network *old = vmc_remotes_find(r, o->o.tenant, o->o.name);
	struct object *now;

	if (wrong) {
		vmc_remotes_unreadable(r, o->o.tenant, o->o.name, wrong);
		model_free(&o->o);
		return -EINVAL;
	}
	forgive(r, o->o.tenant, o->o.name);
	if (old)
		group_del(r, old);
	model_free(model_set_put(&r->good, &o->o, &now));
	group_add(r, (struct remote_network *)now);
	return 0;
}

void vmc_remotes_del(struct vmc_remotes *r, const char *region, const char *name)
{
	struct remote_network *old = vmc_remotes_find(r, region, name);

	forgive(r, region, name);
	if (!old)
		return;
	group_del(r, old);
	model_free(model_set_del(&r->good, KIND_REMOTE_NETWORK, region, name));
}

struct remote_network *vmc_remotes_find(const struct vmc_remotes *r, const char *region,
					const char *name)
{
	return (struct remote_network *)model_set_find(&r->good, KIND_REMOTE_NETWORK, region, name);
}

const struct remote_group *vmc_remotes_of(const struct vmc_remotes *r, const struct network *net)
{
	char path[MODEL_PATH_LEN];

	snprintf(path, sizeof(path), "%s/%s", net->o.tenant, net->o.name);
	return r->by_network.n ? group_find(r, path) : NULL;
}
