/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_set.h - all objects, and every question about them that must not cost a walk
 *
 *	Tenant ◄─ Network ◄─┬─ Subnet		an arrow is a struct ref: the object holds
 *	                    ├─ Instance ─► Host	it, and is in the list of those that refer
 *	                    ├─ Peering ◄┐	to the target
 *	                    └─ Route ───┴─► Instance
 *
 * A put or delete costs what hangs on that object, never the size of the set. The
 * address of an object stays the same for as long as it exists or others refer to it:
 * an update exchanges its content. Who is referred to and does not exist is there as
 * a placeholder, `present` false, so changes may come in any order.
 *
 * The set does not judge: two instances with one address are both in; validate.h
 * finds them. Out of memory aborts, because half a set must not be believed; the
 * controller starts again from the store.
 *
 * One thread. See also: index.h, docs/model.md.
 */
#pragma once

#include <ctl/controller/index.h>
#include <ctl/controller/model.h>
#include <ctl/controller/presence.h>

struct model_set {
	struct index objects[KIND_COUNT];	/* struct object, by tenant and name */
	unsigned int n_present[KIND_COUNT];
	uint64_t generation;			/* another one with every put and delete */
	struct index addresses;			/* struct addr_use, by network and address */
	struct index macs;			/* struct instance, by network and MAC */
	struct index vnis;			/* struct network */
	struct index devices;			/* struct instance, by host and device */
	struct index routes;			/* struct route, by network, prefix and priority */
	struct index underlay;			/* struct addr_use, by address */
	struct index presences;			/* presence.h */
};

void model_set_init(struct model_set *s);
void model_set_done(struct model_set *s);

/* Takes over @o. Returns what it replaces, to model_free(), or NULL. @ret_now: the object as it stays in the set. */
struct object *model_set_put(struct model_set *s, struct object *o, struct object **ret_now);
/* Returns what was there, to model_free(), or NULL. */
struct object *model_set_del(struct model_set *s, enum kind kind, const char *tenant,
			     const char *name);

/* Objects that are present; @tenant "" for kinds without one. */
struct object *model_set_find(const struct model_set *s, enum kind kind, const char *tenant,
			      const char *name);
/* The same, or the placeholder of what others refer to; NULL: nobody does. */
struct object *model_set_placeholder(const struct model_set *s, enum kind kind,
				     const char *tenant, const char *name);
/* "tenant/network" */
struct network *model_set_find_network(const struct model_set *s, const char *path);
/* All of a kind, in no order: for (size_t i = 0; (o = model_set_next(s, kind, &i)); ) */
struct object *model_set_next(const struct model_set *s, enum kind kind, size_t *i);

/* Who has it; with @except, who else. */
struct instance *model_set_by_address(const struct model_set *s, const struct network *net,
				      const struct ip_addr *a, const struct instance *except);
struct instance *model_set_by_mac(const struct model_set *s, const struct network *net,
				  const uint8_t mac[ETH_ADDR_LEN], const struct instance *except);
struct instance *model_set_by_device(const struct model_set *s, const struct host *host,
				     const char *device, const struct instance *except);
/* Another route of the same network, prefix and priority. */
struct route *model_set_same_route(const struct model_set *s, const struct route *route);
struct network *model_set_by_vni(const struct model_set *s, uint64_t vni,
				 const struct network *except);
struct host *model_set_by_underlay(const struct model_set *s, const struct ip_addr *a,
				   const struct host *except);
/* How many instances of @net are on @host. */
unsigned int model_set_on_host(const struct model_set *s, const struct network *net,
			       const struct host *host);
/* The subnet of @net that covers @a, or NULL. */
struct subnet *model_set_subnet_of(const struct network *net, const struct ip_addr *a);
/* The peer's own Peering towards this one: both are in force. NULL: one-sided. */
struct peering *model_set_peer(const struct model_set *s, const struct peering *peering);

/* Bytes of the tables; objects are apart. */
size_t model_set_bytes(const struct model_set *s);

/* for (struct ref *r = net->instances; r; r = r->next) ref_from(r, struct instance) */
#define ref_from(r, type) ((type *)(r)->from)

/*
 * How kinds refer to each other: rows for whoever has to look at all references,
 * ends with a NULL path. Network.hoverboards is a list of names and stands apart.
 */
struct relation {
	enum kind from, to;
	size_t name;			/* offset in the struct of the name; 0: the object's tenant */
	size_t ref;			/* offset of the struct ref in `from` */
	size_t list;			/* offset of the list in `to` */
	const char *path;		/* "spec.network" */
};
extern const struct relation relations[];
static inline const char *relation_name(const struct relation *r, const struct object *from)
{
	return r->name ? (const char *)from + r->name : from->tenant;
}
