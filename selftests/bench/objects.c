// SPDX-License-Identifier: BSD-2-Clause
/*
 * objects.c - what declared objects cost the controller: memory, loading, judging
 *
 *	build/selftests/bench/objects [INSTANCES...]
 *
 * One network filled from below, 5,000 hosts. Prints "NAME VALUE" lines: bytes per
 * instance, microseconds to take one from the store's text, and to judge a new one, one
 * that moves, and each of 10,000 new ones in a transaction.
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/validate.h>
#include <lib/clock.h>

#define HOSTS 5000u
#define ROUNDS 2000u
#define MANY 10000u

static const struct validate_options options = { .vni_min = 1, .vni_max = 16777215 };

static void die(const char *why)
{
	fprintf(stderr, "objects: %s\n", why);
	exit(1);
}

static void put(struct model_set *s, const char *key, const char *text)
{
	struct error e = {};
	struct object *o;

	if (model_load(key, text, strlen(text), 1, &o, &e))
		die(e.text);
	model_free(model_set_put(s, o, NULL));
}

static void put_fabric(struct model_set *s)
{
	char key[MODEL_KEY_LEN], text[256];

	put(s, "/mirach/objects/Tenant/-/acme",
	    "{\"kind\":\"Tenant\",\"name\":\"acme\",\"spec\":{\"maxInstances\":5000000}}");
	put(s, "/mirach/objects/Network/acme/front",
	    "{\"kind\":\"Network\",\"tenant\":\"acme\",\"name\":\"front\",\"spec\":{\"vni\":5,"
	    "\"gatewayMac\":\"02:00:5e:00:00:01\"}}");
	put(s, "/mirach/objects/Subnet/acme/a",
	    "{\"kind\":\"Subnet\",\"tenant\":\"acme\",\"name\":\"a\",\"spec\":{\"network\":\"front\","
	    "\"prefix\":\"10.0.0.0/8\",\"gateway\":\"10.0.0.1\"}}");
	for (unsigned int h = 0; h < HOSTS; h++) {
		snprintf(key, sizeof(key), "/mirach/objects/Host/-/host-%u", h);
		snprintf(text, sizeof(text), "{\"kind\":\"Host\",\"name\":\"host-%u\",\"spec\":{\"underlay\":"
			 "[\"172.16.%u.%u\"]}}", h, h / 250, h % 250 + 1);
		put(s, key, text);
	}
}

static void put_instance(struct model_set *s, unsigned int i)
{
	unsigned int a = i + 2;
	char key[MODEL_KEY_LEN], text[400];

	snprintf(key, sizeof(key), "/mirach/objects/Instance/acme/inst-%u", i);
	snprintf(text, sizeof(text), "{\"kind\":\"Instance\",\"tenant\":\"acme\",\"name\":\"inst-%u\",\"spec\":"
		 "{\"network\":\"front\",\"addresses\":[\"10.%u.%u.%u\"],\"mac\":\"02:00:00:%02x:%02x:%02x\","
		 "\"host\":\"host-%u\",\"device\":\"tap%u\"}}", i, a >> 16 & 255, a >> 8 & 255, a & 255,
		 a >> 16 & 255, a >> 8 & 255, a & 255, i % HOSTS, i / HOSTS);
	put(s, key, text);
}

/* Microseconds to judge @c, which is freed. */
static double judge(struct model_set *s, struct changes *c)
{
	struct problems p;
	uint64_t start;
	double us;

	problems_init(&p);
	start = clock_now_ns();
	if (validate(s, c, &options, &p))
		die(problems_first(&p, (char[512]){}, 512));
	us = (clock_now_ns() - start) / 1e3;
	problems_done(&p);
	changes_free(c);
	return us;
}

static void add_new(struct changes *c, unsigned int n)
{
	char name[MODEL_NAME_LEN];
	struct object *o;

	snprintf(name, sizeof(name), "new-%u", n);
	o = model_new(KIND_INSTANCE, "acme", name);
	strcpy(((struct instance *)o)->spec.network, "front");
	changes_add(c, o, false, n, 0);
}

static double judge_new(struct model_set *s)
{
	double us = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct changes c = {};

		add_new(&c, i);
		us += judge(s, &c);
	}
	return us / ROUNDS;
}

static double judge_move(struct model_set *s)
{
	double us = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		const struct object *was = model_set_find(s, KIND_INSTANCE, "acme", "inst-0");
		struct instance *now = (struct instance *)model_copy(was);
		struct changes c = {};

		snprintf(now->spec.host, sizeof(now->spec.host), "host-%u", 100 + i % 100);
		free(now->spec.device);
		now->spec.device = strdup("tap-new");
		changes_add(&c, &now->o, false, 0, 0);
		us += judge(s, &c);
	}
	return us / ROUNDS;
}

static double judge_many(struct model_set *s)
{
	struct changes c = {};

	for (unsigned int i = 0; i < MANY; i++)
		add_new(&c, i);
	return judge(s, &c) / MANY;
}

static size_t in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static void measure(unsigned int n)
{
	struct model_set s;
	uint64_t start;
	size_t before;

	model_set_init(&s);
	put_fabric(&s);
	before = in_use();
	start = clock_now_ns();
	for (unsigned int i = 0; i < n; i++)
		put_instance(&s, i);
	printf("objects/%u/load-us %.2f\n", n, (clock_now_ns() - start) / 1e3 / n);
	printf("objects/%u/bytes %.0f\n", n, (double)(in_use() - before) / n);
	printf("objects/%u/new-us %.2f\n", n, judge_new(&s));
	printf("objects/%u/move-us %.2f\n", n, judge_move(&s));
	printf("objects/%u/many-us %.2f\n", n, judge_many(&s));
	fflush(stdout);
	model_set_done(&s);
}

int main(int argc, char **argv)
{
	static const unsigned int usual[] = { 1000, 10000, 100000, 1000000 };

	for (int i = 1; i < argc; i++)
		measure(strtoul(argv[i], NULL, 10));
	for (size_t i = 0; argc == 1 && i < sizeof(usual) / sizeof(usual[0]); i++)
		measure(usual[i]);
	return 0;
}
