// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_engine.c - what every host is to have, kept up to date change by change
 */
#include <ctl/controller/vmc_engine.h>

#include <stdio.h>
#include <errno.h>
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

static bool is_told(void *arg, const char *host, const char *id)
{
	const struct vmc_host *h = vmc_host_find(arg, host);

	return h && objset_find(&h->told, id);
}

void vmc_init(struct vmc_engine *e, struct model_set *set,
	      bool (*owns)(void *arg, const char *host), void *arg, struct programming *programming)
{
	*e = (struct vmc_engine){ .owns = owns, .arg = arg, .programming = programming };
	e->in = (struct vmc_input){ .set = set, .is_told = is_told, .arg = e };
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
		objset_done(&h->told);
		free(h->tracks.v);
		free(h->sent.v);
		free(h);
	}
	index_done(&e->hosts);
	free(e->numbered);
	vmc_remotes_done(&e->in.remotes);
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
	return (struct host *)model_set_find(e->in.set, KIND_HOST, "", name);
}

struct vmc_host *vmc_host_at(const struct vmc_engine *e, uint32_t number)
{
	return number && number <= e->hosts.n ? e->numbered[number - 1] : NULL;
}

static struct vmc_host *host_new(struct vmc_engine *e, const char *name)
{
	struct vmc_host *h = calloc(1, sizeof(*h));
	struct vmc_host **numbered = realloc(e->numbered, (e->hosts.n + 1) * sizeof(h));

	if (!h || !numbered)
		return NULL;
	strncpy(h->name, name, sizeof(h->name) - 1);
	h->owned = !e->owns || e->owns(e->arg, name);
	e->numbered = numbered;
	numbered[e->hosts.n] = h;
	h->number = e->hosts.n + 1;
	return index_add(&e->hosts, h) ? NULL : h;
}

/* The engine's own record of a Host, which outlives it: sessions and queues point there. */
struct vmc_host *vmc_host_get(struct vmc_engine *e, const char *name)
{
	struct vmc_host *h = vmc_host_find(e, name) ?: host_new(e, name);

	if (h)
		return h;
	log_error("out of memory for a host; starting again from the store");
	abort();
}

