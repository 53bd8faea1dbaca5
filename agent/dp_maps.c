// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp_maps.c - reading and writing the maps while the fast path reads them
 *
 * Arrays are written through their mapping, everything else through the map
 * system calls. The order of stores is the contract: what names an entry is
 * written after the entry and withdrawn before it, so that the fast path never
 * follows a name to something half made, and an agent killed between two stores
 * leaves at worst an entry that nothing names.
 *
 * Who may call what is said in maps/: the main thread owns ports, next hops and
 * neighbours; the flow thread owns the flow arrays. Readers of counters keep
 * no state here and may run in any thread.
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <mirach_xdp.skel.h>

#define STATS_BATCH 1024u		/* flows read with one system call */

/* Replaces an entry under the eyes of readers: whole words, and only those that change. */
static void store_words(void *dst, const void *src, size_t bytes)
{
	uint64_t *to = dst, word;
	size_t i;

	for (i = 0; i < bytes / sizeof(word); i++) {
		memcpy(&word, (const char *)src + i * sizeof(word), sizeof(word));
		if (to[i] != word)
			__atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
	}
}

/* Ports. */

static __u64 *index_bucket(struct dp *dp, uint32_t ifindex)
{
	return dp->port_index[ifindex & (PORT_INDEX_BUCKETS - 1)].slot;
}

/* The device may have gone over to another port since: then the entry is not @slot's to remove. */
static void index_del(struct dp *dp, uint32_t ifindex, uint32_t slot)
{
	__u64 *bucket = index_bucket(dp, ifindex);
	unsigned int i;

	for (i = 0; i < PORT_BUCKET_SLOTS; i++)
		if (ifindex && bucket[i] == PORT_INDEX_SLOT(ifindex, slot))
			__atomic_store_n(&bucket[i], 0, __ATOMIC_RELEASE);
}

static int index_add(struct dp *dp, uint32_t ifindex, uint32_t slot, struct error *e)
{
	__u64 *bucket = index_bucket(dp, ifindex), *place = NULL;
	unsigned int i;

	for (i = 0; i < PORT_BUCKET_SLOTS; i++) {
		if (bucket[i] >> 32 == ifindex) {
			place = &bucket[i];
			break;
		}
		if (!bucket[i] && !place)
			place = &bucket[i];
	}
	if (!place)
		return error_set(e, -ENOSPC,
				 "no room for device number %u among the ports: %u others share "
				 "its last bits; make the device anew to give it another number",
				 ifindex, PORT_BUCKET_SLOTS);
	__atomic_store_n(place, PORT_INDEX_SLOT(ifindex, slot), __ATOMIC_RELEASE);
	return 0;
}

static bool is_listed(uint32_t ifindex, const int *ifindexes, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if ((uint32_t)ifindexes[i] == ifindex)
			return true;
	return false;
}

/* Entries of @slot for other devices than its own and the listed ones. */
static void index_prune(struct dp *dp, uint32_t slot, const int *ifindexes, unsigned int n)
{
	uint32_t own = dp->ports[slot].ifindex;
	unsigned int b, i;

	for (b = 0; b < PORT_INDEX_BUCKETS; b++)
		for (i = 0; i < PORT_BUCKET_SLOTS; i++) {
			__u64 *entry = &dp->port_index[b].slot[i];
			uint32_t ifindex = *entry >> 32;

			if (*entry && (uint32_t)*entry == slot && ifindex != own &&
			    !is_listed(ifindex, ifindexes, n))
				__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
		}
}

static int device_set(struct dp *dp, uint32_t slot, uint32_t ifindex, struct error *e)
{
	int fd = bpf_map__fd(dp->skel->maps.port_devs);
	int err;

	if (!ifindex) {
		err = bpf_map_delete_elem(fd, &slot);
		if (err == -ENOENT)
			err = 0;
	} else {
		err = bpf_map_update_elem(fd, &slot, &ifindex, BPF_ANY);
	}
	if (err)
		return error_set(e, err, "cannot make device number %u the device of port %u: %s",
				 ifindex, slot, strerror(-err));
	return 0;
}

static int check_slot(uint32_t slot, struct error *e)
{
	if (slot == PORT_NONE || slot >= PORT_MAX)
		return error_set(e, -EINVAL, "port slot %u is not in 1..%u", slot, PORT_MAX - 1);
	return 0;
}

/*
 * Fields of a port that stays where it is change one by one: a packet may see
 * the new MTU and the old name, which is harmless, but never half a field of up to
 * eight bytes.
 */
