// SPDX-License-Identifier: BSD-2-Clause
/*
 * template.c - the outer headers of a tunnel next hop, byte by byte
 *
 * The fast path fills in lengths, TOS, IPv4 checksum, UDP source port and VNI;
 * everything else is final here. The UDP checksum is zero, which RFC 7348, RFC
 * 8926 and, for IPv6, RFC 6935 allow: the inner packet protects itself.
 */
#include "template.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <mirach/wire.h>

#define OUTER_TTL 64

static void append(struct nexthop_body *body, const void *bytes, size_t len)
{
	memcpy(body->header + body->header_len, bytes, len);
	body->header_len += len;
}

static void append_ethernet(struct nexthop_body *body, const struct tunnel_spec *spec)
{
	__be16 type = wire16(ip_addr_is_v4(&spec->remote) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	struct vlan_header tag = { .tci = wire16(spec->vlan & VLAN_VID_MASK), .type = type };
	struct eth_header eth = { .type = spec->vlan ? wire16(ETHERTYPE_VLAN) : type };

	memcpy(eth.dmac, spec->dmac, ETH_ADDR_LEN);
	memcpy(eth.smac, spec->smac, ETH_ADDR_LEN);
	append(body, &eth, sizeof(eth));
	if (spec->vlan)
		append(body, &tag, sizeof(tag));
}

/* One's complement sum of the header as it stands, in memory order (RFC 1071 section 2). */
static uint32_t sum_words(const void *bytes, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2) {
		uint16_t word;

		memcpy(&word, (const char *)bytes + i, sizeof(word));
		sum += word;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void append_ipv4(struct nexthop_body *body, const struct tunnel_spec *spec, uint8_t proto)
{
	struct ipv4_header ip = {
		.version_ihl = 0x45,
		.fragment = wire16(IPV4_DF),
		.ttl = OUTER_TTL,
		.proto = proto,
		.src = spec->local.w[3],
		.dst = spec->remote.w[3],
	};

	body->ip_sum = sum_words(&ip, sizeof(ip));
	append(body, &ip, sizeof(ip));
}

static void append_ipv6(struct nexthop_body *body, const struct tunnel_spec *spec, uint8_t proto)
{
	struct ipv6_header ip = {
		.version_class_label = wire32(6u << 28),
		.next = proto,
		.hop_limit = OUTER_TTL,
		.src = spec->local,
		.dst = spec->remote,
	};

	append(body, &ip, sizeof(ip));
}

static void append_udp(struct nexthop_body *body, const struct tunnel_spec *spec)
{
	struct udp_header udp = { .dport = wire16(spec->udp_port) };

	append(body, &udp, sizeof(udp));
}

static void append_tunnel(struct nexthop_body *body, enum tunnel_kind tunnel)
{
	static const struct vxlan_header vxlan = { .flags = wire32(VXLAN_FLAG_VNI) };
	static const struct geneve_header geneve = { .protocol = wire16(ETHERTYPE_TEB) };
	static const struct gre_header gre = {
		.flags = wire16(GRE_FLAG_KEY),
		.protocol = wire16(ETHERTYPE_TEB),
	};

	if (tunnel == TUNNEL_VXLAN)
		append(body, &vxlan, sizeof(vxlan));
	else if (tunnel == TUNNEL_GENEVE)
		append(body, &geneve, sizeof(geneve));
	else
		append(body, &gre, sizeof(gre));
}

/* What the outer headers and the inner Ethernet header leave of the underlay's MTU. */
static uint32_t inner_mtu(const struct nexthop_body *body, const struct tunnel_spec *spec)
{
	uint32_t link = sizeof(struct eth_header) + (spec->vlan ? sizeof(struct vlan_header) : 0);
	uint32_t taken = body->header_len - link + sizeof(struct eth_header);

	return spec->underlay_mtu > taken ? spec->underlay_mtu - taken : 0;
}

int template_tunnel(const struct tunnel_spec *spec, struct nexthop_body *ret)
{
	bool v4 = ip_addr_is_v4(&spec->remote), udp = spec->tunnel != TUNNEL_GRE;
	uint8_t proto = udp ? PROTO_UDP : PROTO_GRE;
	struct nexthop_body body = {
		.kind = NEXTHOP_TUNNEL,
		.tunnel = spec->tunnel,
		.dscp = spec->dscp,
		.tos = spec->dscp == DSCP_PIPE ? spec->tos & 0xfc : 0,
		.port = spec->port,
	};

	if (ip_addr_is_v4(&spec->local) != v4)
		return -EINVAL;
	append_ethernet(&body, spec);
	if (v4)
		append_ipv4(&body, spec, proto);
	else
		append_ipv6(&body, spec, proto);
	if (udp)
		append_udp(&body, spec);
	append_tunnel(&body, spec->tunnel);
	body.mtu = inner_mtu(&body, spec);
	*ret = body;
	return 0;
}

void template_local(uint32_t port, uint32_t mtu, struct nexthop_body *ret)
{
	*ret = (struct nexthop_body){ .kind = NEXTHOP_LOCAL, .port = port, .mtu = mtu };
}

void template_down(struct nexthop_body *ret)
{
	*ret = (struct nexthop_body){ .kind = NEXTHOP_DOWN };
}
