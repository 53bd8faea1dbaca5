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
struct rtnl_link;

/* A connected rtnetlink socket of the calling thread's network namespace; nl_socket_free() it. */
int netlink_open(struct nl_sock **ret, struct error *e);

/* -errno for what a libnl function returned (negative NLE_*); others pass through. */
int netlink_errno(int nlerr);

/* 0 and a link that the caller puts; -ENODEV without words, for the caller to judge. */
int netlink_link_find(struct nl_sock *nl, const char *name, struct rtnl_link **ret, struct error *e);

/* Keeps router solicitations and the like off an internal device, as far as possible. */
void netlink_ipv6_off(const char *ifname);
