/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp_internal.h - what the four files behind dp.h share
 *
 *	dp.c        opens, adopts and closes; grace periods
 *	dp_pin.c    the bpffs directory: made, locked, emptied, removed
 *	dp_link.c   XDP links
 *	dp_maps.c   reading and writing the maps
 *
 * Nobody else includes this.
 */
#pragma once

#include <agent/dp.h>

#define DP_DIR_MAX 1024			/* of a directory's name: all paths under it fit PATH_MAX */

struct mirach_xdp;
struct ring_buffer;

struct dp {
	char dir[DP_DIR_MAX];
	int lock_fd;			/* on the directory; -1 = none */
	bool adopted;
	struct abi_record abi;
	struct mirach_xdp *skel;	/* owns the descriptors of maps and programs */

	struct flow_bucket *flow_index;	/* mapped arrays */
	struct flow *flows;
	struct nexthop *nexthops;
	struct port *ports;
	struct port_bucket *port_index;

	struct ring_buffer *samples;
	void (*sample_fn)(const struct sample *s, void *arg);	/* while a drain is under way */
	void *sample_arg;

	unsigned int n_cpus;		/* possible ones: copies of a per-CPU value */
	void *zeros;			/* n_cpus copies of the largest per-CPU value */
	int grace_outer, grace_inner;	/* see dp_synchronize(); -1 = none */
};

/* dp_pin.c. @dir is absolute, without a slash at the end, shorter than DP_DIR_MAX. */
int dp_pin_dir(const char *dir, char ret[DP_DIR_MAX], struct error *e);
int dp_pin_prepare(const char *dir, struct error *e);
/* One agent at a time: -EBUSY while another process holds @dir. */
int dp_pin_lock(const char *dir, int *ret_fd, struct error *e);
/* True if anything is pinned under @dir. */
bool dp_pin_any(const char *dir);
/* Detaches and removes everything pinned under @dir, the mark (maps/abi) first. */
int dp_pin_clear(const char *dir, struct error *e);

/* dp_link.c. Ends the link behind @fd at once, whoever else holds it, and removes its pin. */
int dp_link_remove(int fd, const char *path);

/* dp_maps.c */
int dp_samples_init(struct dp *dp, struct error *e);
