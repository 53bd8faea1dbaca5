/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_life.c - what a port does when its device comes, changes and goes
 */
#include <agent/port_life.h>

#include <lib/clock.h>

#define NEVER UINT64_MAX

/* The state is a view of what is known; this is the only place that names it. */
static void settle(struct port_life *l)
{
	if (!l->ifindex)
		l->state = VPORT_ABSENT;
	else if (!l->attached)
		l->state = l->failures ? VPORT_REFUSED : VPORT_ATTACHING;
	else
		l->state = l->usable ? VPORT_READY : VPORT_ATTACHING;
}

static uint64_t retry_at(uint32_t failures, uint64_t now_ns)
{
	uint64_t ms = PORT_RETRY_MIN_MS;

	while (failures-- > 1 && ms < PORT_RETRY_MAX_MS)
		ms *= 2;
	return now_ns + ms * NS_PER_MS;
}

static void report(struct port_life *l, bool ok, uint64_t next, uint64_t now_ns)
{
	l->failures = ok ? 0 : l->failures + 1;
	l->due_ns = ok ? next : retry_at(l->failures, now_ns);
	settle(l);
}

void port_life_init(struct port_life *l, bool held, int ifindex)
{
	*l = (struct port_life){ .held = held, .ifindex = ifindex };
}

/* Another device has the name, or none. */
static unsigned int change_device(struct port_life *l, const struct port_device *d, uint64_t now_ns)
{
	unsigned int todo = l->held ? PORT_DETACH : 0;

	l->held = false;
	l->attached = false;
	l->prepared = false;
	l->failures = 0;
	l->ifindex = d->ifindex;
	l->due_ns = d->ifindex ? now_ns : NEVER;
	return todo;
}

static unsigned int next_step(const struct port_life *l, uint64_t now_ns)
{
	if (!l->ifindex || now_ns < l->due_ns)
		return 0;
	if (!l->attached)
		return PORT_ATTACH;
	return l->has_guest && !l->prepared ? PORT_PREPARE : 0;
}

unsigned int port_life_look(struct port_life *l, const struct port_device *d, uint64_t now_ns)
{
	unsigned int todo = 0;

	if (d->ifindex != l->ifindex || !d->ifindex)
		todo = change_device(l, d, now_ns);
	else if (d->mtu != l->mtu && !l->attached)
		l->due_ns = now_ns;
	l->mtu = d->mtu;
	l->usable = d->usable;
	todo |= next_step(l, now_ns);
	if (todo & PORT_ATTACH)
		l->held = true;
	settle(l);
	return todo;
}

void port_life_attached(struct port_life *l, bool ok, uint64_t now_ns)
{
	l->attached = ok;
	report(l, ok, l->has_guest && !l->prepared ? now_ns : NEVER, now_ns);
}

void port_life_prepared(struct port_life *l, bool ok, uint64_t now_ns)
{
	l->prepared = ok;
	report(l, ok, NEVER, now_ns);
}

void port_life_again(struct port_life *l, bool has_guest)
{
	l->has_guest = has_guest;
	l->attached = false;
	l->prepared = false;
	l->failures = 0;
	l->due_ns = 0;
}
