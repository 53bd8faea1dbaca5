/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * addr.h - addresses, prefixes and MACs as people write them
 *
 * Inside Mirach an address is a struct ip_addr, IPv4 mapped into IPv6, so one
 * prefix length from 0 to 128 serves both families: 10.0.0.0/8 is /104.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mirach/types.h>

#define IP_ADDR_STRLEN 46
#define MAC_STRLEN 18

struct ip_prefix {
	struct ip_addr addr;		/* host bits zero */
	uint8_t len;			/* 0..128, counted on the mapped address */
};

/* All return 0 or -EINVAL and leave the output untouched on failure. */
int ip_addr_parse(const char *text, struct ip_addr *ret);
int ip_prefix_parse(const char *text, struct ip_prefix *ret);	/* host bits set: -EINVAL; no slash: a host */
int mac_parse(const char *text, uint8_t ret[ETH_ADDR_LEN]);

/* Return @buf. IPv4 prints dotted, prefix lengths print in the family's own count. */
const char *ip_addr_format(const struct ip_addr *a, char *buf, size_t len);
const char *ip_prefix_format(const struct ip_prefix *p, char *buf, size_t len);
const char *mac_format(const uint8_t mac[ETH_ADDR_LEN], char *buf, size_t len);

struct ip_addr ip_addr_mask(struct ip_addr a, unsigned int len);	/* its first @len bits, counted on the mapped address */
bool ip_prefix_covers(const struct ip_prefix *p, const struct ip_addr *a);
bool ip_addr_is_zero(const struct ip_addr *a);
bool ip_addr_is_multicast(const struct ip_addr *a);	/* 224/4, limited broadcast, ff00::/8 */
bool ip_addr_is_loopback(const struct ip_addr *a);
bool ip_addr_is_unspecified(const struct ip_addr *a);	/* 0.0.0.0/8 or :: */
bool mac_is_zero(const uint8_t mac[ETH_ADDR_LEN]);
