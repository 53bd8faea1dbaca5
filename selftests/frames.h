/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * frames.h - a table of frames with what the parser must say of each
 *
 * Every branch of mirach/parse.h has a row. The unit test feeds them to the parser
 * in user space, the BPF test to the same parser in the kernel; both also cut
 * each of them at every byte.
 */
#pragma once

#include <mirach/parse.h>
#include <selftests/packet.h>

#define V4 .src = "10.0.0.11", .dst = "10.0.0.12"
#define V6 .src = "fd00:1::11", .dst = "fd00:1::12"
#define PORTS .sport = 1234, .dport = 443
#define CHAIN(...) .extensions = { __VA_ARGS__ },                                                \
	.n_extensions = sizeof((uint8_t[]){ __VA_ARGS__ })

#define OPTIONS_5 PROTO_DSTOPTS, PROTO_DSTOPTS, PROTO_DSTOPTS, PROTO_DSTOPTS, PROTO_DSTOPTS
#define ONE_OF_EACH PROTO_HOPOPTS, PROTO_DSTOPTS, PROTO_ROUTING, PROTO_FRAGMENT, PROTO_AH

/* A byte to spoil after building: offset from one of the headers. */
enum anchor { ETH, L3, L4 };
struct spoil {
	enum anchor from;
	uint8_t at, value;
	bool on;
};

#define BAD(text, why, ...) { .name = text, .reason = REASON_##why, .spec = { __VA_ARGS__ } }
#define GOOD(text, ...) BAD(text, NONE, __VA_ARGS__)
#define SPOILT(text, why, anchor, offset, byte, ...) { .name = text, .reason = REASON_##why,        \
	.spoil = { anchor, offset, byte, true }, .spec = { __VA_ARGS__ } }

