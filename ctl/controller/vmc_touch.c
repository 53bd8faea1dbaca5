// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_touch.c - which (host, id) depend on an object
 *
 * Called with the model as it was and again as it is; what either names is looked at
 * again. Too much is only work, too little is a host with the wrong state: the
 * test against everything recomputed from nothing (test_vmc_oracle.c) finds that.
 *
 *	Host ─────► itself, vports and endpoints of its instances, routes to them; as a board: all it carries
 *	Hoverboard ► the networks it carries, wholly
 *	Network ──► itself on every host that has it; wholly: endpoints, routes, vports, peers
 *	Subnet ───► its network, and announcements it may cover
 *	Instance ─► vport, network there, endpoints, routes to it; what the host was told, if it is the last one
 *		    there (direct routes to it: see vmc_engine.moved)
 *	Route ────► its prefix, and announcements inside it
 *	Peering ──► routes by it, and by the other side's
 *	RemoteNetwork ► its prefixes
 */
#include <ctl/controller/vmc_engine.h>

#include <stdio.h>
#include <string.h>

/* One id on every board of a network. */
struct on_boards {
	struct vmc_engine *e;
	const struct network *net;
	const char *id;
};

static void queue_on_board(void *arg, struct host *host)
{
	const struct on_boards *b = arg;

	vmc_queue_add(b->e, b->net, host, b->id);
}

static void on_boards(struct vmc_engine *e, const struct network *net, const char *id)
{
	struct on_boards b = { e, net, id };

	vmc_boards(e->in.set, net, queue_on_board, &b);
}

static void touch_prefix(struct vmc_engine *e, const struct network *net, const struct ip_prefix *p)
{
	char id[VMC_ID_LEN];

	on_boards(e, net, vmc_id_route(net, p, id));
	for (const struct ref *r = net->routes; r; r = r->next) {
		const struct route *route = ref_from(r, struct route);
		const struct instance *i = (struct instance *)route->instance.to;

		if (i && host_of(i) && route->spec.prefix.len == p->len &&
		    ip_addr_equal(&route->spec.prefix.addr, &p->addr))
			vmc_queue_add(e, net, host_of(i), id);
	}
}

static void touch_announced(struct vmc_engine *e, const struct network *net,
			    const struct ip_prefix *inside)
{
	const struct remote_group *g = vmc_remotes_of(&e->in.remotes, net);

	for (unsigned int i = 0; g && i < g->n; i++) {
		const struct prefix_list *list = &g->v[i]->spec.prefixes;

		for (unsigned int k = 0; k < list->n; k++)
			if (!inside || ip_prefix_covers(inside, &list->v[k].addr))
				touch_prefix(e, net, &list->v[k]);
	}
}

static void touch_route(struct vmc_engine *e, const struct route *r)
{
	const struct network *net = (struct network *)r->network.to;

	if (!net)
		return;
	touch_prefix(e, net, &r->spec.prefix);
	touch_announced(e, net, &r->spec.prefix);
}

/* Permits and direct routes of a host in a network. */
static void touch_told(struct vmc_engine *e, const struct network *net, const struct host *host)
{
	const struct vmc_host *h = vmc_host_find(e, host->o.name);
	const struct objset_entry *told;
	char name[VMC_NAME_LEN + 1];
	size_t len;

	vmc_network_name(net, name);
	len = strlen(name);
	name[len++] = '/';
	for (size_t i = 0; h && (told = objset_next(&h->told, &i));)
		if (!strncmp(strchr(told->id, '/') + 1, name, len))
			vmc_queue_add(e, net, host, told->id);
}

static void touch_addresses(struct vmc_engine *e, const struct instance *i)
{
	const struct network *net = (struct network *)i->network.to;
	char id[VMC_ID_LEN];

	for (unsigned int k = 0; net && k < i->spec.addresses.n; k++) {
		const struct ip_addr *a = &i->spec.addresses.v[k].ip;

		on_boards(e, net, vmc_id_address("endpoint", net, a, id));
	}
}

static void touch_instance(struct vmc_engine *e, const struct instance *i)
{
	const struct network *net = (struct network *)i->network.to;
	const struct host *host = (struct host *)i->host.to;
	char id[VMC_ID_LEN];

	touch_addresses(e, i);
	for (const struct ref *r = i->routes; r; r = r->next)
		touch_route(e, ref_from(r, struct route));
	if (!host)
		return;
	vmc_queue_add(e, net, host, vmc_id_vport(i, id));
	if (!net)
		return;
	vmc_queue_add(e, net, host, vmc_id_network(net, id));
	if (model_set_on_host(e->in.set, net, host) == 1)
		touch_told(e, net, host);	/* the last one: the network goes with it */
}

