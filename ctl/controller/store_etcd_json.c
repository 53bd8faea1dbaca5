// SPDX-License-Identifier: BSD-2-Clause
/*
 * store_etcd_json.c - requests to etcd's JSON gateway as text, and its answers taken apart
 *
 * Requests are printed, not built as trees: all that is in them is base64 and
 * numbers. What etcd's errors mean to a caller of the store is one table.
 */
#include <ctl/controller/store_etcd_json.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>
#include <openssl/evp.h>

/* ---- requests ---- */

static struct etcd_bytes text_bytes(const char *text)
{
	return (struct etcd_bytes){ text, strlen(text) };
}

static void print_base64(FILE *f, const char *name, struct etcd_bytes bytes)
{
	unsigned char block[3 * 1024], out[4 * 1024 + 1];

	fprintf(f, "\"%s\":\"", name);
	for (size_t at = 0, n; at < bytes.len; at += n) {
		n = bytes.len - at < sizeof(block) ? bytes.len - at : sizeof(block);
		memcpy(block, bytes.at + at, n);
		fwrite(out, 1, (size_t)EVP_EncodeBlock(out, block, (int)n), f);
	}
	fputc('"', f);
}

/* Opens a body; print_body() closes it again and hands it out. */
struct body {
	char *text;
	size_t len;
	FILE *f;
};

static FILE *open_body(struct body *b)
{
	*b = (struct body){};
	b->f = open_memstream(&b->text, &b->len);
	return b->f;
}

static char *close_body(struct body *b, size_t *ret_len)
{
	bool bad = ferror(b->f);

	if (fclose(b->f) || bad) {
		free(b->text);
		return NULL;
	}
	*ret_len = b->len;
	return b->text;
}

char *etcd_range_body(const struct etcd_range *r, size_t *ret_len)
{
	struct body b;
	FILE *f = open_body(&b);

	if (!f)
		return NULL;
	fputc('{', f);
	print_base64(f, "key", r->key);
	if (r->end.len) {
		fputc(',', f);
		print_base64(f, "range_end", r->end);
	}
	fprintf(f, ",\"limit\":\"%u\",\"revision\":\"%" PRId64 "\",\"serializable\":%s}", r->limit,
		r->revision, r->serializable ? "true" : "false");
	return close_body(&b, ret_len);
}

static void print_op(FILE *f, const struct store_op *op)
{
	fprintf(f, "{\"request_%s\":{", op->del ? "delete_range" : "put");
	print_base64(f, "key", text_bytes(op->key));
	if (!op->del) {
		fputc(',', f);
		print_base64(f, "value", (struct etcd_bytes){ op->value, op->value_len });
		fprintf(f, ",\"lease\":\"%" PRId64 "\"", op->lease);
	}
	fputs("}}", f);
}

char *etcd_txn_body(const struct store_compare *compares, unsigned int n_compares,
		    const struct store_op *ops, unsigned int n_ops, size_t *ret_len)
{
	struct body b;
	FILE *f = open_body(&b);

	if (!f)
		return NULL;
	fputs("{\"compare\":[", f);
	for (unsigned int i = 0; i < n_compares; i++) {
		fprintf(f, "%s{\"target\":\"MOD\",\"result\":\"EQUAL\",\"mod_revision\":\"%" PRId64 "\",",
			i ? "," : "", compares[i].mod_revision);
		print_base64(f, "key", text_bytes(compares[i].key));
		fputc('}', f);
	}
	fputs("],\"success\":[", f);
	for (unsigned int i = 0; i < n_ops; i++) {
		fputs(i ? "," : "", f);
		print_op(f, &ops[i]);
	}
	fputs("],\"failure\":[", f);
	for (unsigned int i = 0; i < n_compares; i++) {
		fprintf(f, "%s{\"request_range\":{\"keys_only\":true,", i ? "," : "");
		print_base64(f, "key", text_bytes(compares[i].key));
		fputs("}}", f);
	}
	fputs("]}", f);
	return close_body(&b, ret_len);
}

