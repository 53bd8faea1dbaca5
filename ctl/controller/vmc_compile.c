// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_compile.c - what one host is to have, of what is declared
 *
 * A table says for each kind of id who makes its spec. Names hold no dots, so
 * "<tenant>.<name>" takes apart again; lists are sorted before they are printed.
 * See also: vmc_route.c (routes).
 */
#include <ctl/controller/vmc_compile.h>
#include <ctl/controller/vmc_route.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BOARDS_MAX 256u			/* named to one host */
#define OFFLOAD_BPS_MAX UINT32_MAX

/* Ids. */

const char *vmc_network_name(const struct network *net, char buf[VMC_NAME_LEN])
{
	snprintf(buf, VMC_NAME_LEN, "%s.%s", net->o.tenant, net->o.name);
	return buf;
}

const char *vmc_id_network(const struct network *net, char buf[VMC_ID_LEN])
{
	snprintf(buf, VMC_ID_LEN, "network/%s.%s", net->o.tenant, net->o.name);
	return buf;
}

const char *vmc_id_vport(const struct instance *i, char buf[VMC_ID_LEN])
{
	snprintf(buf, VMC_ID_LEN, "vport/%s.%s", i->o.tenant, i->o.name);
	return buf;
}

const char *vmc_id_address(const char *kind, const struct network *net, const struct ip_addr *a,
			   char buf[VMC_ID_LEN])
{
	char text[IP_ADDR_STRLEN];

	snprintf(buf, VMC_ID_LEN, "%s/%s.%s/%s", kind, net->o.tenant, net->o.name,
		 ip_addr_format(a, text, sizeof(text)));
	return buf;
}

const char *vmc_id_route(const struct network *net, const struct ip_prefix *p, char buf[VMC_ID_LEN])
{
	char text[IP_ADDR_STRLEN + 4];

	snprintf(buf, VMC_ID_LEN, "route/%s.%s/%s", net->o.tenant, net->o.name,
		 ip_prefix_format(p, text, sizeof(text)));
	return buf;
}

/* Who carries what. */

bool vmc_carries(const struct hoverboard *board, const struct network *net)
{
	const struct name_list *names = &net->spec.hoverboards;

	if (!board->o.present || !net->o.present)
		return false;
	for (unsigned int i = 0; i < names->n; i++)
		if (!strcmp(names->v[i], board->o.name))
			return true;
	return !names->n;
}

bool vmc_host_carries(const struct host *host, const struct network *net)
{
	for (const struct ref *r = host->hoverboards; r; r = r->next)
		if (vmc_carries(ref_from(r, struct hoverboard), net))
			return true;
	return false;
}

static struct host *board_host(const struct hoverboard *board)
{
	struct host *host = (struct host *)board->host.to;

	return board->o.present && host && host->o.present ? host : NULL;
}

const struct hoverboard *vmc_carries_one(const struct model_set *set, const struct network *a,
					 const struct network *b, bool *ret_both)
{
	const struct hoverboard *found = NULL;
	struct object *o;

	*ret_both = false;
	for (size_t i = 0; (o = model_set_next(set, KIND_HOVERBOARD, &i));) {
		const struct hoverboard *board = (struct hoverboard *)o;
		bool for_a = vmc_carries(board, a), for_b = vmc_carries(board, b);

		if (!board_host(board))
			continue;
		*ret_both |= for_a && for_b;
		if (for_a != for_b && (!found || strcmp(o->name, found->o.name) < 0))
			found = board;
	}
	return found;
}

void vmc_boards(const struct model_set *set, const struct network *net,
		void (*fn)(void *arg, struct host *host), void *arg)
{
	struct object *o;
	struct host *host;

	for (unsigned int i = 0; i < net->spec.hoverboards.n; i++) {
		o = model_set_find(set, KIND_HOVERBOARD, "", net->spec.hoverboards.v[i]);
		host = o ? board_host((struct hoverboard *)o) : NULL;
		if (host)
			fn(arg, host);
	}
	if (net->spec.hoverboards.n)
		return;
	for (size_t i = 0; (o = model_set_next(set, KIND_HOVERBOARD, &i));) {
		host = board_host((struct hoverboard *)o);
		if (host)
			fn(arg, host);
	}
}

