// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_xdp.c - a program on a device's XDP hook
 *
 * A link that is there is given the new program, which the kernel swaps between
 * two packets. It is made anew only when it is of no use: its device is gone,
 * another device has the port's name, or the mode is to change (the kernel
 * refuses to have both modes at once, so here the port is without a program for
 * a moment).
 *
 * libbpf's own attach functions keep the link in the process or set no mode,
 * hence the plain calls.
 *
 * See also: dp_link.c (who calls), dp_tcx.c (the other hook).
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

static int xdp_refused(int err, const struct dp_place *p, bool generic, struct error *e)
{
	const char *mode = generic ? "generic" : "native";

	switch (-err) {
	case EBUSY:
	case EEXIST:
		return taken(p->device, p->ifindex, e);
	case EOPNOTSUPP:
		return error_set(e, err, "the driver of %s has no %s XDP%s", p->device, mode,
				 generic ? "" : ": xdp_mode: generic makes it work, but slowly");
	case ERANGE:
	case EINVAL:
	case ENOSPC:
		return error_set(e, err,
				 "%s refuses %s XDP as it is set up (%s): look at its MTU, its "
				 "number of queues and its LRO; the kernel log may say more",
				 p->device, mode, strerror(-err));
	default:
		return dp_attach_refused(err, p, generic ? "generic mode" : "native mode", e);
	}
}

/* Should the agent be killed before the pin is made, the kernel takes the link back. */
static int link_make(const struct dp_place *p, bool generic, struct error *e)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int fd, err;

	fd = bpf_link_create(p->prog_fd, p->ifindex, BPF_XDP, &opts);
	if (fd < 0)
		return xdp_refused(fd, p, generic, e);
	err = bpf_obj_pin(fd, p->path);
	close(fd);
	return err ? error_set(e, err, "cannot pin %s: %s", p->path, strerror(-err)) : 0;
}

int dp_xdp_attach(const struct dp_place *p, bool generic, struct error *e)
{
	int fd, err;

	fd = bpf_obj_get(p->path);
	if (fd < 0 && fd != -ENOENT)
		return error_set(e, fd, "cannot open the link %s: %s", p->path, strerror(-fd));
	if (fd >= 0 && link_fits(fd, p->ifindex, generic)) {
		err = bpf_link_update(fd, p->prog_fd, NULL);
		close(fd);
		return err ? error_set(e, err, "cannot give %s its new program: %s", p->device,
				       strerror(-err)) : 0;
	}
	if (fd >= 0) {
		err = dp_link_remove(fd, p->path);
		if (err)
			return error_set(e, err, "cannot remove %s: %s", p->path, strerror(-err));
	}
	return link_make(p, generic, e);
}
