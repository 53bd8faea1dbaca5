// SPDX-License-Identifier: BSD-2-Clause
/*
 * dp.c - opens the datapath: makes a set of maps, or adopts the one that is there
 *
 *	directory ► lock ► mark? ─yes─► fits? ─yes─► reuse its maps ─┐
 *	                     │           └─no──► -EEXIST             ├► load ► map arrays
 *	                     └─no──► remove leftovers ► new secret ──┘        ► mark (new set)
 *
 * The mark is the pinned map "abi": it says who made the set, how large and
 * with which secret, and it is pinned when all else is ready. Everything before
 * that may be interrupted at any point; the next agent begins again (dp_pin.c).
 * An adopted set is never changed by opening it, and never removed by a failure
 * to open it: its traffic goes on under the programs of the agent before.
 *
 * See also: dp_internal.h (the files behind dp.h), maps/ (contracts).
 */
#include "dp_internal.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include <lib/log.h>
#include <mirach_xdp.skel.h>

#define FLOWS_MAX (20u << 20)		/* 16 M and the flow table's reserve */
#define BUCKETS_MIN 64u

bool dp_adopted(const struct dp *dp)
{
	return dp->adopted;
}

const struct abi_record *dp_abi(const struct dp *dp)
{
	return &dp->abi;
}

struct flow_bucket *dp_flow_index(struct dp *dp)
{
	return dp->flow_index;
}

struct flow *dp_flows(struct dp *dp)
{
	return dp->flows;
}

struct flow_bucket *dp_endpoint_index(struct dp *dp)
{
	return dp->endpoint_index;
}

struct endpoint *dp_endpoints(struct dp *dp)
{
	return dp->endpoints;
}

/* libbpf's words, the verifier's among them, are for those who look for them. */
static int on_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	char *text;
	int n;

	if (level == LIBBPF_DEBUG || log_get_level() < LOG_LEVEL_DEBUG)
		return 0;
	n = vasprintf(&text, fmt, args);
	if (n < 0)
		return 0;
	if (n > 0 && text[n - 1] == '\n')
		text[n - 1] = '\0';
	log_debug("libbpf", "text", text);
	free(text);
	return 0;
}

/* The set that @o asks for, without its secret. */
static struct abi_record wanted_abi(const struct dp_options *o)
{
	struct abi_record abi = { .seq = MIRACH_ABI_SEQ, .n_buckets = BUCKETS_MIN,
				  .n_flows = o->n_flows + 1,
				  .n_endpoints = o->n_endpoints + 1 };

	while (abi.n_buckets < o->n_flows / 4)
		abi.n_buckets *= 2;
	return abi;
}

static int check_abi(const struct dp *dp, const struct abi_record *there,
		     const struct abi_record *wanted, struct error *e)
{
	if (there->seq != wanted->seq)
		return dp_other_set(dp->dir, e, "layout %u, this agent has layout %u", there->seq,
				 wanted->seq);
	if (there->n_flows != wanted->n_flows || there->n_buckets != wanted->n_buckets)
		return dp_other_set(dp->dir, e, "made for %u flows with the reserve, limits.flows asks for %u",
				 there->n_flows - 1, wanted->n_flows - 1);
	if (there->n_endpoints != wanted->n_endpoints)
		return dp_other_set(dp->dir, e, "made for %u endpoints, limits.endpoints asks for %u",
				 there->n_endpoints - 1, wanted->n_endpoints - 1);
	return 0;
}

/* 0 and the record of a complete set, -ENOENT if there is none. */
static int read_mark(const char *dir, struct abi_record *ret, struct error *e)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info), zero = 0;
	char path[PATH_MAX];
	int fd, err;

	snprintf(path, sizeof(path), "%s/maps/abi", dir);
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return fd;
	if (fd < 0)
		return error_set(e, fd, "cannot open %s: %s", path, strerror(-fd));
	err = bpf_obj_get_info_by_fd(fd, &info, &len);
	if (err || info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(*ret))
		err = dp_other_set(dir, e, "its abi map has another form");
	else if (bpf_map_lookup_elem(fd, &zero, ret))
		err = dp_other_set(dir, e, "its abi map cannot be read");
	close(fd);
	return err;
}

