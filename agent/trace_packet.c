/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_packet.c - a packet from a description, and one out of its tunnel
 */
#include <agent/trace_packet.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <lib/addr.h>
#include <mirach/nexthop.h>
#include <mirach/reasons.h>
#include <mirach/wire.h>

#define TTL 64

/* Building. */

static size_t build_l4(const struct trace_fields *f, uint8_t *pos)
{
	struct tcp_header tcp = { wire16(f->sport), wire16(f->dport), .offset = 5 << 4 };
	struct udp_header udp = { wire16(f->sport), wire16(f->dport), .len = wire16(sizeof(udp)) };
	struct sctp_header sctp = { wire16(f->sport), wire16(f->dport), 0, 0 };
	struct icmp_header icmp = { .type = f->sport, .code = f->dport };
	const struct {
		uint8_t proto;
		const void *header;
		size_t len;
	} headers[] = {
		{ PROTO_TCP, &tcp, sizeof(tcp) },     { PROTO_UDP, &udp, sizeof(udp) },
		{ PROTO_SCTP, &sctp, sizeof(sctp) },  { PROTO_ICMP, &icmp, sizeof(icmp) },
		{ PROTO_ICMPV6, &icmp, sizeof(icmp) },
	};

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		if (headers[i].proto != f->proto)
			continue;
		memcpy(pos, headers[i].header, headers[i].len);
		return headers[i].len;
	}
	return 0;
}

static size_t build_ip(const struct trace_fields *f, uint8_t *pos)
{
	size_t l4;

	if (ip_addr_is_v4(&f->src)) {
		struct ipv4_header ip = { .version_ihl = 0x45, .ttl = TTL, .proto = f->proto,
					  .src = f->src.w[3], .dst = f->dst.w[3] };

		l4 = build_l4(f, pos + sizeof(ip));
		ip.total_len = wire16(sizeof(ip) + l4);
		memcpy(pos, &ip, sizeof(ip));
		return sizeof(ip) + l4;
	}
	struct ipv6_header ip = { .version_class_label = wire32(6u << 28), .next = f->proto,
				  .hop_limit = TTL, .src = f->src, .dst = f->dst };

	l4 = build_l4(f, pos + sizeof(ip));
	ip.payload_len = wire16(l4);
	memcpy(pos, &ip, sizeof(ip));
	return sizeof(ip) + l4;
}

