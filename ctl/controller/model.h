/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model.h - the objects people declare, as typed structs
 *
 *	{"kind": "Instance", "tenant": "acme", "name": "web-1",
 *	 "labels": {"role": "web"}, "spec": {"network": "front", "host": "host-a"}}
 *
 *	text ──doc.h──► struct doc ──model_read()──► struct instance ──model_print()──► text
 *
 * One table per kind (model_kinds.c) names every field with its type, limits and
 * meaning; reading, printing, comparing, freeing, the OpenAPI document and the list
 * in docs/model.md all follow that table. A field that is unknown, missing or wrong
 * is a problem with its path; all of them are found, not only the first.
 *
 * References are names within the tenant, so an object of another tenant cannot be
 * named at all. What only a whole set of objects can tell is validate.h.
 *
 * Every struct begins with a struct object, followed by its spec; what comes after
 * the spec belongs to the set that holds the object (model_set.h) and is zero until then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <ctl/controller/problems.h>
#include <lib/addr.h>
#include <lib/doc.h>

#define MODEL_TENANT_LEN 16		/* with the NUL: names of tenants and regions */
#define MODEL_NAME_LEN 32		/* names of everything else */
#define MODEL_PATH_LEN (MODEL_TENANT_LEN + MODEL_NAME_LEN)	/* "acme/front" */
#define MODEL_KEY_LEN 96		/* "/mirach/objects/RemoteNetwork/<15>/<31>" */
#define MODEL_ADDRS_MAX 16		/* of an instance: what a vport holds */
#define MODEL_PREFIX "/mirach/objects/"
#define MODEL_GLOBAL_PREFIX "/mirach/global/"

/* In the order in which one may refer to the other: who is referred to comes first. */
enum kind {
	KIND_TENANT,
	KIND_HOST,
	KIND_HOVERBOARD,
	KIND_NETWORK,
	KIND_SUBNET,
	KIND_INSTANCE,
	KIND_PEERING,
	KIND_ROUTE,
	KIND_FIREWALL_RULE,		/* known, not available yet */
	KIND_LOAD_BALANCER,
	KIND_NAT_GATEWAY,
	KIND_REMOTE_NETWORK,		/* global scope: what another region announces */
	KIND_COUNT,
};

struct label {
	char *key, *value;
};

struct object {
	uint8_t kind;			/* enum kind */
	bool present;			/* in a set: false while others only refer to it */
	uint16_t n_labels;
	char tenant[MODEL_TENANT_LEN];	/* "" for tenants, hosts, hoverboards; the region of a RemoteNetwork */
	char name[MODEL_NAME_LEN];
	uint32_t round;			/* the replica's */
	struct label *labels;		/* sorted by key */
	uint64_t revision;		/* of the store, when it was last written */
};

/* One object's mention of another, in the list of those that mention it. */
struct ref {
	struct object *from, *to;
	struct ref *next, **pprev;
};

/* An address in use, and whose it is. */
struct addr_use {
	struct ip_addr ip;
	struct object *owner;		/* set by model_set */
};

struct addr_list {
	struct addr_use *v;
	unsigned int n;
};

struct name_list {
	char (*v)[MODEL_NAME_LEN];
	unsigned int n;
};

struct prefix_list {
	struct ip_prefix *v;
	unsigned int n;
};

/* Text fields are NULL, names "", addresses and MACs zero while they are not given. */
struct tenant {
	struct object o;
	struct tenant_spec {
		char *description;
		uint64_t max_networks, max_instances, max_routes;
	} spec;
	struct ref *networks;		/* lists below `spec`: who refers to this one */
};

struct host {
	struct object o;
	struct host_spec {
		struct addr_list underlay;	/* at most one of either family */
		struct uplink {
			char *device;
			uint64_t vlan;		/* 0: untagged */
			char *hook;		/* NULL: auto */
		} *uplinks;
		unsigned int n_uplinks;
		char region[MODEL_TENANT_LEN];
	} spec;
	struct ref *instances, *hoverboards;
	unsigned int n_instances;
};

