/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * state_disk.c - the state and its checkpoint
 *
 * A change makes the state dirty; CHECKPOINT_DELAY_MS later it is written, or when the
 * write before is through, and not more often than lets writing take a twentieth of the
 * time. A disk that refuses is tried again every RETRY_S.
 */
#include <agent/state_internal.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include <agent/agent.h>
#include <lib/clock.h>
#include <lib/log.h>

#define RETRY_S 3u
#define SHARE 20u

/* On the writer's thread: the next object. They are immutable, and held. */
static bool add_object(struct checkpoint_text *t, void *arg)
{
	struct state *s = arg;
	const struct object *o = s->n_made < s->n_held ? s->held[s->n_made++] : NULL;
	char v[DIGEST_STRLEN], *spec;

	if (!o)
		return false;
	spec = object_spec(o);
	if (spec)
		checkpoint_object(t, o->id, digest_format(&o->v, v), spec);
	else
		t->failed = true;
	free(spec);
	return true;
}

static void let_go(struct state *s)
{
	for (uint64_t i = 0; i < s->n_held; i++)
		object_put(s->held[i]);
	free(s->held);
	s->held = NULL;
	s->n_held = 0;
}

/* The loop's part is a reference of every object; the text is made by the writer. */
static void write_now(struct state *s)
{
	struct checkpoint_text t;

	s->dirty = false;
	s->n_made = 0;
	s->held = object_set_hold(s->objects, &s->n_held);
	checkpoint_begin(&t, s->host, s->revision);
	for (unsigned int i = 0; i < s->bindings.n; i++) {
		cJSON *json = binding_to_json(s->bindings.all[i]);

		checkpoint_binding(&t, json);
		cJSON_Delete(json);
	}
	if (t.failed || !s->held) {
		log_error("no memory for a checkpoint");
		checkpoint_text_done(&t);
		let_go(s);
		return;
	}
	checkpoint_write(s->writer, &t, add_object, s);
}

static void arm(struct state *s, uint64_t delay_ns)
{
	uint64_t now = clock_now_ns(), due = now + delay_ns, wait;
	struct timeval tv;

	due = due < s->not_before_ns ? s->not_before_ns : due;
	wait = due - now;
	tv = (struct timeval){ .tv_sec = wait / NS_PER_S, .tv_usec = wait % NS_PER_S / 1000 };
	evtimer_add(s->disk_timer, &tv);
}

/* Between a swap of objects and its end they are not what is in force. */
static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct state *s = arg;

	(void)fd, (void)what;
	if (!s->dirty || checkpoint_writer_busy(s->writer))
		return;
	if (s->changing)
		arm(s, CHECKPOINT_DELAY_MS * NS_PER_MS);
	else
		write_now(s);
}

static void on_written(const struct error *e, uint64_t took_ns, void *arg)
{
	struct state *s = arg;
	uint64_t now = clock_now_ns();

	let_go(s);
	s->not_before_ns = now + took_ns * SHARE;
	if (e->err) {
		if (strcmp(s->disk_problem.text, e->text))
			log_warn("checkpoint not written, the one before it stays", "error", e->text);
		s->dirty = true;
		s->not_before_ns = now + RETRY_S * NS_PER_S;
	} else {
		if (s->disk_problem.err)
			log_info("checkpoint written again", "path", s->path);
		s->written_ns = now;
	}
	s->disk_problem = *e;
	if (s->dirty)
		arm(s, 0);
}

void state_disk_dirty(struct state *s)
{
	bool was = s->dirty;

	s->dirty = true;
	if (!was && !checkpoint_writer_busy(s->writer))
		arm(s, CHECKPOINT_DELAY_MS * NS_PER_MS);
}

int state_disk_open(struct state *s, struct error *e)
{
	s->disk_timer = evtimer_new(s->agent->base, on_timer, s);
	if (!s->disk_timer)
		return error_set(e, -ENOMEM, "no memory for a timer");
	return checkpoint_writer_new(s->agent->base, s->path, on_written, s, &s->writer, e);
}

void state_disk_close(struct state *s)
{
	if (s->dirty && s->writer && !s->changing && !checkpoint_writer_busy(s->writer))
		write_now(s);
	checkpoint_writer_free(s->writer);
	let_go(s);
	if (s->disk_timer)
		event_free(s->disk_timer);
}

void state_erase(struct state *s)
{
	unlink(s->path);
}

/* Loading. */

static int load_object(const cJSON *json, void *arg, struct error *e)
{
	struct state *s = arg;
	struct object *o;
	int err = object_new(json, &o, e);

	if (err)
		return err;
	err = object_set_add(s->objects, o);
	object_put(o);
	return err ? error_set(e, err, "no memory") : 0;
}

static int load_binding(const cJSON *json, void *arg, struct error *e)
{
	struct state *s = arg;

	return bindings_set_json(&s->bindings, json, e);
}

int state_disk_load(struct state *s, struct config **ret_config, struct error *e)
{
	const struct checkpoint_reader reader = { load_object, load_binding, s };
	struct error why = {};
	uint64_t revision = 0;
	int err;

	*ret_config = NULL;
	err = checkpoint_load(s->path, s->host, &reader, &revision, &why);
	if (!err)
		err = state_build(s, ret_config, NULL, &why);
	if (!err) {
		object_set_commit(s->objects);
		s->revision = revision;
		s->known = true;
		return 0;
	}
	object_set_rollback(s->objects);
	bindings_done(&s->bindings);
	if (err == -ENOMEM)
		return error_set(e, err, "%s", why.text);
	if (err == -ENOENT) {
		log_info("no checkpoint, waiting for a controller", "path", s->path);
		return 0;
	}
	s->disk_problem = why;
	log_error("checkpoint refused, waiting for a controller", "error", why.text);
	checkpoint_set_aside(s->path);
	return 0;
}
