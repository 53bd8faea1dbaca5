// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_offload.c - usage reports in, permits and direct routes out
 *
 * offload.h decides with numbers; here are the names: who reported, which instances
 * the addresses belong to, and how a decision becomes an object of a host. A host
 * speaks only for instances that run on it; what it says about others is left out.
 * A change waits with its host until the transaction that carries it is acknowledged.
 * What concerns another controller's hosts goes to vmc_permits.c.
 */
#include <ctl/controller/vmc_session.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

/* How often agents say a pair again, so long its rate stands for (agent/usage.h). */
#define BOARD_S 1
#define DIRECT_S 5

struct net_number {
	char network[VMC_NAME_LEN];
	uint32_t number;
};

struct told_host {
	struct vmc_host *host;
	struct told_wait *first, **end;
};

static uint64_t net_hash(const void *entry)
{
	const struct net_number *n = entry;

	return XXH3_64bits(n->network, strlen(n->network));
}

static bool net_same(const void *a, const void *b)
{
	return !strcmp(((const struct net_number *)a)->network,
		       ((const struct net_number *)b)->network);
}

static uint64_t told_hash(const void *entry)
{
	const struct told_host *t = entry;

	return XXH3_64bits(&t->host, sizeof(t->host));
}

static bool told_same(const void *a, const void *b)
{
	return ((const struct told_host *)a)->host == ((const struct told_host *)b)->host;
}

static struct net_number *number_find(const struct vmc *v, const char *network)
{
	struct net_number like = {};

	snprintf(like.network, sizeof(like.network), "%s", network);
	return index_find(&v->networks, &like);
}

uint32_t vmc_network_known(const struct vmc *v, const char *network)
{
	const struct net_number *n = number_find(v, network);

	return n ? n->number : 0;
}

/* Numbers of networks are given once and kept. */
uint32_t vmc_network_number(struct vmc *v, const char *network)
{
	struct net_number *n = number_find(v, network);

	if (n)
		return n->number;
	n = calloc(1, sizeof(*n));
	if (!n)
		return 0;
	snprintf(n->network, sizeof(n->network), "%s", network);
	n->number = ++v->n_networks;
	if (index_add(&v->networks, n)) {
		free(n);
		return 0;
	}
	v->network_names = realloc(v->network_names, n->number * sizeof(*v->network_names));
	if (!v->network_names)
		abort();
	v->network_names[n->number - 1] = n->network;
	return n->number;
}

static struct network *network_named(const struct vmc *v, const char *name)
{
	char path[MODEL_PATH_LEN];
	char *dot;

	if (strlen(name) >= sizeof(path))
		return NULL;
	strcpy(path, name);
	dot = strchr(path, '.');
	if (!dot)
		return NULL;
	*dot = '/';
	return model_set_find_network(v->o.set, path);
}

static void moved(void *arg, const struct network *net, const struct ip_addr *a)
{
	struct vmc *v = arg;
	char name[VMC_NAME_LEN];
	uint32_t number = vmc_network_known(v, vmc_network_name(net, name));

	if (!number)
		return;
	offload_forget(v->offload, number, a);
	vmc_schedule(v);
}

int vmc_offload_init(struct vmc *v)
{
	struct offload_options o = { .cold_ns = v->o.cold_ns, .host_max = v->o.offloads_max };

	index_init(&v->networks, net_hash, net_same);
	index_init(&v->waits, told_hash, told_same);
	vmc_permits_init(v);
	v->engine.moved = moved;
	v->engine.moved_arg = v;
	v->offload = offload_new(&o);
	return v->offload ? 0 : -ENOMEM;
}

static void forget_waits(struct told_host *t)
{
	while (t->first) {
		struct told_wait *w = t->first;

		t->first = w->next;
		free(w);
	}
	t->end = &t->first;
}

void vmc_offload_done(struct vmc *v)
{
	struct told_host *t;
	void *n;

	for (size_t i = 0; (t = index_next(&v->waits, &i));) {
		forget_waits(t);
		free(t);
	}
	for (size_t i = 0; (n = index_next(&v->networks, &i));)
		free(n);
	index_done(&v->waits);
	index_done(&v->networks);
	free(v->network_names);
	vmc_permits_done(v);
	offload_free(v->offload);
}

/* Telling. */

static struct told_host *waits_of(struct vmc *v, struct vmc_host *host, bool make)
{
	struct told_host like = { .host = host }, *t = index_find(&v->waits, &like);

