// SPDX-License-Identifier: BSD-2-Clause
/*
 * config_hook.c - hook_choose(): the first rule that applies decides
 */
#include <agent/config_hook.h>

#include <string.h>

struct rule {
	bool (*applies)(enum config_hook wish, const struct hook_facts *f);
	enum config_hook hook;
	const char *why;
};

static bool wants_xdp(enum config_hook wish, const struct hook_facts *f)
{
	(void)f;
	return wish == HOOK_XDP;
}

static bool wants_tcx(enum config_hook wish, const struct hook_facts *f)
{
	(void)f;
	return wish == HOOK_TCX;
}

static bool wants_generic(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return f->generic;
}

static bool is_veth_uplink(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return f->uplink && !strcmp(f->kind, "veth");
}

static bool is_uplink(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return f->uplink;
}

static bool has_tags(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return f->tags;
}

static bool is_plain_veth(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return !strcmp(f->kind, "veth") && f->plain_guest;
}

static bool is_veth(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return !strcmp(f->kind, "veth");
}

static bool is_offloading_tap(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	return !strcmp(f->kind, "tun") && f->vnet_hdr;
}

static bool always(enum config_hook wish, const struct hook_facts *f)
{
	(void)wish;
	(void)f;
	return true;
}

static const struct rule rules[] = {
	{ wants_xdp, HOOK_XDP, "the configuration asks for it" },
	{ wants_tcx, HOOK_TCX, "the configuration asks for it" },
	{ wants_generic, HOOK_XDP, "the configuration asks for its generic mode" },
	{ is_veth_uplink, HOOK_TCX, "a veth carries super-packets whole, and XDP would cost its other end the TSO" },
	{ is_uplink, HOOK_XDP, "frames from the wire are cheapest before the kernel allocates a packet" },
	{ has_tags, HOOK_XDP, "VLAN tags are in the frame there, not beside it" },
	{ is_plain_veth, HOOK_XDP, "the guest uses no TSO, so nothing is lost and small frames gain" },
	{ is_veth, HOOK_TCX, "the guest's super-packets stay whole and its checksums may be unfinished" },
	{ is_offloading_tap, HOOK_TCX, "the tap has a vnet header, so its guest may send super-packets and unfinished checksums" },
	{ always, HOOK_XDP, "the device hands over finished frames" },
};

enum config_hook hook_choose(enum config_hook wish, const struct hook_facts *f,
			     const char **ret_why)
{
	const struct rule *rule = rules;

	while (!rule->applies(wish, f))
		rule++;
	*ret_why = rule->why;
	return rule->hook;
}
