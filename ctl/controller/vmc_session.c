// SPDX-License-Identifier: BSD-2-Clause
/*
 * vmc_session.c - one agent: what it has, what it lacks, what is on its way
 */
#include <ctl/controller/vmc_session.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/clock.h>
#include <lib/log.h>

#define FRAME_BYTES (192u << 10)	/* a frame of an update is sent when it is this long */
#define BACKLOG_BYTES (512u << 10)	/* no further frames while the agent has this much to take */
#define RETRY_MAX_NS (30 * NS_PER_S)

static void send_msg(struct vmc_session *s, cJSON *msg)
{
	char *text = msg ? cJSON_PrintUnformatted(msg) : NULL;

	if (text && !s->failed)
		s->front.send(s->arg, text, strlen(text));
	free(text);
	cJSON_Delete(msg);
}

bool session_in_step(const struct vmc_session *s)
{
	return s->state == SYNC_STEADY && !s->host->under_way && !s->host->pending.count;
}

static void put_pending(struct vmc_session *s, const char *id)
{
	if (objset_put(&s->host->pending, id, &(struct digest){}) < 0) {
		log_error("out of memory for what a host lacks; starting again from the store");
		abort();
	}
}

/* Whatever was waited for at this host is there. */
static void nothing_missing(struct vmc_session *s)
{
	struct vmc *v = s->vmc;

	objset_done(&s->host->pending);
	tracks_release(v->programming, &s->host->tracks, vmc_now(v));
	vmc_offload_acked(v, s->host, UINT64_MAX);
}

static void steady(struct vmc_session *s)
{
	s->state = SYNC_STEADY;
	vmc_offload_connected(s->vmc, s->host, true);
	if (!s->host->pending.count)
		nothing_missing(s);
	session_pump(s);
}

static void ask_buckets(struct vmc_session *s)
{
	struct msg_query q = { .buckets = true };

	s->state = SYNC_BUCKETS;
	send_msg(s, msg_query(&q));
}

void session_start(struct vmc_session *s)
{
	static const struct digest nothing = {};
	struct objset *desired = &s->host->desired;
	struct objset_entry *e;
	struct timespec now;

	s->state = SYNC_START;
	clock_gettime(CLOCK_REALTIME, &now);
	s->seq = now.tv_sec * 1000000ull + now.tv_nsec / 1000;
	s->first_seq = s->seq + 1;
	if (!s->host->declared)
		return;			/* nothing is said to a host nobody declared; it keeps what it has */
	if (digest_equal(&s->digest, &desired->root)) {
		objset_done(&s->host->pending);
		steady(s);
	} else if (digest_equal(&s->digest, &nothing)) {
		for (size_t i = 0; (e = objset_next(desired, &i));)
			put_pending(s, e->id);
		steady(s);
	} else {
		ask_buckets(s);
	}
}

/* Everything of a bucket that differs is pending, until the agent says that it has it. */
static int on_buckets(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	struct digest theirs[OBJSET_BUCKETS], ours[OBJSET_BUCKETS];
	bool differs[OBJSET_BUCKETS] = {};
	struct objset_entry *entry;
	struct msg_query q = {};
	int err = s->state == SYNC_BUCKETS ?
			  msg_read_buckets(msg, theirs, e) :
			  error_set(e, -EBADMSG, "buckets: nobody asked for them");

	if (err)
		return err;
	objset_done(&s->host->pending);		/* what changed since we asked is in its bucket */
	objset_buckets(&s->host->desired, ours);
	for (unsigned int b = 0; b < OBJSET_BUCKETS; b++)
		if (!digest_equal(&theirs[b], &ours[b])) {
			differs[b] = true;
			s->awaited[b] = true;
			q.bucket[q.n++] = b;
		}
	for (size_t i = 0; (entry = objset_next(&s->host->desired, &i));)
		if (differs[entry->hash & (OBJSET_BUCKETS - 1)])
			put_pending(s, entry->id);
	s->n_awaited = q.n;
	s->vmc->repairs++;
	if (!q.n) {
		steady(s);
		return 0;
	}
	s->state = SYNC_OBJECTS;
	send_msg(s, msg_query(&q));
	return 0;
}

