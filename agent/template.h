/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * template.h - builds the outer headers of a tunnel next hop
 *
 * Pure: from addresses and MACs to the bytes of struct nexthop_body.
 */
#pragma once

#include <stdint.h>

#include <mirach/nexthop.h>

struct tunnel_spec {
	enum tunnel_kind tunnel;
	uint16_t udp_port;		/* destination port, host order; unused for GRE */
	struct ip_addr local, remote;	/* of one family */
	uint8_t smac[ETH_ADDR_LEN];	/* of the uplink */
	uint8_t dmac[ETH_ADDR_LEN];	/* of the underlay's next hop */
	uint16_t vlan;			/* underlay VID, 0 = untagged */
	enum dscp_mode dscp;
	uint8_t tos;
	uint32_t port;			/* port slot of the uplink */
	uint32_t underlay_mtu;		/* largest outer IP packet, bytes */
};

/* Fills @ret whole. Returns 0, or -EINVAL if the addresses are of two families. */
int template_tunnel(const struct tunnel_spec *spec, struct nexthop_body *ret);
/* A local vport: no headers. @mtu: largest IP packet the device takes. */
void template_local(uint32_t port, uint32_t mtu, struct nexthop_body *ret);
/* Not resolved: packets are dropped as nexthop_down. */
void template_down(struct nexthop_body *ret);
