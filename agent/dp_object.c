// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_object.c - loads the two BPF objects, one per hook, over one set of maps
 *
 *	mirach_xdp   owns the maps: made and pinned, or taken from their pins
 *	mirach_tcx   is given the first one's descriptors, whatever their origin
 *
 * Sizes and constants come from the set's record (struct abi_record): both
 * objects must agree on the secret, or a flow published for one hook would not be
 * found by the other.
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <agent/hub.h>
#include <mirach_tcx.skel.h>
#include <mirach_xdp.skel.h>

int dp_other_set(const char *dir, struct error *e, const char *fmt, ...)
{
	char what[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	return error_set(e, -EEXIST,
			 "the maps pinned under %s are of another kind (%s): run mirachd "
			 "--teardown, which ends their traffic, and start again", dir, what);
}

/*
 * The kernel adds BPF_F_RDONLY_PROG to a devmap, though nobody may ask for it; libbpf's own
 * reuse of pinned maps (1.1, Debian 12) takes this for another map, hence ours.
 */
static bool same_kind(const struct bpf_map *map, const struct bpf_map_info *there)
{
	return there->type == bpf_map__type(map) && there->key_size == bpf_map__key_size(map) &&
	       there->value_size == bpf_map__value_size(map) &&
	       there->max_entries == bpf_map__max_entries(map) &&
	       (there->map_flags & ~BPF_F_RDONLY_PROG) ==
	       (bpf_map__map_flags(map) & ~BPF_F_RDONLY_PROG);
}

/* Takes the pinned map in place of a new one. One that is missing is left to the load. */
static int reuse_map(struct dp *dp, struct bpf_map *map, struct error *e)
{
	const char *path = bpf_map__pin_path(map);
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int fd, err;

	if (!path)
		return 0;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return error_set(e, fd, "cannot open %s: %s", path, strerror(-fd));
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err)
		error_set(e, err, "cannot inspect %s: %s", path, strerror(-err));
	else if (!same_kind(map, &info))
		err = dp_other_set(dp->dir, e, "map %s has another form", bpf_map__name(map));
	else if (bpf_map__reuse_fd(map, fd) || bpf_map__set_pin_path(map, NULL))
		err = error_set(e, -ENOMEM, "no memory to adopt %s", path);
	close(fd);
	return err;
}

static bool locked_down(void)
{
	char text[80] = "";
	FILE *f = fopen("/sys/kernel/security/lockdown", "re");

	if (!f)
		return false;
	if (!fgets(text, sizeof(text), f))
		text[0] = '\0';
	fclose(f);
	return strstr(text, "[confidentiality]");
}

static int load_refused(int err, struct error *e)
{
	const char *why = "";

	switch (-err) {
	case EPERM:
		why = locked_down() ?
		      " (the kernel is locked down: boot it with lockdown=integrity)" :
		      " (CAP_BPF and CAP_NET_ADMIN are needed)";
		break;
	case ENOMEM:
	case E2BIG:
		why = " (not enough memory for the maps: lower limits.flows)";
		break;
	case EACCES:
	case EINVAL:
		why = access("/sys/kernel/btf/vmlinux", R_OK) ?
		      " (this kernel has no BTF: 6.1 with CONFIG_DEBUG_INFO_BTF or newer)" :
		      " (6.1 or newer is needed; --log-level debug shows the verifier's words)";
		break;
	}
	return error_set(e, err, "the kernel refuses the datapath: %s%s", strerror(-err), why);
}

/* Sizes maps and constants after dp->abi. */
static int shape_object(struct dp *dp)
{
	struct mirach_xdp *skel = dp->skel;
	int err;

	memcpy(skel->rodata->flow_secret, dp->abi.secret, sizeof(skel->rodata->flow_secret));
	skel->rodata->flow_bucket_mask = dp->abi.n_buckets - 1;
	skel->rodata->hub_packet_max = hub_packet_max();
	skel->rodata->endpoint_bucket_mask = endpoint_buckets(dp->abi.n_endpoints) - 1;
	err = bpf_map__set_max_entries(skel->maps.flow_index, dp->abi.n_buckets);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.flows, dp->abi.n_flows);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.flow_stats, dp->abi.n_flows);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.endpoint_index,
					       endpoint_buckets(dp->abi.n_endpoints));
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.endpoints, dp->abi.n_endpoints);
	return err;
}

static int load_first(struct dp *dp, struct error *e)
{
	char maps_dir[PATH_MAX];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .pin_root_path = maps_dir);
	struct bpf_map *map;
	int err;

	snprintf(maps_dir, sizeof(maps_dir), "%s/maps", dp->dir);
	dp->skel = mirach_xdp__open_opts(&opts);
	if (!dp->skel)
		return error_set(e, -errno, "cannot open the datapath's object: %s",
				 strerror(errno));
	err = shape_object(dp);
	if (err)
		return error_set(e, err, "cannot size the maps: %s", strerror(-err));
	bpf_object__for_each_map(map, dp->skel->obj) {
		err = dp->adopted ? reuse_map(dp, map, e) : 0;
		if (err)
			return err;
	}
	if (!dp->adopted && bpf_map__set_pin_path(dp->skel->maps.abi, NULL))
		return error_set(e, -ENOMEM, "no memory to load the datapath");
	err = mirach_xdp__load(dp->skel);
	return err ? load_refused(err, e) : 0;
}

/* The second object has the same maps by the same names, and some less. */
static int share_maps(struct dp *dp)
{
	struct bpf_map *map, *owner;
	int err = 0;

	bpf_object__for_each_map(map, dp->tcx->obj) {
		if (bpf_map__is_internal(map))
			continue;
		owner = bpf_object__find_map_by_name(dp->skel->obj, bpf_map__name(map));
		if (!owner && !bpf_map__pin_path(map))
			continue;	/* its own */
		err = owner ? bpf_map__set_pin_path(map, NULL) : -ENOENT;
		if (!err)
			err = bpf_map__reuse_fd(map, bpf_map__fd(owner));
		if (err)
			break;
	}
	return err;
}

static int load_second(struct dp *dp, struct error *e)
{
	int err;

	dp->tcx = mirach_tcx__open();
	if (!dp->tcx)
		return error_set(e, -errno, "cannot open the datapath's object for tcx: %s",
				 strerror(errno));
	memcpy(dp->tcx->rodata->flow_secret, dp->abi.secret, sizeof(dp->abi.secret));
	dp->tcx->rodata->flow_bucket_mask = dp->abi.n_buckets - 1;
	dp->tcx->rodata->hub_packet_max = hub_packet_max();
	dp->tcx->rodata->endpoint_bucket_mask = endpoint_buckets(dp->abi.n_endpoints) - 1;
	err = share_maps(dp);
	if (err)
		return error_set(e, err, "cannot share the maps between the hooks: %s",
				 strerror(-err));
	err = mirach_tcx__load(dp->tcx);
	return err ? load_refused(err, e) : 0;
}

int dp_object_load(struct dp *dp, struct error *e)
{
	int err = load_first(dp, e);

	if (!err)
		err = load_second(dp, e);
	if (!err && !dp->no_tcx)
		dp->no_tcx = !dp_tcx_known(bpf_program__fd(dp->tcx->progs.mirach_tcx_egress));
	return err;
}

void dp_object_close(struct dp *dp)
{
	mirach_tcx__destroy(dp->tcx);
	mirach_xdp__destroy(dp->skel);
}
