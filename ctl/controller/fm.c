// SPDX-License-Identifier: BSD-2-Clause
/*
 * fm.c - the fabric manager: transactions of declared objects, one after the other
 *
 * A lane works on one request at a time:
 *
 *	idle ──► reading the head ──► waiting for the set ──► writing ──► waiting for the set ──► idle
 *	              ▲                                          │
 *	              └──────────── -ESTALE ─────────────────────┘
 */
#include <ctl/controller/fm.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include <lib/log.h>

#define TRIES_MAX 20			/* lost compares until somebody is told to try later */
#define LOST "other changes came first, again and again; try later"
#define SLICE 256u			/* changes judged in one turn of the loop */
#define VNI_MAX ((1u << 24) - 1)

struct fm_request {
	struct fm_request *next;
	struct lane *lane;
	struct changes changes;
	struct problems problems;
	struct validate_progress progress;
	char writer[MODEL_TENANT_LEN];		/* "": the operator */
	bool dry_run, written;
	unsigned int tries;
	fm_fn fn;
	void *arg;
};

struct lane {
	struct fm *fm;
	const char *head_key;
	int64_t head;				/* revision of the head key; -1: not known */
	uint64_t vni_next;			/* what the head key says: see validate.h */
	int64_t wanted;				/* the set must show this before anything goes on */
	struct replica *replica;
	struct replica_listener listener;
	struct fm_request *first, **end;	/* the first is worked on */
	struct event *go;
	bool asked;				/* the store has a question of ours */
};

struct fm {
	struct event_base *base;
	struct store *store;
	struct fm_options options;
	struct model_set set;
	struct lane lanes[2];			/* regional, global */
	unsigned int asked;			/* questions under way */
	bool freed;
};

static void lane_go(struct lane *lane)
{
	event_active(lane->go, 0, 0);
}

/* Goes on when others have had their turn. */
static void lane_go_later(struct lane *lane)
{
	static const struct timeval now = {};

	event_add(lane->go, &now);
}

static void request_free(struct fm_request *r)
{
	changes_free(&r->changes);
	problems_done(&r->problems);
	free(r);
}

/* Answers the first request and goes on with the next. */
static void finish(struct lane *lane, int err, const char *text, int64_t revision)
{
	struct fm_request *r = lane->first;
	struct fm_result result = {
		.err = err, .text = text, .revision = revision,
		.changes = &r->changes, .problems = &r->problems,
	};

	lane->first = r->next;
	if (!lane->first)
		lane->end = &lane->first;
	if (r->fn)
		r->fn(r->arg, &result);
	request_free(r);
	if (lane->first)
		lane_go(lane);
}

static void done_asking(struct fm *fm)
{
	fm->asked--;
	if (fm->freed && !fm->asked)
		free(fm);
}

static void ask(struct lane *lane)
{
	lane->asked = true;
	lane->fm->asked++;
}

/* False: the fabric manager is gone. */
static bool answered(struct lane *lane)
{
	bool freed = lane->fm->freed;

	lane->asked = false;
	done_asking(lane->fm);
	return !freed;
}

/* The head key's value: what goes from one transaction to the next. */

#define HEAD_LEN 48

static uint64_t read_head(const struct store_kv *kv)
{
	cJSON *json = cJSON_ParseWithLength(kv->value, kv->value_len);
	const cJSON *next = cJSON_GetObjectItemCaseSensitive(json, "vniNext");
	uint64_t ret = cJSON_IsNumber(next) && next->valuedouble > 0 ? next->valuedouble : 0;

	cJSON_Delete(json);
	return ret;
}

static void on_head(void *arg, const struct store_reply *reply)
{
	struct lane *lane = arg;

	if (!answered(lane))
		return;
	if (reply->err) {
		finish(lane, reply->err, reply->text, replica_revision(lane->replica));
		return;
	}
	if (reply->stale) {
		finish(lane, -EAGAIN, "the store has no quorum, so nothing can be changed now",
		       replica_revision(lane->replica));
		return;
	}
	lane->head = reply->n ? reply->kvs[0].mod_revision : 0;
	lane->vni_next = reply->n ? read_head(&reply->kvs[0]) : 0;
	lane->wanted = lane->head;
	lane_go(lane);
}

