// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_vmc_session.c - agents that lag, refuse, lose their state and their session
 *
 *	random changes ─► engine ─► session ─► frames ─► agent in memory ─► answers, late
 *
 * Whatever happens, an agent that is heard in the end has exactly what it should have,
 * and everybody who waited for a revision has been answered. Seeded.
 */
#include <ctl/controller/vmc_session.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lib/log.h>
#include <selftests/unit/expect.h>

#define HOSTS 3
#define INSTANCES 40
#define STEPS 20000
#define QUEUE 600

static unsigned int seed = 3;

static unsigned int dice(unsigned int n)
{
	return (rand_r(&seed) >> 4) % n;
}

struct agent {
	struct objset have;
	struct objset set;		/* of the transaction that comes in */
	struct objset del;
	cJSON *answers[QUEUE];
	unsigned int n_answers;
	struct vmc_session *session;
	unsigned int refuses;		/* this many updates more */
	uint64_t updates, queries;
	bool closed;
};

static struct agent agents[HOSTS];

static void answer(struct agent *a, cJSON *msg)
{
	assert_non_null(msg);
	assert_true(a->n_answers < QUEUE);
	a->answers[a->n_answers++] = msg;
}

static void forget_answers(struct agent *a)
{
	while (a->n_answers)
		cJSON_Delete(a->answers[--a->n_answers]);
}

static void apply(struct agent *a, const struct msg_update *u)
{
	struct msg_ack ack = { .seq = u->seq, .revision = u->revision };
	struct objset_entry *e;

	if (a->refuses) {
		a->refuses--;
		ack.error = "no such device";
	} else {
		for (size_t i = 0; (e = objset_next(&a->set, &i));)
			objset_put(&a->have, e->id, &e->v);
		for (size_t i = 0; (e = objset_next(&a->del, &i));)
			objset_del(&a->have, e->id);
	}
	objset_done(&a->set);
	objset_done(&a->del);
	ack.digest = a->have.root;
	answer(a, msg_ack(&ack));
	a->updates++;
}

static void on_update(struct agent *a, const cJSON *msg)
{
	struct msg_update u;
	const cJSON *one;
	struct digest v;

	assert_int_equal(msg_read_update(msg, &u, NULL), 0);
	cJSON_ArrayForEach(one, u.set) {
		char *spec = cJSON_PrintUnformatted(cJSON_GetObjectItem(one, "spec"));
		struct digest of_spec = digest_of(spec, strlen(spec));

		digest_parse(cJSON_GetStringValue(cJSON_GetObjectItem(one, "v")), &v);
		assert_true(digest_equal(&v, &of_spec));
		objset_put(&a->set, cJSON_GetStringValue(cJSON_GetObjectItem(one, "id")), &v);
		free(spec);
	}
	cJSON_ArrayForEach(one, u.del)
		objset_put(&a->del, one->valuestring, &(struct digest){});
	if (!u.more)
		apply(a, &u);
}

static void on_query(struct agent *a, const cJSON *msg)
{
	struct digest buckets[OBJSET_BUCKETS];
	struct objset_entry *e;
	char hex[DIGEST_STRLEN];
	struct msg_query q;

	a->queries++;
	assert_int_equal(msg_read_query(msg, &q, NULL), 0);
	objset_buckets(&a->have, buckets);
	if (q.buckets)
		answer(a, msg_buckets(buckets));
	for (unsigned int i = 0; i < q.n; i++) {
		cJSON *o = msg_objects(q.bucket[i]);

		for (size_t k = 0; (e = objset_next(&a->have, &k));)
			if (objset_bucket(e->id) == q.bucket[i])
				msg_objects_add(o, e->id, digest_format(&e->v, hex));
		answer(a, o);
	}
}

static void front_send(void *arg, const char *text, size_t len)
{
	cJSON *msg = cJSON_ParseWithLength(text, len);

	assert_non_null(msg);
	if (msg_kind(msg) == MSG_UPDATE)
		on_update(arg, msg);
	else if (msg_kind(msg) == MSG_QUERY)
		on_query(arg, msg);
	else
		fail_msg("unexpected: %s", text);
	cJSON_Delete(msg);
}

static size_t front_backlog(void *arg)
{
	(void)arg;
	return 0;
}

