/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * nl.c - the asking half of nl.h
 *
 * A question is one message, its answer the messages up to the kernel's
 * acknowledgement. libnl does sockets, sequence numbers and attributes; the few
 * attributes Mirach needs are read here directly, because a libnl cache would
 * be a second memory of what the kernel already knows.
 *
 * See also: nl_watch.c (news).
 */
#include <lib/nl.h>

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include <lib/nl_attr.h>

/* Reads one message of an answer into @ret. */
typedef int (*answer_fn)(struct nlmsghdr *msg, void *ret);

struct nl {
	struct nl_sock *sock;
	answer_fn answer;		/* of the question under way */
	void *ret;
	bool answered, done;
	int err;
};

static int on_message(struct nl_msg *msg, void *arg)
{
	struct nl *nl = arg;
	int err;

	if (!nl->answer)
		return NL_OK;
	err = nl->answer(nlmsg_hdr(msg), nl->ret);
	if (err)
		nl->err = err;
	nl->answered = true;
	return NL_OK;
}

static int on_ack(struct nl_msg *msg, void *arg)
{
	(void)msg;
	((struct nl *)arg)->done = true;
	return NL_STOP;
}

static int on_refusal(struct sockaddr_nl *from, struct nlmsgerr *refusal, void *arg)
{
	struct nl *nl = arg;

	(void)from;
	nl->err = refusal->error;
	nl->done = true;
	return NL_STOP;
}

static int nl_init(struct nl *nl)
{
	nl->sock = nl_socket_alloc();
	if (!nl->sock || nl_connect(nl->sock, NETLINK_ROUTE) < 0)
		return -EIO;
	nl_socket_modify_cb(nl->sock, NL_CB_VALID, NL_CB_CUSTOM, on_message, nl);
	nl_socket_modify_cb(nl->sock, NL_CB_ACK, NL_CB_CUSTOM, on_ack, nl);
	nl_socket_modify_cb(nl->sock, NL_CB_FINISH, NL_CB_CUSTOM, on_ack, nl);	/* of a dump */
	nl_socket_modify_err_cb(nl->sock, NL_CB_CUSTOM, on_refusal, nl);
	return 0;
}

int nl_new(struct nl **ret, struct error *e)
{
	struct nl *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return error_set(e, -ENOMEM, "no memory for a netlink socket");
	if (nl_init(nl)) {
		nl_free(nl);
		return error_set(e, -EIO, "cannot open a route netlink socket");
	}
	*ret = nl;
	return 0;
}

void nl_free(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		nl_socket_free(nl->sock);
	free(nl);
}

/* A broken exchange leaves unread messages behind: begin with a fresh socket. */
static int reconnect(struct nl *nl)
{
	nl_close(nl->sock);
	nl_connect(nl->sock, NETLINK_ROUTE);
	return -EIO;
}

/*
 * Sends @msg, whose @fail says whether it could be built, frees it, and waits for
 * the end of the answer. Without an @answer function the acknowledgement is all.
 */
static int ask(struct nl *nl, struct nl_msg *msg, int fail, answer_fn answer, void *ret)
{
	int sent;

	if (!msg || fail) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	nl->answer = answer;
	nl->ret = ret;
	nl->answered = false;
	nl->done = false;
	nl->err = 0;
	sent = nl_send_auto(nl->sock, msg);
	nlmsg_free(msg);
	if (sent < 0)
		return reconnect(nl);
	while (!nl->done)
		if (nl_recvmsgs_default(nl->sock) < 0 && !nl->done)
			return reconnect(nl);
	if (!nl->err && answer && !nl->answered)
		return -ENOENT;
	return nl->err;
}

