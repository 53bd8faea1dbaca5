/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trace_board.c - trace: a hoverboard looks both ends up among its endpoints
 *
 * The decisions of bpf/board.h, with words.
 */
#include <agent/agent.h>
#include <agent/endpoints.h>
#include <agent/trace.h>
#include <agent/underlay.h>
#include <lib/addr.h>

/* Says where @addr is. False: it is no endpoint's. */
static bool find(struct trace *t, const char *what, uint32_t vni, const struct ip_addr *addr,
		 struct ip_addr *ret_host)
{
	struct endpoint_spec ep = { .vni = vni, .addr = *addr };
	char text[IP_ADDR_STRLEN], host[IP_ADDR_STRLEN], mac[MAC_STRLEN];

	ip_addr_format(addr, text, sizeof(text));
	if (!endpoints_find(t->a->endpoints, &ep)) {
		trace_step(t, what, "%s: no endpoint of VNI %u", text, vni);
		return false;
	}
	*ret_host = ep.host;
	trace_step(t, what, "%s: %s on host %s", text, mac_format(ep.mac, mac, sizeof(mac)),
		   ip_addr_format(&ep.host, host, sizeof(host)));
	return true;
}

static enum fate go_to(struct trace *t, const struct ip_addr *host)
{
	t->decision.action.nexthop = underlay_host_id(t->a->underlay, host);
	return trace_nexthop(t);
}

enum fate trace_board(struct trace *t)
{
	const uint32_t vni = SCOPE_ID(t->key.scope);
	struct ip_addr from, to;

	if (!t->fabric || t->a->config->role != ROLE_HOVERBOARD || t->frame.n_tags ||
	    !find(t, "source endpoint", vni, &t->key.src, &from))
		return FATE_OPEN;
	if (!ip_addr_equal(&from, &t->key.outer))
		return trace_drop(t, REASON_SPOOFED_OUTER);
	t->key.scope |= SCOPE_VERIFIED;
	if (!find(t, "destination endpoint", vni, &t->key.dst, &to))
		return FATE_OPEN;
	if (ip_addr_equal(&from, &to))
		return trace_drop(t, REASON_GOES_BACK);
	t->by_board = true;
	return go_to(t, &to);
}

enum fate trace_endpoint(struct trace *t)
{
	const struct action *action = &t->decision.action;
	struct ip_addr to;

	if (action->verdict != ACTION_ENDPOINT)
		return FATE_OPEN;
	if (!find(t, "destination endpoint", action->network, &t->key.dst, &to))
		return trace_drop(t, REASON_NO_ROUTE);
	if (t->fabric && ip_addr_equal(&to, &t->key.outer))
		return trace_drop(t, REASON_GOES_BACK);
	return go_to(t, &to);
}
