/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - the standalone configuration: one YAML or JSON file, read whole
 *
 *   file --libyaml--> tree with line numbers --tables--> struct config --checks--> ok
 *
 * A file is taken as a whole or refused as a whole. Every mistake is reported,
 * each as "file:line: field: what is wrong and what would be right". Unknown
 * fields are mistakes. The result is immutable; a reload makes another.
 *
 * docs/configuration.md is the reference of every field.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <lib/addr.h>
#include <lib/error.h>
#include <mirach/nexthop.h>

struct doc;

#define CONFIG_NAME_MAX 47		/* names of networks and vports: [a-z0-9]([-a-z0-9_.]*[a-z0-9])? */
#define CONFIG_UPLINKS_MAX 4
#define CONFIG_VPORT_ADDRS_MAX 16
#define CONFIG_HOVERBOARDS_MAX 32	/* of one network */

enum config_hook { HOOK_AUTO, HOOK_XDP, HOOK_TCX };	/* config_hook.h: what auto becomes */
enum config_role { ROLE_HOST, ROLE_HOVERBOARD };
enum config_xdp_mode { XDP_MODE_NATIVE, XDP_MODE_GENERIC };	/* generic only by name */

struct config_uplink {
	char *device;			/* interface name in the agent's own namespace */
	uint16_t vlan;			/* VID of the underlay on this device, 0 = untagged */
	enum config_hook hook;
	enum config_xdp_mode xdp_mode;
	int line;
};

struct config_subnet {
	struct ip_prefix prefix;
	struct ip_addr gateway;		/* all zero: no gateway */
	int line;
};

/* mss_clamp beside a number of bytes. */
enum config_mss_clamp {
	MSS_CLAMP_UNSAID = 0,		/* off; at a vport: as the network says */
	MSS_CLAMP_OFF = 1,
	MSS_CLAMP_MTU = 65535,		/* what the MTUs on the way allow */
};

struct config_network {
	char *name;
	uint32_t vni;			/* 1..2^24-1, unique */
	uint8_t gateway_mac[ETH_ADDR_LEN]; /* default 02:00:5e:00:00:01 */
	struct config_subnet *subnets;
	unsigned int n_subnets;
	struct ip_addr *hoverboards;	/* underlay addresses: who is asked for what this host has no rule for */
	unsigned int n_hoverboards;
	uint16_t mss_clamp;		/* MSS_CLAMP_*, or the largest segment size TCP may agree on */
	uint32_t offload_bps;		/* a pair that sends faster through them gets a way of its own; default 20000 */
	int line;
};

struct config_vport {
	char *name;
	unsigned int network;		/* index into config.networks */
	char *device;			/* interface name in the agent's namespace; may not exist yet */
	char *netns;			/* guest's namespace: name under /run/netns or a path; NULL = not reachable */
	char *guest_device;		/* interface inside netns; NULL = the veth peer, found by ifindex */
	uint8_t mac[ETH_ADDR_LEN];
	struct ip_addr addrs[CONFIG_VPORT_ADDRS_MAX];
	unsigned int n_addrs;
	uint16_t vlan[2];		/* tags the guest uses, outermost first; 0 = untagged */
	uint16_t mss_clamp;		/* as the network's, which it overrides */
	enum config_hook hook;
	enum config_xdp_mode xdp_mode;
	uint32_t miss_rate;		/* new flows per second, default limits.miss_rate */
	uint32_t miss_burst;
	int line;
};

/* An instance (host prefix) or a prefix of a network that lives behind another host. */
struct config_remote {
	unsigned int network;		/* index into config.networks */
	struct ip_prefix prefix;
	uint8_t mac[ETH_ADDR_LEN];	/* all zero: the network's gateway MAC; an instance should name its own */
	struct ip_addr host;		/* underlay address of the host */
	struct ip_addr *gateways;	/* all that serve, if several do; `host` is one of them */
	unsigned int n_gateways;
	struct ip_addr from;		/* not zero: for packets of this source only, where nothing else covers them */
	uint32_t vni;			/* on the wire towards that host; 0: the network's */
	bool receive_only;		/* packets of the address may come from the host; nothing is sent there by it */
	int line;
};

