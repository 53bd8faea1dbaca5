/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hook_tcx.h - the hook interface (hook.h), for tcx and clsact
 *
 * Frames are socket buffers: a guest's TCP super-packet stays whole and its checksum
 * may be unfinished (CHECKSUM_PARTIAL) from one end of the network to the other. The
 * kernel must be told what outer headers were put in front, so that it, or
 * the NIC, can segment behind them and finish the sum:
 *
 *   before   | MAC |                              IP ...
 *   encap    | MAC |  <- n bytes of new room ->   IP ...     bpf_skb_adjust_room
 *   filled   | outer headers, n bytes       | MAC | IP ...
 *
 * The room opens behind the MAC header, so the inner MAC header is carried over by
 * hand in both directions. gso_size is the guest's business and is never changed.
 */
#pragma once

#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

#define HOOK_CTX struct __sk_buff
#define HOOK_PASS TCX_PASS
#define HOOK_DROP TCX_DROP
#define HOOK_REDIRECT TCX_REDIRECT
#define HOOK_TAGS_BESIDE 1

#include <bpf/pkt.h>
#include <bpf/unwrap.h>
#include <maps/port.h>

/* A macro of the kernel's header, which type information does not carry. */
#define BPF_F_ADJ_ROOM_ENCAP_L2(len) \
	(((__u64)(len) & BPF_ADJ_ROOM_ENCAP_L2_MASK) << BPF_ADJ_ROOM_ENCAP_L2_SHIFT)

#define EALREADY 114			/* errno of the kernel's */

/* A packet of 64 KiB in segments of 128 bytes. A queue of the kernel's takes 1000 packets. */
#define SEGMENTS_MAX 512u

/* Enough for a tagged outer IPv6 encapsulation and inner IPv6 with its TCP header. */
#define HOOK_LINEAR_BYTES 160

static __always_inline void *hook_data(struct __sk_buff *skb)
{
	return (void *)(long)skb->data;
}

static __always_inline void *hook_end(struct __sk_buff *skb)
{
	return (void *)(long)skb->data_end;
}

static __always_inline void hook_reload(struct pkt *pkt)
{
	pkt->data = hook_data(pkt->ctx);
	pkt->end = hook_end(pkt->ctx);
}

static __always_inline void hook_linear(struct pkt *pkt)
{
	__u32 want = pkt->ctx->len < HOOK_LINEAR_BYTES ? pkt->ctx->len : HOOK_LINEAR_BYTES;

	hook_reload(pkt);
	if (pkt->data + want > pkt->end) {
		bpf_skb_pull_data(pkt->ctx, want);
		hook_reload(pkt);
	}
}

static __always_inline __u32 hook_first_len(struct __sk_buff *skb)
{
	return skb->len;
}

static __always_inline __u32 hook_frame_len(struct pkt *pkt)
{
	return pkt->ctx->len;
}

/* Header that each segment repeats behind the IP header. */
static __always_inline __u32 hook_l4_len(const struct pkt *pkt)
{
	struct tcp_header *tcp = pkt->data + (pkt->frame.l4 & 511);

	if (pkt->key.proto == PROTO_UDP)
		return sizeof(struct udp_header);
	return (void *)(tcp + 1) > pkt->end ? sizeof(*tcp) : (tcp->offset >> 4) * 4;
}

/* Segments carry the super-packet's headers and gso_size bytes of payload each. */
static __always_inline __u32 hook_wire_len(const struct pkt *pkt)
{
	__u32 gso_size = pkt->ctx->gso_size;

	if (!gso_size)
		return pkt->frame.end - pkt->frame.l3;
	return pkt->frame.l4 - pkt->frame.l3 + hook_l4_len(pkt) + gso_size;
}

static __always_inline __u32 hook_segments(const struct pkt *pkt)
{
	__u32 gso_size = pkt->ctx->gso_size;

	if (!gso_size)
		return 1;
	return (pkt->frame.end - pkt->frame.l4 - hook_l4_len(pkt) + gso_size - 1) / gso_size;
}

/*
 * By their number, not by their size: GRO makes super-packets of one-byte segments when an
 * application sends such, but never of so many.
 */
static __always_inline int hook_is_flood(const struct pkt *pkt)
{
	__u32 gso_size = pkt->ctx->gso_size;

	return gso_size && pkt->frame.end - pkt->frame.l4 > SEGMENTS_MAX * gso_size;
}

