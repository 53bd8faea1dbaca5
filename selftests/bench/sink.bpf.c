// SPDX-License-Identifier: GPL-2.0-only
/*
 * sink.bpf.c - counts what arrives and drops it; or only lets it pass
 *
 * A frame that was handed straight to the guest (bpf_redirect_peer) never passes the
 * device's XDP hook, so there is a sink on either hook.
 */
#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} arrived SEC(".maps");

/* Frames of the bench are UDP in IPv4 or IPv6; others are the guests' own business. */
static __always_inline int is_counted(__u8 *data, __u8 *end)
{
	__u64 *count;
	__u32 zero = 0;

	if (data + 24 > end || (data[23] != 17 && data[20] != 17))
		return 0;
	count = bpf_map_lookup_elem(&arrived, &zero);
	if (count)
		++*count;
	return 1;
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	return is_counted((void *)(long)ctx->data, (void *)(long)ctx->data_end) ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int sink_stack(struct __sk_buff *skb)
{
	return is_counted((void *)(long)skb->data, (void *)(long)skb->data_end) ? TCX_DROP : TCX_PASS;
}

SEC("xdp")
int bystander(struct xdp_md *ctx)
{
	return ctx->data ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
