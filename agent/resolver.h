/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolver.h - the state machine that turns one remote host into a MAC address
 *
 *	                 route               answer            grows old
 *	  NO_ROUTE ───────────► PROBING ───────────► READY ◄──────────► STALE
 *	     ▲                   ▲   │ no answer       │     verified     │
 *	     │ route goes        │   ▼                 │                  │ no answer
 *	     └── from any state  └─ FAILED ◄───────────┴──────────────────┘
 *	                         tried again, ever more rarely
 *
 * Pure: resolver_step() is told what the kernel says now (struct
 * resolver_facts) and what time it is; it says whether the kernel should be
 * asked to probe, when to look again, and what the next hop should be.
 *
 * A frame cannot wait in XDP, so an answer in use is kept as long as it may be
 * true: while it is verified, while the kernel's entry is flushed and asked for
 * again, and while a new path is being resolved. It is given up when the neighbour fails
 * to answer, when there is no route, or when its own uplink is gone.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <mirach/types.h>

#define RESOLVER_LOOK_MS 1000u		/* while an answer is awaited; news usually come first */
#define RESOLVER_GIVE_UP_MS 5000u	/* the kernel asks three times, a second apart */
#define RESOLVER_REFRESH_MS 15000u	/* half of the time the kernel trusts a MAC by default */
#define RESOLVER_RETRY_MIN_MS 1000u	/* after giving up; doubles ... */
#define RESOLVER_RETRY_MAX_MS 32000u	/* ... up to this */

enum resolver_state {
	RESOLVER_NO_ROUTE,
	RESOLVER_PROBING,
	RESOLVER_READY,
	RESOLVER_STALE,
	RESOLVER_FAILED,
};

/* Way out of this host, as far as routing tells. */
struct resolver_path {
	int ifindex;			/* device the route leaves by */
	uint32_t uplink;		/* which uplink carries it: its port slot */
	uint32_t mtu;			/* largest outer IP packet */
	struct ip_addr hop;		/* whose MAC is wanted: the gateway, or the remote host */
	uint8_t smac[ETH_ADDR_LEN];
};

enum resolver_neighbour {
	NEIGHBOUR_NONE,			/* the kernel knows nothing */
	NEIGHBOUR_ASKED,		/* it is asking, no answer yet */
	NEIGHBOUR_GOOD,			/* it vouches for the MAC */
	NEIGHBOUR_OLD,			/* it has a MAC and does not vouch for it any more */
	NEIGHBOUR_VERIFYING,		/* it has a MAC and is verifying it */
	NEIGHBOUR_DEAD,			/* it asked in vain */
};

struct resolver_facts {
	bool routed;			/* the rest is meaningful */
	struct resolver_path path;
	enum resolver_neighbour neighbour;
	uint8_t mac[ETH_ADDR_LEN];	/* GOOD, OLD, VERIFYING */
};

struct resolver {
	enum resolver_state state;
	bool settled;			/* READY or given up at least once */
	bool up;			/* path and mac below may be used */
	bool asked;			/* no MAC of `wanted` is known and a probe went out */
	struct resolver_path path;
	uint8_t mac[ETH_ADDR_LEN];
	struct resolver_path wanted;	/* what routing says; differs from path while a change is resolved */
	uint64_t asked_ns;		/* when that was */
	uint64_t due_ns;		/* look again then at the latest */
	uint32_t failures;		/* in a row */
};

/* Look at once. */
void resolver_init(struct resolver *r, uint64_t now_ns);
/* Returns true if the kernel should be asked to probe facts->path.hop. */
bool resolver_step(struct resolver *r, const struct resolver_facts *facts, uint64_t now_ns);
/* The uplink in port slot @uplink exists no more: what leaves by it is withdrawn. */
void resolver_uplink_gone(struct resolver *r, uint32_t uplink, uint64_t now_ns);
