// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_check_addrs.c - addresses and prefixes of a network fit together
 *
 *	network ─┬─ subnets		do not overlap
 *	         │    └─ gateway	inside, and an address a host may have
 *	         ├─ vports' addresses	inside a subnet, and an address a host may have
 *	         ├─ all claims:		gateways, vports and remotes; none made twice
 *	         └─ pairs and permits	none said twice
 *
 * A remote prefix may lie inside a subnet, or around it: the longest one decides,
 * as in any routing table. Only the very same one twice is a mistake.
 *
 * See also: config_checks.c.
 */
#include <agent/config_reader.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <mirach/wire.h>

#define V4_PREFIX_LEN 96	/* IPv4 lies inside ::ffff:0:0/96 */

static bool is_read(const struct ip_prefix *p)
{
	return p->len != PREFIX_UNREAD;
}

static int by_prefix(const struct ip_prefix *x, const struct ip_prefix *y)
{
	int order = memcmp(&x->addr, &y->addr, sizeof(x->addr));

	return order ? order : x->len - y->len;
}

/*
 * Why no host can have this address of @subnet, or NULL. IPv4 keeps the first and
 * last address of a subnet for itself (RFC 1122 section 3.2.1.3), but not in /31
 * (RFC 3021) and /32.
 */
static const char *why_not_a_host(const struct ip_prefix *subnet, const struct ip_addr *a)
{
	uint32_t host_bits, mask;

	if (!ip_addr_is_v4(a) || subnet->len > 126 || subnet->len < V4_PREFIX_LEN)
		return NULL;
	mask = (uint32_t)(0xffffffffull >> (subnet->len - V4_PREFIX_LEN));
	host_bits = host32(a->w[3]) & mask;
	if (!host_bits)
		return "the address of the subnet itself";
	return host_bits == mask ? "the subnet's broadcast address" : NULL;
}

static void check_gateway(const struct config *c, struct mistakes *m, unsigned int network,
			  unsigned int i)
{
	const struct config_subnet *s = &c->networks[network].subnets[i];
	char addr[IP_ADDR_STRLEN], prefix[IP_ADDR_STRLEN + 4];
	const char *why;

	if (ip_addr_is_zero(&s->gateway) || !is_read(&s->prefix))
		return;
	ip_addr_format(&s->gateway, addr, sizeof(addr));
	why = why_not_a_host(&s->prefix, &s->gateway);
	if (!ip_prefix_covers(&s->prefix, &s->gateway))
		mistakes_add(m, s->line, "networks[%u].subnets[%u].gateway: %s is not inside %s",
			     network, i, addr, ip_prefix_format(&s->prefix, prefix, sizeof(prefix)));
	else if (why)
		mistakes_add(m, s->line, "networks[%u].subnets[%u].gateway: %s is %s", network, i,
			     addr, why);
}

static int subnets_by_prefix(const void *a, const void *b)
{
	const struct config_subnet *x = *(const struct config_subnet *const *)a;
	const struct config_subnet *y = *(const struct config_subnet *const *)b;
	int order = by_prefix(&x->prefix, &y->prefix);

	return order ? order : x->line - y->line;
}

/* Sorted by address, a subnet overlaps the widest before it or none. */
static int check_overlap(const struct config *c, struct mistakes *m, unsigned int network)
{
	const struct config_network *net = &c->networks[network];
	const struct config_subnet **sorted, *wide = NULL;
	char inner[IP_ADDR_STRLEN + 4], outer[IP_ADDR_STRLEN + 4], place[PLACE_LEN];
	unsigned int n = 0;

	sorted = reallocarray(NULL, net->n_subnets + 1, sizeof(*sorted));
	if (!sorted)
		return -ENOMEM;
	for (unsigned int i = 0; i < net->n_subnets; i++) {
		if (is_read(&net->subnets[i].prefix))
			sorted[n++] = &net->subnets[i];
	}
	qsort(sorted, n, sizeof(*sorted), subnets_by_prefix);
	for (unsigned int i = 0; i < n; i++) {
		const struct config_subnet *s = sorted[i];

		if (!wide || !ip_prefix_covers(&wide->prefix, &s->prefix.addr)) {
			wide = s;
			continue;
		}
		mistakes_add(m, s->line, "networks[%u].subnets[%u].prefix: %s overlaps %s, %s",
			     network, (unsigned int)(s - net->subnets),
			     ip_prefix_format(&s->prefix, inner, sizeof(inner)),
			     ip_prefix_format(&wide->prefix, outer, sizeof(outer)),
			     mistakes_place(m, wide->line, place));
	}
	free(sorted);
	return 0;
}

