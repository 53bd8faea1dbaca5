/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model_random.h - random objects from a small world, where names and addresses meet often
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include <ctl/controller/model.h>
#include <selftests/unit/expect.h>

static inline unsigned int dice(unsigned int n)
{
	return random() % n;
}

static inline struct object *object_of(const char *text)
{
	struct error e = {};
	struct problems p;
	struct object *o;
	struct doc *d;

	problems_init(&p);
	if (doc_parse("t", text, strlen(text), &d, &e))
		fail_msg("%s:\n%s", text, e.text);
	if (model_read(d, NULL, &p, &o))
		fail_msg("%s:\n%s", text, problems_first(&p, (char[512]){}, 512));
	doc_free(d);
	return o;
}

static inline struct object *object_fmt(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline struct object *object_fmt(const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return object_of(text);
}

static inline const char *random_hop(char *buf, size_t len)
{
	static const char *const hops[] = { "instance: i%u", "peering: p%u", "blackhole: true" };

	snprintf(buf, len, hops[dice(3)], dice(6));
	return buf;
}

/* Of a kind with a tenant: one of 2 tenants, 3 networks, few names and addresses. */
static inline struct object *random_tenant_object(enum kind kind)
{
	unsigned int t = dice(2), net = dice(3);
	bool wide = !dice(8);
	char hop[32];

	switch (kind) {
	case KIND_NETWORK:
		return object_fmt("{kind: Network, tenant: t%u, name: n%u, spec: {description: x%s%s}}", t,
				  net, dice(3) ? "" : ", vni: 7",
				  dice(6) ? "" : ", hoverboards: [b0]");
	case KIND_SUBNET:
		return object_fmt("{kind: Subnet, tenant: t%u, name: s%u, spec: {network: n%u,"
				  " prefix: 10.0.%u.0/%u}}", t, dice(4), net,
				  wide ? 0 : dice(4), wide ? 22 : 24);
	case KIND_INSTANCE:
		return object_fmt("{kind: Instance, tenant: t%u, name: i%u, spec: {network: n%u,"
				  " addresses: [10.0.%u.%u]%s%s}}", t, dice(6), net, dice(4),
				  dice(6), dice(2) ? ", host: h1" : dice(2) ? ", host: h2" : "",
				  dice(3) ? "" : ", mac: '02:00:00:00:00:01'");
	case KIND_PEERING:
		return object_fmt("{kind: Peering, tenant: t%u, name: p%u, spec: {network: n%u,"
				  " peer: t%u/n%u}}", t, dice(6), net, dice(2), dice(3));
	default:
		return object_fmt("{kind: Route, tenant: t%u, name: r%u, spec: {network: n%u,"
				  " prefix: 10.%u.0.0/16, priority: %u, nextHop: {%s}}}", t,
				  dice(4), net, dice(3), dice(2), random_hop(hop, sizeof(hop)));
	}
}

static inline struct object *random_object(void)
{
	static const enum kind likely[] = {
		KIND_TENANT, KIND_HOST, KIND_HOVERBOARD, KIND_NETWORK, KIND_NETWORK, KIND_SUBNET,
		KIND_SUBNET, KIND_INSTANCE, KIND_INSTANCE, KIND_INSTANCE, KIND_PEERING, KIND_PEERING,
		KIND_ROUTE, KIND_ROUTE,
	};
	enum kind kind = likely[dice(COUNT(likely))];

	switch (kind) {
	case KIND_TENANT:
		return object_fmt("{kind: Tenant, name: t%u, spec: {%s}}", dice(2),
				  dice(3) ? "" : "maxInstances: 3");
	case KIND_HOST:
		return object_fmt("{kind: Host, name: h%u, spec: {underlay: [192.0.2.%u]}}", dice(3),
				  1 + dice(4));
	case KIND_HOVERBOARD:
		return object_fmt("{kind: Hoverboard, name: b%u, spec: {host: h%u}}", dice(2), dice(3));
	default:
		return random_tenant_object(kind);
	}
}
