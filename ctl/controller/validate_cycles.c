// SPDX-License-Identifier: BSD-2-Clause
/*
 * validate_cycles.c - routes that lead from network to network and back
 *
 *	A ──10.0.0.0/8──► B ──10.1.0.0/16──► A	a packet to 10.1.2.3 that no subnet of
 *						A or B covers would go round for ever
 *
 * First the cheap question: can prefixes be followed from the network through peers
 * back to it, with something left of their intersection? Only then the exact one:
 * inside what is left, the way of an address can change only where some prefix of
 * the networks on the way begins or ends, so one address of each piece is walked
 * as a hoverboard would: subnets first, then the longest prefix, then the priority.
 *
 * Peerings count when both sides declared them. A mesh of peerings so dense that this
 * takes long is refused, for everybody else waits meanwhile.
 */
#include <ctl/controller/validate_parts.h>

#include <stdio.h>
#include <string.h>

#define HOPS_MAX 32			/* networks one behind the other */
#define WORK_MAX 50000000ull		/* prefixes looked at, of a transaction: a quarter of a second */

struct search {
	struct validation *v;
	const struct network *start;
	const struct network *path[HOPS_MAX];
	const struct route *first;	/* the route the search left by */
	unsigned int depth;
	bool found;
};

/* Where a route into a peer leads; NULL: it is none, or the peering is not in force. */
static const struct network *peer_of(struct validation *v, const struct route *r)
{
	const struct peering *p = (const struct peering *)r->peering.to, *other;

	v->work++;
	if (!p || !p->o.present || p->network.to != r->network.to)
		return NULL;
	v->work += 50;				/* about what a look-up of the peer costs */
	other = model_set_peer(v->set, p);
	return other ? (const struct network *)other->network.to : NULL;
}

static bool better(const struct route *r, const struct route *than)
{
	if (!than || r->spec.prefix.len != than->spec.prefix.len)
		return !than || r->spec.prefix.len > than->spec.prefix.len;
	return r->spec.priority < than->spec.priority;
}

/* The next network on the way of @a; NULL: it arrives, is dropped or leaves. */
static const struct network *next_network(struct validation *v, const struct network *net,
					  const struct ip_addr *a)
{
	const struct route *best = NULL;

	if (model_set_subnet_of(net, a))
		return NULL;
	for (const struct ref *r = net->routes; r; r = r->next) {
		const struct route *route = ref_from(r, struct route);

		v->work++;
		if (ip_prefix_covers(&route->spec.prefix, a) && better(route, best))
			best = route;
	}
	return best ? peer_of(v, best) : NULL;
}

static bool returns(const struct search *s, const struct ip_addr *a)
{
	const struct network *net = s->start;

	for (unsigned int hop = 0; hop < HOPS_MAX; hop++) {
		if (s->v->work > WORK_MAX)
			return false;		/* check_cycles() says so */
		net = next_network(s->v, net, a);
		if (!net || net == s->start)
			return net;
	}
	return true;				/* round and round elsewhere, or as good as that */
}

/* The address behind the last one of @p; false: there is none. */
static bool addr_behind(const struct ip_prefix *p, struct ip_addr *ret)
{
	uint8_t *bytes = (uint8_t *)ret;
	unsigned int at = p->len ? (p->len - 1) / 8 : 0, carry = p->len ? 1u << (7 - (p->len - 1) % 8) : 0;

	*ret = p->addr;
	if (!p->len)
		return false;
	for (;; at--, carry = 1) {
		carry += bytes[at];
		bytes[at] = carry;
		if (carry < 256)
			return true;
		if (!at)
			return false;
	}
}

/* Tries the addresses where @p begins and where it has ended, as far as @in covers them. */
static bool returns_around(const struct search *s, const struct ip_prefix *in,
			   const struct ip_prefix *p)
{
	struct ip_addr behind;

	s->v->work++;
	if (ip_prefix_covers(in, &p->addr) && returns(s, &p->addr))
		return true;
	return addr_behind(p, &behind) && ip_prefix_covers(in, &behind) && returns(s, &behind);
}

