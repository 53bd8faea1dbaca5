/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse.h - an Ethernet frame becomes a flow key
 *
 * One pass from Ethernet to the ports. The fast path runs it on every packet,
 * the agent on every miss, `mirachctl trace` on the packet it is asked about and
 * the fuzzer on anything, so that all four agree on what a packet is.
 *
 *   start                l3                    l4                 end
 *     | Ethernet [tag [tag]] | IPv4+options, or IPv6+extensions | ports ... |
 *
 * The parser reads nothing at or beyond `end`. It fills addresses, protocol,
 * ports and tags of the key; scope and outer belong to the caller. It judges form
 * only: whether an address may be used is the policy's business.
 *
 * See also: wire.h (headers), reasons.def (what each refusal means).
 */
#pragma once

#include <mirach/flow.h>
#include <mirach/reasons.h>
#include <mirach/wire.h>

#define PARSE_MAX_EXTENSIONS 6

enum frame_kind {
	FRAME_IPV4 = 4,
	FRAME_IPV6 = 6,
	FRAME_ARP = 1,				/* key holds tags only */
};

enum frame_fragment {
	FRAGMENT_NONE = 0,
	FRAGMENT_FIRST = 1,			/* has ports */
	FRAGMENT_LATER = 2,			/* has none: ports are zero */
};

/* What the parser learned beside the key. Offsets and lengths in bytes from the start of the frame. */
struct frame {
	__u16 l3;				/* IP or ARP header */
	__u16 l4;				/* first byte after IP header, options and extensions */
	__u32 end;				/* where the IP packet says it ends */
	__u8 kind;				/* enum frame_kind */
	__u8 fragment;				/* enum frame_fragment */
	__u8 tos;				/* IPv4 TOS or IPv6 traffic class */
	__u8 n_tags;				/* VLAN tags, 0 to 2 */
	__u16 fragment_at;			/* fragments: the header that says so; IPv4: l3, IPv6: the fragment header */
	__u16 pad;				/* zero */
} MIRACH_ALIGNED(8);

/* Where a fragment belongs in its datagram. */
struct fragment {
	__be32 id;				/* of the datagram; IPv4: 16 bits of it */
	__u16 begin, end;			/* in units of 8 bytes, the end of the last one rounded up */
	__u32 len;				/* bytes of payload */
	__u32 is_last;
};

MIRACH_INLINE int is_vlan_type(__be16 type)
{
	return type == wire16(ETHERTYPE_VLAN) || type == wire16(ETHERTYPE_QINQ);
}

/* What the parsed fragment in [@start, @end) is of its datagram. Returns nonzero if its header lies beyond @end. */
MIRACH_INLINE int frame_fragment(void *start, void *end, const struct frame *f, struct fragment *ret)
{
	void *at = start + (f->fragment_at & 0x1fff);
	struct ipv6_fragment *h = at;
	struct ipv4_header *ip = at;
	__u32 word, len;

	if (f->kind == FRAME_IPV4) {
		if ((void *)(ip + 1) > end)
			return -1;
		ret->id = ip->id;
		word = host16(ip->fragment);
		ret->is_last = !(word & IPV4_MF);
		word &= IPV4_OFFSET_MASK;
		len = f->end - f->l4;
	} else {
		if ((void *)(h + 1) > end)
			return -1;
		ret->id = h->id;
		word = host16(h->offset);
		ret->is_last = !(word & IPV6_MF);
		word >>= 3;
		len = f->end - f->fragment_at - sizeof(*h);
	}
	ret->len = len;
	ret->begin = word;
	ret->end = word + (len + 7) / 8;
	return 0;
}

/*
 * Form of a fragment. One whose payload is not whole units of 8 bytes, or that ends beyond the
 * largest datagram, cannot be put together (RFC 791, RFC 8200 section 4.5). One that
 * begins inside the transport header could rewrite what the first one said (RFC 1858, RFC
 * 3128). A fragment in a fragment is nothing that may be sent.
 */
MIRACH_INLINE int fragment_judge(void *start, void *end, __u8 proto, const struct frame *f)
{
	__u32 min = proto == PROTO_TCP ? 3 : proto == PROTO_SCTP ? 2 : 0;
	struct fragment at = {};

	if (frame_fragment(start, end, f, &at))
		return REASON_SHORT_FRAME;
	if (f->fragment != (at.begin ? FRAGMENT_LATER : at.is_last ? FRAGMENT_NONE : FRAGMENT_FIRST))
		return REASON_IPV6_EXTENSIONS;
	if (!at.len || (!at.is_last && at.len & 7) || at.begin * 8 + at.len > 65535)
		return REASON_FRAGMENT_FORM;
	return at.begin && at.begin < min ? REASON_FRAGMENT_TINY : 0;
}

/* The transport header does not end where the packet does. A first fragment must have all of it: RFC 1858, RFC 7112. */
MIRACH_INLINE int l4_short(const struct frame *f)
{
	return f->fragment == FRAGMENT_FIRST ? REASON_FRAGMENT_TINY : REASON_L4_HEADER;
}

