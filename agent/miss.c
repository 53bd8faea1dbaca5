// SPDX-License-Identifier: BSD-2-Clause
/*
 * miss.c - answers a batch of flow misses
 *
 * A batch often holds several frames of one new flow, and a frame may have been
 * under way while an earlier one opened its flow. So the table is asked before
 * the policy is, in the order the fast path looks: 3-tuple, then 5-tuple. A
 * published flow always agrees with the policy in force (flow_thread.c
 * revalidates), so whatever is found may be resumed.
 *
 * A fragment without ports is looked at twice: can the policy do without them? Only if not does
 * it wait for the first one.
 *
 * See also: miss.h (the picture), mirach/hub.h (the header), policy.h.
 */
#include "miss.h"

#include <string.h>

#include <agent/flow_watch.h>
#include <agent/xsk.h>
#include <mirach/hub.h>
#include <mirach/parse.h>

/* A punted frame, as far as it has been read. */
struct punted {
	struct hub_header *hub;
	struct flow_key key;		/* FLOW_TUPLE_5 */
	struct frame frame;
	struct fragment at;		/* fragments: where it belongs */
};

static bool is_ours(const struct hub_header *hub)
{
	return hub->udp.dport == wire16(HUB_UDP_PORT) && hub->version == HUB_VERSION &&
	       (hub->why == HUB_MISS || hub->why == HUB_FRAGMENT) && hub->verdict == HUB_PENDING;
}

/* Reads the frame behind the header, or says why it cannot be. */
static enum drop_reason read_frame(struct punted *p, size_t len)
{
	const struct hub_header *hub = p->hub;
	void *start = (void *)(hub + 1), *end = (char *)hub + (len < XSK_BUFFER ? len : XSK_BUFFER);
	int reason;

	if (!is_ours(hub))
		return REASON_HUB_HEADER;
	reason = parse_frame(start, end, &p->key, &p->frame);
	if (reason)
		return reason;
	if (p->frame.kind == FRAME_ARP)
		return REASON_ETHERTYPE;	/* answered by the fast path, never a miss */
	if (p->frame.end > len - sizeof(*hub))
		return REASON_IP_HEADER;
	if (p->frame.fragment && frame_fragment(start, end, &p->frame, &p->at))
		return REASON_SHORT_FRAME;
	p->key.scope = hub->scope;
	p->key.outer = hub->outer;
	p->key.tuple = FLOW_TUPLE_5;
	if (p->frame.fragment == FRAGMENT_LATER && hub->why == HUB_MISS) {
		p->key.sport = hub->sport;
		p->key.dport = hub->dport;
		p->key.proto = hub->proto;
	}
	return REASON_NONE;
}

static struct flow_key without_ports(struct flow_key key)
{
	key.sport = 0;
	key.dport = 0;
	key.tuple = FLOW_TUPLE_3;
	return key;
}

static void resume(const struct miss *m, struct hub_header *hub, uint32_t index)
{
	hub->verdict = HUB_RESUME;
	hub->flow = index;
	hub->gen = flow_table_get(m->table, index)->action.gen;
	m->counts->resumed++;
}

static void drop(const struct miss *m, struct hub_header *hub, enum drop_reason reason)
{
	hub->verdict = HUB_DROP;
	hub->reason = reason;
	m->counts->dropped++;
}

/* No room for the flow: a frame that may pass is lost to that, a forbidden one to its own reason. */
static enum drop_reason reason_without_flow(const struct decision *d)
{
	return d->action.verdict == ACTION_DROP ? d->action.reason : REASON_TABLE_FULL;
}

static void open_flow(const struct miss *m, struct hub_header *hub, const struct flow_key *key5,
		      const struct flow_key *key3)
{
	struct decision d;
	int64_t index;

	policy_compile(m->policy, key5, &d, NULL);
	index = flow_table_add(m->table, d.tuple == FLOW_TUPLE_3 ? key3 : key5, &d.action,
			       m->now_ns, NULL);
	if (index < 0) {
		drop(m, hub, reason_without_flow(&d));
		return;
	}
	flow_watch_set(flow_table_watch(m->table), index, d.way);
	m->counts->installed++;
	resume(m, hub, index);
}

static void decide(const struct miss *m, struct hub_header *hub, const struct flow_key *key5)
{
	struct flow_key key3 = without_ports(*key5);
	uint32_t index = flow_table_find(m->table, &key3) ?: flow_table_find(m->table, key5);

	if (index)
		resume(m, hub, index);
	else
		open_flow(m, hub, key5, &key3);
}

/* Whether the verdict depends on ports; the compiler tells from addresses and protocol alone. */
static bool needs_ports(const struct miss *m, const struct flow_key *key)
{
	struct decision d;

	policy_compile(m->policy, key, &d, NULL);
	return d.tuple == FLOW_TUPLE_5;
}

/* Those that waited for the fragment in @p, in order. */
static unsigned int release(const struct miss *m, const struct punted *p, struct iovec *ret)
{
	unsigned int n = 0;

	while (frag_hold_take(m->hold, &p->key, &p->at, &ret[n]))
		decide(m, ret[n++].iov_base, &p->key);
	return n;
}

/*
 * A fragment of a datagram that had one too early. Returns false if it is held;
 * what its coming releases is put into @ret_released and counted in @n_released.
 */
static bool answer_fragment(const struct miss *m, struct punted *p, const struct iovec *frame,
			    struct iovec *ret_released, unsigned int *n_released)
{
	int err = 0;

	if (needs_ports(m, &p->key)) {
		if (p->frame.fragment == FRAGMENT_LATER)
			err = frag_hold_later(m->hold, &p->key, &p->at, frame, m->now_ns);
		else
			err = frag_hold_first(m->hold, &p->key, &p->at, m->now_ns);
	}
	if (err == FRAG_HELD)
		return false;
	if (err) {
		drop(m, p->hub, -err);
		return true;
	}
	decide(m, p->hub, &p->key);
	*n_released += release(m, p, ret_released);
	return true;
}

/* False: the frame is held. */
static bool answer(const struct miss *m, const struct iovec *frame, struct iovec *ret_released,
		   unsigned int *n_released)
{
	struct punted p = { .hub = frame->iov_base };
	enum drop_reason reason = read_frame(&p, frame->iov_len);

	if (!reason && p.frame.fragment && p.hub->why == HUB_FRAGMENT)
		return answer_fragment(m, &p, frame, ret_released, n_released);
	if (reason)
		drop(m, p.hub, reason);
	else
		decide(m, p.hub, &p.key);
	return true;
}

unsigned int miss_answer(const struct miss *m, struct iovec *frames, unsigned int n)
{
	unsigned int kept = 0, n_released = 0;

	m->counts->misses += n;
	for (unsigned int i = 0; i < n; i++) {
		struct iovec frame = frames[i];

		if (frame.iov_len < sizeof(struct hub_header)) {
			frame.iov_len = 0;
			m->counts->dropped++;
		} else if (!answer(m, &frame, frames + n + n_released, &n_released)) {
			continue;
		}
		frames[kept++] = frame;
	}
	memmove(frames + kept, frames + n, n_released * sizeof(*frames));
	return kept + n_released;
}

unsigned int miss_expire(const struct miss *m, struct iovec *ret_frames, unsigned int max)
{
	unsigned int n = 0;

	while (n < max && frag_hold_expired(m->hold, m->now_ns, &ret_frames[n]))
		drop(m, ret_frames[n++].iov_base, REASON_FRAGMENT_TIMEOUT);
	return n;
}
