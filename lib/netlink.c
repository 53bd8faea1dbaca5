// SPDX-License-Identifier: BSD-2-Clause
/*
 * netlink.c - the socket, the errors and the simplest questions of libnl-route
 *
 * libnl maps several errnos to one error, so the way back picks the errno that
 * rtnetlink means by it.
 */
#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int netlink_errno(int nlerr)
{
	if (nlerr >= 0)
		return nlerr;
	switch (-nlerr) {
	case NLE_INTR:		return -EINTR;
	case NLE_BAD_SOCK:	return -EBADF;
	case NLE_AGAIN:		return -EAGAIN;
	case NLE_NOMEM:		return -ENOMEM;
	case NLE_EXIST:		return -EEXIST;
	case NLE_INVAL:		return -EINVAL;
	case NLE_RANGE:		return -ERANGE;
	case NLE_OPNOTSUPP:	return -EOPNOTSUPP;
	case NLE_OBJ_NOTFOUND:	return -ENODEV;
	case NLE_NODEV:		return -ENODEV;
	case NLE_BUSY:		return -EBUSY;
	case NLE_NOACCESS:	return -EACCES;
	case NLE_PERM:		return -EPERM;
	case NLE_NOADDR:	return -EADDRNOTAVAIL;
	default:		return -EIO;
	}
}

int netlink_open(struct nl_sock **ret, struct error *e)
{
	struct nl_sock *nl = nl_socket_alloc();
	int err;

	if (!nl)
		return error_set(e, -ENOMEM, "no memory for a netlink socket");
	err = nl_connect(nl, NETLINK_ROUTE);
	if (err < 0) {
		nl_socket_free(nl);
		return error_set(e, netlink_errno(err), "cannot open rtnetlink: %s",
				 nl_geterror(err));
	}
	*ret = nl;
	return 0;
}

int netlink_link_find(struct nl_sock *nl, const char *name, struct rtnl_link **ret, struct error *e)
{
	int err = netlink_errno(rtnl_link_get_kernel(nl, 0, name, ret));

	if (err && err != -ENODEV)
		return error_set(e, err, "cannot look up device %s: %s", name, strerror(-err));
	return err;
}

/* The kernel may have no IPv6, or /proc/sys may be read-only in a hardened service. */
void netlink_ipv6_off(const char *ifname)
{
	char path[80];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", ifname);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)!write(fd, "1", 1);
	close(fd);
}
