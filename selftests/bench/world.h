/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * world.h - a host filled with flows, without an agent
 *
 *   slot 1  vport of 10.0.0.11, fd00::11   VNI 100
 *   slot 2  uplink that takes VXLAN apart  192.0.2.1
 *   slot 3  uplink that takes Geneve apart 192.0.2.1
 *
 * The real objects with maps of their own (nothing is pinned), filled by the
 * agent's flow table and templates, so that what is measured is what runs. All
 * ports are the loopback device, which a test run says its packets come from;
 * world_enter() chooses which of them it is.
 *
 * Flow i of a kind lives with the remote instance 10.128.0.0 + i or fd00:2:: + i
 * on the host 192.0.2.2.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/flow_table.h>
#include <mirach/nexthop.h>
#include <mirach/port.h>

enum world_port { WORLD_VPORT = 1, WORLD_UPLINK_VXLAN, WORLD_UPLINK_GENEVE, WORLD_N_PORTS };
enum world_nexthop { WORLD_TO_GUEST = 1, WORLD_BY_VXLAN, WORLD_BY_GENEVE, WORLD_N_NEXTHOPS };

#define WORLD_VNI 100u
#define WORLD_REMOTE_V4 0x0a800000u	/* 10.128.0.0 */

struct mirach_xdp;

struct world {
	struct mirach_xdp *skel;
	struct flow_table *table;
	struct flow_table_memory memory;
};

/* What a flow is: where its packets enter and leave, and what they are. */
struct world_kind {
	enum world_port port;		/* they enter here: a vport sends, an uplink receives */
	enum world_nexthop nexthop;
	bool ipv6;
	uint8_t tuple;			/* FLOW_TUPLE_3, FLOW_TUPLE_5 */
};

/* 0 or -errno, with a sentence on stderr. Room for @n_flows. */
int world_open(uint32_t n_flows, struct world *ret);
void world_close(struct world *w);
/* Installs flows 0..n-1 of @kind. */
int world_fill(struct world *w, const struct world_kind *kind, uint32_t n);
/* From now on packets from the loopback device enter by @port. */
int world_enter(struct world *w, enum world_port port);
/* Descriptor of the program that serves @port. */
int world_program(const struct world *w, enum world_port port);
/* Frames that left by way of @port's program so far; drops and punts do not count. */
uint64_t world_forwarded(const struct world *w, enum world_port port);