/* The object network/... on every host that has it. */
static void touch_network_self(struct vmc_engine *e, const struct network *net)
{
	char id[VMC_ID_LEN];

	vmc_id_network(net, id);
	on_boards(e, net, id);
	for (const struct ref *r = net->instances; r; r = r->next) {
		const struct host *host = host_of(ref_from(r, struct instance));

		if (host)
			vmc_queue_add(e, net, host, id);
	}
}

/* Routes of @net by any of its peerings with @peer. */
static void touch_routes_to(struct vmc_engine *e, const struct network *net, const char *peer)
{
	for (const struct ref *r = net->peerings; r; r = r->next) {
		const struct peering *p = ref_from(r, struct peering);

		for (const struct ref *by = strcmp(p->spec.peer, peer) ? NULL : p->routes; by;
		     by = by->next)
			touch_route(e, ref_from(by, struct route));
	}
}

static void touch_peering(struct vmc_engine *e, const struct peering *p)
{
	const struct network *net = (struct network *)p->network.to;
	const struct network *peer = model_set_find_network(e->in.set, p->spec.peer);
	char path[MODEL_PATH_LEN];

	for (const struct ref *by = p->routes; by; by = by->next)
		touch_route(e, ref_from(by, struct route));
	if (!net)
		return;
	touch_routes_to(e, net, p->spec.peer);
	snprintf(path, sizeof(path), "%s/%s", net->o.tenant, net->o.name);
	if (peer)
		touch_routes_to(e, peer, path);
}

static void touch_network(struct vmc_engine *e, const struct network *net, bool wholly)
{
	touch_network_self(e, net);
	if (!wholly)
		return;
	for (const struct ref *r = net->instances; r; r = r->next) {
		const struct instance *i = ref_from(r, struct instance);

		touch_instance(e, i);
		if (host_of(i))
			touch_told(e, net, host_of(i));
	}
	for (const struct ref *r = net->routes; r; r = r->next)
		touch_route(e, ref_from(r, struct route));
	for (const struct ref *r = net->peerings; r; r = r->next)
		touch_peering(e, ref_from(r, struct peering));
	touch_announced(e, net, NULL);
}

static void touch_board(struct vmc_engine *e, const struct hoverboard *board)
{
	const struct host *host = (struct host *)board->host.to;
	struct object *net;

	if (host)
		vmc_queue_add(e, NULL, host, "host/self");
	for (size_t i = 0; (net = model_set_next(e->in.set, KIND_NETWORK, &i));)
		if (vmc_carries(board, (struct network *)net))
			touch_network(e, (struct network *)net, true);
}

static void touch_host(struct vmc_engine *e, const struct host *host)
{
	vmc_queue_add(e, NULL, host, "host/self");
	for (const struct ref *r = host->instances; r; r = r->next) {
		const struct instance *i = ref_from(r, struct instance);

		touch_instance(e, i);
		if (network_of(i))
			touch_told(e, network_of(i), host);
	}
	for (const struct ref *r = host->hoverboards; r; r = r->next)
		touch_board(e, ref_from(r, struct hoverboard));
}

static void touch_subnet(struct vmc_engine *e, const struct subnet *s)
{
	const struct network *net = (struct network *)s->network.to;

	if (!net)
		return;
	touch_network_self(e, net);
	touch_announced(e, net, &s->spec.prefix);
}

static void touch_remote(struct vmc_engine *e, const struct remote_network *o)
{
	const struct network *net = model_set_find_network(e->in.set, o->spec.network);

	for (unsigned int i = 0; net && i < o->spec.prefixes.n; i++)
		touch_prefix(e, net, &o->spec.prefixes.v[i]);
}

void vmc_touch(struct vmc_engine *e, struct object *o, bool wholly)
{
	switch (o->kind) {
	case KIND_HOST:
		touch_host(e, (struct host *)o);
		return;
	case KIND_HOVERBOARD:
		touch_board(e, (struct hoverboard *)o);
		return;
	case KIND_NETWORK:
		touch_network(e, (struct network *)o, wholly);
		return;
	case KIND_SUBNET:
		touch_subnet(e, (struct subnet *)o);
		return;
	case KIND_INSTANCE:
		touch_instance(e, (struct instance *)o);
		return;
	case KIND_ROUTE:
		touch_route(e, (struct route *)o);
		return;
	case KIND_PEERING:
		touch_peering(e, (struct peering *)o);
		return;
	case KIND_REMOTE_NETWORK:
		touch_remote(e, (struct remote_network *)o);
		return;
	default:
		return;
	}
}
