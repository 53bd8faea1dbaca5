/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * transaction.c - one change of the host's objects, as it comes in frames
 */
#include <agent/transaction.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool number(const cJSON *frame, const char *field, uint64_t *ret)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(frame, field);

	if (!cJSON_IsNumber(v) || v->valuedouble < 0 || v->valuedouble >= 0x1p53 ||
	    floor(v->valuedouble) != v->valuedouble)
		return false;
	*ret = v->valuedouble;
	return true;
}

/* Absent, or an array. */
static bool list(const cJSON *frame, const char *field, const cJSON **ret)
{
	*ret = cJSON_GetObjectItemCaseSensitive(frame, field);
	return !*ret || cJSON_IsArray(*ret);
}

struct frame {
	uint64_t seq, revision;
	const cJSON *set, *del;
	bool more;
};

static int read_frame(const cJSON *json, struct frame *ret, struct error *e)
{
	const cJSON *more = cJSON_GetObjectItemCaseSensitive(json, "more");

	if (!number(json, "seq", &ret->seq) || !number(json, "revision", &ret->revision))
		return error_set(e, -EBADMSG, "an update without proper seq and revision");
	if (!list(json, "set", &ret->set) || !list(json, "del", &ret->del))
		return error_set(e, -EBADMSG, "update %llu: set and del must be lists",
				 (unsigned long long)ret->seq);
	if (more && !cJSON_IsBool(more))
		return error_set(e, -EBADMSG, "update %llu: more must be true or false",
				 (unsigned long long)ret->seq);
	ret->more = cJSON_IsTrue(more);
	return 0;
}

static int add_step(struct transaction *t, struct transaction_step step)
{
	unsigned int cap = t->cap_steps ? 2 * t->cap_steps : 16;
	struct transaction_step *more;

	if (t->n_steps == t->cap_steps) {
		more = reallocarray(t->steps, cap, sizeof(*more));
		if (!more)
			return -ENOMEM;
		t->steps = more;
		t->cap_steps = cap;
	}
	t->steps[t->n_steps++] = step;
	return 0;
}

/* The first mistake is the one that is told. */
static void spoil(struct transaction *t, const char *id, const struct error *why)
{
	if (t->bad.err)
		return;
	t->bad = *why;
	snprintf(t->bad_id, sizeof(t->bad_id), "%s", id && object_id_valid(id) ? id : "");
}

static int add_object(struct transaction *t, const cJSON *json, struct error *e)
{
	const cJSON *id = cJSON_GetObjectItemCaseSensitive(json, "id");
	struct object *o;
	struct error why;
	int err = object_new(json, &o, &why);

	if (err == -EBADMSG)
		spoil(t, cJSON_IsString(id) ? id->valuestring : NULL, &why);
	if (err)
		return err == -EBADMSG ? 0 : error_set(e, err, "%s", why.text);
	err = add_step(t, (struct transaction_step){ .set = o });
	if (!err)
		return 0;
	object_put(o);
	return error_set(e, err, "no memory for an update");
}

static int add_removal(struct transaction *t, const cJSON *json, struct error *e)
{
	struct error why;
	char *id;

	if (!cJSON_IsString(json) || !object_id_valid(json->valuestring)) {
		error_set(&why, -EBADMSG, "what is to be removed has no proper id");
		spoil(t, NULL, &why);
		return 0;
	}
	id = strdup(json->valuestring);
	if (id && !add_step(t, (struct transaction_step){ .del = id }))
		return 0;
	free(id);
	return error_set(e, -ENOMEM, "no memory for an update");
}

static int add_all(struct transaction *t, const struct frame *f, struct error *e)
{
	const cJSON *one;
	int err = 0;

	if (t->n_steps + (uint64_t)cJSON_GetArraySize(f->set) + cJSON_GetArraySize(f->del) >
	    TRANSACTION_STEPS_MAX)
		return error_set(e, -EBADMSG, "update %llu: has more than %u objects",
				 (unsigned long long)f->seq, TRANSACTION_STEPS_MAX);
	cJSON_ArrayForEach(one, f->del)
		if (!err)
			err = add_removal(t, one, e);
	cJSON_ArrayForEach(one, f->set)
		if (!err)
			err = add_object(t, one, e);
	return err;
}

int transaction_add(struct transaction **t, const cJSON *json, struct error *e)
{
	struct transaction *now = *t;
	struct frame f;
	int err = read_frame(json, &f, e);

	if (err)
		return err;
	if (now && (f.seq < now->seq || (f.seq == now->seq && f.revision != now->revision)))
		return error_set(e, -EBADMSG, "update %llu in the middle of update %llu",
				 (unsigned long long)f.seq, (unsigned long long)now->seq);
	if (now && f.seq > now->seq) {
		transaction_free(now);
		*t = now = NULL;
	}
	if (!now)
		now = calloc(1, sizeof(*now));
	if (!now)
		return error_set(e, -ENOMEM, "no memory for an update");
	now->seq = f.seq;
	now->revision = f.revision;
	*t = now;
	err = add_all(now, &f, e);
	now->whole = !err && !f.more;
	return err;
}

void transaction_free(struct transaction *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->n_steps; i++) {
		object_put(t->steps[i].set);
		free(t->steps[i].del);
	}
	free(t->steps);
	free(t);
}
