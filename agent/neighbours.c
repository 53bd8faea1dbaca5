/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * neighbours.c - the list of neighbours, and the map made equal to it
 */
#include <agent/neighbours.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lib/addr.h>

#define PREFIX_HOST 128

/* The list. */

static unsigned int count(const struct config *config)
{
	unsigned int i, n = config->n_remotes;

	for (i = 0; i < config->n_networks; i++)
		n += config->networks[i].n_subnets;
	for (i = 0; i < config->n_vports; i++)
		n += config->vports[i].n_addrs;
	return n;
}

static struct neighbour_entry entry(uint32_t vni, const struct ip_addr *addr,
				    const uint8_t mac[ETH_ADDR_LEN])
{
	struct neighbour_entry ret = { .key = { .vni = vni, .addr = *addr } };

	memcpy(ret.value.mac, mac, ETH_ADDR_LEN);
	return ret;
}

static unsigned int add_gateways(const struct config_network *network, struct neighbour_entry *list)
{
	unsigned int i, n = 0;

	for (i = 0; i < network->n_subnets; i++) {
		if (ip_addr_is_zero(&network->subnets[i].gateway))
			continue;
		list[n] = entry(network->vni, &network->subnets[i].gateway, network->gateway_mac);
		list[n++].value.router = 1;
	}
	return n;
}

static unsigned int add_vport(uint32_t vni, const struct config_vport *vport, uint32_t slot,
			      struct neighbour_entry *list)
{
	unsigned int i;

	for (i = 0; i < vport->n_addrs; i++) {
		list[i] = entry(vni, &vport->addrs[i], vport->mac);
		list[i].value.port = slot;
	}
	return vport->n_addrs;
}

static unsigned int add_remote(const struct config_network *network,
			       const struct config_remote *remote, struct neighbour_entry *list)
{
	if (remote->prefix.len != PREFIX_HOST || remote->receive_only ||
	    !ip_addr_is_zero(&remote->from))
		return 0;		/* the other guests here have the gateway for it */
	*list = entry(network->vni, &remote->prefix.addr,
		      mac_is_zero(remote->mac) ? network->gateway_mac : remote->mac);
	return 1;
}

/* By key; of one key the local instance, which has a port, comes first. */
static int by_key(const void *a, const void *b)
{
	const struct neighbour_entry *x = a, *y = b;
	int order = memcmp(&x->key, &y->key, sizeof(x->key));

	if (order)
		return order;
	return x->value.port > y->value.port ? -1 : x->value.port < y->value.port;
}

static unsigned int drop_doubles(struct neighbour_entry *list, unsigned int n)
{
	unsigned int i, kept = 0;

	for (i = 0; i < n; i++)
		if (!kept || memcmp(&list[kept - 1].key, &list[i].key, sizeof(list[i].key)))
			list[kept++] = list[i];
	return kept;
}

int neighbours_list(const struct config *config, const uint32_t *vport_slots,
		    struct neighbour_entry **ret, unsigned int *ret_n)
{
	struct neighbour_entry *list = calloc(count(config) + 1, sizeof(*list));
	unsigned int i, n = 0;

	if (!list)
		return -ENOMEM;
	for (i = 0; i < config->n_networks; i++)
		n += add_gateways(&config->networks[i], list + n);
	for (i = 0; i < config->n_vports; i++)
		n += add_vport(config->networks[config->vports[i].network].vni, &config->vports[i],
			       vport_slots[i], list + n);
	for (i = 0; i < config->n_remotes; i++)
		n += add_remote(&config->networks[config->remotes[i].network], &config->remotes[i],
				list + n);
	qsort(list, n, sizeof(*list), by_key);
	*ret_n = drop_doubles(list, n);
	*ret = list;
	return 0;
}

/* The map. */

struct comparison {
	struct neighbour_entry *want;
	bool *there;			/* per wanted entry: the map has it as it should be */
	unsigned int n_want;
	struct neighbour_key *stale;	/* in the map, wanted no more */
	unsigned int n_stale, cap_stale;
	int err;
};

static int by_key_alone(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct neighbour_key));
}

static int add_stale(struct comparison *c, const struct neighbour_key *key)
{
	struct neighbour_key *more;

	if (c->n_stale == c->cap_stale) {
		c->cap_stale = c->cap_stale ? 2 * c->cap_stale : 64;
		more = reallocarray(c->stale, c->cap_stale, sizeof(*more));
		if (!more)
			return -ENOMEM;
		c->stale = more;
	}
	c->stale[c->n_stale++] = *key;
	return 0;
}

static void compare(const struct neighbour_key *key, const struct neighbour *n, void *arg)
{
	struct comparison *c = arg;
	struct neighbour_entry *want;

	want = bsearch(key, c->want, c->n_want, sizeof(*want), by_key_alone);
	if (want)
		c->there[want - c->want] = !memcmp(&want->value, n, sizeof(*n));
	else if (!c->err)
		c->err = add_stale(c, key);
}

/* Removing first: the map may be full. */
static int apply(struct dp *dp, const struct comparison *c, struct error *e)
{
	unsigned int i;
	int err;

	for (i = 0; i < c->n_stale; i++)
		dp_neighbour_del(dp, &c->stale[i]);
	for (i = 0; i < c->n_want; i++) {
		if (c->there[i])
			continue;
		err = dp_neighbour_set(dp, &c->want[i].key, &c->want[i].value, e);
		if (err)
			return err;
	}
	return 0;
}

int neighbours_sync(struct dp *dp, const struct config *config, const uint32_t *vport_slots,
		    struct error *e)
{
	struct comparison c = {};
	int err;

	err = neighbours_list(config, vport_slots, &c.want, &c.n_want);
	if (err)
		return error_set(e, err, "no memory for the neighbours");
	c.there = calloc(c.n_want + 1, sizeof(*c.there));
	err = c.there ? dp_neighbour_each(dp, compare, &c) : -ENOMEM;
	if (!err)
		err = c.err;
	if (err)
		error_set(e, err, "cannot read the neighbours: %s", strerror(-err));
	else
		err = apply(dp, &c, e);
	free(c.want);
	free(c.there);
	free(c.stale);
	return err;
}
