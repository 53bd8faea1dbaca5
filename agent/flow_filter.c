/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * flow_filter.c - which flows somebody asked for
 */
#include <agent/flow_filter.h>

#include <mirach/wire.h>

bool flow_filter_is_empty(const struct flow_filter *f)
{
	return !(f->by_vport || f->by_network || f->by_src || f->by_dst || f->by_proto ||
		 f->by_port);
}

static bool match_port(const struct flow_key *key, uint16_t port)
{
	return key->tuple == FLOW_TUPLE_5 &&
	       (host16(key->sport) == port || host16(key->dport) == port);
}

bool flow_filter_match(const struct flow_filter *f, const struct flow_key *key, uint32_t vni)
{
	if (f->by_vport && key->scope != (SCOPE_VPORT | f->vport))
		return false;
	if (f->by_network && vni != f->network)
		return false;
	if (f->by_src && !ip_prefix_covers(&f->src, &key->src))
		return false;
	if (f->by_dst && !ip_prefix_covers(&f->dst, &key->dst))
		return false;
	if (f->by_proto && key->proto != f->proto)
		return false;
	return !f->by_port || match_port(key, f->port);
}
