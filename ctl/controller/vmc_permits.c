// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_permits.c - permits at hosts that another controller leads, and for senders that it leads
 *
 * offload.h decides with numbers, permits.h is how it is said; here one becomes the
 * other. An answer repeats what was asked, so who asks remembers nothing. Who is asked
 * remembers whom to answer when the host has the permit: one asker of each permit, the
 * latest, since a sender has one leader.
 */
#include <ctl/controller/vmc_session.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <ctl/controller/permits.h>

struct asker {
	struct offload_route permit;
	int64_t term;
	uint64_t n;
	vmc_answer_fn answer;
	void *to;
};

static uint64_t asker_hash(const void *entry)
{
	const struct offload_route *r = &((const struct asker *)entry)->permit;

	return XXH3_64bits_withSeed(&r->src, sizeof(r->src), (uint64_t)r->host << 32 | r->network);
}

static bool asker_same(const void *a, const void *b)
{
	const struct offload_route *x = &((const struct asker *)a)->permit;
	const struct offload_route *y = &((const struct asker *)b)->permit;

	return x->host == y->host && x->network == y->network && ip_addr_equal(&x->src, &y->src);
}

void vmc_permits_init(struct vmc *v)
{
	index_init(&v->askers, asker_hash, asker_same);
}

void vmc_permits_done(struct vmc *v)
{
	struct asker *a;

	for (size_t i = 0; (a = index_next(&v->askers, &i));)
		free(a);
	index_done(&v->askers);
}

static void asker_forget(struct vmc *v, struct asker *a)
{
	index_del(&v->askers, a);
	free(a);
}

static struct asker *asker_of(const struct vmc *v, const struct offload_route *permit)
{
	struct asker like = { .permit = *permit };

	return index_find(&v->askers, &like);
}

/* Out of memory costs the answer: who asked will ask again. */
static void asker_note(struct vmc *v, const struct asker *now)
{
	struct asker *a = asker_of(v, &now->permit);

	if (a) {
		*a = *now;
		return;
	}
	a = malloc(sizeof(*a));
	if (!a)
		return;
	*a = *now;
	if (index_add(&v->askers, a))
		free(a);
}

/* In words. */

static const char *in_words(const struct vmc *v, const struct offload_route *permit, int64_t term,
			    uint64_t bps, char buf[PERMIT_TEXT_LEN])
{
	const struct vmc_host *host = vmc_host_at(&v->engine, permit->host);
	const struct vmc_host *from = vmc_host_at(&v->engine, permit->peer);
	struct permit_text p = { .src = permit->src, .term = term, .bps = bps };

	strcpy(p.host, host->name);
	strcpy(p.from, from->name);
	strcpy(p.network, v->network_names[permit->network - 1]);
	return permit_format(&p, buf);
}

void vmc_permits_say(struct vmc *v, const struct offload_change *c)
{
	bool doubt = c->say == OFFLOAD_DOUBT;
	const struct vmc_host *to = vmc_host_at(&v->engine, doubt ? c->route.peer : c->route.host);
	const struct vmc_host *from = vmc_host_at(&v->engine, c->route.peer);
	char text[PERMIT_TEXT_LEN];

	if (v->o.say)
		v->o.say(v->o.arg, to->name,
			 doubt ? PERMIT_DOUBT : c->present ? PERMIT_WANTED : PERMIT_GIVEN_BACK,
			 c->seq, in_words(v, &c->route, from->term, c->bps, text));
	if (!doubt && !c->present)
		offload_acked(v->offload, &c->route, c->seq, vmc_now(v));	/* it is theirs now */
}

static void reply(const struct vmc *v, const struct asker *a, enum permit_kind kind)
{
	char text[PERMIT_TEXT_LEN];

	a->answer(a->to, kind, a->n, in_words(v, &a->permit, a->term, 0, text));
}

void vmc_permits_acked(struct vmc *v, const struct offload_route *permit)
{
	struct asker *a = asker_of(v, permit);

	if (!a || !offload_is_granted(v->offload, permit))
		return;
	reply(v, a, PERMIT_GRANTED);
	asker_forget(v, a);
}