static struct nl_msg *message(int type, int flags, const void *head, size_t len)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | flags);

	if (msg && nlmsg_append(msg, (void *)head, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

static int put_addr(struct nl_msg *msg, int type, const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return nla_put(msg, type, sizeof(a->w[3]), &a->w[3]);
	return nla_put(msg, type, sizeof(*a), a);
}

static int family_of(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? AF_INET : AF_INET6;
}

/* Links. */

static void read_link_data(struct nlattr *data, struct nl_link *ret)
{
	struct nlattr *a[IFLA_TUN_MAX + 1];

	if (!data)
		return;
	if (!strcmp(ret->kind, "vlan") && !nla_parse_nested(a, IFLA_VLAN_ID, data, NULL) &&
	    a[IFLA_VLAN_ID])
		ret->vlan = nla_get_u16(a[IFLA_VLAN_ID]);
	if (!strcmp(ret->kind, "tun") && !nla_parse_nested(a, IFLA_TUN_MAX, data, NULL) &&
	    a[IFLA_TUN_VNET_HDR])
		ret->vnet_hdr = nla_get_u8(a[IFLA_TUN_VNET_HDR]);
	if (!strcmp(ret->kind, "tun") && !nla_parse_nested(a, IFLA_TUN_MAX, data, NULL) &&
	    a[IFLA_TUN_MULTI_QUEUE] && nla_get_u8(a[IFLA_TUN_MULTI_QUEUE]) && a[IFLA_TUN_NUM_QUEUES])
		ret->queues = nla_get_u32(a[IFLA_TUN_NUM_QUEUES]);
}

static void read_link_info(struct nlattr *info, struct nl_link *ret)
{
	struct nlattr *a[IFLA_INFO_MAX + 1];

	if (!info || nla_parse_nested(a, IFLA_INFO_MAX, info, NULL) || !a[IFLA_INFO_KIND])
		return;
	nla_strlcpy(ret->kind, a[IFLA_INFO_KIND], sizeof(ret->kind));
	read_link_data(a[IFLA_INFO_DATA], ret);
}

static int read_link(struct nlmsghdr *msg, void *arg)
{
	const struct ifinfomsg *head = nlmsg_data(msg);
	struct nlattr *a[IFLA_MAX + 1];
	struct nl_link *ret = arg;

	if (msg->nlmsg_type != RTM_NEWLINK || nlmsg_parse(msg, sizeof(*head), a, IFLA_MAX, NULL))
		return -EBADMSG;
	*ret = (struct nl_link){
		.ifindex = head->ifi_index,
		.ethernet = head->ifi_type == ARPHRD_ETHER,
		.up = head->ifi_flags & IFF_UP,
		.mtu = a[IFLA_MTU] ? nla_get_u32(a[IFLA_MTU]) : 0,
		.master = a[IFLA_MASTER] ? (int)nla_get_u32(a[IFLA_MASTER]) : 0,
		.carrier = !a[IFLA_CARRIER] || nla_get_u8(a[IFLA_CARRIER]),
	};
	ret->peer_elsewhere = a[IFLA_LINK_NETNSID] != NULL;
	if (a[IFLA_LINK] && !ret->peer_elsewhere)
		ret->lower = nla_get_u32(a[IFLA_LINK]);
	if (a[IFLA_IFNAME])
		nla_strlcpy(ret->name, a[IFLA_IFNAME], sizeof(ret->name));
	if (a[IFLA_ADDRESS] && nla_len(a[IFLA_ADDRESS]) == ETH_ADDR_LEN)
		memcpy(ret->mac, nla_data(a[IFLA_ADDRESS]), ETH_ADDR_LEN);
	read_link_info(a[IFLA_LINKINFO], ret);
	return 0;
}

static int link_get(struct nl *nl, const char *name, int ifindex, struct nl_link *ret)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC, .ifi_index = ifindex };
	struct nl_msg *msg = message(RTM_GETLINK, 0, &head, sizeof(head));
	struct nl_link link;
	int err, fail = 0;

	if (msg && name)
		fail = nla_put_string(msg, IFLA_IFNAME, name);
	if (msg && !fail)
		fail = nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	err = ask(nl, msg, fail, read_link, &link);
	if (!err)
		*ret = link;
	return err;
}

int nl_link_by_name(struct nl *nl, const char *name, struct nl_link *ret)
{
	return link_get(nl, name, 0, ret);
}

