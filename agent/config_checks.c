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

static void check_remote_host(const struct config *c, struct mistakes *m, unsigned int i)
{
	const struct config_remote *remote = &c->remotes[i];
	bool v4 = ip_addr_is_v4(&remote->host);
	char host[IP_ADDR_STRLEN];

	if (ip_addr_is_zero(&remote->host))
		return;
	ip_addr_format(&remote->host, host, sizeof(host));
	if (ip_addr_is_zero(&c->underlay[v4 ? 0 : 1]))
		mistakes_add(m, remote->line, "remotes[%u].host: %s needs an %s address of this "
			     "host in host.underlay", i, host, v4 ? "IPv4" : "IPv6");
	else if (ip_addr_equal(&remote->host, &c->underlay[v4 ? 0 : 1]))
		mistakes_add(m, remote->line, "remotes[%u].host: %s is this host itself; "
			     "what lives here is a vport", i, host);
}

static void check_remotes(const struct config *c, struct mistakes *m)
{
	for (unsigned int i = 0; i < c->n_remotes; i++)
		check_remote_host(c, m, i);
	if (c->n_remotes && !c->n_uplinks)
		mistakes_add(m, c->remotes[0].line, "remotes: need a device to leave by; "
			     "declare it under host.uplinks");
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
	check_macs(c, m);
	check_hooks(c, m);
	check_samples(c, m);
	return err;
}
