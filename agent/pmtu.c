// SPDX-License-Identifier: BSD-2-Clause
/*
 * pmtu.c - path MTU discovery for the tunnels
 */
#include "pmtu.h"

#include <string.h>

#include <lib/addr.h>
#include <mirach/wire.h>

#define ICMP_UNREACHABLE 3
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMPV6_PACKET_TOO_BIG 2

/* What is left to read. */
struct bytes {
	const uint8_t *at;
	size_t left;
};

static bool take(struct bytes *b, void *ret, size_t len)
{
	if (b->left < len)
		return false;
	memcpy(ret, b->at, len);
	b->at += len;
	b->left -= len;
	return true;
}

static bool skip(struct bytes *b, size_t len)
{
	if (b->left < len)
		return false;
	b->at += len;
	b->left -= len;
	return true;
}

/* The eight bytes behind the quoted IP header are all that routers must quote: RFC 792. */
static bool is_our_tunnel(struct bytes *b, uint8_t proto, const struct pmtu_tunnel *t)
{
	struct udp_header udp;
	struct gre_header gre;

	if (t->tunnel == TUNNEL_GRE)
		return proto == PROTO_GRE && take(b, &gre, 8) &&
		       gre.flags == wire16(GRE_FLAG_KEY) && gre.protocol == wire16(ETHERTYPE_TEB);
	return proto == PROTO_UDP && take(b, &udp, sizeof(udp)) &&
	       udp.dport == wire16(t->udp_port) && host16(udp.sport) >= TUNNEL_ENTROPY_MIN;
}

/* A router from before RFC 1191 names no MTU: the next plateau below what it refused (section 7.1). */
static uint32_t plateau_below(uint32_t len)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006 };

	for (size_t i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++)
		if (plateaus[i] < len)
			return plateaus[i];
	return PMTU_MIN_IPV4;
}

static bool skip_ipv4(struct bytes *b, struct ipv4_header *ret)
{
	size_t options;

	if (!take(b, ret, sizeof(*ret)) || ret->version_ihl >> 4 != 4)
		return false;
	options = (ret->version_ihl & 15) * 4;
	return options >= sizeof(*ret) && skip(b, options - sizeof(*ret));
}

bool pmtu_read_icmp(const void *bytes, size_t len, const struct pmtu_tunnel *t,
		    struct pmtu_report *ret)
{
	struct bytes b = { bytes, len };
	struct ipv4_header ip, quoted;
	struct icmp_header icmp;
	uint32_t mtu;

	if (!skip_ipv4(&b, &ip) || !take(&b, &icmp, sizeof(icmp)) || !skip_ipv4(&b, &quoted))
		return false;
	if (icmp.type != ICMP_UNREACHABLE || icmp.code != ICMP_FRAGMENTATION_NEEDED)
		return false;
	if (ip_addr_is_zero(&t->local[0]) || quoted.src != t->local[0].w[3] ||
	    !is_our_tunnel(&b, quoted.proto, t))
		return false;
	mtu = host32(icmp.rest) & 0xffff;
	if (!mtu)
		mtu = plateau_below(host16(quoted.total_len));
	if (mtu < PMTU_MIN_IPV4)
		mtu = PMTU_MIN_IPV4;
	ip_addr_set_v4(&ret->remote, quoted.dst);
	ret->mtu = mtu;
	return true;
}

bool pmtu_read_icmpv6(const void *bytes, size_t len, const struct pmtu_tunnel *t,
		      struct pmtu_report *ret)
{
	struct bytes b = { bytes, len };
	struct icmp_header icmp;
	struct ipv6_header quoted;

	if (!take(&b, &icmp, sizeof(icmp)) || !take(&b, &quoted, sizeof(quoted)))
		return false;
	if (icmp.type != ICMPV6_PACKET_TOO_BIG || icmp.code ||
	    host32(quoted.version_class_label) >> 28 != 6)
		return false;
	if (ip_addr_is_zero(&t->local[1]) || !ip_addr_equal(&quoted.src, &t->local[1]) ||
	    !is_our_tunnel(&b, quoted.next, t))
		return false;
	ret->remote = quoted.dst;
	ret->mtu = host32(icmp.rest);
	return ret->mtu >= PMTU_MIN_IPV6;	/* RFC 8201 section 4 */
}

bool pmtu_learn(struct pmtu *p, uint32_t current, uint32_t told, uint64_t now_ns)
{
	if (told > current)
		return false;
	p->mtu = told;
	p->until_ns = now_ns + PMTU_LIFE_NS;
	return told < current;
}

uint32_t pmtu_limit(struct pmtu *p, uint32_t mtu, uint64_t now_ns)
{
	if (p->until_ns && p->until_ns <= now_ns)
		*p = (struct pmtu){};
	return p->until_ns && p->mtu < mtu ? p->mtu : mtu;
}