/* Decides between adoption and a new set, and fills dp->abi. */
static int find_set(struct dp *dp, const struct dp_options *o, struct error *e)
{
	struct abi_record wanted = wanted_abi(o);
	int err;

	err = read_mark(dp->dir, &dp->abi, e);
	if (!err) {
		dp->adopted = true;
		return check_abi(dp, &dp->abi, &wanted, e);
	}
	if (err != -ENOENT)
		return err;
	if (dp_pin_any(dp->dir)) {
		log_warn("removing maps and links of an agent that did not finish", "dir", dp->dir);
		err = dp_pin_clear(dp->dir, e);
		if (err)
			return err;
	}
	dp->abi = wanted;
	if (getrandom(dp->abi.secret, sizeof(dp->abi.secret), 0) != sizeof(dp->abi.secret))
		return error_set(e, -EIO, "the kernel gives no random bytes");
	return 0;
}

/* A new set is complete: say so. */
static int write_mark(struct dp *dp, struct error *e)
{
	int fd = bpf_map__fd(dp->skel->maps.abi);
	char path[PATH_MAX];
	__u32 zero = 0;
	int err;

	snprintf(path, sizeof(path), "%s/maps/abi", dp->dir);
	err = bpf_map_update_elem(fd, &zero, &dp->abi, BPF_ANY);
	if (!err)
		err = bpf_obj_pin(fd, path);
	return err ? error_set(e, err, "cannot write %s: %s", path, strerror(-err)) : 0;
}

/* The arrays that are read and written in place. */
struct mapping {
	struct bpf_map *map;
	void **at;
};

#define N_MAPPINGS 7

static void list_mappings(struct dp *dp, struct mapping ret[N_MAPPINGS])
{
	const struct mapping all[N_MAPPINGS] = {
		{ dp->skel->maps.flow_index, (void **)&dp->flow_index },
		{ dp->skel->maps.flows, (void **)&dp->flows },
		{ dp->skel->maps.endpoint_index, (void **)&dp->endpoint_index },
		{ dp->skel->maps.endpoints, (void **)&dp->endpoints },
		{ dp->skel->maps.nexthops, (void **)&dp->nexthops },
		{ dp->skel->maps.ports, (void **)&dp->ports },
		{ dp->skel->maps.port_index, (void **)&dp->port_index },
	};

	memcpy(ret, all, sizeof(all));
}

static size_t map_bytes(const struct bpf_map *map)
{
	return (size_t)bpf_map__max_entries(map) * bpf_map__value_size(map);
}

static int map_arrays(struct dp *dp, struct error *e)
{
	struct mapping m[N_MAPPINGS];
	unsigned int i;
	void *at;

	list_mappings(dp, m);
	for (i = 0; i < N_MAPPINGS; i++) {
		at = mmap(NULL, map_bytes(m[i].map), PROT_READ | PROT_WRITE, MAP_SHARED,
			  bpf_map__fd(m[i].map), 0);
		if (at == MAP_FAILED)
			return error_set(e, -errno, "cannot map %s into memory: %s",
					 bpf_map__name(m[i].map), strerror(errno));
		*m[i].at = at;
	}
	return 0;
}

static void unmap_arrays(struct dp *dp)
{
	struct mapping m[N_MAPPINGS];
	unsigned int i;

	list_mappings(dp, m);
	for (i = 0; i < N_MAPPINGS; i++)
		if (*m[i].at)
			munmap(*m[i].at, map_bytes(m[i].map));
}

static int init_cpus(struct dp *dp, struct error *e)
{
	int n = libbpf_num_possible_cpus();

	if (n < 0)
		return error_set(e, n, "cannot count the CPUs: %s", strerror(-n));
	dp->n_cpus = n;
	dp->zeros = calloc(n, sizeof(struct drops));	/* the largest per-CPU value */
	return dp->zeros ? 0 : error_set(e, -ENOMEM, "no memory for counters");
}

