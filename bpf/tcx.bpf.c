// SPDX-License-Identifier: GPL-2.0-only
/*
 * tcx.bpf.c - the fast path on tcx (and clsact before 6.6): two entry programs
 *
 *   mirach_tcx_egress    on vports, ingress side: frames from guests
 *   mirach_tcx_ingress   on uplinks, ingress side: frames from the fabric; also on the tunnel device of unwrap.h
 *
 * The same path as xdp.bpf.c over another hook, for ports whose guests send
 * super-packets. The maps are shared through their pins.
 */
#define HOOK_HEADER <bpf/hook_tcx.h>

#include <bpf/entry.h>

SEC("tc")
int mirach_tcx_egress(struct __sk_buff *skb)
{
	struct pkt pkt = {};

	return pkt_exit(&pkt, egress(&pkt, skb));
}

SEC("tc")
int mirach_tcx_ingress(struct __sk_buff *skb)
{
	struct pkt pkt = {};

	return pkt_exit(&pkt, ingress(&pkt, skb));
}

char _license[] SEC("license") = "GPL";
