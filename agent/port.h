/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.h - one port: a declaration, a slot, and the device behind it
 *
 * port_settle() makes the kernel agree with what is known: it looks at the
 * device, attaches, prepares the guest's end, and fills the slot of map ports. It
 * may be called at any time and does nothing when all is well. Main thread only.
 *
 *	port_let_go()    first for all ports that news concern: frees devices that
 *	                 have moved on, so that
 *	port_settle()    can then take what other ports have let go
 *
 * See also: port_life.h (what is done when), port_words.h (what is said about
 * it), vport.h (the set of ports).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/gro.h>
#include <agent/port_life.h>
#include <agent/vport.h>
#include <lib/nl.h>

#define PORT_VPORT_PREFIX "vport-"	/* names of ports, as in map ports and of links */
#define PORT_UPLINK_PREFIX "uplink-"

#define PORT_MEMBERS_MAX (NL_MEMBERS_MAX + 1)	/* a bond's, and the device of gro.h */

/* What ports do their work with. */
struct port_tools {
	struct dp *dp;
	struct nl *nl;
	struct underlay *underlay;
	uint32_t hub_slot;
	struct gro *gro;
};

struct vport {
	uint32_t slot;
	bool uplink;
	enum config_hook wish;		/* as configured */
	enum config_xdp_mode xdp_mode;	/* as configured */
	enum dp_hook hook;		/* as decided when last attached */
	const char *because;		/* why that hook; static */
	bool has_tcx;			/* the kernel's */
	bool unsure;			/* write the slot even if it looks right */
	bool muted;			/* the slot is written, redirects to the device are off */
	char device[IF_NAMESIZE];	/* configured name */
	char *network, *netns, *guest_device; /* owned; NULL = none */
	struct ip_addr addrs[CONFIG_VPORT_ADDRS_MAX];
	unsigned int n_addrs;
	uint16_t vlan[2];
	struct port port;		/* wanted content of the slot; ifindex as if the device were there */
	struct nl_link link;		/* device as last seen, ifindex 0 = absent */
	int members[PORT_MEMBERS_MAX];	/* devices whose frames are this port's, their ifindexes */
	unsigned int n_members;
	struct port_life life;
	char driver[32];
	struct error refused, unprepared; /* of the last attempt; err 0 = it worked */
	char why[256], problem[ERROR_TEXT_LEN + 256];
};

/* Name of the declaration: the vport's name or the uplink's device. */
const char *port_label(const struct vport *v);

/* Takes what @config says of vport or uplink number @i. 0 or -ENOMEM. */
int port_declare_vport(struct vport *v, const struct port_tools *t, const struct config *config,
		       unsigned int i);
void port_declare_uplink(struct vport *v, const struct port_tools *t, const struct config *config,
			 unsigned int i);
void port_free(struct vport *v);	/* memory only; NULL is allowed */

/* @gone: news say that the device went, even if another has its number or name by now. */
void port_let_go(struct vport *v, const struct port_tools *t, bool gone, uint64_t now_ns);
void port_settle(struct vport *v, const struct port_tools *t, uint64_t now_ns);
/* Detaches and empties slot @slot, whose port is called @name. */
void port_remove(const struct port_tools *t, uint32_t slot, const char *name);

void port_show(const struct vport *v, struct vport_view *ret);