static const struct config_subnet *subnet_of(const struct config_network *net,
					     const struct ip_addr *a)
{
	for (unsigned int i = 0; i < net->n_subnets; i++) {
		const struct config_subnet *s = &net->subnets[i];

		if (is_read(&s->prefix) && ip_prefix_covers(&s->prefix, a))
			return s;
	}
	return NULL;
}

static void check_vport_addr(const struct config *c, struct mistakes *m, unsigned int i,
			     const struct ip_addr *a)
{
	const struct config_vport *v = &c->vports[i];
	const struct config_network *net = &c->networks[v->network];
	const struct config_subnet *s = subnet_of(net, a);
	const char *why = s ? why_not_a_host(&s->prefix, a) : NULL;
	char addr[IP_ADDR_STRLEN];

	ip_addr_format(a, addr, sizeof(addr));
	if (!s)
		mistakes_add(m, v->line, "vports[%u].addresses: %s is in no subnet of network "
			     "\"%s\"", i, addr, net->name ? : "");
	else if (why)
		mistakes_add(m, v->line, "vports[%u].addresses: %s is %s", i, addr, why);
}

static void check_vport_addrs(const struct config *c, struct mistakes *m)
{
	for (unsigned int i = 0; i < c->n_vports; i++) {
		const struct config_vport *v = &c->vports[i];

		for (unsigned int j = 0; v->network != NETWORK_UNREAD && j < v->n_addrs; j++)
			check_vport_addr(c, m, i, &v->addrs[j]);
	}
}

/* Permits and the routes of single pairs hold no address: others may have it as well. */
static bool is_of_pair(const struct config_remote *r)
{
	return r->receive_only || !ip_addr_is_zero(&r->from);
}

static int by_pair(const void *a, const void *b)
{
	const struct config_remote *x = *(const struct config_remote *const *)a;
	const struct config_remote *y = *(const struct config_remote *const *)b;
	int order = by_prefix(&x->prefix, &y->prefix);

	if (x->network != y->network)
		return x->network < y->network ? -1 : 1;
	order = order ?: x->receive_only - y->receive_only;
	return order ?: memcmp(&x->from, &y->from, sizeof(x->from));
}

static int check_pairs(const struct config *c, struct mistakes *m)
{
	const struct config_remote **all = calloc(c->n_remotes + 1, sizeof(*all));
	unsigned int n = 0;
	char place[PLACE_LEN];

	if (!all)
		return -ENOMEM;
	for (unsigned int i = 0; i < c->n_remotes; i++)
		if (is_of_pair(&c->remotes[i]) && c->remotes[i].network != NETWORK_UNREAD &&
		    is_read(&c->remotes[i].prefix))
			all[n++] = &c->remotes[i];
	qsort(all, n, sizeof(*all), by_pair);
	for (unsigned int i = 1; i < n; i++)
		if (!by_pair(&all[i - 1], &all[i]))
			mistakes_add(m, all[i]->line, "remotes[%u]: the same pair or permit again, "
				     "as in %s", (unsigned int)(all[i] - c->remotes),
				     mistakes_place(m, all[i - 1]->line, place));
	free(all);
	return 0;
}

/* An address or prefix that a gateway, a vport or a remote of a network holds. */
struct claim {
	uint32_t network;
	struct ip_prefix prefix;
	enum {CLAIM_GATEWAY, CLAIM_VPORT, CLAIM_REMOTE, CLAIM_ROUTE, CLAIM_ENDPOINT} kind;
	unsigned int index;		/* of the subnet, vport, remote, ... */
	int line;
};

static int by_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = by_prefix(&x->prefix, &y->prefix);

	if (x->network != y->network)
		return x->network < y->network ? -1 : 1;
	return order ? order : x->line - y->line;
}

static const char *claim_field(const struct claim *claim, char *buf, size_t len)
{
	if (claim->kind == CLAIM_GATEWAY)
		snprintf(buf, len, "networks[%u].subnets[%u].gateway", claim->network,
			 claim->index);
	else if (claim->kind == CLAIM_VPORT)
		snprintf(buf, len, "vports[%u].addresses", claim->index);
	else if (claim->kind == CLAIM_REMOTE)
		snprintf(buf, len, "remotes[%u].prefix", claim->index);
	else if (claim->kind == CLAIM_ROUTE)
		snprintf(buf, len, "routes[%u].prefix", claim->index);
	else
		snprintf(buf, len, "endpoints[%u].address", claim->index);
	return buf;
}

