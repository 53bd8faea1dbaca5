/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * doctor_device.c - one device: driver, XDP, offloads that bite, MTU, queues
 *
 * What the driver can do with XDP the kernel says itself from 6.3 on; before, a
 * table of drivers has to do.
 */
#include <ctl/cli/doctor.h>

#include <errno.h>
#include <linux/if_link.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <agent/config_hook.h>
#include <ctl/cli/view.h>
#include <lib/ethtool.h>
#include <lib/nl.h>
#include <lib/xdp_features.h>

#define ONE_PAGE_MTU 3498u		/* a 4 KiB page less headroom, skb_shared_info and Ethernet */

/* Everything that is asked once and used by several checks. */
struct facts {
	const struct doctor_device *device;
	const char *name;
	struct nl_link link;
	char driver[32];
	uint64_t features;
	bool features_known;
	bool tcx;			/* the hook that the agent will choose, else XDP */
};

static bool is_driver(const struct facts *f, const char *name)
{
	return !strcmp(f->driver, name);
}

static void check_state(struct doctor *d, const struct facts *f)
{
	if (!f->link.ethernet)
		doctor_add(d, DOCTOR_REFUSED, f->name, "for a guest use a tap: ip tuntap add dev NAME mode tap",
			   "carries no Ethernet frames");
	if (!f->link.up)
		doctor_add(d, DOCTOR_REFUSED, f->name, view_fmt("ip link set dev %s up", f->name),
			   "is down");
	if (!strcmp(f->link.kind, "bond"))
		doctor_add(d, DOCTOR_OK, f->name, NULL, "a bond: XDP runs in the drivers of its members, "
			   "each of which must have it (Linux 5.15)");
	if (f->link.master)
		doctor_add(d, DOCTOR_SLOW, f->name, view_fmt("ip link set dev %s nomaster", f->name),
			   "is a port of a bridge or bond, which will no longer see the frames that "
			   "Mirach takes");
}

/*
 * The hook: by the agent's own rule. Only the guest's wish for TSO is not known
 * here, without which `auto` gives a veth XDP; the sentence says so by its reason.
 */
static void predict_hook(struct doctor *d, struct facts *f)
{
	const struct hook_facts hook = {
		.kind = f->link.kind,
		.uplink = !f->device->vport,
		.tags = f->device->vport && f->device->tags,
		.generic = f->device->generic,
		.vnet_hdr = f->link.vnet_hdr,
	};
	const char *why;

	f->tcx = hook_choose(f->device->hook, &hook, &why) == HOOK_TCX;
	doctor_add(d, DOCTOR_OK, f->name, NULL, "the hook will be %s: %s", f->tcx ? "tcx" : "xdp",
		   why);
}

/* Native XDP. */

static void say_features(struct doctor *d, const struct facts *f)
{
	bool native = f->features & XDP_FEATURE_BASIC && f->features & XDP_FEATURE_REDIRECT;

	if (!native)
		doctor_add(d, DOCTOR_REFUSED, f->name, "xdp_mode: generic (slow), or another device",
			   "driver %s has no native XDP with redirect", f->driver);
	else
		doctor_add(d, DOCTOR_OK, f->name, NULL, "driver %s, native XDP with redirect%s",
			   f->driver, f->features & XDP_FEATURE_RX_SG ? ", multi-buffer" : "");
	if (native && !(f->features & XDP_FEATURE_NDO_XMIT) && !is_driver(f, "veth"))
		doctor_add(d, DOCTOR_UNKNOWN, f->name, "attach a program first; if it stays so, another device",
			   "the driver does not take redirected frames now; some do once a program "
			   "is attached");
}

static void say_table(struct doctor *d, const struct facts *f)
{
	const struct doctor_driver *known = doctor_driver_find(f->driver);

	if (!known)
		doctor_add(d, DOCTOR_UNKNOWN, f->name, "try it: mirachd says so when it attaches",
			   "driver %s is not in the list of those known for XDP, and this kernel "
			   "does not say", f->driver);
	else if (!known->native_since)
		doctor_add(d, DOCTOR_REFUSED, f->name, "xdp_mode: generic (slow), or another device",
			   "driver %s has no native XDP", f->driver);
	else
		doctor_add(d, DOCTOR_OK, f->name, NULL, "driver %s, native XDP since %s, multi-buffer %s",
			   f->driver, known->native_since,
			   known->frags_since ? known->frags_since : "never");
}

static void check_native(struct doctor *d, const struct facts *f)
{
	if (f->tcx)
		return;
	if (f->device->generic)
		doctor_add(d, DOCTOR_SLOW, f->name, "xdp_mode: native",
			   "driver %s, generic mode by name: every frame is copied first", f->driver);
	else if (f->features_known)
		say_features(d, f);
	else
		say_table(d, f);
}

/* A program that is there already. Mirach's own are called mirach_*. */
static void check_occupied(struct doctor *d, const struct facts *f)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct bpf_prog_info info = {};
	__u32 len = sizeof(info);
	int fd;

	if (bpf_xdp_query(f->link.ifindex, 0, &query) || query.attach_mode == XDP_ATTACHED_NONE)
		return;
	fd = bpf_prog_get_fd_by_id(query.prog_id);
	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	if (!strncmp(info.name, "mirach_", strlen("mirach_")))
		doctor_add(d, DOCTOR_OK, f->name, NULL, "carries Mirach's %s already", info.name);
	else
		doctor_add(d, DOCTOR_REFUSED, f->name, view_fmt("ip link set dev %s xdp off", f->name),
			   "another XDP program is attached: %s, id %u", info.name, query.prog_id);
}

/* Offloads. A feature the device does not have is off. */

