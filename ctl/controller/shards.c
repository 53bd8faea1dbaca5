// SPDX-License-Identifier: BSD-2-Clause
/*
 * shards.c - who leads which hosts, when several controllers share a store
 */
#include <ctl/controller/shards.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <ctl/controller/ring.h>
#include <ctl/controller/store_election.h>
#include <lib/log.h>

#define ALL "/mirach/shards/"
#define MEMBERS ALL "members/"
#define LEADERS ALL "leaders/"
#define MEMBERS_MAX 32u
#define TTL_MS 2000u
#define BALANCE_S 2			/* how often a shard may be handed over */
#define KEY_LEN 96

struct shard {
	struct shards *shards;
	struct store_election *election;	/* NULL: stood back for a turn */
	bool ours;
	int64_t term;			/* of ours */
	struct shard_leader leader;
};

struct shards {
	struct shards_options o;
	char name[SHARD_NAME_LEN];
	char value[SHARD_NAME_LEN + SHARD_ADDRESS_LEN + 40];
	struct store_election *member;
	char members[MEMBERS_MAX][SHARD_NAME_LEN];
	uint32_t n_members;
	struct store_watch *watch;
	struct event *balance;
	bool reading, freed;
	struct shard v[SHARDS_MAX];
};

static void changed(struct shards *s)
{
	s->o.changed(s->o.arg);
}

/* Our own elections. */

static void on_elected(void *arg, int64_t token)
{
	struct shard *shard = arg;

	shard->ours = true;
	shard->term = token;
	changed(shard->shards);
}

static void on_lost(void *arg, const char *why)
{
	struct shard *shard = arg;

	log_warn("a shard is led no more", "shard", log_fmt("%td", shard - shard->shards->v), "why",
		 why);
	shard->ours = false;
	changed(shard->shards);
}

/* Stands for @key with our name and channel. 0 or -ENOMEM. */
static int stand_for(struct shards *s, const char *key, struct store_election **ret,
		     void (*elected)(void *arg, int64_t token),
		     void (*lost)(void *arg, const char *why), void *arg)
{
	struct store_election_options o = {
		.store = s->o.store,
		.base = s->o.base,
		.key = key,
		.value = s->value,
		.ttl_ms = s->o.ttl_ms,
		.elected = elected,
		.lost = lost,
		.arg = arg,
	};

	*ret = store_election_new(&o);
	return *ret ? 0 : -ENOMEM;
}

static int stand(struct shards *s, unsigned int i)
{
	char key[KEY_LEN];

	snprintf(key, sizeof(key), LEADERS "%u", i);
	return stand_for(s, key, &s->v[i].election, on_elected, on_lost, &s->v[i]);
}

static void nothing(void *arg, int64_t token)
{
	(void)arg;
	(void)token;
}

static void not_alone(void *arg, const char *why)
{
	(void)arg;
	log_warn("this controller is not among the others for now", "why", why);
}

static int join(struct shards *s)
{
	char key[KEY_LEN];

	snprintf(key, sizeof(key), MEMBERS "%s", s->name);
	return stand_for(s, key, &s->member, nothing, not_alone, NULL);
}

/* What the store says about the others. */

static void set_leader(struct shards *s, const char *index, const struct store_kv *kv)
{
	cJSON *o = kv ? cJSON_Parse(kv->value) : NULL;
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "controller"));
	const char *channel = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, "channel"));
	unsigned long i = strtoul(index, NULL, 10);

	if (i < s->o.n) {
		struct shard_leader *l = &s->v[i].leader;

		snprintf(l->name, sizeof(l->name), "%s", name ?: "");
		snprintf(l->channel, sizeof(l->channel), "%s", channel ?: "");
		l->term = kv ? kv->mod_revision : 0;
	}
	cJSON_Delete(o);
}

static void set_member(struct shards *s, const char *name, bool there)
{
	uint32_t i = 0;

	while (i < s->n_members && strcmp(s->members[i], name))
		i++;
	if (there && i == s->n_members && i < MEMBERS_MAX)
		snprintf(s->members[s->n_members++], SHARD_NAME_LEN, "%s", name);
	else if (!there && i < s->n_members)
		memmove(s->members[i], s->members[--s->n_members], SHARD_NAME_LEN);
}

static void learn(struct shards *s, const struct store_kv *kv, bool gone)
{
	if (!strncmp(kv->key, LEADERS, strlen(LEADERS)))
		set_leader(s, kv->key + strlen(LEADERS), gone ? NULL : kv);
	else if (!strncmp(kv->key, MEMBERS, strlen(MEMBERS)))
		set_member(s, kv->key + strlen(MEMBERS), !gone);
}

static void read_all(struct shards *s);

static void on_change(void *arg, const struct store_change *c)
{
	struct shards *s = arg;

	if (c->err) {
		store_watch_cancel(s->watch);
		s->watch = NULL;
		read_all(s);
		return;
	}
	for (unsigned int i = 0; i < c->n; i++)
		learn(s, &c->events[i].kv, c->events[i].del);
	changed(s);
}

static void on_page(void *arg, const struct store_reply *r)
{
	struct shards *s = arg;

	if (s->freed) {
		if (!r->more)
			free(s);
		return;
	}
	for (unsigned int i = 0; !r->err && i < r->n; i++)
		learn(s, &r->kvs[i], false);
	if (!r->err && r->more)
		return;
	s->reading = false;
	if (!r->err)
		s->watch = store_watch(s->o.store, ALL, r->revision + 1, on_change, s);
	changed(s);
}

