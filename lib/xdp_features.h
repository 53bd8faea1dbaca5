/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_features.h - what a device's driver and the kernel say they can do with XDP
 *
 * Kernels from 6.3 tell by generic netlink (family "netdev",
 * Documentation/netlink/specs/netdev.yaml). Asked with plain libnl, because its
 * generic-netlink library is one more package for one question.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/hub.h>

/* Bits of the answer, enum netdev_xdp_act of the kernel. */
#define XDP_FEATURE_BASIC (1u << 0)		/* native mode: pass, drop, transmit */
#define XDP_FEATURE_REDIRECT (1u << 1)		/* its frames may be redirected */
#define XDP_FEATURE_NDO_XMIT (1u << 2)		/* frames may be redirected into it */
#define XDP_FEATURE_XSK_ZEROCOPY (1u << 3)
#define XDP_FEATURE_HW_OFFLOAD (1u << 4)
#define XDP_FEATURE_RX_SG (1u << 5)		/* frames of several buffers come in */
#define XDP_FEATURE_NDO_XMIT_SG (1u << 6)	/* and go out */

/* 0, -EOPNOTSUPP: the kernel is too old to say, or another -errno. */
int xdp_features(int ifindex, uint64_t *ret);

/* Linux 6.6; Debian 12's header is older. */
#ifndef XDP_USE_SG
#define XDP_USE_SG (1 << 4)
#define XDP_PKT_CONTD (1 << 0)
#endif

/* Whether the kernel's AF_XDP sockets take frames of several buffers. */
bool xdp_socket_chains(void);

/* Largest IP packet that a hub carries on this kernel. */
static inline unsigned int hub_packet_max(void)
{
	return xdp_socket_chains() ? HUB_PACKET_CHAIN : HUB_PACKET_ONE;
}