static void front_close(void *arg, const char *why)
{
	struct agent *a = arg;

	(void)why;
	a->closed = true;
}

static void front_lost(void *arg)
{
	(void)arg;
	fail_msg("the shard did not move");
}

static const struct vmc_front front = { front_send, front_backlog, front_close, front_lost };

/* A VMC without replicas and without a loop. */

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void missing(void *arg, uint64_t revision, void (*add)(void *to, const char *host), void *to)
{
	vmc_missing(&((struct vmc *)arg)->engine, revision, add, to);
}

static void vmc_setup(struct vmc *v, struct model_set *set, struct event_base *base)
{
	*v = (struct vmc){ .o = { .base = base, .set = set }, .ready = true };
	model_set_init(set);
	v->programming = programming_new(&(struct programming_options){ .missing = missing, .arg = v });
	v->work = evtimer_new(base, nothing, NULL);
	vmc_init(&v->engine, set, NULL, NULL, v->programming);
	vmc_reports_init(v);
	assert_int_equal(vmc_offload_init(v), 0);
	vmc_loaded(&v->engine, 1, 0);
}

static void vmc_teardown(struct vmc *v)
{
	event_free(v->work);
	vmc_offload_done(v);
	vmc_reports_done(v);
	vmc_done(&v->engine);
	programming_free(v->programming);
	model_set_done(v->o.set);
}

static void work(struct vmc *v)
{
	struct vmc_host *h;

	while (vmc_work(&v->engine, 100, vmc_now(v)))
		;
	while ((h = vmc_next_ready(&v->engine)))
		if (h->session)
			session_pump(h->session);
		else
			objset_done(&h->pending);
}

static void put(struct vmc *v, struct object *o)
{
	struct object *now;

	vmc_changing(&v->engine, model_set_find(v->o.set, o->kind, o->tenant, o->name), o);
	model_free(model_set_put(v->o.set, o, &now));
	vmc_changed(&v->engine, now);
}

static void declare_fabric(struct vmc *v)
{
	struct network *n = (struct network *)model_new(KIND_NETWORK, "t", "n");
	struct hoverboard *b = (struct hoverboard *)model_new(KIND_HOVERBOARD, "", "b");

	vmc_begin(&v->engine, 0, 0);
	n->spec.vni = 7;
	put(v, &n->o);
	strcpy(b->spec.host, "h0");
	put(v, &b->o);
	for (unsigned int i = 0; i < HOSTS; i++) {
		char name[MODEL_NAME_LEN], text[32];
		struct host *h;

		snprintf(name, sizeof(name), "h%u", i);
		snprintf(text, sizeof(text), "192.0.2.%u", i + 1);
		h = (struct host *)model_new(KIND_HOST, "", name);
		h->spec.underlay.v = calloc(1, sizeof(*h->spec.underlay.v));
		h->spec.underlay.n = 1;
		ip_addr_parse(text, &h->spec.underlay.v[0].ip);
		put(v, &h->o);
	}
	vmc_end(&v->engine, 2);
}

static void change(struct vmc *v, uint64_t revision)
{
	unsigned int i = dice(INSTANCES);
	char name[MODEL_NAME_LEN], text[32];
	struct instance *o;

	snprintf(name, sizeof(name), "i%u", i);
	vmc_begin(&v->engine, 1, 1);
	o = (struct instance *)model_set_find(v->o.set, KIND_INSTANCE, "t", name);
	if (o && !dice(3)) {
		vmc_changing(&v->engine, &o->o, NULL);
		model_free(model_set_del(v->o.set, KIND_INSTANCE, "t", name));
	} else {
		o = (struct instance *)model_new(KIND_INSTANCE, "t", name);
		strcpy(o->spec.network, "n");
		snprintf(o->spec.host, sizeof(o->spec.host), "h%u", dice(HOSTS));
		snprintf(text, sizeof(text), "10.0.0.%u", i + 1);
		o->spec.addresses.v = calloc(1, sizeof(*o->spec.addresses.v));
		o->spec.addresses.n = 1;
		ip_addr_parse(text, &o->spec.addresses.v[0].ip);
		o->spec.mac[5] = dice(256);
		put(v, &o->o);
	}
	vmc_end(&v->engine, revision);
}

