/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dp_internal.h - what the files behind dp.h share
 *
 *	dp.c        opens, adopts and closes; grace periods
 *	dp_pin.c    the bpffs directory: made, locked, emptied, removed
 *	dp_object.c the two BPF objects over one set of maps
 *	dp_link.c   ports' programs: which hook, in which order, under which pin
 *	dp_xdp.c    XDP links
 *	dp_tcx.c    tcx links, and clsact filters in their place
 *	dp_maps.c   reading and writing the maps
 *
 * Nobody else includes this.
 */
#pragma once

#include <agent/dp.h>

#define DP_DIR_MAX 1024			/* of a directory's name: all paths under it fit PATH_MAX */

struct mirach_xdp;
struct mirach_tcx;
struct ring_buffer;

struct dp {
	char dir[DP_DIR_MAX];
	int lock_fd;			/* on the directory; -1 = none */
	bool adopted;
	struct abi_record abi;
	struct mirach_xdp *skel;	/* owns the descriptors of maps and programs */
	struct mirach_tcx *tcx;		/* the second object: its programs, over the maps of the first */
	bool no_tcx;			/* the kernel has clsact only */

	struct flow_bucket *flow_index;	/* mapped arrays */
	struct flow *flows;
	struct flow_bucket *endpoint_index;
	struct endpoint *endpoints;
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

/*
 * dp_object.c. Loads both objects for dp->abi; those maps that are pinned are taken
 * in place of new ones if dp->adopted. dp_object_close() after a failure, too.
 */
int dp_object_load(struct dp *dp, struct error *e);
void dp_object_close(struct dp *dp);
/* -EEXIST, with the remedy: what is pinned under @dir is of another kind, and of which. */
int dp_other_set(const char *dir, struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* dp_link.c. Takes what is pinned at @path off its device, whoever else holds it, and removes the pin. */
int dp_link_remove(int fd, const char *path);

/* A program's way onto a device. */
struct dp_place {
	const char *path;		/* of the pin */
	const char *device;
	int ifindex;
	int prog_fd;
};

/* dp_xdp.c, dp_tcx.c. Anew, or in place if what is pinned fits. */
int dp_xdp_attach(const struct dp_place *p, bool generic, struct error *e);
/* Whether the kernel has tcx; asked with one of its programs. */
bool dp_tcx_known(int prog_fd);
int dp_tcx_attach(const struct dp_place *p, struct error *e);
/* The pin is of the program; whoever removes it calls dp_clsact_remove() first. */
int dp_clsact_attach(const struct dp_place *p, struct error *e);
void dp_clsact_remove(int ifindex);
/* A program cannot be attached to @p: what the kernel meant. @hook: in people's words. */
int dp_attach_refused(int err, const struct dp_place *p, const char *hook, struct error *e);

/* dp_maps.c */
int dp_samples_init(struct dp *dp, struct error *e);