static void on_written(void *arg, const struct store_reply *reply)
{
	struct lane *lane = arg;

	if (!answered(lane))
		return;
	if (!reply->err) {
		lane->head = lane->wanted = reply->revision;
		lane->vni_next = lane->first->changes.vni_next;
		lane->first->written = true;
		lane_go(lane);
		return;
	}
	lane->head = -1;
	if (reply->err == -ESTALE && ++lane->first->tries < TRIES_MAX)
		lane_go(lane);
	else if (reply->err == -ESTALE)
		finish(lane, -EAGAIN, LOST, replica_revision(lane->replica));
	else
		finish(lane, reply->err, reply->text, replica_revision(lane->replica));
}

static unsigned int count_writes(const struct changes *c)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < c->n; i++)
		n += c->v[i].outcome != OUTCOME_UNCHANGED;
	return n;
}

static void fill_op(const struct change *c, struct store_op *op, char key[MODEL_KEY_LEN])
{
	*op = (struct store_op){ .del = c->del, .key = model_key(c->object, key) };
	if (c->del)
		return;
	op->value = c->text;
	op->value_len = strlen(c->text);
}

/* Hands the first request's changes to the store. */
static int write_changes(struct lane *lane, unsigned int n)
{
	const struct changes *c = &lane->first->changes;
	struct store_compare compare = { .key = lane->head_key, .mod_revision = lane->head };
	struct store_op *ops = calloc(n + 1, sizeof(*ops));
	char (*keys)[MODEL_KEY_LEN] = calloc(n + 1, sizeof(*keys));
	char head[HEAD_LEN];
	unsigned int at = 0;

	if (!ops || !keys) {
		free(ops);
		free(keys);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < c->n; i++)
		if (c->v[i].outcome != OUTCOME_UNCHANGED) {
			fill_op(&c->v[i], &ops[at], keys[at]);
			at++;
		}
	snprintf(head, sizeof(head), "{\"vniNext\":%llu}", (unsigned long long)c->vni_next);
	ops[n] = (struct store_op){
		.key = lane->head_key, .value = head, .value_len = strlen(head),
	};
	ask(lane);
	store_txn(lane->fm->store, &compare, 1, ops, n + 1, on_written, lane);
	free(ops);
	free(keys);
	return 0;
}

/* Judges the first request, or a part of it if it is large: 1. */
static int judge(struct lane *lane)
{
	struct fm_request *r = lane->first;
	struct validate_options options = {
		.writer = r->writer[0] ? r->writer : NULL,
		.vni_min = lane->fm->options.vni_min,
		.vni_max = lane->fm->options.vni_max,
		.vni_next = lane->vni_next,
	};
	int err;

	if (!r->progress.prepared)
		problems_done(&r->problems);	/* of an earlier try */
	do
		err = validate_some(&lane->fm->set, &r->changes, &options, &r->problems,
				    &r->progress, SLICE);
	while (err == 1 && r->changes.n <= SLICE);
	if (err != 1)
		r->progress = (struct validate_progress){};
	if (err == -EAGAIN && ++r->tries < TRIES_MAX)
		err = 1;
	return err;
}

static void decide(struct lane *lane)
{
	struct fm_request *r = lane->first;
	int64_t now = replica_revision(lane->replica);
	int err = judge(lane);
	unsigned int n;

	if (err == 1) {
		lane_go_later(lane);
		return;
	}
	n = count_writes(&r->changes);
	if (err || r->dry_run || !n) {
		finish(lane, err, err == -ENOMEM ? "no memory" : err == -EAGAIN ? LOST : "", now);
		return;
	}
	if (n + 1 > store_limits(lane->fm->store).txn_ops) {
		finish(lane, -E2BIG, log_fmt("%u changes are more than the store takes in one"
					     " transaction: %u", n,
					     store_limits(lane->fm->store).txn_ops - 1), now);
		return;
	}
	err = write_changes(lane, n);
	if (err)
		finish(lane, err, "no memory", now);
}

