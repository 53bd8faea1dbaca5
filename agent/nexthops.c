/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nexthops.c - next hop ids and writes; the rules are in nexthops.h
 *
 * See also: ids.h (why a released id rests), mirach/nexthop.h (make before break).
 */
#include <agent/nexthops.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <agent/template.h>
#include <lib/clock.h>
#include <lib/log.h>

static const struct ip_addr no_remote;

const struct nexthop_body *nexthops_body(const struct nexthops *n, uint32_t id)
{
	return &n->map[id].body[n->map[id].active & 1];
}

static bool is_tunnel(const struct nexthops *n, uint32_t id)
{
	return !ip_addr_equal(&n->map[id].remote, &no_remote);
}

/* The ids in a table of ways; each may come several times. */
static void each_way(struct nexthops *n, uint32_t id, void (*fn)(struct nexthops *n, uint32_t way))
{
	const struct nexthop_body *body = nexthops_body(n, id);
	unsigned int i;

	for (i = 0; body->kind == NEXTHOP_SPREAD && i < NEXTHOP_WAYS; i++)
		if (body->way[i] && body->way[i] < n->ids.n)
			fn(n, body->way[i]);
}

static void adopt_way(struct nexthops *n, uint32_t id)
{
	ids_adopt(&n->ids, id);
}

static void adopt(struct nexthops *n, uint32_t id)
{
	each_way(n, id, adopt_way);
	if (!is_tunnel(n, id) && nexthops_body(n, id)->kind != NEXTHOP_LOCAL)
		return;
	ids_adopt(&n->ids, id);
	if (!is_tunnel(n, id))
		n->port[id] = nexthops_body(n, id)->port;
}

int nexthops_init(struct nexthops *n, struct dp *dp, struct error *e)
{
	uint32_t id, count;

	*n = (struct nexthops){ .dp = dp, .map = dp_nexthops(dp, &count), .grace = 1 };
	n->claimed = calloc(count, sizeof(*n->claimed));
	n->port = calloc(count, sizeof(*n->port));
	n->written = calloc(count, sizeof(*n->written));
	if (ids_init(&n->ids, count) || !n->claimed || !n->port || !n->written) {
		nexthops_done(n);
		return error_set(e, -ENOMEM, "no memory for %u next hops", count);
	}
	for (id = 1; id < count; id++)
		adopt(n, id);
	return 0;
}

void nexthops_done(struct nexthops *n)
{
	ids_done(&n->ids);
	free(n->claimed);
	free(n->port);
	free(n->written);
	*n = (struct nexthops){};
}

static uint32_t claim_new(struct nexthops *n)
{
	uint32_t id = ids_take(&n->ids, 1, clock_now_ns());

	if (id)
		dp_nexthop_own(n->dp, id, 0, 0);
	n->claimed[id] = id != 0;
	return id;
}

uint32_t nexthops_claim_tunnel(struct nexthops *n, const struct ip_addr *remote)
{
	uint32_t id;

	for (id = 1; id < n->ids.n; id++)
		if (ids_taken(&n->ids, id) && !n->map[id].set &&
		    ip_addr_equal(&n->map[id].remote, remote)) {
			n->claimed[id] = true;
			return id;
		}
	return claim_new(n);
}

uint32_t nexthops_claim_way(struct nexthops *n, uint32_t of)
{
	const struct nexthop_body *body = nexthops_body(n, of);
	unsigned int i;

	for (i = 0; body->kind == NEXTHOP_SPREAD && i < NEXTHOP_WAYS; i++) {
		uint32_t id = body->way[i];

		if (id && ids_taken(&n->ids, id) && !n->claimed[id]) {
			n->claimed[id] = true;
			return id;
		}
	}
	return claim_new(n);
}

uint32_t nexthops_claim_slot(struct nexthops *n, uint64_t set, uint32_t slot)
{
	uint32_t id;

	for (id = 1; id < n->ids.n; id++)
		if (ids_taken(&n->ids, id) && n->map[id].set == set && n->map[id].slot == slot) {
			n->claimed[id] = true;
			return id;
		}
	id = claim_new(n);
	if (id)
		dp_nexthop_own(n->dp, id, set, slot);
	return id;
}

uint32_t nexthops_find_local(const struct nexthops *n, uint32_t port)
{
	uint32_t id;

	for (id = 1; id < n->ids.n; id++)
		if (n->port[id] == port)
			return id;
	return 0;
}

uint32_t nexthops_claim_local(struct nexthops *n, uint32_t port)
{
	uint32_t id = nexthops_find_local(n, port);

	if (!id)
		id = claim_new(n);
	n->claimed[id] = id != 0;
	n->port[id] = id ? port : 0;
	return id;
}

void nexthops_release(struct nexthops *n, uint32_t id)
{
	struct nexthop_body down;
	struct error e = {};

	template_down(&down);
	if (nexthops_put(n, id, &down, NULL, &e) < 0)
		log_error("next hop not withdrawn", "id", log_fmt("%u", id), "error", e.text);
	dp_nexthop_own(n->dp, id, 0, 0);
	n->claimed[id] = false;
	n->port[id] = 0;
	ids_release(&n->ids, id, clock_now_ns());
}

#define CLAIMED_BY_TABLE 2

static void keep_way(struct nexthops *n, uint32_t id)
{
	if (!n->claimed[id])
		n->claimed[id] = CLAIMED_BY_TABLE;
}

void nexthops_sweep(struct nexthops *n)
{
	uint32_t id;

	for (id = 1; id < n->ids.n; id++)
		if (n->claimed[id])
			each_way(n, id, keep_way);
	for (id = 1; id < n->ids.n; id++)
		if (ids_taken(&n->ids, id) && !n->claimed[id])
			nexthops_release(n, id);
		else if (n->claimed[id] == CLAIMED_BY_TABLE)
			n->claimed[id] = false;		/* for this sweep only */
}

static bool in_force(const struct nexthops *n, uint32_t id, const struct nexthop_body *body,
		     const struct ip_addr *remote)
{
	return !memcmp(nexthops_body(n, id), body, sizeof(*body)) &&
	       ip_addr_equal(&n->map[id].remote, remote);
}

int nexthops_put(struct nexthops *n, uint32_t id, const struct nexthop_body *body,
		 const struct ip_addr *remote, struct error *e)
{
	int err;

	if (!remote)
		remote = &no_remote;
	if (in_force(n, id, body, remote))
		return 0;
	if (n->written[id] == n->grace) {
		err = dp_synchronize(n->dp);
		if (err)
			return error_set(e, err, "cannot wait for the programs to leave next hop %u", id);
		n->grace++;
	}
	err = dp_nexthop_set(n->dp, id, body, remote, e);
	if (err)
		return err;
	n->written[id] = n->grace;
	return 1;
}