struct hoverboard {
	struct object o;
	struct hoverboard_spec {
		char host[MODEL_NAME_LEN];
	} spec;
	struct ref host;
	struct ref *networks;		/* that name it; a network that names none uses all */
};

struct network {
	struct object o;
	struct network_spec {
		char *description;
		uint64_t vni;			/* allocated; tenants do not see it */
		uint8_t gateway_mac[ETH_ADDR_LEN];
		uint64_t offload_threshold;	/* bit/s */
		struct name_list hoverboards;	/* none: all */
	} spec;
	struct ref tenant;
	struct ref *hoverboards;		/* spec.hoverboards.n of them */
	struct ref *subnets, *instances, *routes, *peerings;
	unsigned int n_instances, n_routes;
};

struct subnet {
	struct object o;
	struct subnet_spec {
		char network[MODEL_NAME_LEN];
		struct ip_prefix prefix;
		struct ip_addr gateway;		/* the first address unless given */
	} spec;
	struct ref network;
};

struct instance {
	struct object o;
	struct instance_spec {
		char network[MODEL_NAME_LEN];
		char host[MODEL_NAME_LEN];	/* "": not placed */
		struct name_list subnets;
		struct addr_list addresses;	/* allocated unless given */
		uint8_t mac[ETH_ADDR_LEN];	/* allocated unless given */
		char *device, *netns, *guest_device;
	} spec;
	struct ref network, host;
	struct ref *routes;
};

struct peering {
	struct object o;
	struct peering_spec {
		char network[MODEL_NAME_LEN];
		char peer[MODEL_PATH_LEN];	/* "tenant/network" */
	} spec;
	struct ref network;
	struct ref *routes;
};

/* Exactly one is given. */
struct next_hop {
	char instance[MODEL_NAME_LEN];
	char peering[MODEL_NAME_LEN];
	struct ip_addr gateway;		/* underlay address of a machine that takes the network's VNI */
	bool blackhole;
};

struct route {
	struct object o;
	struct route_spec {
		char network[MODEL_NAME_LEN];
		struct ip_prefix prefix;
		uint64_t priority;		/* the lower one wins */
		struct next_hop next_hop;
	} spec;
	struct ref network, instance, peering;
};

struct remote_network {
	struct object o;			/* o.tenant is the region */
	struct remote_network_spec {
		char network[MODEL_PATH_LEN];	/* "tenant/network" here, whose hosts may go there */
		uint64_t vni;			/* over there */
		struct prefix_list prefixes;
		struct addr_list gateways;	/* underlay addresses */
	} spec;
};

/* FirewallRule, LoadBalancer, NatGateway: a name without fields. */
struct reserved {
	struct object o;
	struct {
		char nothing;
	} spec;
};

/* What a field holds. The name in the struct says how it is kept there. */
enum field_type {
	FIELD_BOOL,			/* bool */
	FIELD_UINT,			/* uint64_t, min..max; left at `fallback` while not given */
	FIELD_TEXT,			/* char *, up to max bytes */
	FIELD_DEVICE,			/* char *, a network interface */
	FIELD_NETNS,			/* char *, a name under /run/netns or an absolute path */
	FIELD_CHOICE,			/* char *, one of `choices` */
	FIELD_TENANT,			/* char[MODEL_TENANT_LEN] */
	FIELD_NAME,			/* char[MODEL_NAME_LEN], a reference */
	FIELD_PATH,			/* char[MODEL_PATH_LEN], "tenant/name" */
	FIELD_MAC,			/* uint8_t[6] */
	FIELD_ADDR,			/* struct ip_addr */
	FIELD_PREFIX,			/* struct ip_prefix */
	FIELD_NAMES,			/* struct name_list, at most max */
	FIELD_ADDRS,			/* struct addr_list */
	FIELD_PREFIXES,			/* struct prefix_list */
	FIELD_SECTION,			/* fields inside the same struct; one_of: exactly one of them */
	FIELD_LIST,			/* an array of structs of `size` bytes, its counter at `count` */
};

