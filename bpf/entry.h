/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * entry.h - what happens to a frame from a guest, and to one from the fabric
 *
 * The table of contents of the fast path: each line is a header of this folder.
 */
#pragma once

#include <bpf/path.h>
#include <bpf/reflect.h>

static __always_inline int egress(struct pkt *pkt, HOOK_CTX *ctx)
{
	int verdict;

	verdict = pkt_enter(pkt, ctx);
	if (verdict)
		return verdict;
	verdict = path_parse(pkt);
	if (verdict)
		return verdict;
	if (pkt->frame.kind == FRAME_ARP)
		return respond_arp(pkt);
	if (is_solicitation(pkt))
		return respond_solicitation(pkt);
	if (hook_tagged(ctx))
		return DROP(VLAN_MISMATCH);	/* vports with tags are given XDP */
	pkt->key.scope = SCOPE_VPORT | pkt->port;
	return path_flow(pkt);
}

static __always_inline int ingress(struct pkt *pkt, HOOK_CTX *ctx)
{
	struct port *port;
	int verdict;

	verdict = pkt_enter(pkt, ctx);
	if (verdict)
		return verdict;
	port = port_get(pkt->port);
	if (!port)
		return DROP(NO_PORT);
	verdict = hook_is_unwrapped(pkt, port) ? hook_unwrapped(pkt) : decap(pkt, port);
	if (verdict == VERDICT_PASSED && port->flags & PORT_HOVERBOARD)
		return reflect(pkt);
	if (verdict)
		return verdict;
	verdict = path_parse(pkt);
	if (verdict)
		return verdict;
	if (pkt->frame.kind == FRAME_ARP)
		return DROP(ETHERTYPE);		/* nothing is flooded between hosts */
	verdict = decap_ecn(pkt);
	if (!verdict && port->flags & PORT_HOVERBOARD)
		verdict = board_forward(pkt, port);
	if (verdict)
		return verdict == DROP(TOO_BIG) ? board_answer(pkt) : verdict;
	return path_flow(pkt);
}
