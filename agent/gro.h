/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gro.h - a tunnel device of the kernel's beside tcx uplinks, for two services
 *
 *	frames ─► driver ─► GRO: whose is this UDP port? ─► tcx: a super-packet ─┬─► decapsulated whole
 *	                              │                                          │ for a tap
 *	                              └── the device's socket: looks ◄── stack ──┘
 *	                                  behind the outer headers        │
 *	                                                                  └─► the device ─► tcx ─► tap
 *
 * GRO understands what is inside UDP only where a tunnel of the kernel's own has opened the
 * port. Mirach opens none, and each segment would go its way alone. So one VXLAN or
 * Geneve device exists for the sake of its socket.
 *
 * And it takes super-packets for taps out of the tunnel, which a program cannot do to a
 * tap's liking (bpf/unwrap.h). Its frames are in the books of one uplink. What reaches it but was
 * not left to it by the program of an uplink is dropped. GRE has no such device.
 *
 * Main thread only. The device stays when the agent goes, as the programs do.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include <agent/dp.h>
#include <lib/error.h>

#define GRO_DEVICE "mirach0g"

struct gro {
	__u8 tunnel;			/* enum tunnel_kind; what the device is for now */
	__be16 port;
	bool tried;
	int ifindex;			/* of the device; 0 = there is none */
	uint32_t slot;			/* the uplink in whose books its frames are: the first that asked */
};

/* Makes the device what the uplink's tunnel needs; at once if that is what was tried last. */
void gro_keep(struct gro *g, struct dp *dp, uint32_t slot, const struct port *uplink);
/* The uplink goes. The next that calls gro_keep() takes its place. */
void gro_leave(struct gro *g, uint32_t slot);
/* For teardown. Missing is not an error. */
int gro_remove(struct error *e);
