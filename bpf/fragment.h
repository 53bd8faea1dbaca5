/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fragment.h - later fragments follow the first one's verdict
 *
 *   first fragment   has ports: looked up like any packet, and leaves them here
 *   later fragment   takes them from here: the same flow, the same verdict
 *   later, too early nobody knows the ports: to the coprocessor, which holds it
 *
 * This is asked only after the 3-tuple has missed: flows that need no ports never
 * pay. Once one fragment of a datagram is held, the fast path marks the datagram
 * and hands over its first fragment as well; the coprocessor sends back the first and
 * then those it held, and from there on the fast path knows the ports. What overlaps
 * a piece that has passed is dropped, so that nothing rewrites what was judged.
 *
 * See also: maps/fragment.h (the table), agent/frag_hold.h (who holds).
 */
#pragma once

#include <bpf/hub.h>
#include <bpf/lookup.h>
#include <maps/fragment.h>

#define DATAGRAM_LIFE 1000u		/* stamps are about milliseconds */
#define DATAGRAM_STAMP_SHIFT 20

/* What fragment_note() says beside the drop reasons. */
#define FRAGMENT_HOLD 1

/* A fragment, as the table is asked about it; a later one gets its ports in answer. */
struct piece {
	__u64 digest;			/* of its datagram */
	struct fragment at;
	__u32 set;			/* key into map fragments */
	__u32 now;			/* as struct datagram.stamp */
	__u32 why;			/* pkt->why */
	__u32 is_first;
	__be16 sport, dport;
	__u32 proto;
};

/* The datagram's way, or the one to reuse for it: an old one, or else the oldest. */
static __always_inline struct datagram *datagram_find(struct datagram_set *set,
						      const struct piece *p)
{
	__u32 oldest = 0, age = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FRAGMENT_WAYS; i++) {
		struct datagram *d = &set->way[i & (FRAGMENT_WAYS - 1)];
		__u32 its = d->digest ? p->now - d->stamp : ~0u;

		if (d->digest == p->digest && its <= DATAGRAM_LIFE)
			return d;
		if (its >= age) {
			age = its;
			oldest = i;
		}
	}
	return &set->way[oldest & (FRAGMENT_WAYS - 1)];
}

static __always_inline void datagram_start(struct datagram *d, const struct piece *p)
{
	d->digest = p->digest;
	d->total = 0;
	d->state = DATAGRAM_NEW;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FRAGMENT_RANGES; i++)
		d->range[i] = 0;
}

static __always_inline int range_overlaps(const struct datagram *d, const struct fragment *at)
{
	if (d->total && (at->end > d->total || at->is_last))
		return 1;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FRAGMENT_RANGES; i++)
		if (at->begin < (d->range[i] & 0xffff) && d->range[i] >> 16 < at->end)
			return 1;
	return 0;
}

/* Takes in what the piece touches, and puts the union in a free place. */
static __always_inline int range_add(struct datagram *d, const struct fragment *at)
{
	__u32 begin = at->begin, end = at->end, place = FRAGMENT_RANGES;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < FRAGMENT_RANGES; i++) {
		__u32 r = d->range[i], its_begin = r >> 16, its_end = r & 0xffff;

		if (r && its_end != begin && its_begin != end)
			continue;
		if (r && its_end == begin)
			begin = its_begin;
		else if (r)
			end = its_end;
		d->range[i] = 0;
		place = i;
	}
	if (place >= FRAGMENT_RANGES)
		return DROP(FRAGMENT_LIMIT);
	d->range[place] = begin << 16 | end;
	if (at->is_last)
		d->total = at->end;
	if (d->total && !begin && end == d->total)
		d->digest = 0;		/* complete: its id may come again */
	return CONTINUE;
}

/*
 * Under the set's lock. CONTINUE: the piece has its ports. What returns from a miss was
 * noted on its way there; what returns from being held was judged there.
 */
