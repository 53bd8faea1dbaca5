// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_engine.c - what every host is to have, kept up to date change by change
 */
#include <ctl/controller/vmc_engine.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <lib/log.h>

static uint64_t host_hash(const void *entry)
{
	const struct vmc_host *h = entry;

	return XXH3_64bits(h->name, strlen(h->name));
}

static bool host_same(const void *a, const void *b)
{
	return !strcmp(((const struct vmc_host *)a)->name, ((const struct vmc_host *)b)->name);
}

void vmc_init(struct vmc_engine *e, bool (*owns)(void *arg, const char *host), void *arg,
	      struct programming *programming)
{
	*e = (struct vmc_engine){ .owns = owns, .arg = arg, .programming = programming };
	model_set_init(&e->set);
	e->in.set = &e->set;
	vmc_remotes_init(&e->in.remotes);
	index_init(&e->hosts, host_hash, host_same);
	vmc_queues_init(e);
	e->ready_end = &e->ready;
}

void vmc_done(struct vmc_engine *e)
{
	struct vmc_host *h;

	vmc_queues_done(e);
	for (size_t i = 0; (h = index_next(&e->hosts, &i));) {
		objset_done(&h->desired);
		objset_done(&h->pending);
		free(h->tracks.v);
		free(h->sent.v);
		free(h);
	}
	index_done(&e->hosts);
	vmc_remotes_done(&e->in.remotes);
	model_set_done(&e->set);
	text_done(&e->scratch);
}

struct vmc_host *vmc_host_find(const struct vmc_engine *e, const char *name)
{
	struct vmc_host like = {};

	strncpy(like.name, name, sizeof(like.name) - 1);
	return index_find(&e->hosts, &like);
}

struct host *vmc_declared(const struct vmc_engine *e, const char *name)
{
	return (struct host *)model_set_find(&e->set, KIND_HOST, "", name);
}

/* The engine's own record of a Host, which outlives it: sessions and queues point there. */
static struct vmc_host *host_note(struct vmc_engine *e, const char *name, bool declared)
{
	struct vmc_host *h = vmc_host_find(e, name);

	if (!h) {
		h = calloc(1, sizeof(*h));
		if (h) {
			strncpy(h->name, name, sizeof(h->name) - 1);
			h->owned = !e->owns || e->owns(e->arg, name);
		}
		if (!h || index_add(&e->hosts, h)) {
			log_error("out of memory for a host; starting again from the store");
			abort();
		}
	}
	h->declared = declared;
	return h;
}

void vmc_make_ready(struct vmc_engine *e, struct vmc_host *host)
{
	if (host->is_ready)
		return;
	host->is_ready = true;
	host->next_ready = NULL;
	*e->ready_end = host;
	e->ready_end = &host->next_ready;
}

struct vmc_host *vmc_next_ready(struct vmc_engine *e)
{
	struct vmc_host *h = e->ready;

	if (!h)
		return NULL;
	e->ready = h->next_ready;
	if (!e->ready)
		e->ready_end = &e->ready;
	h->is_ready = false;
	return h;
}

/* From nothing. */

struct fill {
	struct vmc_engine *e;
	struct vmc_host *host;
};

static void fill_id(void *arg, const char *id)
{
	struct fill *f = arg;

	if (!objset_find(&f->host->desired, id))
		vmc_refresh(f->e, f->host, id, &f->e->scratch);
}

static void fill_host(struct vmc_engine *e, struct vmc_host *h)
{
	struct host *declared = vmc_declared(e, h->name);
	struct fill f = { e, h };

	if (declared && h->owned)
		vmc_ids(&e->in, declared, fill_id, &f);
}

void vmc_load(struct vmc_engine *e, struct object *o)
{
	struct object *now;

	if (o->kind == KIND_REMOTE_NETWORK) {
		vmc_remotes_put(&e->in.remotes, &e->set, (struct remote_network *)o);
		return;
	}
	model_free(model_set_put(&e->set, o, &now));
	if (now->kind == KIND_HOST)
		host_note(e, now->name, true);
}

void vmc_loaded(struct vmc_engine *e, uint64_t revision, uint64_t now_ns)
{
	struct track *t = programming_open(e->programming, revision, 0);
	struct vmc_host *h;

	e->now_ns = now_ns;
	e->applied = e->settled = revision;
	for (size_t i = 0; (h = index_next(&e->hosts, &i));) {
		fill_host(e, h);
		if (h->owned && h->declared)
			tracks_add(e->programming, &h->tracks, t, now_ns);
	}
	programming_close(e->programming, t, now_ns);
}

/* Change by change. */

void vmc_begin(struct vmc_engine *e, uint64_t revision, uint64_t start_ns, uint64_t now_ns)
{
	e->now_ns = now_ns;
	e->track = programming_open(e->programming, revision, start_ns);
	e->applied = revision;
}