/* The type field that announces what follows, and the tags in between. */
static size_t build_types(const struct trace_fields *f, uint8_t *pos)
{
	__be16 type = wire16(ip_addr_is_v4(&f->src) ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	size_t len = 0;

	for (int i = 0; i < 2 && f->vlan[i]; i++) {
		const __be16 tag[] = { wire16(ETHERTYPE_VLAN), wire16(f->vlan[i]) };

		memcpy(pos + len, tag, sizeof(tag));
		len += sizeof(tag);
	}
	memcpy(pos + len, &type, sizeof(type));
	return len + sizeof(type);
}

int trace_packet_build(const struct trace_fields *f, uint8_t ret[TRACE_PACKET_MAX])
{
	size_t len = 2 * ETH_ADDR_LEN;

	if (ip_addr_is_v4(&f->src) != ip_addr_is_v4(&f->dst))
		return -EINVAL;
	memset(ret, 0, TRACE_PACKET_MAX);
	len += build_types(f, ret + len);
	return len + build_ip(f, ret + len);
}

/* Taking apart. Mirrors bpf/decap.h; docs/datapath.md says what each refusal means. */

struct walk {
	const uint8_t *frame;
	size_t len;
	size_t pos;			/* what has been walked over */
	size_t left;			/* bytes the outer IP packet claims after `pos` */
	uint8_t proto;
	struct trace_outer *out;
};

__attribute__((format(printf, 3, 4)))
static enum trace_decap_result say(struct walk *w, enum trace_decap_result result,
				   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(w->out->what, sizeof(w->out->what), fmt, ap);
	va_end(ap);
	return result;
}

static enum trace_decap_result refuse(struct walk *w, enum drop_reason reason, const char *what)
{
	w->out->reason = reason;
	return say(w, TRACE_DROPPED, "%s", what);
}

/* Copies the next @n bytes without passing them; false if the frame ends before. */
static bool peek(const struct walk *w, void *ret, size_t n)
{
	if (w->pos + n > w->len)
		return false;
	memcpy(ret, w->frame + w->pos, n);
	return true;
}

static bool walk_ethernet(struct walk *w, const struct port *uplink, __be16 *ret_type)
{
	struct vlan_header tag;
	struct eth_header eth;

	if (!peek(w, &eth, sizeof(eth)))
		return false;
	w->pos += sizeof(eth);
	*ret_type = eth.type;
	if (!uplink->vlan)
		return true;
	if ((eth.type != wire16(ETHERTYPE_VLAN) && eth.type != wire16(ETHERTYPE_QINQ)) ||
	    !peek(w, &tag, sizeof(tag)))
		return false;
	w->pos += sizeof(tag);
	*ret_type = tag.type;
	return (host16(tag.tci) & VLAN_VID_MASK) == (uplink->vlan & VLAN_VID_MASK);
}

static enum trace_decap_result walk_ipv4(struct walk *w, const struct port *uplink)
{
	struct ipv4_header ip;
	size_t header_len;

	if (!peek(w, &ip, sizeof(ip)) || !ip.dst || ip.dst != uplink->underlay[0].w[3])
		return say(w, TRACE_PASSED, "not addressed to this host's endpoint");
	if (ip.fragment & wire16(IPV4_MF | IPV4_OFFSET_MASK))
		return say(w, TRACE_PASSED, "an outer fragment");
	header_len = (ip.version_ihl & 0x0f) * 4;
	if (header_len < sizeof(ip) || host16(ip.total_len) < header_len)
		return refuse(w, REASON_OUTER_HEADER, "outer IPv4 lengths contradict each other");
	ip_addr_set_v4(&w->out->src, ip.src);
	w->out->tos = ip.tos;
	w->proto = ip.proto;
	w->pos += header_len;
	w->left = host16(ip.total_len) - header_len;
	return TRACE_INNER;
}

static enum trace_decap_result walk_ipv6(struct walk *w, const struct port *uplink)
{
	struct ipv6_header ip;

	if (!peek(w, &ip, sizeof(ip)) || ip_addr_is_zero(&uplink->underlay[1]) ||
	    !ip_addr_equal(&ip.dst, &uplink->underlay[1]))
		return say(w, TRACE_PASSED, "not addressed to this host's endpoint");
	w->out->src = ip.src;
	w->out->tos = host32(ip.version_class_label) >> 20;
	w->proto = ip.next;
	w->pos += sizeof(ip);
	w->left = host16(ip.payload_len);
	return TRACE_INNER;
}

static enum trace_decap_result walk_geneve(struct walk *w)
{
	struct geneve_header geneve;
	size_t options;

	if (!peek(w, &geneve, sizeof(geneve)))
		return refuse(w, REASON_TUNNEL_HEADER, "Geneve header cut short");
	if (geneve.version_len4 >> 6 || geneve.protocol != wire16(ETHERTYPE_TEB) ||
	    geneve.flags & GENEVE_FLAG_OAM)
		return refuse(w, REASON_TUNNEL_HEADER, "not Ethernet in Geneve version 0");
	if (geneve.flags & GENEVE_FLAG_CRITICAL)
		return refuse(w, REASON_GENEVE_CRITICAL, "critical Geneve option");
	options = (geneve.version_len4 & 0x3f) * 4;
	if (sizeof(geneve) + options > w->left)
		return refuse(w, REASON_TUNNEL_HEADER, "Geneve options longer than the packet");
	w->out->vni = host32(geneve.vni) >> 8;
	w->pos += sizeof(geneve) + options;
	return TRACE_INNER;
}

static enum trace_decap_result walk_vxlan(struct walk *w)
{
	struct vxlan_header vxlan;

	if (!peek(w, &vxlan, sizeof(vxlan)))
		return refuse(w, REASON_TUNNEL_HEADER, "VXLAN header cut short");
	if (!(vxlan.flags & wire32(VXLAN_FLAG_VNI)))
		return refuse(w, REASON_TUNNEL_HEADER, "VXLAN header without a VNI");
	w->out->vni = host32(vxlan.vni) >> 8;
	w->pos += sizeof(vxlan);
	return TRACE_INNER;
}

static enum trace_decap_result walk_udp(struct walk *w, const struct port *uplink)
{
	struct udp_header udp;

	if (!peek(w, &udp, sizeof(udp)) || udp.dport != uplink->tunnel_port)
		return say(w, TRACE_PASSED, "UDP, but not to the tunnel's port");
	if (host16(udp.len) > w->left ||
	    host16(udp.len) < sizeof(udp) + sizeof(struct vxlan_header))
		return refuse(w, REASON_OUTER_HEADER, "outer UDP length contradicts the packet");
	w->pos += sizeof(udp);
	w->left -= sizeof(udp);
	return uplink->tunnel == TUNNEL_GENEVE ? walk_geneve(w) : walk_vxlan(w);
}

static enum trace_decap_result walk_gre(struct walk *w)
{
	const __be16 sequence = wire16(GRE_FLAG_SEQUENCE);
	struct gre_header gre;
	size_t len = sizeof(gre);

	if (!peek(w, &gre, sizeof(gre)))
		return refuse(w, REASON_TUNNEL_HEADER, "GRE header cut short");
	if ((gre.flags & (__be16)~sequence) != wire16(GRE_FLAG_KEY) ||
	    gre.protocol != wire16(ETHERTYPE_TEB))
		return refuse(w, REASON_TUNNEL_HEADER, "not Ethernet in GRE with key");
	if (gre.flags & sequence)
		len += 4;
	if (len > w->left)
		return refuse(w, REASON_TUNNEL_HEADER, "GRE header longer than the packet");
	w->out->vni = host32(gre.key);
	w->pos += len;
	return TRACE_INNER;
}

static enum trace_decap_result walk_tunnel(struct walk *w, const struct port *uplink)
{
	if (w->proto == PROTO_UDP && uplink->tunnel != TUNNEL_GRE)
		return walk_udp(w, uplink);
	if (w->proto == PROTO_GRE && uplink->tunnel == TUNNEL_GRE)
		return walk_gre(w);
	return say(w, TRACE_PASSED, "not of this host's encapsulation");
}

enum trace_decap_result trace_decap(const struct port *uplink, const uint8_t *frame, size_t len,
				    struct trace_outer *ret)
{
	struct walk w = { .frame = frame, .len = len, .out = ret };
	enum trace_decap_result result;
	char src[IP_ADDR_STRLEN];
	__be16 type;

	*ret = (struct trace_outer){};
	if (!walk_ethernet(&w, uplink, &type))
		return say(&w, TRACE_PASSED, "not of the underlay's VLAN, or no Ethernet frame");
	if (type == wire16(ETHERTYPE_IPV4))
		result = walk_ipv4(&w, uplink);
	else if (type == wire16(ETHERTYPE_IPV6))
		result = walk_ipv6(&w, uplink);
	else
		result = say(&w, TRACE_PASSED, "neither IPv4 nor IPv6");
	if (result == TRACE_INNER)
		result = walk_tunnel(&w, uplink);
	if (result != TRACE_INNER)
		return result;
	if (ret->vni > 0xffffff)
		return refuse(&w, REASON_UNKNOWN_VNI, "the key is larger than any VNI");
	if (w.pos > len)
		return refuse(&w, REASON_OUTER_HEADER, "the frame ends inside the outer headers");
	ret->offset = w.pos;
	return say(&w, TRACE_INNER, "VNI %u from %s", ret->vni,
		   ip_addr_format(&ret->src, src, sizeof(src)));
}
