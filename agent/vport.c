/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vport.c - the set of ports: what is declared, who has which slot, whom news concern
 *
 * vports_apply() names and numbers everything that the configuration declares,
 * which may fail and then changes nothing but uplinks; vports_settle() removes,
 * attaches and writes, which may not fail as a whole: each port says by itself what
 * is wrong. In between lie the next hops and the policy that name the new slots.
 *
 * A device that changes hands (a rename, another configuration) is let go by one
 * port before another takes it, hence two passes over the ports in settle().
 *
 * See also: port.h (one port), ids.h (why slots rest), docs/ports.md.
 */
#include <agent/vport.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/ids.h>
#include <agent/neighbours.h>
#include <agent/port.h>
#include <lib/clock.h>
#include <lib/log.h>

#define SLOT_FIRST 3u			/* slots below belong to the hub */

struct vports {
	struct port_tools tools;
	struct gro gro;
	struct nl_watch *watch;
	struct event *timer;
	struct ids slots;
	struct vport **ports;		/* uplinks first, then vports, in the configuration's order */
	unsigned int n_ports;
	struct vport **next;		/* of the configuration under way; known ports are in both */
	unsigned int n_next;
};

/* Settling. */

static void arm(struct vports *v)
{
	uint64_t due = UINT64_MAX, now = clock_now_ns(), wait;
	struct timeval tv;
	unsigned int i;

	for (i = 0; i < v->n_ports; i++)
		if (v->ports[i]->life.ifindex && v->ports[i]->life.due_ns < due)
			due = v->ports[i]->life.due_ns;
	if (due == UINT64_MAX)
		return;
	wait = due > now ? due - now : 0;
	tv = (struct timeval){ .tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / 1000 + 1 };
	evtimer_add(v->timer, &tv);
}

/* Whether news concern a port; NULL news concern all. */
static bool concerns(const struct vport *port, const struct nl_news *news)
{
	unsigned int i;

	for (i = 0; news && i < port->n_members; i++)
		if (news->ifindex == port->members[i])
			return true;
	if (news && news->master && news->master == port->life.ifindex)
		return true;
	return !news || news->kind == NL_RESYNC || news->ifindex == port->life.ifindex ||
	       !strcmp(news->name, port->device);
}

static bool is_gone(const struct vport *port, const struct nl_news *news)
{
	return news && news->kind == NL_LINK && news->gone && news->ifindex == port->life.ifindex;
}

static void settle(struct vports *v, const struct nl_news *news)
{
	uint64_t now = clock_now_ns();
	unsigned int i;

	for (i = 0; i < v->n_ports; i++)
		if (concerns(v->ports[i], news))
			port_let_go(v->ports[i], &v->tools, is_gone(v->ports[i], news), now);
	for (i = 0; i < v->n_ports; i++)
		if (concerns(v->ports[i], news))
			port_settle(v->ports[i], &v->tools, now);
	arm(v);
}

/* Lost news may have said that a device went and came back: believe nothing. */
static void doubt_all(struct vports *v)
{
	unsigned int i;

	for (i = 0; i < v->n_ports; i++) {
		v->ports[i]->unsure = true;
		port_life_again(&v->ports[i]->life, v->ports[i]->life.has_guest);
	}
}

static void on_news(const struct nl_news *news, void *arg)
{
	if (news->kind == NL_RESYNC)
		doubt_all(arg);
	settle(arg, news);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct vports *v = arg;
	uint64_t now = clock_now_ns();
	unsigned int i;

	(void)fd, (void)what;
	for (i = 0; i < v->n_ports; i++)
		if (v->ports[i]->life.due_ns <= now)
			port_settle(v->ports[i], &v->tools, now);
	arm(v);
}

static struct vport *find_port(const struct vports *v, const char *name)
{
	unsigned int i;

	for (i = 0; i < v->n_ports; i++)
		if (!strcmp(v->ports[i]->port.name, name))
			return v->ports[i];
	return NULL;
}

/* Takes back what enter_all() made. Slots that were inherited stay with their names in the map. */
static void forget_next(struct vports *v)
{
	unsigned int i;

	for (i = 0; i < v->n_next && v->next[i]; i++) {
		if (find_port(v, v->next[i]->port.name))
			continue;
		if (!dp_ports(v->tools.dp)[v->next[i]->slot].name[0])
			ids_release(&v->slots, v->next[i]->slot, clock_now_ns());
		port_free(v->next[i]);
	}
	free(v->next);
	v->next = NULL;
	v->n_next = 0;
}

/* Life. */

