/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_words.h - what a port tells people: why it is as it is, what will not work
 *
 * Pure text from facts, so that every sentence can be tested and is the same in
 * the log, in `mirachctl vport show` and in docs/ports.md. Each problem names its
 * remedy, with the command where there is one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <agent/dp.h>

struct port_facts {
	const char *device;		/* configured name */
	const char *kind;		/* "veth", "tun", ...; "" for hardware */
	const char *driver;		/* as ethtool names it; "" unknown */
	const char *guest_device;	/* its name in the guest, NULL unknown */
	const char *refused;		/* the kernel's words, NULL = not refused */
	const char *because;		/* why this hook, a clause; NULL not decided yet */
	const char *unprepared;		/* why the guest's end could not be set, NULL = it was */
	uint32_t mtu, hub_max;		/* of the device; largest first packet of a flow */
	uint32_t queues;		/* multi-queue tap: opened ones */
	bool uplink;
	enum dp_hook hook;
	bool has_tcx;			/* the kernel has tcx, else clsact does it */
	bool present;
	bool ethernet;
	bool up;
	bool carrier;
	bool vnet_hdr;			/* tap: opened with a vnet header */
	bool has_netns;			/* the guest's namespace is configured */
};

/* What the two columns say: "xdp", "tcx"; "native", "generic", "link", "clsact". */
const char *port_hook(enum dp_hook hook);
const char *port_mode(enum dp_hook hook, bool has_tcx);

/* Why this hook and mode. Returns @buf. */
const char *port_why(const struct port_facts *f, char *buf, size_t len);
/* What is wrong or will not work, and the remedy; "" = nothing. Returns @buf. */
const char *port_problem(const struct port_facts *f, char *buf, size_t len);