/* Specs. */

static int compare_addrs(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_addr));
}

static void add_addr(struct text *t, const struct ip_addr *a)
{
	char buf[IP_ADDR_STRLEN];

	text_fmt(t, "\"%s\"", ip_addr_format(a, buf, sizeof(buf)));
}

static void add_addrs(struct text *t, const char *name, struct ip_addr *v, unsigned int n)
{
	qsort(v, n, sizeof(*v), compare_addrs);
	text_fmt(t, "\"%s\":[", name);
	for (unsigned int i = 0; i < n; i++) {
		if (i && ip_addr_equal(&v[i], &v[i - 1]))
			continue;
		text_add(t, i ? "," : "");
		add_addr(t, &v[i]);
	}
	text_add(t, "]");
}

void vmc_add_addr_list(struct text *t, const char *name, const struct addr_list *list)
{
	struct ip_addr v[BOARDS_MAX];
	unsigned int n = 0;

	for (; n < list->n && n < BOARDS_MAX; n++)
		v[n] = list->v[n].ip;
	add_addrs(t, name, v, n);
}

static void add_text_if(struct text *t, const char *name, const char *value)
{
	if (!value)
		return;
	text_fmt(t, ",\"%s\":", name);
	text_string(t, value);
}

const struct ip_addr *vmc_underlay(const struct host *host)
{
	const struct addr_list *list = &host->spec.underlay;

	for (unsigned int i = 0; i < list->n; i++)
		if (ip_addr_is_v4(&list->v[i].ip))
			return &list->v[i].ip;
	return list->n ? &list->v[0].ip : NULL;
}

static bool is_board(const struct host *host)
{
	for (const struct ref *r = host->hoverboards; r; r = r->next)
		if (r->from->present)
			return true;
	return false;
}

static bool spec_self(const struct vmc_input *in, const struct host *host, const char *id,
		 const char *rest, struct text *t)
{
	(void)in;
	(void)id;
	if (strcmp(rest, "self"))
		return false;
	text_add(t, "{");
	vmc_add_addr_list(t, "underlay", &host->spec.underlay);
	for (unsigned int i = 0; i < host->spec.n_uplinks; i++) {
		const struct uplink *u = &host->spec.uplinks[i];

		text_add(t, i ? ",{\"device\":" : ",\"uplinks\":[{\"device\":");
		text_string(t, u->device);
		if (u->vlan)
			text_fmt(t, ",\"vlan\":%llu", (unsigned long long)u->vlan);
		add_text_if(t, "hook", u->hook);
		text_add(t, i + 1 == host->spec.n_uplinks ? "}]" : "}");
	}
	text_fmt(t, ",\"role\":\"%s\"}", is_board(host) ? "hoverboard" : "host");
	return true;
}

/* Takes "<tenant>.<name>" off @rest, up to a slash or the end. NULL: no such object. */
static struct object *named(const struct vmc_input *in, enum kind kind, const char **rest)
{
	const char *dot = strchr(*rest, '.'), *end = strchrnul(*rest, '/');
	char tenant[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];

	if (!dot || dot > end || (size_t)(dot - *rest) >= sizeof(tenant) ||
	    (size_t)(end - dot - 1) >= sizeof(name))
		return NULL;
	snprintf(tenant, sizeof(tenant), "%.*s", (int)(dot - *rest), *rest);
	snprintf(name, sizeof(name), "%.*s", (int)(end - dot - 1), dot + 1);
	*rest = *end ? end + 1 : end;
	return model_set_find(in->set, kind, tenant, name);
}

