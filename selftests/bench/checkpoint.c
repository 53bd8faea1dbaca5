// SPDX-License-Identifier: BSD-2-Clause
/*
 * checkpoint.c - what the objects of a large hoverboard cost its agent
 *
 *	checkpoint [ENDPOINTS] [DIRECTORY]
 *
 * Makes so many endpoint objects (a million) as they come from a controller, and prints
 * bytes and time of each in the set; how long the loop is held up by a checkpoint, to
 * hold all objects and to let them go; what the writer's thread takes for it; its size;
 * and how long a restart takes to read it.
 */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sys/stat.h>

#include <event2/event.h>

#include <agent/checkpoint.h>
#include <agent/object_set.h>
#include <lib/clock.h>

struct held {
	struct object **v;
	uint64_t n, made;
	struct event_base *base;
	uint64_t took_ns;
};

static void die(const char *what)
{
	fprintf(stderr, "checkpoint: %s\n", what);
	exit(1);
}

/* Of this thread; what others do on the machine does not count. */
static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

static void add_json(struct object_set *s, const cJSON *json)
{
	struct error e = {};
	struct object *o;

	if (object_new(json, &o, &e) || object_set_add(s, o))
		die(e.text);
	object_put(o);
}

static void fill(struct object_set *s, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t a = 0x0a000100 + i, h = i % 5000;
		char text[256];
		cJSON *json;

		snprintf(text, sizeof(text),
			 "{\"id\":\"endpoint/t.n%u/10.%u.%u.%u\",\"v\":\"%016x%016x\",\"spec\":{\"network\":"
			 "\"t.n%u\",\"address\":\"10.%u.%u.%u\",\"mac\":\"02:00:00:%02x:%02x:%02x\",\"host\":"
			 "\"198.18.%u.%u\"}}", i % 200, a >> 16 & 255, a >> 8 & 255, a & 255, i, i, i % 200,
			 a >> 16 & 255, a >> 8 & 255, a & 255, i >> 16 & 255, i >> 8 & 255, i & 255,
			 h >> 8, h & 255);
		json = cJSON_Parse(text);
		add_json(s, json);
		cJSON_Delete(json);
		if (i % 1000 == 999)
			object_set_commit(s);
	}
	object_set_commit(s);
}

static bool more(struct checkpoint_text *t, void *arg)
{
	struct held *h = arg;
	char v[DIGEST_STRLEN], *spec;

	if (h->made == h->n)
		return false;
	spec = object_spec(h->v[h->made]);
	checkpoint_object(t, h->v[h->made]->id, digest_format(&h->v[h->made]->v, v), spec);
	free(spec);
	h->made++;
	return true;
}

static void on_written(const struct error *e, uint64_t took_ns, void *arg)
{
	struct held *h = arg;

	if (e->err)
		die(e->text);
	h->took_ns = took_ns;
	event_base_loopbreak(h->base);
}

static void measure_write(struct object_set *s, const char *path)
{
	struct held h = { .base = event_base_new() };
	struct checkpoint_writer *w;
	struct checkpoint_text t;
	struct error e = {};
	double began;

	if (checkpoint_writer_new(h.base, path, on_written, &h, &w, &e))
		die(e.text);
	began = cpu_ms();
	h.v = object_set_hold(s, &h.n);
	checkpoint_begin(&t, "board", 1);
	checkpoint_write(w, &t, more, &h);
	printf("checkpoint/hold_ms %.1f\n", cpu_ms() - began);
	event_base_dispatch(h.base);
	printf("checkpoint/write_ms %.0f\n", h.took_ns / 1e6);
	began = cpu_ms();
	for (uint64_t i = 0; i < h.n; i++)
		object_put(h.v[i]);
	free(h.v);
	printf("checkpoint/let_go_ms %.1f\n", cpu_ms() - began);
	checkpoint_writer_free(w);
	event_base_free(h.base);
}

static int load_object(const cJSON *json, void *arg, struct error *e)
{
	(void)e;
	add_json(arg, json);
	return 0;
}

static void measure_load(const char *path)
{
	struct object_set *s = object_set_new();
	const struct checkpoint_reader r = { .object = load_object, .arg = s };
	double began = cpu_ms();
	struct error e = {};
	uint64_t revision;

	if (checkpoint_load(path, "board", &r, &revision, &e))
		die(e.text);
	object_set_commit(s);
	printf("checkpoint/load_ms %.0f\n", cpu_ms() - began);
	object_set_free(s);
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000000;
	struct object_set *s = object_set_new();
	size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
	double began = cpu_ms();
	char path[4096];
	struct stat st;

	snprintf(path, sizeof(path), "%s/mirach-bench-checkpoint", argc > 2 ? argv[2] : "/var/tmp");
	fill(s, n);
	printf("checkpoint/object_ns %.0f\n", (cpu_ms() - began) * 1e6 / n);
	printf("checkpoint/object_bytes %.1f\n",
	       ((double)mallinfo2().uordblks + mallinfo2().hblkhd - before) / n);
	measure_write(s, path);
	if (stat(path, &st))
		die("no file");
	printf("checkpoint/file_bytes %.1f\n", (double)st.st_size / n);
	measure_load(path);
	unlink(path);
	object_set_free(s);
	return 0;
}
