/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest.h - what XDP needs on the guest's side of a veth
 *
 * A veth whose host end carries an XDP program receives frames with unfinished
 * checksums unless the guest's end finishes them itself (transmit checksum
 * offload off), and frames redirected towards the guest are dropped unless its
 * end runs NAPI (GRO on). If the guest's namespace is known, the agent sets both.
 */
#pragma once

#include <lib/error.h>

/*
 * @netns: name under /run/netns or a path; @host_ifindex: the host's end;
 * @guest_device: name inside, or NULL to find the peer by its ifindex. The thread's
 * own namespace is restored before returning, on every path.
 */
int guest_prepare(const char *netns, int host_ifindex, const char *guest_device, struct error *e);
