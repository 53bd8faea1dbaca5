// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_link.c - ports' programs: which hook, in which order, under which pin
 *
 *	<dir>/links/<port>                    XDP link
 *	<dir>/links/<port>+tcx                tcx link
 *	<dir>/links/<port>+clsact-<ifindex>   program of a clsact filter
 *
 * What is pinned stays on the device when the agent goes, and an agent that
 * comes back gives it the new program in place. A filter is no object that could
 * be pinned; its program is, under a name that tells the device.
 *
 * A port that changes its hook gets the new one first and leaves the old one
 * then. XDP runs before tcx, so while it has both each frame still meets one
 * program that takes it.
 *
 * Port names may hold anything, names in a bpffs hold no dot and no slash: what
 * is not a letter, digit, '-' or '_' is written %XX in the name of the pin.
 *
 * See also: dp_xdp.c, dp_tcx.c (the hooks themselves).
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lib/ethtool.h>
#include <mirach_tcx.skel.h>
#include <mirach_xdp.skel.h>

#define BASE_MAX (DP_DIR_MAX + 256)	/* of a pin's path before the suffix */
#define TCX_SUFFIX "+tcx"
#define CLSACT_SUFFIX "+clsact-"

static int link_path(const struct dp *dp, const char *name, char ret[BASE_MAX], struct error *e)
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

static int program_fd(const struct dp *dp, enum dp_program program, bool tcx)
{
	const struct bpf_program *const programs[DP_N_PROGRAMS][2] = {
		[DP_EGRESS] = { dp->skel->progs.mirach_egress, dp->tcx->progs.mirach_tcx_egress },
		[DP_INGRESS] = { dp->skel->progs.mirach_ingress, dp->tcx->progs.mirach_tcx_ingress },
		[DP_HUB_RESUME] = { dp->skel->progs.mirach_hub_resume },
		[DP_HUB_FEED] = { dp->skel->progs.mirach_hub_feed },
	};
	const struct bpf_program *found = programs[program][tcx];

	return found ? bpf_program__fd(found) : -EINVAL;
}

bool dp_has_tcx(const struct dp *dp)
{
	return !dp->no_tcx;
}

int dp_link_remove(int fd, const char *path)
{
	const char *clsact = strstr(strrchr(path, '/'), CLSACT_SUFFIX);
	int err;

	if (clsact)
		dp_clsact_remove(atoi(clsact + strlen(CLSACT_SUFFIX)));
	else
		bpf_link_detach(fd);	/* refused for what is no link: the pin goes all the same */
	err = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	close(fd);
	return err;
}

/* Takes away what is pinned at @path. Nothing there is no error. */
static int remove_pin(const char *path, struct error *e)
{
	int fd = bpf_obj_get(path), err;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return error_set(e, fd, "cannot open the link %s: %s", path, strerror(-fd));
	err = dp_link_remove(fd, path);
	return err ? error_set(e, err, "cannot remove %s: %s", path, strerror(-err)) : 0;
}

/* Removes the filters of the port whose pins begin with @base, on whatever devices, except @keep. */
static int remove_filters(const struct dp *dp, const char *base, const char *keep, struct error *e)
{
	char dir[PATH_MAX], path[PATH_MAX];
	struct dirent *d;
	size_t len;
	int err = 0;
	DIR *all;

	snprintf(dir, sizeof(dir), "%s/links", dp->dir);
	len = snprintf(path, sizeof(path), "%s" CLSACT_SUFFIX, base);
	all = opendir(dir);
	while (all && !err && (d = readdir(all))) {
		if (strncmp(d->d_name, path + strlen(dir) + 1, len - strlen(dir) - 1))
			continue;
		snprintf(path + len, sizeof(path) - len, "%s",
			 d->d_name + len - strlen(dir) - 1);
		if (strcmp(path, keep))
			err = remove_pin(path, e);
	}
	if (all)
		closedir(all);
	return err;
}