	if (t || !make)
		return t;
	t = malloc(sizeof(*t));
	if (!t)
		return NULL;
	*t = (struct told_host){ .host = host };
	t->end = &t->first;
	if (index_add(&v->waits, t)) {
		free(t);
		return NULL;
	}
	return t;
}

static void route_id(const struct vmc *v, const struct offload_route *r, char id[VMC_ID_LEN])
{
	char src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN];
	const char *network = v->network_names[r->network - 1];

	ip_addr_format(&r->src, src, sizeof(src));
	if (ip_addr_is_zero(&r->dst))
		snprintf(id, VMC_ID_LEN, "permit/%s/%s", network, src);
	else
		snprintf(id, VMC_ID_LEN, "direct/%s/%s/%s", network, src,
			 ip_addr_format(&r->dst, dst, sizeof(dst)));
}

static void tell(struct vmc *v, const struct offload_change *c)
{
	struct vmc_host *host = vmc_host_at(&v->engine, c->route.host);
	struct told_host *t = host ? waits_of(v, host, true) : NULL;
	struct told_wait *w = t ? calloc(1, sizeof(*w)) : NULL;
	char id[VMC_ID_LEN];

	route_id(v, &c->route, id);
	if (!w || !vmc_tell(&v->engine, host->name, id, c->present, vmc_now(v))) {
		free(w);
		return;
	}
	w->change = *c;
	*t->end = w;
	t->end = &w->next;
	/* Was it so already? Then nobody will acknowledge it later. */
	if (host->session && session_in_step(host->session))
		vmc_offload_acked(v, host, UINT64_MAX);
}

void vmc_offload_drain(struct vmc *v)
{
	struct offload_change c;

	while (offload_next(v->offload, &c))
		if (c.say == OFFLOAD_TELL)
			tell(v, &c);
		else
			vmc_permits_say(v, &c);
}

void vmc_offload_sent(struct vmc *v, struct vmc_host *host, uint64_t seq)
{
	struct told_host *t = waits_of(v, host, false);

	for (struct told_wait *w = t ? t->first : NULL; w; w = w->next)
		if (!w->seq)
			w->seq = seq;
}

/* UINT64_MAX: the host has all it is to have, sent or not. */
void vmc_offload_acked(struct vmc *v, struct vmc_host *host, uint64_t seq)
{
	struct told_host *t = waits_of(v, host, false);
	struct told_wait *w;
	bool any = false;

	while (t && (w = t->first) && (seq == UINT64_MAX || (w->seq && w->seq <= seq))) {
		t->first = w->next;
		if (!t->first)
			t->end = &t->first;
		offload_acked(v->offload, &w->change.route, w->change.seq, vmc_now(v));
		if (ip_addr_is_zero(&w->change.route.dst))
			vmc_permits_acked(v, &w->change.route);
		free(w);
		any = true;
	}
	if (any)
		vmc_schedule(v);
}

void vmc_offload_connected(struct vmc *v, struct vmc_host *host, bool connected)
{
	struct told_host *t = waits_of(v, host, false);

	offload_host_connected(v->offload, host->number, connected, vmc_now(v));
	/* What was told and not acknowledged goes again with the next session, under its own number. */
	for (struct told_wait *w = t && !connected ? t->first : NULL; w; w = w->next)
		w->seq = 0;
	vmc_schedule(v);
}

/* Reports. */

static struct instance *instance_at(const struct vmc *v, const struct network *net,
				    const char *text, struct ip_addr *ret)
{
	return ip_addr_parse(text, ret) ? NULL : model_set_by_address(v->o.set, net, ret, NULL);
}

const struct host *vmc_offload_host(const struct vmc *v, const char *network,
				    const struct ip_addr *addr)
{
	const struct network *net = network_named(v, network);
	const struct instance *i = net ? model_set_by_address(v->o.set, net, addr, NULL) : NULL;

	return i ? host_of(i) : NULL;
}

void vmc_offload_led(struct vmc *v, struct vmc_host *h)
{
	h->term = v->o.term ? v->o.term(v->o.arg, h->name) : 0;
	offload_host_led(v->offload, h->number, h->owned, h->term, vmc_now(v));
}

static uint32_t host_number(struct vmc *v, const struct instance *i)
{
	const struct host *host = i ? host_of(i) : NULL;
	struct vmc_host *h = host ? vmc_host_find(&v->engine, host->o.name) : NULL;

	if (!h)
		return 0;
	vmc_offload_led(v, h);
	return h->number;
}

