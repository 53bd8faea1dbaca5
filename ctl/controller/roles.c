// SPDX-License-Identifier: BSD-2-Clause
/*
 * roles.c - what one controller process is, put together
 */
#include <ctl/controller/roles.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/channel.h>
#include <ctl/controller/shards.h>
#include <lib/clock.h>
#include <lib/log.h>

struct roles {
	struct roles_options o;
	struct shards *shards;		/* NULL: we are alone */
	struct channels *channels;
	struct channel_server *server;
	struct event *moved;
	struct programming *everywhere;	/* with --channel: ours and the others' */
	struct orphan *orphans;
	struct event *ask_again;
	char name[SHARD_NAME_LEN];
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

static const struct ofe_upstream *here(struct roles *r)
{
	return r->vmc && vmc_is_ready(r->vmc) ? &r->here : NULL;
}

static const struct ofe_upstream *leader(void *arg, const char *host)
{
	const struct shard_leader *l;
	struct roles *r = arg;

	if (!r->shards || shards_lead(r->shards, host))
		return here(r);
	l = shards_leader(r->shards, host);
	return l && strcmp(l->name, r->name) ? channels_to(r->channels, l->channel) : NULL;
}

/* Several controllers. */

static bool owns(void *arg, const char *host)
{
	struct roles *r = arg;

	return r->shards && shards_lead(r->shards, host);
}

static int64_t term(void *arg, const char *host)
{
	const struct roles *r = arg;

	return r->shards ? shards_term(r->shards, host) : 0;
}

/* Nobody leads it for the moment: whoever wants an answer asks again. */
static void say_to_leader(void *arg, const char *host, char kind, uint64_t n, const char *text)
{
	const struct roles *r = arg;
	const struct shard_leader *l = r->shards ? shards_leader(r->shards, host) : NULL;

	if (l && strcmp(l->name, r->name))
		channels_say(r->channels, l->channel, kind, n, text);
}

/* Else what we could say of our hosts would leave out some that are ours, or nobody's. */
static bool agreed(void *arg)
{
	const struct roles *r = arg;

	return r->shards && shards_agreed(r->shards) && !event_pending(r->moved, EV_TIMEOUT, NULL);
}

/*
 * A revision is everywhere when we have programmed our hosts and the other leaders say
 * that they have theirs. This is counted apart from our own: they ask us the same.
 */
struct own_part {
	struct roles *roles;
	struct tracks tracks;
	uint64_t revision;
};

/* To be asked once more, when every shard has a leader that can be; one of a revision. */
struct orphan {
	struct orphan *next;
	struct tracks tracks;
	uint64_t revision;
	bool own;			/* we have not answered ourselves */
};

static void adopt(struct roles *r, uint64_t revision, struct tracks *tracks, bool own)
{
	struct orphan *o = r->orphans;

	while (o && o->revision != revision)
		o = o->next;
	if (o) {
		o->own |= own;
		tracks_release(r->everywhere, tracks, clock_now_ns());
		return;
	}
	o = calloc(1, sizeof(*o));
	if (!o) {
		tracks_end(r->everywhere, tracks, -EIO, clock_now_ns());
		return;
	}
	o->revision = revision;
	o->own = own;
	tracks_take(&o->tracks, tracks);
	o->next = r->orphans;
	r->orphans = o;
}

static void adopt_orphan(void *arg, uint64_t revision, struct tracks *tracks)
{
	adopt(arg, revision, tracks, false);
}

static void own_part_done(void *arg, int err, const char *const *missing, unsigned int n)
{
	struct own_part *own = arg;

	(void)missing;
	(void)n;
	if (err == -ESTALE)
		adopt(own->roles, own->revision, &own->tracks, true);
	else if (err != -ECANCELED)
		tracks_release(own->roles->everywhere, &own->tracks, clock_now_ns());
	free(own->tracks.v);
	free(own);
}

/* Each leader but us once; false: one of them cannot be asked. */
static bool ask_others(struct roles *r, struct track *t, uint64_t revision)
{
	bool all = true;

	for (unsigned int i = 0; i < shards_n(r->shards); i++) {
		const struct shard_leader *l = shards_at(r->shards, i);
		bool again = !strcmp(l->name, r->name);

		for (unsigned int k = 0; k < i && !again; k++)
			again = !strcmp(shards_at(r->shards, k)->name, l->name);
		if (!again)
			all &= *l->name && channels_wait(r->channels, l->channel, r->everywhere, t,
							 revision, clock_now_ns());
	}
	return all;
}

static void ask_ourselves(struct roles *r, struct track *t, uint64_t revision)
{
	struct own_part *own = calloc(1, sizeof(*own));

	if (!own)
		return;
	own->roles = r;
	own->revision = revision;
	tracks_add(r->everywhere, &own->tracks, t, clock_now_ns());
	vmc_wait(r->vmc, revision, UINT64_MAX, own_part_done, own);
}

static void ask_all(struct roles *r, struct track *t, uint64_t revision, bool own)
{
	struct tracks again = {};

	if (r->shards && !ask_others(r, t, revision)) {
		tracks_add(r->everywhere, &again, t, clock_now_ns());
		adopt(r, revision, &again, false);
	}
	if (own)
		ask_ourselves(r, t, revision);
}

static void settled(void *arg, uint64_t revision)
{
	struct roles *r = arg;
	struct track *t = programming_open(r->everywhere, 0);

	if (t)
		ask_all(r, t, revision, true);
	programming_close(r->everywhere, t, revision, clock_now_ns());
}

static void free_orphan(struct roles *r, struct orphan *o)
{
	tracks_release(r->everywhere, &o->tracks, clock_now_ns());
	free(o);
}

static void on_orphans(evutil_socket_t fd, short what, void *arg)
{
	struct roles *r = arg;
	struct orphan *o = r->orphans, *next;

	(void)fd;
	(void)what;
	r->orphans = NULL;
	for (; o; o = next) {
		next = o->next;
		ask_all(r, o->tracks.v[0], o->revision, o->own);
		free_orphan(r, o);
	}
}

static bool ask_behind(void *arg, uint64_t revision)
{
	struct roles *r = arg;

	return channels_ask(r->channels, revision);
}

/* Nobody can be asked about it now. */
static bool is_led(const struct roles *r, const char *host)
{
	const struct shard_leader *l = shards_leader(r->shards, host);

	return l && (!strcmp(l->name, r->name) || channels_up(r->channels, l->channel));
}

static void behind(void *arg, uint64_t revision, void (*add)(void *to, const char *host), void *to)
{
	struct roles *r = arg;
	const struct orphan *orphan = r->orphans;
	const struct object *o;

	programming_missing(vmc_programming(r->vmc), revision, add, to);
	channels_behind(r->channels, revision, add, to);
	while (orphan && orphan->revision != revision)
		orphan = orphan->next;
	for (size_t i = 0; orphan && (o = model_set_next(fm_set(r->fm), KIND_HOST, &i));)
		if (!is_led(r, o->name))
			add(to, o->name);
}

static void on_moved(evutil_socket_t fd, short what, void *arg)
{
	struct roles *r = arg;

	(void)fd;
	(void)what;
	if (r->vmc)
		vmc_shards_moved(r->vmc);
	if (r->ofe)
		ofe_leaders_changed(r->ofe);
}

/* Many shards may change at once; they are looked at together. */
static void shards_changed(void *arg)
{
	static const struct timeval soon = { .tv_usec = 1000 };
	struct roles *r = arg;

	event_add(r->moved, &soon);
}

static int find_name(struct roles *r, struct error *e)
{
	struct tls *tls;
	int err;

	if (!r->o.http.tls.ca || !r->o.http.tls.cert || !r->o.http.tls.key)
		return error_set(e, -EINVAL, "controllers talk to each other over TLS: --channel needs --ca, --cert and --key");
	err = tls_new(false, &r->o.http.tls, 1u << TLS_CONTROLLER, &tls, e);
	if (err)
		return err;
	snprintf(r->name, sizeof(r->name), "%s", r->o.name ?: tls_self(tls)->name);
	tls_free(tls);
	return 0;
}

static int start_shards(struct roles *r, struct event_base *base, struct store *store,
			struct error *e)
{
	struct shards_options o = {
		.base = base,
		.store = store,
		.name = r->name,
		.channel = r->o.channel,
		.n = r->o.shards,
		.candidate = r->o.roles & ROLE_VMC,
		.changed = shards_changed,
		.arg = r,
	};
	static const struct timeval again = { .tv_usec = 250000 };
	int err = 0;

