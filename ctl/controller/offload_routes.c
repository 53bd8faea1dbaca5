// SPDX-License-Identifier: BSD-2-Clause
/*
 * offload_routes.c - what hosts are to be told, counted by the pairs that want it
 */
#include <ctl/controller/offload_routes.h>

#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

static bool addr_is_zero(const struct ip_addr *a)
{
	return !(a->w[0] | a->w[1] | a->w[2] | a->w[3]);
}

/* Keys. */

static uint64_t route_hash(const void *entry)
{
	const struct offload_route *r = &((const struct route *)entry)->r;
	struct ip_addr both[2] = { r->src, r->dst };

	return XXH3_64bits_withSeed(both, sizeof(both), (uint64_t)r->host << 32 | r->network);
}

static bool route_same(const void *a, const void *b)
{
	const struct offload_route *x = &((const struct route *)a)->r;
	const struct offload_route *y = &((const struct route *)b)->r;

	return x->host == y->host && x->network == y->network &&
	       ip_addr_equal(&x->src, &y->src) && ip_addr_equal(&x->dst, &y->dst);
}

static uint64_t place_hash(const void *entry)
{
	const struct place *p = entry;

	return XXH3_64bits_withSeed(&p->addr, sizeof(p->addr), p->network);
}

static bool place_same(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->network == y->network && ip_addr_equal(&x->addr, &y->addr);
}

static uint64_t host_hash(const void *entry)
{
	return ((const struct offload_host *)entry)->id * 0x9e3779b97f4a7c15ull >> 20;
}

static bool host_same(const void *a, const void *b)
{
	return ((const struct offload_host *)a)->id == ((const struct offload_host *)b)->id;
}

/* Hosts and places. */

struct offload_host *routes_host(struct routes *t, uint32_t id)
{
	struct offload_host like = { .id = id }, *h = index_find(&t->hosts, &like);

	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->id = id;
	LIST_INIT(&h->routes);
	LIST_INIT(&h->sends);
	LIST_INIT(&h->receives);
	if (index_add(&t->hosts, h)) {
		free(h);
		return NULL;
	}
	return h;
}

struct place *routes_place(const struct routes *t, uint32_t network, const struct ip_addr *addr)
{
	struct place like = { .network = network, .addr = *addr };

	return index_find(&t->places, &like);
}

static struct place *place_get(struct routes *t, uint32_t network, const struct ip_addr *addr)
{
	struct place *p = routes_place(t, network, addr);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->network = network;
	p->addr = *addr;
	LIST_INIT(&p->routes[0]);
	LIST_INIT(&p->routes[1]);
	if (index_add(&t->places, p)) {
		free(p);
		return NULL;
	}
	return p;
}

static void place_free_if_done(struct routes *t, struct place *p)
{
	if (!p || !LIST_EMPTY(&p->routes[0]) || !LIST_EMPTY(&p->routes[1]))
		return;
	index_del(&t->places, p);
	free(p);
}

/* Routes. */

struct route *route_find(const struct routes *t, const struct offload_route *like)
{
	struct route key = { .r = *like };

	return index_find(&t->routes, &key);
}

struct route *route_get(struct routes *t, const struct offload_route *like)
{
	struct offload_host *h = routes_host(t, like->host);
	struct route *r = route_find(t, like);
	bool permit = addr_is_zero(&like->dst);

	if (r)
		r->r.peer = like->peer;		/* the instance may have moved */
	if (r || !h)
		return r;
	r = calloc(1, sizeof(*r));
	if (!r)
		return NULL;
	r->r = *like;
	LIST_INIT(&r->uses);
	LIST_INIT(&r->permits);
	r->places[0] = place_get(t, like->network, &like->src);
	r->places[1] = permit ? NULL : place_get(t, like->network, &like->dst);
	if (!r->places[0] || (!permit && !r->places[1]) || index_add(&t->routes, r)) {
		place_free_if_done(t, r->places[0]);
		place_free_if_done(t, r->places[1]);
		free(r);
		return NULL;
	}
	for (int i = 0; i < 2 - permit; i++)
		LIST_INSERT_HEAD(&r->places[i]->routes[i], r, by_place[i]);
	LIST_INSERT_HEAD(&h->routes, r, by_host);
	h->n_routes++;
	return r;
}

/* A direct route that no pair answers for any more, and that its sender may still have. */
static bool is_orphan(const struct route *r)
{
	return !route_is_permit(r) && LIST_EMPTY(&r->uses);
}

/* What needs this permit without being a pair that wants it. */
static bool has_orphan(const struct route *permit)
{
	const struct route *r;

	LIST_FOREACH(r, &permit->places[0]->routes[0], by_place[0])
		if (is_orphan(r) && r->r.peer == permit->r.host)
			return true;
	return false;
}

struct route *route_permit_of(const struct routes *t, const struct offload_route *use)
{
	const struct offload_route like = { .host = use->peer, .network = use->network,
					    .src = use->src };

	return route_find(t, &like);
}

/* The last that needed its permit may have gone. */
static void settle_permit(struct routes *t, const struct offload_route *use)
{
	struct route *permit = route_permit_of(t, use);

	if (!permit)
		return;
	route_settle(t, permit);
	route_free_if_done(t, permit);
}

void route_free_if_done(struct routes *t, struct route *r)
{
	const struct offload_route was = r->r;
	bool permit = route_is_permit(r);

	if (r->held || r->present || r->queued || !route_in_force(r) ||
	    !LIST_EMPTY(&r->uses) || !LIST_EMPTY(&r->permits))
		return;
	for (int i = 0; i < 2 && r->places[i]; i++) {
		LIST_REMOVE(r, by_place[i]);
		place_free_if_done(t, r->places[i]);
	}
	LIST_REMOVE(r, by_host);
	routes_host(t, r->r.host)->n_routes--;
	index_del(&t->routes, r);
	free(r);
	if (!permit)
		settle_permit(t, &was);
}

void route_queue(struct routes *t, struct route *r)
{
	if (!r->queued)
		TAILQ_INSERT_TAIL(&t->queue, r, queue);
	r->queued = true;
}

void route_renew(struct routes *t, struct route *r)
{
	r->seq = ++t->seq;
	r->news = true;
	r->asking = r->present;
	route_queue(t, r);
}

void route_settle(struct routes *t, struct route *r)
{
	bool present = r->wanted || r->adopted || (route_is_permit(r) && has_orphan(r));

	if (present == r->present)
		return;
	r->present = present;
	route_renew(t, r);
}

void route_drop(struct routes *t, struct route *r)
{
	if (r->queued)
		TAILQ_REMOVE(&t->queue, r, queue);
	r->queued = r->present = r->adopted = false;
	r->acked = r->seq;
	route_free_if_done(t, r);
}

/* Birth and death. */

void routes_init(struct routes *t)
{
	*t = (struct routes){};
	index_init(&t->routes, route_hash, route_same);
	index_init(&t->places, place_hash, place_same);
	index_init(&t->hosts, host_hash, host_same);
	TAILQ_INIT(&t->queue);
}

static void free_entries(struct index *x)
{
	void *entry;

	for (size_t i = 0; (entry = index_next(x, &i));)
		free(entry);
	index_done(x);
}

void routes_done(struct routes *t)
{
	free_entries(&t->routes);
	free_entries(&t->places);
	free_entries(&t->hosts);
}
