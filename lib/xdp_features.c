/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xdp_features.c - what a device's driver and the kernel say they can do with XDP
 */
#include <lib/xdp_features.h>

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/genetlink.h>
#include <linux/if_xdp.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <lib/netlink.h>

/* Of linux/netdev.h, which Debian 12's headers do not have yet. */
enum { NETDEV_CMD_DEV_GET = 1 };
enum { NETDEV_A_DEV_IFINDEX = 1, NETDEV_A_DEV_XDP_FEATURES = 3 };

/* One question: what is asked for, and where its answer goes. */
struct question {
	int family;
	uint8_t cmd;
	int wanted;			/* attribute of the answer */
	uint64_t answer;
	bool answered;
};

static int on_answer(struct nl_msg *msg, void *arg)
{
	struct question *q = arg;
	struct nlattr *a = nlmsg_find_attr(nlmsg_hdr(msg), GENL_HDRLEN, q->wanted);

	if (!a)
		return NL_OK;
	if (nla_len(a) == sizeof(uint16_t))
		q->answer = nla_get_u16(a);
	else if (nla_len(a) == sizeof(uint64_t))
		q->answer = nla_get_u64(a);
	else
		return NL_OK;
	q->answered = true;
	return NL_OK;
}

static struct nl_msg *new_message(const struct question *q)
{
	const struct genlmsghdr header = { .cmd = q->cmd, .version = 1 };
	struct nl_msg *msg = nlmsg_alloc_simple(q->family, NLM_F_REQUEST);

	if (msg && nlmsg_append(msg, (void *)&header, sizeof(header), NLMSG_ALIGNTO)) {
		nlmsg_free(msg);
		return NULL;
	}
	return msg;
}

/* Sends @msg, which it frees, and waits for the answer: one message, or an error. */
static int ask(struct nl_sock *sock, struct nl_msg *msg, struct question *q)
{
	int err;

	nl_socket_modify_cb(sock, NL_CB_VALID, NL_CB_CUSTOM, on_answer, q);
	err = nl_send_auto(sock, msg);
	nlmsg_free(msg);
	if (err >= 0)
		err = nl_recvmsgs_default(sock);
	if (err < 0)
		return netlink_errno(err);
	return q->answered ? 0 : -EOPNOTSUPP;
}

static int find_family(struct nl_sock *sock, const char *name, int *ret)
{
	struct question q = { GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, 0, false };
	struct nl_msg *msg = new_message(&q);
	int err;

	if (!msg)
		return -ENOMEM;
	if (nla_put_string(msg, CTRL_ATTR_FAMILY_NAME, name)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	err = ask(sock, msg, &q);
	if (err)
		return err == -ENOENT ? -EOPNOTSUPP : err;
	*ret = q.answer;
	return 0;
}

static int ask_device(struct nl_sock *sock, int ifindex, uint64_t *ret)
{
	struct question q = { 0, NETDEV_CMD_DEV_GET, NETDEV_A_DEV_XDP_FEATURES, 0, false };
	struct nl_msg *msg;
	int err;

	err = find_family(sock, "netdev", &q.family);
	if (err)
		return err;
	msg = new_message(&q);
	if (!msg)
		return -ENOMEM;
	if (nla_put_u32(msg, NETDEV_A_DEV_IFINDEX, ifindex)) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	err = ask(sock, msg, &q);
	if (!err)
		*ret = q.answer;
	return err;
}

int xdp_features(int ifindex, uint64_t *ret)
{
	struct nl_sock *sock = nl_socket_alloc();
	int err;

	if (!sock)
		return -ENOMEM;
	nl_socket_disable_auto_ack(sock);
	err = nl_connect(sock, NETLINK_GENERIC);
	err = err ? netlink_errno(err) : ask_device(sock, ifindex, ret);
	nl_socket_free(sock);
	return err;
}

/* The kernel looks at the flags first, and only then for a device of that number. */
bool xdp_socket_chains(void)
{
	static int answer = -1;
	struct sockaddr_xdp probe = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY | XDP_USE_SG,
		.sxdp_ifindex = INT_MAX,
	};
	int fd;

	if (answer >= 0)
		return answer;
	fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	answer = fd >= 0 && bind(fd, (struct sockaddr *)&probe, sizeof(probe)) && errno == ENODEV;
	if (fd >= 0)
		close(fd);
	return answer;
}
