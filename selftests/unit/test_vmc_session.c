// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_vmc_session.c - agents that lag, refuse, lose their state and their session
 *
 *	random changes ─► engine ─► session ─► frames ─► agent in memory ─► answers, late
 *
 * Whatever happens, an agent that is heard in the end has exactly what it should have,
 * and everybody who waited for a revision has been answered. Seeded.
 */
#include <selftests/unit/vmc_world.h>

#include <lib/log.h>

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

static void change(struct vmc *v, uint64_t revision)
{
	unsigned int i = dice(INSTANCES);
	char name[MODEL_NAME_LEN];
	struct instance *o;

	snprintf(name, sizeof(name), "i%u", i);
	vmc_begin(&v->engine, 1, 1);
	o = (struct instance *)model_set_find(v->o.set, KIND_INSTANCE, "t", name);
	if (o && !dice(3)) {
		vmc_changing(&v->engine, &o->o, NULL);
		model_free(model_set_del(v->o.set, KIND_INSTANCE, "t", name));
	} else {
		o = vmc_instance(i, dice(HOSTS));
		o->spec.mac[5] = dice(256);
		vmc_put(v, &o->o);
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
		vmc_run(v);
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
	struct vmc v = {};

	(void)state;
	log_set_level(LOG_LEVEL_ERROR);
	printf("# seed %u\n", seed);
	vmc_setup(&v, &set, base);
	vmc_declare_fabric(&v, HOSTS);
	for (uint64_t step = 3; step < STEPS; step++) {
		unsigned int i = dice(HOSTS);

		if (dice(2))
			change(&v, step);
		vmc_run(&v);
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