char *etcd_watch_body(const char *prefix, int64_t start, size_t *ret_len)
{
	struct body b;
	FILE *f = open_body(&b);
	size_t n = strlen(prefix);
	char end[STORE_KEY_MAX + 2];

	if (!f)
		return NULL;
	memcpy(end, prefix, n + 1);
	while ((unsigned char)end[n - 1] == 0xff)
		n--;
	end[n - 1]++;
	fputs("{\"create_request\":{", f);
	print_base64(f, "key", text_bytes(prefix));
	fputc(',', f);
	print_base64(f, "range_end", (struct etcd_bytes){ end, n });
	fprintf(f, ",\"start_revision\":\"%" PRId64 "\",\"progress_notify\":true}}", start);
	return close_body(&b, ret_len);
}

char *etcd_lease_body(int64_t lease, unsigned int ttl_s, size_t *ret_len)
{
	struct body b;
	FILE *f = open_body(&b);

	if (!f)
		return NULL;
	fprintf(f, "{\"ID\":\"%" PRId64 "\"", lease);
	if (ttl_s)
		fprintf(f, ",\"TTL\":\"%u\"", ttl_s);
	fputc('}', f);
	return close_body(&b, ret_len);
}

/* ---- errors ---- */

static const struct {
	const char *part;		/* of etcd's message */
	int err;
	const char *remedy;
} meanings[] = {
	{ "requested lease not found", -ENOENT, "the lease has expired or was revoked" },
	{ "revision has been compacted", -ESTALE, "that history is gone: read everything again" },
	{ "future revision", -EAGAIN, "this member lags behind" },
	{ "database space exceeded", -ENOSPC,
	  "compact and defragment etcd, then `etcdctl alarm disarm`" },
	{ "no space left", -ENOSPC, "make room on etcd's disk" },
	{ "too many operations in txn", -E2BIG, "start etcd with --max-txn-ops=10000" },
	{ "request is too large", -E2BIG, "start etcd with --max-request-bytes=16777216" },
	{ "larger than max", -E2BIG, "start etcd with --max-request-bytes=16777216" },
	{ "too many requests", -EAGAIN, "try again" },
	{ "no leader", -EAGAIN, "etcd has no quorum: see that most members run and reach each other" },
	{ "not healthy", -EAGAIN, "see that most members run and reach each other" },
	{ "leader changed", -ETIMEDOUT, "it may have been done or not" },
	{ "timed out", -ETIMEDOUT, "etcd has no quorum or a slow disk; it may have been done or not" },
	{ "deadline exceeded", -ETIMEDOUT, "etcd has no quorum or a slow disk; it may have been done or not" },
	{ "server stopped", -ETIMEDOUT, "it may have been done or not" },
	{ "closing", -ETIMEDOUT, "it may have been done or not" },
	{ "canceled", -ETIMEDOUT, "it may have been done or not" },
	{ "permission denied", -EACCES, "the certificate's user needs a role for the key" },
	{ "auth token", -EACCES, "see the certificate and etcd's authentication" },
	{ "user name is empty", -EACCES, "see the certificate and etcd's authentication" },
};

static int error_of(const char *message, int status, struct error *e)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (strcasestr(message, meanings[i].part))
			return error_set(e, meanings[i].err, "etcd: %.200s: %s", message, meanings[i].remedy);
	return error_set(e, -EIO, "etcd: %.200s (HTTP status %d)", message, status);
}

/* {"error": "text", "message": "text"}, in streams {"error": {"message": "text"}}. */
static int parse_error(const cJSON *root, int status, struct error *e)
{
	const cJSON *error = cJSON_GetObjectItemCaseSensitive(root, "error");
	const cJSON *message = cJSON_GetObjectItemCaseSensitive(root, "message");

	if (cJSON_IsObject(error))
		message = cJSON_GetObjectItemCaseSensitive(error, "message");
	if (cJSON_IsString(error))
		message = error;
	return error_of(cJSON_IsString(message) ? message->valuestring : "an error without words", status, e);
}

