// SPDX-License-Identifier: BSD-2-Clause
/*
 * msg_host.c - the host protocol's messages, read and built
 */
#include <lib/msg.h>
#include <lib/msg_internal.h>

#include <errno.h>
#include <string.h>

#define NUMBER_MAX (1ull << 53)		/* what JSON numbers hold exactly */

static int read_versions(const cJSON *msg, bool *ret_ours, struct error *e)
{
	const cJSON *list, *version;
	int err = field_list(msg, "versions", 16, &list, e);

	if (!err && !list)
		err = error_set(e, -EBADMSG, "versions: missing");
	*ret_ours = false;
	cJSON_ArrayForEach(version, list)
		if (cJSON_IsNumber(version) && version->valuedouble == MSG_VERSION)
			*ret_ours = true;
	return err;
}

int msg_read_hello(const cJSON *msg, struct msg_hello *ret, struct error *e)
{
	struct msg_hello h = { .agent = "" };
	int err = read_versions(msg, &h.speaks_ours, e);

	err = err ?: field_text(msg, "host", MSG_NAME_MAX, &h.host, e);
	err = err ?: field_text_if(msg, "agent", MSG_NAME_MAX, &h.agent, e);
	err = err ?: field_digest(msg, "digest", &h.digest, e);
	err = err ?: field_number(msg, "count", NUMBER_MAX, &h.count, e);
	if (!err)
		*ret = h;
	return err;
}

cJSON *msg_hello(const struct msg_hello *h)
{
	const int version = MSG_VERSION;
	cJSON *o = message_new(MSG_HELLO);

	message_item(&o, "versions", cJSON_CreateIntArray(&version, 1));
	message_text(&o, "host", h->host);
	message_text(&o, "agent", h->agent);
	message_digest(&o, "digest", &h->digest);
	message_number(&o, "count", h->count);
	return o;
}

int msg_read_welcome(const cJSON *msg, struct msg_welcome *ret, struct error *e)
{
	uint64_t version, usage_ms, ping_ms;
	int err = field_number(msg, "version", UINT32_MAX, &version, e);

	err = err ?: field_number(msg, "usage_ms", UINT32_MAX, &usage_ms, e);
	err = err ?: field_number(msg, "ping_ms", UINT32_MAX, &ping_ms, e);
	if (!err)
		*ret = (struct msg_welcome){ version, usage_ms, ping_ms };
	return err;
}

cJSON *msg_welcome(const struct msg_welcome *w)
{
	cJSON *o = message_new(MSG_WELCOME);

	message_number(&o, "version", w->version);
	message_number(&o, "usage_ms", w->usage_ms);
	message_number(&o, "ping_ms", w->ping_ms);
	return o;
}

int msg_read_query(const cJSON *msg, struct msg_query *ret, struct error *e)
{
	struct msg_query q = {};
	const char *what;
	const cJSON *list, *n;
	int err = field_text(msg, "what", MSG_NAME_MAX, &what, e);

	if (err)
		return err;
	q.buckets = !strcmp(what, "buckets");
	if (!q.buckets && strcmp(what, "bucket"))
		return error_set(e, -EBADMSG, "what: neither \"buckets\" nor \"bucket\"");
	err = field_list(msg, "buckets", OBJSET_BUCKETS, &list, e);
	if (!err && !q.buckets && !list)
		err = error_set(e, -EBADMSG, "buckets: missing");
	if (err)
		return err;
	cJSON_ArrayForEach(n, list) {
		if (!cJSON_IsNumber(n) || n->valuedouble != (uint8_t)n->valueint)
			return error_set(e, -EBADMSG, "buckets: not numbers from 0 to 255");
		q.bucket[q.n++] = n->valueint;
	}
	*ret = q;
	return 0;
}

cJSON *msg_query(const struct msg_query *q)
{
	cJSON *o = message_new(MSG_QUERY);
	int numbers[OBJSET_BUCKETS];

	message_text(&o, "what", q->buckets ? "buckets" : "bucket");
	for (unsigned int i = 0; i < q->n; i++)
		numbers[i] = q->bucket[i];
	if (!q->buckets)
		message_item(&o, "buckets", cJSON_CreateIntArray(numbers, q->n));
	return o;
}

int msg_read_buckets(const cJSON *msg, struct digest ret[OBJSET_BUCKETS], struct error *e)
{
	const cJSON *list, *item;
	unsigned int n = 0;
	int err = field_list(msg, "digests", OBJSET_BUCKETS, &list, e);

	cJSON_ArrayForEach(item, list)
		if (!err)
			err = value_digest(item, "digests", &ret[n++], e);
	if (!err && n != OBJSET_BUCKETS)
		err = error_set(e, -EBADMSG, "digests: %u, not %u", n, OBJSET_BUCKETS);
	return err;
}

