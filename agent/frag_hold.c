// SPDX-License-Identifier: BSD-2-Clause
/*
 * frag_hold.c - fragments that came before the one with the ports
 *
 * A datagram is a sorted list of pieces; a piece that has passed stays in it without
 * its frame, so that what overlaps is seen whether it was held or not. Datagrams
 * are found by hash, and expire in the order they began. A datagram that is open and holds
 * nothing only remembers ports: it makes room for another of its owner.
 *
 * See also: frag_hold.h (the picture), miss.c (the caller).
 */
#include "frag_hold.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <agent/flow_table.h>
#include <agent/xsk.h>
#include <mirach/port.h>

#define BUCKETS 256u
#define PIECES_MAX 256u			/* of one datagram: 64 KiB in pieces of a quarter of the smallest MTU */
#define OWNERS SENDERS		/* as flow_owner() counts them */

struct piece {
	uint16_t begin, end;
	struct iovec frame;		/* no base: it has passed */
};

struct datagram {
	TAILQ_ENTRY(datagram) by_age;
	LIST_ENTRY(datagram) by_hash;
	struct flow_key key;		/* without ports */
	__be32 id;
	uint32_t owner;
	uint64_t deadline_ns;
	bool open;			/* the three below are known */
	__be16 sport, dport;
	uint8_t proto;
	uint16_t total;			/* end of the last fragment; 0 = not seen */
	unsigned int n, room, n_held;
	struct piece *pieces;
};

struct frag_hold {
	const uint32_t *secret;
	unsigned int max, n_held, n_buffers, n_datagrams;
	TAILQ_HEAD(, datagram) ages;	/* oldest first */
	LIST_HEAD(bucket, datagram) buckets[BUCKETS];
	uint16_t buffers[OWNERS];	/* held by each owner's frames */
	uint16_t datagrams[OWNERS];
};

int frag_hold_new(const uint32_t *secret, unsigned int max, struct frag_hold **ret)
{
	struct frag_hold *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->secret = secret;
	h->max = max < FRAG_HOLD_MAX ? max : FRAG_HOLD_MAX;
	TAILQ_INIT(&h->ages);
	*ret = h;
	return 0;
}

static void forget_datagram(struct frag_hold *h, struct datagram *d)
{
	TAILQ_REMOVE(&h->ages, d, by_age);
	LIST_REMOVE(d, by_hash);
	h->datagrams[d->owner]--;
	h->n_datagrams--;
	free(d->pieces);
	free(d);
}

void frag_hold_free(struct frag_hold *h)
{
	if (!h)
		return;
	while (!TAILQ_EMPTY(&h->ages))
		forget_datagram(h, TAILQ_FIRST(&h->ages));
	free(h);
}

unsigned int frag_hold_count(const struct frag_hold *h)
{
	return h->n_held;
}

/* What all fragments of a datagram have in common: RFC 791; RFC 8200 section 4.5 leaves the protocol out. */
static struct flow_key common_key(const struct flow_key *key)
{
	struct flow_key common = *key;

	common.sport = 0;
	common.dport = 0;
	common.tuple = 0;
	if (!ip_addr_is_v4(&key->src))
		common.proto = 0;
	return common;
}

static struct bucket *bucket_of(struct frag_hold *h, const struct flow_key *common, __be32 id)
{
	struct flow_key key = *common;

	key.sport = id >> 16;
	key.dport = id;
	return &h->buckets[flow_digest(&key, h->secret) % BUCKETS];
}

static struct datagram *find(struct frag_hold *h, const struct flow_key *key, __be32 id)
{
	struct flow_key common = common_key(key);
	struct datagram *d;

	LIST_FOREACH(d, bucket_of(h, &common, id), by_hash)
		if (d->id == id && flow_key_equal(&d->key, &common))
			return d;
	return NULL;
}

/* Forgets the oldest datagram of @owner that holds nothing. */
static bool make_room(struct frag_hold *h, uint32_t owner)
{
	struct datagram *d;

	TAILQ_FOREACH(d, &h->ages, by_age)
		if (d->owner == owner && !d->n_held) {
			forget_datagram(h, d);
			return true;
		}
	return false;
}

static struct datagram *find_or_begin(struct frag_hold *h, const struct flow_key *key, __be32 id,
				      uint64_t now_ns)
{
	struct datagram *d = find(h, key, id);
	uint32_t owner = flow_owner(key);

	if (d)
		return d;
	if ((h->datagrams[owner] >= FRAG_HOLD_OWNER || h->n_datagrams >= h->max) &&
	    !make_room(h, owner))
		return NULL;
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->key = common_key(key);
	d->id = id;
	d->owner = owner;
	d->deadline_ns = now_ns + FRAG_HOLD_NS;
	TAILQ_INSERT_TAIL(&h->ages, d, by_age);
	LIST_INSERT_HEAD(bucket_of(h, &d->key, id), d, by_hash);
	h->datagrams[owner]++;
	h->n_datagrams++;
	return d;
}

