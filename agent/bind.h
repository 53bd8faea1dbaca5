/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bind.h - which device an instance has, where the host decides that
 *
 * A controller may leave an instance's device open; then somebody on the host names it
 * (`mirachctl vport attach`). A binding may come before or after the instance. It is
 * kept in the checkpoint and said to the controller with every new session.
 *
 * Pure. See also: state.h, docs/protocol.md (bind, bound).
 */
#pragma once

#include <stdbool.h>

#include <cjson/cJSON.h>

#include <lib/doc.h>
#include <lib/error.h>

enum bind_state { BIND_ASKED, BIND_BOUND, BIND_REFUSED };

struct binding {
	char *instance;			/* "acme.web-1" */
	struct doc *doc;		/* device, netns and guest_device, as in vports[] */
	enum bind_state state;		/* what the controller says of it */
	char *problem;			/* BIND_REFUSED: why; else NULL */
};

struct bindings {
	struct binding **all;
	unsigned int n;
};

void bindings_done(struct bindings *b);
struct binding *bindings_find(const struct bindings *b, const char *instance);
/* A field of the binding, NULL if it does not say. */
const char *binding_text(const struct binding *b, const char *field);

/*
 * @netns and @guest_device may be NULL. Replaces a binding of the same instance. -EEXIST:
 * another instance has the device. -EINVAL: not names.
 */
int bindings_set(struct bindings *b, const char *instance, const char *device, const char *netns,
		 const char *guest_device, struct error *e);
int bindings_del(struct bindings *b, const char *instance, struct error *e);	/* -ENOENT */
/* @problem NULL: bound. */
int binding_answered(struct binding *b, const char *problem);

/* A line of the checkpoint, and back. */
cJSON *binding_to_json(const struct binding *b);
int bindings_set_json(struct bindings *b, const cJSON *json, struct error *e);