/* ---- answers ---- */

void etcd_answer_done(struct etcd_answer *a)
{
	for (unsigned int i = 0; i < a->n; i++)
		free((char *)a->events[i].kv.key);	/* the value is in the same block */
	free(a->events);
	*a = (struct etcd_answer){};
}

/* A number, or none: 0. Never negative. */
static int take_number(const cJSON *object, const char *name, int64_t *ret)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
	char *end;

	*ret = 0;
	if (!item || cJSON_IsNull(item))
		return 0;
	if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15) {
		*ret = (int64_t)item->valuedouble;
		return 0;
	}
	if (!cJSON_IsString(item) || item->valuestring[0] < '0' || item->valuestring[0] > '9')
		return -EBADMSG;
	errno = 0;
	*ret = strtoll(item->valuestring, &end, 10);
	return errno || *end ? -EBADMSG : 0;
}

static bool is_true(const cJSON *object, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, name));
}

/* Decodes into @out, which has room for three quarters of the text and 3 bytes more. Length or -1. */
static ssize_t decode(const char *base64, char *out)
{
	size_t len = strlen(base64), padding = 0;
	int n;

	if (!len) {
		out[0] = '\0';
		return 0;
	}
	while (padding < 2 && base64[len - 1 - padding] == '=' && padding < len - 1)
		padding++;
	n = len % 4 || len > INT32_MAX ? -1 : EVP_DecodeBlock((unsigned char *)out,
							       (const unsigned char *)base64, (int)len);
	if (n < 0 || (size_t)n != len / 4 * 3)
		return -1;
	out[n - (int)padding] = '\0';
	return n - (ssize_t)padding;
}

static const char *text_of(const cJSON *object, const char *name)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);

	return !item ? "" : cJSON_IsString(item) ? item->valuestring : NULL;
}

static struct store_event *new_event(struct etcd_answer *a)
{
	unsigned int cap = a->cap ? 2 * a->cap : 16;
	struct store_event *events;

	if (a->n == a->cap) {
		events = realloc(a->events, cap * sizeof(*events));
		if (!events)
			return NULL;
		a->events = events;
		a->cap = cap;
	}
	a->events[a->n] = (struct store_event){};
	return &a->events[a->n];
}

static int take_bytes(const cJSON *kv, struct store_kv *ret)
{
	const char *key64 = text_of(kv, "key"), *value64 = text_of(kv, "value");
	ssize_t key_len, value_len = -1;
	char *key, *value;

	if (!key64 || !value64)
		return -EBADMSG;
	key = malloc(strlen(key64) / 4 * 3 + 4 + strlen(value64) / 4 * 3 + 4);
	if (!key)
		return -ENOMEM;
	value = key + strlen(key64) / 4 * 3 + 4;
	key_len = decode(key64, key);
	if (key_len > 0 && key_len <= STORE_KEY_MAX && (size_t)key_len == strlen(key))
		value_len = decode(value64, value);
	if (value_len < 0) {
		free(key);
		return -EBADMSG;
	}
	ret->key = key;
	ret->value = value;
	ret->value_len = (size_t)value_len;
	return 0;
}

static int take_kv(const cJSON *kv, bool del, struct etcd_answer *a)
{
	struct store_event *v = new_event(a);
	int err;

	if (!v)
		return -ENOMEM;
	if (!cJSON_IsObject(kv) || take_number(kv, "create_revision", &v->kv.create_revision) ||
	    take_number(kv, "mod_revision", &v->kv.mod_revision) ||
	    take_number(kv, "lease", &v->kv.lease))
		return -EBADMSG;
	err = take_bytes(kv, &v->kv);
	if (err)
		return err;
	v->del = del;
	if (del)
		v->kv.create_revision = 0;
	a->n++;
	return 0;
}