static const struct frame_case {
	const char *name;
	struct packet_spec spec;
	enum drop_reason reason;
	struct spoil spoil;
} frame_cases[] = {
	GOOD("TCP", V4, PORTS, .proto = PROTO_TCP),
	GOOD("UDP", V4, PORTS, .proto = PROTO_UDP),
	GOOD("UDP with payload", V4, PORTS, .proto = PROTO_UDP, .payload = 100),
	GOOD("SCTP", V4, PORTS, .proto = PROTO_SCTP, .payload = 4),
	GOOD("ICMP", V4, .proto = PROTO_ICMP, .sport = 8, .dport = 1),
	GOOD("protocol without ports", V4, .proto = PROTO_GRE, .payload = 40),
	GOOD("no payload at all", V4, .proto = PROTO_NONE),
	GOOD("TOS", V4, PORTS, .proto = PROTO_TCP, .tos = 0xb9),
	GOOD("one option word", V4, PORTS, .proto = PROTO_TCP, .option_words = 1),
	GOOD("ten option words", V4, PORTS, .proto = PROTO_UDP, .option_words = 10),
	GOOD("first fragment",
	     V4, PORTS, .proto = PROTO_TCP, .payload = 12, .fragment = IPV4_MF),
	GOOD("second fragment right behind the header",
	     V4, PORTS, .proto = PROTO_TCP, .payload = 8, .fragment = IPV4_MF | 3),
	SPOILT("first fragment of a long UDP datagram", NONE, L4, 4, 0x40,
	     V4, PORTS, .proto = PROTO_UDP, .payload = 8, .fragment = IPV4_MF),
	GOOD("middle fragment",
	     V4, PORTS, .proto = PROTO_TCP, .payload = 8, .fragment = IPV4_MF | 4),
	GOOD("last fragment", V4, PORTS, .proto = PROTO_UDP, .payload = 3, .fragment = 0x1fff),
	GOOD("do not fragment", V4, PORTS, .proto = PROTO_TCP, .fragment = IPV4_DF),
	GOOD("one tag", V4, PORTS, .proto = PROTO_TCP, .tags = { 10 }, .n_tags = 1),
	GOOD("priority bits are no VID",
	     V4, PORTS, .proto = PROTO_TCP, .tags = { 0xf00a }, .n_tags = 1),
	GOOD("two tags", V4, PORTS, .proto = PROTO_TCP, .tags = { 10, 20 }, .n_tags = 2),
	GOOD("service tag",
	     V4, PORTS, .proto = PROTO_TCP, .tags = { 10, 20 }, .n_tags = 2, .tag_type = ETHERTYPE_QINQ),
	GOOD("VID 0", V6, PORTS, .proto = PROTO_TCP, .tags = { 0 }, .n_tags = 1),

	SPOILT("IPv4-mapped source", IP_SOURCE, L3, 19, 0xff,
	       .src = "::fffe:a00:b", .dst = "fd00:1::12", PORTS, .proto = PROTO_TCP),
	SPOILT("IPv4-mapped destination", IP_SOURCE, L3, 35, 0xff,
	       .src = "fd00:1::11", .dst = "::fffe:a00:c", PORTS, .proto = PROTO_TCP),
	GOOD("TCP6", V6, PORTS, .proto = PROTO_TCP, .tos = 0x2e),
	GOOD("UDP6", V6, PORTS, .proto = PROTO_UDP),
	GOOD("SCTP6", V6, PORTS, .proto = PROTO_SCTP),
	GOOD("ICMPv6", V6, .proto = PROTO_ICMPV6, .sport = 128),
	GOOD("tagged ICMPv6",
	     V6, .proto = PROTO_ICMPV6, .sport = 129, .tags = { 10, 20 }, .n_tags = 2),
	GOOD("no next header", V6, .proto = PROTO_NONE),
	GOOD("ESP", V6, .proto = PROTO_ESP, .payload = 24),
	GOOD("hop-by-hop", V6, PORTS, .proto = PROTO_UDP, CHAIN(PROTO_HOPOPTS)),
	GOOD("routing", V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_ROUTING)),
	GOOD("destination options", V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_DSTOPTS)),
	GOOD("authentication", V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_AH)),
	GOOD("atomic fragment", V6, PORTS, .proto = PROTO_UDP, CHAIN(PROTO_FRAGMENT)),
	GOOD("first fragment6",
	     V6, PORTS, .proto = PROTO_UDP, CHAIN(PROTO_HOPOPTS, PROTO_FRAGMENT), .fragment = 1,
	     .payload = 8),
	GOOD("later fragment6",
	     V6, PORTS, .proto = PROTO_UDP, CHAIN(PROTO_FRAGMENT), .fragment = 5 << 3 | 1, .payload = 16),
	GOOD("last fragment6",
	     V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_FRAGMENT), .fragment = 0xfff8, .payload = 1),
	GOOD("six extensions",
	     V6, PORTS, .proto = PROTO_TCP, CHAIN(ONE_OF_EACH, PROTO_DSTOPTS)),
	GOOD("six extensions, nothing behind",
	     V6, .proto = PROTO_NONE, CHAIN(ONE_OF_EACH, PROTO_DSTOPTS)),

	BAD("seven extensions", IPV6_EXTENSIONS,
	     V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_HOPOPTS, OPTIONS_5, PROTO_DSTOPTS)),
	SPOILT("extension longer than the packet", IPV6_EXTENSIONS, L3, 41, 9,
	     V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_HOPOPTS)),
	SPOILT("authentication longer than the packet", IPV6_EXTENSIONS, L3, 41, 99,
	     V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_AH)),
	BAD("three tags",
	     VLAN_DEPTH, V4, PORTS, .proto = PROTO_TCP, .tags = { 1, 2, 3 }, .n_tags = 3),
	SPOILT("unknown type", ETHERTYPE, ETH, 12, 0x88, V4, PORTS, .proto = PROTO_TCP),
	SPOILT("802.3 length", ETHERTYPE, ETH, 12, 0x00, V4, PORTS, .proto = PROTO_TCP),
	SPOILT("unknown type behind a tag", ETHERTYPE, ETH, 16, 0x88,
	     V4, PORTS, .proto = PROTO_TCP, .tags = { 1 }, .n_tags = 1),
	SPOILT("IPv4 version 5", IP_HEADER, L3, 0, 0x55, V4, PORTS, .proto = PROTO_TCP),
	SPOILT("IPv4 header of 16", IP_HEADER, L3, 0, 0x44, V4, PORTS, .proto = PROTO_TCP),
	SPOILT("IPv4 length below its header", IP_HEADER, L3, 3, 19,
	     V4, PORTS, .proto = PROTO_TCP),
	SPOILT("IPv4 options past the length", IP_HEADER, L3, 0, 0x4f,
	     V4, PORTS, .proto = PROTO_TCP),
	SPOILT("IPv6 version 4", IP_HEADER, L3, 0, 0x40, V6, PORTS, .proto = PROTO_TCP),
	SPOILT("TCP header of 16", L4_HEADER, L4, 12, 0x40, V4, PORTS, .proto = PROTO_TCP),
	SPOILT("TCP options past the packet", L4_HEADER, L4, 12, 0x60,
	     V6, PORTS, .proto = PROTO_TCP, .payload = 3),
	SPOILT("first fragment without the TCP options", FRAGMENT_TINY, L4, 12, 0xf0,
	       V4, PORTS, .proto = PROTO_TCP, .payload = 4, .fragment = IPV4_MF),
	SPOILT("first fragment6 without the whole chain", FRAGMENT_TINY, L3, 49, 9,
	       V6, PORTS, .proto = PROTO_TCP, CHAIN(PROTO_FRAGMENT, PROTO_DSTOPTS), .fragment = 1),
	SPOILT("fragment in a fragment", IPV6_EXTENSIONS, L3, 51, 0,
	       V6, PORTS, .proto = PROTO_UDP, CHAIN(PROTO_FRAGMENT, PROTO_FRAGMENT), .fragment = 1),
	BAD("fragment inside the TCP ports", FRAGMENT_TINY,
	    V4, PORTS, .proto = PROTO_TCP, .payload = 8, .fragment = IPV4_MF | 1),
	BAD("fragment inside the TCP flags", FRAGMENT_TINY,
	    V4, PORTS, .proto = PROTO_TCP, .payload = 5, .fragment = 2),
	BAD("fragment inside the SCTP header", FRAGMENT_TINY,
	    V6, PORTS, .proto = PROTO_SCTP, CHAIN(PROTO_FRAGMENT), .payload = 8, .fragment = 1 << 3),
	BAD("fragment of nothing", FRAGMENT_FORM,
	    V4, PORTS, .proto = PROTO_UDP, .fragment = 4),
	BAD("fragment of 9 bytes in the middle", FRAGMENT_FORM,
	    V4, PORTS, .proto = PROTO_UDP, .payload = 9, .fragment = IPV4_MF | 4),
	BAD("fragment of 9 bytes in the middle6", FRAGMENT_FORM,
	    V6, PORTS, .proto = PROTO_UDP, CHAIN(PROTO_FRAGMENT), .payload = 9, .fragment = 4 << 3 | 1),
	BAD("fragment beyond the largest datagram", FRAGMENT_FORM,
	    V4, PORTS, .proto = PROTO_UDP, .payload = 8, .fragment = 0x1fff),
	SPOILT("UDP length 7", L4_HEADER, L4, 5, 7, V4, PORTS, .proto = PROTO_UDP),
	SPOILT("UDP longer than the packet", L4_HEADER, L4, 5, 18,
	     V6, PORTS, .proto = PROTO_UDP, .payload = 9),
};

