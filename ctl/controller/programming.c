// SPDX-License-Identifier: BSD-2-Clause
/*
 * programming.c - which revisions all concerned hosts have, and who is behind
 */
#include <ctl/controller/programming.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <ctl/controller/index.h>

#define SAMPLES 4096u
#define MISSING_MAX 100u		/* hosts named to somebody who waits */
#define NAME_LEN 64

struct track {
	uint64_t revision, start_ns;
	uint64_t holders;
	bool open, concerned;
	int err;			/* what a holder ended with */
};

struct programming_wait {
	struct programming_wait *next;
	uint64_t revision, deadline_ns;
	programming_fn fn;
	void *arg;
	bool all;			/* for everything up to `revision` */
	bool asked;			/* the others, who is missing */
};

struct programming {
	struct programming_options o;
	struct index live;		/* struct track */
	struct programming_wait *waits;
	uint64_t first, closed;		/* revision at the start; the last one closed */
	uint64_t programmed;
	uint64_t samples[SAMPLES];
	uint64_t n_samples;
};

static uint64_t track_hash(const void *entry)
{
	return ((const struct track *)entry)->revision * 0x9e3779b97f4a7c15ull >> 20;
}

static bool track_same(const void *a, const void *b)
{
	return ((const struct track *)a)->revision == ((const struct track *)b)->revision;
}

struct programming *programming_new(const struct programming_options *o)
{
	struct programming *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->o = *o;
	index_init(&p->live, track_hash, track_same);
	return p;
}

void programming_free(struct programming *p)
{
	struct track *t;

	if (!p)
		return;
	while (p->waits) {
		struct programming_wait *w = p->waits;

		p->waits = w->next;
		w->fn(w->arg, -ECANCELED, NULL, 0);
		free(w);
	}
	for (size_t i = 0; (t = index_next(&p->live, &i));)
		free(t);
	index_done(&p->live);
	free(p);
}

uint64_t programming_revision(const struct programming *p)
{
	return p->closed;
}

static bool is_live(const struct programming *p, uint64_t revision)
{
	struct track like = { .revision = revision };

	return index_find(&p->live, &like);
}

static bool is_programmed(const struct programming *p, uint64_t revision)
{
	return p->closed && revision <= p->closed && !is_live(p, revision) &&
	       (revision > p->first || !is_live(p, p->first));
}

/* The next live track up to @revision, in no order. */
static const struct track *next_up_to(const struct programming *p, uint64_t revision, size_t *i)
{
	const struct track *t;

	while ((t = index_next(&p->live, i)))
		if (t->revision <= revision)
			return t;
	return NULL;
}

static bool is_over(const struct programming *p, const struct programming_wait *w)
{
	size_t i = 0;

	if (w->all)
		return p->closed >= w->revision && !next_up_to(p, w->revision, &i);
	return is_programmed(p, w->revision);
}

void programming_from(struct programming *p, uint64_t revision)
{
	p->first = revision;
}

/* Takes @w out of the list and tells its owner. */
static void answer(struct programming *p, struct programming_wait *w, int err,
		   const char *const *missing, unsigned int n)
{
	programming_fn fn = w->fn;
	void *arg = w->arg;

	programming_wait_cancel(p, w);
	fn(arg, err, missing, n);
}

/* Answers all that wait for what is now known. A callback may wait anew, so it starts over. */
static void answer_ready(struct programming *p, uint64_t revision, int err)
{
	struct programming_wait *w = p->waits;

	while (w) {
		if (is_over(p, w)) {
			answer(p, w, !w->all && w->revision <= revision ? err : 0, NULL, 0);
			w = p->waits;
		} else {
			w = w->next;
		}
	}
}