static bool feature_on(const struct facts *f, const char *feature)
{
	bool on;

	return !ethtool_feature_get(f->name, feature, &on) && on;
}

static void check_offloads(struct doctor *d, const struct facts *f)
{
	if (feature_on(f, "rx-lro") && !f->tcx)
		doctor_add(d, DOCTOR_REFUSED, f->name, view_fmt("ethtool -K %s lro off", f->name),
			   "LRO is on: drivers refuse XDP, or frames arrive merged");
	if (feature_on(f, "rx-gro-hw") && !f->tcx)
		doctor_add(d, DOCTOR_SLOW, f->name, view_fmt("ethtool -K %s rx-gro-hw off", f->name),
			   "hardware GRO is on: frames arrive merged, or the driver turns it off "
			   "with a break when a program is attached");
	if (f->device->tags && feature_on(f, "rx-vlan-hw-parse") && !is_driver(f, "veth"))
		doctor_add(d, DOCTOR_REFUSED, f->name, view_fmt("ethtool -K %s rxvlan off", f->name),
			   "the device takes VLAN tags off before XDP sees them");
	if (f->device->tags && is_driver(f, "veth"))
		doctor_add(d, DOCTOR_UNKNOWN, f->name, "in the guest: ethtool -K DEVICE txvlan off",
			   "tags that the other end leaves to the device are hidden from XDP");
}

/* The two kinds of devices that guests have. */
static void check_guest(struct doctor *d, const struct facts *f)
{
	if (!f->device->vport)
		return;
	if (is_driver(f, "veth") && !f->device->guest_reached && f->tcx)
		doctor_add(d, DOCTOR_UNKNOWN, f->name,
			   "give the vport its netns, or in the guest: ethtool -K DEVICE gro on",
			   "the guest's end must run NAPI, or first packets of flows and those of "
			   "XDP uplinks are lost");
	else if (is_driver(f, "veth") && !f->device->guest_reached)
		doctor_add(d, DOCTOR_UNKNOWN, f->name,
			   "give the vport its netns, or in the guest: ethtool -K DEVICE "
			   "tx-checksum-ip-generic off gro on",
			   "the guest's end must finish checksums and run NAPI, or TCP and "
			   "redirected frames are lost");
	if (is_driver(f, "veth") && !f->tcx)
		doctor_add(d, DOCTOR_SLOW, f->name, NULL,
			   "veth with XDP carries no TSO super-packets: the guest's stack segments");
	if (is_driver(f, "tun") && f->link.vnet_hdr && !f->tcx)
		doctor_add(d, DOCTOR_REFUSED, f->name,
			   "QEMU: -device virtio-net-pci,csum=off,gso=off,host_tso4=off,host_tso6=off,"
			   "host_ufo=off", "the tap has a vnet header: its guest may send unfinished "
			   "checksums and super-packets");
}

static void check_mtu(struct doctor *d, const struct facts *f)
{
	if (f->link.mtu <= ONE_PAGE_MTU)
		return;
	if (f->features_known && !(f->features & XDP_FEATURE_RX_SG) && !f->device->generic && !f->tcx)
		doctor_add(d, DOCTOR_REFUSED, f->name,
			   view_fmt("ip link set dev %s mtu %u", f->name, ONE_PAGE_MTU),
			   "MTU %u is more than one buffer, and the driver has no multi-buffer XDP",
			   f->link.mtu);
	else
		doctor_add(d, DOCTOR_SLOW, f->name,
			   view_fmt("ip link set dev %s mtu %u", f->name, ONE_PAGE_MTU),
			   "MTU %u: larger frames take several buffers, and the first packet of a "
			   "flow is lost if it has more than %u bytes", f->link.mtu, hub_packet_max());
}

static void check_queues(struct doctor *d, const struct facts *f)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct ethtool_queues q;

	if (f->link.queues)
		doctor_add(d, DOCTOR_OK, f->name, NULL, "a tap with several queues, %u open", f->link.queues);
	if (ethtool_channels(f->name, &q))
		return;
	if (q.rx < cpus && q.rx < q.rx_max)
		doctor_add(d, DOCTOR_SLOW, f->name,
			   view_fmt("ethtool -L %s combined N, or rx N", f->name),
			   "%u of %u receive queues in use on %ld CPUs", q.rx, q.rx_max, cpus);
	else
		doctor_add(d, DOCTOR_OK, f->name, NULL, "%u receive queues on %ld CPUs", q.rx, cpus);
}

static int gather(struct facts *f)
{
	struct error e;
	struct nl *nl;
	int err;

	err = nl_new(&nl, &e);
	if (err)
		return err;
	err = nl_link_by_name(nl, f->name, &f->link);
	nl_free(nl);
	if (err)
		return err;
	if (ethtool_driver(f->name, f->driver, sizeof(f->driver)))
		strcpy(f->driver, "unknown");
	f->features_known = !xdp_features(f->link.ifindex, &f->features);
	return 0;
}

static void (*const checks[])(struct doctor *d, const struct facts *f) = {
	check_state, check_native, check_occupied, check_offloads, check_guest, check_mtu, check_queues,
};

void doctor_device(struct doctor *d, const struct doctor_device *device)
{
	struct facts f = { .device = device, .name = device->name };
	int err = gather(&f);

	if (err == -ENODEV) {
		doctor_add(d, device->vport ? DOCTOR_UNKNOWN : DOCTOR_REFUSED, device->name,
			   "make it; mirachd attaches when it appears",
			   "there is no such device in this network namespace now");
		return;
	}
	if (err) {
		doctor_add(d, DOCTOR_UNKNOWN, device->name, NULL, "cannot be asked about: %s",
			   strerror(-err));
		return;
	}
	predict_hook(d, &f);
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		checks[i](d, &f);
}
