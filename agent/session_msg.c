/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * session_msg.c - what agent and controller say to each other
 *
 * One function per message that is heard, named in a table; unknown ones are answered with
 * an error and otherwise passed over. A message that breaks the rules ends the session.
 *
 * See also: lib/msg.h (fields and their limits), docs/protocol.md (who says what when).
 */
#include <agent/session_internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <agent/agent.h>
#include <lib/log.h>
#include <lib/msg.h>
#include <lib/version.h>

#define USAGE_MS_MIN 10u
#define USAGE_MS_MAX 60000u
#define PING_MS_MIN 1000u
#define PING_MS_MAX 60000u
#define USAGE_BACKLOG_MAX (1u << 20)	/* reports of usage are left out while so much waits */

static const struct objset_digest *digest(const struct session *s)
{
	return object_set_digest(state_objects(s->agent->state));
}

/* Hello. While a change is under way nobody can say what will be here. */

void session_try_hello(struct session *s)
{
	const struct msg_hello hello = {
		.host = s->agent->options.name,
		.agent = MIRACH_VERSION,
		.digest = digest(s)->root,
		.count = digest(s)->count,
	};

	s->hello_due = !state_idle(s->agent->state);
	if (!s->hello_due)
		link_send(s->link, msg_hello(&hello));
}

static uint32_t bounded(uint32_t value, uint32_t min, uint32_t max)
{
	return value < min ? min : value > max ? max : value;
}

static int hear_welcome(struct session *s, const cJSON *msg, struct error *e)
{
	struct msg_welcome w;
	int err = msg_read_welcome(msg, &w, e);

	if (err)
		return err;
	if (s->state != SESSION_GREETING)
		return error_set(e, -EBADMSG, "a second welcome");
	if (w.version != MSG_VERSION)
		return error_set(e, -EPROTO, "the controller speaks version %u of the protocol, this "
				 "agent %u", w.version, MSG_VERSION);
	s->usage_ms = bounded(w.usage_ms, USAGE_MS_MIN, USAGE_MS_MAX);
	s->ping_ms = bounded(w.ping_ms, PING_MS_MIN, PING_MS_MAX);
	session_welcomed(s);
	return 0;
}

/* What is here. */

static void add_object(const struct object *o, void *arg)
{
	char v[DIGEST_STRLEN];

	msg_objects_add(arg, o->id, digest_format(&o->v, v));
}

static void say_bucket(struct session *s, uint8_t bucket)
{
	cJSON *msg = msg_objects(bucket);

	if (msg)
		object_set_bucket(state_objects(s->agent->state), bucket, add_object, msg);
	link_send(s->link, msg);
}

static int hear_query(struct session *s, const cJSON *msg, struct error *e)
{
	struct msg_query q;
	int err = msg_read_query(msg, &q, e);

	if (err)
		return err;
	if (q.buckets)
		link_send(s->link, msg_buckets(digest(s)->bucket));
	for (unsigned int i = 0; !q.buckets && i < q.n; i++)
		say_bucket(s, q.bucket[i]);
	return 0;
}

/* Updates: the numbers of a session only grow, so what comes twice is seen. */

static int hear_update(struct session *s, const cJSON *msg, struct error *e)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(msg, "seq");
	double seq = cJSON_IsNumber(number) ? number->valuedouble : 0;
	int err;

	if (seq <= s->last_seq)
		return error_set(e, -EBADMSG, "update %.0f came again; %.0f was the last", seq,
				 s->last_seq);
	err = state_update(s->agent->state, msg, e);
	if (!err && !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(msg, "more"))) {
		s->last_seq = seq;
		s->updates++;
	}
	return err;
}

