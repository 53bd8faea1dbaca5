// SPDX-License-Identifier: GPL-2.0-only
/*
 * xdp.bpf.c - the fast path on XDP: four entry programs
 *
 *   mirach_egress       on vports: frames from guests
 *   mirach_ingress      on uplinks: frames from the fabric
 *   mirach_hub_resume   on a hub's near end: frames back from a coprocessor
 *   mirach_hub_feed     on a hub's far end: frames to a coprocessor's socket
 *
 * What the first two do is in entry.h; hubs are XDP whatever the ports' hooks are.
 */
#define HOOK_HEADER <bpf/hook_xdp.h>

#include <bpf/entry.h>
#include <bpf/resume.h>
#include <maps/abi.h>

static __always_inline int hub_resume(struct pkt *pkt, struct xdp_md *ctx)
{
	__u32 flow = 0, gen = 0;
	int verdict;

	verdict = pkt_enter(pkt, ctx);
	if (verdict)
		return verdict;
	verdict = resume(pkt, &flow, &gen);
	if (verdict)
		return verdict;
	verdict = path_parse(pkt);
	if (verdict)
		return verdict;
	return path_resume(pkt, flow, gen);
}

/* To the socket of the hub's coprocessor; without one (the agent is down) the frame is lost, and named. */
static __always_inline int hub_feed(struct pkt *pkt, struct xdp_md *ctx)
{
	struct port *port;
	int verdict;

	verdict = pkt_enter(pkt, ctx);
	if (verdict)
		return verdict;
	port = port_get(pkt->port);
	if (!port || bpf_redirect_map(&hub_socks, port->hub, 0) != XDP_REDIRECT)
		return DROP(NO_HUB);
	return VERDICT_OUT;
}

SEC("xdp.frags")
int mirach_egress(struct xdp_md *ctx)
{
	struct pkt pkt = {};

	return pkt_exit(&pkt, egress(&pkt, ctx));
}

SEC("xdp.frags")
int mirach_ingress(struct xdp_md *ctx)
{
	struct pkt pkt = {};

	return pkt_exit(&pkt, ingress(&pkt, ctx));
}

SEC("xdp.frags")
int mirach_hub_resume(struct xdp_md *ctx)
{
	struct pkt pkt = {};

	return pkt_exit(&pkt, hub_resume(&pkt, ctx));
}

SEC("xdp.frags")
int mirach_hub_feed(struct xdp_md *ctx)
{
	struct pkt pkt = {};

	return pkt_exit(&pkt, hub_feed(&pkt, ctx));
}

char _license[] SEC("license") = "GPL";
