/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_features.h - what a device's driver says it can do with XDP
 *
 * Kernels from 6.3 tell by generic netlink (family "netdev",
 * Documentation/netlink/specs/netdev.yaml). Asked with plain libnl, because its
 * generic-netlink library is one more package for one question.
 */
#pragma once

#include <stdint.h>

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