int dp_port_set(struct dp *dp, uint32_t slot, const struct port *port, struct error *e)
{
	struct port *at;
	int err;

	err = check_slot(slot, e);
	if (err)
		return err;
	at = &dp->ports[slot];
	if (at->ifindex != port->ifindex)
		index_del(dp, at->ifindex, slot);
	store_words(at, port, sizeof(*port));
	err = device_set(dp, slot, port->ifindex, e);
	if (err || !port->ifindex)
		return err;
	return index_add(dp, port->ifindex, slot, e);
}

int dp_port_members(struct dp *dp, uint32_t slot, const int *ifindexes, unsigned int n,
		    struct error *e)
{
	int err = check_slot(slot, e);
	unsigned int i;

	if (err)
		return err;
	index_prune(dp, slot, ifindexes, n);
	for (i = 0; i < n && !err; i++)
		err = index_add(dp, ifindexes[i], slot, e);
	return err;
}

int dp_port_mute(struct dp *dp, uint32_t slot, struct error *e)
{
	int err = check_slot(slot, e);

	if (err)
		return err;
	__atomic_fetch_or(&dp->ports[slot].flags, PORT_MUTED, __ATOMIC_RELAXED);
	return device_set(dp, slot, 0, e);
}

int dp_port_clear(struct dp *dp, uint32_t slot, struct error *e)
{
	static const struct port none;
	int err;

	err = check_slot(slot, e);
	if (err)
		return err;
	index_del(dp, dp->ports[slot].ifindex, slot);
	index_prune(dp, slot, NULL, 0);
	err = device_set(dp, slot, 0, e);
	if (err)
		return err;
	store_words(&dp->ports[slot], &none, sizeof(none));
	return 0;
}

const struct port *dp_ports(struct dp *dp)
{
	return dp->ports;
}

/* Next hops. */

const struct nexthop *dp_nexthops(struct dp *dp, uint32_t *ret_n)
{
	*ret_n = bpf_map__max_entries(dp->skel->maps.nexthops);
	return dp->nexthops;
}

int dp_nexthop_set(struct dp *dp, uint32_t id, const struct nexthop_body *body,
		   const struct ip_addr *remote, struct error *e)
{
	uint32_t n = bpf_map__max_entries(dp->skel->maps.nexthops);
	uint32_t active, idle;
	struct nexthop *nh;

	if (!id || id >= n)
		return error_set(e, -EINVAL, "next hop %u is not in 1..%u", id, n - 1);
	nh = &dp->nexthops[id];
	active = nh->active & 1;
	idle = active ^ 1;
	nh->remote = *remote;		/* read by agents only */
	if (!memcmp(&nh->body[active], body, sizeof(*body)))
		return 0;
	nh->body[idle] = *body;
	__atomic_store_n(&nh->active, idle, __ATOMIC_RELEASE);
	return 0;
}

void dp_nexthop_own(struct dp *dp, uint32_t id, uint64_t set, uint32_t slot)
{
	dp->nexthops[id].set = set;	/* read by agents only */
	dp->nexthops[id].slot = slot;
}

/* Neighbours. */

int dp_neighbour_set(struct dp *dp, const struct neighbour_key *key, const struct neighbour *n,
		     struct error *e)
{
	struct bpf_map *map = dp->skel->maps.neighbours;
	int err = bpf_map_update_elem(bpf_map__fd(map), key, n, BPF_ANY);

	if (err == -E2BIG)
		return error_set(e, err, "all %u places for neighbours are taken",
				 bpf_map__max_entries(map));
	return err ? error_set(e, err, "cannot write a neighbour: %s", strerror(-err)) : 0;
}

int dp_neighbour_del(struct dp *dp, const struct neighbour_key *key)
{
	return bpf_map_delete_elem(bpf_map__fd(dp->skel->maps.neighbours), key);
}

int dp_neighbour_each(struct dp *dp, void (*fn)(const struct neighbour_key *key,
		      const struct neighbour *n, void *arg), void *arg)
{
	int fd = bpf_map__fd(dp->skel->maps.neighbours);
	struct neighbour_key key, *last = NULL;
	struct neighbour n;
	int err;

	while (!(err = bpf_map_get_next_key(fd, last, &key))) {
		err = bpf_map_lookup_elem(fd, &key, &n);
		if (err)
			return err;
		fn(&key, &n, arg);
		last = &key;
	}
	return err == -ENOENT ? 0 : err;
}

/* Hubs. */

int dp_hub_socket_set(struct dp *dp, uint32_t hub, int xsk_fd, struct error *e)
{
	int fd = bpf_map__fd(dp->skel->maps.hub_socks);
	int err = bpf_map_update_elem(fd, &hub, &xsk_fd, BPF_ANY);

	return err ? error_set(e, err, "cannot give hub %u its AF_XDP socket: %s", hub,
			       strerror(-err)) : 0;
}

