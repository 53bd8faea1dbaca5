/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - what the fast path needs on the guest's side of a veth
 *
 * A veth whose host end carries an XDP program receives frames with unfinished
 * checksums unless the guest's end finishes them itself (transmit checksum
 * offload off), and frames redirected towards the guest are dropped unless its
 * end runs NAPI (GRO on). If the guest's namespace is known, the agent sets both.
 * On tcx checksums may stay unfinished; NAPI is needed all the same, because frames
 * from a hub and from an XDP uplink are redirected by XDP.
 */
#pragma once

#include <stdbool.h>

#include <lib/error.h>

/*
 * @netns: name under /run/netns or a path; @host_ifindex: the host's end;
 * @guest_device: name inside, or NULL to find the peer by its ifindex. The thread's
 * own namespace is restored before returning, on every path. @finish: for XDP, the
 * checksum offload is switched off, and @finished set if it was on. Otherwise what
 * @finished says is taken back, and @finished cleared.
 */
int guest_prepare(const char *netns, int host_ifindex, const char *guest_device,
		  bool finish, bool *finished, struct error *e);

/* Whether the guest wants to send super-packets, even if XDP at the other end keeps it from that. */
int guest_offloads(const char *netns, int host_ifindex, const char *guest_device, bool *ret,
		   struct error *e);