/* Ports, or ICMP type and code, at @pos. Protocols without ports leave them zero. */
MIRACH_INLINE int parse_l4(void *pos, void *end, struct flow_key *key, struct frame *f)
{
	__u32 left = f->end - f->l4;

	switch (key->proto) {
	case PROTO_TCP: {
		struct tcp_header *tcp = pos;

		if ((void *)(tcp + 1) > end || left < sizeof(*tcp))
			return l4_short(f);
		if (tcp->offset >> 4 < 5)
			return REASON_L4_HEADER;
		if ((__u32)(tcp->offset >> 4) * 4 > left)
			return l4_short(f);
		key->sport = tcp->sport;
		key->dport = tcp->dport;
		return 0;
	}
	case PROTO_UDP: {
		struct udp_header *udp = pos;

		if ((void *)(udp + 1) > end || left < sizeof(*udp))
			return l4_short(f);
		if (host16(udp->len) < sizeof(*udp) ||
		    (f->fragment == FRAGMENT_NONE && host16(udp->len) > left))
			return REASON_L4_HEADER;
		key->sport = udp->sport;
		key->dport = udp->dport;
		return 0;
	}
	case PROTO_SCTP: {
		struct sctp_header *sctp = pos;

		if ((void *)(sctp + 1) > end || left < sizeof(*sctp))
			return l4_short(f);
		key->sport = sctp->sport;
		key->dport = sctp->dport;
		return 0;
	}
	case PROTO_ICMP:
	case PROTO_ICMPV6: {
		struct icmp_header *icmp = pos;

		if ((void *)(icmp + 1) > end || left < sizeof(*icmp))
			return l4_short(f);
		key->sport = wire16(icmp->type);
		key->dport = wire16(icmp->code);
		return 0;
	}
	}
	return 0;
}

MIRACH_INLINE int parse_ipv4(void *pos, void *end, struct flow_key *key, struct frame *f)
{
	struct ipv4_header *ip = pos;
	__u32 header_len, total_len;
	__u16 fragment;

	if ((void *)(ip + 1) > end)
		return REASON_SHORT_FRAME;
	header_len = (ip->version_ihl & 0x0f) * 4;
	total_len = host16(ip->total_len);
	if (ip->version_ihl >> 4 != 4 || header_len < sizeof(*ip) || total_len < header_len)
		return REASON_IP_HEADER;

	f->kind = FRAME_IPV4;
	f->tos = ip->tos;
	f->l4 = f->l3 + header_len;
	f->end = f->l3 + total_len;
	ip_addr_set_v4(&key->src, ip->src);
	ip_addr_set_v4(&key->dst, ip->dst);
	key->proto = ip->proto;

	fragment = host16(ip->fragment);
	if (fragment & (IPV4_MF | IPV4_OFFSET_MASK)) {
		f->fragment_at = f->l3;
		f->fragment = fragment & IPV4_OFFSET_MASK ? FRAGMENT_LATER : FRAGMENT_FIRST;
		if (f->fragment == FRAGMENT_LATER)
			return 0;
	}
	return parse_l4(pos + header_len, end, key, f);
}

MIRACH_INLINE int is_ipv6_extension(__u8 proto)
{
	return proto == PROTO_HOPOPTS || proto == PROTO_ROUTING || proto == PROTO_FRAGMENT ||
	       proto == PROTO_DSTOPTS || proto == PROTO_AH;
}

/* Bytes of the extension header at @ext, which is of type @proto. */
MIRACH_INLINE __u32 ipv6_extension_len(__u8 proto, const struct ipv6_extension *ext)
{
	if (proto == PROTO_FRAGMENT)
		return sizeof(struct ipv6_fragment);
	if (proto == PROTO_AH)
		return (ext->len8 + 2) * 4;	/* RFC 4302 section 2.2 */
	return (ext->len8 + 1) * 8;
}

/* A packet in one piece may have a fragment header as well: RFC 6946. */
MIRACH_INLINE __u8 ipv6_fragment_place(const struct ipv6_fragment *fragment)
{
	__u16 offset = host16(fragment->offset);

	if (offset & IPV6_OFFSET_MASK)
		return FRAGMENT_LATER;
	return offset & IPV6_MF ? FRAGMENT_FIRST : FRAGMENT_NONE;
}

/*
 * The chain after the fixed header. A later fragment ends the walk: what follows
 * its fragment header is payload. ESP and unknown protocols end it too. The first
 * fragment holds the whole chain (RFC 7112).
 */
