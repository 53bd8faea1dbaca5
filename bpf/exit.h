/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exit.h - the entry and the one exit: where the books are kept
 *
 *   in + resumed = out + replied + passed + punted + drops
 *
 * pkt_enter() counts the left side, pkt_exit() the right; nothing else counts
 * fates. A frame of a device that is no port is dropped in slot 0's books.
 */
#pragma once

#include <bpf/hook.h>
#include <maps/counters.h>
#include <maps/port.h>

static __always_inline __u32 port_of_ifindex(__u32 ifindex)
{
	__u32 b = ifindex & (PORT_INDEX_BUCKETS - 1);
	struct port_bucket *bucket = bpf_map_lookup_elem(&port_index, &b);

	if (!bucket)
		return PORT_NONE;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < PORT_BUCKET_SLOTS; i++) {
		__u64 slot = bucket->slot[i];

		if (slot >> 32 == ifindex)
			return (__u32)slot & (PORT_MAX - 1);
	}
	return PORT_NONE;
}

static __always_inline struct port *port_get(__u32 port)
{
	return bpf_map_lookup_elem(&ports, &port);
}

/* Finds the port and its books. */
static __always_inline int pkt_enter(struct pkt *pkt, HOOK_CTX *ctx)
{
	pkt->ctx = ctx;
	hook_linear(pkt);
	pkt->port = port_of_ifindex(hook_ifindex(ctx));
	pkt->books = bpf_map_lookup_elem(&usage, &pkt->port);
	if (!pkt->books)
		return DROP(NO_PORT);
	pkt->len = hook_first_len(ctx);
	pkt->books->in++;
	pkt->books->in_bytes += pkt->len;
	return pkt->port == PORT_NONE ? DROP(NO_PORT) : CONTINUE;
}

static __always_inline void count_drop(__u32 port, __u32 reason)
{
	struct drops *d = bpf_map_lookup_elem(&drops, &port);

	if (d)
		d->count[reason & (REASON_MAX - 1)]++;
}

/* The frame leaves by @out_port: returns VERDICT_OUT or the reason it cannot. */
static __always_inline int pkt_redirect(struct pkt *pkt, __u32 out_port)
{
	struct usage *theirs;

	out_port &= PORT_MAX - 1;
	theirs = bpf_map_lookup_elem(&usage, &out_port);
	if (hook_redirect(pkt, out_port) != HOOK_REDIRECT || !theirs)
		return DROP(PORT_DOWN);
	theirs->delivered++;
	theirs->delivered_bytes += pkt->len;
	return VERDICT_OUT;
}

/* Counts the fate and says it in the hook's words. */
static __always_inline int pkt_exit(struct pkt *pkt, int verdict)
{
	struct usage *books = pkt->books;

	if (verdict == VERDICT_OUT && books) {
		books->out++;
		books->out_bytes += pkt->len;
		return HOOK_REDIRECT;
	}
	if (verdict < 0 || !books) {
		count_drop(pkt->port, -verdict);
		return HOOK_DROP;
	}
	if (verdict == VERDICT_REPLIED)
		books->replied++;
	else if (verdict == VERDICT_PUNTED)
		books->punted++;
	else
		books->passed++;
	return verdict == VERDICT_PASSED ? HOOK_PASS : HOOK_REDIRECT;
}