static bool contradicts_total(const struct datagram *d, const struct fragment *at)
{
	if (d->total && (at->is_last || at->end > d->total))
		return true;
	return at->is_last && d->n && d->pieces[d->n - 1].end > at->end;
}

/* Puts a piece in its place. Returns 0 or -enum drop_reason. */
static int insert(struct datagram *d, const struct fragment *at, const struct iovec *frame)
{
	struct piece piece = { .begin = at->begin, .end = at->end };
	unsigned int i = d->n;

	while (i && d->pieces[i - 1].begin >= at->end)
		i--;
	if (contradicts_total(d, at) || (i && d->pieces[i - 1].end > at->begin))
		return -REASON_FRAGMENT_OVERLAP;
	if (d->n == d->room) {
		unsigned int room = d->room ? 2 * d->room : 8;
		struct piece *more = NULL;

		if (room <= PIECES_MAX)
			more = realloc(d->pieces, room * sizeof(*more));
		if (!more)
			return -REASON_FRAGMENT_LIMIT;
		d->pieces = more;
		d->room = room;
	}
	if (frame)
		piece.frame = *frame;
	memmove(&d->pieces[i + 1], &d->pieces[i], (d->n - i) * sizeof(piece));
	d->pieces[i] = piece;
	d->n++;
	if (at->is_last)
		d->total = at->end;
	return 0;
}

/* A frame is a chain of them, each full but the last. */
static unsigned int buffers_of(const struct iovec *frame)
{
	return frame->iov_len <= XSK_BUFFER ? 1 : (frame->iov_len + XSK_BUFFER - 1) / XSK_BUFFER;
}

static int hold(struct frag_hold *h, struct datagram *d, const struct fragment *at,
		const struct iovec *frame)
{
	unsigned int n = buffers_of(frame);
	int err;

	if (h->n_buffers + n > h->max || h->buffers[d->owner] + n > FRAG_HOLD_OWNER)
		return -REASON_FRAGMENT_LIMIT;
	err = insert(d, at, frame);
	if (err)
		return err;
	d->n_held++;
	h->buffers[d->owner] += n;
	h->n_buffers += n;
	h->n_held++;
	return FRAG_HELD;
}

int frag_hold_later(struct frag_hold *h, struct flow_key *key, const struct fragment *at,
		    const struct iovec *frame, uint64_t now_ns)
{
	struct datagram *d = find_or_begin(h, key, at->id, now_ns);

	if (!d)
		return -REASON_FRAGMENT_LIMIT;
	if (!d->open)
		return hold(h, d, at, frame);
	key->sport = d->sport;
	key->dport = d->dport;
	key->proto = d->proto;
	return insert(d, at, NULL);
}

int frag_hold_first(struct frag_hold *h, const struct flow_key *key, const struct fragment *at,
		    uint64_t now_ns)
{
	struct datagram *d = find_or_begin(h, key, at->id, now_ns);
	int err;

	if (!d)
		return -REASON_FRAGMENT_LIMIT;
	err = insert(d, at, NULL);
	if (err)
		return err;
	d->open = true;
	d->sport = key->sport;
	d->dport = key->dport;
	d->proto = key->proto;
	return 0;
}

static bool take_next(struct frag_hold *h, struct datagram *d, struct iovec *ret)
{
	for (unsigned int i = 0; d->n_held && i < d->n; i++) {
		struct piece *p = &d->pieces[i];

		if (!p->frame.iov_base)
			continue;
		*ret = p->frame;
		p->frame = (struct iovec){};
		d->n_held--;
		h->buffers[d->owner] -= buffers_of(ret);
		h->n_buffers -= buffers_of(ret);
		h->n_held--;
		return true;
	}
	return false;
}

bool frag_hold_take(struct frag_hold *h, const struct flow_key *key, const struct fragment *at,
		    struct iovec *ret)
{
	struct datagram *d = find(h, key, at->id);

	return d && d->open && take_next(h, d, ret);
}

bool frag_hold_expired(struct frag_hold *h, uint64_t now_ns, struct iovec *ret)
{
	struct datagram *d;

	while ((d = TAILQ_FIRST(&h->ages)) && d->deadline_ns <= now_ns) {
		if (take_next(h, d, ret))
			return true;
		forget_datagram(h, d);
	}
	return false;
}
