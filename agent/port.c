/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.c - makes the kernel agree with one port; the order of things is in port_settle()
 */
#include <agent/port.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/config_hook.h>
#include <agent/guest.h>
#include <agent/hub.h>
#include <agent/port_words.h>
#include <lib/ethtool.h>
#include <lib/log.h>
#include <mirach/flow.h>
#include <mirach/wire.h>

#define CHECKSUMS "tx-checksum-ip-generic"
#define GRO "rx-gro"
#define MTU_UNSEEN 1500u		/* until the device has been seen */

const char *port_label(const struct vport *v)
{
	return v->port.name + strlen(v->uplink ? PORT_UPLINK_PREFIX : PORT_VPORT_PREFIX);
}

/* Declarations. */

/* @changed is set if the text is another one. */
static int replace(char **text, const char *with, bool *changed)
{
	char *copy = with ? strdup(with) : NULL;

	if (with && !copy)
		return -ENOMEM;
	*changed |= !*text || !with ? *text != with : strcmp(*text, with) != 0;
	free(*text);
	*text = copy;
	return 0;
}

static void name_device(struct vport *v, const char *device)
{
	if (strncmp(v->device, device, sizeof(v->device)))
		v->driver[0] = '\0';
	snprintf(v->device, sizeof(v->device), "%s", device);
}

/* True if the port has to be attached: for the first time, after a refusal, or at another hook. */
static bool set_hook(struct vport *v, enum config_hook wish, enum config_xdp_mode mode)
{
	bool changed = v->wish != wish || v->xdp_mode != mode;

	v->wish = wish;
	v->xdp_mode = mode;
	return !v->life.attached || changed;
}

/*
 * With hoverboards the host answers for all of the subnet. Of a guest in two subnets of a family
 * only one can be noted: then for all addresses of the family.
 */
static void name_gateway(struct vport *v, unsigned int family, const struct config_network *network,
			 const struct config_subnet *subnet)
{
	bool first = ip_addr_is_zero(&v->port.gateway[family]);

	if (first)
		v->port.gateway[family] = subnet->gateway;
	if (!network->n_hoverboards)
		return;
	if (first)
		v->port.proxy[family] = subnet->prefix.len + 1;
	else if (!ip_prefix_covers(&subnet->prefix, &v->port.gateway[family]))
		v->port.proxy[family] = (family ? 0 : 96) + 1;
}

/*
 * The virtual gateway of the guest's subnets, one a family, in whose name the
 * fast path sends ICMP errors. The first that covers one of the guest's addresses.
 */
static void name_gateways(struct vport *v, const struct config_network *network)
{
	memset(v->port.gateway, 0, sizeof(v->port.gateway));
	memset(v->port.proxy, 0, sizeof(v->port.proxy));
	for (unsigned int i = 0; i < v->n_addrs; i++) {
		unsigned int family = !ip_addr_is_v4(&v->addrs[i]);

		for (unsigned int k = 0; k < network->n_subnets; k++)
			if (ip_prefix_covers(&network->subnets[k].prefix, &v->addrs[i]))
				name_gateway(v, family, network, &network->subnets[k]);
	}
}

int port_declare_vport(struct vport *v, const struct port_tools *t, const struct config *config,
		       unsigned int i)
{
	const struct config_vport *c = &config->vports[i];
	const struct config_network *network = &config->networks[c->network];
	bool renamed = false, again = set_hook(v, c->hook, c->xdp_mode);

	if (replace(&v->network, network->name, &renamed) ||
	    replace(&v->netns, c->netns, &again) ||
	    replace(&v->guest_device, c->guest_device, &again))
		return -ENOMEM;
	name_device(v, c->device);
	again |= !v->vlan[0] != !c->vlan[0];
	memcpy(v->addrs, c->addrs, sizeof(v->addrs));
	v->n_addrs = c->n_addrs;
	memcpy(v->vlan, c->vlan, sizeof(v->vlan));
	v->port.kind = PORT_VPORT;
	v->port.vni = network->vni;
	v->port.hub = t->hub_slot;
	v->port.miss_rate = c->miss_rate;
	v->port.miss_burst = c->miss_burst;
	memcpy(v->port.mac, c->mac, ETH_ADDR_LEN);
	name_gateways(v, network);
	if (again)
		port_life_again(&v->life, c->netns != NULL);
	return 0;
}