static size_t count_claims(const struct config *c)
{
	size_t n = (size_t)c->n_vports * CONFIG_VPORT_ADDRS_MAX + c->n_remotes +
		   c->n_routes + c->n_endpoints;

	for (unsigned int i = 0; i < c->n_networks; i++)
		n += c->networks[i].n_subnets;
	return n;
}

static struct claim *claim_gateways(const struct config *c, struct claim *next)
{
	for (unsigned int i = 0; i < c->n_networks; i++) {
		const struct config_network *net = &c->networks[i];

		for (unsigned int j = 0; j < net->n_subnets; j++) {
			const struct config_subnet *s = &net->subnets[j];

			if (!ip_addr_is_zero(&s->gateway))
				*next++ = (struct claim){i, {s->gateway, 128}, CLAIM_GATEWAY, j,
							 s->line};
		}
	}
	return next;
}

static struct claim *claim_vports(const struct config *c, struct claim *next)
{
	for (unsigned int i = 0; i < c->n_vports; i++) {
		const struct config_vport *v = &c->vports[i];

		for (unsigned int j = 0; v->network != NETWORK_UNREAD && j < v->n_addrs; j++)
			*next++ = (struct claim){v->network, {v->addrs[j], 128}, CLAIM_VPORT, i,
						 v->line};
	}
	return next;
}

static struct claim *claim_remotes(const struct config *c, struct claim *next)
{
	for (unsigned int i = 0; i < c->n_remotes; i++) {
		const struct config_remote *remote = &c->remotes[i];

		if (!is_of_pair(remote) && remote->network != NETWORK_UNREAD && is_read(&remote->prefix))
			*next++ = (struct claim){remote->network, remote->prefix, CLAIM_REMOTE, i,
						 remote->line};
	}
	return next;
}

static struct claim *claim_routes(const struct config *c, struct claim *next)
{
	for (unsigned int i = 0; i < c->n_routes; i++) {
		const struct config_route *r = &c->routes[i];

		if (r->network != NETWORK_UNREAD && is_read(&r->prefix))
			*next++ = (struct claim){r->network, r->prefix, CLAIM_ROUTE, i, r->line};
	}
	return next;
}

static struct claim *claim_endpoints(const struct config *c, struct claim *next)
{
	for (unsigned int i = 0; i < c->n_endpoints; i++) {
		const struct config_endpoint *ep = &c->endpoints[i];

		if (ep->network != NETWORK_UNREAD && !ip_addr_is_zero(&ep->addr))
			*next++ = (struct claim){ep->network, {ep->addr, 128}, CLAIM_ENDPOINT, i,
						 ep->line};
	}
	return next;
}

static void report_twice(const struct config *c, struct mistakes *m, const struct claim *first,
			 const struct claim *again)
{
	char field[64], first_field[64], addr[IP_ADDR_STRLEN], prefix[IP_ADDR_STRLEN + 4];
	char place[PLACE_LEN];
	const char *name = c->networks[again->network].name;

	mistakes_add(m, again->line, "%s: %s is held in network \"%s\" by %s, %s",
		     claim_field(again, field, sizeof(field)),
		     again->prefix.len == 128 ?
		     ip_addr_format(&again->prefix.addr, addr, sizeof(addr)) :
		     ip_prefix_format(&again->prefix, prefix, sizeof(prefix)), name ? name : "",
		     claim_field(first, first_field, sizeof(first_field)), mistakes_place(m, first->line, place));
}

static int check_claims(const struct config *c, struct mistakes *m)
{
	struct claim *all = calloc(count_claims(c) + 1, sizeof(*all));
	struct claim *end;

	if (!all)
		return -ENOMEM;
	end = claim_remotes(c, claim_vports(c, claim_gateways(c, all)));
	end = claim_endpoints(c, claim_routes(c, end));
	qsort(all, end - all, sizeof(*all), by_claim);
	for (struct claim *claim = all + 1; claim < end; claim++) {
		if (claim[-1].network == claim->network &&
		    !by_prefix(&claim[-1].prefix, &claim->prefix))
			report_twice(c, m, claim - 1, claim);
	}
	free(all);
	return 0;
}

int config_check_addrs(const struct config *c, struct mistakes *m)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < c->n_networks; i++) {
		for (unsigned int j = 0; j < c->networks[i].n_subnets; j++)
			check_gateway(c, m, i, j);
		err = check_overlap(c, m, i);
	}
	check_vport_addrs(c, m);
	err = err ?: check_pairs(c, m);
	return err ?: check_claims(c, m);
}
