/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmtu_watch.h - hears what routers of the underlay say about sizes
 *
 * Two raw sockets that the kernel hands every "fragmentation needed" and "packet
 * too big" addressed to this host. The uplinks' programs leave such packets to the kernel,
 * whatever their hook. Main thread.
 */
#pragma once

#include <agent/pmtu.h>
#include <lib/error.h>

struct event_base;
struct pmtu_watch;

/* Calls @fn for each report about a packet as described by @tunnel, which may change meanwhile. */
int pmtu_watch_new(struct event_base *base, const struct pmtu_tunnel *tunnel,
		   void (*fn)(const struct pmtu_report *report, void *arg), void *arg,
		   struct pmtu_watch **ret, struct error *e);
void pmtu_watch_free(struct pmtu_watch *w);	/* NULL is allowed */