/* Removes what tcx or clsact hold for the port, except @keep. */
static int leave_tcx(const struct dp *dp, const char *base, const char *keep, struct error *e)
{
	char path[PATH_MAX];

	if (dp->no_tcx)
		return remove_filters(dp, base, keep, e);
	snprintf(path, sizeof(path), "%s" TCX_SUFFIX, base);
	return strcmp(path, keep) ? remove_pin(path, e) : 0;
}

static bool has_tcx_pin(const struct dp *dp, const char *base, int ifindex)
{
	char path[PATH_MAX];

	if (dp->no_tcx)
		snprintf(path, sizeof(path), "%s" CLSACT_SUFFIX "%d", base, ifindex);
	else
		snprintf(path, sizeof(path), "%s" TCX_SUFFIX, base);
	return !access(path, F_OK);
}

static int to_xdp(struct dp *dp, struct dp_place *p, bool generic, struct error *e)
{
	int err = dp_xdp_attach(p, generic, e);

	if (err)
		return err;
	if (has_tcx_pin(dp, p->path, p->ifindex))
		dp_synchronize(dp);	/* frames that were past XDP when it came still meet tcx */
	return leave_tcx(dp, p->path, "", e);
}

/*
 * Without GRO a veth loses NAPI together with its XDP program, and what waits in
 * NAPI's ring with it. Best effort: the price of failure is a few frames.
 */
static void keep_napi(const struct dp_place *p)
{
	char driver[32];

	if (!access(p->path, F_OK) && !ethtool_driver(p->device, driver, sizeof(driver)) &&
	    !strcmp(driver, "veth"))
		ethtool_feature_set(p->device, "rx-gro", true);
}

static int to_tcx(struct dp *dp, struct dp_place *p, struct error *e)
{
	const char *base = p->path;
	char path[PATH_MAX];
	int err;

	if (dp->no_tcx)
		snprintf(path, sizeof(path), "%s" CLSACT_SUFFIX "%d", base, p->ifindex);
	else
		snprintf(path, sizeof(path), "%s" TCX_SUFFIX, base);
	p->path = path;
	err = dp->no_tcx ? dp_clsact_attach(p, e) : dp_tcx_attach(p, e);
	p->path = base;
	if (!err)
		err = leave_tcx(dp, base, path, e);
	if (err)
		return err;
	keep_napi(p);
	return remove_pin(base, e);
}

int dp_port_attach(struct dp *dp, const char *name, int ifindex, enum dp_program program,
		   enum dp_hook hook, struct error *e)
{
	char path[BASE_MAX], device[IF_NAMESIZE];
	struct dp_place p = { .path = path, .device = device, .ifindex = ifindex };
	int err;

	err = link_path(dp, name, path, e);
	if (err)
		return err;
	if (!if_indextoname(ifindex, device))
		return error_set(e, -ENODEV, "there is no device number %d", ifindex);
	p.prog_fd = program_fd(dp, program, hook == DP_HOOK_TCX);
	if (p.prog_fd < 0)
		return error_set(e, p.prog_fd, "hubs are XDP, %s cannot be one on tcx", device);
	return hook == DP_HOOK_TCX ? to_tcx(dp, &p, e) :
				     to_xdp(dp, &p, hook == DP_HOOK_XDP_GENERIC, e);
}

int dp_port_detach(struct dp *dp, const char *name, struct error *e)
{
	char path[BASE_MAX];
	int err;

	err = link_path(dp, name, path, e);
	if (!err)
		err = remove_pin(path, e);
	return err ? err : leave_tcx(dp, path, "", e);
}

int dp_attach_refused(int err, const struct dp_place *p, const char *hook, struct error *e)
{
	if (err == -EPERM)
		return error_set(e, err, "not allowed to attach to %s: CAP_NET_ADMIN and CAP_BPF "
				 "are needed", p->device);
	return error_set(e, err, "cannot attach to %s in %s: %s", p->device, hook, strerror(-err));
}
