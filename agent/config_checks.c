// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_checks.c - what only the whole configuration can tell
 *
 * Each check looks at one relation between fields and passes over values that
 * the reader could not read: they are mistakes already. What must be unique is
 * collected, sorted and compared with its neighbour, so a file of a hundred
 * thousand remotes is checked in a moment.
 *
 * Adding a check: a function here, a line in config_check(), a sentence in
 * docs/configuration.md, a refused file in selftests/unit/test_config.c.
 * Addresses and prefixes have theirs in config_check_addrs.c.
 */
#include <agent/config_reader.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mirach/wire.h>

/* Something that may be taken once: a name, a device, a VNI. */
struct taken {
	const char *text;		/* NULL: compare number */
	uint32_t number;
	const char *list, *member;	/* "vports", "name" */
	unsigned int index;
	int line;
};

static int by_value(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;

	if (x->text && y->text)
		return strcmp(x->text, y->text);
	return (x->number > y->number) - (x->number < y->number);
}

static int by_value_then_line(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int order = by_value(a, b);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

static void report_taken(struct mistakes *m, struct taken *all, unsigned int n)
{
	char place[PLACE_LEN];

	qsort(all, n, sizeof(*all), by_value_then_line);
	for (unsigned int i = 1; i < n; i++) {
		const struct taken *t = &all[i], *first = &all[i - 1];

		if (by_value(first, t))
			continue;
		mistakes_place(m, first->line, place);
		if (t->text)
			mistakes_add(m, t->line, "%s[%u].%s: \"%s\" is taken by %s[%u], %s",
				     t->list, t->index, t->member, t->text, first->list,
				     first->index, place);
		else
			mistakes_add(m, t->line, "%s[%u].%s: %u is taken by %s[%u], %s",
				     t->list, t->index, t->member, t->number, first->list,
				     first->index, place);
	}
}

static void take(struct taken *all, unsigned int *n, struct taken one)
{
	if (one.text || one.number)
		all[(*n)++] = one;
}

static void check_names(const struct config *c, struct mistakes *m, struct taken *all)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n_networks; i++)
		take(all, &n, (struct taken){.text = c->networks[i].name, .list = "networks",
			      .member = "name", .index = i, .line = c->networks[i].line});
	report_taken(m, all, n);
	n = 0;
	for (unsigned int i = 0; i < c->n_networks; i++)
		take(all, &n, (struct taken){.number = c->networks[i].vni, .list = "networks",
			      .member = "vni", .index = i, .line = c->networks[i].line});
	report_taken(m, all, n);
	n = 0;
	for (unsigned int i = 0; i < c->n_vports; i++)
		take(all, &n, (struct taken){.text = c->vports[i].name, .list = "vports",
			      .member = "name", .index = i, .line = c->vports[i].line});
	report_taken(m, all, n);
}

/* A device is one port: an uplink or a vport, once. */
static void check_devices(const struct config *c, struct mistakes *m, struct taken *all)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n_uplinks; i++)
		take(all, &n, (struct taken){.text = c->uplinks[i].device, .list = "host.uplinks",
			      .member = "device", .index = i, .line = c->uplinks[i].line});
	for (unsigned int i = 0; i < c->n_vports; i++)
		take(all, &n, (struct taken){.text = c->vports[i].device, .list = "vports",
			      .member = "device", .index = i, .line = c->vports[i].line});
	report_taken(m, all, n);
}