/* A message's text is one line. */
static const char *one_line(char *buf, size_t len, const char *text)
{
	snprintf(buf, len, "%s", text);
	for (char *c = buf; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = *c == '\n' ? ';' : ' ';
	return buf;
}

void session_ack(const struct state_outcome *o, void *arg)
{
	unsigned int n = o->n_ids < MSG_IDS_MAX ? o->n_ids : MSG_IDS_MAX;
	cJSON *ids = cJSON_CreateStringArray(o->ids, n);
	struct session *s = arg;
	char text[MSG_TEXT_MAX + 1];
	const struct msg_ack ack = {
		.seq = o->seq,
		.revision = o->revision,
		.digest = digest(s)->root,
		.error = o->e->err ? one_line(text, sizeof(text), o->e->text) : NULL,
		.ids = n ? ids : NULL,
	};

	s->refused += o->e->err != 0;
	link_send(s->link, msg_ack(&ack));
	cJSON_Delete(ids);
	session_report(s);
}

/* Bindings. */

void session_say_binding(const char *instance, void *arg)
{
	struct session *s = arg;
	const struct binding *b = bindings_find(state_bindings(s->agent->state), instance);
	const struct msg_bind msg = {
		.instance = instance,
		.device = b ? binding_text(b, "device") : NULL,
		.netns = b ? binding_text(b, "netns") : NULL,
		.guest_device = b ? binding_text(b, "guest_device") : NULL,
	};

	if (s->state == SESSION_UP)
		link_send(s->link, msg_bind(&msg));
}

void session_say_bindings(struct session *s)
{
	const struct bindings *b = state_bindings(s->agent->state);

	for (unsigned int i = 0; i < b->n; i++)
		session_say_binding(b->all[i]->instance, s);
}

static int hear_bound(struct session *s, const cJSON *msg, struct error *e)
{
	struct msg_bound b;
	int err = msg_read_bound(msg, &b, e);

	if (!err)
		state_bound(s->agent->state, b.instance, b.error);
	return err;
}

/* Reports. */

static void add_row(cJSON *list, const struct msg_vport *v)
{
	char text[MSG_TEXT_MAX + 1];
	cJSON *row;

	if (cJSON_GetArraySize(list) >= (int)MSG_VPORTS_MAX)
		return;
	row = cJSON_CreateObject();
	cJSON_AddStringToObject(row, "id", v->id);
	cJSON_AddStringToObject(row, "device", v->device);
	cJSON_AddStringToObject(row, "state", v->state);
	cJSON_AddStringToObject(row, "problem", one_line(text, sizeof(text), v->problem));
	cJSON_AddItemToArray(list, row);
}

static void add_vport(const struct vport_view *view, void *arg)
{
	static const char *const states[] = {
		[VPORT_ABSENT] = "absent", [VPORT_ATTACHING] = "attaching",
		[VPORT_READY] = "ready", [VPORT_REFUSED] = "refused",
	};
	char id[MSG_ID_MAX + 1];

	snprintf(id, sizeof(id), "vport/%s", view->name);
	if (!view->uplink)
		add_row(arg, &(struct msg_vport){ id, view->device, states[view->state],
						  view->problem });
}

static void add_unbound(const struct object *o, void *arg)
{
	add_row(arg, &(struct msg_vport){ o->id, "", "unbound", "no device is named for it" });
}

/* Says how vports are, if that is news. */
void session_report(struct session *s)
{
	cJSON *msg, *list;
	struct digest now;
	char *text;

	if (s->state != SESSION_UP)
		return;
	msg = cJSON_CreateObject();
	cJSON_AddStringToObject(msg, "msg", msg_kind_name(MSG_REPORT));
	list = cJSON_AddArrayToObject(msg, "vports");
	vports_each(s->agent->vports, add_vport, list);
	state_each_unbound(s->agent->state, add_unbound, list);
	text = cJSON_PrintUnformatted(msg);
	now = digest_of(text ?: "", text ? strlen(text) : 0);
	free(text);
	if (digest_equal(&now, &s->reported)) {
		cJSON_Delete(msg);
		return;
	}
	s->reported = now;
	link_send(s->link, msg);
}

static void add_pair(cJSON *msg, const struct agent *a, const struct usage_pair *p)
{
	char src[IP_ADDR_STRLEN], dst[IP_ADDR_STRLEN];
	const struct msg_usage_pair pair = {
		.network = policy_network_name(a->policy, p->vni),
		.src = ip_addr_format(&p->src, src, sizeof(src)),
		.dst = ip_addr_format(&p->dst, dst, sizeof(dst)),
		.bps = p->bps,
		.direct = p->way == USAGE_DIRECT,
	};

	if (pair.network)
		msg_usage_add(msg, &pair);
}

void session_usage(struct session *s, const struct usage_pair *pairs, uint32_t n)
{
	cJSON *msg;

	if (s->state != SESSION_UP || !n || link_backlog(s->link) > USAGE_BACKLOG_MAX)
		return;
	msg = msg_usage();
	for (uint32_t i = 0; msg && i < n; i++)
		add_pair(msg, s->agent, &pairs[i]);
	link_send(s->link, msg);
}

/* The rest. */

void session_ping(struct session *s)
{
	link_send(s->link, msg_ping(++s->n_pings));
}

static int hear_ping(struct session *s, const cJSON *msg, struct error *e)
{
	uint64_t n;
	int err = msg_read_ping(msg, &n, e);

	if (!err)
		link_send(s->link, msg_pong(n));
	return err;
}

/* That something came is all there is to it. */
static int hear_pong(struct session *s, const cJSON *msg, struct error *e)
{
	(void)s, (void)msg, (void)e;
	return 0;
}

static int hear_error(struct session *s, const cJSON *msg, struct error *e)
{
	(void)e;
	log_warn("the controller complains", "controller", s->endpoints[s->current], "text",
		 log_fmt("%.200s", msg_error_text(msg)));
	return 0;
}

static const struct {
	int (*hear)(struct session *s, const cJSON *msg, struct error *e);
	bool needs_welcome;
} words[] = {
	[MSG_WELCOME] = { hear_welcome, false }, [MSG_QUERY] = { hear_query, true },
	[MSG_UPDATE] = { hear_update, true },	 [MSG_BOUND] = { hear_bound, true },
	[MSG_PING] = { hear_ping, false },	 [MSG_PONG] = { hear_pong, false },
	[MSG_ERROR] = { hear_error, false },
};
#define N_WORDS (sizeof(words) / sizeof(words[0]))

static void answer_unknown(struct session *s, const cJSON *msg)
{
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(msg, "msg"));

	link_send(s->link, msg_error(log_fmt("unknown message \"%.32s\"", name ?: "")));
}

void session_hear(struct session *s, const cJSON *msg)
{
	enum msg_kind kind = msg_kind(msg);
	struct error e = {};

	if (kind >= N_WORDS || !words[kind].hear) {
		answer_unknown(s, msg);
		return;
	}
	if (words[kind].needs_welcome && s->state != SESSION_UP)
		error_set(&e, -EBADMSG, "%s before welcome", msg_kind_name(kind));
	else
		words[kind].hear(s, msg, &e);
	if (e.err)
		session_fail(s, &e);
}
