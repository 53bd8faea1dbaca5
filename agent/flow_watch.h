/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_watch.h - a short list of the flows whose bytes somebody wants to know
 *
 *	a flow is opened or recompiled ──► flow_watch_set(index, way) ──► list
 *	usage_poll.c, many times a second ─► flow_watch_collect() ─► who they are
 *
 * Those are the flows of guests that leave by a hoverboard, and those that have a route
 * of their own to another host. Looking for them among all flows would cost more than all
 * else the agent does when nothing happens; so they are noted where they are made, and
 * struck off the list when it is next read and they are gone.
 *
 * Owned by the flow table, used by its thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/flow.h>

struct flow_table;

struct flow_watch {
	uint8_t *marks;			/* per index: way, and whether it is in the list */
	uint32_t *list;
	uint32_t n, cap;
	uint32_t next;			/* collecting goes on here */
};

int flow_watch_init(struct flow_watch *w, uint32_t n_flows);	/* 0 or -ENOMEM */
void flow_watch_done(struct flow_watch *w);

/* @way: enum usage_way + 1, 0: nobody wants to know of it. Without memory it stays unknown. */
void flow_watch_set(struct flow_watch *w, uint32_t index, uint8_t way);

struct flow_watched {
	uint32_t index, gen;
	uint8_t way;
	struct flow_key key;
};

/* At most @max flows, from where the last call stopped; 0 once a round is over. */
uint32_t flow_watch_collect(struct flow_watch *w, const struct flow_table *t,
			    struct flow_watched *ret, uint32_t max);
