/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl_watch.c - the news half of nl.h
 *
 * One socket in the multicast groups asked for. Each message shrinks to a line
 * of news; a message that means nothing to Mirach (bridge forwarding entries,
 * families other than IP) is left out here.
 *
 * See also: nl.c (questions).
 */
#include <lib/nl.h>

#include <errno.h>
#include <event2/event.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include <lib/nl_attr.h>

#define WATCH_BUFFER_BYTES (4 << 20)	/* some ten thousand messages: a storm of a few hundred devices */

struct nl_watch {
	struct nl_sock *sock;
	struct event *event;
	nl_news_fn fn;
	void *arg;
};

static const struct {
	enum nl_news_kind kind;
	int group;
} groups[] = {
	{ NL_LINK, RTNLGRP_LINK },
	{ NL_ADDR, RTNLGRP_IPV4_IFADDR },
	{ NL_ADDR, RTNLGRP_IPV6_IFADDR },
	{ NL_ROUTE, RTNLGRP_IPV4_ROUTE },
	{ NL_ROUTE, RTNLGRP_IPV6_ROUTE },
	{ NL_NEIGH, RTNLGRP_NEIGH },
};

static int read_link(struct nlmsghdr *msg, struct nl_news *ret)
{
	const struct ifinfomsg *head = nlmsg_data(msg);
	struct nlattr *a[IFLA_MAX + 1];

	if (head->ifi_family != AF_UNSPEC || nlmsg_parse(msg, sizeof(*head), a, IFLA_MAX, NULL))
		return -EBADMSG;
	ret->kind = NL_LINK;
	ret->gone = msg->nlmsg_type == RTM_DELLINK;
	ret->ifindex = head->ifi_index;
	if (a[IFLA_IFNAME])
		nla_strlcpy(ret->name, a[IFLA_IFNAME], sizeof(ret->name));
	ret->master = a[IFLA_MASTER] ? (int)nla_get_u32(a[IFLA_MASTER]) : 0;
	return 0;
}

static int read_addr(struct nlmsghdr *msg, struct nl_news *ret)
{
	const struct ifaddrmsg *head = nlmsg_data(msg);
	struct nlattr *a[IFA_MAX + 1], *addr;

	if (nlmsg_parse(msg, sizeof(*head), a, IFA_MAX, NULL))
		return -EBADMSG;
	addr = a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS];
	ret->kind = NL_ADDR;
	ret->gone = msg->nlmsg_type == RTM_DELADDR;
	ret->ifindex = head->ifa_index;
	ret->addr.len = 128;
	return addr ? nl_attr_addr(addr, head->ifa_family, &ret->addr.addr) : -EBADMSG;
}

static int read_route(struct nlmsghdr *msg, struct nl_news *ret)
{
	const struct rtmsg *head = nlmsg_data(msg);
	struct nlattr *a[RTA_MAX + 1];

	if (nlmsg_parse(msg, sizeof(*head), a, RTA_MAX, NULL))
		return -EBADMSG;
	ret->kind = NL_ROUTE;
	ret->gone = msg->nlmsg_type == RTM_DELROUTE;
	ret->addr.len = head->rtm_dst_len;
	if (head->rtm_family == AF_INET) {
		ip_addr_set_v4(&ret->addr.addr, 0);
		ret->addr.len += 96;
	}
	return a[RTA_DST] ? nl_attr_addr(a[RTA_DST], head->rtm_family, &ret->addr.addr) : 0;
}

static int read_neigh(struct nlmsghdr *msg, struct nl_news *ret)
{
	const struct ndmsg *head = nlmsg_data(msg);
	struct nlattr *a[NDA_MAX + 1];

	if (nlmsg_parse(msg, sizeof(*head), a, NDA_MAX, NULL) || !a[NDA_DST])
		return -EBADMSG;
	ret->kind = NL_NEIGH;
	ret->gone = msg->nlmsg_type == RTM_DELNEIGH;
	ret->ifindex = head->ndm_ifindex;
	ret->addr.len = 128;
	return nl_attr_addr(a[NDA_DST], head->ndm_family, &ret->addr.addr);
}

static int read_news(struct nlmsghdr *msg, struct nl_news *ret)
{
	switch (msg->nlmsg_type) {
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return read_link(msg, ret);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return read_addr(msg, ret);
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		return read_route(msg, ret);
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		return read_neigh(msg, ret);
	}
	return -EBADMSG;
}

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nl_watch *watch = arg;
	struct nl_news news = {};

	if (!read_news(nlmsg_hdr(msg), &news))
		watch->fn(&news, watch->arg);
	return NL_OK;
}

/* libnl reports a lost stretch of news (ENOBUFS) as NLE_NOMEM. */
static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	static const struct nl_news resync = { .kind = NL_RESYNC };
	struct nl_watch *watch = arg;
	int err;

	(void)fd, (void)what;
	do {
		err = nl_recvmsgs_default(watch->sock);
	} while (err >= 0);
	if (err == -NLE_NOMEM)
		watch->fn(&resync, watch->arg);
}

static int join(struct nl_watch *watch, unsigned int kinds)
{
	const int bytes = WATCH_BUFFER_BYTES;
	unsigned int i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (kinds & 1u << groups[i].kind &&
		    nl_socket_add_membership(watch->sock, groups[i].group) < 0)
			return -EIO;
	/* Beyond net.core.rmem_max it takes CAP_NET_ADMIN; a smaller buffer only resyncs more often. */
	if (setsockopt(nl_socket_get_fd(watch->sock), SOL_SOCKET, SO_RCVBUFFORCE, &bytes,
		       sizeof(bytes)))
		nl_socket_set_buffer_size(watch->sock, bytes, 0);
	return nl_socket_set_nonblocking(watch->sock) < 0 ? -EIO : 0;
}

static int watch_init(struct nl_watch *watch, struct event_base *base, unsigned int kinds)
{
	watch->sock = nl_socket_alloc();
	if (!watch->sock || nl_connect(watch->sock, NETLINK_ROUTE) < 0 || join(watch, kinds))
		return -EIO;
	nl_socket_disable_seq_check(watch->sock);
	nl_socket_modify_cb(watch->sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, watch);
	watch->event = event_new(base, nl_socket_get_fd(watch->sock), EV_READ | EV_PERSIST,
				 on_readable, watch);
	return watch->event && !event_add(watch->event, NULL) ? 0 : -ENOMEM;
}

int nl_watch_new(struct event_base *base, unsigned int kinds, nl_news_fn fn, void *arg,
		 struct nl_watch **ret, struct error *e)
{
	struct nl_watch *watch = calloc(1, sizeof(*watch));
	int err;

	if (!watch)
		return error_set(e, -ENOMEM, "no memory to watch netlink");
	watch->fn = fn;
	watch->arg = arg;
	err = watch_init(watch, base, kinds);
	if (err) {
		nl_watch_free(watch);
		return error_set(e, err, "cannot subscribe to netlink news");
	}
	*ret = watch;
	return 0;
}

void nl_watch_free(struct nl_watch *watch)
{
	if (!watch)
		return;
	if (watch->event)
		event_free(watch->event);
	if (watch->sock)
		nl_socket_free(watch->sock);
	free(watch);
}
