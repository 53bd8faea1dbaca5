/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * board.h - a hoverboard sends on what came from the fabric
 *
 *	decap ─► parse ─► source ─► destination ─► its host's next hop ─► out
 *	                    │ no endpoint │
 *	                    └─────────────┴─► the flow path: routes, prefixes, peers
 *
 * Two lookups in a table of millions, and no flow: nothing is compiled, nothing ages, a scan
 * of the address space costs a hoverboard no memory.
 *
 * The host that receives believes a hoverboard, so this is where senders are verified: the
 * outer source is the host of the inner source, or the packet is dropped. Hence a
 * hoverboard never takes a packet from another one, and with goes_back below nothing can
 * go round in circles. The TTL is the sending host's to decrement. The sender of a packet
 * that is too big for its way is told so.
 */
#pragma once

#include <bpf/bucket.h>
#include <bpf/config.h>
#include <bpf/hook.h>
#include <bpf/icmp_error.h>
#include <bpf/leave.h>
#include <bpf/stages.h>
#include <maps/endpoint.h>

struct endpoint_key {
	__u32 vni;
	const struct ip_addr *addr;
};

static __always_inline int is_endpoint(const void *entry, const void *key)
{
	const struct endpoint *ep = entry;
	const struct endpoint_key *k = key;

	return ep->vni == k->vni && ip_addr_equal(&ep->addr, k->addr);
}

/*
 * An endpoint's word, 0 if there is no such endpoint. Not static: the verifier looks at such a
 * function once, and not again for each way that leads to it.
 */
__noinline __u64 endpoint_word(__u32 vni, const struct ip_addr *addr)
{
	const struct bucket_index index = { &endpoint_index, &endpoints, endpoint_bucket_mask,
					    is_endpoint };
	const struct endpoint_key key = { vni, addr };
	struct endpoint *ep;
	__u32 i;

	if (!addr)
		return 0;
	ep = index_find(index, &key, endpoint_digest(vni, addr, flow_secret), &i);
	return ep ? *(volatile __u64 *)&ep->to : 0;
}

static __always_inline int endpoint_find(__u32 vni, const struct ip_addr *addr,
					 struct endpoint_to *ret)
{
	*(__u64 *)ret = endpoint_word(vni, addr);
	return ret->nexthop;
}

static __always_inline int host_is(__u32 id, const struct ip_addr *host)
{
	struct nexthop *nexthop = bpf_map_lookup_elem(&nexthops, &id);

	return nexthop && ip_addr_equal(&nexthop->remote, host);
}

/* What the outer source port and the NIC's queues are chosen by. Fragments keep to one path. */
static __always_inline void board_digest(struct pkt *pkt)
{
	__be16 sport = pkt->key.sport, dport = pkt->key.dport;

	if (pkt->frame.fragment) {
		pkt->key.sport = 0;
		pkt->key.dport = 0;
	}
	pkt->digest = flow_digest(&pkt->key, flow_secret);
	pkt->key.sport = sport;
	pkt->key.dport = dport;
}

static __always_inline __be32 tunnel_vni(const struct port *port, __u32 vni)
{
	return port->tunnel == TUNNEL_GRE ? wire32(vni) : wire32(vni << 8);
}

static __always_inline int board_leave(struct pkt *pkt, const struct endpoint_to *to,
				       const __u8 *smac, __be32 vni)
{
	const __u16 *d = (const void *)to->mac, *s = (const void *)smac;
	__u16 macs[ETH_ADDR_LEN] MIRACH_ALIGNED(8) = { d[0], d[1], d[2], s[0], s[1], s[2] };

	return leave(pkt, to->nexthop, macs, vni);
}

/*
 * A packet of an endpoint is too big for the way to where it goes. Its sender is told in the
 * name of the destination, as the destination's own host would; and since both ends are
 * known here the answer needs no flow, but leaves at once for the sender's host.
 */
static __noinline int board_answer(struct pkt *pkt)
{
	struct error e = { .from = pkt->key.dst, .mtu = pkt->mtu, .reason = REASON_TOO_BIG };
	const __u32 vni = SCOPE_ID(pkt->key.scope);
	struct port *port = port_get(pkt->port);
	__u8 smac[ETH_ADDR_LEN] MIRACH_ALIGNED(2);
	struct eth_header *eth = pkt->data;
	struct endpoint_to to = {};
	int verdict;

	if (!port || (void *)(eth + 1) > pkt->end)
		return DROP(TOO_BIG);
	__builtin_memcpy(smac, eth->smac, sizeof(smac));
	if (!error_due(pkt, REASON_TOO_BIG) || !endpoint_find(vni, &pkt->key.src, &to) ||
	    !error_token(sender_limit(pkt)) || error_write(pkt, &e))
		return DROP(TOO_BIG);
	pkt->len = hook_frame_len(pkt);
	pkt->frame.end = pkt->len;
	pkt->frame.tos = 0;
	verdict = board_leave(pkt, &to, smac, tunnel_vni(port, vni));
	return verdict == VERDICT_OUT ? VERDICT_REPLIED : verdict;
}

/* CONTINUE: one end is no endpoint, the flow path knows. */
static __noinline int board_forward(struct pkt *pkt, const struct port *port)
{
	const __u32 vni = SCOPE_ID(pkt->key.scope);
	struct endpoint_to from = {}, to = {};
	struct eth_header *eth;

	if (pkt->frame.n_tags || !endpoint_find(vni, &pkt->key.src, &from))
		return CONTINUE;
	if (!host_is(from.nexthop, &pkt->key.outer))
		return DROP(SPOOFED_OUTER);
	pkt->key.scope |= SCOPE_VERIFIED;
	if (!endpoint_find(vni, &pkt->key.dst, &to))
		return CONTINUE;
	if (to.nexthop == from.nexthop)
		return DROP(GOES_BACK);
	board_digest(pkt);
	eth = pkt->data;
	if ((void *)(eth + 1) > pkt->end)
		return DROP(SHORT_FRAME);
	return board_leave(pkt, &to, eth->smac, tunnel_vni(port, vni));
}

/* ACTION_ENDPOINT: the rules have led here, the table says the rest. */
static __noinline int board_act(struct pkt *pkt, const struct action *action)
{
	int verdict = action->stages ? stages_run(pkt, action) : CONTINUE;
	struct endpoint_to to = {};

	if (verdict)
		return verdict;
	if (!endpoint_find(action->network, &pkt->key.dst, &to))
		return DROP(NO_ROUTE);
	if (pkt->from_fabric && host_is(to.nexthop, &pkt->key.outer))
		return DROP(GOES_BACK);
	return board_leave(pkt, &to, action->smac, action->vni);
}
