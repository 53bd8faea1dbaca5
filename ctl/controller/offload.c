// SPDX-License-Identifier: BSD-2-Clause
/*
 * offload.c - the life of a pair, from the report that names it to its withdrawal
 *
 * What a pair does next depends on the acknowledgement of one of its two routes, so
 * offload_acked() walks the pairs of one route. A pair changes its state only in
 * pair_transition().
 *
 * See also: offload.h (the order and why), offload_routes.h (what is told), offload_far.c (several
 * controllers), docs/hoverboards.md.
 */
#include <ctl/controller/offload.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <ctl/controller/offload_routes.h>

#define COLD_NS_DEFAULT 30000000000ull
#define HOST_MAX_DEFAULT 1024

static uint64_t pair_hash(const void *entry)
{
	const struct offload_pair *p = &((const struct pair *)entry)->p;
	struct ip_addr both[2] = { p->src, p->dst };

	return XXH3_64bits_withSeed(both, sizeof(both), p->network);
}

static bool pair_same(const void *a, const void *b)
{
	const struct offload_pair *x = &((const struct pair *)a)->p;
	const struct offload_pair *y = &((const struct pair *)b)->p;

	return x->network == y->network && ip_addr_equal(&x->src, &y->src) &&
	       ip_addr_equal(&x->dst, &y->dst);
}

static struct offload_route use_of(const struct offload_pair *p)
{
	return (struct offload_route){ .host = p->src_host, .network = p->network,
				       .src = p->src, .dst = p->dst, .peer = p->dst_host };
}

static struct offload_route permit_of(const struct offload_pair *p)
{
	return (struct offload_route){ .host = p->dst_host, .network = p->network,
				       .src = p->src, .peer = p->src_host };
}

/* Pairs. */

void pair_transition(struct offload *o, struct pair *p, enum pair_state to)
{
	if (to == PAIR_DIRECT) {
		p->use->wanted++;
		o->stats.n_offloaded++;
	} else if (p->state == PAIR_DIRECT) {
		p->use->wanted--;
		p->use->adopted = false;	/* the pair has answered for it */
		o->stats.n_withdrawn++;
	}
	p->state = to;
	p->in_force = false;
	p->cold_ns = 0;
	route_settle(&o->t, p->use);
}

void pair_unlink(struct offload *o, struct pair *p)
{
	LIST_REMOVE(p, by_use);
	LIST_REMOVE(p, by_permit);
	LIST_REMOVE(p, by_sender);
	LIST_REMOVE(p, by_receiver);
	p->permit->wanted--;
	TAILQ_REMOVE(&o->all, p, all);
	index_del(&o->pairs, p);
	free(p);
}

void pair_free(struct offload *o, struct pair *p)
{
	struct route *use = p->use;

	if (p->state == PAIR_DIRECT)
		pair_transition(o, p, PAIR_LEAVING);
	pair_unlink(o, p);
	route_free_if_done(&o->t, use);		/* and the permit with it */
}

static struct pair *pair_new(struct offload *o, const struct offload_pair *want, uint64_t now_ns)
{
	const struct offload_route use = use_of(want), permit = permit_of(want);
	struct pair *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->p = *want;
	p->born_ns = p->seen_ns = now_ns;
	p->use = route_get(&o->t, &use);
	p->permit = route_get(&o->t, &permit);
	if (!p->use || !p->permit || index_add(&o->pairs, p)) {
		if (p->permit)
			route_free_if_done(&o->t, p->permit);
		if (p->use)
			route_free_if_done(&o->t, p->use);
		free(p);
		return NULL;
	}
	LIST_INSERT_HEAD(&p->use->uses, p, by_use);
	LIST_INSERT_HEAD(&p->permit->permits, p, by_permit);
	LIST_INSERT_HEAD(&routes_host(&o->t, want->src_host)->sends, p, by_sender);
	LIST_INSERT_HEAD(&routes_host(&o->t, want->dst_host)->receives, p, by_receiver);
	TAILQ_INSERT_TAIL(&o->all, p, all);
	p->state = PAIR_PERMIT;
	p->permit->wanted++;
	route_settle(&o->t, p->permit);
	return p;
}

