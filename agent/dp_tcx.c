// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_tcx.c - a program where the kernel's stack takes frames in
 *
 * From 6.6 on by a tcx link, which is pinned and updated like an XDP link.
 * Before, by a filter of the device's clsact qdisc under a handle and priority of our
 * own: attaching again replaces the program in place. The qdisc is shared with
 * whoever else has filters there, so it is made if missing and never removed.
 *
 * libbpf 1.1 (Debian 12) is older than tcx. Its plain calls pass on what they do
 * not know, so a number is all that is missing.
 *
 * See also: dp_link.c (who calls), dp_xdp.c (the other hook).
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ATTACH_TCX_INGRESS ((enum bpf_attach_type)46)	/* BPF_TCX_INGRESS */
#define TCX_PROGRAMS_MAX 64		/* on one hook, the kernel's limit */
#define FILTER_HANDLE 0x6d69		/* "mi" */
#define FILTER_PRIORITY 0x6d
#define OUR_PROGRAMS "mirach_tcx"	/* how their names begin */

bool dp_tcx_known(int prog_fd)
{
	int fd = bpf_link_create(prog_fd, INT_MAX, ATTACH_TCX_INGRESS, NULL);

	if (fd >= 0)			/* a device with the largest of numbers: let it go again */
		close(fd);
	return fd >= 0 || fd == -ENODEV;
}

/* True if the link's program runs on device @ifindex. A device that has moved away may leave its number to a stranger. */
static bool link_fits(int fd, int ifindex)
{
	__u32 ids[TCX_PROGRAMS_MAX], n = TCX_PROGRAMS_MAX, flags, i;
	struct bpf_link_info link = {};
	__u32 len = sizeof(link);

	if (bpf_obj_get_info_by_fd(fd, &link, &len))
		return false;
	if (bpf_prog_query(ifindex, ATTACH_TCX_INGRESS, 0, &flags, ids, &n))
		return false;
	for (i = 0; i < n; i++)
		if (ids[i] == link.prog_id)
			return link.xdp.ifindex == (__u32)ifindex;	/* where tcx has it, too */
	return false;
}

static bool is_ours(__u32 prog_id)
{
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(prog_id);

	if (fd < 0)
		return false;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		info.name[0] = '\0';
	close(fd);
	return !strncmp(info.name, OUR_PROGRAMS, strlen(OUR_PROGRAMS));
}

/* tcx takes any number of programs, but a device is one port. */
static int check_free(const struct dp_place *p, struct error *e)
{
	__u32 ids[TCX_PROGRAMS_MAX], n = TCX_PROGRAMS_MAX, flags, i;

	if (bpf_prog_query(p->ifindex, ATTACH_TCX_INGRESS, 0, &flags, ids, &n))
		return 0;
	for (i = 0; i < n; i++)
		if (is_ours(ids[i]))
			return error_set(e, -EBUSY, "%s already has program %u of another port or "
					 "agent: remove it there", p->device, ids[i]);
	return 0;
}

/* Should the agent be killed before the pin is made, the kernel takes the link back. */
static int link_make(const struct dp_place *p, struct error *e)
{
	int fd, err = check_free(p, e);

	if (err)
		return err;
	fd = bpf_link_create(p->prog_fd, p->ifindex, ATTACH_TCX_INGRESS, NULL);
	if (fd < 0)
		return dp_attach_refused(fd, p, "tcx", e);
	err = bpf_obj_pin(fd, p->path);
	close(fd);
	return err ? error_set(e, err, "cannot pin %s: %s", p->path, strerror(-err)) : 0;
}

int dp_tcx_attach(const struct dp_place *p, struct error *e)
{
	int fd, err;

	fd = bpf_obj_get(p->path);
	if (fd < 0 && fd != -ENOENT)
		return error_set(e, fd, "cannot open the link %s: %s", p->path, strerror(-fd));
	if (fd >= 0 && link_fits(fd, p->ifindex)) {
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
	return link_make(p, e);
}

/* clsact. */

static int pin_anew(const struct dp_place *p, struct error *e)
{
	int err;

	unlink(p->path);
	err = bpf_obj_pin(p->prog_fd, p->path);
	return err ? error_set(e, err, "cannot pin %s: %s", p->path, strerror(-err)) : 0;
}

/* An agent killed before the pin is made leaves a filter that its successor replaces. */
int dp_clsact_attach(const struct dp_place *p, struct error *e)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = p->ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .prog_fd = p->prog_fd, .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return dp_attach_refused(err, p, "a clsact qdisc", e);
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return dp_attach_refused(err, p, "a clsact qdisc", e);
	return pin_anew(p, e);
}

void dp_clsact_remove(int ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);

	if (bpf_tc_query(&hook, &filter) || !is_ours(filter.prog_id))
		return;
	filter.prog_id = 0;
	filter.prog_fd = 0;
	filter.flags = 0;
	bpf_tc_detach(&hook, &filter);
}
