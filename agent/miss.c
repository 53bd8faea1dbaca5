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
 * See also: miss.h (the picture), mirach/hub.h (the header), policy.h.
 */
#include "miss.h"

#include <mirach/hub.h>
#include <mirach/parse.h>

static bool is_miss(const struct hub_header *hub)
{
	return hub->udp.dport == wire16(HUB_UDP_PORT) && hub->version == HUB_VERSION &&
	       hub->why == HUB_MISS && hub->verdict == HUB_PENDING;
}

/* The key of the frame behind @hub, or the reason why it has none. */
static enum drop_reason read_key(const struct hub_header *hub, size_t len, struct flow_key *ret)
{
	void *start = (void *)(hub + 1), *end = (char *)hub + len;
	struct frame frame = {};
	int reason;

	reason = parse_frame(start, end, ret, &frame);
	if (reason)
		return reason;
	if (frame.kind == FRAME_ARP)
		return REASON_ETHERTYPE;	/* answered by the fast path, never a miss */
	if (frame.end > len - sizeof(*hub))
		return REASON_IP_HEADER;
	ret->scope = hub->scope;
	ret->outer = hub->outer;
	ret->tuple = FLOW_TUPLE_5;
	return REASON_NONE;
}

static struct flow_key without_ports(struct flow_key key)
{
	key.sport = 0;
	key.dport = 0;
	key.tuple = FLOW_TUPLE_3;
	return key;
}

static void resume(const struct flow_table *table, struct hub_header *hub, uint32_t index,
		   struct miss_counts *counts)
{
	hub->verdict = HUB_RESUME;
	hub->flow = index;
	hub->gen = flow_table_get(table, index)->action.gen;
	counts->resumed++;
}

static void drop(struct hub_header *hub, enum drop_reason reason, struct miss_counts *counts)
{
	hub->verdict = HUB_DROP;
	hub->reason = reason;
	counts->dropped++;
}

/* No room for the flow: a frame that may pass is lost to that, a forbidden one to its own reason. */
static enum drop_reason reason_without_flow(const struct decision *d)
{
	return d->action.verdict == ACTION_DROP ? d->action.reason : REASON_TABLE_FULL;
}

static void open_flow(struct flow_table *table, const struct policy *policy, uint64_t now_ns,
		      struct hub_header *hub, const struct flow_key *key5,
		      const struct flow_key *key3, struct miss_counts *counts)
{
	struct decision d;
	int64_t index;

	policy_compile(policy, key5, &d, NULL);
	index = flow_table_add(table, d.tuple == FLOW_TUPLE_3 ? key3 : key5, &d.action, now_ns,
			       NULL);
	if (index < 0) {
		drop(hub, reason_without_flow(&d), counts);
		return;
	}
	counts->installed++;
	resume(table, hub, index, counts);
}

static void answer(struct flow_table *table, const struct policy *policy, uint64_t now_ns,
		   struct hub_header *hub, size_t len, struct miss_counts *counts)
{
	struct flow_key key5 = {}, key3;
	enum drop_reason reason;
	uint32_t index;

	reason = is_miss(hub) ? read_key(hub, len, &key5) : REASON_HUB_HEADER;
	if (reason) {
		drop(hub, reason, counts);
		return;
	}
	key3 = without_ports(key5);
	index = flow_table_find(table, &key3) ?: flow_table_find(table, &key5);
	if (index)
		resume(table, hub, index, counts);
	else
		open_flow(table, policy, now_ns, hub, &key5, &key3, counts);
}

void miss_answer(struct flow_table *table, const struct policy *policy, uint64_t now_ns,
		 struct iovec *frames, unsigned int n, struct miss_counts *counts)
{
	counts->misses += n;
	for (unsigned int i = 0; i < n; i++) {
		if (frames[i].iov_len < sizeof(struct hub_header)) {
			frames[i].iov_len = 0;
			counts->dropped++;
			continue;
		}
		answer(table, policy, now_ns, frames[i].iov_base, frames[i].iov_len, counts);
	}
}
