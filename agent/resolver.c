/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * resolver.c - from what the kernel says to what a next hop should be
 *
 * resolver_step() is the table of contents: no route, else a word for each
 * thing the kernel may say of the neighbour. States change only in move().
 */
#include <agent/resolver.h>

#include <string.h>

#include <lib/clock.h>

static void move(struct resolver *r, enum resolver_state state, uint64_t now_ns, uint32_t look_ms)
{
	r->state = state;
	r->due_ns = now_ns + look_ms * NS_PER_MS;
}

static bool same_hop(const struct resolver_path *a, const struct resolver_path *b)
{
	return a->ifindex == b->ifindex && ip_addr_equal(&a->hop, &b->hop);
}

static uint32_t retry_ms(uint32_t failures)
{
	uint32_t ms = RESOLVER_RETRY_MIN_MS;

	while (failures-- > 1 && ms < RESOLVER_RETRY_MAX_MS)
		ms *= 2;
	return ms;
}

/* Withdraws the answer. @state is NO_ROUTE or FAILED. */
static void give_up(struct resolver *r, enum resolver_state state, uint64_t now_ns)
{
	r->up = false;
	r->asked = false;
	r->settled = true;
	r->failures++;
	move(r, state, now_ns, retry_ms(r->failures));
}

/* The kernel has a MAC for the path that routing wants. */
static void use(struct resolver *r, const struct resolver_facts *facts)
{
	r->up = true;
	r->settled = true;
	r->path = facts->path;
	memcpy(r->mac, facts->mac, ETH_ADDR_LEN);
}

static bool good(struct resolver *r, const struct resolver_facts *facts, uint64_t now_ns)
{
	use(r, facts);
	r->asked = false;
	r->failures = 0;
	move(r, RESOLVER_READY, now_ns, RESOLVER_REFRESH_MS);
	return false;
}

/* A MAC that is in doubt is used, and verified. */
static bool doubtful(struct resolver *r, const struct resolver_facts *facts, bool probe,
		     uint64_t now_ns)
{
	use(r, facts);
	r->asked = false;
	move(r, RESOLVER_STALE, now_ns, RESOLVER_LOOK_MS);
	return probe;
}

/* No MAC yet. An older answer stays in use until the kernel has asked in vain. */
static bool unknown(struct resolver *r, bool probe, uint64_t now_ns)
{
	bool known = r->up && same_hop(&r->path, &r->wanted);

	if (!r->asked) {
		r->asked = true;
		r->asked_ns = now_ns;
		probe = true;
	} else if (now_ns - r->asked_ns >= RESOLVER_GIVE_UP_MS * NS_PER_MS) {
		give_up(r, RESOLVER_FAILED, now_ns);
		return false;
	}
	if (r->state != RESOLVER_FAILED)
		r->state = known ? RESOLVER_STALE : RESOLVER_PROBING;
	move(r, r->state, now_ns, RESOLVER_LOOK_MS);
	return probe;
}

/*
 * The kernel's failure is final if it came after our asking. An old one is asked again, and
 * so is one that ended a verification: the kernel verified one MAC, there may be another.
 */
static bool dead(struct resolver *r, uint64_t now_ns)
{
	if (r->asked) {
		give_up(r, RESOLVER_FAILED, now_ns);
		return false;
	}
	if (same_hop(&r->path, &r->wanted))
		r->up = false;
	return unknown(r, true, now_ns);
}

void resolver_init(struct resolver *r, uint64_t now_ns)
{
	*r = (struct resolver){ .state = RESOLVER_NO_ROUTE, .due_ns = now_ns };
}

/* Takes what routing says. A new hop starts afresh: the old one's silence says nothing of it. */
static void follow_route(struct resolver *r, const struct resolver_path *path)
{
	bool same = same_hop(&r->wanted, path);

	r->wanted = *path;
	if (r->up && same_hop(&r->path, path))
		r->path = *path;
	if (same && r->state != RESOLVER_NO_ROUTE)
		return;
	r->asked = false;
	r->failures = 0;
	r->state = RESOLVER_PROBING;
}

/* Given up and not yet time to try again: only a MAC is news. */
static bool resting(const struct resolver *r, const struct resolver_facts *facts, uint64_t now_ns)
{
	return r->state == RESOLVER_FAILED && !r->asked && now_ns < r->due_ns &&
	       facts->neighbour != NEIGHBOUR_GOOD && facts->neighbour != NEIGHBOUR_OLD &&
	       facts->neighbour != NEIGHBOUR_VERIFYING;
}

static bool no_route(struct resolver *r, uint64_t now_ns)
{
	if (r->state != RESOLVER_NO_ROUTE || now_ns >= r->due_ns)
		give_up(r, RESOLVER_NO_ROUTE, now_ns);
	return false;
}

bool resolver_step(struct resolver *r, const struct resolver_facts *facts, uint64_t now_ns)
{
	if (!facts->routed)
		return no_route(r, now_ns);
	follow_route(r, &facts->path);
	if (resting(r, facts, now_ns))
		return false;
	switch (facts->neighbour) {
	case NEIGHBOUR_GOOD:
		return good(r, facts, now_ns);
	case NEIGHBOUR_OLD:
		return doubtful(r, facts, true, now_ns);
	case NEIGHBOUR_VERIFYING:
		return doubtful(r, facts, false, now_ns);
	case NEIGHBOUR_NONE:
		return unknown(r, true, now_ns);
	case NEIGHBOUR_ASKED:
		return unknown(r, false, now_ns);
	case NEIGHBOUR_DEAD:
		return dead(r, now_ns);
	}
	return false;
}

void resolver_uplink_gone(struct resolver *r, uint32_t uplink, uint64_t now_ns)
{
	if (r->up && r->path.uplink == uplink) {
		r->up = false;
		move(r, RESOLVER_PROBING, now_ns, 0);
	}
}
