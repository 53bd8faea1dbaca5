/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmc_compile.h - what one host is to have, of what is declared
 *
 *	vmc_ids(host)		──► every id the host should have, by walking all that concerns it
 *	vmc_spec(host, id)	──► the text of that object, or that the host is not to have it
 *
 * Both look at the model as it is and remember nothing. vmc_spec() costs what hangs on
 * that one object; the engine calls it for what a change may have touched
 * (vmc_engine.h), vmc_ids() is how everything is computed from nothing: when a
 * controller starts, and in the test that compares the two after every change.
 *
 * Declared in the region and announced from outside are two inputs. The second
 * (vmc_remote.h) only ever adds routes, behind everything of the region.
 *
 * Equal input gives equal text on every controller. Pure.
 */
#pragma once

#include <ctl/controller/model_set.h>
#include <ctl/controller/text.h>
#include <ctl/controller/vmc_remote.h>

#define VMC_ID_LEN 160			/* with NUL */
#define VMC_NAME_LEN 48			/* "<tenant>.<name>" with NUL */

struct vmc_input {
	struct model_set *set;		/* of the region */
	struct vmc_remotes remotes;	/* of other regions */
	/* Whether @host is to have this permit or direct route; NULL: there are none. */
	bool (*is_told)(void *arg, const char *host, const char *id);
	void *arg;
};

/* True and the spec as JSON in @ret, or false: @host is not to have it. */
bool vmc_spec(const struct vmc_input *in, const struct host *host, const char *id, struct text *ret);

typedef void (*vmc_id_fn)(void *arg, const char *id);
/* All but permits and direct routes, which are not declared. An id may come twice, or turn out not to be needed. */
void vmc_ids(const struct vmc_input *in, const struct host *host, vmc_id_fn fn, void *arg);

/* Ids. All return @buf. */
const char *vmc_network_name(const struct network *net, char buf[VMC_NAME_LEN]);
const char *vmc_id_network(const struct network *net, char buf[VMC_ID_LEN]);
const char *vmc_id_vport(const struct instance *i, char buf[VMC_ID_LEN]);
const char *vmc_id_address(const char *kind, const struct network *net, const struct ip_addr *a,
			   char buf[VMC_ID_LEN]);
const char *vmc_id_route(const struct network *net, const struct ip_prefix *p,
			 char buf[VMC_ID_LEN]);

/* Who carries what. */
bool vmc_carries(const struct hoverboard *board, const struct network *net);
bool vmc_host_carries(const struct host *host, const struct network *net);
/*
 * Of two networks that peer: a hoverboard that carries one of them alone and so cannot lead from one
 * to the other. NULL: there is none. *@ret_both: some carry both.
 */
const struct hoverboard *vmc_carries_one(const struct model_set *set, const struct network *a,
					 const struct network *b, bool *ret_both);
/* Calls @fn with the host of each hoverboard of @net that is there. */
void vmc_boards(const struct model_set *set, const struct network *net,
		void (*fn)(void *arg, struct host *host), void *arg);

static inline struct network *network_of(const struct instance *i)
{
	struct network *net = (struct network *)i->network.to;

	return net && net->o.present ? net : NULL;
}

static inline struct host *host_of(const struct instance *i)
{
	struct host *host = (struct host *)i->host.to;

	return host && host->o.present ? host : NULL;
}
