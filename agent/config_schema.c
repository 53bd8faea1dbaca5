// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_schema.c - what a configuration may say: the tables
 *
 * Read from the bottom: the document, its sections, their lists. A field's line
 * says its name, its kind, where it goes and its limits; docs/configuration.md says
 * the same to people. The few fields that are not one value into one place have
 * their own functions, first in this file.
 *
 * `networks` stands above everything that names a network.
 */
#include <agent/config_reader.h>

#include <stdlib.h>
#include <string.h>

#include <mirach/port.h>
#include <mirach/wire.h>

#define VNI_MAX 0xffffffu
#define VID_MAX 4094
#define MSS_MIN 536u			/* what everybody takes: RFC 9293 section 3.7.1 */
#define MSS_MAX 65495u
#define RATE_MAX 10000000u		/* misses per second */
#define BURST_MAX 1000000u
#define OFFLOAD_BPS 20000u
#define FLOWS_MIN 16u
#define FLOWS_MAX (16u << 20)
#define ENDPOINTS_MAX (16u << 20)
#define IDLE_MIN_MS 100u
#define IDLE_MAX_MS (24u * 3600 * 1000)
#define PATH_LEN_MAX 255
#define SOCKET_LEN_MAX 107		/* sockaddr_un.sun_path with its NUL */
#define HOST_NAME_MAX 63
/* Every port has a slot: vports, uplinks, both ends of the hub; slot 0 is nobody's. */
#define VPORTS_MAX (PORT_MAX - 3 - CONFIG_UPLINKS_MAX)

static const struct choice hooks[] = {{"auto", HOOK_AUTO}, {"xdp", HOOK_XDP}, {"tcx", HOOK_TCX}, {}};
static const struct choice xdp_modes[] = {{"native", XDP_MODE_NATIVE},
					  {"generic", XDP_MODE_GENERIC}, {}};
static const struct choice tunnels[] = {{"vxlan", TUNNEL_VXLAN}, {"geneve", TUNNEL_GENEVE},
					{"gre", TUNNEL_GRE}, {}};
static const struct choice roles[] = {{"host", ROLE_HOST}, {"hoverboard", ROLE_HOVERBOARD}, {}};
static const struct choice dscp_modes[] = {{"uniform", DSCP_UNIFORM}, {"pipe", DSCP_PIPE}, {}};
static const struct choice protocols[] = {{"any", 0}, {"tcp", PROTO_TCP}, {"udp", PROTO_UDP},
					  {"sctp", PROTO_SCTP}, {"icmp", PROTO_ICMP},
					  {"icmpv6", PROTO_ICMPV6}, {}};