static int compare_subnets(const void *a, const void *b)
{
	const struct subnet *x = *(struct subnet *const *)a, *y = *(struct subnet *const *)b;
	int order = memcmp(&x->spec.prefix.addr, &y->spec.prefix.addr, sizeof(struct ip_addr));

	order = order ?: (int)x->spec.prefix.len - (int)y->spec.prefix.len;
	return order ?: strcmp(x->o.name, y->o.name);
}

static void add_subnets(struct text *t, const struct network *net)
{
	const struct subnet *v[256];
	char buf[IP_ADDR_STRLEN + 4];
	unsigned int n = 0;

	for (const struct ref *r = net->subnets; r && n < 256; r = r->next)
		if (r->from->present)
			v[n++] = ref_from(r, struct subnet);
	qsort(v, n, sizeof(v[0]), compare_subnets);
	text_add(t, ",\"subnets\":[");
	for (unsigned int i = 0; i < n; i++) {
		text_fmt(t, "%s{\"prefix\":\"%s\"", i ? "," : "",
			 ip_prefix_format(&v[i]->spec.prefix, buf, sizeof(buf)));
		if (!ip_addr_is_zero(&v[i]->spec.gateway)) {
			text_add(t, ",\"gateway\":");
			add_addr(t, &v[i]->spec.gateway);
		}
		text_add(t, "}");
	}
	text_add(t, "]");
}

struct boards {
	struct ip_addr v[2][BOARDS_MAX];	/* IPv6, IPv4 */
	unsigned int n[2], all;
};

static void collect_board(void *arg, struct host *host)
{
	struct boards *b = arg;

	b->all++;
	for (unsigned int i = 0; i < host->spec.underlay.n; i++) {
		const struct ip_addr *a = &host->spec.underlay.v[i].ip;
		int v4 = ip_addr_is_v4(a);

		if (b->n[v4] < BOARDS_MAX)
			b->v[v4][b->n[v4]++] = *a;
	}
}

/* All of one family: IPv4 if every board has it, or if no board has IPv6. */
static void add_boards(struct text *t, const struct vmc_input *in, const struct network *net)
{
	struct boards b = {};
	int v4;

	vmc_boards(in->set, net, collect_board, &b);
	v4 = b.n[1] >= b.n[0] || b.n[1] == b.all;
	text_add(t, ",");
	add_addrs(t, "hoverboards", b.v[v4], b.n[v4]);
}

static bool spec_network(const struct vmc_input *in, const struct host *host, const char *id,
			 const char *rest, struct text *t)
{
	struct network *net = (struct network *)named(in, KIND_NETWORK, &rest);
	uint64_t bps = net ? net->spec.offload_threshold : 0;
	char mac[MAC_STRLEN];

	(void)id;
	if (!net || (!model_set_on_host(in->set, net, host) && !vmc_host_carries(host, net)))
		return false;
	text_fmt(t, "{\"vni\":%llu", (unsigned long long)net->spec.vni);
	if (!mac_is_zero(net->spec.gateway_mac))
		text_fmt(t, ",\"gateway_mac\":\"%s\"",
			 mac_format(net->spec.gateway_mac, mac, sizeof(mac)));
	add_subnets(t, net);
	add_boards(t, in, net);
	text_fmt(t, ",\"offload_bps\":%llu}",
		 (unsigned long long)(bps < OFFLOAD_BPS_MAX ? bps : OFFLOAD_BPS_MAX));
	return true;
}

static bool spec_vport(const struct vmc_input *in, const struct host *host, const char *id,
		 const char *rest, struct text *t)
{
	struct instance *i = (struct instance *)named(in, KIND_INSTANCE, &rest);
	struct network *net = i ? network_of(i) : NULL;
	char name[VMC_NAME_LEN], mac[MAC_STRLEN];

	(void)id;
	if (!net || host_of(i) != host || !i->spec.addresses.n)
		return false;
	text_fmt(t, "{\"network\":\"%s\",\"mac\":\"%s\",", vmc_network_name(net, name),
		 mac_format(i->spec.mac, mac, sizeof(mac)));
	vmc_add_addr_list(t, "addresses", &i->spec.addresses);
	add_text_if(t, "device", i->spec.device);
	add_text_if(t, "netns", i->spec.netns);
	add_text_if(t, "guest_device", i->spec.guest_device);
	text_add(t, "}");
	return true;
}

