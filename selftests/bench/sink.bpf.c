// SPDX-License-Identifier: GPL-2.0-only
/*
 * sink.bpf.c - counts what arrives and drops it; or only lets it pass
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
SEC("xdp")
int sink(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 *count;
	__u32 zero = 0;

	if (data + 24 > end || (data[23] != 17 && data[20] != 17))
		return XDP_PASS;
	count = bpf_map_lookup_elem(&arrived, &zero);
	if (count)
		++*count;
	return XDP_DROP;
}

SEC("xdp")
int bystander(struct xdp_md *ctx)
{
	return ctx->data ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
