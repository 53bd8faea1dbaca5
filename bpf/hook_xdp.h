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
#define HOOK_TAGS_BESIDE 0

#include <bpf/pkt.h>
#include <maps/port.h>

static __always_inline void hook_reload(struct pkt *pkt)
{
	pkt->data = (void *)(long)pkt->ctx->data;
	pkt->end = (void *)(long)pkt->ctx->data_end;
}

static __always_inline void hook_linear(struct pkt *pkt)
{
	hook_reload(pkt);
}

static __always_inline __u32 hook_first_len(struct xdp_md *ctx)
{
	return ctx->data_end - ctx->data;
}

static __always_inline __u32 hook_frame_len(struct pkt *pkt)
{
	return bpf_xdp_get_buff_len(pkt->ctx);
}

static __always_inline __u32 hook_wire_len(const struct pkt *pkt)
{
	return pkt->frame.end - pkt->frame.l3;
}

static __always_inline int hook_is_flood(const struct pkt *pkt)
{
	(void)pkt;
	return 0;
}

static __always_inline __u32 hook_segments(const struct pkt *pkt)
{
	(void)pkt;
	return 1;
}

static __always_inline __u32 hook_ifindex(struct xdp_md *ctx)
{
	return ctx->ingress_ifindex;
}

static __always_inline __u16 hook_tagged(struct xdp_md *ctx)
{
	(void)ctx;
	return 0;
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

/* The addresses in front of the tags are written again on the way out, so they need not move. */
static __always_inline long hook_tag_pop(struct pkt *pkt, __u32 n)
{
	pkt->len -= n * sizeof(struct vlan_header);
	return hook_shrink(pkt, n * sizeof(struct vlan_header));
}

static __always_inline long hook_tag_push(struct pkt *pkt, __be16 tci)
{
	struct {
		__be16 type, tci;
	} *tag;

	if (hook_grow(pkt, sizeof(*tag)))
		return -1;
	tag = pkt->data + 2 * ETH_ADDR_LEN;
	if ((void *)(tag + 1) > pkt->end)
		return -1;
	tag->type = wire16(ETHERTYPE_VLAN);
	tag->tci = tci;
	pkt->len += sizeof(*tag);
	return 0;
}

static __always_inline long hook_encap(struct pkt *pkt, __u32 n, __u32 ip_len, __u32 udp_len)
{
	(void)ip_len;
	(void)udp_len;
	return hook_grow(pkt, n);
}

static __always_inline long hook_front(struct pkt *pkt, __u32 n)
{
	return hook_grow(pkt, n);
}

static __always_inline long hook_decap(struct pkt *pkt, __u32 n)
{
	return hook_shrink(pkt, n);
}

static __always_inline int hook_elsewhere(struct pkt *pkt)
{
	(void)pkt;
	return 0;
}

static __always_inline int hook_is_unwrapped(struct pkt *pkt, const struct port *port)
{
	(void)pkt, (void)port;
	return 0;
}

static __always_inline int hook_unwrapped(struct pkt *pkt)
{
	(void)pkt;
	return DROP(NO_PORT);
}

static __always_inline long hook_set_len(struct pkt *pkt, __u32 len)
{
	long err = bpf_xdp_adjust_tail(pkt->ctx, (int)len - (int)hook_frame_len(pkt));

	hook_reload(pkt);
	return err;
}

static __always_inline long hook_quote(struct pkt *pkt, const __u32 quote, const __u32 room)
{
	if (hook_set_len(pkt, sizeof(struct eth_header) + quote))
		return -1;
	return hook_grow(pkt, room);
}

static __always_inline long hook_load(struct pkt *pkt, __u32 at, void *buf, __u32 len)
{
	return bpf_xdp_load_bytes(pkt->ctx, at, buf, len);
}

static __always_inline void hook_sum(struct pkt *pkt, __be32 old, __be32 new)
{
	(void)pkt;
	(void)old;
	(void)new;
}

static __always_inline void hook_l4_sum(struct pkt *pkt, __u32 at, __be16 old, __be16 new)
{
	__be16 *sum = pkt->data + (at & 1023);

	if ((void *)(sum + 1) <= pkt->end)
		*sum = sum_replace(*sum, old, new);
}

static __always_inline int hook_redirect(struct pkt *pkt, __u32 port)
{
	(void)pkt;
	return bpf_redirect_map(&port_devs, port, 0);
}
