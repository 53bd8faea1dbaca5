/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * store_world.h - a store to test, of either kind, and calls that wait for their answer
 *
 *	struct world *w = world_new("etcd");	a directory, a server if need be, a loop, a store
 *	struct seen r = put(w, "/a", "1", 0);	runs the loop until the answer is there
 *
 * etcd is Debian's, on loopback ports nobody uses, in a directory that goes away.
 * Where it is not installed, world_new() returns NULL and the test skips. Nothing
 * here is asserted about time, but that answers come at all: within PATIENCE_S.
 */
#pragma once

#include <ctl/controller/store.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include <selftests/unit/expect.h>

#define PATIENCE_S 60
#define SEEN_MAX 4096

struct world {
	const char *kind;
	char dir[64], where[256];
	unsigned int history;
	pid_t etcd;
	struct event_base *base;
	struct store *store;
};

/* ---- etcd ---- */

static inline int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, len), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	close(fd);
	return ntohs(a.sin_port);
}

static inline void run_etcd(const struct world *w, int port, int peer_port)
{
	char data[80], client[64], peer[64], cluster[80], log[80];

	snprintf(data, sizeof(data), "--data-dir=%s/etcd", w->dir);
	snprintf(client, sizeof(client), "http://127.0.0.1:%d", port);
	snprintf(peer, sizeof(peer), "http://127.0.0.1:%d", peer_port);
	snprintf(cluster, sizeof(cluster), "default=%s", peer);
	snprintf(log, sizeof(log), "%s/etcd.log", w->dir);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	freopen("/dev/null", "r", stdin);
	freopen(log, "a", stdout);
	dup2(STDOUT_FILENO, STDERR_FILENO);
	execlp("etcd", "etcd", data, "--listen-client-urls", client, "--advertise-client-urls", client,
	       "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster",
	       cluster, "--max-txn-ops=10000", "--max-request-bytes=16777216", "--logger=zap",
	       "--log-level=warn", NULL);
	_exit(127);
}

static inline bool etcd_answers(int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				 .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok = !connect(fd, (struct sockaddr *)&a, sizeof(a));

	close(fd);
	return ok;
}

static inline bool start_etcd(struct world *w)
{
	int port = free_port(), peer = free_port();

	if (system("command -v etcd >/dev/null 2>&1"))
		return false;
	snprintf(w->where, sizeof(w->where), "etcd:http://127.0.0.1:%d", port);
	w->etcd = fork();
	if (!w->etcd)
		run_etcd(w, port, peer);
	for (int i = 0; i < PATIENCE_S * 20 && !etcd_answers(port); i++) {
		assert_int_equal(waitpid(w->etcd, NULL, WNOHANG), 0);
		usleep(50000);
	}
	return true;
}

/* ---- the world ---- */

static inline struct store *world_open_store(struct world *w)
{
	struct store_options o = { .where = w->where, .history = w->history };
	struct store *s = NULL;
	struct error e = {};

	if (store_open(w->base, &o, &s, &e))
		fail_msg("%s: %s", w->where, e.text);
	return s;
}

