// SPDX-License-Identifier: BSD-2-Clause
/*
 * offload_far.c - pairs between hosts that different controllers lead
 *
 *	A leads the sender: has the pair			B leads the receiver
 *	pair above the threshold ──ask for the permit──►	told to the host, acknowledged
 *	direct route told        ◄──────granted─────────
 *	pair cold, route gone    ──────given back──────►	withdrawn
 *	(A has died) A's heir    ◄──still of use?───────	a permit nobody asked for long
 *	                         ──────no───────────────►	withdrawn
 *
 * Here the permit is a route of a far host: the change that offload_next() hands out is said to its
 * leader and not to the host. At B it is an adopted one, as those that a controller
 * before it told. B never takes it back by itself: a sender that cannot be heard may
 * still be sending. What leaders of the sender say is in order by their terms, also if an
 * earlier one is heard later. So either may die, and hosts may be led by others, without a pair
 * that is sent straight to a host that refuses it.
 *
 * See also: offload.h, permits.h (how it is said).
 */
#include <ctl/controller/offload_routes.h>

/* The direct route is another leader's from now on. Its permit may still be in use. */
static void let_go(struct offload *o, const struct offload_route *use, uint64_t now_ns)
{
	struct route *permit = route_permit_of(&o->t, use);

	if (!permit || permit->wanted || !permit->present)
		return;
	if (routes_host(&o->t, permit->r.host)->far) {
		route_drop(&o->t, permit);
		return;
	}
	permit->adopted = true;
	permit->adopted_ns = now_ns;
	permit->term = 0;
}

/* Its sender is another leader's. */
static void forget_pair(struct offload *o, struct pair *p)
{
	if (p->state == PAIR_DIRECT)
		p->use->wanted--;
	pair_unlink(o, p);
}

static void move(struct offload *o, struct offload_host *h, bool led, uint64_t now_ns)
{
	struct route *r, *next;
	struct pair *p;

	h->far = !led;
	h->connected = false;
	while (!led && (p = LIST_FIRST(&h->sends)))
		forget_pair(o, p);
	for (r = LIST_FIRST(&h->routes); r; r = next) {
		next = LIST_NEXT(r, by_host);
		if (!led && !route_is_permit(r))
			let_go(o, &r->r, now_ns);
		if (!r->wanted)
			route_drop(&o->t, r);
		else if (led)
			route_renew(&o->t, r);
	}
}

/* Whoever leads it now has to say, too, that all is there that is wanted. */
static void ask_again(struct offload *o, struct offload_host *h)
{
	struct route *r;

	LIST_FOREACH(r, &h->routes, by_host) {
		r->adopted = false;
		r->asking = r->present;
		route_queue(&o->t, r);
	}
}

void offload_host_led(struct offload *o, uint32_t host, bool led, int64_t term, uint64_t now_ns)
{
	struct offload_host *h = routes_host(&o->t, host);
	bool moves = h && h->far == led;

	if (!h || (!moves && h->term == term))
		return;
	h->term = term;
	if (moves)
		move(o, h, led, now_ns);
	if (!led)
		ask_again(o, h);
}

void offload_refused(struct offload *o, const struct offload_route *permit, uint64_t seq)
{
	struct route *r = route_find(&o->t, permit);
	struct pair *p, *next;

	if (!r || r->seq != seq || !r->asking)
		return;
	r->asking = false;
	r->acked = 0;				/* who is not in force must not be used again */
	o->stats.n_refused++;
	r->held = true;
	for (p = LIST_FIRST(&r->permits); p; p = next) {
		next = LIST_NEXT(p, by_permit);
		if (p->state == PAIR_DIRECT)
			pair_transition(o, p, PAIR_LEAVING);
		else if (p->state == PAIR_PERMIT)
			pair_free(o, p);
	}
	r->held = false;
	route_free_if_done(&o->t, r);
}

/* The other side. */

enum offload_answer offload_asked(struct offload *o, const struct offload_route *permit,
				  uint64_t bps, int64_t term, uint64_t now_ns)
{
	const struct offload_host *sender = routes_host(&o->t, permit->peer);
	struct route *r = route_find(&o->t, permit);
	bool moved = r && r->r.peer != permit->peer;

	if (!sender || term < sender->term || (r && !moved && term < r->term))
		return OFFLOAD_STALE;
	if (!r && !offload_has_room(o, permit, bps)) {
		o->stats.n_refused++;
		return OFFLOAD_REFUSED;
	}
	r = route_get(&o->t, permit);
	if (!r)
		return OFFLOAD_REFUSED;
	r->adopted = true;
	r->adopted_ns = now_ns;
	r->term = term;
	r->doubt = 0;
	route_settle(&o->t, r);
	if (moved)
		route_renew(&o->t, r);		/* it says another host now */
	return route_in_force(r) ? OFFLOAD_GRANTED : OFFLOAD_LATER;
}

static void withdraw(struct offload *o, struct route *r)
{
	r->adopted = false;
	route_settle(&o->t, r);
	route_free_if_done(&o->t, r);
}

void offload_given_back(struct offload *o, const struct offload_route *permit, int64_t term)
{
	struct route *r = route_find(&o->t, permit);

	if (r && r->adopted && r->term == term && r->r.peer == permit->peer)
		withdraw(o, r);
}

void offload_unused(struct offload *o, const struct offload_route *permit, uint64_t seq)
{
	struct route *r = route_find(&o->t, permit);

	if (r && r->adopted && r->doubt && r->doubt == seq)
		withdraw(o, r);
}

bool offload_is_granted(const struct offload *o, const struct offload_route *permit)
{
	const struct route *r = route_find(&o->t, permit);

	return r && r->present && route_in_force(r);
}

void far_age(struct offload *o, struct route *permit, uint64_t now_ns)
{
	if (now_ns - permit->adopted_ns < 2 * o->o.cold_ns)
		return;
	permit->adopted_ns = now_ns;
	permit->doubt = ++o->t.seq;
	route_queue(&o->t, permit);
}

bool offload_is_of_use(struct offload *o, const struct offload_route *permit, uint64_t now_ns)
{
	const struct offload_host *sender = routes_host(&o->t, permit->peer);
	const struct place *src = routes_place(&o->t, permit->network, &permit->src);
	const struct route *r;

	/* Who was not heard for long enough may use what nobody knows of. */
	if (!sender || sender->far || !sender->connected ||
	    now_ns - sender->connected_ns < 2 * o->o.cold_ns)
		return true;
	for (r = src ? LIST_FIRST(&src->routes[0]) : NULL; r; r = LIST_NEXT(r, by_place[0]))
		if (route_is_permit(r) ? r->r.host == permit->host : r->r.peer == permit->host)
			return true;
	return false;
}
