/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fixture.h - the real BPF object, loaded into a sandbox, fed one frame at a time
 *
 *	learn_vport(WEB_1, &spec)              the agent's part: parse, compile, publish
 *	shot = fire_egress(WEB_1, frame, len)  the kernel's part: bpf_prog_test_run
 *
 * The fixture is the small world of selftests/world.h on one host: its vports in
 * slots 5 to 9, an uplink, a hub. Maps are private, nothing is pinned or attached;
 * flows come from the agent's own compiler and flow table, next hops from its
 * templates. Every shot checks the law of the books (struct usage) for every port.
 *
 * fixture_load() is the group's set-up, fixture_reset() each test's.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <agent/flow_table.h>
#include <mirach/endpoint.h>
#include <mirach/hub.h>
#include <mirach/nexthop.h>
#include <mirach/port.h>
#include <mirach/reasons.h>
#include <mirach/sample.h>
#include <selftests/packet.h>
#include <selftests/world.h>

#define SLOT_UPLINK 2u
#define SLOT_HUB 3u
#define SLOT_HUB_FAR 4u
#define SLOTS 10u			/* 0 and 1 are no ports, vports begin at WORLD_SLOT(0) */

#define FRAME_MAX_BYTES 16384u
#define UNDERLAY_MTU 1500u

/* The underlay of a test. Zero is VXLAN over untagged IPv4, DSCP uniform. */
struct underlay_shape {
	enum tunnel_kind tunnel;
	bool v6;
	uint16_t vlan;
	uint16_t port;			/* default by tunnel */
	enum dscp_mode dscp;
	uint8_t tos;
	uint32_t mtu;			/* default UNDERLAY_MTU */
};

struct fixture {
	struct mirach_xdp *skel;
	struct mirach_tcx *tcx;		/* over the same maps; loaded by the first fire_super() */
	struct world world;
	struct policy *policy;
	struct flow_table *table;
	struct flow_table_memory memory; /* the kernel's own arrays, mapped */
	struct nexthop *nexthops;
	struct port *ports;
	struct port_bucket *port_index;
	struct flow_bucket *endpoint_index;
	struct endpoint *endpoints;
	struct underlay_shape underlay;
	int ifindex[SLOTS];
	uint64_t now_ns;
};
extern struct fixture fixture;

int fixture_load(void **state);
int fixture_unload(void **state);
int fixture_reset(void **state);

/* Another underlay: new templates, new policy, no flows. */
void fixture_underlay(const struct underlay_shape *shape);
/* Rebuilds the policy after fixture.world has changed. Flows stay. */
void fixture_policy(void);
/* Writes fixture.ports[slot] back to the fast path's view; ifindex 0 takes the device away. */
void fixture_port(uint32_t slot);
void fixture_neighbour(uint32_t vni, struct ip_addr addr, const uint8_t *mac, bool router,
		       uint32_t slot);
/* As if all datagrams under way were long past. */
void fixture_forget_fragments(void);
void fixture_nexthop(uint32_t id, const struct nexthop_body *body);
/* Address of host 192.0.2.@n, or 2001:db8::@n, whichever the underlay speaks. Valid until four more calls. */
const char *fixture_host(unsigned int n);

/* ------------------------------------------------------------------- frames in */

enum fate { FATE_NONE, FATE_OUT, FATE_REPLIED, FATE_PASSED, FATE_PUNTED, FATE_DROPPED };

struct shot {
	enum fate fate;
	enum drop_reason reason;	/* FATE_DROPPED */
	uint32_t slot;			/* port in whose books the fate stands */
	uint32_t delivered;		/* port that got the frame, 0 = none */
	uint32_t action;		/* what the program returned */
	uint32_t len;
	uint8_t bytes[FRAME_MAX_BYTES];
};

enum entry { ENTRY_EGRESS, ENTRY_INGRESS, ENTRY_RESUME, ENTRY_FEED };

/* One frame through one program; without headroom: nothing can be put in front of it. */
const struct shot *fire(enum entry entry, uint32_t slot, const void *frame, size_t len);
const struct shot *fire_without_headroom(enum entry entry, uint32_t slot, const void *frame, size_t len);
const struct shot *fire_egress(int vport, const void *frame, size_t len);
const struct shot *fire_ingress(const void *frame, size_t len);
/* A super-packet through the programs of tcx, from a guest or (ENTRY_INGRESS) the fabric. */
const struct shot *fire_super(enum entry entry, uint32_t slot, const void *frame, size_t len,
			      uint32_t gso_size);
/* Builds and fires. */
const struct shot *fire_spec(int vport, const struct packet_spec *spec);
/* The punted frame of @shot comes back from the coprocessor with @verdict. */
const struct shot *fire_resume(const struct shot *shot, enum hub_verdict verdict, uint32_t flow,
			       uint32_t gen, enum drop_reason reason);

/* From the fabric: @spec inside @outer. */
size_t build_fabric(const struct packet_outer *outer, const struct packet_spec *spec, uint8_t *buf);
/* An outer header from host @n to this one, as the underlay of the test has it. */
struct packet_outer outer_from(unsigned int n, uint32_t vni);

/* --------------------------------------------------------------- the agent's part */

/* Compile the flow of a frame and publish it. Return its index. */
uint32_t learn_vport(int vport, const struct packet_spec *spec);
uint32_t learn_fabric(uint32_t vni, const char *host, const struct packet_spec *spec);
/* Publishes any action for a frame's flow, for what the compiler never says. */
uint32_t learn_action(int vport, const struct packet_spec *spec, uint8_t tuple,
		      const struct action *action);

struct flow_stats flow_stats_of(uint32_t flow);
struct usage usage_of(uint32_t slot);
uint64_t drops_of(uint32_t slot, enum drop_reason reason);
/* Takes one sample off the ring. False: there is none. */
bool next_sample(struct sample *ret);

/* ------------------------------------------------------------------------ asserts */

void assert_fate(const struct shot *shot, enum fate fate);
void assert_dropped(const struct shot *shot, enum drop_reason reason);
/* Out through @slot. */
void assert_out(const struct shot *shot, uint32_t slot);
/* Answered with exactly these bytes. */
void assert_replied(const struct shot *shot, const void *want, size_t len);
/* Lengths and all checksums of an IP packet at @l3 that ends the frame are right. */
void assert_sums(const uint8_t *l3, size_t len);

/* An ICMP or ICMPv6 error: type, IPv4's code, MTU, and how much of the packet comes along. */
struct icmp_wanted {
	uint8_t type4, type6, code4;
	uint32_t mtu;
	size_t quote4, quote6;
};
/* The packet at @l3 is @want about @s, in the name of @from. */
void assert_icmp_error(const uint8_t *l3, size_t len, const struct packet_spec *s,
		       const struct icmp_wanted *want, struct ip_addr from);