	r->moved = evtimer_new(base, on_moved, r);
	r->ask_again = event_new(base, -1, EV_PERSIST, on_orphans, r);
	if (!r->moved || !r->ask_again)
		return error_set(e, -ENOMEM, "no memory");
	event_add(r->ask_again, &again);
	err = channels_new(&(struct channels_options){ base, &r->o.http.tls, adopt_orphan, r, r->vmc },
			   &r->channels, e);
	if (!err && r->vmc)
		err = channel_server_new(base, r->o.channel, &r->o.http.tls, r->vmc, &r->server, e);
	return err ?: shards_new(&o, &r->shards, e);
}

static int start_vmc(struct roles *r, struct event_base *base, struct error *e)
{
	struct vmc_options o = {
		.base = base,
		.set = fm_set(r->fm),
		.regional = fm_replica(r->fm, SCOPE_TENANT),
		.global = fm_replica(r->fm, SCOPE_GLOBAL),
		.owns = r->o.channel ? owns : NULL,
		.agreed = r->o.channel ? agreed : NULL,
		.settled = r->o.channel ? settled : NULL,
		.say = r->o.channel ? say_to_leader : NULL,
		.term = r->o.channel ? term : NULL,
		.arg = r,
		.cold_ns = r->o.cold_s * 1000000000ull,
		.offloads_max = r->o.offloads_max,
	};

	if (r->o.channel) {
		r->everywhere = programming_new(&(struct programming_options){ behind, ask_behind, r });
		if (!r->everywhere)
			return error_set(e, -ENOMEM, "no memory");
	}
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
	if (!err && o->channel)
		err = find_name(r, e);
	if (!err && o->roles & ROLE_VMC)
		err = start_vmc(r, base, e);
	if (!err && o->channel)
		err = start_shards(r, base, store, e);
	if (!err && o->roles & ROLE_OFE && o->agents)
		err = start_ofe(r, base, e);
	api.fm = r->fm;
	api.vmc = r->vmc;
	api.ofe = r->ofe;
	api.programming = r->everywhere ?: r->vmc ? vmc_programming(r->vmc) : NULL;
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
	channels_free(r->channels);
	channel_server_free(r->server);
	api_free(r->api);
	vmc_free(r->vmc);
	while (r->orphans) {
		struct orphan *o = r->orphans;

		r->orphans = o->next;
		free_orphan(r, o);
	}
	programming_free(r->everywhere);
	shards_free(r->shards);
	if (r->moved)
		event_free(r->moved);
	if (r->ask_again)
		event_free(r->ask_again);
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