void vmc_end(struct vmc_engine *e)
{
	struct track *t = e->track;

	e->track = NULL;
	programming_close(e->programming, t, e->now_ns);
	if (!e->turn)
		e->settled = e->applied;
}

static void put_remote(struct vmc_engine *e, struct remote_network *o)
{
	char region[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	struct remote_network *old = vmc_remotes_find(&e->in.remotes, o->o.tenant, o->o.name);

	memcpy(region, o->o.tenant, sizeof(region));
	memcpy(name, o->o.name, sizeof(name));
	if (old)
		vmc_touch(e, &old->o, false);
	if (vmc_remotes_put(&e->in.remotes, &e->set, o)) {
		log_warn("announcement in quarantine, the last good one stays", "region", region,
			 "name", name);
		return;
	}
	old = vmc_remotes_find(&e->in.remotes, region, name);
	vmc_touch(e, &old->o, false);
}

static bool same_boards(const struct network *a, const struct network *b)
{
	const struct name_list *x = &a->spec.hoverboards, *y = &b->spec.hoverboards;

	return x->n == y->n && (!x->n || !memcmp(x->v, y->v, x->n * sizeof(x->v[0])));
}

void vmc_put(struct vmc_engine *e, struct object *o)
{
	struct object *old, *now;
	bool wholly = true;

	if (o->kind == KIND_REMOTE_NETWORK) {
		put_remote(e, (struct remote_network *)o);
		return;
	}
	old = model_set_find(&e->set, o->kind, o->tenant, o->name);
	if (old && o->kind == KIND_NETWORK)
		wholly = !same_boards((struct network *)old, (struct network *)o);
	if (old)
		vmc_touch(e, old, wholly);
	model_free(model_set_put(&e->set, o, &now));
	if (now->kind == KIND_HOST)
		host_note(e, now->name, true);
	vmc_touch(e, now, wholly);
}

void vmc_del(struct vmc_engine *e, enum kind kind, const char *tenant, const char *name)
{
	struct remote_network *remote;
	struct object *old;

	if (kind == KIND_REMOTE_NETWORK) {
		remote = vmc_remotes_find(&e->in.remotes, tenant, name);
		if (remote)
			vmc_touch(e, &remote->o, false);
		vmc_remotes_del(&e->in.remotes, tenant, name);
		return;
	}
	old = model_set_find(&e->set, kind, tenant, name);
	if (!old)
		return;
	vmc_touch(e, old, true);
	if (kind == KIND_HOST)
		host_note(e, name, false);
	model_free(model_set_del(&e->set, kind, tenant, name));
}

void vmc_unreadable(struct vmc_engine *e, const char *region, const char *name, const char *why)
{
	vmc_remotes_unreadable(&e->in.remotes, region, name, why);
	log_warn("announcement cannot be read, the last good one stays", "region", region, "name",
		 name, "why", why);
}

void vmc_touch_offload(struct vmc_engine *e, const char *host, const char *network,
		       const struct ip_addr *a, uint64_t now_ns)
{
	struct vmc_host *h = vmc_host_find(e, host);
	char id[VMC_ID_LEN], text[IP_ADDR_STRLEN];

	e->now_ns = now_ns;
	if (!h || !h->owned)
		return;
	snprintf(id, sizeof(id), "offload/%s/%s", network, ip_addr_format(a, text, sizeof(text)));
	vmc_queue_host(e, network, h, id);
}

/* Shards come and go. */

static void empty_host(struct vmc_engine *e, struct vmc_host *h)
{
	objset_done(&h->desired);
	objset_done(&h->pending);
	tracks_release(e->programming, &h->tracks, e->now_ns);
	tracks_release(e->programming, &h->sent, e->now_ns);
}

void vmc_shards_changed(struct vmc_engine *e, uint64_t now_ns)
{
	struct track *t = programming_open(e->programming, e->applied, 0);
	struct vmc_host *h;

	e->now_ns = now_ns;
	for (size_t i = 0; (h = index_next(&e->hosts, &i));) {
		bool owned = !e->owns || e->owns(e->arg, h->name);

		if (owned == h->owned)
			continue;
		h->owned = owned;
		empty_host(e, h);
		fill_host(e, h);
		if (owned && h->declared)
			tracks_add(e->programming, &h->tracks, t, now_ns);
	}
	programming_close(e->programming, t, now_ns);
}

void vmc_missing(const struct vmc_engine *e, uint64_t revision,
		 void (*add)(void *to, const char *host), void *to)
{
	const struct vmc_dirty *d;
	const struct vmc_host *h;

	for (size_t i = 0; (h = index_next(&e->hosts, &i));)
		if (tracks_hold(&h->tracks, revision) || tracks_hold(&h->sent, revision))
			add(to, h->name);
	for (size_t i = 0; (d = index_next(&e->dirty, &i));)
		if (tracks_hold(&d->tracks, revision))
			add(to, d->host->name);
}
