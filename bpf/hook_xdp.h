/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_xdp.h - the hook interface (hook.h), for XDP
 *
 * Native XDP on uplinks, taps and veths; frames may have several buffers, of
 * which the cursor sees the first.
 */
#pragma once

#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

#define HOOK_CTX struct xdp_md
#define HOOK_SECTION "xdp.frags"
#define HOOK_PASS XDP_PASS
#define HOOK_DROP XDP_DROP
#define HOOK_REDIRECT XDP_REDIRECT

#include <bpf/pkt.h>
#include <maps/port.h>

static __always_inline void hook_reload(struct pkt *pkt)
{
	pkt->data = (void *)(long)pkt->ctx->data;
	pkt->end = (void *)(long)pkt->ctx->data_end;
}

static __always_inline __u32 hook_frame_len(struct pkt *pkt)
{
	return bpf_xdp_get_buff_len(pkt->ctx);
}

static __always_inline __u32 hook_ifindex(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline long hook_grow(struct pkt *pkt, __u32 n)
{
	long err = bpf_xdp_adjust_head(pkt->ctx, -(int)n);

	hook_reload(pkt);
	return err;
}

static __always_inline long hook_shrink(struct pkt *pkt, __u32 n)
{
	long err = bpf_xdp_adjust_head(pkt->ctx, n);

	hook_reload(pkt);
	return err;
}

static __always_inline long hook_set_len(struct pkt *pkt, __u32 len)
{
	long err = bpf_xdp_adjust_tail(pkt->ctx, (int)len - (int)hook_frame_len(pkt));

	hook_reload(pkt);
	return err;
}

static __always_inline long hook_load(struct pkt *pkt, void *buf, __u32 len)
{
	return bpf_xdp_load_bytes(pkt->ctx, 0, buf, len);
}

static __always_inline int hook_redirect(__u32 port)
{
	return bpf_redirect_map(&port_devs, port, 0);
}