static int report_pair(struct vmc *v, struct vmc_host *from, const struct msg_usage_pair *said)
{
	const struct network *net = network_named(v, said->network);
	struct offload_pair p = { .bps = said->bps, .direct = said->direct };

	if (!net)
		return 0;
	p.threshold_bps = net->spec.offload_threshold;
	p.src_host = host_number(v, instance_at(v, net, said->src, &p.src));
	p.dst_host = host_number(v, instance_at(v, net, said->dst, &p.dst));
	if (p.src_host != from->number || !p.dst_host)
		return 0;
	p.network = vmc_network_number(v, said->network);
	return p.network ? offload_report(v->offload, &p, vmc_now(v)) : -ENOMEM;
}

int vmc_offload_usage(struct vmc *v, struct vmc_host *from, const cJSON *pairs)
{
	const cJSON *pair;
	int err = 0;

	v->usage_reports++;
	cJSON_ArrayForEach(pair, pairs) {
		struct msg_usage_pair said;

		msg_usage_pair(pair, &said);
		*(said.direct ? &v->direct_bytes : &v->board_bytes) +=
			said.bps / 8 * (said.direct ? DIRECT_S : BOARD_S);
		err = err ?: report_pair(v, from, &said);
	}
	vmc_schedule(v);
	return err;
}

/* "<network>/<src>" or "<network>/<src>/<dst>" as a route of @host; false: it makes no sense any more. */
static bool route_of(struct vmc *v, const struct vmc_host *host, const char *rest, bool permit,
		     struct offload_route *ret)
{
	char text[VMC_ID_LEN], *src, *dst = NULL;
	const struct instance *peer;
	const struct network *net;

	snprintf(text, sizeof(text), "%s", rest);
	src = strchr(text, '/');
	if (!src)
		return false;
	*src++ = '\0';
	if (!permit) {
		dst = strchr(src, '/');
		if (!dst)
			return false;
		*dst++ = '\0';
	}
	net = network_named(v, text);
	*ret = (struct offload_route){ .host = host->number };
	peer = net ? instance_at(v, net, src, &ret->src) : NULL;
	if (peer && dst)
		peer = instance_at(v, net, dst, &ret->dst);
	ret->peer = host_number(v, peer);
	if (!ret->peer || ret->peer == host->number)
		return false;
	ret->network = vmc_network_number(v, text);
	return ret->network;
}

bool vmc_offload_adopt(struct vmc *v, struct vmc_host *host, const char *id)
{
	bool permit = !strncmp(id, "permit/", 7);
	struct offload_route r;

	if (!permit && strncmp(id, "direct/", 7))
		return false;
	if (!route_of(v, host, id + 7, permit, &r) || offload_adopt(v->offload, &r, vmc_now(v)))
		return false;
	return vmc_tell(&v->engine, host->name, id, true, vmc_now(v));
}

void vmc_offload_tick(struct vmc *v)
{
	offload_tick(v->offload, vmc_now(v));
	vmc_permits_tick(v);
	vmc_schedule(v);
}

void vmc_offload_shards_moved(struct vmc *v)
{
	struct vmc_host *h;

	for (size_t i = 0; (h = index_next(&v->engine.hosts, &i));) {
		struct told_host *t = waits_of(v, h, false);

		if (!h->owned && t)
			forget_waits(t);
		vmc_offload_led(v, h);
	}
}

struct listing {
	struct vmc *v;
	cJSON *list;
};

static void list_pair(const struct offload_pair *p, void *arg)
{
	const struct vmc_host *from, *to;
	struct listing *l = arg;
	char src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN];
	cJSON *o = cJSON_CreateObject();

	from = vmc_host_at(&l->v->engine, p->src_host);
	to = vmc_host_at(&l->v->engine, p->dst_host);
	cJSON_AddStringToObject(o, "network", l->v->network_names[p->network - 1]);
	cJSON_AddStringToObject(o, "src", ip_addr_format(&p->src, src, sizeof(src)));
	cJSON_AddStringToObject(o, "dst", ip_addr_format(&p->dst, dst, sizeof(dst)));
	cJSON_AddStringToObject(o, "from", from ? from->name : "");
	cJSON_AddStringToObject(o, "to", to ? to->name : "");
	cJSON_AddNumberToObject(o, "bps", p->bps);
	cJSON_AddItemToArray(l->list, o);
}

cJSON *vmc_offload_pairs(struct vmc *v)
{
	struct listing l = { v, cJSON_CreateArray() };

	offload_each(v->offload, list_pair, &l);
	return l.list;
}
