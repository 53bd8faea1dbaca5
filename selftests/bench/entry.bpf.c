// SPDX-License-Identifier: GPL-2.0-only
/*
 * entry.bpf.c - the least that XDP can do with a frame that goes on to tcx
 *
 * Both leave everything to the program on tcx behind them, so that what they cost is the way
 * alone: one frame at a time out of the driver's hands, or over a queue to a CPU.
 */
#include <vmlinux.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);		/* struct bpf_cpumap_val: length of the queue, no program */
} cpus SEC(".maps");

SEC("xdp")
int entry_pass(struct xdp_md *ctx)
{
	return ctx->data ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int entry_cpumap(struct xdp_md *ctx)
{
	return ctx->data ? bpf_redirect_map(&cpus, 0, XDP_PASS) : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
