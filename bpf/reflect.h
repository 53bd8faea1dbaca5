/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reflect.h - a hoverboard answers its hosts' question whether it is there
 *
 *	host's agent ── S-BFD, UDP 7784 ──► uplink of the hoverboard ── the same, turned round ──► host
 *
 * The reflector of Seamless BFD (RFC 7880 section 7, RFC 7881), which keeps no state: any
 * number of hosts may ask. It sits in the program that forwards, so an answer proves
 * that very program alive, and it goes on when the agent is gone.
 */
#pragma once

#include <bpf/decap.h>
#include <bpf/responder.h>

static __always_inline int bfd_valid(const struct bfd_header *bfd, __be32 discriminator)
{
	return bfd->version_diag >> 5 == BFD_VERSION && bfd->len == sizeof(*bfd) &&
	       (bfd->state_flags & (BFD_DEMAND | BFD_AUTH)) == BFD_DEMAND &&
	       bfd->your_discriminator == discriminator && bfd->my_discriminator;
}

/*
 * RFC 7880 section 7.2.2: discriminators change places, Demand goes, Poll becomes Final. Words
 * that change places leave the sum as it is.
 */
static __always_inline void bfd_turn(struct udp_header *udp, struct bfd_header *bfd)
{
	const __be16 old = *(__be16 *)bfd;
	const __be32 asker = bfd->my_discriminator;
	const __be16 port = udp->sport;
	__u8 flags = BFD_STATE_UP | BFD_INDEPENDENT;

	if (bfd->state_flags & BFD_POLL)
		flags |= BFD_FINAL;
	bfd->version_diag = BFD_VERSION << 5;
	bfd->state_flags = flags;
	bfd->my_discriminator = bfd->your_discriminator;
	bfd->your_discriminator = asker;
	udp->sport = udp->dport;
	udp->dport = port;
	if (udp->checksum)
		udp->checksum = sum_replace(udp->checksum, old, *(__be16 *)bfd) ?: 0xffff;
}

static __always_inline int reflect_udp(struct pkt *pkt, struct udp_header *udp, __be32 discriminator)
{
	struct bfd_header *bfd = (void *)(udp + 1);

	if ((void *)(bfd + 1) > pkt->end || udp->dport != wire16(SBFD_PORT) ||
	    host16(udp->len) != sizeof(*udp) + sizeof(*bfd) || !bfd_valid(bfd, discriminator))
		return VERDICT_PASSED;
	bfd_turn(udp, bfd);
	return CONTINUE;
}

static __always_inline int reflect_ipv4(struct pkt *pkt, const struct port *port,
					struct ipv4_header *ip)
{
	__be32 src;
	__be16 old;

	if ((void *)(ip + 1) > pkt->end || ip->version_ihl != 0x45 || ip->proto != PROTO_UDP ||
	    ip->dst != port->underlay[0].w[3] || !ip->dst ||
	    ip->fragment & wire16(IPV4_MF | IPV4_OFFSET_MASK) ||
	    reflect_udp(pkt, (void *)(ip + 1), ip->dst))
		return VERDICT_PASSED;
	src = ip->src;
	ip->src = ip->dst;
	ip->dst = src;
	old = *(__be16 *)&ip->ttl;
	ip->ttl = 255;
	ip->checksum = sum_replace(ip->checksum, old, *(__be16 *)&ip->ttl);
	return CONTINUE;
}

static __always_inline int reflect_ipv6(struct pkt *pkt, const struct port *port,
					struct ipv6_header *ip)
{
	struct ip_addr src;

	if ((void *)(ip + 1) > pkt->end || ip->next != PROTO_UDP || !port->underlay[1].w[0] ||
	    !ip_addr_equal(&ip->dst, &port->underlay[1]) ||
	    reflect_udp(pkt, (void *)(ip + 1), sbfd_discriminator(&port->underlay[1])))
		return VERDICT_PASSED;
	src = ip->src;
	ip->src = ip->dst;
	ip->dst = src;
	ip->hop_limit = 255;
	return CONTINUE;
}

/* A frame that is no tunnel's: answers it if it is such a question, or leaves it to the host. */
static __noinline int reflect(struct pkt *pkt)
{
	struct port *port = port_get(pkt->port);
	struct outer o = {};
	__be16 type = 0;
	int verdict;

	if (!port)
		return VERDICT_PASSED;
	verdict = outer_ethernet(pkt, port, &o, &type);
	if (!verdict && type == wire16(ETHERTYPE_IPV4))
		verdict = reflect_ipv4(pkt, port, o.pos);
	else if (!verdict && type == wire16(ETHERTYPE_IPV6))
		verdict = reflect_ipv6(pkt, port, o.pos);
	else
		verdict = VERDICT_PASSED;
	return verdict ?: reply(pkt, port->mac);
}
