/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * netlink.h - libnl-route's objects for those who change links
 *
 * Whoever creates, changes or deletes a device does it with libnl-route and
 * opens its socket here. libnl numbers its errors by itself (NLE_*); Mirach's
 * functions return -errno.
 *
 * See also: nl.h (questions and news, without objects).
 */
#pragma once

#include <lib/error.h>

struct nl_sock;

/* A connected rtnetlink socket of the calling thread's network namespace; nl_socket_free() it. */
int netlink_open(struct nl_sock **ret, struct error *e);

/* -errno for what a libnl function returned (negative NLE_*); others pass through. */
int netlink_errno(int nlerr);
