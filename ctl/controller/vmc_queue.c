// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_queue.c - a queue of (host, id) per network, served in turn
 */
#include <ctl/controller/vmc_engine.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include <lib/log.h>

#define TURN 32u			/* pairs a network gets before the next one's turn */

static uint64_t dirty_hash(const void *entry)
{
	const struct vmc_dirty *d = entry;

	return XXH3_64bits_withSeed(d->id, strlen(d->id), (uintptr_t)d->host);
}

static bool dirty_same(const void *a, const void *b)
{
	const struct vmc_dirty *x = a, *y = b;

	return x->host == y->host && !strcmp(x->id, y->id);
}

static uint64_t queue_hash(const void *entry)
{
	const struct vmc_queue *q = entry;

	return XXH3_64bits(q->network, strlen(q->network));
}

static bool queue_same(const void *a, const void *b)
{
	return !strcmp(((const struct vmc_queue *)a)->network,
		       ((const struct vmc_queue *)b)->network);
}

/* Half a change must not be believed: the process starts again from the store. */
static void *must(void *memory)
{
	if (memory)
		return memory;
	log_error("out of memory while changes were worked out; starting again from the store");
	abort();
}

static void must_add(struct index *x, void *entry)
{
	if (index_add(x, entry))
		must(NULL);
}

void vmc_queues_init(struct vmc_engine *e)
{
	index_init(&e->dirty, dirty_hash, dirty_same);
	index_init(&e->queues, queue_hash, queue_same);
	e->turn = NULL;
	e->turn_end = &e->turn;
}

/* Tracks are let go without a word: whoever frees the engine frees who waits, too. */
void vmc_queues_done(struct vmc_engine *e)
{
	struct vmc_dirty *d;
	struct vmc_queue *q;

	for (size_t i = 0; (d = index_next(&e->dirty, &i));) {
		free(d->tracks.v);
		free(d);
	}
	for (size_t i = 0; (q = index_next(&e->queues, &i));)
		free(q);
	index_done(&e->dirty);
	index_done(&e->queues);
}

static struct vmc_queue *queue_of(struct vmc_engine *e, const char *network)
{
	struct vmc_queue like = {}, *q;

	strncpy(like.network, network, sizeof(like.network) - 1);
	q = index_find(&e->queues, &like);
	if (q)
		return q;
	q = must(calloc(1, sizeof(*q)));
	*q = like;
	q->end = &q->first;
	must_add(&e->queues, q);
	*e->turn_end = q;
	e->turn_end = &q->next;
	return q;
}

static struct vmc_dirty *dirty_find(const struct vmc_engine *e, struct vmc_host *host,
				    const char *id)
{
	union {
		struct vmc_dirty d;
		char room[sizeof(struct vmc_dirty) + VMC_ID_LEN];
	} like = {};

	like.d.host = host;
	memccpy(like.d.id, id, '\0', VMC_ID_LEN - 1);
	return index_find(&e->dirty, &like.d);
}

void vmc_queue_host(struct vmc_engine *e, const char *network, struct vmc_host *host,
		    const char *id)
{
	struct vmc_dirty *d = dirty_find(e, host, id);
	struct vmc_queue *q;

	if (!d) {
		size_t len = strlen(id) + 1;

		d = must(calloc(1, sizeof(*d) + len));
		d->host = host;
		memcpy(d->id, id, len);
		q = queue_of(e, network);
		*q->end = d;
		q->end = &d->next;
		must_add(&e->dirty, d);
	}
	tracks_add(e->programming, &d->tracks, e->track, e->now_ns);
}

void vmc_queue_add(struct vmc_engine *e, const struct network *net, const struct host *host,
		   const char *id)
{
	struct vmc_host *h = vmc_host_find(e, host->o.name);
	char name[VMC_NAME_LEN];

	if (h && h->owned)
		vmc_queue_host(e, net ? vmc_network_name(net, name) : "", h, id);
}

bool vmc_refresh(struct vmc_engine *e, struct vmc_host *host, const char *id, struct text *spec)
{
	struct host *declared = vmc_declared(e, host->name);
	struct digest v;
	int changed;

	e->specs++;
	if (!host->owned || !declared || !vmc_spec(&e->in, declared, id, spec)) {
		text_reset(spec);
		return objset_del(&host->desired, id);
	}
	if (spec->failed)
		must(NULL);
	v = digest_of(spec->s, spec->len);
	changed = objset_put(&host->desired, id, &v);
	if (changed < 0)
		must(NULL);
	return changed;
}

static void work_on(struct vmc_engine *e, struct vmc_dirty *d)
{
	struct vmc_host *host = d->host;

	index_del(&e->dirty, d);
	if (!vmc_refresh(e, host, d->id, &e->scratch)) {
		/* Nothing new; but what is pending or under way may be what is waited for. */
		if (objset_find(&host->pending, d->id))
			tracks_move(e->programming, &host->tracks, &d->tracks, e->now_ns);
		else if (host->under_way)
			tracks_move(e->programming, &host->sent, &d->tracks, e->now_ns);
		else
			tracks_end(e->programming, &d->tracks, host->owned ? 0 : -ESTALE, e->now_ns);
	} else {
		if (objset_put(&host->pending, d->id, &(struct digest){}) < 0)
			must(NULL);
		tracks_move(e->programming, &host->tracks, &d->tracks, e->now_ns);
		vmc_make_ready(e, host);
	}
	free(d);
}

/* One network's turn. Returns how many pairs it took. */
static unsigned int serve(struct vmc_engine *e, struct vmc_queue *q)
{
	unsigned int n = 0;

	while (q->first && n < TURN) {
		struct vmc_dirty *d = q->first;

		q->first = d->next;
		if (!q->first)
			q->end = &q->first;
		work_on(e, d);
		n++;
	}
	return n;
}

bool vmc_work(struct vmc_engine *e, unsigned int budget, uint64_t now_ns)
{
	e->now_ns = now_ns;
	while (e->turn && budget) {
		struct vmc_queue *q = e->turn;
		unsigned int n = serve(e, q);

		budget = budget > n ? budget - n : 0;
		e->turn = q->next;
		if (!e->turn)
			e->turn_end = &e->turn;
		q->next = NULL;
		if (q->first) {
			*e->turn_end = q;
			e->turn_end = &q->next;
		} else {
			index_del(&e->queues, q);
			free(q);
		}
	}
	if (!e->turn)
		e->settled = e->applied;
	return e->turn;
}