/* Goes as far as the acknowledgements allow. The pair may be gone afterwards. */
static void pair_go_on(struct offload *o, struct pair *p, uint64_t now_ns)
{
	if (p->state == PAIR_PERMIT && route_in_force(p->permit))
		pair_transition(o, p, PAIR_DIRECT);
	if (p->state == PAIR_DIRECT && !p->in_force && route_in_force(p->use)) {
		p->in_force = true;
		o->latency[o->n_latency++ % OFFLOAD_LATENCIES] = now_ns - p->born_ns;
	}
	if (p->state == PAIR_LEAVING && route_in_force(p->use))
		pair_free(o, p);
}

static struct pair *colder(struct pair *a, struct pair *b)
{
	if (b->state != PAIR_DIRECT)
		return a;
	return !a || b->p.bps < a->p.bps ? b : a;
}

bool offload_has_room(struct offload *o, const struct offload_route *route, uint64_t bps)
{
	struct offload_host *h = routes_host(&o->t, route->host);
	struct pair *p, *coldest = NULL;

	if (!h)
		return false;
	if (h->n_routes < o->o.host_max || route_find(&o->t, route))
		return true;
	LIST_FOREACH(p, &h->sends, by_sender)
		coldest = colder(coldest, p);
	LIST_FOREACH(p, &h->receives, by_receiver)
		coldest = colder(coldest, p);
	if (coldest && coldest->p.bps < bps) {
		pair_transition(o, coldest, PAIR_LEAVING);
		o->stats.n_evicted++;
	}
	return false;
}

/*
 * Its host sends straight already, told so by a controller before this one, and goes on:
 * whether the receiver has been heard yet is no reason to stop it.
 */
static void pair_adopt(struct offload *o, struct pair *p)
{
	pair_transition(o, p, PAIR_DIRECT);
	p->in_force = route_in_force(p->use);
}

static int pair_begin(struct offload *o, const struct offload_pair *want, uint64_t now_ns)
{
	const struct offload_route use = use_of(want), permit = permit_of(want);
	const struct route *known = route_find(&o->t, &use);
	bool adopted = want->direct && known && known->adopted;
	struct pair *p;

	/* That a host sends straight what nobody told it is old news. */
	if (want->direct ? !adopted : want->bps <= want->threshold_bps)
		return 0;
	if (!offload_has_room(o, &use, want->bps) || !offload_has_room(o, &permit, want->bps)) {
		o->stats.n_refused++;
		return 0;
	}
	p = pair_new(o, want, now_ns);
	if (!p)
		return -ENOMEM;
	if (adopted)
		pair_adopt(o, p);
	else
		pair_go_on(o, p, now_ns);
	return 0;
}

static void pair_seen(struct offload *o, struct pair *p, const struct offload_pair *now,
		      uint64_t now_ns)
{
	p->p = *now;
	p->seen_ns = now_ns;
	if (p->state == PAIR_LEAVING && now->bps > now->threshold_bps && route_in_force(p->permit)) {
		p->born_ns = now_ns;
		pair_transition(o, p, PAIR_DIRECT);
	}
	if (now->bps * 2 >= now->threshold_bps)
		p->cold_ns = 0;
	else if (!p->cold_ns)
		p->cold_ns = now_ns;
}

int offload_report(struct offload *o, const struct offload_pair *report, uint64_t now_ns)
{
	struct pair like = { .p = *report }, *p = index_find(&o->pairs, &like);

	if (report->src_host == report->dst_host)
		return 0;
	if (p && (p->p.src_host != report->src_host || p->p.dst_host != report->dst_host)) {
		pair_free(o, p);	/* an instance has moved */
		p = NULL;
	}
	if (!p)
		return pair_begin(o, report, now_ns);
	pair_seen(o, p, report, now_ns);
	return 0;
}

/* What happens to routes, and what the pairs make of it. */