/* Members and leaders; a watch that cannot begin is tried again with the next balance. */
static void read_all(struct shards *s)
{
	s->reading = true;
	s->n_members = 0;
	for (unsigned int i = 0; i < s->o.n; i++)
		s->v[i].leader = (struct shard_leader){};
	store_range(s->o.store, ALL, NULL, 0, on_page, s);
}

static const char *preferred(const struct shards *s, unsigned int shard)
{
	const char *names[MEMBERS_MAX];
	uint32_t order[MEMBERS_MAX];

	for (uint32_t i = 0; i < s->n_members; i++)
		names[i] = s->members[i];
	ring_prefer(shard, names, s->n_members, order);
	return s->n_members ? names[order[0]] : s->name;
}

static void on_resigned(void *arg)
{
	(void)arg;
}

/* One shard a turn goes to whom the ring prefers; who stood back stands again. */
static void on_balance(evutil_socket_t fd, short what, void *arg)
{
	struct shards *s = arg;

	(void)fd;
	(void)what;
	if (!s->watch && !s->reading)
		read_all(s);
	for (unsigned int i = 0; i < s->o.n && s->o.candidate; i++)
		if (!s->v[i].election)
			stand(s, i);
	for (unsigned int i = 0; i < s->o.n; i++) {
		struct shard *shard = &s->v[i];

		if (!shard->ours || !strcmp(preferred(s, i), s->name))
			continue;
		log_info("a shard goes to whom the ring prefers", "shard", log_fmt("%u", i), "to",
			 preferred(s, i));
		shard->ours = false;
		changed(s);
		store_election_resign(shard->election, on_resigned);
		store_election_free(shard->election);
		shard->election = NULL;
		return;
	}
}

static int start(struct shards *s, struct error *e)
{
	static const struct timeval turn = { .tv_sec = BALANCE_S };

	s->balance = event_new(s->o.base, -1, EV_PERSIST, on_balance, s);
	if (!s->balance || event_add(s->balance, &turn))
		return error_set(e, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < s->o.n; i++)
		s->v[i].shards = s;
	if (s->o.candidate && join(s))
		return error_set(e, -ENOMEM, "no memory");
	for (unsigned int i = 0; i < s->o.n && s->o.candidate; i++)
		if (stand(s, i))
			return error_set(e, -ENOMEM, "no memory");
	read_all(s);
	return 0;
}

int shards_new(const struct shards_options *o, struct shards **ret, struct error *e)
{
	struct shards *s;
	int err;

	if (strlen(o->name) >= SHARD_NAME_LEN || strlen(o->channel) >= SHARD_ADDRESS_LEN ||
	    strpbrk(o->name, "\"\\/") || strpbrk(o->channel, "\"\\"))
		return error_set(e, -EINVAL, "`%s` at `%s` cannot be a controller's name and channel",
				 o->name, o->channel);
	s = calloc(1, sizeof(*s));
	if (!s)
		return error_set(e, -ENOMEM, "no memory");
	s->o = *o;
	s->o.n = o->n && o->n <= SHARDS_MAX ? o->n : SHARDS_DEFAULT;
	s->o.ttl_ms = o->ttl_ms ?: TTL_MS;
	snprintf(s->name, sizeof(s->name), "%s", o->name);
	snprintf(s->value, sizeof(s->value), "{\"controller\":\"%s\",\"channel\":\"%s\"}", o->name,
		 o->channel);
	err = start(s, e);
	if (err) {
		shards_free(s);
		return err;
	}
	*ret = s;
	return 0;
}

void shards_free(struct shards *s)
{
	if (!s)
		return;
	for (unsigned int i = 0; i < s->o.n; i++)
		store_election_free(s->v[i].election);
	store_election_free(s->member);
	store_watch_cancel(s->watch);
	if (s->balance)
		event_free(s->balance);
	s->freed = true;
	if (!s->reading)
		free(s);
}

bool shards_lead(const struct shards *s, const char *host)
{
	const struct shard *shard = &s->v[ring_shard(host, s->o.n)];

	return shard->ours && store_election_is_leader(shard->election);
}

bool shards_agreed(const struct shards *s)
{
	for (const struct shard *i = s->v; i < s->v + s->o.n; i++)
		if (i->ours != !strcmp(i->leader.name, s->name))
			return false;
	return true;
}

const struct shard_leader *shards_leader(const struct shards *s, const char *host)
{
	const struct shard *shard = &s->v[ring_shard(host, s->o.n)];

	return *shard->leader.name ? &shard->leader : NULL;
}

int64_t shards_term(const struct shards *s, const char *host)
{
	const struct shard *shard = &s->v[ring_shard(host, s->o.n)];

	return shard->ours ? shard->term : shard->leader.term;
}

unsigned int shards_count(const struct shards *s)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->o.n; i++)
		n += s->v[i].ours;
	return n;
}

const struct shard_leader *shards_at(const struct shards *s, unsigned int i)
{
	return &s->v[i].leader;
}

unsigned int shards_n(const struct shards *s)
{
	return s->o.n;
}
