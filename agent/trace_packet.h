/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_packet.h - a packet from a description, and one out of its tunnel
 *
 * `mirachctl trace` is asked about packets that nobody sent. A description
 * becomes real bytes, so that it goes through the same parser as every packet;
 * a frame of the underlay is taken apart by the rules of bpf/decap.h. Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include <mirach/flow.h>
#include <mirach/port.h>

#define TRACE_PACKET_MAX 128		/* of a described packet, bytes */

struct trace_fields {
	struct ip_addr src, dst;	/* of one family */
	uint8_t proto;
	uint16_t sport, dport;		/* host order; ICMP: type and code */
	uint16_t vlan[2];		/* VIDs, outermost first, 0 = none */
};

/* A TTL of 64, no payload, checksums zero. Returns the length, or -EINVAL: two families. */
int trace_packet_build(const struct trace_fields *f, uint8_t ret[TRACE_PACKET_MAX]);

enum trace_decap_result {
	TRACE_INNER,			/* ours: scope, outer and offset are filled in */
	TRACE_PASSED,			/* belongs to the host's own stack */
	TRACE_DROPPED,			/* reason is filled in */
};

struct trace_outer {
	struct ip_addr src;		/* outer source */
	uint32_t vni;
	uint32_t offset;		/* of the inner frame, bytes */
	uint8_t tos;
	uint16_t reason;		/* enum drop_reason */
	char what[120];			/* what was found, for people */
};

/* What @uplink's program makes of the outer headers of @frame. */
enum trace_decap_result trace_decap(const struct port *uplink, const uint8_t *frame, size_t len,
				    struct trace_outer *ret);
