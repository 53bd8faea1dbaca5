/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * probe.h - the socket that a hoverboard is asked by
 *
 * UDP from this host's tunnel endpoint to port 7784, TTL 255 (RFC 7881 section 4), without
 * checksum: a reflector that turns packets round in the driver meets them before the
 * kernel of a virtual device has finished a sum. The socket is opened at the first
 * question and again after any error, so routes and addresses may come later.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include <mirach/types.h>

struct event;
struct event_base;

struct probe {
	struct event_base *base;
	struct event *event;		/* owns the socket; NULL = closed */
	struct ip_addr local, remote;
	void (*fn)(void *arg);		/* there is something to read */
	void *arg;
};

void probe_init(struct probe *p, struct event_base *base, const struct ip_addr *remote,
		void (*fn)(void *arg), void *arg);
/* @local: this host's endpoints, IPv4 then IPv6. */
void probe_from(struct probe *p, const struct ip_addr local[2]);
void probe_close(struct probe *p);
/* What cannot be sent is lost. */
void probe_send(struct probe *p, const void *bytes, size_t len);
/* Length of the next datagram, or -1: there is none. Errors that waited before it are passed over. */
ssize_t probe_read(struct probe *p, void *buf, size_t len);
