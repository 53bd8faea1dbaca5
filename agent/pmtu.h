/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmtu.h - path MTU discovery for the tunnels
 *
 *	router ──ICMP "fragmentation needed", ICMPv6 "packet too big"──► this host
 *	              quotes an outer packet ─► which remote host, which size
 *
 * Outer packets never fragment, so a router with a smaller MTU in the middle of
 * the underlay drops them and says so (RFC 1191, RFC 8201). The kernel hears that,
 * and forgets it: no socket of its own sent the packet. Here the report is read and
 * believed if it quotes what this host would have sent: its own endpoint,
 * tunnel and port, to the remote host. What was learned is forgotten after ten minutes, so that a
 * path that has grown is used again.
 *
 * Pure: bytes in, time as an argument. See also: pmtu_watch.h (the sockets).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mirach/nexthop.h>
#include <mirach/types.h>

#define PMTU_LIFE_NS (600 * 1000000000ull)	/* RFC 1191 section 6.3: ten minutes */
#define PMTU_MIN_IPV4 552u			/* what Linux believes at least, too */
#define PMTU_MIN_IPV6 1280u			/* RFC 8200 section 5 */

/* What our outer packets look like. */
struct pmtu_tunnel {
	struct ip_addr local[2];	/* IPv4, IPv6; zero = none */
	enum tunnel_kind tunnel;
	uint16_t udp_port;		/* 0 for GRE */
};

struct pmtu_report {
	struct ip_addr remote;
	uint32_t mtu;			/* of the outer IP packet */
};

/*
 * Reads what a raw socket delivers: for ICMP the IP header and the message, for ICMPv6
 * the message. True if it is about one of our outer packets, and credible.
 */
bool pmtu_read_icmp(const void *bytes, size_t len, const struct pmtu_tunnel *t,
		    struct pmtu_report *ret);
bool pmtu_read_icmpv6(const void *bytes, size_t len, const struct pmtu_tunnel *t,
		      struct pmtu_report *ret);

/* What is known of the path to one remote host. All zero: nothing. */
struct pmtu {
	uint32_t mtu;
	uint64_t until_ns;		/* 0: nothing is known */
};

/* Takes in a report while the path's MTU is @current. True if that makes it smaller. */
bool pmtu_learn(struct pmtu *p, uint32_t current, uint32_t told, uint64_t now_ns);
/* The smaller of @mtu, the device's or route's, and what was learned. Forgets what is old. */
uint32_t pmtu_limit(struct pmtu *p, uint32_t mtu, uint64_t now_ns);