static int init_grace(struct dp *dp, struct error *e)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);

	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mirach_grace", 4, 4, 1, NULL);

	if (fd >= 0) {
		opts.inner_map_fd = dp->grace_inner = fd;
		fd = bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "mirach_grace", 4, 4, 1, &opts);
	}
	if (fd < 0)
		return error_set(e, fd, "cannot make the map for grace periods: %s", strerror(-fd));
	dp->grace_outer = fd;
	return 0;
}

/*
 * After user space has changed an entry of a map of maps the kernel waits until
 * no program can still see the old one: map_update_elem() calls
 * maybe_wait_bpf_programs(), and that synchronize_rcu(), for every successful
 * update, even of equal contents. It has been so since 4.20 and is kept as a
 * promise to user space, read in 6.x sources; on 6.1 and 6.18 a call takes as long
 * as a grace period does.
 *
 * An RCU grace period is the right thing to wait for: our programs run in softirq
 * with bottom halves off (native XDP) or under rcu_read_lock() (generic XDP, tcx), both
 * are read-side critical sections, and none of our programs sleeps. What a program
 * found in a map is forgotten when it returns; only a frame in the hub outlives it,
 * and that carries action.gen to be checked.
 */
int dp_synchronize(struct dp *dp)
{
	__u32 zero = 0;

	return bpf_map_update_elem(dp->grace_outer, &zero, &dp->grace_inner, BPF_ANY);
}

static int start(struct dp *dp, struct error *e)
{
	int err;

	err = init_cpus(dp, e);
	if (!err)
		err = init_grace(dp, e);
	if (!err)
		err = dp_object_load(dp, e);
	if (!err)
		err = map_arrays(dp, e);
	if (!err)
		err = dp_samples_init(dp, e);
	if (!err && !dp->adopted)
		err = write_mark(dp, e);
	if (err && !dp->adopted)
		dp_pin_clear(dp->dir, NULL);
	return err;
}

static int dp_init(struct dp *dp, const struct dp_options *o, struct error *e)
{
	int err;

	err = dp_pin_dir(o->dir, dp->dir, e);
	if (!err)
		err = dp_pin_prepare(dp->dir, e);
	if (!err)
		err = dp_pin_lock(dp->dir, &dp->lock_fd, e);
	if (!err)
		err = find_set(dp, o, e);
	return err ? err : start(dp, e);
}

int dp_open(const struct dp_options *o, struct dp **ret, struct error *e)
{
	struct dp *dp;
	int err;

	if (!o->n_flows || o->n_flows > FLOWS_MAX)
		return error_set(e, -EINVAL, "limits.flows: a table of %u is not 1 to %u", o->n_flows,
				 FLOWS_MAX);
	dp = calloc(1, sizeof(*dp));
	if (!dp)
		return error_set(e, -ENOMEM, "no memory for the datapath");
	dp->lock_fd = dp->grace_outer = dp->grace_inner = -1;
	dp->no_tcx = o->no_tcx;
	libbpf_set_print(on_libbpf);
	err = dp_init(dp, o, e);
	if (err) {
		dp_close(dp);
		return err;
	}
	*ret = dp;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void dp_close(struct dp *dp)
{
	if (!dp)
		return;
	ring_buffer__free(dp->samples);
	if (dp->skel)
		unmap_arrays(dp);
	dp_object_close(dp);
	close_fd(dp->grace_outer);
	close_fd(dp->grace_inner);
	close_fd(dp->lock_fd);
	free(dp->zeros);
	free(dp);
}

static uint64_t fd_memory(int fd)
{
	unsigned long long bytes = 0;
	char path[64], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "memlock: %llu", &bytes) == 1)
			break;
	fclose(f);
	return bytes;
}

uint64_t dp_memory_bytes(struct dp *dp)
{
	struct bpf_map *map;
	uint64_t sum = 0;

	bpf_object__for_each_map(map, dp->skel->obj)
		sum += fd_memory(bpf_map__fd(map));
	return sum;
}
