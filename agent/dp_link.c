// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_link.c - XDP links: attached once, then updated in place
 *
 * A link is pinned at <dir>/links/<port>, so the device keeps its program when
 * the agent goes. An agent that comes back gives the same link its new program,
 * which the kernel swaps between two packets. A link is made anew only when the
 * old one is of no use: its device is gone, another device has the port's name,
 * or the mode is to change (the kernel refuses to have both modes at once, so
 * here the port is without a program for a moment).
 *
 * Port names may hold anything, names in a bpffs hold no dot and no slash: what
 * is not a letter, digit, '-' or '_' is written %XX in the name of the pin.
 *
 * libbpf's own attach functions keep the link in the process or set no mode,
 * hence the plain calls.
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <mirach_xdp.skel.h>

static int link_path(const struct dp *dp, const char *name, char ret[PATH_MAX], struct error *e)
{
	char *end;

	if (!*name || strlen(name) >= PORT_NAME_LEN)
		return error_set(e, -EINVAL, "port name \"%s\" must have 1 to %d bytes", name,
				 PORT_NAME_LEN - 1);
	end = ret + sprintf(ret, "%s/links/", dp->dir);
	for (; *name; name++) {
		if (isalnum((unsigned char)*name) || *name == '-' || *name == '_')
			*end++ = *name;
		else
			end += sprintf(end, "%%%02x", (unsigned char)*name);
	}
	*end = '\0';
	return 0;
}

static int program_fd(const struct dp *dp, enum dp_program program)
{
	const struct bpf_program *const programs[DP_N_PROGRAMS] = {
		[DP_EGRESS] = dp->skel->progs.mirach_egress,
		[DP_INGRESS] = dp->skel->progs.mirach_ingress,
		[DP_HUB_RESUME] = dp->skel->progs.mirach_hub_resume,
		[DP_HUB_FEED] = dp->skel->progs.mirach_hub_feed,
	};

	return bpf_program__fd(programs[program]);
}

int dp_link_remove(int fd, const char *path)
{
	int err;

	bpf_link_detach(fd);		/* refused for what is no link: the pin goes all the same */
	err = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	close(fd);
	return err;
}

/*
 * True if the link holds device @ifindex in the wanted mode. A link does not
 * tell its mode, and after a move to another namespace its ifindex may be that
 * of a stranger; but the device tells which program it runs in which mode, and
 * this must be the link's.
 */
static bool link_fits(int fd, int ifindex, bool generic)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, on_device);
	struct bpf_link_info link = {};
	__u32 len = sizeof(link);

	if (bpf_obj_get_info_by_fd(fd, &link, &len) || link.type != BPF_LINK_TYPE_XDP ||
	    link.xdp.ifindex != (__u32)ifindex)
		return false;
	if (bpf_xdp_query(ifindex, 0, &on_device))
		return false;
	return link.prog_id == (generic ? on_device.skb_prog_id : on_device.drv_prog_id);
}

/* Says whose program is in the way. */
static int taken(const char *device, int ifindex, struct error *e)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, on_device);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info), id;
	int fd;

	if (bpf_xdp_query(ifindex, 0, &on_device))
		on_device.prog_id = 0;
	id = on_device.prog_id ? on_device.prog_id :
	     on_device.drv_prog_id ? on_device.drv_prog_id : on_device.skb_prog_id;
	fd = id ? bpf_prog_get_fd_by_id(id) : -ENOENT;
	if (fd >= 0) {
		if (bpf_obj_get_info_by_fd(fd, &info, &len))
			info.name[0] = '\0';
		close(fd);
	}
	return error_set(e, -EBUSY,
			 "%s already has XDP program %u%s%s: remove it (ip link set dev %s xdp "
			 "off; if a BPF link holds it, bpftool link list and link detach)",
			 device, id, info.name[0] ? " " : "", info.name, device);
}

static int attach_refused(int err, const char *device, int ifindex, bool generic, struct error *e)
{
	const char *mode = generic ? "generic" : "native";

	switch (-err) {
	case EBUSY:
	case EEXIST:
		return taken(device, ifindex, e);
	case EOPNOTSUPP:
		return error_set(e, err, "the driver of %s has no %s XDP%s", device, mode,
				 generic ? "" : ": xdp_mode: generic makes it work, but slowly");
	case EPERM:
		return error_set(e, err, "not allowed to attach to %s: CAP_NET_ADMIN and CAP_BPF "
				 "are needed", device);
	case ERANGE:
	case EINVAL:
	case ENOSPC:
		return error_set(e, err,
				 "%s refuses %s XDP as it is set up (%s): look at its MTU, its "
				 "number of queues and its LRO; the kernel log may say more",
				 device, mode, strerror(-err));
	default:
		return error_set(e, err, "cannot attach to %s in %s mode: %s", device, mode,
				 strerror(-err));
	}
}

/* Should the agent be killed before the pin is made, the kernel takes the link back. */
static int link_make(const char *path, const char *device, int ifindex, int prog_fd, bool generic,
		     struct error *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int fd, err;

	fd = bpf_link_create(prog_fd, ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return attach_refused(fd, device, ifindex, generic, e);
	err = bpf_obj_pin(fd, path);
	close(fd);
	return err ? error_set(e, err, "cannot pin %s: %s", path, strerror(-err)) : 0;
}

int dp_port_attach(struct dp *dp, const char *name, int ifindex, enum dp_program program,
		   bool generic, struct error *e)
{
	char path[PATH_MAX], device[IF_NAMESIZE];
	int fd, err;

	err = link_path(dp, name, path, e);
	if (err)
		return err;
	if (!if_indextoname(ifindex, device))
		return error_set(e, -ENODEV, "there is no device number %d", ifindex);
	fd = bpf_obj_get(path);
	if (fd < 0 && fd != -ENOENT)
		return error_set(e, fd, "cannot open the link %s: %s", path, strerror(-fd));
	if (fd >= 0 && link_fits(fd, ifindex, generic)) {
		err = bpf_link_update(fd, program_fd(dp, program), NULL);
		close(fd);
		return err ? error_set(e, err, "cannot give %s its new program: %s", device,
				       strerror(-err)) : 0;
	}
	if (fd >= 0) {
		err = dp_link_remove(fd, path);
		if (err)
			return error_set(e, err, "cannot remove %s: %s", path, strerror(-err));
	}
	return link_make(path, device, ifindex, program_fd(dp, program), generic, e);
}

int dp_port_detach(struct dp *dp, const char *name, struct error *e)
{
	char path[PATH_MAX];
	int fd, err;

	err = link_path(dp, name, path, e);
	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return error_set(e, fd, "cannot open the link %s: %s", path, strerror(-fd));
	err = dp_link_remove(fd, path);
	return err ? error_set(e, err, "cannot remove %s: %s", path, strerror(-err)) : 0;
}