static void compare(struct vmc_session *s, const char *id, const cJSON *value)
{
	struct objset_entry *want = objset_find(&s->host->desired, id);
	struct digest v;

	if (!want && vmc_offload_adopt(s->vmc, s->host, id))
		want = objset_find(&s->host->desired, id);
	if (!want || digest_parse(value->valuestring, &v) || !digest_equal(&v, &want->v))
		put_pending(s, id);
	else
		objset_del(&s->host->pending, id);
}

static int on_objects(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	struct msg_objects o;
	const cJSON *v;
	int err = msg_read_objects(msg, &o, e);

	if (!err && (s->state != SYNC_OBJECTS || !s->awaited[o.bucket]))
		err = error_set(e, -EBADMSG, "objects: nobody asked for bucket %u", o.bucket);
	if (err)
		return err;
	s->awaited[o.bucket] = false;
	cJSON_ArrayForEach(v, o.have)
		compare(s, v->string, v);
	if (!--s->n_awaited)
		steady(s);
	return 0;
}

/* Updates. */

static void add_object(struct vmc_session *s, const char *id, struct text *set, struct text *del)
{
	struct vmc_engine *e = &s->vmc->engine;
	struct objset_entry *want;
	char hex[DIGEST_STRLEN];

	vmc_refresh(e, s->host, id, &e->scratch);
	want = objset_find(&s->host->desired, id);
	if (!want) {
		text_add(del, del->len ? "," : "");
		text_string(del, id);
		return;
	}
	text_add(set, set->len ? ",{\"id\":" : "{\"id\":");
	text_string(set, id);
	text_fmt(set, ",\"v\":\"%s\",\"spec\":", digest_format(&want->v, hex));
	text_bytes(set, e->scratch.s, e->scratch.len);
	text_add(set, "}");
}

static void write_frame(struct vmc_session *s)
{
	static struct text set, del, frame;
	struct objset_entry *next = NULL;

	text_reset(&set);
	text_reset(&del);
	text_reset(&frame);
	while (set.len + del.len < FRAME_BYTES && (next = objset_next(&s->sending, &s->at)))
		add_object(s, next->id, &set, &del);
	s->writing = next;
	text_fmt(&frame, "{\"msg\":\"update\",\"seq\":%llu,\"revision\":%llu,\"set\":[",
		 (unsigned long long)s->seq, (unsigned long long)s->revision);
	text_bytes(&frame, set.s ?: "", set.len);
	text_add(&frame, "],\"del\":[");
	text_bytes(&frame, del.s ?: "", del.len);
	text_fmt(&frame, "],\"more\":%s}", s->writing ? "true" : "false");
	if (frame.failed || set.failed || del.failed) {
		log_error("out of memory for an update; starting again from the store");
		abort();
	}
	s->front.send(s->arg, frame.s, frame.len);
}

static void begin_update(struct vmc_session *s)
{
	struct vmc_host *h = s->host;

	s->sending = h->pending;
	objset_init(&h->pending);
	tracks_take(&h->sent, &h->tracks);
	h->under_way = true;
	s->writing = true;
	s->at = 0;
	s->seq++;
	if (s->vmc->engine.settled > s->revision)
		s->revision = s->vmc->engine.settled;
	vmc_offload_sent(s->vmc, h, s->seq);
	s->vmc->updates++;
}

void session_pump(struct vmc_session *s)
{
	if (s->failed)
		return;
	if (s->state == SYNC_START && s->host->declared) {
		session_start(s);
		return;
	}
	if (s->state != SYNC_STEADY)
		return;
	if (!s->host->under_way) {
		if (!s->host->pending.count || vmc_now(s->vmc) < s->retry_ns)
			return;
		begin_update(s);
	}
	while (s->writing && s->front.backlog(s->arg) < BACKLOG_BYTES) {
		write_frame(s);
		if (s->writing)
			continue;
		s->checked = !s->host->pending.count;
		s->expected = s->host->desired.root;
	}
}