static int adopt_slots(struct vports *v, struct error *e)
{
	const struct port *ports = dp_ports(v->tools.dp);
	uint32_t slot;

	if (ids_init(&v->slots, PORT_MAX))
		return error_set(e, -ENOMEM, "no memory for port slots");
	for (slot = 1; slot < PORT_MAX; slot++)
		if (ports[slot].kind != PORT_FREE)
			ids_adopt(&v->slots, slot);
	return 0;
}

int vports_new(struct event_base *base, struct dp *dp, struct underlay *u, uint32_t hub_slot,
	       struct vports **ret, struct error *e)
{
	struct vports *v = calloc(1, sizeof(*v));
	int err;

	if (!v)
		return error_set(e, -ENOMEM, "no memory for vports");
	v->tools = (struct port_tools){ .dp = dp, .underlay = u, .hub_slot = hub_slot,
					 .gro = &v->gro };
	v->timer = evtimer_new(base, on_timer, v);
	err = v->timer ? 0 : error_set(e, -ENOMEM, "no memory for a timer");
	if (!err)
		err = adopt_slots(v, e);
	if (!err)
		err = nl_new(&v->tools.nl, e);
	if (!err)
		err = nl_watch_new(base, 1u << NL_LINK, on_news, v, &v->watch, e);
	if (err) {
		vports_free(v);
		return err;
	}
	*ret = v;
	return 0;
}

static void free_ports(struct vport **ports, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		port_free(ports[i]);
	free(ports);
}

void vports_free(struct vports *v)
{
	if (!v)
		return;
	nl_watch_free(v->watch);
	nl_free(v->tools.nl);
	if (v->timer)
		event_free(v->timer);
	forget_next(v);
	ids_done(&v->slots);
	free_ports(v->ports, v->n_ports);
	free(v);
}

/* Names and numbers. */

/* The slot that an earlier agent gave to the name, or 0. */
static uint32_t find_slot(const struct vports *v, const char *name)
{
	const struct port *ports = dp_ports(v->tools.dp);
	uint32_t slot;

	for (slot = 1; slot < PORT_MAX; slot++)
		if (ids_taken(&v->slots, slot) && !strncmp(ports[slot].name, name, PORT_NAME_LEN))
			return slot;
	return 0;
}

static int take_slot(struct vports *v, struct vport *port, struct error *e)
{
	uint32_t slot = find_slot(v, port->port.name);

	if (slot) {
		const struct port *old = &dp_ports(v->tools.dp)[slot];

		port->port.mtu = old->mtu;
		port->port.flags = old->flags & PORT_FINISHES;
		port_life_init(&port->life, true, old->ifindex);
	} else {
		slot = ids_take(&v->slots, SLOT_FIRST, clock_now_ns());
		if (!slot)
			return error_set(e, -ENOSPC, "no port slot is free for %s: %u are the most",
					 port_label(port), PORT_MAX - SLOT_FIRST);
		dp_counters_clear(v->tools.dp, slot);
		port_life_init(&port->life, false, 0);
	}
	port->slot = slot;
	port->unsure = true;
	return 0;
}

/* The port called @prefix + @name: known, inherited or new. */
static int enter(struct vports *v, const char *prefix, const char *name, struct vport **ret,
		 struct error *e)
{
	char full[PORT_NAME_LEN];
	struct vport *port;
	int err;

	snprintf(full, sizeof(full), "%s%s", prefix, name);
	*ret = find_port(v, full);
	if (*ret)
		return 0;
	port = calloc(1, sizeof(*port));
	if (!port)
		return error_set(e, -ENOMEM, "no memory for port %s", name);
	memcpy(port->port.name, full, sizeof(full));
	port->uplink = !strcmp(prefix, PORT_UPLINK_PREFIX);
	err = take_slot(v, port, e);
	if (err) {
		port_free(port);
		return err;
	}
	*ret = port;
	return 0;
}

static int enter_all(struct vports *v, const struct config *config, struct vport **ports,
		     struct error *e)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < config->n_uplinks && !err; i++)
		err = enter(v, PORT_UPLINK_PREFIX, config->uplinks[i].device, &ports[i], e);
	for (i = 0; i < config->n_vports && !err; i++)
		err = enter(v, PORT_VPORT_PREFIX, config->vports[i].name,
			    &ports[config->n_uplinks + i], e);
	return err;
}

/* Doing. */

static int declare_vports(struct vports *v, const struct config *config, struct error *e)
{
	unsigned int i;

	for (i = 0; i < config->n_vports; i++)
		if (port_declare_vport(v->ports[config->n_uplinks + i], &v->tools, config, i))
			return error_set(e, -ENOMEM, "no memory for vport %s",
					 config->vports[i].name);
	return 0;
}