static int take_range(const cJSON *object, struct etcd_answer *a)
{
	const cJSON *kvs = cJSON_GetObjectItemCaseSensitive(object, "kvs"), *kv;
	int err = kvs && !cJSON_IsArray(kvs) ? -EBADMSG : 0;

	a->more = is_true(object, "more");
	cJSON_ArrayForEach(kv, kvs)
		if (!err)
			err = take_kv(kv, false, a);
	return err;
}

static int take_txn(const cJSON *object, struct etcd_answer *a)
{
	const cJSON *responses = cJSON_GetObjectItemCaseSensitive(object, "responses"), *one;
	int err = 0;

	a->succeeded = is_true(object, "succeeded");
	if (a->succeeded)
		return 0;
	cJSON_ArrayForEach(one, responses)
		if (!err)
			err = take_range(cJSON_GetObjectItemCaseSensitive(one, "response_range"), a);
	a->more = false;
	return err;
}

static int take_lease(const cJSON *object, struct etcd_answer *a)
{
	if (take_number(object, "ID", &a->lease) || take_number(object, "TTL", &a->ttl_s))
		return -EBADMSG;
	return a->ttl_s > 86400 ? -EBADMSG : 0;
}

static int take_events(const cJSON *object, struct etcd_answer *a)
{
	const cJSON *events = cJSON_GetObjectItemCaseSensitive(object, "events"), *event;
	int64_t last = 0;
	int err = events && !cJSON_IsArray(events) ? -EBADMSG : 0;

	a->created = is_true(object, "created");
	a->canceled = is_true(object, "canceled");
	if (take_number(object, "compact_revision", &a->compact_revision))
		return -EBADMSG;
	cJSON_ArrayForEach(event, events) {
		const char *type = text_of(event, "type");

		if (!err)
			err = !type ? -EBADMSG : take_kv(cJSON_GetObjectItemCaseSensitive(event, "kv"),
							 !strcmp(type, "DELETE"), a);
		if (!err && a->events[a->n - 1].kv.mod_revision < last)
			err = -EBADMSG;
		last = err ? last : a->events[a->n - 1].kv.mod_revision;
	}
	return err;
}

static int take_answer(enum etcd_kind kind, const cJSON *root, struct etcd_answer *a)
{
	static int (*const take[])(const cJSON *, struct etcd_answer *) = {
		[ETCD_RANGE] = take_range, [ETCD_TXN] = take_txn,
		[ETCD_LEASE] = take_lease, [ETCD_WATCH] = take_events,
	};
	const cJSON *result = cJSON_GetObjectItemCaseSensitive(root, "result");
	const cJSON *object = result ?: root;

	if (!cJSON_IsObject(object) ||
	    take_number(cJSON_GetObjectItemCaseSensitive(object, "header"), "revision", &a->revision))
		return -EBADMSG;
	return take[kind](object, a);
}

int etcd_parse(enum etcd_kind kind, int status, const char *text, size_t len,
	       struct etcd_answer *ret, struct error *e)
{
	cJSON *root = cJSON_ParseWithLength(text, len);
	int err;

	*ret = (struct etcd_answer){};
	if (!cJSON_IsObject(root))
		err = status == 200 ? -EBADMSG : error_of("no JSON in the answer", status, e);
	else if (status != 200 || cJSON_GetObjectItemCaseSensitive(root, "error"))
		err = parse_error(root, status, e);
	else
		err = take_answer(kind, root, ret);
	cJSON_Delete(root);
	if (err)
		etcd_answer_done(ret);
	if (err == -EBADMSG)
		error_set(e, err, "etcd: an answer that makes no sense: is this etcd 3.4 or newer?");
	if (err == -ENOMEM)
		error_set(e, err, "etcd: out of memory");
	return err;
}
