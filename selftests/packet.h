/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * packet.h - frames for tests, from a few words to correct bytes
 *
 *	struct packet_spec s = { .src = "10.0.0.11", .dst = "10.0.0.12", .proto = PROTO_UDP };
 *	size_t len = packet_build(&s, buf);
 *
 * Everything not said gets a plain default, lengths and checksums are right. A
 * test that wants a wrong frame builds a right one and spoils the byte it means.
 */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <lib/addr.h>
#include <mirach/nexthop.h>
#include <mirach/wire.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define PACKET_MAX 4096
#define PACKET_EXTENSIONS_MAX 8

struct packet_spec {
	uint8_t dmac[ETH_ADDR_LEN], smac[ETH_ADDR_LEN]; /* default 02:…:dd and 02:…:55 */
	uint16_t tags[3];		/* VLAN tags, outermost first */
	unsigned int n_tags;
	uint16_t tag_type;		/* default 0x8100 */
	const char *src, *dst;		/* the family is theirs */
	uint8_t proto;
	uint8_t ttl;			/* default 64 */
	uint8_t tos;
	uint16_t sport, dport;		/* ICMP: type and code */
	uint16_t payload;		/* bytes behind the L4 header: 0, 1, 2, ... */
	uint8_t option_words;		/* IPv4: so many words of options */
	uint8_t extensions[PACKET_EXTENSIONS_MAX]; /* IPv6: types of extension headers, in order */
	unsigned int n_extensions;
	uint16_t fragment;		/* IPv4 field, or the fragment extension's, host order */
	uint16_t id;			/* of the datagram; default 0x1234 */
};

static inline struct ip_addr packet_addr(const char *text)
{
	struct ip_addr a = {};
	int err = ip_addr_parse(text, &a);

	assert(!err);
	(void)err;
	return a;
}

static inline uint32_t packet_sum(const void *bytes, size_t len, uint32_t sum)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Sum over the pseudo header (RFC 9293 section 3.1, RFC 8200 section 8.1), host order. */
static inline uint32_t packet_pseudo_sum(const struct ip_addr *src, const struct ip_addr *dst,
					 uint8_t proto, size_t len)
{
	size_t from = ip_addr_is_v4(src) ? 12 : 0;
	uint32_t sum = packet_sum((const char *)src + from, 16 - from, proto + len);

	return packet_sum((const char *)dst + from, 16 - from, sum);
}

static inline size_t packet_l4_header_len(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return sizeof(struct tcp_header);
	case PROTO_SCTP:
		return sizeof(struct sctp_header);
	case PROTO_UDP:
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return 8;
	}
	return 0;
}

/* Where the checksum of @proto lies in its header; -1: none that packet_build() fills in. */
static inline int packet_checksum_offset(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return 16;
	case PROTO_UDP:
		return 6;
	case PROTO_ICMP:
	case PROTO_ICMPV6:
		return 2;
	}
	return -1;
}

static inline void packet_l4_sum(const struct packet_spec *s, uint8_t *l4, size_t len)
{
	struct ip_addr src = packet_addr(s->src), dst = packet_addr(s->dst);
	int at = packet_checksum_offset(s->proto);
	uint32_t sum = 0;

	if (at < 0)
		return;
	if (s->proto != PROTO_ICMP)
		sum = packet_pseudo_sum(&src, &dst, s->proto, len);
	sum = ~packet_sum(l4, len, sum) & 0xffff;
	if (!sum && s->proto == PROTO_UDP)
		sum = 0xffff;
	l4[at] = sum >> 8;
	l4[at + 1] = sum;
}