static bool is_next(const struct vports *v, const struct vport *port)
{
	unsigned int i;

	for (i = 0; i < v->n_next; i++)
		if (v->next[i] == port)
			return true;
	return false;
}

/* A device that becomes an uplink is let go by whoever is not declared any more. */
static void free_device(struct vports *v, const char *device)
{
	unsigned int i;

	for (i = 0; i < v->n_ports; i++) {
		struct vport *port = v->ports[i];

		if (!strcmp(port->device, device) && !is_next(v, port))
			port_remove(&v->tools, port->slot, port->port.name);
	}
}

/* Next hops leave by uplinks, so these are made true before the rest. */
static void settle_uplinks(struct vports *v, const struct config *config)
{
	uint64_t now = clock_now_ns();
	unsigned int i;

	for (i = 0; i < config->n_uplinks; i++) {
		free_device(v, config->uplinks[i].device);
		port_declare_uplink(v->next[i], &v->tools, config, i);
		port_let_go(v->next[i], &v->tools, false, now);
	}
	for (i = 0; i < config->n_uplinks; i++)
		port_settle(v->next[i], &v->tools, now);
}

static void remove_slot(struct vports *v, uint32_t slot)
{
	char name[PORT_NAME_LEN];

	memcpy(name, dp_ports(v->tools.dp)[slot].name, sizeof(name));
	port_remove(&v->tools, slot, name);
	ids_release(&v->slots, slot, clock_now_ns());
}

static bool is_hub(const struct vports *v, uint32_t slot)
{
	uint8_t kind = dp_ports(v->tools.dp)[slot].kind;

	return kind == PORT_HUB || kind == PORT_HUB_FAR;
}

/* Every slot that the next ports do not name goes, whoever filled it; then they are the ports. */
static void remove_undeclared(struct vports *v)
{
	bool keep[PORT_MAX] = {};
	uint32_t slot;
	unsigned int i;

	for (i = 0; i < v->n_next; i++)
		keep[v->next[i]->slot] = true;
	for (slot = SLOT_FIRST; slot < PORT_MAX; slot++)
		if (!keep[slot] && ids_taken(&v->slots, slot) && !is_hub(v, slot))
			remove_slot(v, slot);
	for (i = 0; i < v->n_ports; i++)
		if (!keep[v->ports[i]->slot])
			port_free(v->ports[i]);
	free(v->ports);
	v->ports = v->next;
	v->n_ports = v->n_next;
	v->next = NULL;
	v->n_next = 0;
}

static int report(struct vports *v, const struct config *config, uint32_t *ret_uplink_slots,
		  uint32_t *ret_vport_slots, uint32_t *ret_vport_nexthops, struct error *e)
{
	unsigned int i;

	for (i = 0; i < config->n_uplinks; i++)
		ret_uplink_slots[i] = v->next[i]->slot;
	for (i = 0; i < config->n_vports; i++) {
		ret_vport_slots[i] = v->next[config->n_uplinks + i]->slot;
		ret_vport_nexthops[i] = underlay_local_id(v->tools.underlay, ret_vport_slots[i]);
		if (!ret_vport_nexthops[i])
			return error_set(e, -ENOSPC, "no next hop id is free for vport %s",
					 config->vports[i].name);
	}
	return 0;
}

int vports_apply(struct vports *v, const struct config *config, uint32_t *ret_uplink_slots,
		 uint32_t *ret_vport_slots, uint32_t *ret_vport_nexthops, struct error *e)
{
	unsigned int n = config->n_uplinks + config->n_vports;
	int err;

	forget_next(v);
	v->next = calloc(n + 1, sizeof(*v->next));
	if (!v->next)
		return error_set(e, -ENOMEM, "no memory for %u ports", n);
	v->n_next = n;
	err = enter_all(v, config, v->next, e);
	if (!err)
		err = report(v, config, ret_uplink_slots, ret_vport_slots, ret_vport_nexthops, e);
	if (err) {
		forget_next(v);
		return err;
	}
	settle_uplinks(v, config);
	return 0;
}

int vports_settle(struct vports *v, const struct config *config, const uint32_t *vport_slots,
		  struct error *e)
{
	int err;

	remove_undeclared(v);
	err = declare_vports(v, config, e);
	if (err)
		return err;
	settle(v, NULL);
	return neighbours_sync(v->tools.dp, config, vport_slots, e);
}

void vports_each(struct vports *v, void (*fn)(const struct vport_view *view, void *arg), void *arg)
{
	struct vport_view view;
	unsigned int i;

	for (i = 0; i < v->n_ports; i++) {
		port_show(v->ports[i], &view);
		fn(&view, arg);
	}
}
