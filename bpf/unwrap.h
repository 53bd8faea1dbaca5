/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unwrap.h - the kernel takes super-packets for taps out of their tunnel (tcx)
 *
 *	uplink ─► known to lead to a tap? ─ no ──► hook_decap ─► ... ─► tap: note it
 *	                  │ yes
 *	                  └─► host's stack ─► tunnel device of agent/gro.h ─► ... ─► tap
 *
 * A program can take outer headers off, but not the mark that there was a tunnel: it stays in
 * the GSO type, a tap takes no such packet, and the kernel segments before it. Only a tunnel
 * device of the kernel's removes the mark. So the first super-packet of an outer flow
 * shows where the flow leads, and if that is a tap the others go round by the device.
 *
 * Between here and there lies the host's own stack, with whatever filters it has. If nothing
 * comes back, nothing more is sent that way: slower, but it arrives. What comes out of
 * the device was verified here if it carries the mark; anything else is nobody's.
 *
 * See also: agent/gro.h (the device), docs/decisions/0002.
 */
#pragma once

#include <bpf/pkt.h>
#include <maps/unwrap.h>

#define UNWRAP_MARK 0x6d697261u		/* skb->priority: no wire sets it, and the stack leaves it alone */

/* struct __sk_buff.cb[0] of a frame from an uplink: its way, + 1 */
static __always_inline struct unwrap *unwrap_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&unwraps, &zero);
}

static __always_inline int unwrap_trusted(struct unwrap *u)
{
	__u64 now = bpf_ktime_get_ns(), waited;

	if (!u->missing)
		u->since_ns = now;
	waited = now - u->since_ns;
	if (waited > UNWRAP_AGAIN_NS) {
		u->since_ns = now;
		u->missing = UNWRAP_UNDER_WAY - 1;
	} else if (waited > UNWRAP_PATIENCE_NS) {
		return 0;
	}
	return u->missing < UNWRAP_UNDER_WAY;
}

/* True: leave it to the stack. */
static __always_inline int unwrap_elsewhere(struct __sk_buff *skb)
{
	struct unwrap *u;
	__u32 way;

	skb->cb[0] = 0;
	if (!skb->gso_size)
		return 0;
	way = bpf_get_hash_recalc(skb) & (UNWRAP_WAYS - 1);
	skb->cb[0] = way + 1;
	u = unwrap_get();
	if (!u || !u->to_tap[way] || !unwrap_trusted(u))
		return 0;
	u->missing++;
	skb->priority = UNWRAP_MARK;
	return 1;
}

/* A frame of the fabric is about to enter a device that takes no packet with the mark. */
static __always_inline void unwrap_note(const struct __sk_buff *skb)
{
	__u32 way = skb->cb[0];
	struct unwrap *u;

	if (!way)
		return;
	u = unwrap_get();
	if (u)
		u->to_tap[(way - 1) & (UNWRAP_WAYS - 1)] = 1;
}

/* On the tunnel device: what decap() finds out on an uplink. Not of ours: false. */
static __always_inline int unwrap_back(struct pkt *pkt, struct __sk_buff *skb)
{
	struct bpf_tunnel_key key = {};
	struct unwrap *u = unwrap_get();

	if (!u || skb->priority != UNWRAP_MARK)
		return 0;
	skb->priority = 0;
	skb->cb[0] = 0;
	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0))
		ip_addr_set_v4(&pkt->key.outer, wire32(key.remote_ipv4));
	else if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6))
		__builtin_memcpy(&pkt->key.outer, key.remote_ipv6, sizeof(pkt->key.outer));
	else
		return 0;
	u->missing = 0;
	pkt->key.scope = SCOPE_FABRIC | (key.tunnel_id & 0xffffff);
	pkt->outer_tos = key.tunnel_tos;
	pkt->from_fabric = 1;
	return 1;
}