static void host_note(struct vmc_engine *e, const char *name, bool declared)
{
	vmc_host_get(e, name)->declared = declared;
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

static void empty_host(struct vmc_engine *e, struct vmc_host *h)
{
	objset_done(&h->desired);
	objset_done(&h->pending);
	tracks_end(e->programming, &h->tracks, h->owned ? 0 : -ESTALE, e->now_ns);
	tracks_end(e->programming, &h->sent, h->owned ? 0 : -ESTALE, e->now_ns);
	objset_done(&h->told);
	h->under_way = false;
}

void vmc_loaded(struct vmc_engine *e, uint64_t revision, uint64_t now_ns)
{
	struct track *t = programming_open(e->programming, 0);
	struct object *o;
	struct vmc_host *h;

	e->now_ns = now_ns;
	for (size_t i = 0; (o = model_set_next(e->in.set, KIND_HOST, &i));)
		host_note(e, o->name, true);
	for (size_t i = 0; (h = index_next(&e->hosts, &i));) {
		bool owned = !e->owns || e->owns(e->arg, h->name);

		if (e->applied && owned == h->owned)
			continue;
		h->owned = owned;
		empty_host(e, h);
		fill_host(e, h);
		if (h->owned && h->declared)
			tracks_add(e->programming, &h->tracks, t, now_ns);
	}
	e->applied = e->settled = revision;
	programming_close(e->programming, t, revision, now_ns);
	programming_from(e->programming, revision);
}

/* Change by change. */

void vmc_begin(struct vmc_engine *e, uint64_t start_ns, uint64_t now_ns)
{
	e->now_ns = now_ns;
	e->track = programming_open(e->programming, start_ns);
}

void vmc_end(struct vmc_engine *e, uint64_t revision)
{
	struct track *t = e->track;

	e->track = NULL;
	if (revision > e->applied)
		e->applied = revision;
	programming_close(e->programming, t, revision, e->now_ns);
	if (!e->turn)
		e->settled = e->applied;
}

static bool same_boards(const struct network *a, const struct network *b)
{
	const struct name_list *x = &a->spec.hoverboards, *y = &b->spec.hoverboards;

	return x->n == y->n && (!x->n || !memcmp(x->v, y->v, x->n * sizeof(x->v[0])));
}

static bool same_addrs(const struct addr_list *a, const struct addr_list *b)
{
	if (a->n != b->n)
		return false;
	for (unsigned int i = 0; i < a->n; i++)
		if (!ip_addr_equal(&a->v[i].ip, &b->v[i].ip))
			return false;
	return true;
}

static bool same_place(const struct instance *a, const struct instance *b)
{
	return !strcmp(a->spec.host, b->spec.host) && !strcmp(a->spec.network, b->spec.network) &&
	       !memcmp(a->spec.mac, b->spec.mac, ETH_ADDR_LEN) &&
	       same_addrs(&a->spec.addresses, &b->spec.addresses);
}

/* What was told to go straight to these addresses is over. */
static void instance_moved(struct vmc_engine *e, const struct instance *i)
{
	const struct network *net = (struct network *)i->network.to;

	for (unsigned int k = 0; net && e->moved && k < i->spec.addresses.n; k++)
		e->moved(e->moved_arg, net, &i->spec.addresses.v[k].ip);
}

/* Is whoever is at its addresses, or at those of its instances, somewhere else than before? */
static bool has_moved(const struct object *old, const struct object *next)
{
	if (!old || !next)
		return true;
	if (old->kind == KIND_INSTANCE)
		return !same_place((const struct instance *)old, (const struct instance *)next);
	return old->kind == KIND_HOST && !same_addrs(&((const struct host *)old)->spec.underlay,
						     &((const struct host *)next)->spec.underlay);
}

static void tell_moved(struct vmc_engine *e, const struct object *o)
{
	if (o->kind == KIND_INSTANCE)
		instance_moved(e, (const struct instance *)o);
	for (const struct ref *r = o->kind == KIND_HOST ? ((const struct host *)o)->instances : NULL; r;
	     r = r->next)
		instance_moved(e, ref_from(r, struct instance));
}

void vmc_changing(struct vmc_engine *e, struct object *old, const struct object *next)
{
	e->moves = has_moved(old, next);
	e->wholly = !old || !next || old->kind != KIND_NETWORK ||
		    !same_boards((struct network *)old, (const struct network *)next);
	if (!old)
		return;
	if (e->moves)
		tell_moved(e, old);
	vmc_touch(e, old, e->wholly);
	if (old->kind == KIND_HOST && !next)
		host_note(e, old->name, false);
}

void vmc_changed(struct vmc_engine *e, struct object *now)
{
	if (now->kind == KIND_HOST)
		host_note(e, now->name, true);
	if (e->moves)
		tell_moved(e, now);
	vmc_touch(e, now, e->wholly);
}

void vmc_announced(struct vmc_engine *e, struct remote_network *o)
{
	char region[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	struct remote_network *old = vmc_remotes_find(&e->in.remotes, o->o.tenant, o->o.name);

	memcpy(region, o->o.tenant, sizeof(region));
	memcpy(name, o->o.name, sizeof(name));
	if (old)
		vmc_touch(e, &old->o, false);
	if (vmc_remotes_put(&e->in.remotes, e->in.set, o)) {
		log_warn("announcement in quarantine, the last good one stays", "region", region,
			 "name", name);
		return;
	}
	vmc_touch(e, &vmc_remotes_find(&e->in.remotes, region, name)->o, false);
}

void vmc_withdrawn(struct vmc_engine *e, const char *region, const char *name)
{
	struct remote_network *old = vmc_remotes_find(&e->in.remotes, region, name);

	if (old)
		vmc_touch(e, &old->o, false);
	vmc_remotes_del(&e->in.remotes, region, name);
}

void vmc_unreadable(struct vmc_engine *e, const char *region, const char *name, const char *why)
{
	vmc_remotes_unreadable(&e->in.remotes, region, name, why);
	log_warn("announcement cannot be read, the last good one stays", "region", region, "name",
		 name, "why", why);
}

bool vmc_tell(struct vmc_engine *e, const char *host, const char *id, bool present, uint64_t now_ns)
{
	struct vmc_host *h = vmc_host_find(e, host);

	e->now_ns = now_ns;
	if (!h || !h->owned)
		return false;
	if (!present)
		objset_del(&h->told, id);
	else if (objset_put(&h->told, id, &(struct digest){}) < 0)
		return false;
	if (!vmc_refresh(e, h, id, &e->scratch))
		return true;
	if (objset_put(&h->pending, id, &(struct digest){}) < 0)
		return false;
	vmc_make_ready(e, h);
	return true;
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