static bool returns_in(const struct search *s, const struct ip_prefix *in)
{
	if (returns(s, &in->addr))
		return true;
	for (unsigned int i = 0; i <= s->depth; i++) {
		for (const struct ref *r = s->path[i]->subnets; r; r = r->next)
			if (returns_around(s, in, &ref_from(r, struct subnet)->spec.prefix))
				return true;
		for (const struct ref *r = s->path[i]->routes; r; r = r->next)
			if (returns_around(s, in, &ref_from(r, struct route)->spec.prefix))
				return true;
	}
	return false;
}

/* What @a and @b have in common: the longer one, if the other covers it. */
static bool intersect(const struct ip_prefix *a, const struct ip_prefix *b, struct ip_prefix *ret)
{
	const struct ip_prefix *wide = a->len < b->len ? a : b, *narrow = wide == a ? b : a;

	if (!ip_prefix_covers(wide, &narrow->addr))
		return false;
	*ret = *narrow;
	return true;
}

/* "acme/front"; to tenants, the networks of others have no names. */
static const char *name_for(const struct validation *v, const struct network *net,
			    char buf[MODEL_PATH_LEN])
{
	if (v->options->writer && strcmp(v->options->writer, net->o.tenant))
		return "a network of another tenant";
	snprintf(buf, MODEL_PATH_LEN, "%s/%s", net->o.tenant, net->o.name);
	return buf;
}

static void complain_cycle(struct search *s)
{
	char title[MODEL_TITLE_LEN], path[512], name[MODEL_PATH_LEN];
	size_t len = 0;

	for (unsigned int i = 0; i <= s->depth && len < sizeof(path); i++)
		len += snprintf(path + len, sizeof(path) - len, "%s, ",
				name_for(s->v, s->path[i], name));
	problems_object(s->v->problems, model_title(&s->first->o, title));
	complain(s->v, "spec.nextHop.peering", "leads in a circle: %s%s; make a prefix on the way"
		 " narrower, or send it elsewhere", len < sizeof(path) ? path : "",
		 name_for(s->v, s->start, name));
}

static void follow(struct search *s, const struct ip_prefix *in);

static bool on_path(const struct search *s, const struct network *net)
{
	for (unsigned int i = 1; i <= s->depth; i++)
		if (s->path[i] == net)
			return true;
	return false;
}

/* One route of the last network on the path, for what is left of @in. */
static void follow_route(struct search *s, const struct route *route, const struct ip_prefix *in)
{
	const struct network *peer = peer_of(s->v, route);
	struct ip_prefix left;

	if (!peer || !intersect(in, &route->spec.prefix, &left))
		return;
	if (!s->depth)
		s->first = route;
	if (peer == s->start) {
		if (returns_in(s, &left)) {
			complain_cycle(s);
			s->found = true;
		}
		return;
	}
	if (s->depth + 1 == HOPS_MAX || on_path(s, peer))
		return;
	s->path[++s->depth] = peer;
	follow(s, &left);
	s->depth--;
}

static void follow(struct search *s, const struct ip_prefix *in)
{
	const struct network *net = s->path[s->depth];

	for (const struct ref *r = net->routes; r && !s->found && s->v->work <= WORK_MAX; r = r->next)
		follow_route(s, ref_from(r, struct route), in);
}

void check_cycles(struct validation *v, const struct network *net)
{
	struct search s = { .v = v, .start = net, .path = { net } };
	char title[MODEL_TITLE_LEN];

	if (v->work > WORK_MAX)
		return;				/* that is a problem already */
	problems_object(v->problems, model_title(&net->o, title));
	for (const struct ref *r = net->routes; r && !s.found && v->work <= WORK_MAX; r = r->next) {
		const struct route *route = ref_from(r, struct route);

		s.depth = 0;
		follow_route(&s, route, &route->spec.prefix);
	}
	if (v->work > WORK_MAX)
		complain(v, "", "routes lead through so many peered networks that they cannot be"
			 " followed; use fewer routes into peerings");
}