static inline enum frame_fragment frame_fragment_of(const struct packet_spec *s)
{
	struct ip_addr src = packet_addr(s->src);
	bool v4 = ip_addr_is_v4(&src);

	if (v4 ? s->fragment & IPV4_OFFSET_MASK : s->fragment >> 3)
		return FRAGMENT_LATER;
	return s->fragment & (v4 ? IPV4_MF : 1) ? FRAGMENT_FIRST : FRAGMENT_NONE;
}

/* Where the headers of a specified frame lie. */
struct frame_layout {
	size_t l3, chain_end, l4, l4_end, len;
};

static inline struct frame_layout frame_layout_of(const struct packet_spec *s, size_t len)
{
	struct ip_addr src = packet_addr(s->src);
	bool v4 = ip_addr_is_v4(&src);
	struct frame_layout l = { .l3 = 14 + 4 * s->n_tags, .len = len };

	l.l4 = l.l3 + (v4 ? 20 + 4 * s->option_words : 40);
	l.chain_end = l.l3 + (v4 ? 20 : 40);
	for (unsigned int i = 0; i < s->n_extensions; i++) {
		l.chain_end = l.l4 + 8;
		l.l4 += s->extensions[i] == PROTO_AH ? 12 : 8;
	}
	l.l4_end = l.l4;
	if (frame_fragment_of(s) != FRAGMENT_LATER)
		l.l4_end += packet_l4_header_len(s->proto);
	return l;
}

static inline size_t frame_build(const struct frame_case *c, uint8_t *buf, struct frame_layout *ret_layout)
{
	size_t len = packet_build(&c->spec, buf);
	struct frame_layout l = frame_layout_of(&c->spec, len);
	size_t from[] = { [ETH] = 0, [L3] = l.l3, [L4] = l.l4 };

	if (c->spoil.on)
		buf[from[c->spoil.from] + c->spoil.at] = c->spoil.value;
	*ret_layout = l;
	return len;
}