void offload_acked(struct offload *o, const struct offload_route *route, uint64_t seq,
		   uint64_t now_ns)
{
	struct route *r = route_find(&o->t, route);
	struct pair *p, *next;

	if (!r || seq > r->seq)
		return;
	if (seq == r->seq)
		r->asking = false;
	if (seq <= r->acked)
		return;
	r->acked = seq;
	if (!route_in_force(r))
		return;			/* it has changed again meanwhile */
	r->held = true;
	for (p = LIST_FIRST(&r->permits); p; p = next) {
		next = LIST_NEXT(p, by_permit);
		pair_go_on(o, p, now_ns);
	}
	for (p = LIST_FIRST(&r->uses); p; p = next) {
		next = LIST_NEXT(p, by_use);
		pair_go_on(o, p, now_ns);
	}
	r->held = false;
	route_free_if_done(&o->t, r);
}

int offload_adopt(struct offload *o, const struct offload_route *route, uint64_t now_ns)
{
	struct route *r = route_find(&o->t, route);

	if (r)
		return 0;		/* what is wanted now is told anyway */
	r = route_get(&o->t, route);
	if (!r)
		return -ENOMEM;
	r->adopted = r->present = true;
	r->adopted_ns = now_ns;
	r->seq = r->acked = ++o->t.seq;
	return 0;
}

static void forget_route(struct offload *o, struct route *r)
{
	struct pair *p;

	r->held = true;
	while ((p = LIST_FIRST(&r->uses)))
		pair_free(o, p);
	while ((p = LIST_FIRST(&r->permits)))
		pair_free(o, p);
	r->held = false;
	if (r->adopted && route_is_permit(r) && routes_host(&o->t, r->r.peer)->far) {
		route_renew(&o->t, r);		/* whoever asked for it sees the same and gives it back */
		return;
	}
	r->adopted = false;
	route_settle(&o->t, r);
	route_free_if_done(&o->t, r);
}

void offload_forget(struct offload *o, uint32_t network, const struct ip_addr *addr)
{
	for (int end = 0; end < 2; end++) {
		struct place *place = routes_place(&o->t, network, addr);
		struct route *r, *next;

		for (r = place ? LIST_FIRST(&place->routes[end]) : NULL; r; r = next) {
			/* Its neighbours in the list are no part of its pairs that could go with it: held. */
			next = LIST_NEXT(r, by_place[end]);
			if (next)
				next->held = true;
			forget_route(o, r);
		}
	}
}

void offload_host_connected(struct offload *o, uint32_t host, bool connected, uint64_t now_ns)
{
	struct offload_host *h = routes_host(&o->t, host);
	struct pair *p;

	if (!h || h->connected == connected)
		return;
	h->connected = connected;
	h->connected_ns = now_ns;
	LIST_FOREACH(p, &h->sends, by_sender)
		p->seen_ns = now_ns;	/* silence counts from here */
}

/* Time. */

static bool pair_is_cold(struct offload *o, const struct pair *p, uint64_t now_ns)
{
	if (!routes_host(&o->t, p->p.src_host)->connected)
		return false;
	if (p->cold_ns && now_ns - p->cold_ns >= o->o.cold_ns)
		return true;
	return now_ns - p->seen_ns >= o->o.cold_ns;
}

/* Has the host been heard for so long, with @since_ns the earliest that counts? */
static bool has_been_heard(const struct offload_host *h, uint64_t since_ns, uint64_t long_ns,
			   uint64_t now_ns)
{
	uint64_t from = h->connected_ns > since_ns ? h->connected_ns : since_ns;

	return h->connected && now_ns - from >= long_ns;
}

/*
 * Nobody reports what this route is for. A direct route goes after one cold period and
 * a permit after two, the sender before the receiver; and not before the sender could
 * have said something, because one that cannot be heard may still be sending.
 */
static void age_adopted(struct offload *o, struct route *r, uint64_t now_ns)
{
	bool permit = route_is_permit(r);
	struct offload_host *sender = routes_host(&o->t, permit ? r->r.peer : r->r.host);

	if (sender->far) {
		far_age(o, r, now_ns);
		return;
	}
	if (!has_been_heard(sender, r->adopted_ns, o->o.cold_ns * (1 + permit), now_ns))
		return;
	r->adopted = false;
	route_settle(&o->t, r);
}