static __always_inline int set_note(struct datagram_set *set, struct piece *p)
{
	struct datagram *d = datagram_find(set, p);

	if (d->digest != p->digest || p->now - d->stamp > DATAGRAM_LIFE)
		datagram_start(d, p);
	d->stamp = p->now;
	if (d->state == DATAGRAM_NEW && p->is_first)
		d->state = DATAGRAM_OPEN;
	if (d->state == DATAGRAM_HELD && p->is_first && p->why == HUB_FRAGMENT)
		d->state = DATAGRAM_OPEN;
	if (d->state != DATAGRAM_OPEN) {
		d->state = DATAGRAM_HELD;
		return FRAGMENT_HOLD;
	}
	if (!p->why && range_overlaps(d, &p->at))
		return DROP(FRAGMENT_OVERLAP);
	if (p->is_first) {
		d->sport = p->sport;
		d->dport = p->dport;
		d->proto = p->proto;
	}
	p->sport = d->sport;
	p->dport = d->dport;
	p->proto = d->proto;
	return p->why == HUB_MISS ? CONTINUE : range_add(d, &p->at);
}

/* A function of its own for the verifier, which looks at it once and not on every way to it. */
__noinline int fragment_note(struct piece *p)
{
	struct datagram_set *set;
	__u32 i;
	int verdict;

	if (!p)
		return DROP(NO_PORT);
	i = p->set;
	set = bpf_map_lookup_elem(&fragments, &i);
	if (!set)
		return DROP(NO_PORT);
	bpf_spin_lock(&set->lock);
	verdict = set_note(set, p);
	bpf_spin_unlock(&set->lock);
	return verdict;
}

/* RFC 791: source, destination, protocol, id; RFC 8200 section 4.5: the same without the protocol. */
static __always_inline __u64 datagram_digest(struct pkt *pkt, __be32 id)
{
	struct flow_key *key = &pkt->key;
	__be16 sport = key->sport, dport = key->dport;
	__u8 proto = key->proto;
	__u64 digest;

	if (pkt->frame.kind == FRAME_IPV6)
		key->proto = 0;
	key->tuple = 0;			/* no flow's digest */
	key->sport = id >> 16;
	key->dport = id;
	digest = flow_digest(key, flow_secret);
	key->sport = sport;
	key->dport = dport;
	key->proto = proto;
	key->tuple = FLOW_TUPLE_5;
	return digest ?: 1;
}

static __always_inline __u32 datagram_set_of(const struct pkt *pkt, __u64 digest)
{
	__u32 hash = digest >> 32;

	if (!pkt->from_fabric)
		return pkt->port * FRAGMENT_PORT_SETS + (hash & (FRAGMENT_PORT_SETS - 1));
	return PORT_MAX * FRAGMENT_PORT_SETS +
	       fabric_class(&pkt->key.outer) * FRAGMENT_CLASS_SETS +
	       (hash & (FRAGMENT_CLASS_SETS - 1));
}

/* For a fragment whose flow needs ports. CONTINUE: pkt->key is whole. FRAGMENT_HOLD: only the coprocessor can tell. */
static __noinline int fragment_follow(struct pkt *pkt)
{
	struct piece p = {};
	int verdict;

	if (frame_fragment(pkt->data, pkt->end, &pkt->frame, &p.at))
		return DROP(SHORT_FRAME);
	p.digest = datagram_digest(pkt, p.at.id);
	p.set = datagram_set_of(pkt, p.digest);
	p.now = bpf_ktime_get_ns() >> DATAGRAM_STAMP_SHIFT;
	p.why = pkt->why;
	p.is_first = pkt->frame.fragment == FRAGMENT_FIRST;
	p.sport = pkt->key.sport;
	p.dport = pkt->key.dport;
	p.proto = pkt->key.proto;
	verdict = fragment_note(&p);
	if (verdict)
		return verdict;
	pkt->key.sport = p.sport;
	pkt->key.dport = p.dport;
	pkt->key.proto = p.proto;
	return CONTINUE;
}