static int check_unique(const struct config *c, struct mistakes *m)
{
	size_t most = c->n_networks + c->n_vports + c->n_uplinks;
	struct taken *all = calloc(most + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	check_names(c, m, all);
	check_devices(c, m, all);
	free(all);
	return 0;
}

/* A field that names the other end of a tunnel: @list[@i].@member. */
struct far_end {
	const char *list, *member;
	const char *itself;		/* what to say if it is this host; NULL: it may be */
};

static void check_host(const struct config *c, struct mistakes *m, const struct far_end *f,
		       unsigned int i, const struct ip_addr *host, int line)
{
	bool v4 = ip_addr_is_v4(host);
	char text[IP_ADDR_STRLEN];

	if (ip_addr_is_zero(host))
		return;
	ip_addr_format(host, text, sizeof(text));
	if (ip_addr_is_zero(&c->underlay[v4 ? 0 : 1]))
		mistakes_add(m, line, "%s[%u].%s: %s needs an %s address of this "
			     "host in host.underlay", f->list, i, f->member, text, v4 ? "IPv4" : "IPv6");
	else if (f->itself && ip_addr_equal(host, &c->underlay[v4 ? 0 : 1]))
		mistakes_add(m, line, "%s[%u].%s: %s is this host itself; %s", f->list, i,
			     f->member, text, f->itself);
}

static void need_uplink(const struct config *c, struct mistakes *m, const char *list, int line)
{
	if (!c->n_uplinks)
		mistakes_add(m, line, "%s: need a device to leave by; declare it under host.uplinks",
			     list);
}

static void check_remotes(const struct config *c, struct mistakes *m)
{
	static const struct far_end host = {"remotes", "host", "what lives here is a vport"};
	static const struct far_end gateway = {"remotes", "gateways", "leave it out"};

	for (unsigned int i = 0; i < c->n_remotes; i++) {
		const struct config_remote *r = &c->remotes[i];
		bool pair = !ip_addr_is_zero(&r->from);

		if (!r->n_gateways)
			check_host(c, m, &host, i, &r->host, r->line);
		for (unsigned int k = 0; k < r->n_gateways; k++)
			check_host(c, m, &gateway, i, &r->gateways[k], r->line);
		if (r->n_gateways && (pair || r->receive_only))
			mistakes_add(m, r->line, "remotes[%u].gateways: one host is wanted with %s",
				     i, pair ? "from" : "receive_only");
		if ((pair || r->receive_only) && r->prefix.len != PREFIX_UNREAD && r->prefix.len != 128)
			mistakes_add(m, r->line, "remotes[%u].prefix: must be a single address with %s",
				     i, pair ? "from" : "receive_only");
		if (pair && r->receive_only)
			mistakes_add(m, r->line, "remotes[%u]: from and receive_only exclude each other",
				     i);
	}
	if (c->n_remotes)
		need_uplink(c, m, "remotes", c->remotes[0].line);
}

/* Hosts speak for every address of a network that has hoverboards: in the gateway's name. */
static void check_proxy(const struct config *c, struct mistakes *m, unsigned int i)
{
	const struct config_network *n = &c->networks[i];

	for (unsigned int k = 0; k < n->n_subnets; k++)
		if (ip_addr_is_zero(&n->subnets[k].gateway))
			mistakes_add(m, n->subnets[k].line, "networks[%u].subnets[%u]: has no gateway; "
				     "with hoverboards the host answers ARP in the gateway's name",
				     i, k);
}

static void check_hoverboards(const struct config *c, struct mistakes *m)
{
	const struct far_end board = {"networks", "hoverboards", c->role == ROLE_HOVERBOARD ? NULL :
				      "if it is one, host.role: hoverboard says so"};

	for (unsigned int i = 0; i < c->n_networks; i++) {
		const struct config_network *n = &c->networks[i];

		for (unsigned int k = 0; k < n->n_hoverboards; k++)
			check_host(c, m, &board, i, &n->hoverboards[k], n->line);
		if (n->n_hoverboards) {
			check_proxy(c, m, i);
			need_uplink(c, m, "hoverboards", n->line);
		}
	}
}

static void check_routes(const struct config *c, struct mistakes *m)
{
	for (unsigned int i = 0; i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];

		if (r->blackhole + (r->network_to != NETWORK_NONE) + (r->vport != VPORT_NONE) != 1)
			mistakes_add(m, r->line, "routes[%u]: one of blackhole: true, network_to and "
				     "vport is wanted", i);
		else if (r->network_to == r->network)
			mistakes_add(m, r->line, "routes[%u].network_to: is the network itself", i);
		else if (r->vport != VPORT_NONE && c->vports[r->vport].network != r->network)
			mistakes_add(m, r->line, "routes[%u].vport: is of another network", i);
	}
}