/* L4 header and payload; a later fragment has payload only. Returns bytes written. */
static inline size_t packet_build_l4(const struct packet_spec *s, uint8_t *l4)
{
	struct ip_addr src = packet_addr(s->src);
	bool later = ip_addr_is_v4(&src) ? s->fragment & IPV4_OFFSET_MASK : s->fragment >> 3;
	size_t header = later ? 0 : packet_l4_header_len(s->proto), len = header + s->payload;

	memset(l4, 0, header);
	for (size_t i = 0; i < s->payload; i++)
		l4[header + i] = i;
	if (!header)
		return len;
	l4[0] = s->sport >> 8;
	l4[1] = s->sport;
	l4[2] = s->dport >> 8;
	l4[3] = s->dport;
	if (s->proto == PROTO_ICMP || s->proto == PROTO_ICMPV6) {
		l4[0] = s->sport;
		l4[1] = s->dport;
		l4[2] = l4[3] = 0;
	} else if (s->proto == PROTO_UDP) {
		((struct udp_header *)l4)->len = wire16(len);
	} else if (s->proto == PROTO_TCP) {
		l4[12] = 5 << 4;
		l4[13] = 0x10;
	}
	packet_l4_sum(s, l4, len);
	return len;
}

static inline size_t packet_build_ipv4(const struct packet_spec *s, uint8_t *l3)
{
	size_t header_len = sizeof(struct ipv4_header) + 4 * s->option_words;
	size_t len = header_len + packet_build_l4(s, l3 + header_len);
	struct ipv4_header ip = {
		.version_ihl = 0x40 | header_len / 4,
		.tos = s->tos,
		.total_len = wire16(len),
		.id = wire16(s->id ? s->id : 0x1234),
		.fragment = wire16(s->fragment),
		.ttl = s->ttl ? s->ttl : 64,
		.proto = s->proto,
		.src = packet_addr(s->src).w[3],
		.dst = packet_addr(s->dst).w[3],
	};

	memset(l3 + sizeof(ip), 1, 4 * s->option_words);	/* no-operation options */
	memcpy(l3, &ip, sizeof(ip));
	ip.checksum = wire16(~packet_sum(l3, header_len, 0));
	memcpy(l3, &ip, sizeof(ip));
	return len;
}

/* One extension header of 8 bytes, AH of 12. Returns its length. */
static inline size_t packet_build_extension(const struct packet_spec *s, uint8_t type, uint8_t next,
					    uint8_t *ext)
{
	struct ipv6_fragment fragment = { .next = next, .offset = wire16(s->fragment),
					  .id = wire32(s->id ? s->id : 0x1234) };

	memset(ext, 0, 12);
	ext[0] = next;
	if (type == PROTO_FRAGMENT)
		memcpy(ext, &fragment, sizeof(fragment));
	else if (type == PROTO_AH)
		ext[1] = 1;		/* RFC 4302 section 2.2: words minus 2 */
	else if (type != PROTO_ROUTING)
		ext[2] = 1, ext[3] = 4;	/* PadN over the rest */
	return type == PROTO_AH ? 12 : 8;
}

static inline size_t packet_build_ipv6(const struct packet_spec *s, uint8_t *l3)
{
	struct ipv6_header ip = {
		.version_class_label = wire32(6u << 28 | (uint32_t)s->tos << 20),
		.next = s->n_extensions ? s->extensions[0] : s->proto,
		.hop_limit = s->ttl ? s->ttl : 64,
		.src = packet_addr(s->src),
		.dst = packet_addr(s->dst),
	};
	size_t len = sizeof(ip);

	for (unsigned int i = 0; i < s->n_extensions; i++) {
		bool last = i + 1 == s->n_extensions;
		uint8_t next = last ? s->proto : s->extensions[i + 1];

		len += packet_build_extension(s, s->extensions[i], next, l3 + len);
	}
	len += packet_build_l4(s, l3 + len);
	ip.payload_len = wire16(len - sizeof(ip));
	memcpy(l3, &ip, sizeof(ip));
	return len;
}