static bool is_ipv6_link_local(const struct ip_addr *a)
{
	const uint8_t *bytes = (const uint8_t *)a;

	return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

/* An end of a tunnel: it must mean the same on every link. */
static void read_endpoint(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct ip_addr addr = {};

	read_addr(r, d, f, &addr);
	if (is_ipv6_link_local(&addr))
		mistake(r, d->line, "\"%s\" is link-local and cannot be routed to; "
			"a global or unique local address is wanted", d->text);
	else
		*(struct ip_addr *)out = addr;
}

/* host.underlay: one address per family, IPv4 goes first whatever the order. */
static void read_underlay(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct ip_addr *endpoints = out;

	d = list_of(r, d, 2, "a list such as [192.0.2.1, \"2001:db8::1\"]");
	for (const struct doc *one = d ? d->first : NULL; one; one = one->next) {
		struct ip_addr addr = {}, *slot;

		read_endpoint(r, one, f, &addr);
		if (ip_addr_is_zero(&addr))
			continue;
		slot = &endpoints[ip_addr_is_v4(&addr) ? 0 : 1];
		if (ip_addr_is_zero(slot))
			*slot = addr;
		else
			mistake(r, one->line, "a second %s address; one per family is possible",
				ip_addr_is_v4(&addr) ? "IPv4" : "IPv6");
	}
}

/* A list of underlay addresses, @first in front of it if it is not zero. NULL: it is empty. */
static struct ip_addr *read_endpoints(struct reader *r, const struct doc *d, const struct field *f,
				      const struct ip_addr *first, unsigned int *ret_n)
{
	bool led = !ip_addr_is_zero(first);
	struct ip_addr *list;

	d = list_of(r, d, CONFIG_HOVERBOARDS_MAX - led, "a list such as [192.0.2.8, 192.0.2.9]");
	if (!d || !d->n)
		return NULL;
	list = calloc(d->n + led, sizeof(*list));
	if (!list) {
		reader_no_memory(r);
		return NULL;
	}
	if (led)
		list[(*ret_n)++] = *first;
	for (const struct doc *one = d->first; one; one = one->next) {
		struct ip_addr addr = {};

		read_endpoint(r, one, f, &addr);
		if (!ip_addr_is_zero(&addr) && !ip_addr_equal(&addr, first))
			list[(*ret_n)++] = addr;
	}
	return list;
}

/* networks[].hoverboards: of one family, so that senders are known by the same address everywhere. */
static void read_hoverboards(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	static const struct ip_addr nobody;
	struct config_network *n = (void *)((char *)out - f->offset);

	n->hoverboards = read_endpoints(r, d, f, &nobody, &n->n_hoverboards);
}

/* remotes[].gateways: who serves as well as the host, which is put to them. */
static void read_gateways(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct config_remote *remote = (void *)((char *)out - f->offset);

	remote->gateways = read_endpoints(r, d, f, &remote->host, &remote->n_gateways);
	if (remote->n_gateways == 1)
		remote->n_gateways = 0;		/* the host is alone */
}

/* vports[].addresses */
static void read_addresses(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct config_vport *v = (void *)((char *)out - f->offset);

	d = list_of(r, d, CONFIG_VPORT_ADDRS_MAX, "a list such as [10.0.0.11, \"fd00:1::11\"]");
	if (d && !d->n)
		mistake(r, d->line, "is empty; a vport needs at least one address");
	for (const struct doc *one = d ? d->first : NULL; one; one = one->next) {
		struct ip_addr addr = {};

		read_addr(r, one, f, &addr);
		if (!ip_addr_is_zero(&addr))
			v->addrs[v->n_addrs++] = addr;
	}
}

/* vports[].vlan: 0, one VID, or [outer, inner]. */
static void read_vlans(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct field vid = {.size = sizeof(uint16_t), .min = 1, .max = VID_MAX};
	uint16_t *vlan = out;

	(void)f;
	if (d->kind != DOC_LIST) {
		vid.min = 0;
		read_uint(r, d, &vid, vlan);
		return;
	}
	if (!d->n || d->n > 2) {
		mistake(r, d->line, "%u tags, but 0, one VID or [outer, inner] is wanted", d->n);
		return;
	}
	for (const struct doc *one = d->first; one; one = one->next)
		read_uint(r, one, &vid, vlan++);
}

/* mss_clamp: true, false or a number of bytes. */
static void read_mss_clamp(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct field number = {.size = f->size, .min = MSS_MIN, .max = MSS_MAX};
	bool on = false;

	if (d->kind == DOC_SCALAR && !d->quoted && d->text[0] >= '0' && d->text[0] <= '9') {
		read_uint(r, d, &number, out);
		return;
	}
	read_bool(r, d, f, &on);
	*(uint16_t *)out = on ? MSS_CLAMP_MTU : MSS_CLAMP_OFF;
}

/* samples[].protocol: a word, or an IANA number. */
static void read_protocol(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct field number = {.size = f->size, .min = 0, .max = 255};

	if (d->kind == DOC_SCALAR && !d->quoted && d->text[0] >= '0' && d->text[0] <= '9')
		read_uint(r, d, &number, out);
	else
		read_choice(r, d, f, out);
}

static int by_name(const void *a, const void *b)
{
	const struct config_network *x = *(struct config_network *const *)a;
	const struct config_network *y = *(struct config_network *const *)b;

	return strcmp(x->name ? x->name : "", y->name ? y->name : "");
}

/* networks, and an index by name for all who refer to one. */
static void read_networks(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct config *c = r->config;

	read_list(r, d, f, out);
	if (!c->n_networks)
		return;
	r->by_name = reallocarray(NULL, c->n_networks, sizeof(*r->by_name));
	if (!r->by_name) {
		reader_no_memory(r);
		return;
	}
	for (unsigned int i = 0; i < c->n_networks; i++)
		r->by_name[i] = &c->networks[i];
	qsort(r->by_name, c->n_networks, sizeof(*r->by_name), by_name);
}

static void no_such_network(struct reader *r, const struct doc *d)
{
	const struct config *c = r->config;
	char shown[SHOWN_LEN];
	struct hint hint;

	hint_init(&hint, d->text);
	for (unsigned int i = 0; mistakes_wanted(r->mistakes) && i < c->n_networks; i++) {
		if (c->networks[i].name)
			hint_offer(&hint, c->networks[i].name);
	}
	if (hint_best(&hint))
		mistake(r, d->line, "no network is named %s; did you mean \"%s\"?",
			value_shown(d, shown), hint_best(&hint));
	else
		mistake(r, d->line, "no network is named %s; declare it under networks",
			value_shown(d, shown));
}

/* The index of the network with that name. */
static void read_network_ref(struct reader *r, const struct doc *d, const struct field *f,
			     void *out)
{
	const char *text = scalar_text(r, d, "the name of a network");
	struct config_network wanted = {.name = (char *)text}, *key = &wanted, **found = NULL;

	(void)f;
	if (!text)
		return;
	if (r->by_name)
		found = bsearch(&key, r->by_name, r->config->n_networks, sizeof(*r->by_name),
				by_name);
	if (found)
		*(unsigned int *)out = *found - r->config->networks;
	else
		no_such_network(r, d);
}

static const struct field uplink_fields[] = {
	{"device", read_device, AT(struct config_uplink, device), .required = true},
	{"vlan", read_uint, AT(struct config_uplink, vlan), .max = VID_MAX},
	{"hook", read_choice, AT(struct config_uplink, hook), .choices = hooks},
	{"xdp_mode", read_choice, AT(struct config_uplink, xdp_mode), .choices = xdp_modes},
	{}
};

/* host.uplinks: a list of maps into an array that is part of the configuration. */
static void read_uplinks(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	struct config *c = r->config;

	(void)f;
	(void)out;
	d = list_of(r, d, CONFIG_UPLINKS_MAX, "a list such as [{device: eth0}]");
	for (const struct doc *one = d ? d->first : NULL; one; one = one->next) {
		size_t old = reader_enter(r, "[%u]", c->n_uplinks);
		struct config_uplink *uplink = &c->uplinks[c->n_uplinks++];

		uplink->line = one->line;
		read_fields(r, one, uplink_fields, uplink);
		reader_leave(r, old);
	}
}

static void subnet_init(void *element)
{
	struct config_subnet *subnet = element;

	subnet->prefix.len = PREFIX_UNREAD;
}

static const struct field subnet_fields[] = {
	{"prefix", read_prefix, AT(struct config_subnet, prefix), .required = true},
	{"gateway", read_addr, AT(struct config_subnet, gateway)},
	{}
};
static const struct list subnets = {
	.fields = subnet_fields, .size = sizeof(struct config_subnet), .max = 256,
	.line = offsetof(struct config_subnet, line),
	.count = offsetof(struct config_network, n_subnets), .init = subnet_init,
};

static void network_init(void *element)
{
	static const uint8_t gateway_mac[ETH_ADDR_LEN] = {0x02, 0x00, 0x5e, 0x00, 0x00, 0x01};
	struct config_network *network = element;

	memcpy(network->gateway_mac, gateway_mac, sizeof(gateway_mac));
	network->offload_bps = OFFLOAD_BPS;
}

static const struct field network_fields[] = {
	{"name", read_name, AT(struct config_network, name), .required = true},
	{"vni", read_uint, AT(struct config_network, vni), .min = 1, .max = VNI_MAX,
	 .required = true},
	{"gateway_mac", read_mac, AT(struct config_network, gateway_mac)},
	{"subnets", read_list, AT(struct config_network, subnets), .list = &subnets},
	{"hoverboards", read_hoverboards, AT(struct config_network, hoverboards)},
	{"mss_clamp", read_mss_clamp, AT(struct config_network, mss_clamp)},
	{"offload_bps", read_uint, AT(struct config_network, offload_bps), .max = UINT32_MAX},
	{}
};
static const struct list networks = {
	.fields = network_fields, .size = sizeof(struct config_network), .max = 65536,
	.line = offsetof(struct config_network, line),
	.count = offsetof(struct config, n_networks), .init = network_init,
};

static void vport_init(void *element)
{
	struct config_vport *vport = element;

	vport->network = NETWORK_UNREAD;
}

static const struct field vport_fields[] = {
	{"name", read_name, AT(struct config_vport, name), .required = true},
	{"network", read_network_ref, AT(struct config_vport, network), .required = true},
	{"device", read_device, AT(struct config_vport, device), .required = true},
	{"netns", read_netns, AT(struct config_vport, netns), .max = PATH_LEN_MAX},
	{"guest_device", read_device, AT(struct config_vport, guest_device)},
	{"mac", read_mac, AT(struct config_vport, mac), .required = true},
	{"addresses", read_addresses, AT(struct config_vport, addrs), .required = true},
	{"vlan", read_vlans, AT(struct config_vport, vlan)},
	{"mss_clamp", read_mss_clamp, AT(struct config_vport, mss_clamp)},
	{"hook", read_choice, AT(struct config_vport, hook), .choices = hooks},
	{"xdp_mode", read_choice, AT(struct config_vport, xdp_mode), .choices = xdp_modes},
	{"miss_rate", read_uint, AT(struct config_vport, miss_rate), .min = 1, .max = RATE_MAX},
	{"miss_burst", read_uint, AT(struct config_vport, miss_burst), .min = 1, .max = BURST_MAX},
	{}
};
static const struct list vports = {
	.fields = vport_fields, .size = sizeof(struct config_vport), .max = VPORTS_MAX,
	.line = offsetof(struct config_vport, line),
	.count = offsetof(struct config, n_vports), .init = vport_init,
};

static void remote_init(void *element)
{
	struct config_remote *remote = element;

	remote->network = NETWORK_UNREAD;
	remote->prefix.len = PREFIX_UNREAD;
}

static const struct field remote_fields[] = {
	{"network", read_network_ref, AT(struct config_remote, network), .required = true},
	{"prefix", read_prefix, AT(struct config_remote, prefix), .required = true},
	{"mac", read_mac, AT(struct config_remote, mac)},
	{"host", read_endpoint, AT(struct config_remote, host), .required = true},
	{"gateways", read_gateways, AT(struct config_remote, gateways)},
	{"vni", read_uint, AT(struct config_remote, vni), .max = VNI_MAX},
	{"from", read_addr, AT(struct config_remote, from)},
	{"receive_only", read_bool, AT(struct config_remote, receive_only)},
	{}
};
static const struct list remotes = {
	.fields = remote_fields, .size = sizeof(struct config_remote), .max = 262144,
	.line = offsetof(struct config_remote, line),
	.count = offsetof(struct config, n_remotes), .init = remote_init,
};

/* The index of a vport with that name. */
static void read_vport_ref(struct reader *r, const struct doc *d, const struct field *f, void *out)
{
	const char *text = scalar_text(r, d, "the name of a vport");

	(void)f;
	for (unsigned int i = 0; text && i < r->config->n_vports; i++)
		if (r->config->vports[i].name && !strcmp(r->config->vports[i].name, text)) {
			*(unsigned int *)out = i;
			return;
		}
	if (text)
		mistake(r, d->line, "no vport is called \"%s\"", text);
}

static void route_init(void *element)
{
	struct config_route *route = element;

	route->network = NETWORK_UNREAD;
	route->network_to = NETWORK_NONE;
	route->vport = VPORT_NONE;
	route->prefix.len = PREFIX_UNREAD;
}

static const struct field route_fields[] = {
	{"network", read_network_ref, AT(struct config_route, network), .required = true},
	{"prefix", read_prefix, AT(struct config_route, prefix), .required = true},
	{"blackhole", read_bool, AT(struct config_route, blackhole)},
	{"network_to", read_network_ref, AT(struct config_route, network_to)},
	{"vport", read_vport_ref, AT(struct config_route, vport)},
	{}
};
static const struct list routes = {
	.fields = route_fields, .size = sizeof(struct config_route), .max = 262144,
	.line = offsetof(struct config_route, line),
	.count = offsetof(struct config, n_routes), .init = route_init,
};

static void endpoint_init(void *element)
{
	struct config_endpoint *endpoint = element;

	endpoint->network = NETWORK_UNREAD;
}

static const struct field endpoint_fields[] = {
	{"network", read_network_ref, AT(struct config_endpoint, network), .required = true},
	{"address", read_addr, AT(struct config_endpoint, addr), .required = true},
	{"mac", read_mac, AT(struct config_endpoint, mac), .required = true},
	{"host", read_endpoint, AT(struct config_endpoint, host), .required = true},
	{}
};
static const struct list endpoints = {
	.fields = endpoint_fields, .size = sizeof(struct config_endpoint), .max = ENDPOINTS_MAX,
	.line = offsetof(struct config_endpoint, line),
	.count = offsetof(struct config, n_endpoints), .init = endpoint_init,
};

static void sample_init(void *element)
{
	struct config_sample *sample = element;

	sample->network = NETWORK_UNREAD;
}

static const struct field sample_fields[] = {
	{"network", read_network_ref, AT(struct config_sample, network), .required = true},
	{"protocol", read_protocol, AT(struct config_sample, proto), .choices = protocols},
	{"port", read_uint, AT(struct config_sample, port), .max = 65535},
	{"rate", read_uint, AT(struct config_sample, rate), .min = 1, .max = UINT32_MAX,
	 .required = true},
	{}
};
static const struct list samples = {
	.fields = sample_fields, .size = sizeof(struct config_sample), .max = 1024,
	.line = offsetof(struct config_sample, line),
	.count = offsetof(struct config, n_samples), .init = sample_init,
};

static const struct field host_fields[] = {
	{"name", read_word, AT(struct config, host_name), .max = HOST_NAME_MAX, .required = true},
	{"underlay", read_underlay, AT(struct config, underlay)},
	{"uplinks", read_uplinks, AT(struct config, uplinks)},
	{"role", read_choice, AT(struct config, role), .choices = roles},
	{}
};

static const struct field encapsulation_fields[] = {
	{"kind", read_choice, AT(struct config, tunnel), .choices = tunnels},
	{"port", read_uint, AT(struct config, tunnel_port), .min = 1, .max = 65535},
	{"dscp", read_choice, AT(struct config, dscp), .choices = dscp_modes},
	{"tos", read_uint, AT(struct config, tos), .max = 252},
	{}
};

/* encapsulation: the fields one by one, then against each other. */
static void read_encapsulation(struct reader *r, const struct doc *d, const struct field *f,
			       void *out)
{
	const struct config *c = r->config;

	read_section(r, d, f, out);
	if (c->tunnel == TUNNEL_GRE && c->tunnel_port)
		mistake(r, doc_find(d, "port")->line, "GRE has no ports; leave port out");
	if (c->tos && c->dscp != DSCP_PIPE)
		mistake(r, doc_find(d, "tos")->line, "tos has a meaning only with dscp: pipe");
	if (c->tos & 3)
		mistake(r, doc_find(d, "tos")->line, "tos %u sets ECN bits, which follow "
			"RFC 6040; the DSCP times 4 is wanted, a multiple of 4", c->tos);
}

static const struct field agent_fields[] = {
	{"bpffs", read_path, AT(struct config, bpffs), .max = PATH_LEN_MAX},
	{"socket", read_path, AT(struct config, socket), .max = SOCKET_LEN_MAX},
	{"socket_group", read_word, AT(struct config, socket_group), .max = 31},
	{"busy_poll", read_bool, AT(struct config, busy_poll)},
	{}
};

static const struct field limits_fields[] = {
	{"flows", read_uint, AT(struct config, max_flows), .min = FLOWS_MIN, .max = FLOWS_MAX},
	{"endpoints", read_uint, AT(struct config, max_endpoints), .min = 1, .max = ENDPOINTS_MAX},
	{"miss_rate", read_uint, AT(struct config, miss_rate), .min = 1, .max = RATE_MAX},
	{"miss_burst", read_uint, AT(struct config, miss_burst), .min = 1, .max = BURST_MAX},
	{"fabric_miss_rate", read_uint, AT(struct config, fabric_miss_rate), .min = 1,
	 .max = RATE_MAX},
	{"fabric_miss_burst", read_uint, AT(struct config, fabric_miss_burst), .min = 1,
	 .max = BURST_MAX},
	{"flow_idle", read_duration, AT(struct config, flow_idle_ms), .min = IDLE_MIN_MS,
	 .max = IDLE_MAX_MS},
	{}
};

static const struct field document_fields[] = {
	{"host", read_section, .fields = host_fields, .required = true},
	{"encapsulation", read_encapsulation, .fields = encapsulation_fields},
	{"agent", read_section, .fields = agent_fields},
	{"limits", read_section, .fields = limits_fields},
	{"networks", read_networks, AT(struct config, networks), .list = &networks},
	{"vports", read_list, AT(struct config, vports), .list = &vports},
	{"remotes", read_list, AT(struct config, remotes), .list = &remotes},
	{"routes", read_list, AT(struct config, routes), .list = &routes},
	{"endpoints", read_list, AT(struct config, endpoints), .list = &endpoints},
	{"samples", read_list, AT(struct config, samples), .list = &samples},
	{}
};

void read_config(struct reader *r, const struct doc *d)
{
	read_fields(r, d, document_fields, r->config);
	free(r->by_name);
	r->by_name = NULL;
}
