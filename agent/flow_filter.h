/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_filter.h - which flows somebody asked for
 *
 * All criteria that are set must hold. Pure; runs on the flow thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lib/addr.h>
#include <mirach/flow.h>

struct flow_filter {
	bool by_vport, by_network, by_src, by_dst, by_proto, by_port;
	uint32_t vport;			/* port slot */
	uint32_t network;		/* VNI */
	struct ip_prefix src, dst;
	uint8_t proto;
	uint16_t port;			/* host order, either end */
};

/* True if no criterion is set. */
bool flow_filter_is_empty(const struct flow_filter *f);
/* @vni: of the network the flow belongs to. */
bool flow_filter_match(const struct flow_filter *f, const struct flow_key *key, uint32_t vni);