enum field_flags {
	FIELD_REQUIRED = 1,
	FIELD_OPERATOR = 2,		/* tenants neither see nor set it */
	FIELD_ALLOCATED = 4,		/* filled in and kept when not given */
	FIELD_ONE_OF = 8,		/* section: exactly one of its fields */
	FIELD_ONE_PER_FAMILY = 16,	/* addresses: at most one IPv4 and one IPv6 */
};

struct field {
	const char *name;		/* NULL ends a table */
	enum field_type type;
	unsigned int flags;		/* enum field_flags */
	size_t offset;			/* in the spec, or in the element of the list */
	uint64_t min, max, fallback;
	const char *const *choices;	/* NULL at the end */
	const struct field *fields;	/* of a section or list */
	size_t size, count;		/* list: of an element; offset of the unsigned counter */
	const char *help;		/* one sentence; docs/model.md and OpenAPI */
};

enum scope { SCOPE_TENANT, SCOPE_FABRIC, SCOPE_GLOBAL, SCOPE_ANY };

struct kind_info {
	const char *name, *plural;	/* "Instance", "instances" */
	enum scope scope;
	bool available;			/* false: known, refused for now */
	size_t size, spec, spec_size;	/* of the struct; where its spec is, and how large */
	const struct field *fields;
	const char *help;
};

extern const struct kind_info kinds[KIND_COUNT];

/* By "Instance", "instance", "instances"; KIND_COUNT if there is none, @ret_near what was meant or NULL. */
enum kind kind_find(const char *name, const char **ret_near);
/* 0, or -EINVAL: no name of an object (or with @max MODEL_TENANT_LEN, of a tenant). */
int model_name_check(const char *name, size_t max);

/*
 * Reads one document. 0 and an object to free, -EINVAL with what is wrong added to @p,
 * or -ENOMEM. Problems name the object as far as it could be read. @revision in the
 * document goes to o.revision (0: not given); status is read over. @tenant_default
 * fills in a missing tenant; NULL: it must be there.
 */
int model_read(const struct doc *d, const char *tenant_default, struct problems *p,
	       struct object **ret);
/*
 * The same for a document that may hold `delete: true`: then @ret has kind, tenant,
 * name and revision only, whatever else the document says.
 */
int model_read_change(const struct doc *d, const char *tenant_default, struct problems *p,
		      struct object **ret, bool *ret_del);
/* An object of the store, by the key and the text there. 0, -EINVAL with @e set, or -ENOMEM. */
int model_load(const char *key, const char *text, size_t len, uint64_t revision,
	       struct object **ret, struct error *e);
/* An empty object of that kind and name, fields at their defaults; NULL: no memory. */
struct object *model_new(enum kind kind, const char *tenant, const char *name);
struct object *model_copy(const struct object *o);
void model_free(struct object *o);		/* NULL is allowed */

/*
 * The object as JSON; the caller deletes it. NULL: no memory. `kind`, `tenant` (or
 * `region`), `name`, `labels` unless empty, `spec`; fields in the order of the table,
 * those at their default left out; `revision` unless 0.
 */
enum model_view { MODEL_STORED, MODEL_OPERATOR, MODEL_TENANT };	/* STORED: no revision */
cJSON *model_json(const struct object *o, enum model_view view);
/* The same as text, as it is stored: equal texts, equal objects. To free(). */
char *model_text(const struct object *o);
/* The spec's fields that differ between two objects of one kind, as "mac, host"; returns @buf. */
const char *model_changes(const struct object *a, const struct object *b, char *buf, size_t len);

/* Where it lies in the store. Returns @buf. */
const char *model_key(const struct object *o, char buf[MODEL_KEY_LEN]);
/* The reverse, 0 or -EINVAL. */
int model_key_parse(const char *key, enum kind *ret_kind, char ret_tenant[MODEL_TENANT_LEN],
		    char ret_name[MODEL_NAME_LEN]);
/* "Instance acme/web-1", for people. Returns @buf. */
#define MODEL_TITLE_LEN 80
const char *model_title(const struct object *o, char buf[MODEL_TITLE_LEN]);

static inline void *model_spec(const struct object *o)
{
	return (char *)o + kinds[o->kind].spec;
}