cJSON *msg_buckets(const struct digest digests[OBJSET_BUCKETS])
{
	char text[OBJSET_BUCKETS][DIGEST_STRLEN];
	const char *list[OBJSET_BUCKETS];
	cJSON *o = message_new(MSG_BUCKETS);

	for (unsigned int i = 0; i < OBJSET_BUCKETS; i++)
		list[i] = digest_format(&digests[i], text[i]);
	message_item(&o, "digests", cJSON_CreateStringArray(list, OBJSET_BUCKETS));
	return o;
}

int msg_read_objects(const cJSON *msg, struct msg_objects *ret, struct error *e)
{
	const cJSON *have = cJSON_GetObjectItemCaseSensitive(msg, "have"), *v;
	struct digest digest;
	uint64_t bucket;
	int err = field_number(msg, "bucket", OBJSET_BUCKETS - 1, &bucket, e);

	if (!err && !cJSON_IsObject(have))
		err = error_set(e, -EBADMSG, "have: not a map of ids");
	if (err)
		return err;
	cJSON_ArrayForEach(v, have) {
		const char *slash = strchr(v->string, '/');

		if (strlen(v->string) > MSG_ID_MAX || !slash || slash == v->string || !slash[1])
			return error_set(e, -EBADMSG, "have: not an object's id");
		if (objset_bucket(v->string) != bucket)
			return error_set(e, -EBADMSG, "have: %s is not of bucket %u", v->string,
					 (unsigned int)bucket);
		err = value_digest(v, "have", &digest, e);
		if (err)
			return err;
	}
	*ret = (struct msg_objects){ bucket, have };
	return 0;
}

cJSON *msg_objects(uint8_t bucket)
{
	cJSON *o = message_new(MSG_OBJECTS);

	message_number(&o, "bucket", bucket);
	message_item(&o, "have", cJSON_CreateObject());
	return o;
}

int msg_objects_add(cJSON *msg, const char *id, const char *v)
{
	cJSON *have = cJSON_GetObjectItemCaseSensitive(msg, "have");

	return cJSON_AddStringToObject(have, id, v) ? 0 : -ENOMEM;
}

static int check_set(const cJSON *set, struct error *e)
{
	const cJSON *object;
	struct digest v;

	cJSON_ArrayForEach(object, set) {
		int err = value_id(cJSON_GetObjectItemCaseSensitive(object, "id"), "set.id", e);

		err = err ?: field_digest(object, "v", &v, e);
		if (!err && !cJSON_IsObject(cJSON_GetObjectItemCaseSensitive(object, "spec")))
			err = error_set(e, -EBADMSG, "set.spec: not a map");
		if (err)
			return err;
	}
	return 0;
}

int msg_read_update(const cJSON *msg, struct msg_update *ret, struct error *e)
{
	struct msg_update u = { .more = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(msg, "more")) };
	const cJSON *id;
	int err = field_number(msg, "seq", NUMBER_MAX, &u.seq, e);

	err = err ?: field_number(msg, "revision", NUMBER_MAX, &u.revision, e);
	err = err ?: field_list(msg, "set", MSG_FRAME_MAX, &u.set, e);
	err = err ?: field_list(msg, "del", MSG_FRAME_MAX, &u.del, e);
	err = err ?: check_set(u.set, e);
	cJSON_ArrayForEach(id, u.del)
		err = err ?: value_id(id, "del", e);
	if (!err)
		*ret = u;
	return err;
}

int msg_read_ack(const cJSON *msg, struct msg_ack *ret, struct error *e)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(msg, "error"), *id;
	struct msg_ack a = {};
	int err = field_number(msg, "seq", NUMBER_MAX, &a.seq, e);

	err = err ?: field_number(msg, "revision", NUMBER_MAX, &a.revision, e);
	err = err ?: field_digest(msg, "digest", &a.digest, e);
	if (!err && error && !cJSON_IsNull(error)) {
		err = field_text(error, "text", MSG_TEXT_MAX, &a.error, e);
		err = err ?: field_list(error, "ids", MSG_IDS_MAX, &a.ids, e);
		cJSON_ArrayForEach(id, a.ids)
			err = err ?: value_id(id, "ids", e);
	}
	if (!err)
		*ret = a;
	return err;
}

cJSON *msg_ack(const struct msg_ack *a)
{
	cJSON *o = message_new(MSG_ACK), *error;

	message_number(&o, "seq", a->seq);
	message_number(&o, "revision", a->revision);
	message_digest(&o, "digest", &a->digest);
	if (!a->error)
		return o;
	error = cJSON_CreateObject();
	message_text(&error, "text", a->error);
	if (a->ids)
		message_item(&error, "ids", cJSON_Duplicate(a->ids, true));
	message_item(&o, "error", error);
	return o;
}

int msg_read_report(const cJSON *msg, const cJSON **ret_vports, struct error *e)
{
	static const char *const optional[] = { "device", "state", "problem" };
	const cJSON *list, *vport;
	const char *text;
	int err = field_list(msg, "vports", MSG_VPORTS_MAX, &list, e);

	cJSON_ArrayForEach(vport, list) {
		err = err ?: value_id(cJSON_GetObjectItemCaseSensitive(vport, "id"), "id", e);
		for (size_t i = 0; i < 3; i++)
			err = err ?: field_text_if(vport, optional[i], MSG_TEXT_MAX, &text, e);
	}
	if (!err)
		*ret_vports = list;
	return err;
}