static __always_inline __u32 hook_ifindex(struct __sk_buff *skb)
{
	return skb->ifindex;
}

static __always_inline __u16 hook_tagged(struct __sk_buff *skb)
{
	return skb->vlan_present ? (skb->vlan_tci & VLAN_VID_MASK) | FLOW_VLAN_PRESENT : 0;
}

/* Tags live beside the frame; the kernel or the device puts them in. */
static __always_inline long hook_tag_pop(struct pkt *pkt, __u32 n)
{
	long err = bpf_skb_vlan_pop(pkt->ctx);

	if (!err && n > 1)
		err = bpf_skb_vlan_pop(pkt->ctx);
	hook_reload(pkt);
	return err;
}

static __always_inline long hook_tag_push(struct pkt *pkt, __be16 tci)
{
	long err = bpf_skb_vlan_push(pkt->ctx, wire16(ETHERTYPE_VLAN), host16(tci));

	hook_reload(pkt);
	return err;
}

/*
 * A frame that came encapsulated: the kernel refuses a second encapsulation, because it keeps the
 * first in mind after that was taken off. What it has in mind is true again as soon as other
 * headers are in front, however long: it counts from the buffer's start to the inner headers,
 * and a fabric has one kind of tunnel. But for the outer protocol, which it takes to be the inner one;
 * kernels from 6.3 on can be told another while bytes are taken off.
 */
static __always_inline long encap_again(struct pkt *pkt, __u32 n, const int v6)
{
	const __be16 outer = v6 ? wire16(ETHERTYPE_IPV6) : wire16(ETHERTYPE_IPV4);
	const __u32 spare = pkt->ctx->protocol == outer ? 0 : 8;
	long err = bpf_skb_adjust_room(pkt->ctx, n + spare, BPF_ADJ_ROOM_MAC,
				       BPF_F_ADJ_ROOM_FIXED_GSO);

	if (err || !spare)
		return err;
	return bpf_skb_adjust_room(pkt->ctx, -(int)spare, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO |
				   (v6 ? BPF_F_ADJ_ROOM_DECAP_L3_IPV6 : BPF_F_ADJ_ROOM_DECAP_L3_IPV4));
}

static __always_inline long hook_encap(struct pkt *pkt, __u32 n, __u32 ip_len, __u32 udp_len)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
		      BPF_F_ADJ_ROOM_ENCAP_L2(sizeof(struct eth_header));
	struct eth_header inner;
	long err;

	if (pkt->data + sizeof(inner) > pkt->end)
		return -1;
	copy_bytes(&inner, pkt->data, sizeof(inner));
	flags |= ip_len == sizeof(struct ipv4_header) ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 :
							BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	flags |= udp_len ? BPF_F_ADJ_ROOM_ENCAP_L4_UDP : BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	err = bpf_skb_adjust_room(pkt->ctx, n, BPF_ADJ_ROOM_MAC, flags);
	if (err == -EALREADY && pkt->from_fabric)
		err = encap_again(pkt, n, ip_len == sizeof(struct ipv6_header));
	hook_reload(pkt);
	if (err)
		return err;
	if (pkt->data + n + sizeof(inner) > pkt->end)
		return -1;
	copy_bytes(pkt->data + n, &inner, sizeof(inner));
	return 0;
}

/*
 * Not an encapsulation to the kernel, which refuses a second one and remembers the first even
 * after it was taken off. It sees a long link-layer header, repeats it before each segment
 * and finishes the sums behind it.
 */
static __always_inline long hook_front(struct pkt *pkt, __u32 n)
{
	long err = bpf_skb_change_head(pkt->ctx, n, 0);

	hook_reload(pkt);
	return err;
}

static __always_inline long hook_decap(struct pkt *pkt, __u32 n)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;
	struct eth_header inner, *eth = pkt->data;
	__be16 outer_type;
	long err;

	if (n > 512 || (void *)(eth + 1) > pkt->end)
		return -1;
	outer_type = eth->type;
	eth = pkt->data + n;
	if ((void *)(eth + 1) > pkt->end)
		return -1;
	copy_bytes(&inner, eth, sizeof(inner));
	if (inner.type != outer_type)		/* kernels before 6.3 refuse the flags, and need them not */
		flags |= inner.type == wire16(ETHERTYPE_IPV6) ? BPF_F_ADJ_ROOM_DECAP_L3_IPV6 :
								BPF_F_ADJ_ROOM_DECAP_L3_IPV4;
	err = bpf_skb_adjust_room(pkt->ctx, -(int)n, BPF_ADJ_ROOM_MAC, flags);
	hook_reload(pkt);
	if (err)
		return err;
	if (pkt->data + sizeof(inner) > pkt->end)
		return -1;
	copy_bytes(pkt->data, &inner, sizeof(inner));
	return 0;
}