static inline struct world *world_new(const char *kind, unsigned int history)
{
	struct world *w = calloc(1, sizeof(*w));

	w->kind = kind;
	w->history = history;
	strcpy(w->dir, "/tmp/mirach-store-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->where, sizeof(w->where), "sqlite:%s/store.db", w->dir);
	if (!strcmp(kind, "etcd") && !start_etcd(w)) {
		rmdir(w->dir);
		free(w);
		return NULL;
	}
	w->base = event_base_new();
	w->store = world_open_store(w);
	return w;
}

static inline void world_free(struct world *w)
{
	char command[128];

	if (!w)
		return;
	store_close(w->store);
	event_base_free(w->base);
	if (w->etcd > 0) {
		kill(w->etcd, SIGKILL);
		waitpid(w->etcd, NULL, 0);
	}
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	assert_int_equal(system(command), 0);
	free(w);
}

static inline void out_of_patience(evutil_socket_t fd, short what, void *late)
{
	(void)fd;
	(void)what;
	*(bool *)late = true;
}

/* Runs the loop until *@done. */
static inline void await(struct world *w, const bool *done, const char *what)
{
	bool late = false;
	struct event *timer = evtimer_new(w->base, out_of_patience, &late);

	event_add(timer, &(struct timeval){ .tv_sec = PATIENCE_S });
	while (!*done && !late)
		event_base_loop(w->base, EVLOOP_ONCE);
	event_free(timer);
	if (!*done)
		fail_msg("%s: %s: no answer within %d s", w->kind, what, PATIENCE_S);
}

/* Lets the loop run for a while: for what must not happen. */
static inline void idle(struct world *w, unsigned int ms)
{
	bool over = false;
	struct event *timer = evtimer_new(w->base, out_of_patience, &over);
	struct timeval t = { ms / 1000, ms % 1000 * 1000 };

	event_add(timer, &t);
	while (!over)
		event_base_loop(w->base, EVLOOP_ONCE);
	event_free(timer);
}

/* ---- calls that wait ---- */

struct seen {
	bool done, stale;
	int err;
	char text[256];
	int64_t revision, lease;
	unsigned int failed, ttl_ms, n, pages;
	struct {
		char key[128], value[128];
		size_t value_len;
		int64_t create_revision, mod_revision, lease;
	} *kvs;
};

static inline void see(void *arg, const struct store_reply *r)
{
	struct seen *s = arg;

	assert_false(s->done);
	s->err = r->err;
	s->stale = r->stale;
	snprintf(s->text, sizeof(s->text), "%s", r->text);
	s->revision = r->revision;
	s->lease = r->lease;
	s->failed = r->failed;
	s->ttl_ms = r->ttl_ms;
	s->kvs = realloc(s->kvs, (s->n + r->n + 1) * sizeof(*s->kvs));
	for (unsigned int i = 0; i < r->n; i++, s->n++) {
		snprintf(s->kvs[s->n].key, sizeof(s->kvs[0].key), "%s", r->kvs[i].key);
		snprintf(s->kvs[s->n].value, sizeof(s->kvs[0].value), "%s", r->kvs[i].value);
		s->kvs[s->n].value_len = r->kvs[i].value_len;
		s->kvs[s->n].create_revision = r->kvs[i].create_revision;
		s->kvs[s->n].mod_revision = r->kvs[i].mod_revision;
		s->kvs[s->n].lease = r->kvs[i].lease;
	}
	s->pages++;
	s->done = !r->more;
}

static inline struct seen txn(struct world *w, const struct store_compare *c, unsigned int n_c,
			      const struct store_op *ops, unsigned int n_ops)
{
	struct seen s = {};

	store_txn(w->store, c, n_c, ops, n_ops, see, &s);
	await(w, &s.done, "txn");
	free(s.kvs);
	s.kvs = NULL;
	return s;
}

static inline struct seen put_leased(struct world *w, const char *key, const char *value, int64_t lease)
{
	struct store_op op = { .key = key, .value = value, .value_len = strlen(value), .lease = lease };

	return txn(w, NULL, 0, &op, 1);
}

static inline struct seen put(struct world *w, const char *key, const char *value)
{
	return put_leased(w, key, value, 0);
}

static inline struct seen del(struct world *w, const char *key)
{
	return txn(w, NULL, 0, &(struct store_op){ .del = true, .key = key }, 1);
}

/* kvs are to be freed. */
static inline struct seen get(struct world *w, const char *key)
{
	struct seen s = {};

	store_get(w->store, key, see, &s);
	await(w, &s.done, "get");
	return s;
}

static inline struct seen range(struct world *w, const char *prefix, const char *after, unsigned int limit)
{
	struct seen s = {};

	store_range(w->store, prefix, after, limit, see, &s);
	await(w, &s.done, "range");
	return s;
}

static inline struct seen lease_call(struct world *w, void (*call)(struct store *, int64_t, store_fn, void *),
				     int64_t lease)
{
	struct seen s = {};

	call(w->store, lease, see, &s);
	await(w, &s.done, "lease");
	free(s.kvs);
	s.kvs = NULL;
	return s;
}

static inline struct seen grant(struct world *w, unsigned int ttl_ms)
{
	struct seen s = {};

	store_lease_grant(w->store, ttl_ms, see, &s);
	await(w, &s.done, "grant");
	free(s.kvs);
	s.kvs = NULL;
	return s;
}

/* The value of @key is @value; NULL: it is not there. */
static inline void has_value(struct world *w, const char *key, const char *value)
{
	struct seen s = get(w, key);

	expect_int(key, s.err, 0);
	expect_int(key, s.n, value != NULL);
	if (value)
		expect_text(key, s.kvs[0].value, value);
	free(s.kvs);
}

/* ---- a watch that writes down what it sees, one word per event: "R:+key=value", "R:-key" ---- */

struct diary {
	struct store_watch *watch;
	char text[1 << 16];
	size_t len;
	int64_t base;			/* revisions are written relative to this one */
	int64_t last;
	unsigned int n_changes, n_events, stop_at;
	bool enough, over;
	struct error e;
};

static inline void write_down(void *arg, const struct store_change *c)
{
	struct diary *d = arg;

	if (c->err) {
		error_set(&d->e, c->err, "%s", c->text);
		d->enough = d->over = true;
		return;
	}
	assert_true(c->revision > d->last);
	assert_true(c->n > 0);
	d->last = c->revision;
	d->n_changes++;
	for (unsigned int i = 0; i < c->n; i++) {
		const struct store_event *v = &c->events[i];

		if (d->len < sizeof(d->text) - 300)
			d->len += snprintf(d->text + d->len, sizeof(d->text) - d->len, "%s%lld:%c%s%s%.40s",
					   d->len ? " " : "", (long long)(c->revision - d->base),
					   v->del ? '-' : '+', v->kv.key, v->del ? "" : "=", v->kv.value);
		assert_int_equal(v->kv.mod_revision, c->revision);
		d->n_events++;
	}
	d->enough = d->n_events >= d->stop_at;
}

static inline void diary_open(struct diary *d, struct world *w, const char *prefix, int64_t from)
{
	*d = (struct diary){};
	d->watch = store_watch(w->store, prefix, from, write_down, d);
	assert_non_null(d->watch);
}

static inline void diary_wait(struct diary *d, struct world *w, unsigned int n_events)
{
	d->stop_at = n_events;
	d->enough = d->over || d->n_events >= n_events;
	await(w, &d->enough, "watch");
}
