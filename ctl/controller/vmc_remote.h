/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc_remote.h - what other regions announce, kept apart and believed with care
 *
 * An announcement that makes no sense by itself (no gateway, a gateway that is a
 * host of this region, no VNI, unreadable) is put in quarantine: the last good one of
 * the same name stays in force, and the reason is shown. Even a good one can only add: a
 * prefix inside a subnet or a route of this region is left out (vmc_compile.c).
 *
 * Pure. See also: model.h (struct remote_network).
 */
#pragma once

#include <ctl/controller/model_set.h>

struct vmc_remotes {
	struct model_set good;		/* RemoteNetworks in force */
	struct index by_network;	/* struct remote_group */
	struct index bad;		/* struct quarantined */
};

struct remote_group {
	char network[MODEL_PATH_LEN];	/* "tenant/network" */
	struct remote_network **v;
	unsigned int n;
};

struct quarantined {
	char region[MODEL_TENANT_LEN], name[MODEL_NAME_LEN];
	char reason[128];
};

void vmc_remotes_init(struct vmc_remotes *r);
void vmc_remotes_done(struct vmc_remotes *r);

/*
 * Takes over @o. 0, or -EINVAL: in quarantine, nothing else changed. @region: the
 * set that knows which gateways are our own hosts.
 */
int vmc_remotes_put(struct vmc_remotes *r, const struct model_set *region,
		    struct remote_network *o);
/* What could not even be read. */
void vmc_remotes_unreadable(struct vmc_remotes *r, const char *region, const char *name,
			    const char *reason);
void vmc_remotes_del(struct vmc_remotes *r, const char *region, const char *name);

struct remote_network *vmc_remotes_find(const struct vmc_remotes *r, const char *region,
					const char *name);
/* Announcements for a network; NULL: none. */
const struct remote_group *vmc_remotes_of(const struct vmc_remotes *r, const struct network *net);