static const char *text_of(const cJSON *o, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name)) ?: "";
}

void msg_vport(const cJSON *vport, struct msg_vport *ret)
{
	*ret = (struct msg_vport){ .id = text_of(vport, "id"), .device = text_of(vport, "device"),
				   .state = text_of(vport, "state"),
				   .problem = text_of(vport, "problem") };
}

int msg_read_bind(const cJSON *msg, struct msg_bind *ret, struct error *e)
{
	struct msg_bind b = {};
	int err = field_text(msg, "instance", MSG_NAME_MAX, &b.instance, e);

	err = err ?: field_text_if(msg, "device", MSG_NAME_MAX, &b.device, e);
	err = err ?: field_text_if(msg, "netns", 255, &b.netns, e);
	err = err ?: field_text_if(msg, "guest_device", MSG_NAME_MAX, &b.guest_device, e);
	if (!err)
		*ret = b;
	return err;
}

cJSON *msg_bind(const struct msg_bind *b)
{
	cJSON *o = message_new(MSG_BIND);

	message_text(&o, "instance", b->instance);
	message_text(&o, "device", b->device);
	message_text(&o, "netns", b->netns);
	message_text(&o, "guest_device", b->guest_device);
	return o;
}

int msg_read_bound(const cJSON *msg, struct msg_bound *ret, struct error *e)
{
	struct msg_bound b = {};
	int err = field_text(msg, "instance", MSG_NAME_MAX, &b.instance, e);

	err = err ?: field_text_if(msg, "error", MSG_TEXT_MAX, &b.error, e);
	if (!err)
		*ret = b;
	return err;
}

cJSON *msg_bound(const struct msg_bound *b)
{
	cJSON *o = message_new(MSG_BOUND);

	message_text(&o, "instance", b->instance);
	message_text(&o, "error", b->error);
	return o;
}

int msg_read_usage(const cJSON *msg, const cJSON **ret_pairs, struct error *e)
{
	const cJSON *list, *pair;
	const char *text;
	uint64_t bps;
	int err = field_list(msg, "pairs", MSG_PAIRS_MAX, &list, e);

	cJSON_ArrayForEach(pair, list) {
		err = err ?: field_text(pair, "network", MSG_NAME_MAX, &text, e);
		err = err ?: field_text(pair, "src", MSG_NAME_MAX, &text, e);
		err = err ?: field_text(pair, "dst", MSG_NAME_MAX, &text, e);
		err = err ?: field_number(pair, "bps", NUMBER_MAX, &bps, e);
		err = err ?: field_text(pair, "via", MSG_NAME_MAX, &text, e);
		if (!err && strcmp(text, "direct") && strcmp(text, "hoverboard"))
			err = error_set(e, -EBADMSG, "via: neither \"hoverboard\" nor \"direct\"");
		if (err)
			return err;
	}
	if (!err)
		*ret_pairs = list;
	return err;
}

void msg_usage_pair(const cJSON *pair, struct msg_usage_pair *ret)
{
	*ret = (struct msg_usage_pair){
		.network = text_of(pair, "network"),
		.src = text_of(pair, "src"),
		.dst = text_of(pair, "dst"),
		.bps = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(pair, "bps")),
		.direct = !strcmp(text_of(pair, "via"), "direct"),
	};
}

cJSON *msg_usage(void)
{
	cJSON *o = message_new(MSG_USAGE);

	message_item(&o, "pairs", cJSON_CreateArray());
	return o;
}

int msg_usage_add(cJSON *msg, const struct msg_usage_pair *p)
{
	cJSON *pair = cJSON_CreateObject();

	message_text(&pair, "network", p->network);
	message_text(&pair, "src", p->src);
	message_text(&pair, "dst", p->dst);
	message_number(&pair, "bps", p->bps);
	message_text(&pair, "via", p->direct ? "direct" : "hoverboard");
	if (!pair)
		return -ENOMEM;
	cJSON_AddItemToArray(cJSON_GetObjectItemCaseSensitive(msg, "pairs"), pair);
	return 0;
}

int msg_read_ping(const cJSON *msg, uint64_t *ret_n, struct error *e)
{
	return field_number(msg, "n", NUMBER_MAX, ret_n, e);
}

static cJSON *numbered(enum msg_kind kind, uint64_t n)
{
	cJSON *o = message_new(kind);

	message_number(&o, "n", n);
	return o;
}

cJSON *msg_ping(uint64_t n)
{
	return numbered(MSG_PING, n);
}

cJSON *msg_pong(uint64_t n)
{
	return numbered(MSG_PONG, n);
}

cJSON *msg_error(const char *text)
{
	cJSON *o = message_new(MSG_ERROR);

	message_text(&o, "text", text);
	return o;
}

const char *msg_error_text(const cJSON *msg)
{
	const char *text = "";

	field_text_if(msg, "text", MSG_TEXT_MAX, &text, NULL);
	return text;
}