/* Where the instance with @address is, as whoever sends to it must know. */
static bool spec_location(const struct vmc_input *in, const struct network *net,
			  const struct ip_addr *address, struct text *t)
{
	const struct instance *i = model_set_by_address(in->set, net, address, NULL);
	const struct host *at = i ? host_of(i) : NULL;
	char name[VMC_NAME_LEN], addr[IP_ADDR_STRLEN], under[IP_ADDR_STRLEN], mac[MAC_STRLEN];

	if (!at || !vmc_underlay(at))
		return false;
	text_fmt(t, "{\"network\":\"%s\",\"address\":\"%s\",\"mac\":\"%s\",\"host\":\"%s\"}",
		 vmc_network_name(net, name), ip_addr_format(address, addr, sizeof(addr)),
		 mac_format(i->spec.mac, mac, sizeof(mac)),
		 ip_addr_format(vmc_underlay(at), under, sizeof(under)));
	return true;
}

/* A hoverboard's own instances are vports there, and no endpoints. */
static bool spec_endpoint(const struct vmc_input *in, const struct host *host, const char *id,
			 const char *rest, struct text *t)
{
	struct network *net = (struct network *)named(in, KIND_NETWORK, &rest);
	const struct instance *i;
	struct ip_addr a;

	(void)id;
	if (!net || ip_addr_parse(rest, &a) || !vmc_host_carries(host, net))
		return false;
	i = model_set_by_address(in->set, net, &a, NULL);
	return i && host_of(i) != host && spec_location(in, net, &a, t);
}

/* Permits and direct routes are of use only to a host that is in the network. */
static struct network *told_network(const struct vmc_input *in, const struct host *host,
				    const char *id, const char **rest)
{
	struct network *net = (struct network *)named(in, KIND_NETWORK, rest);

	return net && in->is_told && model_set_on_host(in->set, net, host) &&
			       in->is_told(in->arg, host->o.name, id) ?
		       net :
		       NULL;
}

/* The instance with an address, if it is on another host than @host that can be reached. */
static const struct instance *elsewhere(const struct vmc_input *in, const struct host *host,
					const struct network *net, const struct ip_addr *a)
{
	const struct instance *i = model_set_by_address(in->set, net, a, NULL);
	const struct host *at = i ? host_of(i) : NULL;

	return at && at != host && vmc_underlay(at) ? i : NULL;
}

/* permit/<network>/<source>: packets of it may come straight from its host. */
static bool spec_permit(const struct vmc_input *in, const struct host *host, const char *id,
			const char *rest, struct text *t)
{
	struct network *net = told_network(in, host, id, &rest);
	char name[VMC_NAME_LEN], under[IP_ADDR_STRLEN];
	const struct instance *src;
	struct ip_addr a;

	src = net && !ip_addr_parse(rest, &a) ? elsewhere(in, host, net, &a) : NULL;
	if (!src)
		return false;
	text_fmt(t, "{\"network\":\"%s\",\"address\":\"%s\",\"host\":\"%s\"}",
		 vmc_network_name(net, name), rest,
		 ip_addr_format(vmc_underlay(host_of(src)), under, sizeof(under)));
	return true;
}

