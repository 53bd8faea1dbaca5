/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port_words.c - sentences about ports; port_problem() is the order of gravity
 */
#include <agent/port_words.h>

#include <stdio.h>
#include <string.h>


static bool is_kind(const struct port_facts *f, const char *kind)
{
	return !strcmp(f->kind, kind);
}

const char *port_hook(enum dp_hook hook)
{
	return hook == DP_HOOK_TCX ? "tcx" : "xdp";
}

const char *port_mode(enum dp_hook hook, bool has_tcx)
{
	if (hook == DP_HOOK_TCX)
		return has_tcx ? "link" : "clsact";
	return hook == DP_HOOK_XDP_GENERIC ? "generic" : "native";
}

const char *port_why(const struct port_facts *f, char *buf, size_t len)
{
	if (!f->because)
		snprintf(buf, len, "not attached yet: the device decides");
	else if (f->hook == DP_HOOK_XDP_GENERIC)
		snprintf(buf, len, "xdp: %s; generic mode because it is asked for by name: every "
			 "frame is copied first, several times slower than native", f->because);
	else if (f->hook == DP_HOOK_TCX)
		snprintf(buf, len, "tcx: %s%s", f->because, f->has_tcx ? "" :
			 "; by a clsact filter, this kernel has no tcx (6.6)");
	else
		snprintf(buf, len, "xdp: %s; native mode, in the driver%s%s%s", f->because,
			 f->driver[0] ? " " : "", f->driver,
			 is_kind(f, "tun") ? " (frames above about 3.5 kB in the generic path)" :
			 is_kind(f, "bond") ? " (in the drivers of the bond's members)" : "");
	if (f->because && f->queues > 1)
		snprintf(buf + strlen(buf), len - strlen(buf), "; on each of its %u queues", f->queues);
	return buf;
}

static void absent(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "there is no device %s in the agent's network namespace; it will be "
		 "attached when it appears", f->device);
}

static void not_ethernet(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s carries no Ethernet frames%s", f->device,
		 is_kind(f, "tun") ? "; use a tap: ip tuntap add dev NAME mode tap" : "");
}

static void down(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s is down: ip link set dev %s up", f->device, f->device);
}

static void no_carrier(const struct port_facts *f, char *buf, size_t len)
{
	const char *cause = is_kind(f, "veth") ? "bring up its other end" :
			    is_kind(f, "tun") ? "no virtual machine has the tap open" :
						"no link, look at the cable and the switch";

	snprintf(buf, len, "%s has no carrier: %s", f->device, cause);
}

/* On tcx only what XDP redirects to the guest is at stake. */
static void veth_unreached_tcx(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "the guest's end of %s is out of reach (vport has no netns) and must run NAPI, "
		 "or first packets of flows and those of XDP uplinks do not get into it. In the "
		 "guest: ethtool -K %s gro on", f->device,
		 f->guest_device ? f->guest_device : "DEVICE");
}

static void veth_unreached(const struct port_facts *f, char *buf, size_t len)
{
	const char *guest = f->guest_device ? f->guest_device : "DEVICE";

	snprintf(buf, len, "the guest's end of %s is out of reach (vport has no netns) and must be set "
		 "by hand, or TCP and UDP leave it with unfinished checksums and frames redirected to "
		 "it are dropped because it does not run NAPI. In the guest: ethtool -K %s "
		 "tx-checksum-ip-generic off && ethtool -K %s gro on", f->device, guest, guest);
}

static void veth_unprepared(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "the guest's end of %s could not be set, so %sframes to it may be dropped; "
		 "will be tried again: %s", f->device, f->hook == DP_HOOK_TCX ? "" :
		 "TCP and UDP may leave it with unfinished checksums and ", f->unprepared);
}

static void tap_offloads(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s was opened with a vnet header, so its guest may send unfinished checksums "
		 "and super-packets, which XDP does not finish: start QEMU with -device virtio-net-pci,"
		 "csum=off,gso=off,host_tso4=off,host_tso6=off,host_ufo=off, or in the guest: ethtool -K "
		 "DEVICE tx off tso off", f->device);
}

static void big_frames(const struct port_facts *f, char *buf, size_t len)
{
	snprintf(buf, len, "%s has MTU %u, but the first packet of a flow must fit the hub: larger ones "
		 "than %u bytes are dropped as too_big until the flow is known; ip link set dev %s mtu %u on both "
		 "ends avoids it", f->device, f->mtu, f->hub_max, f->device, f->hub_max);
}

const char *port_problem(const struct port_facts *f, char *buf, size_t len)
{
	buf[0] = '\0';
	if (!f->present)
		absent(f, buf, len);
	else if (!f->ethernet)
		not_ethernet(f, buf, len);
	else if (f->refused)
		snprintf(buf, len, "%s", f->refused);
	else if (!f->up)
		down(f, buf, len);
	else if (!f->carrier)
		no_carrier(f, buf, len);
	else if (f->unprepared)
		veth_unprepared(f, buf, len);
	else if (!f->uplink && is_kind(f, "veth") && !f->has_netns)
		(f->hook == DP_HOOK_TCX ? veth_unreached_tcx : veth_unreached)(f, buf, len);
	else if (!f->uplink && is_kind(f, "tun") && f->vnet_hdr && f->hook != DP_HOOK_TCX)
		tap_offloads(f, buf, len);
	else if (!f->uplink && f->mtu > f->hub_max)
		big_frames(f, buf, len);
	return buf;
}
