/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc_route.h - where a prefix of a network leads
 *
 *	routes of the network with this very prefix, by priority, then by name:
 *	the first that leads anywhere wins; then, if nothing of the region covers the
 *	prefix, what another region announced for it.
 *
 * Hoverboards get all of it. Another host gets a route only if it ends at an instance
 * there, so that it takes the packets.
 *
 * Pure; used by vmc_compile.c.
 */
#pragma once

#include <ctl/controller/vmc_compile.h>

bool vmc_route(const struct vmc_input *in, const struct host *host, const struct network *net,
	       const struct ip_prefix *p, struct text *t);

/* From vmc_compile.c. The address a host is sent to; NULL: it has none. */
const struct ip_addr *vmc_underlay(const struct host *host);
/* "name":["a","b"], sorted. */
void vmc_add_addr_list(struct text *t, const char *name, const struct addr_list *list);