/* direct/<network>/<source>/<destination>: these packets go straight to its host. */
static bool spec_direct(const struct vmc_input *in, const struct host *host, const char *id,
			const char *rest, struct text *t)
{
	struct network *net = told_network(in, host, id, &rest);
	const char *slash = net ? strchr(rest, '/') : NULL;
	char name[VMC_NAME_LEN], under[IP_ADDR_STRLEN], mac[MAC_STRLEN];
	const struct instance *dst;
	struct ip_addr a;

	dst = slash && !ip_addr_parse(slash + 1, &a) ? elsewhere(in, host, net, &a) : NULL;
	if (!dst)
		return false;
	text_fmt(t,
		 "{\"network\":\"%s\",\"src\":\"%.*s\",\"dst\":\"%s\",\"mac\":\"%s\",\"host\":\"%s\"}",
		 vmc_network_name(net, name), (int)(slash - rest), rest, slash + 1,
		 mac_format(dst->spec.mac, mac, sizeof(mac)),
		 ip_addr_format(vmc_underlay(host_of(dst)), under, sizeof(under)));
	return true;
}

static bool spec_route(const struct vmc_input *in, const struct host *host, const char *id,
		 const char *rest, struct text *t)
{
	struct network *net = (struct network *)named(in, KIND_NETWORK, &rest);
	struct ip_prefix p;

	(void)id;
	return net && !ip_prefix_parse(rest, &p) && vmc_route(in, host, net, &p, t);
}

static const struct {
	const char *prefix;
	bool (*spec)(const struct vmc_input *in, const struct host *host, const char *id,
		     const char *rest, struct text *t);
} makers[] = {
	{ "endpoint/", spec_endpoint }, { "vport/", spec_vport },   { "network/", spec_network },
	{ "permit/", spec_permit },	{ "direct/", spec_direct }, { "route/", spec_route },
	{ "host/", spec_self },
};

bool vmc_spec(const struct vmc_input *in, const struct host *host, const char *id, struct text *ret)
{
	text_reset(ret);
	if (!host->o.present)
		return false;
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]); i++) {
		size_t len = strlen(makers[i].prefix);

		if (!strncmp(id, makers[i].prefix, len))
			return makers[i].spec(in, host, id, id + len, ret);
	}
	return false;
}

/* Everything, from nothing. */

static void ids_of_board(const struct vmc_input *in, const struct network *net, vmc_id_fn fn,
			 void *arg)
{
	const struct remote_group *g = vmc_remotes_of(&in->remotes, net);
	char id[VMC_ID_LEN];

	fn(arg, vmc_id_network(net, id));
	for (const struct ref *r = net->instances; r; r = r->next) {
		const struct addr_list *list = &ref_from(r, struct instance)->spec.addresses;

		for (unsigned int i = 0; i < list->n; i++)
			fn(arg, vmc_id_address("endpoint", net, &list->v[i].ip, id));
	}
	for (const struct ref *r = net->routes; r; r = r->next)
		fn(arg, vmc_id_route(net, &ref_from(r, struct route)->spec.prefix, id));
	for (unsigned int i = 0; g && i < g->n; i++)
		for (unsigned int p = 0; p < g->v[i]->spec.prefixes.n; p++)
			fn(arg, vmc_id_route(net, &g->v[i]->spec.prefixes.v[p], id));
}

static void ids_of_instance(const struct instance *i, vmc_id_fn fn, void *arg)
{
	const struct network *net = network_of(i);
	char id[VMC_ID_LEN];

	fn(arg, vmc_id_vport(i, id));
	if (!net)
		return;
	fn(arg, vmc_id_network(net, id));
	for (const struct ref *r = i->routes; r; r = r->next)
		fn(arg, vmc_id_route(net, &ref_from(r, struct route)->spec.prefix, id));
}

void vmc_ids(const struct vmc_input *in, const struct host *host, vmc_id_fn fn, void *arg)
{
	struct object *net;

	fn(arg, "host/self");
	for (const struct ref *r = host->instances; r; r = r->next)
		ids_of_instance(ref_from(r, struct instance), fn, arg);
	if (!is_board(host))
		return;
	for (size_t i = 0; (net = model_set_next(in->set, KIND_NETWORK, &i));)
		if (vmc_host_carries(host, (struct network *)net))
			ids_of_board(in, (struct network *)net, fn, arg);
}
