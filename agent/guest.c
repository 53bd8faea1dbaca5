// SPDX-License-Identifier: BSD-2-Clause
/*
 * guest.c - visits a guest's namespace and sets its end of the veth
 *
 * The visit is made by a thread of its own: setns() moves only the thread that
 * calls it, and this one ends there. The caller never leaves its namespace, so
 * nothing has to be put back and no failure can leave the agent in a guest's
 * network. (A forked helper would do too, but after fork() in a program with
 * threads neither malloc nor libnl may be used.)
 *
 * Interface numbers mean something only inside their namespace, so the peer is
 * believed only if each end names the other.
 *
 * See also: lib/ethtool.h (how features are set).
 */
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <netlink/route/link.h>

#include <lib/ethtool.h>
#include <lib/netlink.h>

/* One visit: what the thread is told, and what it brings back. */
struct visit {
	const char *netns;		/* as configured, for messages */
	const char *device;		/* wanted interface, or NULL */
	int netns_fd;
	int host_ifindex;
	int peer_ifindex;		/* as the host's end names it */
	bool finish, finished;		/* checksums: to do; was done by an agent */
	bool offloads;			/* answer */
	int (*task)(struct visit *v, const char *name, struct error *e);
	int err;
	struct error *e;
};

/* A checksum that the guest's end leaves to hardware is one that nobody writes. */
static const char *const checksum_features[] = {
	"tx-checksum-ip-generic", "tx-checksum-ipv4", "tx-checksum-ipv6", "tx-checksum-sctp",
};

static int link_facts(int ifindex, char name[IF_NAMESIZE], int *ret_peer, bool *ret_veth,
		      struct error *e)
{
	struct rtnl_link *link;
	struct nl_sock *nl;
	const char *type;
	int err;

	err = netlink_open(&nl, e);
	if (err)
		return err;
	err = netlink_errno(rtnl_link_get_kernel(nl, ifindex, NULL, &link));
	nl_socket_free(nl);
	if (err)
		return err;
	type = rtnl_link_get_type(link);
	snprintf(name, IF_NAMESIZE, "%s", rtnl_link_get_name(link));
	*ret_peer = rtnl_link_get_link(link);
	*ret_veth = type && !strcmp(type, "veth");
	rtnl_link_put(link);
	return 0;
}

static int find_device(struct visit *v, char name[IF_NAMESIZE], struct error *e)
{
	int ifindex = v->device ? (int)if_nametoindex(v->device) : v->peer_ifindex;
	int peer, err;
	bool veth;

	err = ifindex ? link_facts(ifindex, name, &peer, &veth, e) : -ENODEV;
	if (err == -ENODEV && v->device)
		return error_set(e, err, "network namespace %s has no device %s", v->netns,
				 v->device);
	if (err == -ENODEV || (!err && !v->device && (!veth || peer != v->host_ifindex)))
		return error_set(e, -ENODEV, "the other end of the veth is not in network "
				 "namespace %s", v->netns);
	if (err)
		return error_set(e, err, "cannot look up the guest's device in %s: %s", v->netns,
				 strerror(-err));
	if (!veth || peer != v->host_ifindex)
		return error_set(e, -EXDEV, "device %s in network namespace %s is not the other "
				 "end of this veth", name, v->netns);
	return 0;
}

static int finish_checksums(const char *name, struct error *e)
{
	unsigned int i;
	int err;

	for (i = 0; i < sizeof(checksum_features) / sizeof(checksum_features[0]); i++) {
		err = ethtool_feature_set(name, checksum_features[i], false);
		if (err && err != -ENOENT)
			return error_set(e, err,
					 "cannot switch off %s on the guest's %s, its packets "
					 "would leave with unfinished checksums: %s",
					 checksum_features[i], name, strerror(-err));
	}
	return 0;
}

/* What the device does not have stays off, and a guest without offloads is slow, not broken. */
static void offload_checksums(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(checksum_features) / sizeof(checksum_features[0]); i++)
		ethtool_feature_set(name, checksum_features[i], true);
}