int nl_link_by_index(struct nl *nl, int ifindex, struct nl_link *ret)
{
	return link_get(nl, NULL, ifindex, ret);
}

struct members {
	int master;
	int ifindex[NL_MEMBERS_MAX];
	unsigned int n;
};

/* Old kernels do not filter, so the answer is looked at. */
static int read_member(struct nlmsghdr *msg, void *arg)
{
	struct members *m = arg;
	struct nl_link link;
	int err = read_link(msg, &link);

	if (!err && link.master == m->master && m->n < NL_MEMBERS_MAX)
		m->ifindex[m->n++] = link.ifindex;
	return err;
}

int nl_link_members(struct nl *nl, int ifindex, int *ret, unsigned int *ret_n)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nl_msg *msg = message(RTM_GETLINK, NLM_F_DUMP, &head, sizeof(head));
	struct members m = { .master = ifindex };
	int err, fail = 0;

	if (msg)
		fail = nla_put_u32(msg, IFLA_MASTER, ifindex);
	err = ask(nl, msg, fail, read_member, &m);
	if (err && err != -ENOENT)
		return err;
	memcpy(ret, m.ifindex, m.n * sizeof(*ret));
	*ret_n = m.n;
	return 0;
}

/* Routes. */

static uint32_t read_route_mtu(struct nlattr *metrics)
{
	struct nlattr *a[RTAX_MAX + 1];

	if (!metrics || nla_parse_nested(a, RTAX_MAX, metrics, NULL) || !a[RTAX_MTU])
		return 0;
	return nla_get_u32(a[RTAX_MTU]);
}

/* A gateway of the route's own family, or of the other one (RFC 8950). */
static int read_gateway(struct nlattr **a, int family, struct ip_addr *ret)
{
	const struct rtvia *via;

	if (a[RTA_GATEWAY])
		return nl_attr_addr(a[RTA_GATEWAY], family, ret);
	if (!a[RTA_VIA])
		return 0;
	via = nla_data(a[RTA_VIA]);
	if (nla_len(a[RTA_VIA]) < (int)sizeof(*via))
		return -EBADMSG;
	return nl_bytes_addr(via->rtvia_addr, nla_len(a[RTA_VIA]) - (int)sizeof(*via),
			     via->rtvia_family, ret);
}

static int read_route(struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *head = nlmsg_data(msg);
	struct nlattr *a[RTA_MAX + 1];
	struct nl_route *ret = arg;

	if (msg->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(msg, sizeof(*head), a, RTA_MAX, NULL))
		return -EBADMSG;
	if ((head->rtm_type != RTN_UNICAST && head->rtm_type != RTN_LOCAL) || !a[RTA_OIF])
		return -ENETUNREACH;
	*ret = (struct nl_route){
		.ifindex = nla_get_u32(a[RTA_OIF]),
		.mtu = read_route_mtu(a[RTA_METRICS]),
		.local = head->rtm_type == RTN_LOCAL,
	};
	return read_gateway(a, head->rtm_family, &ret->gateway);
}

static int route_ask(struct nl *nl, const struct ip_addr *dst, const struct ip_addr *src,
		     unsigned int flags, answer_fn answer, void *ret)
{
	int bits = ip_addr_is_v4(dst) ? 32 : 128;
	struct rtmsg head = { .rtm_family = family_of(dst), .rtm_dst_len = bits,
			      .rtm_src_len = src ? bits : 0, .rtm_flags = flags };
	struct nl_msg *msg = message(RTM_GETROUTE, 0, &head, sizeof(head));
	int fail = 0;

	if (msg)
		fail = put_addr(msg, RTA_DST, dst);
	if (msg && !fail && src)
		fail = put_addr(msg, RTA_SRC, src);
	return ask(nl, msg, fail, answer, ret);
}

int nl_route_get(struct nl *nl, const struct ip_addr *dst, const struct ip_addr *src,
		 struct nl_route *ret)
{
	struct nl_route route;
	int err = route_ask(nl, dst, src, 0, read_route, &route);

	if (!err)
		*ret = route;
	return err;
}

