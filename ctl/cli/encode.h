/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * encode.h - map entries as bytes, for loading the fast path by hand
 *
 * Builders are pure: options in, structures out. Printing is encode.c's.
 */
#pragma once

#include <cjson/cJSON.h>

#include <ctl/cli/opts.h>
#include <lib/error.h>
#include <mirach/flow.h>
#include <mirach/nexthop.h>
#include <mirach/port.h>

/* The digest's secret and the number of buckets: --abi, or --secret and --buckets, or the object's own. */
struct encode_table {
	__u32 secret[FLOW_SECRET_WORDS];
	uint32_t n_buckets;
};

struct encode_flow {
	uint32_t index, slot;		/* flow index; which slot of the bucket */
	struct flow flow;
	struct encode_table table;
};

struct encode_nexthop {
	uint32_t id;
	struct nexthop nexthop;
};

struct encode_port {
	uint32_t slot;
	struct port port;
};

struct encode_neighbour {
	struct neighbour_key key;
	struct neighbour neighbour;
};

extern const struct opt encode_flow_opts[], encode_nexthop_opts[], encode_port_opts[],
	encode_neighbour_opts[];

/* 0 or -EINVAL, and @e names the option. */
int encode_flow_read(const struct opts *o, struct encode_flow *ret, struct error *e);
int encode_nexthop_read(const struct opts *o, struct encode_nexthop *ret, struct error *e);
int encode_port_read(const struct opts *o, struct encode_port *ret, struct error *e);
int encode_neighbour_read(const struct opts *o, struct encode_neighbour *ret, struct error *e);

/* Option readers shared by the builders; absent and not @needed: @ret is left alone. */
int encode_addr(const struct opts *o, const char *name, bool needed, struct ip_addr *ret,
		struct error *e);
int encode_mac(const struct opts *o, const char *name, bool needed, uint8_t ret[ETH_ADDR_LEN],
	       struct error *e);
int encode_u32(const struct opts *o, const char *name, bool needed, uint32_t min, uint32_t max,
	       uint32_t *ret, struct error *e);