/* A prefix that is no other host's: nobody's, another network's, or behind an instance of this host. */
struct config_route {
	unsigned int network;		/* index into config.networks */
	struct ip_prefix prefix;
	bool blackhole;
	unsigned int network_to;	/* index into config.networks; NETWORK_NONE: it is not that */
	unsigned int vport;		/* index into config.vports; VPORT_NONE: it is not that */
	int line;
};
#define NETWORK_NONE 0xffffffffu
#define VPORT_NONE 0xffffffffu

/* An instance that a hoverboard sends on to its host. */
struct config_endpoint {
	unsigned int network;		/* index into config.networks */
	struct ip_addr addr;
	struct ip_addr host;		/* underlay address of the host */
	uint8_t mac[ETH_ADDR_LEN];
	int line;
};

/* Sample one in `rate` packets of matching flows. Zero protocol or port: any. */
struct config_sample {
	unsigned int network;		/* index into config.networks */
	uint8_t proto;
	uint16_t port;			/* host order, either end */
	uint32_t rate;
	int line;
};

struct config {
	char *path;			/* for messages */
	char *host_name;
	enum config_role role;
	struct config_uplink uplinks[CONFIG_UPLINKS_MAX];
	unsigned int n_uplinks;
	struct ip_addr underlay[2];	/* this host's tunnel endpoints, IPv4 then IPv6; zero = none */
	enum tunnel_kind tunnel;
	uint16_t tunnel_port;		/* host order; default by tunnel, 0 for GRE */
	enum dscp_mode dscp;
	uint8_t tos;			/* DSCP_PIPE: DSCP << 2 */
	char *bpffs;			/* default /sys/fs/bpf/mirach */
	char *socket;			/* default /run/mirach/mirachd.sock */
	char *socket_group;		/* group that may use the socket; NULL = root only */
	uint32_t max_flows;		/* default 65536; up to 16 M */
	uint32_t max_endpoints;		/* default 65536; up to 16 M */
	uint32_t miss_rate;		/* per vport, default 20000 per second */
	uint32_t miss_burst;		/* default 1000 */
	uint32_t fabric_miss_rate;	/* per class of outer sources, default 50000 */
	uint32_t fabric_miss_burst;
	uint32_t flow_idle_ms;		/* default 60000 */
	bool busy_poll;			/* the flow thread spins instead of sleeping; default false */
	struct config_network *networks;
	unsigned int n_networks;
	struct config_vport *vports;
	unsigned int n_vports;
	struct config_remote *remotes;
	unsigned int n_remotes;
	struct config_route *routes;
	unsigned int n_routes;
	struct config_endpoint *endpoints;
	unsigned int n_endpoints;
	struct config_sample *samples;
	unsigned int n_samples;
};

/*
 * Reads and checks @path. On failure returns -errno and @e->text holds every
 * mistake, a line each (up to the size of the text; then "and N more").
 */
int config_load(const char *path, struct config **ret, struct error *e);
/* The same from memory; @name stands in messages. For tests and the fuzzer. */
int config_parse(const char *name, const char *text, size_t len, struct config **ret,
		 struct error *e);

/* Names the parts of a configuration that was put together: its trees are numbered in `line`. */
struct config_origin {
	const char *(*name)(int line, void *arg);	/* "vport/acme.web-1" */
	void (*blame)(int line, void *arg);		/* a mistake was found there; NULL is allowed */
	void *arg;
};
/*
 * The same from a tree that others made from what a controller sent. Fields that the
 * schema does not know are passed over: the controller may be newer than the agent.
 */
int config_build(const char *name, const struct doc *doc, const struct config_origin *origin,
		 struct config **ret, struct error *e);
void config_free(struct config *config);	/* NULL is allowed */