void port_declare_uplink(struct vport *v, const struct port_tools *t, const struct config *config,
			 unsigned int i)
{
	const struct config_uplink *c = &config->uplinks[i];

	if (set_hook(v, c->hook, c->xdp_mode) |
	    (!(v->port.flags & PORT_HOVERBOARD) != (config->role != ROLE_HOVERBOARD)))
		port_life_again(&v->life, false);
	name_device(v, c->device);
	v->port.kind = PORT_UPLINK;
	v->port.flags &= ~PORT_HOVERBOARD;
	if (config->role == ROLE_HOVERBOARD)
		v->port.flags |= PORT_HOVERBOARD;
	v->port.hub = t->hub_slot;
	v->port.tunnel = config->tunnel;
	v->port.tunnel_port = wire16(config->tunnel_port);
	v->port.vlan = c->vlan ? c->vlan | FLOW_VLAN_PRESENT : 0;
	v->port.miss_rate = config->fabric_miss_rate;
	v->port.miss_burst = config->fabric_miss_burst;
	memcpy(v->port.underlay, config->underlay, sizeof(v->port.underlay));
}

void port_free(struct vport *v)
{
	if (!v)
		return;
	free(v->network);
	free(v->netns);
	free(v->guest_device);
	free(v);
}

/* Words. */

static void describe(struct vport *v)
{
	const struct port_facts facts = {
		.device = v->device,
		.kind = v->link.kind,
		.driver = v->driver,
		.guest_device = v->guest_device,
		.refused = v->refused.err ? v->refused.text : NULL,
		.unprepared = v->unprepared.err ? v->unprepared.text : NULL,
		.mtu = v->link.mtu,
		.queues = v->link.queues,
		.hub_max = hub_packet_max(),
		.uplink = v->uplink,
		.hook = v->hook,
		.because = v->because,
		.has_tcx = v->has_tcx,
		.present = v->link.ifindex,
		.ethernet = v->link.ethernet,
		.up = v->link.up,
		.carrier = v->link.carrier,
		.vnet_hdr = v->link.vnet_hdr,
		.has_netns = v->netns,
	};
	char problem[sizeof(v->problem)];

	port_why(&facts, v->why, sizeof(v->why));
	port_problem(&facts, problem, sizeof(problem));
	if (!strcmp(problem, v->problem))
		return;
	if (problem[0])
		log_warn("port has a problem", "port", v->port.name, "problem", problem);
	else
		log_info("port is well again", "port", v->port.name);
	memcpy(v->problem, problem, sizeof(problem));
}

static void log_attached(const struct vport *v)
{
	log_info("port attached", "port", v->port.name, "device", v->device, "slot",
		 log_fmt("%u", v->slot), "ifindex", log_fmt("%d", v->link.ifindex), "hook",
		 port_hook(v->hook), "mode",
		 port_mode(v->hook, v->has_tcx));
	if (v->hook == DP_HOOK_XDP_GENERIC)
		log_warn("generic XDP: several times slower than native", "port", v->port.name);
}

/* Writing the slot. */

static bool in_force(const struct vport *v, const struct port_tools *t, const struct port *port,
		     bool mute)
{
	return !v->unsure && v->muted == mute &&
	       !memcmp(&dp_ports(t->dp)[v->slot], port, sizeof(*port));
}

/*
 * @here: the device is this port's. One that is not usable is muted only: the
 * first frame it sends when it comes up must find its port.
 */
static int publish(struct vport *v, const struct port_tools *t, bool here, struct error *e)
{
	bool mute = here && !v->life.usable;
	struct port port = v->port;
	int err = 0;

	port.ifindex = here ? v->link.ifindex : 0;
	port.flags |= mute ? PORT_MUTED : 0;
	if (!v->uplink)
		err = underlay_local_set(t->underlay, v->slot, port.mtu, e);
	if (err || in_force(v, t, &port, mute))
		return err;
	err = dp_port_set(t->dp, v->slot, &port, e);
	if (!err)
		err = dp_port_members(t->dp, v->slot, v->members, here ? v->n_members : 0, e);
	if (!err && mute)
		err = dp_port_mute(t->dp, v->slot, e);
	v->muted = mute;
	v->unsure = err;
	return err;
}

/* The device. */

static bool is_veth(const struct vport *v)
{
	return !strcmp(v->link.kind, "veth");
}

static void set_flag(struct vport *v, uint32_t flag, bool on)
{
	v->port.flags = on ? v->port.flags | flag : v->port.flags & ~flag;
}