static void finish(struct programming *p, struct track *t, uint64_t now_ns)
{
	uint64_t revision = t->revision;
	int err = t->err;

	if (t->concerned && t->start_ns && !err) {
		p->samples[p->n_samples++ % SAMPLES] = now_ns - t->start_ns;
		p->programmed++;
	}
	index_del(&p->live, t);
	free(t);
	answer_ready(p, revision, err);
}

struct track *programming_open(struct programming *p, uint64_t start_ns)
{
	struct track *t = calloc(1, sizeof(*t));

	(void)p;
	if (t)
		*t = (struct track){ .start_ns = start_ns, .open = true };
	return t;
}

void programming_close(struct programming *p, struct track *t, uint64_t revision, uint64_t now_ns)
{
	if (!p->closed)
		p->first = revision;
	if (revision > p->closed)
		p->closed = revision;
	if (!t)
		return;
	t->revision = revision;
	t->open = false;
	if (index_add(&p->live, t))
		t->err = -EIO;
	if (!t->holders)
		finish(p, t, now_ns);
}

static void let_go(struct programming *p, struct track *t, int err, uint64_t now_ns)
{
	t->err = t->err ?: err;
	if (!--t->holders && !t->open)
		finish(p, t, now_ns);
}

/* The older half goes. */
static void lose_half(struct programming *p, struct tracks *t, uint64_t now_ns)
{
	unsigned int half = t->n / 2;

	for (unsigned int i = 0; i < half; i++)
		let_go(p, t->v[i], -EIO, now_ns);
	t->n -= half;
	memmove(t->v, t->v + half, t->n * sizeof(t->v[0]));
}

void tracks_add(struct programming *p, struct tracks *to, struct track *t, uint64_t now_ns)
{
	if (!t || (to->n && to->v[to->n - 1] == t))
		return;
	t->concerned = true;
	if (to->n == TRACKS_MAX)
		lose_half(p, to, now_ns);
	if (to->n == to->cap) {
		unsigned int cap = to->cap ? to->cap * 2 : 2;
		struct track **v = realloc(to->v, cap * sizeof(*v));

		if (!v) {
			t->err = -EIO;
			return;
		}
		to->v = v;
		to->cap = cap;
	}
	to->v[to->n++] = t;
	t->holders++;
}

void tracks_move(struct programming *p, struct tracks *to, struct tracks *from, uint64_t now_ns)
{
	for (unsigned int i = 0; i < from->n; i++)
		tracks_add(p, to, from->v[i], now_ns);
	tracks_release(p, from, now_ns);
}

void tracks_release(struct programming *p, struct tracks *t, uint64_t now_ns)
{
	tracks_end(p, t, 0, now_ns);
}

void tracks_end(struct programming *p, struct tracks *t, int err, uint64_t now_ns)
{
	struct tracks gone = *t;

	*t = (struct tracks){};
	for (unsigned int i = 0; i < gone.n; i++)
		let_go(p, gone.v[i], err, now_ns);
	free(gone.v);
}

void tracks_take(struct tracks *to, struct tracks *from)
{
	free(to->v);
	*to = *from;
	*from = (struct tracks){};
}

bool tracks_hold(const struct tracks *t, uint64_t revision)
{
	for (unsigned int i = 0; i < t->n; i++)
		if (t->v[i]->revision == revision)
			return true;
	return false;
}

/* Waiting. */

static struct programming_wait *wait_for(struct programming *p, const struct programming_wait *like)
{
	struct programming_wait *w;

	if (is_over(p, like)) {
		like->fn(like->arg, 0, NULL, 0);
		return NULL;
	}
	w = malloc(sizeof(*w));
	if (!w) {
		like->fn(like->arg, -ENOMEM, NULL, 0);
		return NULL;
	}
	*w = *like;
	w->next = p->waits;
	p->waits = w;
	return w;
}

struct programming_wait *programming_wait(struct programming *p, uint64_t revision,
					  uint64_t deadline_ns, programming_fn fn, void *arg)
{
	return wait_for(p, &(struct programming_wait){ NULL, revision, deadline_ns, fn, arg,
						       .asked = !p->o.ask });
}

