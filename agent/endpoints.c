// SPDX-License-Identifier: BSD-2-Clause
/*
 * endpoints.c - endpoints and the hosts behind them; the rules are in endpoints.h
 *
 * Hosts are counted by their endpoints: the first one claims the host's next hop of the
 * underlay, the last one gives it back. Many endpoints share few hosts, so a batch asks for
 * each host once and finds the others by id.
 */
#include <agent/endpoints.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/dp.h>
#include <agent/endpoint_table.h>
#include <agent/underlay.h>
#include <lib/log.h>

struct endpoints {
	struct dp *dp;
	struct underlay *underlay;
	struct endpoint_table table;
	const struct nexthop *nexthops;
	uint32_t n_nexthops;
	uint32_t *refs;			/* per next hop id: endpoints behind it */
	struct ip_addr last_host;	/* the host of the endpoint before, and its id: lists come in runs */
	uint32_t last_id;
};

static void drop_host(struct endpoints *t, uint32_t id)
{
	if (!id || --t->refs[id])
		return;
	underlay_unclaim(t->underlay, &t->nexthops[id].remote);
	if (t->last_id == id)
		t->last_id = 0;
}

/* Next hop of @host with one reference more, or 0. */
static uint32_t take_host(struct endpoints *t, const struct ip_addr *host)
{
	uint32_t id = t->last_id;

	if (!id || !ip_addr_equal(&t->last_host, host))
		id = underlay_host_id(t->underlay, host);
	if (!id || !t->refs[id])
		id = underlay_claim(t->underlay, host);
	if (!id || id >= ENDPOINT_NEXTHOPS)
		return 0;
	t->refs[id]++;
	t->last_host = *host;
	t->last_id = id;
	return id;
}

/* Endpoints that an earlier agent published stay in force; their hosts are claimed anew. */
static int adopt(struct endpoints *t, struct error *e)
{
	const struct endpoint *ep;
	uint32_t at = 0;

	while ((ep = endpoint_table_next(&t->table, &at, false))) {
		uint32_t id = ep->to.nexthop;

		if (id >= t->n_nexthops || (!t->refs[id] &&
		    underlay_claim(t->underlay, &t->nexthops[id].remote) != id))
			return error_set(e, -EIO, "an endpoint of an earlier agent has next hop %u, "
					 "which is no host's; run mirachd --teardown", id);
		t->refs[id]++;
	}
	if (t->table.n_used)
		log_info("adopted endpoints", "n", log_fmt("%u", t->table.n_used));
	return 0;
}

int endpoints_new(struct dp *dp, struct underlay *u, struct endpoints **ret, struct error *e)
{
	const struct abi_record *abi = dp_abi(dp);
	struct endpoints *t = calloc(1, sizeof(*t));
	int err = -ENOMEM;

	if (!t)
		return error_set(e, err, "no memory for the endpoints");
	t->dp = dp;
	t->underlay = u;
	t->nexthops = dp_nexthops(dp, &t->n_nexthops);
	t->refs = calloc(t->n_nexthops, sizeof(*t->refs));
	if (t->refs)
		err = endpoint_table_init(&t->table, dp_endpoint_index(dp), dp_endpoints(dp),
					  abi->n_endpoints, abi->secret);
	if (err)
		error_set(e, err, "no memory for %u endpoints", abi->n_endpoints);
	else
		err = adopt(t, e);
	if (err) {
		endpoints_free(t);
		return err;
	}
	*ret = t;
	return 0;
}

void endpoints_free(struct endpoints *t)
{
	if (!t)
		return;
	endpoint_table_done(&t->table);
	free(t->refs);
	free(t);
}

static int rest(struct endpoints *t, struct error *e)
{
	int err = dp_synchronize(t->dp);

	if (err)
		return error_set(e, err, "cannot wait for the programs to leave old endpoints");
	endpoint_table_rested(&t->table);
	return 0;
}

static int set_one(struct endpoints *t, const struct endpoint_spec *s, struct error *e)
{
	struct endpoint_to to = { .nexthop = take_host(t, &s->host) }, old;
	int err;

	if (!to.nexthop)
		return error_set(e, -ENOSPC, "no next hop id is free: too many remote hosts");
	memcpy(to.mac, s->mac, ETH_ADDR_LEN);
	err = endpoint_table_put(&t->table, s->vni, &s->addr, &to, &old);
	if (err == -EAGAIN) {
		err = rest(t, e);
		if (!err)
			err = endpoint_table_put(&t->table, s->vni, &s->addr, &to, &old);
	}
	if (!err) {
		drop_host(t, old.nexthop);
		return 0;
	}
	drop_host(t, to.nexthop);
	if (err == -ENOSPC)
		error_set(e, err, "no room for another endpoint beside %u: raise limits.endpoints",
			  t->table.n_used);
	return err;
}

/* Counts no further than needed: most lists are short, most tables have room. */
static bool has_room(const struct endpoints *t, const struct endpoint_spec *list, uint32_t n)
{
	uint32_t room = t->table.n_free + t->table.n_resting, new = 0;

	if (n <= room)
		return true;
	for (uint32_t i = 0; i < n && new <= room; i++)
		new += !endpoint_table_get(&t->table, list[i].vni, &list[i].addr);
	return new <= room;
}

int endpoints_set(struct endpoints *t, const struct endpoint_spec *list, uint32_t n, struct error *e)
{
	int err = 0;

	if (!has_room(t, list, n))
		return error_set(e, -ENOSPC, "%u endpoints do not fit beside %u: limits.endpoints is "
				 "%u", n, t->table.n_used, endpoints_capacity(t));
	for (uint32_t i = 0; !err && i < n; i++)
		err = set_one(t, &list[i], e);
	return err;
}

void endpoints_del(struct endpoints *t, const struct endpoint_spec *list, uint32_t n)
{
	struct endpoint_to old;

	for (uint32_t i = 0; i < n; i++)
		if (endpoint_table_del(&t->table, list[i].vni, &list[i].addr, &old))
			drop_host(t, old.nexthop);
}

void endpoints_mark(struct endpoints *t)
{
	endpoint_table_mark(&t->table);
}

void endpoints_sweep(struct endpoints *t)
{
	const struct endpoint *ep;
	uint32_t at = 0;

	while ((ep = endpoint_table_next(&t->table, &at, true))) {
		struct endpoint_spec s = { .vni = ep->vni, .addr = ep->addr };

		endpoints_del(t, &s, 1);
	}
}

uint32_t endpoints_count(const struct endpoints *t)
{
	return t->table.n_used;
}

uint32_t endpoints_capacity(const struct endpoints *t)
{
	return t->table.n - 1;
}

bool endpoints_find(const struct endpoints *t, struct endpoint_spec *ret)
{
	const struct endpoint *ep = endpoint_table_get(&t->table, ret->vni, &ret->addr);

	if (!ep)
		return false;
	ret->host = t->nexthops[ep->to.nexthop].remote;
	memcpy(ret->mac, ep->to.mac, ETH_ADDR_LEN);
	return true;
}
