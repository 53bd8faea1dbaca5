// SPDX-License-Identifier: BSD-2-Clause
/*
 * model_kinds.c - the table of every kind: its fields, their types, limits and meaning
 *
 * All that is known about a field is said here and nowhere else.
 */
#include <ctl/controller/model.h>

#include <errno.h>
#include <string.h>
#include <strings.h>

#include <lib/suggest.h>

#define AT(kind, member) .offset = offsetof(struct kind##_spec, member)
#define VNI_MAX ((1u << 24) - 1)

static const struct field tenant_fields[] = {
	{ "description", FIELD_TEXT, AT(tenant, description), .max = 256,
	  .help = "for people" },
	{ "maxNetworks", FIELD_UINT, AT(tenant, max_networks), .flags = FIELD_OPERATOR,
	  .max = 1000000, .fallback = 1000, .help = "networks the tenant may have" },
	{ "maxInstances", FIELD_UINT, AT(tenant, max_instances), .flags = FIELD_OPERATOR,
	  .max = 100000000, .fallback = 1000000, .help = "instances the tenant may have" },
	{ "maxRoutes", FIELD_UINT, AT(tenant, max_routes), .flags = FIELD_OPERATOR,
	  .max = 1000000, .fallback = 10000, .help = "routes the tenant may have" },
	{},
};

static const char *const hooks[] = { "auto", "xdp", "tcx", NULL };

static const struct field uplink_fields[] = {
	{ "device", FIELD_DEVICE, .flags = FIELD_REQUIRED, .offset = offsetof(struct uplink, device),
	  .help = "interface of the host towards the fabric" },
	{ "vlan", FIELD_UINT, .offset = offsetof(struct uplink, vlan), .max = 4094,
	  .help = "VLAN of the underlay there; 0: untagged" },
	{ "hook", FIELD_CHOICE, .offset = offsetof(struct uplink, hook), .choices = hooks,
	  .help = "where the fast path attaches; auto unless given" },
	{},
};

static const struct field host_fields[] = {
	{ "underlay", FIELD_ADDRS, AT(host, underlay), .max = 2,
	  .flags = FIELD_REQUIRED | FIELD_ONE_PER_FAMILY,
	  .help = "the host's own addresses in the fabric, one IPv4, one IPv6 or both" },
	{ "uplinks", FIELD_LIST, AT(host, uplinks), .max = 4, .fields = uplink_fields,
	  .size = sizeof(struct uplink), .count = offsetof(struct host_spec, n_uplinks),
	  .help = "interfaces towards the fabric" },
	{ "region", FIELD_TENANT, AT(host, region), .help = "where the host stands" },
	{},
};

static const struct field hoverboard_fields[] = {
	{ "host", FIELD_NAME, AT(hoverboard, host), .flags = FIELD_REQUIRED,
	  .help = "the Host that is a hoverboard" },
	{},
};

static const struct field network_fields[] = {
	{ "description", FIELD_TEXT, AT(network, description), .max = 256,
	  .help = "for people" },
	{ "vni", FIELD_UINT, AT(network, vni), .flags = FIELD_OPERATOR | FIELD_ALLOCATED,
	  .min = 1, .max = VNI_MAX, .help = "the network on the wire" },
	{ "gatewayMac", FIELD_MAC, AT(network, gateway_mac), .flags = FIELD_ALLOCATED,
	  .help = "MAC of the virtual gateway; 02:00:5e:00:00:01 unless given" },
	{ "offloadThreshold", FIELD_UINT, AT(network, offload_threshold), .flags = FIELD_OPERATOR,
	  .max = 1000000000000, .fallback = 20000,
	  .help = "bit/s above which a pair of instances leaves the hoverboards" },
	{ "hoverboards", FIELD_NAMES, AT(network, hoverboards), .flags = FIELD_OPERATOR, .max = 64,
	  .help = "the hoverboards that carry the network; none: all" },
	{},
};

static const struct field subnet_fields[] = {
	{ "network", FIELD_NAME, AT(subnet, network), .flags = FIELD_REQUIRED,
	  .help = "the Network it is part of" },
	{ "prefix", FIELD_PREFIX, AT(subnet, prefix), .flags = FIELD_REQUIRED,
	  .help = "its addresses; may not overlap another subnet of the network" },
	{ "gateway", FIELD_ADDR, AT(subnet, gateway), .flags = FIELD_ALLOCATED,
	  .help = "answered by the network itself; the first address unless given" },
	{},
};

static const struct field instance_fields[] = {
	{ "network", FIELD_NAME, AT(instance, network), .flags = FIELD_REQUIRED,
	  .help = "the Network it is part of" },
	{ "subnets", FIELD_NAMES, AT(instance, subnets), .max = MODEL_ADDRS_MAX,
	  .help = "Subnets that each give an address; none: the first one of either family" },
	{ "addresses", FIELD_ADDRS, AT(instance, addresses), .flags = FIELD_ALLOCATED,
	  .max = MODEL_ADDRS_MAX, .help = "all it may send from" },
	{ "mac", FIELD_MAC, AT(instance, mac), .flags = FIELD_ALLOCATED, .help = "the guest's" },
	{ "host", FIELD_NAME, AT(instance, host), .flags = FIELD_OPERATOR,
	  .help = "the Host it runs on; none: not placed" },
	{ "device", FIELD_DEVICE, AT(instance, device), .flags = FIELD_OPERATOR,
	  .help = "the host's end of its tap or veth; none: the host binds it" },
	{ "netns", FIELD_NETNS, AT(instance, netns), .flags = FIELD_OPERATOR, .max = 255,
	  .help = "the guest's namespace: a name under /run/netns, or an absolute path" },
	{ "guestDevice", FIELD_DEVICE, AT(instance, guest_device), .flags = FIELD_OPERATOR,
	  .help = "interface inside netns; the veth's other end unless given" },
	{},
};