struct ways {
	struct nl_way way[NL_WAYS_MAX];
	unsigned int n;
};

static int read_way(struct rtnexthop *nh, int family, struct ways *ret)
{
	struct nlattr *a[RTA_MAX + 1];
	struct nl_way *way = &ret->way[ret->n];
	int err;

	if (nh->rtnh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN))
		return 0;
	if (nla_parse(a, RTA_MAX, (struct nlattr *)RTNH_DATA(nh), nh->rtnh_len - (int)sizeof(*nh), NULL))
		return -EBADMSG;
	*way = (struct nl_way){ .ifindex = nh->rtnh_ifindex, .weight = nh->rtnh_hops + 1u };
	err = read_gateway(a, family, &way->gateway);
	ret->n += !err;
	return err;
}

static int read_ways(struct nlmsghdr *msg, void *arg)
{
	const struct rtmsg *head = nlmsg_data(msg);
	struct nlattr *a[RTA_MAX + 1];
	struct ways *ret = arg;
	struct rtnexthop *nh;
	int left, err = 0;

	if (msg->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(msg, sizeof(*head), a, RTA_MAX, NULL))
		return -EBADMSG;
	if (!a[RTA_MULTIPATH])
		return 0;
	nh = nla_data(a[RTA_MULTIPATH]);
	left = nla_len(a[RTA_MULTIPATH]);
	while (!err && ret->n < NL_WAYS_MAX && left >= (int)sizeof(*nh) &&
	       nh->rtnh_len >= sizeof(*nh) && nh->rtnh_len <= left) {
		err = read_way(nh, head->rtm_family, ret);
		left -= RTNH_ALIGN(nh->rtnh_len);
		nh = RTNH_NEXT(nh);
	}
	return err;
}

int nl_route_ways(struct nl *nl, const struct ip_addr *dst, const struct ip_addr *src,
		  struct nl_way *ret, unsigned int *ret_n)
{
	struct ways ways = {};
	int err = route_ask(nl, dst, src, RTM_F_FIB_MATCH, read_ways, &ways);

	if (err)
		return err;
	memcpy(ret, ways.way, sizeof(ways.way));
	*ret_n = ways.n;
	return 0;
}

/* Neighbours. */

static int read_neigh(struct nlmsghdr *msg, void *arg)
{
	const struct ndmsg *head = nlmsg_data(msg);
	struct nlattr *a[NDA_MAX + 1];
	struct nl_neigh *ret = arg;

	if (msg->nlmsg_type != RTM_NEWNEIGH || nlmsg_parse(msg, sizeof(*head), a, NDA_MAX, NULL))
		return -EBADMSG;
	*ret = (struct nl_neigh){ .state = head->ndm_state };
	if (a[NDA_LLADDR] && nla_len(a[NDA_LLADDR]) == ETH_ADDR_LEN)
		memcpy(ret->mac, nla_data(a[NDA_LLADDR]), ETH_ADDR_LEN);
	return 0;
}

static int neigh_ask(struct nl *nl, int type, int flags, int ifindex, int ntf,
		     const struct ip_addr *addr, answer_fn answer, void *ret)
{
	struct ndmsg head = { .ndm_family = family_of(addr), .ndm_ifindex = ifindex,
			      .ndm_flags = ntf };
	struct nl_msg *msg = message(type, flags, &head, sizeof(head));

	return ask(nl, msg, msg ? put_addr(msg, NDA_DST, addr) : 0, answer, ret);
}

int nl_neigh_get(struct nl *nl, int ifindex, const struct ip_addr *addr, struct nl_neigh *ret)
{
	struct nl_neigh neigh;
	int err = neigh_ask(nl, RTM_GETNEIGH, 0, ifindex, 0, addr, read_neigh, &neigh);

	if (!err)
		*ret = neigh;
	return err;
}

int nl_neigh_use(struct nl *nl, int ifindex, const struct ip_addr *addr)
{
	return neigh_ask(nl, RTM_NEWNEIGH, NLM_F_CREATE, ifindex, NTF_USE, addr, NULL, NULL);
}