static inline bool packet_no_mac(const uint8_t mac[ETH_ADDR_LEN])
{
	return !(mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
}

static inline size_t packet_build_ethernet(const struct packet_spec *s, uint16_t type, uint8_t *buf)
{
	static const uint8_t dmac[] = { 2, 0, 0, 0, 0, 0xdd }, smac[] = { 2, 0, 0, 0, 0, 0x55 };
	uint16_t tag_type = s->tag_type ? s->tag_type : ETHERTYPE_VLAN;
	struct eth_header eth = { .type = wire16(s->n_tags ? tag_type : type) };
	size_t len = sizeof(eth);

	memcpy(eth.dmac, packet_no_mac(s->dmac) ? dmac : s->dmac, ETH_ADDR_LEN);
	memcpy(eth.smac, packet_no_mac(s->smac) ? smac : s->smac, ETH_ADDR_LEN);
	memcpy(buf, &eth, sizeof(eth));
	for (unsigned int i = 0; i < s->n_tags; i++) {
		bool last = i + 1 == s->n_tags;
		struct vlan_header tag = { .tci = wire16(s->tags[i]),
					   .type = wire16(last ? type : ETHERTYPE_VLAN) };

		memcpy(buf + len, &tag, sizeof(tag));
		len += sizeof(tag);
	}
	return len;
}

/* Writes the frame to @buf, PACKET_MAX bytes. Returns its length. */
static inline size_t packet_build(const struct packet_spec *s, uint8_t *buf)
{
	struct ip_addr src = packet_addr(s->src);
	size_t len;

	if (ip_addr_is_v4(&src)) {
		len = packet_build_ethernet(s, ETHERTYPE_IPV4, buf);
		return len + packet_build_ipv4(s, buf + len);
	}
	len = packet_build_ethernet(s, ETHERTYPE_IPV6, buf);
	return len + packet_build_ipv6(s, buf + len);
}

/* What goes around a frame on the underlay. */
struct packet_outer {
	const char *src, *dst;
	enum tunnel_kind tunnel;
	uint32_t vni;
	uint8_t tos;
	uint16_t vlan;			/* of the underlay; 0 = untagged */
	uint16_t port;			/* default by tunnel */
};

static inline size_t packet_build_tunnel(const struct packet_outer *o, uint8_t *at)
{
	struct vxlan_header vxlan = { wire32(VXLAN_FLAG_VNI), wire32(o->vni << 8) };
	struct geneve_header geneve = { .protocol = wire16(ETHERTYPE_TEB), .vni = wire32(o->vni << 8) };
	struct gre_header gre = { wire16(GRE_FLAG_KEY), wire16(ETHERTYPE_TEB), wire32(o->vni) };

	if (o->tunnel == TUNNEL_VXLAN)
		memcpy(at, &vxlan, sizeof(vxlan));
	else if (o->tunnel == TUNNEL_GENEVE)
		memcpy(at, &geneve, sizeof(geneve));
	else
		memcpy(at, &gre, sizeof(gre));
	return 8;
}

/*
 * Writes outer headers and the frame @inner to @buf. Offsets from @buf: with one of
 * the underlay tags add 4; IP at 14, then UDP, then the tunnel header, 8 bytes each.
 */
static inline size_t packet_encapsulate(const struct packet_outer *o, const uint8_t *inner,
					size_t inner_len, uint8_t *buf)
{
	bool gre = o->tunnel == TUNNEL_GRE;
	uint16_t port = o->tunnel == TUNNEL_GENEVE ? GENEVE_PORT : VXLAN_PORT;
	struct packet_spec outer = {
		.src = o->src,
		.dst = o->dst,
		.tos = o->tos,
		.tags = { o->vlan },
		.n_tags = !!o->vlan,
		.proto = gre ? PROTO_GRE : PROTO_UDP,
		.sport = 50000,
		.dport = o->port ? o->port : port,
		.payload = 8 + inner_len,
	};
	size_t len = packet_build(&outer, buf), at = len - outer.payload;

	if (!gre)
		memset(buf + at - 2, 0, 2);	/* no UDP checksum */
	at += packet_build_tunnel(o, buf + at);
	memcpy(buf + at, inner, inner_len);
	return len;
}