/* Does what is next for the first request. */
static void on_go(evutil_socket_t fd, short what, void *arg)
{
	struct lane *lane = arg;
	int64_t now = replica_revision(lane->replica);

	(void)fd;
	(void)what;
	if (!lane->first || lane->asked || !now)
		return;
	if (lane->head < 0) {
		ask(lane);
		store_get(lane->fm->store, lane->head_key, on_head, lane);
	} else if (now < lane->wanted) {
		return;					/* on_settled() */
	} else if (lane->first->written) {
		finish(lane, 0, "", lane->wanted);
	} else {
		decide(lane);
	}
}

/* Answering a large transaction is not part of the turn that took it into the set. */
static void on_settled(void *arg, int64_t revision)
{
	(void)revision;
	lane_go_later(arg);
}

static int lane_init(struct lane *lane, struct fm *fm, const char *prefix, const char *head_key)
{
	*lane = (struct lane){ .fm = fm, .head_key = head_key, .head = -1 };
	lane->end = &lane->first;
	lane->listener = (struct replica_listener){ .settled = on_settled, .arg = lane };
	lane->go = event_new(fm->base, -1, 0, on_go, lane);
	if (lane->go)
		lane->replica = replica_new(fm->base, fm->store, &fm->set, prefix);
	if (!lane->replica)
		return -ENOMEM;
	replica_listen(lane->replica, &lane->listener);
	return 0;
}

static void lane_done(struct lane *lane)
{
	while (lane->first) {
		struct fm_request *r = lane->first;

		lane->first = r->next;
		request_free(r);
	}
	replica_free(lane->replica);
	if (lane->go)
		event_free(lane->go);
}

struct fm *fm_new(struct event_base *base, struct store *store, const struct fm_options *o)
{
	struct fm *fm = calloc(1, sizeof(*fm));

	if (!fm)
		return NULL;
	fm->base = base;
	fm->store = store;
	fm->options.vni_min = o->vni_min ?: 1;
	fm->options.vni_max = o->vni_max ?: VNI_MAX;
	model_set_init(&fm->set);
	if (lane_init(&fm->lanes[0], fm, MODEL_PREFIX, "/mirach/fm/head") ||
	    lane_init(&fm->lanes[1], fm, MODEL_GLOBAL_PREFIX, "/mirach/fm/head-global")) {
		fm_free(fm);
		return NULL;
	}
	return fm;
}

/* The store may still hold questions; the last answer frees the rest. */
void fm_free(struct fm *fm)
{
	if (!fm)
		return;
	lane_done(&fm->lanes[0]);
	lane_done(&fm->lanes[1]);
	model_set_done(&fm->set);
	fm->freed = true;
	if (!fm->asked)
		free(fm);
}

struct fm_request *fm_apply(struct fm *fm, struct changes *changes, const char *writer, bool dry_run,
			    fm_fn fn, void *arg)
{
	bool global = changes->n && kinds[changes->v[0].object->kind].scope == SCOPE_GLOBAL;
	struct fm_request *r = calloc(1, sizeof(*r));
	struct lane *lane = &fm->lanes[global];

	if (!r) {
		changes_free(changes);
		return NULL;
	}
	r->lane = lane;
	r->changes = *changes;
	*changes = (struct changes){};
	r->dry_run = dry_run;
	r->fn = fn;
	r->arg = arg;
	problems_init(&r->problems);
	if (writer)
		strncpy(r->writer, writer, sizeof(r->writer) - 1);
	*lane->end = r;
	lane->end = &r->next;
	lane_go(lane);
	return r;
}

void fm_forget(struct fm_request *r)
{
	r->fn = NULL;
}

struct model_set *fm_set(struct fm *fm)
{
	return &fm->set;
}

struct replica *fm_replica(struct fm *fm, enum scope scope)
{
	return fm->lanes[scope == SCOPE_GLOBAL].replica;
}

int64_t fm_revision(const struct fm *fm)
{
	return replica_revision(fm->lanes[0].replica);
}

struct store *fm_store(struct fm *fm)
{
	return fm->store;
}