/* Those of whom nothing is wanted any more, or whose host is another's. */
void vmc_permits_tick(struct vmc *v)
{
	struct asker *a;

	for (size_t i = 0; (a = index_next(&v->askers, &i));)
		if (!vmc_host_at(&v->engine, a->permit.host)->owned ||
		    offload_is_granted(v->offload, &a->permit)) {
			asker_forget(v, a);
			i--;			/* the next one has moved up */
		}
}

void vmc_permit_gone(struct vmc *v, const void *to)
{
	struct asker *a;

	for (size_t i = 0; (a = index_next(&v->askers, &i));)
		if (a->to == to) {
			asker_forget(v, a);
			i--;			/* the next one has moved up */
		}
}

/* What is said to us. */

/* In numbers; false: of hosts or a network nobody here knows. */
static bool in_numbers(struct vmc *v, const struct permit_text *p, struct offload_route *ret)
{
	struct vmc_host *host = vmc_host_find(&v->engine, p->host);
	struct vmc_host *from = vmc_host_find(&v->engine, p->from);
	uint32_t network = vmc_network_known(v, p->network);

	if (!host || !from || host == from || !network)
		return false;
	*ret = (struct offload_route){ .host = host->number, .network = network, .src = p->src,
				       .peer = from->number };
	vmc_offload_led(v, host);
	vmc_offload_led(v, from);
	return true;
}

/* Only what our model says, too: the permit is made of it. Else nothing; it will be asked again. */
static void wanted(struct vmc *v, const struct permit_text *p, struct asker *a)
{
	const struct host *at = vmc_offload_host(v, p->network, &p->src);
	enum offload_answer said;

	if (!at || strcmp(at->o.name, p->from) || !vmc_network_number(v, p->network) ||
	    !in_numbers(v, p, &a->permit) || !vmc_host_at(&v->engine, a->permit.host)->owned)
		return;
	said = offload_asked(v->offload, &a->permit, p->bps, a->term, vmc_now(v));
	if (said == OFFLOAD_LATER)
		asker_note(v, a);
	else if (said != OFFLOAD_STALE)
		reply(v, a, said == OFFLOAD_GRANTED ? PERMIT_GRANTED : PERMIT_REFUSED);
}

static void given_back(struct vmc *v, const struct asker *by)
{
	struct asker *a = asker_of(v, &by->permit);

	offload_given_back(v->offload, &by->permit, by->term);
	if (a && a->to == by->to)
		asker_forget(v, a);
}

static void heard(struct vmc *v, enum permit_kind kind, const struct permit_text *p,
		  struct asker *a)
{
	if (kind == PERMIT_WANTED)
		wanted(v, p, a);
	if (kind == PERMIT_WANTED || !in_numbers(v, p, &a->permit))
		return;
	if (kind == PERMIT_GIVEN_BACK)
		given_back(v, a);
	else if (kind == PERMIT_DOUBT && !offload_is_of_use(v->offload, &a->permit, vmc_now(v)))
		reply(v, a, PERMIT_UNUSED);
	else if (kind == PERMIT_UNUSED)
		offload_unused(v->offload, &a->permit, a->n);
	else if (kind == PERMIT_GRANTED)
		offload_acked(v->offload, &a->permit, a->n, vmc_now(v));
	else if (kind == PERMIT_REFUSED)
		offload_refused(v->offload, &a->permit, a->n);
}

int vmc_permit(struct vmc *v, char kind, uint64_t n, const char *text, size_t len,
	       vmc_answer_fn answer, void *to, struct error *e)
{
	struct asker a = { .n = n, .answer = answer, .to = to };
	struct permit_text p;
	int err = permit_read(text, len, &p, e);

	if (err || !v->ready)
		return err;
	a.term = p.term;
	heard(v, kind, &p, &a);
	vmc_offload_drain(v);
	vmc_schedule(v);
	return 0;
}