void offload_tick(struct offload *o, uint64_t now_ns)
{
	struct route *r;
	struct pair *p, *next;

	for (p = TAILQ_FIRST(&o->all); p; p = next) {
		next = TAILQ_NEXT(p, all);
		if (p->state == PAIR_LEAVING || !pair_is_cold(o, p, now_ns))
			continue;
		if (p->state == PAIR_DIRECT)
			pair_transition(o, p, PAIR_LEAVING);
		else
			pair_free(o, p);	/* its receiver never took it */
	}
	for (size_t i = 0; (r = index_next(&o->t.routes, &i));) {
		if (r->adopted)
			age_adopted(o, r, now_ns);
		if (r->asking && routes_host(&o->t, r->r.host)->far)
			route_queue(&o->t, r);
	}
}

/* What the caller takes out. */

static struct offload_change change_of(const struct routes *t, const struct route *r)
{
	const struct offload_host like = { .id = r->r.host }, *h = index_find(&t->hosts, &like);
	struct offload_change c = { .seq = r->seq, .route = r->r, .present = r->present };
	const struct pair *p;

	c.say = h->far ? OFFLOAD_ASK : r->news ? OFFLOAD_TELL : OFFLOAD_DOUBT;
	if (c.say == OFFLOAD_DOUBT)
		c.seq = r->doubt;
	LIST_FOREACH(p, &r->permits, by_permit)
		if (p->p.bps > c.bps)
			c.bps = p->p.bps;
	return c;
}

bool offload_next(struct offload *o, struct offload_change *ret)
{
	struct route *r = TAILQ_FIRST(&o->t.queue);

	if (!r)
		return false;
	*ret = change_of(&o->t, r);
	TAILQ_REMOVE(&o->t.queue, r, queue);
	r->queued = r->news = false;
	return true;
}

void offload_each_route(const struct offload *o, uint32_t host,
			void (*fn)(const struct offload_change *c, void *arg), void *arg)
{
	const struct offload_host like = { .id = host }, *h = index_find(&o->t.hosts, &like);
	const struct route *r;

	if (!h)
		return;
	LIST_FOREACH(r, &h->routes, by_host) {
		const struct offload_change c = change_of(&o->t, r);

		if (r->present)
			fn(&c, arg);
	}
}

static int by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void offload_stats(const struct offload *o, struct offload_stats *ret)
{
	uint64_t sorted[OFFLOAD_LATENCIES], n = o->n_latency < OFFLOAD_LATENCIES ? o->n_latency : OFFLOAD_LATENCIES;
	const struct pair *p;

	*ret = o->stats;
	ret->n_pairs = o->pairs.n;
	ret->n_routes = o->t.routes.n;
	TAILQ_FOREACH(p, &o->all, all)
		ret->n_direct += p->in_force;
	memcpy(sorted, o->latency, n * sizeof(sorted[0]));
	qsort(sorted, n, sizeof(sorted[0]), by_value);
	if (n) {
		ret->p50_ns = sorted[n / 2];
		ret->p99_ns = sorted[n * 99 / 100];
	}
}

void offload_each(const struct offload *o,
		  void (*fn)(const struct offload_pair *p, void *arg), void *arg)
{
	const struct pair *p;

	TAILQ_FOREACH(p, &o->all, all)
		if (p->in_force)
			fn(&p->p, arg);
}

/* Birth and death. */

struct offload *offload_new(const struct offload_options *options)
{
	struct offload *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->o.cold_ns = options->cold_ns ?: COLD_NS_DEFAULT;
	o->o.host_max = options->host_max ?: HOST_MAX_DEFAULT;
	routes_init(&o->t);
	index_init(&o->pairs, pair_hash, pair_same);
	TAILQ_INIT(&o->all);
	return o;
}

void offload_free(struct offload *o)
{
	struct pair *p;

	if (!o)
		return;
	for (size_t i = 0; (p = index_next(&o->pairs, &i));)
		free(p);
	index_done(&o->pairs);
	routes_done(&o->t);
	free(o);
}