static int enable_napi(const char *name, struct error *e)
{
	int err = ethtool_feature_set(name, "rx-gro", true);

	if (err)
		return error_set(e, err,
				 "cannot switch on rx-gro on the guest's %s, redirected frames "
				 "would not reach it: %s", name, strerror(-err));
	return 0;
}

static int prepare(struct visit *v, const char *name, struct error *e)
{
	int err = 0;

	bool on;

	if (v->finish) {
		v->finished |= !ethtool_feature_get(name, checksum_features[0], &on) && on;
		err = finish_checksums(name, e);
	} else if (v->finished) {
		offload_checksums(name);
		v->finished = false;
	}
	return err ? err : enable_napi(name, e);
}

/* Asks for the wish: what can be had depends on the program at the other end. */
static int read_offloads(struct visit *v, const char *name, struct error *e)
{
	int err = ethtool_feature_wanted(name, "tx-tcp-segmentation", &v->offloads);

	return err ? error_set(e, err, "cannot read the offloads of the guest's %s: %s", name,
			       strerror(-err)) : 0;
}

static int enter(struct visit *v, struct error *e)
{
	char name[IF_NAMESIZE];
	int err;

	if (setns(v->netns_fd, CLONE_NEWNET) < 0)
		return error_set(e, -errno, "cannot enter network namespace %s: %s%s", v->netns,
				 strerror(errno),
				 errno == EPERM ? " (CAP_SYS_ADMIN is needed)" :
				 errno == EINVAL ? " (it is not a network namespace)" : "");
	err = find_device(v, name, e);
	return err ? err : v->task(v, name, e);
}

static void *visit_main(void *arg)
{
	struct visit *v = arg;

	v->err = enter(v, v->e);
	return NULL;
}

/* The other end's number, which has a meaning in the guest's namespace only. */
static int host_end(int host_ifindex, int *ret_peer, struct error *e)
{
	char name[IF_NAMESIZE];
	bool veth;
	int err;

	err = link_facts(host_ifindex, name, ret_peer, &veth, e);
	if (err)
		return error_set(e, err, "cannot look up device number %d: %s", host_ifindex,
				 strerror(-err));
	if (!veth)
		return error_set(e, -EINVAL,
				 "%s is not a veth, it has no end inside a network namespace: "
				 "leave out netns", name);
	return 0;
}

static int open_netns(const char *netns, struct error *e)
{
	char path[PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s%s", strchr(netns, '/') ? "" : "/run/netns/",
			     netns) >= sizeof(path))
		return error_set(e, -ENAMETOOLONG, "the name of the network namespace is too long");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set(e, -errno, "cannot open network namespace %s: %s", path,
				 strerror(errno));
	return fd;
}

static int visit(struct visit *v, struct error *e)
{
	pthread_t thread;
	int err;

	v->e = e;
	err = host_end(v->host_ifindex, &v->peer_ifindex, e);
	if (err)
		return err;
	v->netns_fd = open_netns(v->netns, e);
	if (v->netns_fd < 0)
		return v->netns_fd;
	err = -pthread_create(&thread, NULL, visit_main, v);
	if (err) {
		error_set(e, err, "cannot start a thread to visit %s: %s", v->netns,
			  strerror(-err));
	} else {
		pthread_join(thread, NULL);
		err = v->err;
	}
	close(v->netns_fd);
	return err;
}

int guest_prepare(const char *netns, int host_ifindex, const char *guest_device,
		  bool finish, bool *finished, struct error *e)
{
	struct visit v = { .netns = netns, .device = guest_device, .host_ifindex = host_ifindex,
			   .task = prepare, .finish = finish, .finished = *finished };
	int err = visit(&v, e);

	*finished = v.finished;
	return err;
}

int guest_offloads(const char *netns, int host_ifindex, const char *guest_device, bool *ret,
		   struct error *e)
{
	struct visit v = { .netns = netns, .device = guest_device, .host_ifindex = host_ifindex,
			   .task = read_offloads };
	int err = visit(&v, e);

	if (!err)
		*ret = v.offloads;
	return err;
}
