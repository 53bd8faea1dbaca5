/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * ethtool.h - what a network device is and which offloads it has switched on
 *
 * A few questions of the ethtool interface, asked by interface name in the
 * caller's network namespace. Features go by the kernel's own names, those that
 * `ethtool -k` prints in its long form: "tx-checksum-ip-generic", "rx-gro",
 * "tx-tcp-segmentation".
 *
 * All return 0 or -errno and leave outputs untouched on failure; -ENODEV: no
 * such device, -EOPNOTSUPP: the device cannot say or cannot do it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Driver name, such as "veth", "tun", "virtio_net"; 32 bytes are always enough. */
int ethtool_driver(const char *ifname, char *buf, size_t len);

/* -ENOENT: the kernel knows no feature of this name. */
int ethtool_feature_get(const char *ifname, const char *feature, bool *ret);
/* What was last asked for, even if it cannot be had at the moment. */
int ethtool_feature_wanted(const char *ifname, const char *feature, bool *ret);
/* Whether the device could have it at all, now. */
int ethtool_feature_available(const char *ifname, const char *feature, bool *ret);
/* Success means that the feature is now as asked, not only that the kernel took the wish. */
int ethtool_feature_set(const char *ifname, const char *feature, bool on);

struct ethtool_queues {
	uint32_t rx, tx;		/* in use; combined channels count for both */
	uint32_t rx_max, tx_max;	/* what the device could use */
};

int ethtool_channels(const char *ifname, struct ethtool_queues *ret);
