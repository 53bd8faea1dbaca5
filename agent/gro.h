/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gro.h - lets the kernel put segments together again on tcx uplinks
 *
 *	frames ─► driver ─► GRO: whose is this UDP port? ─► tcx: a super-packet, decapsulated whole
 *	                              │
 *	                              └── the socket of a tunnel device: looks behind the outer headers
 *
 * GRO understands what is inside UDP only where a tunnel of the kernel's own has opened the
 * port. Mirach opens none, and each segment would go its way alone. So one VXLAN or
 * Geneve device exists for the sake of its socket. No frame is meant for it: what reaches it
 * all the same (nothing of ours does, tcx takes it before) is dropped there by Mirach's
 * own program, which knows it as no port. GRE needs no such device.
 *
 * Main thread only. The device stays when the agent goes, as the programs do.
 */
#pragma once

#include <stdbool.h>
#include <linux/types.h>

#include <agent/dp.h>
#include <lib/error.h>

#define GRO_DEVICE "mirach0g"

struct gro {
	__u8 tunnel;			/* enum tunnel_kind; what the device is for now */
	__be16 port;
	bool tried;
};

/* Makes the device what this tunnel needs; at once if that is what was tried last. */
void gro_keep(struct gro *g, struct dp *dp, __u8 tunnel, __be16 port);
/* For teardown. Missing is not an error. */
int gro_remove(struct error *e);
