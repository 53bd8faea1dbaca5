/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp.h - the datapath in the kernel: programs, maps, links, pins
 *
 * The only caller of libbpf. It loads the BPF object, or adopts what an earlier
 * agent pinned, and hands out the mapped arrays. Under the agent's own bpffs
 * directory:
 *
 *	<dir>/maps/<map>        every map of maps/
 *	<dir>/links/<port>      what holds each port's program, named like the port
 *
 * Adoption: maps are reused when their abi_record matches; links are updated in
 * place to the freshly loaded programs, so no packet sees a port without one.
 * Nothing here decides anything; who may write which map is said in maps/.
 *
 * All functions: 0 or -errno, the sentence in @e.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/error.h>
#include <mirach/endpoint.h>
#include <mirach/flow.h>
#include <mirach/nexthop.h>
#include <mirach/port.h>
#include <mirach/reasons.h>
#include <mirach/sample.h>

struct dp;

enum dp_program {
	DP_EGRESS,			/* on vports: frames from guests */
	DP_INGRESS,			/* on uplinks: frames from the fabric */
	DP_HUB_RESUME,			/* on a hub's near end */
	DP_HUB_FEED,			/* on a hub's far end */
	DP_N_PROGRAMS
};

/* Where a program is attached. Hubs take only the first. */
enum dp_hook {
	DP_HOOK_XDP_NATIVE,		/* in the driver */
	DP_HOOK_XDP_GENERIC,		/* in the kernel's receive path: XDP_FLAGS_SKB_MODE */
	DP_HOOK_TCX,			/* ingress of tcx; of a clsact qdisc where the kernel has no tcx (before 6.6) */
};

struct dp_options {
	const char *dir;		/* own directory in a bpffs; mounted and made if missing */
	uint32_t n_flows;		/* flows the table must hold */
	uint32_t n_endpoints;		/* endpoints likewise */
	bool no_tcx;			/* tests only: as if the kernel had no tcx */
};

/* Loads or adopts. -EEXIST: pins of another ABI or size are there (text says the remedy: --teardown). */
int dp_open(const struct dp_options *o, struct dp **ret, struct error *e);
/* Closes file descriptors and mappings; pins, links and traffic go on. */
void dp_close(struct dp *dp);
/* Removes links, pins and directories under @dir, whatever made them. Missing is not an error. */
int dp_teardown(const char *dir, struct error *e);

bool dp_adopted(const struct dp *dp);
const struct abi_record *dp_abi(const struct dp *dp);
struct flow_bucket *dp_flow_index(struct dp *dp);	/* abi->n_buckets entries */
struct flow *dp_flows(struct dp *dp);			/* abi->n_flows entries, [0] unused */
struct flow_bucket *dp_endpoint_index(struct dp *dp);	/* endpoint_buckets(abi->n_endpoints) entries */
struct endpoint *dp_endpoints(struct dp *dp);		/* abi->n_endpoints entries, [0] unused */
const struct nexthop *dp_nexthops(struct dp *dp, uint32_t *ret_n);
const struct port *dp_ports(struct dp *dp);		/* PORT_MAX entries */

/* Ports. Setting one fills the slot, the devmap and the index, in this order; ifindex 0 = away. */
int dp_port_set(struct dp *dp, uint32_t slot, const struct port *port, struct error *e);
/* The device is down: nothing is redirected to it until the next dp_port_set(); what it sends is still its port's. */
int dp_port_mute(struct dp *dp, uint32_t slot, struct error *e);
/*
 * Frames of these devices are the port's, too: XDP on a bond runs for its members, and sees their
 * numbers. Replaces the set that was there. Call it after dp_port_set().
 */
int dp_port_members(struct dp *dp, uint32_t slot, const int *ifindexes, unsigned int n,
		    struct error *e);
int dp_port_clear(struct dp *dp, uint32_t slot, struct error *e);
/*
 * Attaches @name's program, or updates it in place. The port may have been at the
 * other hook before: that one is left when the new one runs, so no packet finds
 * neither. After a failure the port is where it was.
 */
int dp_port_attach(struct dp *dp, const char *name, int ifindex, enum dp_program program,
		   enum dp_hook hook, struct error *e);
/* False: this kernel has clsact only. */
bool dp_has_tcx(const struct dp *dp);
int dp_port_detach(struct dp *dp, const char *name, struct error *e);

/* Next hops: writes the idle body and flips. Call dp_synchronize() between two sets of one id. */
int dp_nexthop_set(struct dp *dp, uint32_t id, const struct nexthop_body *body,
		   const struct ip_addr *remote, struct error *e);

/* Whose it is, if not a host's own: a slot of a set of hoverboards. */
void dp_nexthop_own(struct dp *dp, uint32_t id, uint64_t set, uint32_t slot);

int dp_neighbour_set(struct dp *dp, const struct neighbour_key *key, const struct neighbour *n,
		     struct error *e);
int dp_neighbour_del(struct dp *dp, const struct neighbour_key *key);
/* Calls @fn for each entry; @fn must not change the map. */
int dp_neighbour_each(struct dp *dp, void (*fn)(const struct neighbour_key *key,
		      const struct neighbour *n, void *arg), void *arg);

int dp_hub_socket_set(struct dp *dp, uint32_t hub, int xsk_fd, struct error *e);

/* Counters, summed over CPUs. */
int dp_usage_read(struct dp *dp, uint32_t slot, struct usage *ret);
int dp_drops_read(struct dp *dp, uint32_t slot, struct drops *ret);
/* Zeroes a slot's counters before another port gets it. */
int dp_counters_clear(struct dp *dp, uint32_t slot);
int dp_flow_stats_read(struct dp *dp, uint32_t first, uint32_t n, struct flow_stats *ret);
int dp_flow_stats_clear(struct dp *dp, uint32_t index);

/* Samples: readable descriptor for the loop, and a drain. */
int dp_samples_fd(struct dp *dp);
int dp_samples_drain(struct dp *dp, void (*fn)(const struct sample *s, void *arg), void *arg);

/*
 * Returns after every program run that was under way has ended (an RCU grace
 * period, a few milliseconds to tens of them). From then on nobody holds a flow
 * index or next hop body that was unpublished before the call.
 */
int dp_synchronize(struct dp *dp);

/* Kernel memory of all maps in bytes, as the kernel accounts it (fdinfo memlock). */
uint64_t dp_memory_bytes(struct dp *dp);