static __always_inline int hook_elsewhere(struct pkt *pkt)
{
	return unwrap_elsewhere(pkt->ctx);
}

static __always_inline int hook_is_unwrapped(struct pkt *pkt, const struct port *port)
{
	return pkt->ctx->ifindex != port->ifindex;
}

static __always_inline int hook_unwrapped(struct pkt *pkt)
{
	return unwrap_back(pkt, pkt->ctx) ? CONTINUE : DROP(NO_PORT);
}

static __always_inline long hook_set_len(struct pkt *pkt, __u32 len)
{
	long err = bpf_skb_change_tail(pkt->ctx, len, 0);

	hook_reload(pkt);
	return err;
}

/*
 * The kernel does not shorten a frame that was once encapsulated (6.18: ENOTSUPP). It does take bytes
 * out behind the MAC header, so the packet's end becomes the place for its beginning:
 *
 *   | MAC | quote | ........ cut ........ | room + quote |   ─►   | MAC | room | quote |
 *
 * Not for super-packets, whose segment size would stay behind: TCP sends a single segment next.
 */
static __always_inline long quote_decapped(struct pkt *pkt, const __u32 quote, const __u32 room)
{
	const __u32 keep = sizeof(struct eth_header) + room + quote;
	__u8 bytes[128];

	if (pkt->ctx->gso_size || pkt->ctx->len < keep || quote > sizeof(bytes) ||
	    bpf_skb_load_bytes(pkt->ctx, sizeof(struct eth_header), bytes, quote) ||
	    bpf_skb_adjust_room(pkt->ctx, -(int)(pkt->ctx->len - keep), BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO) ||
	    bpf_skb_pull_data(pkt->ctx, keep))
		return -1;
	return bpf_skb_store_bytes(pkt->ctx, sizeof(struct eth_header) + room, bytes, quote, 0);
}

static __always_inline long hook_quote(struct pkt *pkt, const __u32 quote, const __u32 room)
{
	long err;

	if (pkt->from_fabric)
		err = quote_decapped(pkt, quote, room);
	else
		err = bpf_skb_change_tail(pkt->ctx, sizeof(struct eth_header) + quote, 0) ?:
		      bpf_skb_adjust_room(pkt->ctx, room, BPF_ADJ_ROOM_MAC, 0);
	hook_reload(pkt);
	return err;
}

static __always_inline long hook_load(struct pkt *pkt, __u32 at, void *buf, __u32 len)
{
	return bpf_skb_load_bytes(pkt->ctx, at, buf, len);
}

/* A sum the NIC took over the whole packet must follow what no header's own sum makes up for. */
static __always_inline void hook_sum(struct pkt *pkt, __be32 old, __be32 new)
{
	bpf_csum_update(pkt->ctx, bpf_csum_diff(&old, sizeof(old), &new, sizeof(new), 0));
}

/* The kernel knows whether the sum is finished: one that is not covers no payload yet. */
static __always_inline void hook_l4_sum(struct pkt *pkt, __u32 at, __be16 old, __be16 new)
{
	bpf_l4_csum_replace(pkt->ctx, at, old, new, sizeof(old));
	hook_reload(pkt);
}

/*
 * A guest in another namespace gets the frame as if its own device had received it.
 * The slot itself says whether the device takes frames: a devmap belongs to one
 * type of programs, and port_devs is XDP's.
 */
static __always_inline int hook_redirect(struct pkt *pkt, __u32 slot)
{
	struct port *port = bpf_map_lookup_elem(&ports, &slot);

	if (!port || !port->ifindex || port->flags & PORT_MUTED)
		return HOOK_DROP;
	if (port->flags & PORT_NO_TUNNELLED && pkt->from_fabric)
		unwrap_note(pkt->ctx);
	if (!(port->flags & PORT_REDIRECT_PEER))
		return bpf_redirect(port->ifindex, 0);
	bpf_skb_change_type(pkt->ctx, 0);	/* PACKET_HOST: it is for the guest */
	return bpf_redirect_peer(port->ifindex, 0);
}