/* Counters. All per-CPU values are arrays of 64-bit counts. */

static void add_copies(const struct dp *dp, const uint64_t *copies, unsigned int n_words,
		       uint64_t *ret)
{
	unsigned int cpu, i;

	memset(ret, 0, n_words * sizeof(*ret));
	for (cpu = 0; cpu < dp->n_cpus; cpu++)
		for (i = 0; i < n_words; i++)
			ret[i] += *copies++;
}

static int read_sum(struct dp *dp, struct bpf_map *map, uint32_t key, void *ret)
{
	size_t bytes = bpf_map__value_size(map);
	uint64_t *copies = malloc(bytes * dp->n_cpus);
	int err;

	if (!copies)
		return -ENOMEM;
	err = bpf_map_lookup_elem(bpf_map__fd(map), &key, copies);
	if (!err)
		add_copies(dp, copies, bytes / sizeof(*copies), ret);
	free(copies);
	return err;
}

int dp_usage_read(struct dp *dp, uint32_t slot, struct usage *ret)
{
	return read_sum(dp, dp->skel->maps.usage, slot, ret);
}

int dp_drops_read(struct dp *dp, uint32_t slot, struct drops *ret)
{
	return read_sum(dp, dp->skel->maps.drops, slot, ret);
}

int dp_counters_clear(struct dp *dp, uint32_t slot)
{
	int err = bpf_map_update_elem(bpf_map__fd(dp->skel->maps.usage), &slot, dp->zeros, BPF_ANY);

	if (err)
		return err;
	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.drops), &slot, dp->zeros, BPF_ANY);
}

/* One system call: a batch starts behind the key it is given. */
static int read_stats_batch(struct dp *dp, uint32_t first, uint32_t n, uint32_t *keys,
			    uint64_t *copies, struct flow_stats *ret)
{
	const unsigned int words = sizeof(*ret) / sizeof(*copies);
	uint32_t before = first - 1, last, count = n, i;
	int err;

	err = bpf_map_lookup_batch(bpf_map__fd(dp->skel->maps.flow_stats), first ? &before : NULL,
				   &last, keys, copies, &count, NULL);
	if (err && err != -ENOENT)	/* ENOENT: the end of the map, with or without entries */
		return err;
	if (count != n)
		return -EIO;
	for (i = 0; i < n; i++)
		add_copies(dp, copies + (size_t)i * words * dp->n_cpus, words, (uint64_t *)&ret[i]);
	return 0;
}

int dp_flow_stats_read(struct dp *dp, uint32_t first, uint32_t n, struct flow_stats *ret)
{
	uint32_t at, batch = n < STATS_BATCH ? n : STATS_BATCH;
	uint64_t *copies;
	uint32_t *keys;
	int err = 0;

	if (n > dp->abi.n_flows || first > dp->abi.n_flows - n)
		return -EINVAL;
	copies = calloc(batch + 1, sizeof(*ret) * dp->n_cpus);
	keys = calloc(batch + 1, sizeof(*keys));
	if (!copies || !keys)
		err = -ENOMEM;
	for (at = 0; !err && at < n; at += batch) {
		if (batch > n - at)
			batch = n - at;
		err = read_stats_batch(dp, first + at, batch, keys, copies, ret + at);
	}
	free(keys);
	free(copies);
	return err;
}

int dp_flow_stats_clear(struct dp *dp, uint32_t index)
{
	return bpf_map_update_elem(bpf_map__fd(dp->skel->maps.flow_stats), &index, dp->zeros,
				   BPF_ANY);
}

/* Samples. */

static int on_sample(void *arg, void *data, size_t len)
{
	struct dp *dp = arg;

	if (len >= sizeof(struct sample) && dp->sample_fn)
		dp->sample_fn(data, dp->sample_arg);
	return 0;
}

int dp_samples_init(struct dp *dp, struct error *e)
{
	dp->samples = ring_buffer__new(bpf_map__fd(dp->skel->maps.samples), on_sample, dp, NULL);
	if (!dp->samples)
		return error_set(e, -errno, "cannot map the ring of samples: %s", strerror(errno));
	return 0;
}

int dp_samples_fd(struct dp *dp)
{
	return ring_buffer__epoll_fd(dp->samples);
}

int dp_samples_drain(struct dp *dp, void (*fn)(const struct sample *s, void *arg), void *arg)
{
	dp->sample_fn = fn;
	dp->sample_arg = arg;
	return ring_buffer__consume(dp->samples);
}
