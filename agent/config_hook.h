/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config_hook.h - which hook a port gets: the rule behind `hook: auto`
 *
 * Pure, so that the agent, which attaches, and `mirachctl doctor`, which predicts,
 * say the same. In short: what sends super-packets or leaves checksums unfinished
 * is given tcx, where both stay whole; everything else XDP, which is faster for
 * small frames and the only one that sees VLAN tags in the frame.
 */
#pragma once

#include <stdbool.h>

#include <agent/config.h>

struct hook_facts {
	const char *kind;		/* of the device, as rtnetlink names it; "" for hardware */
	bool uplink;
	bool tags;			/* vport: its frames carry VLAN tags */
	bool generic;			/* xdp_mode: generic */
	bool vnet_hdr;			/* tap: opened with a vnet header */
	bool plain_guest;		/* veth: the guest is seen to use no TSO */
};

/* HOOK_XDP or HOOK_TCX; @ret_why: a clause that says why, static. */
enum config_hook hook_choose(enum config_hook wish, const struct hook_facts *f,
			     const char **ret_why);
