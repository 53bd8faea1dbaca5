/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * object.h - one thing that a controller told this host, and what the agent makes of it
 *
 *	{"id": "vport/acme.web-1", "v": "<32 hex digits>", "spec": {...}}
 *
 * The id begins with the kind. `v` is the controller's digest of the spec and opaque
 * here. The spec is kept as text for the checkpoint, and as a tree for the schema of the
 * configuration, with the names that this uses; endpoints are kept as what they say:
 *
 *	host/self                     host, encapsulation
 *	network/<name>                networks[], with its name
 *	vport/<name>                  vports[], with its name
 *	permit/<network>/<source>     remotes[], the address as prefix, receive_only
 *	direct/<network>/<src>/<dst>  remotes[], the destination as prefix, from the source
 *	route/<network>/<prefix>      remotes[] if it names a host or gateways, else routes[]
 *	endpoint/<network>/<address>  a row of the endpoint table, no part of the configuration
 *
 * Objects of kinds from the future are kept, counted and otherwise left alone.
 * Immutable once made, but for the note of whoever puts endpoints into a table. Pure.
 *
 * See also: state_config.h (objects to a configuration), docs/protocol.md.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cjson/cJSON.h>

#include <lib/addr.h>
#include <lib/doc.h>
#include <lib/error.h>
#include <lib/objset.h>

#define OBJECT_ID_MAX 159

enum object_kind {
	OBJECT_HOST,
	OBJECT_NETWORK,
	OBJECT_VPORT,
	OBJECT_PERMIT,
	OBJECT_DIRECT,
	OBJECT_ROUTE,
	OBJECT_ENDPOINT,
	OBJECT_OTHER,			/* not known to this agent */
};

/* endpoint/<network>/<address>: a hoverboard has a million, so this is all that is kept of one. */
struct object_endpoint {
	struct ip_addr addr, host;
	uint8_t mac[ETH_ADDR_LEN];
	uint32_t vni;			/* under which the table has it; 0: not yet. The owner's to write */
};

struct object {
	unsigned int refs;
	enum object_kind kind;
	uint64_t hash;			/* of the id: XXH3-64, which also names its bucket */
	struct digest v;
	char *spec;			/* JSON text; NULL: an endpoint's */
	struct object_endpoint *endpoint; /* NULL: it is none */
	struct doc *doc;		/* as the schema wants it; NULL: endpoints, kinds not known */
	struct doc *encapsulation;	/* host/self only; NULL: not said */
	char id[];
};

/* -EBADMSG: not an object; @e names the id as far as there is one. -ENOMEM. */
int object_new(const cJSON *json, struct object **ret, struct error *e);	/* one reference */
struct object *object_get(struct object *o);
void object_put(struct object *o);	/* NULL is allowed */

uint64_t object_hash(const char *id);
bool object_id_valid(const char *id);
enum object_kind object_kind_of(const char *id);
/* JSON text of the spec, to free. NULL without memory. */
char *object_spec(const struct object *o);
/* The name of an endpoint's network, in @buf. */
const char *object_network(const struct object *o, char buf[OBJECT_ID_MAX + 1]);
/* What the id says behind its kind: "acme.web-1". */
const char *object_name(const struct object *o);
