/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_life.h - the state machine of one port, without the kernel
 *
 *	             appears             attached and usable
 *	  ABSENT ─────────► ATTACHING ───────────────────────► READY
 *	     ▲                │     ▲ ◄─────────────────────────┘ │
 *	     │        refused │     │ time to try again   unusable│
 *	     │                ▼     │                             │
 *	     └── goes ───── REFUSED ┘                             │
 *	     └─────────────────────────────────────────────── goes┘
 *
 * Pure: port_life_look() is told what stands behind the port's device name now
 * and what time it is, and says what to do; the caller does it and reports back
 * with port_life_attached() and port_life_prepared().
 *
 * A port follows its configured name. When another device has the name, the old
 * one is let go before the new one is attached. What fails is tried again, ever
 * more rarely, and at once when the device changes.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <agent/vport.h>

#define PORT_RETRY_MIN_MS 250u
#define PORT_RETRY_MAX_MS 16000u	/* doubles up to this */

/* What to do, in this order. */
enum port_todo {
	PORT_DETACH = 1,		/* remove the port's link, wherever it is */
	PORT_ATTACH = 2,		/* attach to life.ifindex */
	PORT_PREPARE = 4,		/* set the guest's end */
};

/* What the kernel says of the device with the configured name. */
struct port_device {
	int ifindex;			/* 0: there is none */
	uint32_t mtu;
	bool usable;			/* up and with carrier */
};

struct port_life {
	enum vport_state state;
	int ifindex;			/* device with the name, 0 = none */
	uint32_t mtu;
	bool usable;
	bool held;			/* a link of this port may exist */
	bool attached;			/* this agent's program runs on ifindex */
	bool has_guest;			/* there is a guest's end to prepare */
	bool prepared;
	uint32_t failures;		/* in a row, of what is due next */
	uint64_t due_ns;		/* look again then; UINT64_MAX: only on news */
};

/* @held: an earlier agent left a link on device @ifindex (0: on a device unknown). */
void port_life_init(struct port_life *l, bool held, int ifindex);
unsigned int port_life_look(struct port_life *l, const struct port_device *d, uint64_t now_ns);
void port_life_attached(struct port_life *l, bool ok, uint64_t now_ns);
void port_life_prepared(struct port_life *l, bool ok, uint64_t now_ns);
/* The configuration changed, or news were lost: do everything once more at the next look. */
void port_life_again(struct port_life *l, bool has_guest);