static const struct field peering_fields[] = {
	{ "network", FIELD_NAME, AT(peering, network), .flags = FIELD_REQUIRED,
	  .help = "the Network on this side" },
	{ "peer", FIELD_PATH, AT(peering, peer), .flags = FIELD_REQUIRED,
	  .help = "the Network on the other side, \"tenant/network\"; in force once both sides declared it" },
	{},
};

#define HOP(member) .offset = offsetof(struct next_hop, member)
static const struct field next_hop_fields[] = {
	{ "instance", FIELD_NAME, HOP(instance), .help = "an Instance of the network" },
	{ "peering", FIELD_NAME, HOP(peering), .help = "a Peering of the network: look on in the peer" },
	{ "gateway", FIELD_ADDR, HOP(gateway), .flags = FIELD_OPERATOR,
	  .help = "underlay address of a machine that takes the network's packets" },
	{ "blackhole", FIELD_BOOL, HOP(blackhole), .help = "true: dropped" },
	{},
};

static const struct field route_fields[] = {
	{ "network", FIELD_NAME, AT(route, network), .flags = FIELD_REQUIRED,
	  .help = "the Network it is part of" },
	{ "prefix", FIELD_PREFIX, AT(route, prefix), .flags = FIELD_REQUIRED,
	  .help = "destinations outside of the network's subnets; the longest prefix decides" },
	{ "priority", FIELD_UINT, AT(route, priority), .max = 65535, .fallback = 1000,
	  .help = "among routes of one prefix the lowest wins" },
	{ "nextHop", FIELD_SECTION, AT(route, next_hop), .flags = FIELD_REQUIRED | FIELD_ONE_OF,
	  .fields = next_hop_fields, .help = "where packets go" },
	{},
};

static const struct field remote_network_fields[] = {
	{ "network", FIELD_PATH, AT(remote_network, network), .flags = FIELD_REQUIRED,
	  .help = "the network of this region that reaches it, \"tenant/network\"" },
	{ "vni", FIELD_UINT, AT(remote_network, vni), .flags = FIELD_REQUIRED, .min = 1,
	  .max = VNI_MAX, .help = "the network on the wire, over there" },
	{ "prefixes", FIELD_PREFIXES, AT(remote_network, prefixes), .flags = FIELD_REQUIRED,
	  .max = 256, .help = "what is reached there" },
	{ "gateways", FIELD_ADDRS, AT(remote_network, gateways), .flags = FIELD_REQUIRED,
	  .max = 16, .help = "underlay addresses of that region's gateways" },
	{},
};

static const struct field no_fields[] = { {} };

#define KIND(type, table)                                                      \
	.size = sizeof(struct type), .spec = offsetof(struct type, spec),               \
	.spec_size = sizeof(((struct type *)0)->spec), .fields = table
#define RESERVED(plural_) \
	.plural = plural_, KIND(reserved, no_fields), .help = "not available yet"

const struct kind_info kinds[KIND_COUNT] = {
	[KIND_TENANT] = { "Tenant", "tenants", SCOPE_FABRIC, true, KIND(tenant, tenant_fields),
			  "who owns networks; sees nothing of other tenants" },
	[KIND_HOST] = { "Host", "hosts", SCOPE_FABRIC, true, KIND(host, host_fields),
			"a machine that runs instances" },
	[KIND_HOVERBOARD] = { "Hoverboard", "hoverboards", SCOPE_FABRIC, true,
			      KIND(hoverboard, hoverboard_fields),
			      "a host that holds every route of its networks" },
	[KIND_NETWORK] = { "Network", "networks", SCOPE_TENANT, true, KIND(network, network_fields),
			   "a private network of a tenant" },
	[KIND_SUBNET] = { "Subnet", "subnets", SCOPE_TENANT, true, KIND(subnet, subnet_fields),
			  "addresses of a network" },
	[KIND_INSTANCE] = { "Instance", "instances", SCOPE_TENANT, true,
			    KIND(instance, instance_fields),
			    "a VM or container with one interface in a network" },
	[KIND_PEERING] = { "Peering", "peerings", SCOPE_TENANT, true, KIND(peering, peering_fields),
			   "lets routes lead from one network into another" },
	[KIND_ROUTE] = { "Route", "routes", SCOPE_TENANT, true, KIND(route, route_fields),
			 "where packets go that no subnet of the network covers" },
	[KIND_FIREWALL_RULE] = { "FirewallRule", RESERVED("firewallrules") },
	[KIND_LOAD_BALANCER] = { "LoadBalancer", RESERVED("loadbalancers") },
	[KIND_NAT_GATEWAY] = { "NatGateway", RESERVED("natgateways") },
	[KIND_REMOTE_NETWORK] = { "RemoteNetwork", "remotenetworks", SCOPE_GLOBAL, true,
				  KIND(remote_network, remote_network_fields),
				  "prefixes of a network that another region announces" },
};

enum kind kind_find(const char *name, const char **ret_near)
{
	const char *names[KIND_COUNT];

	for (enum kind k = 0; k < KIND_COUNT; k++) {
		if (!strcasecmp(name, kinds[k].name) || !strcasecmp(name, kinds[k].plural))
			return k;
		names[k] = kinds[k].name;
	}
	if (ret_near)
		*ret_near = suggest(name, names, KIND_COUNT);
	return KIND_COUNT;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int model_name_check(const char *name, size_t max)
{
	size_t len = strlen(name);

	if (!len || len >= max || !is_alnum(name[0]) || !is_alnum(name[len - 1]))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if (!is_alnum(name[i]) && name[i] != '-' && name[i] != '_')
			return -EINVAL;
	return 0;
}
