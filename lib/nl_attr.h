/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl_attr.h - addresses out of netlink attributes, for nl.c and nl_watch.c
 */
#pragma once

#include <errno.h>
#include <netlink/attr.h>
#include <string.h>
#include <sys/socket.h>

#include <mirach/types.h>

/* 0, or -EBADMSG if @len bytes are no address of @family; @ret is untouched then. */
static inline int nl_bytes_addr(const void *bytes, int len, int family, struct ip_addr *ret)
{
	__be32 v4;

	if (family == AF_INET && len == (int)sizeof(v4)) {
		memcpy(&v4, bytes, sizeof(v4));
		ip_addr_set_v4(ret, v4);
		return 0;
	}
	if (family != AF_INET6 || len != (int)sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, bytes, sizeof(*ret));
	return 0;
}

static inline int nl_attr_addr(const struct nlattr *a, int family, struct ip_addr *ret)
{
	return nl_bytes_addr(nla_data(a), nla_len(a), family, ret);
}