struct programming_wait *programming_wait_all(struct programming *p, uint64_t revision,
					      uint64_t deadline_ns, programming_fn fn, void *arg)
{
	return wait_for(p, &(struct programming_wait){ NULL, revision, deadline_ns, fn, arg,
						       .all = true, .asked = !p->o.ask });
}

void programming_wait_cancel(struct programming *p, struct programming_wait *w)
{
	struct programming_wait **link = &p->waits;

	while (*link && *link != w)
		link = &(*link)->next;
	if (*link)
		*link = w->next;
	free(w);
}

struct names {
	char name[MISSING_MAX][NAME_LEN];
	const char *v[MISSING_MAX];
	unsigned int n;
};

static void add_name(void *to, const char *host)
{
	struct names *names = to;

	for (unsigned int i = 0; i < names->n; i++)
		if (!strncmp(names->v[i], host, NAME_LEN - 1))
			return;
	if (names->n == MISSING_MAX)
		return;
	strncpy(names->name[names->n], host, NAME_LEN - 1);
	names->v[names->n] = names->name[names->n];
	names->n++;
}

void programming_missing(struct programming *p, uint64_t revision,
			 void (*add)(void *to, const char *host), void *to)
{
	if (p->o.missing && is_live(p, revision))
		p->o.missing(p->o.arg, revision, add, to);
	if (p->o.missing && revision < p->first && is_live(p, p->first))
		p->o.missing(p->o.arg, p->first, add, to);
}

static void time_out(struct programming *p, struct programming_wait *w)
{
	struct names *names = calloc(1, sizeof(*names));
	const struct track *t;

	if (names && !w->all)
		programming_missing(p, w->revision, add_name, names);
	for (size_t i = 0; names && w->all && names->n < MISSING_MAX && (t = next_up_to(p, w->revision, &i));)
		programming_missing(p, t->revision, add_name, names);
	answer(p, w, -ETIMEDOUT, names ? names->v : NULL, names ? names->n : 0);
	free(names);
}

/* False: nobody else has to be asked, or everybody was. */
static bool ask(struct programming *p, struct programming_wait *w, uint64_t now_ns)
{
	const struct track *t;
	bool any = false;

	if (w->asked)
		return false;
	if (!w->all)
		any = p->o.ask(p->o.arg, w->revision);
	for (size_t i = 0; w->all && (t = next_up_to(p, w->revision, &i));)
		any |= p->o.ask(p->o.arg, t->revision);
	w->asked = true;
	if (any)
		w->deadline_ns = now_ns + ASK_NS;
	return any;
}

uint64_t programming_tick(struct programming *p, uint64_t now_ns)
{
	struct programming_wait *w = p->waits;
	uint64_t next = UINT64_MAX;

	while (w) {
		if (w->deadline_ns <= now_ns && !ask(p, w, now_ns)) {
			time_out(p, w);
			next = UINT64_MAX;
			w = p->waits;
			continue;
		}
		if (w->deadline_ns < next)
			next = w->deadline_ns;
		w = w->next;
	}
	return next;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

struct programming_stats programming_stats(const struct programming *p)
{
	struct programming_stats s = { .programmed = p->programmed, .under_way = p->live.n };
	uint64_t n = p->n_samples < SAMPLES ? p->n_samples : SAMPLES, *v;

	for (const struct programming_wait *w = p->waits; w; w = w->next)
		s.waiting++;
	v = n ? malloc(n * sizeof(*v)) : NULL;
	if (!v)
		return s;
	memcpy(v, p->samples, n * sizeof(*v));
	qsort(v, n, sizeof(*v), compare);
	s.p50_ns = v[(n - 1) / 2];
	s.p99_ns = v[(n - 1) * 99 / 100];
	s.max_ns = v[n - 1];
	free(v);
	return s;
}