/* Whose frames are this port's, too: a bond's members, and the tunnel device. A change is one of the slot. */
static void look_at_members(struct vport *v, const struct port_tools *t)
{
	int members[PORT_MEMBERS_MAX] = {};
	unsigned int n = 0;

	if (!strcmp(v->link.kind, "bond"))
		nl_link_members(t->nl, v->link.ifindex, members, &n);
	if (t->gro->slot == v->slot && t->gro->ifindex)
		members[n++] = t->gro->ifindex;
	if (n == v->n_members && !memcmp(members, v->members, sizeof(members)))
		return;
	memcpy(v->members, members, sizeof(members));
	v->n_members = n;
	v->unsure = true;
}

static void look(struct vport *v, const struct port_tools *t)
{
	int was = v->link.ifindex;

	if (nl_link_by_name(t->nl, v->device, &v->link))
		v->link = (struct nl_link){};
	if (v->link.ifindex && (v->link.ifindex != was || !v->driver[0]) &&
	    ethtool_driver(v->device, v->driver, sizeof(v->driver)))
		snprintf(v->driver, sizeof(v->driver), "%s", v->link.kind);
	if (v->link.mtu)
		v->port.mtu = v->link.mtu;
	if (!v->port.mtu)
		v->port.mtu = MTU_UNSEEN;
	if (v->uplink && v->link.ifindex)
		memcpy(v->port.mac, v->link.mac, ETH_ADDR_LEN);
	look_at_members(v, t);
	set_flag(v, PORT_REDIRECT_PEER, !v->uplink && is_veth(v) && v->link.peer_elsewhere);
	set_flag(v, PORT_NO_TUNNELLED, !v->uplink && !is_veth(v));
}

static unsigned int next(struct vport *v, uint64_t now_ns)
{
	const struct port_device device = {
		.ifindex = v->link.ifindex,
		.mtu = v->link.mtu,
		.usable = v->link.up && v->link.carrier,
	};

	return port_life_look(&v->life, &device, now_ns);
}

static void let_go(struct vport *v, const struct port_tools *t)
{
	struct error e = {};

	v->refused = v->unprepared = (struct error){};
	set_flag(v, PORT_FINISHES, false);	/* the next guest is a new one */
	if (dp_port_detach(t->dp, v->port.name, &e) || publish(v, t, false, &e))
		log_error("port not detached", "port", v->port.name, "error", e.text);
	else
		log_info("device gone, port detached", "port", v->port.name, "device", v->device);
}

void port_let_go(struct vport *v, const struct port_tools *t, bool gone, uint64_t now_ns)
{
	unsigned int todo;

	if (gone)
		v->link = (struct nl_link){};
	else
		look(v, t);
	todo = next(v, now_ns);
	if (todo & PORT_DETACH)
		let_go(v, t);
}

static bool prepare(struct vport *v, struct error *e)
{
	bool finished = v->port.flags & PORT_FINISHES;
	int err = guest_prepare(v->netns, v->link.ifindex, v->guest_device,
				v->hook != DP_HOOK_TCX, &finished, e);

	set_flag(v, PORT_FINISHES, finished);
	return !err;
}

/* Seen to use no TSO. A guest out of reach is taken to be like most. */
static bool is_plain_guest(const struct vport *v)
{
	bool offloads;

	return v->netns && is_veth(v) &&
	       !guest_offloads(v->netns, v->link.ifindex, v->guest_device, &offloads, NULL) &&
	       !offloads;
}

static void choose_hook(struct vport *v)
{
	const struct hook_facts facts = {
		.kind = v->link.kind,
		.uplink = v->uplink,
		.tags = v->vlan[0],
		.generic = v->xdp_mode == XDP_MODE_GENERIC,
		.vnet_hdr = v->link.vnet_hdr,
		.plain_guest = v->wish == HOOK_AUTO && !v->uplink && is_plain_guest(v),
	};

	v->hook = hook_choose(v->wish, &facts, &v->because) == HOOK_TCX ? DP_HOOK_TCX :
		  facts.generic ? DP_HOOK_XDP_GENERIC : DP_HOOK_XDP_NATIVE;
}

/*
 * A veth whose other end carries XDP cannot have TSO. Frames to it must have finished
 * checksums, which in life a NIC sees to. Given back when the program is gone.
 */