MIRACH_INLINE int parse_ipv6_extensions(void *pos, void *end, struct flow_key *key, struct frame *f)
{
	for (int i = 0; i < PARSE_MAX_EXTENSIONS; i++) {
		struct ipv6_extension *ext = pos;
		__u32 len;

		if (!is_ipv6_extension(key->proto))
			return parse_l4(pos, end, key, f);
		if (pos + sizeof(struct ipv6_fragment) > end)
			return REASON_IPV6_EXTENSIONS;
		if (key->proto == PROTO_FRAGMENT) {
			f->fragment = forget(f->fragment | ipv6_fragment_place(pos));
			f->fragment_at = forget(f->l4);
		}
		len = forget(ipv6_extension_len(key->proto, ext)) & 0xfff;	/* at most 2048 */
		key->proto = ext->next;
		f->l4 += len;
		if (f->l4 > f->end)
			return REASON_IPV6_EXTENSIONS;
		if (f->fragment >= FRAGMENT_LATER)
			return 0;
		pos += len;
	}
	return is_ipv6_extension(key->proto) ? REASON_IPV6_EXTENSIONS : parse_l4(pos, end, key, f);
}

MIRACH_INLINE int parse_ipv6(void *pos, void *end, struct flow_key *key, struct frame *f)
{
	struct ipv6_header *ip = pos;
	__u32 word;

	if ((void *)(ip + 1) > end)
		return REASON_SHORT_FRAME;
	word = host32(ip->version_class_label);
	if (word >> 28 != 6)
		return REASON_IP_HEADER;
	if (ip_addr_is_v4(&ip->src) || ip_addr_is_v4(&ip->dst))
		return REASON_IP_SOURCE;	/* would be taken for IPv4 in the key */

	f->kind = FRAME_IPV6;
	f->tos = word >> 20;
	f->l4 = f->l3 + sizeof(*ip);
	f->end = f->l4 + host16(ip->payload_len);
	f->fragment = FRAGMENT_NONE;
	key->src = ip->src;
	key->dst = ip->dst;
	key->proto = ip->next;

	if (key->proto == PROTO_TCP || key->proto == PROTO_UDP || key->proto == PROTO_ICMPV6)
		return parse_l4(ip + 1, end, key, f);
	return parse_ipv6_extensions(ip + 1, end, key, f);
}

/* Up to two tags. Leaves @ret_pos and @ret_type at what they carry. */
MIRACH_INLINE int parse_vlan(void **ret_pos, __be16 *ret_type, void *end, struct flow_key *key,
			     struct frame *f)
{
	for (int i = 0; i < 2; i++) {
		struct vlan_header *tag = *ret_pos;

		if (!is_vlan_type(*ret_type))
			return 0;
		if ((void *)(tag + 1) > end)
			return REASON_SHORT_FRAME;
		key->vlan[i] = (host16(tag->tci) & VLAN_VID_MASK) | FLOW_VLAN_PRESENT;
		f->n_tags = i + 1;
		*ret_type = tag->type;
		*ret_pos = tag + 1;
	}
	return is_vlan_type(*ret_type) ? REASON_VLAN_DEPTH : 0;
}

MIRACH_INLINE int parse_headers(void *start, void *end, struct flow_key *key, struct frame *f)
{
	struct eth_header *eth = start;
	void *pos = eth + 1;
	__be16 type;
	int err;

	if (pos > end)
		return REASON_SHORT_FRAME;
	type = eth->type;
	if (is_vlan_type(type)) {
		err = parse_vlan(&pos, &type, end, key, f);
		if (err)
			return err;
	}
	f->l3 = sizeof(*eth) + f->n_tags * sizeof(struct vlan_header);

	if (type == wire16(ETHERTYPE_IPV4))
		return parse_ipv4(pos, end, key, f);
	if (type == wire16(ETHERTYPE_IPV6))
		return parse_ipv6(pos, end, key, f);
	if (type != wire16(ETHERTYPE_ARP))
		return REASON_ETHERTYPE;
	f->kind = FRAME_ARP;
	f->end = f->l3;
	return 0;
}

/* All ways through the headers continue as one. */
MIRACH_INLINE void frame_forget(struct frame *f)
{
	__u64 *words = (__u64 *)f;

	words[0] = forget(words[0]);
	words[1] = forget(words[1]);
}

/*
 * Parses the frame in [@start, @end). @key and @f must be zeroed by the caller.
 * Returns 0, or the enum drop_reason that says what is wrong. Two questions are
 * left to the caller, who knows the length of the whole frame where [@start,
 * @end) is only its first buffer: whether f->end lies inside it, and whether a
 * header that was cut short merely continues in the next buffer.
 */
MIRACH_INLINE int parse_frame(void *start, void *end, struct flow_key *key, struct frame *f)
{
	int err = parse_headers(start, end, key, f);

	frame_forget(f);
	if (!f->fragment)
		return err;
	if (!err)
		return fragment_judge(start, end, key->proto, f);
	/* RFC 7112: the first fragment holds the whole chain of headers */
	return err == REASON_IPV6_EXTENSIONS && f->fragment == FRAGMENT_FIRST ? REASON_FRAGMENT_TINY : err;
}
