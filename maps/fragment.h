/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * maps/fragment.h - datagrams whose fragments are under way
 *
 * Only flows that are told apart by ports come here: the first fragment leaves its
 * ports, the later ones take them. Each vport and each class of fabric senders has sets
 * of its own, so that a flood of fragments costs nobody else anything.
 */
#pragma once

#include <mirach/flow.h>
#include <mirach/port.h>

#define FRAGMENT_WAYS 4u
#define FRAGMENT_RANGES 5u
#define FRAGMENT_PORT_SETS 8u			/* per vport: 32 datagrams under way */
#define FRAGMENT_CLASS_SETS 64u			/* per class of fabric senders: 256 */
#define FRAGMENT_SETS (PORT_MAX * FRAGMENT_PORT_SETS + FABRIC_CLASSES * FRAGMENT_CLASS_SETS)

enum datagram_state {
	DATAGRAM_NEW = 0,
	DATAGRAM_HELD = 1,			/* its fragments wait for the first in the coprocessor */
	DATAGRAM_OPEN = 2,			/* ports known */
};

/* One datagram. What has passed of it is kept as ranges, which in-order fragments merge to one. */
struct datagram {
	__u64 digest;				/* of scope, addresses, protocol, id; 0 = free */
	__u32 stamp;				/* last use, in units of about a millisecond */
	__be16 sport, dport;			/* of the first fragment */
	__u16 total;				/* end of the last fragment, 0 = not seen */
	__u8 proto;				/* of the first fragment: in IPv6 later ones may say another */
	__u8 state;				/* enum datagram_state */
	__u32 range[FRAGMENT_RANGES];		/* begin << 16 | end, in units of 8 bytes; 0 = empty */
};
_Static_assert(sizeof(struct datagram) == 40, "datagram layout");

struct datagram_set {
	struct bpf_spin_lock lock;
	__u32 pad;
	struct datagram way[FRAGMENT_WAYS];
};
_Static_assert(sizeof(struct datagram_set) == 168, "datagram_set layout");

/*
 * what     datagrams under way, with the ports of their first fragments
 * key      port slot x 8 + hash, or PORT_MAX x 8 + class x 64 + hash
 * value    struct datagram_set
 * writer   fast path, under the set's lock; nobody else reads it
 * size     168 B x (4096 x 8 + 256 x 64) = 7.9 MiB. Pinned. Checkpoint: no.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAGMENT_SETS);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u32);
	__type(value, struct datagram_set);
} fragments SEC(".maps");
