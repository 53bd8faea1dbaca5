// SPDX-License-Identifier: GPL-2.0-only
/*
 * floor.bpf.c - the least anyone could do, to compare with
 *
 *   floor_egress    one hash lookup, a fixed VXLAN header in front, redirect
 *   floor_ingress   the header off again, redirect
 *   floor_deliver   the same, with a hash lookup to find the guest
 *   floor_bare      redirect
 *   floor_empty     nothing
 *
 * IPv4 in IPv4, no options, no tags, no counters, one destination; nothing is
 * verified that a packet of this bench could not fail. What a virtual network
 * costs is what it takes beyond this.
 */
#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

#include <mirach/wire.h>
#include <selftests/bench/floor.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FLOOR_FLOWS_MAX);
	__type(key, struct floor_key);
	__type(value, __u32);			/* key of floor_devs */
} floor_flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, FLOOR_DEVICES);
	__type(key, __u32);
	__type(value, __u32);
} floor_devs SEC(".maps");

struct inner {
	struct eth_header eth;
	struct ipv4_header ip;
	struct udp_header udp;
} __attribute__((packed));

struct outer {
	struct eth_header eth;
	struct ipv4_header ip;
	struct udp_header udp;
	struct vxlan_header vxlan;
} __attribute__((packed));
_Static_assert(sizeof(struct outer) == FLOOR_HEADER_LEN, "outer header");

const volatile struct floor_template template = {};

static __always_inline __u32 *lookup(const struct inner *in)
{
	struct floor_key key = {
		.src = in->ip.src,
		.dst = in->ip.dst,
		.sport = in->udp.sport,
		.dport = in->udp.dport,
		.proto = in->ip.proto,
	};

	return bpf_map_lookup_elem(&floor_flows, &key);
}

SEC("xdp.frags")
int floor_egress(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 *dev, sum, len = end - data;
	struct inner *in = data;
	struct outer *out;

	if ((void *)(in + 1) > end || in->eth.type != wire16(ETHERTYPE_IPV4))
		return XDP_PASS;
	dev = lookup(in);
	if (!dev || bpf_xdp_adjust_head(ctx, -(int)sizeof(*out)))
		return XDP_DROP;
	out = (void *)(long)ctx->data;
	if ((void *)(out + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	for (__u32 i = 0; i < FLOOR_HEADER_WORDS; i++)
		((__u64 *)out)[i] = template.words[i];
	((__u16 *)out)[FLOOR_HEADER_WORDS * 4] = template.rest;
	len += sizeof(*out) - sizeof(out->eth);
	out->ip.total_len = wire16(len);
	sum = template.ip_sum + wire16(len);
	sum = (sum & 0xffff) + (sum >> 16);
	out->ip.checksum = ~(sum + (sum >> 16));
	out->udp.len = wire16(len - sizeof(out->ip));
	return bpf_redirect_map(&floor_devs, *dev, 0);
}

/* Takes the outer headers off: an XDP verdict, or -1 to go on. */
static __always_inline int decapsulate(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct outer *out = data;

	if ((void *)(out + 1) > end || out->eth.type != wire16(ETHERTYPE_IPV4) ||
	    out->ip.proto != PROTO_UDP || out->udp.dport != wire16(VXLAN_PORT))
		return XDP_PASS;
	return bpf_xdp_adjust_head(ctx, sizeof(*out)) ? XDP_DROP : -1;
}

SEC("xdp.frags")
int floor_ingress(struct xdp_md *ctx)
{
	int verdict = decapsulate(ctx);

	return verdict >= 0 ? verdict : bpf_redirect_map(&floor_devs, FLOOR_GUEST, 0);
}

SEC("xdp.frags")
int floor_deliver(struct xdp_md *ctx)
{
	int verdict = decapsulate(ctx);
	struct inner *in;
	__u32 *dev;

	if (verdict >= 0)
		return verdict;
	in = (void *)(long)ctx->data;
	if ((void *)(in + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	dev = lookup(in);
	return dev ? bpf_redirect_map(&floor_devs, *dev, 0) : XDP_DROP;
}

SEC("xdp.frags")
int floor_bare(struct xdp_md *ctx)
{
	return ctx->data ? bpf_redirect_map(&floor_devs, FLOOR_GUEST, 0) : XDP_DROP;
}

SEC("xdp.frags")
int floor_empty(struct xdp_md *ctx)
{
	return ctx->data ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