static void refused(struct vmc_session *s, const struct msg_ack *a)
{
	struct vmc_host *h = s->host;
	uint64_t wait_ns = NS_PER_S << (s->refused < 5 ? s->refused : 5);
	struct objset_entry *e;

	snprintf(s->problem, sizeof(s->problem), "%s", a->error);
	s->refused++;
	s->vmc->refusals++;
	s->retry_ns = vmc_now(s->vmc) + (wait_ns < RETRY_MAX_NS ? wait_ns : RETRY_MAX_NS);
	for (size_t i = 0; (e = objset_next(&s->sending, &i));)
		put_pending(s, e->id);
	tracks_move(s->vmc->programming, &h->tracks, &h->sent, vmc_now(s->vmc));
	log_warn("host refused an update", "host", h->name, "error", s->problem);
}

static void accepted(struct vmc_session *s)
{
	struct vmc *v = s->vmc;

	s->refused = 0;
	s->problem[0] = '\0';
	s->retry_ns = 0;
	v->acks++;
	tracks_release(v->programming, &s->host->sent, vmc_now(v));
	vmc_offload_acked(v, s->host, s->seq);
	if (!s->checked || digest_equal(&s->digest, &s->expected))
		return;
	log_warn("host has something else than it was sent; comparing everything", "host",
		 s->host->name);
	s->retry_ns = vmc_now(v) + NS_PER_S;	/* one that never agrees is not asked without end */
	ask_buckets(s);
}

/* Of an update by the leader before us: says only that the digest we began with is old. */
static void late_ack(struct vmc_session *s)
{
	if (s->state == SYNC_STEADY && !s->host->under_way &&
	    !digest_equal(&s->digest, &s->host->desired.root))
		ask_buckets(s);
}

static int on_ack(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	struct msg_ack a;
	int err = msg_read_ack(msg, &a, e);

	if (!err && a.seq >= s->first_seq && (!s->host->under_way || s->writing || a.seq != s->seq))
		err = error_set(e, -EBADMSG, "ack: update %llu is not under way",
				(unsigned long long)a.seq);
	if (err)
		return err;
	s->digest = a.digest;
	if (a.seq < s->first_seq) {
		late_ack(s);
		return 0;
	}
	s->host->under_way = false;
	if (a.error)
		refused(s, &a);
	else
		accepted(s);
	objset_done(&s->sending);
	session_pump(s);
	return 0;
}

static int on_usage(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	const cJSON *pairs;
	int err = msg_read_usage(msg, &pairs, e);

	return err ?: vmc_offload_usage(s->vmc, s->host, pairs);
}

static int on_report(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	const cJSON *vports;
	int err = msg_read_report(msg, &vports, e);

	return err ?: vmc_report(s->vmc, s->host, vports);
}

int session_message(struct vmc_session *s, const cJSON *msg, struct error *e)
{
	if (s->failed)
		return 0;
	switch (msg_kind(msg)) {
	case MSG_BUCKETS:
		return on_buckets(s, msg, e);
	case MSG_OBJECTS:
		return on_objects(s, msg, e);
	case MSG_ACK:
		return on_ack(s, msg, e);
	case MSG_USAGE:
		return on_usage(s, msg, e);
	case MSG_REPORT:
		return on_report(s, msg, e);
	case MSG_BIND:
		return vmc_bind(s, msg, e);
	case MSG_ERROR:
		log_warn("agent complains", "host", s->host->name, "error", msg_error_text(msg));
		return 0;
	default:
		send_msg(s, msg_error("this message is not known here"));
		return 0;
	}
}

/* What was on its way may have arrived or not; the next session's digest will tell. */
void session_done(struct vmc_session *s)
{
	struct vmc_host *h = s->host;

	tracks_move(s->vmc->programming, &h->tracks, &h->sent, vmc_now(s->vmc));
	h->under_way = false;
	objset_done(&h->pending);
	objset_done(&s->sending);
	vmc_offload_connected(s->vmc, h, false);
}