static void leave(struct agent *a)
{
	if (a->session)
		vmc_detach(a->session);
	a->session = NULL;
	a->closed = false;
	forget_answers(a);
	objset_done(&a->set);
	objset_done(&a->del);
}

static void arrive(struct vmc *v, unsigned int i)
{
	char name[8];

	snprintf(name, sizeof(name), "h%u", i);
	agents[i].session = vmc_attach(v, name, &agents[i].have.root, &front, &agents[i]);
	assert_non_null(agents[i].session);
}

static void hear(struct agent *a)
{
	struct error e = {};
	cJSON *msg;

	if (!a->session || !a->n_answers)
		return;
	msg = a->answers[0];
	memmove(a->answers, a->answers + 1, --a->n_answers * sizeof(a->answers[0]));
	if (vmc_message(a->session, msg, &e))
		fail_msg("%s", e.text);
	cJSON_Delete(msg);
	if (a->session->retry_ns)
		a->session->retry_ns = 1;	/* the wait is over */
	if (a->closed)
		leave(a);
}

/* Something in the state of an agent is not as it was told. */
static void spoil(struct agent *a)
{
	struct digest wrong = { 1, dice(100) };

	objset_put(&a->have, dice(2) ? "vport/t.i1" : "endpoint/t.n/10.0.0.9", &wrong);
	if (!dice(3))
		objset_done(&a->have);
}

/* A second session takes the place of the first, which ends after it has begun. */
static void replace(struct vmc *v, struct agent *a, unsigned int i)
{
	struct vmc_session *old = a->session;

	if (!old)
		return;
	forget_answers(a);
	objset_done(&a->set);
	objset_done(&a->del);
	arrive(v, i);
	vmc_detach(old);
	a->closed = false;
}

static void misfortune(struct vmc *v, struct agent *a, unsigned int i)
{
	switch (dice(12)) {
	case 0:
		leave(a);
		return;
	case 1:
		if (!a->session)
			spoil(a);
		return;
	case 2:
		a->refuses = dice(3);
		return;
	case 3:
		replace(v, a, i);
		return;
	default:
		if (!a->session)
			arrive(v, i);
	}
}

static void settle(struct vmc *v)
{
	for (unsigned int i = 0; i < HOSTS; i++) {
		agents[i].refuses = 0;
		if (!agents[i].session)
			arrive(v, i);
	}
	for (unsigned int round = 0; round < 5000; round++) {
		work(v);
		for (unsigned int i = 0; i < HOSTS; i++) {
			hear(&agents[i]);
			if (agents[i].session && agents[i].session->retry_ns) {
				agents[i].session->retry_ns = 1;
				session_pump(agents[i].session);
			}
		}
	}
	for (unsigned int i = 0; i < HOSTS; i++) {
		struct vmc_host *h = agents[i].session->host;

		assert_true(session_in_step(agents[i].session));
		expect_int(h->name, agents[i].have.count, h->desired.count);
		assert_true(digest_equal(&agents[i].have.root, &h->desired.root));
	}
	expect_int("nobody is behind", programming_stats(v->programming).under_way, 0);
}

static void test_misfortunes(void **state)
{
	struct event_base *base = event_base_new();
	struct model_set set;
	struct vmc v;

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	printf("# seed %u\n", seed);
	vmc_setup(&v, &set, base);
	declare_fabric(&v);
	for (uint64_t step = 3; step < STEPS; step++) {
		unsigned int i = dice(HOSTS);

		if (dice(2))
			change(&v, step);
		work(&v);
		hear(&agents[dice(HOSTS)]);
		if (!dice(8))
			misfortune(&v, &agents[i], i);
		if (step % 1000 == 0)
			settle(&v);
	}
	settle(&v);
	assert_true(v.refusals > 100 && v.repairs > 100 && agents[0].updates > 1000);
	for (unsigned int i = 0; i < HOSTS; i++) {
		uint64_t queries = agents[i].queries, updates = agents[i].updates;

		leave(&agents[i]);
		arrive(&v, i);
		expect_int("who returns with all is asked nothing", agents[i].queries, queries);
		expect_int("and sent nothing", agents[i].updates, updates);
		leave(&agents[i]);
		objset_done(&agents[i].have);
	}
	vmc_teardown(&v);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_misfortunes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
