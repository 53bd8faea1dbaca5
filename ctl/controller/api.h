/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * api.h - the REST API: what people and tools ask of the controller
 *
 *	http.h ──► api_routes[] ──► who may? ──► fm_apply(), fm_set(), store_range(), store_watch()
 *
 * One table says every path, method and parameter; requests are dispatched by it and
 * the OpenAPI document (/v1/openapi.json) is made of it, so they cannot differ. A
 * tenant sees its own objects only, and of those nothing of how they are realised.
 *
 * See also: docs/api.md, selftests/api.
 */
#pragma once

#include <ctl/controller/fm.h>
#include <ctl/controller/http.h>
#include <ctl/controller/ofe.h>
#include <ctl/controller/programming.h>
#include <ctl/controller/vmc.h>

struct api;

struct api_options {
	struct http_options http;
	struct fm *fm;
	struct programming *programming;	/* NULL: this controller does not program hosts */
	struct vmc *vmc;		/* NULL: the same */
	struct ofe *ofe;		/* NULL: it has no sessions */
};

int api_new(struct event_base *base, const struct api_options *o, struct api **ret, struct error *e);
void api_free(struct api *a);