static void check_endpoints(const struct config *c, struct mistakes *m)
{
	static const struct far_end host = {"endpoints", "host", "what lives here is a vport"};

	for (unsigned int i = 0; i < c->n_endpoints; i++)
		check_host(c, m, &host, i, &c->endpoints[i].host, c->endpoints[i].line);
	if (!c->n_endpoints)
		return;
	need_uplink(c, m, "endpoints", c->endpoints[0].line);
	if (c->role != ROLE_HOVERBOARD)
		mistakes_add(m, c->endpoints[0].line, "endpoints: have a meaning only with "
			     "host.role: hoverboard");
	if (c->n_endpoints > c->max_endpoints)
		mistakes_add(m, c->endpoints[0].line, "endpoints: %u, but limits.endpoints is %u",
			     c->n_endpoints, c->max_endpoints);
}

/* A guest with the gateway's MAC address would answer in its place. */
static void check_macs(const struct config *c, struct mistakes *m)
{
	for (unsigned int i = 0; i < c->n_vports; i++) {
		const struct config_vport *v = &c->vports[i];

		if (v->network != NETWORK_UNREAD &&
		    !memcmp(v->mac, c->networks[v->network].gateway_mac, sizeof(v->mac)))
			mistakes_add(m, v->line, "vports[%u].mac: is the gateway_mac of network "
				     "\"%s\"; a guest needs its own", i,
				     c->networks[v->network].name ? : "");
	}
}

static void check_hook(struct mistakes *m, enum config_hook hook, enum config_xdp_mode mode,
		       const char *list, unsigned int i, int line)
{
	if (hook == HOOK_TCX && mode == XDP_MODE_GENERIC)
		mistakes_add(m, line, "%s[%u].xdp_mode: has a meaning only with hook: xdp", list, i);
}

/* On tcx a tag is held beside the frame, where neither parser nor stages look. */
static void check_hooks(const struct config *c, struct mistakes *m)
{
	for (unsigned int i = 0; i < c->n_uplinks; i++)
		check_hook(m, c->uplinks[i].hook, c->uplinks[i].xdp_mode, "host.uplinks", i,
			   c->uplinks[i].line);
	for (unsigned int i = 0; i < c->n_vports; i++) {
		check_hook(m, c->vports[i].hook, c->vports[i].xdp_mode, "vports", i,
			   c->vports[i].line);
		if (c->vports[i].hook == HOOK_TCX && c->vports[i].vlan[0])
			mistakes_add(m, c->vports[i].line, "vports[%u].hook: tcx and vlan exclude "
				     "each other, tags are held beside the frame there; hook: "
				     "xdp or auto is wanted", i);
	}
}

static bool has_ports(uint8_t proto)
{
	return proto == PROTO_TCP || proto == PROTO_UDP || proto == PROTO_SCTP;
}

static void check_samples(const struct config *c, struct mistakes *m)
{
	for (unsigned int i = 0; i < c->n_samples; i++) {
		const struct config_sample *s = &c->samples[i];

		if (s->port && !has_ports(s->proto))
			mistakes_add(m, s->line, "samples[%u].port: needs protocol: tcp, udp or "
				     "sctp beside it", i);
	}
}

int config_check(const struct config *c, struct mistakes *m)
{
	int err = check_unique(c, m);

	if (!err)
		err = config_check_addrs(c, m);
	check_remotes(c, m);
	check_hoverboards(c, m);
	check_routes(c, m);
	check_endpoints(c, m);
	check_macs(c, m);
	check_hooks(c, m);
	check_samples(c, m);
	return err;
}