static void finish_for_peer(struct vport *v)
{
	const bool ours = v->port.flags & PORT_FINISHES;
	bool tso, checksums;

	if (!v->uplink || !is_veth(v) ||
	    ethtool_feature_available(v->device, "tx-tcp-segmentation", &tso) ||
	    ethtool_feature_get(v->device, CHECKSUMS, &checksums))
		return;
	if (!tso && checksums) {
		ethtool_feature_set(v->device, CHECKSUMS, false);
		set_flag(v, PORT_FINISHES, true);
	} else if (tso && ours) {
		ethtool_feature_set(v->device, CHECKSUMS, true);
		set_flag(v, PORT_FINISHES, false);
	}
}

/*
 * First packets of the other end's flows come out of its hub, redirected by XDP, and a veth
 * takes those only with XDP of its own or with NAPI, which GRO brings.
 */
static void take_redirects(const struct vport *v)
{
	if (v->uplink && v->life.attached && is_veth(v) && v->hook == DP_HOOK_TCX)
		ethtool_feature_set(v->device, GRO, true);
}

static void keep_gro(struct vport *v, const struct port_tools *t)
{
	if (!v->uplink || !v->life.attached)
		return;
	if (v->hook == DP_HOOK_TCX)
		gro_keep(t->gro, t->dp, v->slot, &v->port);
	else
		gro_leave(t->gro, v->slot);
	look_at_members(v, t);
}

/* The slot first, so that the program knows the port when the first frame comes. */
static int attach(struct vport *v, const struct port_tools *t, struct error *e)
{
	int err;

	if (!v->link.ethernet)
		return error_set(e, -EINVAL, "%s is not an Ethernet device", v->device);
	err = publish(v, t, true, e);
	if (err)
		return err;
	choose_hook(v);
	if (v->hook != DP_HOOK_TCX && v->netns)
		prepare(v, NULL);	/* before XDP sees an unfinished checksum; PORT_PREPARE says what failed */
	return dp_port_attach(t->dp, v->port.name, v->link.ifindex,
			      v->uplink ? DP_INGRESS : DP_EGRESS, v->hook, e);
}

static void try_attach(struct vport *v, const struct port_tools *t, uint64_t now_ns)
{
	v->refused = (struct error){};
	port_life_attached(&v->life, !attach(v, t, &v->refused), now_ns);
	if (!v->refused.err)
		log_attached(v);
}

static void try_prepare(struct vport *v, uint64_t now_ns)
{
	v->unprepared = (struct error){};
	port_life_prepared(&v->life, prepare(v, &v->unprepared), now_ns);
}

void port_settle(struct vport *v, const struct port_tools *t, uint64_t now_ns)
{
	struct error e = {};
	unsigned int todo;

	v->has_tcx = dp_has_tcx(t->dp);
	look(v, t);
	while ((todo = next(v, now_ns))) {
		if (todo & PORT_DETACH)
			let_go(v, t);
		if (todo & PORT_ATTACH)
			try_attach(v, t, now_ns);
		if (todo & PORT_PREPARE)
			try_prepare(v, now_ns);
	}
	if (!v->life.has_guest)
		v->unprepared = (struct error){};
	finish_for_peer(v);
	take_redirects(v);
	keep_gro(v, t);
	if (publish(v, t, v->life.attached, &e))
		log_error("port not written", "port", v->port.name, "error", e.text);
	describe(v);
}

void port_remove(const struct port_tools *t, uint32_t slot, const char *name)
{
	struct error e = {};

	gro_leave(t->gro, slot);
	underlay_local_release(t->underlay, slot);
	if (*name && dp_port_detach(t->dp, name, &e))
		log_error("port not detached", "port", name, "error", e.text);
	if (dp_port_clear(t->dp, slot, &e))
		log_error("port slot not cleared", "port", name, "error", e.text);
	log_info("port removed", "port", name, "slot", log_fmt("%u", slot));
}

void port_show(const struct vport *v, struct vport_view *ret)
{
	*ret = (struct vport_view){
		.name = port_label(v),
		.device = v->device,
		.network = v->network ? v->network : "",
		.slot = v->slot,
		.vni = v->port.vni,
		.ifindex = v->link.ifindex,
		.uplink = v->uplink,
		.state = v->life.state,
		.driver = v->driver,
		.hook = port_hook(v->hook),
		.mode = port_mode(v->hook, v->has_tcx),
		.why = v->why,
		.problem = v->problem,
		.addrs = v->addrs,
		.n_addrs = v->n_addrs,
		.vlan = { v->vlan[0], v->vlan[1] },
		.mtu = v->port.mtu,
		.miss_rate = v->port.miss_rate,
	};
	memcpy(ret->mac, v->port.mac, ETH_ADDR_LEN);
}
