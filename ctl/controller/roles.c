// SPDX-License-Identifier: BSD-2-Clause
/*
 * roles.c - what one controller process is, put together
 */
#include <ctl/controller/roles.h>

#include <errno.h>
#include <stdlib.h>

#include <lib/log.h>

struct roles {
	struct roles_options o;
	struct fm *fm;
	struct vmc *vmc;
	struct ofe *ofe;
	struct api *api;
	struct ofe_upstream here;	/* our own VMC */
};

/* The VMC of this process as an upstream of the front end. */

static void *attach_here(void *arg, const char *host, const struct digest *digest,
			 const struct vmc_front *front, void *front_arg)
{
	return vmc_attach(arg, host, digest, front, front_arg);
}

static void detach_here(void *session)
{
	vmc_detach(session);
}

static int message_here(void *session, const cJSON *msg, struct error *e)
{
	return vmc_message(session, msg, e);
}

static void drained_here(void *session)
{
	vmc_drained(session);
}

static const struct ofe_upstream *leader(void *arg, const char *host)
{
	struct roles *r = arg;

	(void)host;
	return r->vmc && vmc_is_ready(r->vmc) ? &r->here : NULL;
}

static int start_vmc(struct roles *r, struct event_base *base, struct error *e)
{
	struct vmc_options o = {
		.base = base,
		.set = fm_set(r->fm),
		.regional = fm_replica(r->fm, SCOPE_TENANT),
		.global = fm_replica(r->fm, SCOPE_GLOBAL),
		.cold_ns = r->o.cold_s * 1000000000ull,
		.offloads_max = r->o.offloads_max,
	};

	r->vmc = vmc_new(&o);
	if (!r->vmc)
		return error_set(e, -ENOMEM, "no memory");
	r->here = (struct ofe_upstream){ attach_here, detach_here, message_here, drained_here,
					 r->vmc };
	return 0;
}

static int start_ofe(struct roles *r, struct event_base *base, struct error *e)
{
	struct ofe_options o = {
		.base = base,
		.listen = r->o.agents,
		.files = r->o.http.tls,
		.leader = leader,
		.arg = r,
		.ping_ms = r->o.ping_ms,
		.usage_ms = r->o.usage_ms,
	};

	if (!o.files.ca || !o.files.cert || !o.files.key)
		return error_set(e, -EINVAL, "agents are talked to over TLS: --agents needs --ca, --cert and --key");
	return ofe_new(&o, &r->ofe, e);
}

int roles_new(struct event_base *base, struct store *store, const struct roles_options *o,
	      struct roles **ret, struct error *e)
{
	struct roles *r = calloc(1, sizeof(*r));
	struct api_options api = { .http = o->http };
	int err = 0;

	if (!r)
		return error_set(e, -ENOMEM, "no memory");
	r->o = *o;
	r->fm = fm_new(base, store, &o->fm);
	if (!r->fm)
		err = error_set(e, -ENOMEM, "no memory");
	if (!err && o->roles & ROLE_VMC)
		err = start_vmc(r, base, e);
	if (!err && o->roles & ROLE_OFE && o->agents)
		err = start_ofe(r, base, e);
	api.fm = r->fm;
	api.vmc = r->vmc;
	api.ofe = r->ofe;
	api.programming = r->vmc ? vmc_programming(r->vmc) : NULL;
	if (!err && o->roles & ROLE_FM)
		err = api_new(base, &api, &r->api, e);
	if (err) {
		roles_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void roles_free(struct roles *r)
{
	if (!r)
		return;
	ofe_free(r->ofe);
	api_free(r->api);
	vmc_free(r->vmc);
	fm_free(r->fm);
	free(r);
}

void roles_reload(struct roles *r)
{
	struct error e = {};

	if (r->ofe && ofe_reload(r->ofe, &e))
		log_error("certificates stay as they were", "error", e.text);
	else
		log_info("certificates read again");
}
