// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_store_model.c - random transactions on both stores against an array
 *
 * The oracle is an array of keys and a list of everything that ever changed. After
 * each transaction the answer must be the oracle's, revision and failed compare
 * included; now and then a range is compared, and watches begin at random points
 * of the past. In the end each watch must have seen what the list has behind its
 * beginning: everything, in order, once. The seed is printed; STORE_SEED repeats it.
 */
#include <ctl/controller/store.h>

#include <time.h>

#include <selftests/unit/store_world.h>

#define N_KEYS 12
#define N_ROUNDS 400
#define N_WATCHES 8
#define N_EVENTS (N_ROUNDS * 6)

static const char *const prefixes[] = { "/m/", "/m/a/", "/m/b/", "/m/b/1" };

struct fact {
	char value[16];
	int64_t created, modified;	/* modified 0: not there */
};

struct event_seen {
	int64_t revision;
	int key;
	bool del;
	char value[16];
};

struct oracle {
	char keys[N_KEYS][16];		/* sorted */
	struct fact facts[N_KEYS];
	struct event_seen events[N_EVENTS];
	unsigned int n_events;
	int64_t revision;
};

struct watched {
	struct diary d;
	const char *prefix;
	int64_t from;
};

static unsigned int below(unsigned int n)
{
	return (unsigned int)random() % n;
}

static void oracle_init(struct oracle *o, int64_t revision)
{
	*o = (struct oracle){ .revision = revision };
	for (int i = 0; i < N_KEYS; i++)
		snprintf(o->keys[i], sizeof(o->keys[i]), "/m/%c/%d", i < N_KEYS / 2 ? 'a' : 'b',
			 i % (N_KEYS / 2));
}

/* ---- one random transaction ---- */

struct plan {
	struct store_compare compares[4];
	struct store_op ops[5];
	int keys[5];			/* of the ops */
	char values[5][16];
	unsigned int n_compares, n_ops;
};

static void make_plan(const struct oracle *o, int round, struct plan *p)
{
	bool used[N_KEYS] = {};

	*p = (struct plan){ .n_compares = below(3), .n_ops = below(5) };
	for (unsigned int i = 0; i < p->n_compares; i++) {
		int key = below(N_KEYS);
		int64_t wrong = below(8) ? 0 : 1 + below(3);

		p->compares[i] = (struct store_compare){ o->keys[key], o->facts[key].modified + wrong };
	}
	for (unsigned int i = 0; i < p->n_ops; i++) {
		int key = below(N_KEYS);

		while (used[key])
			key = (key + 1) % N_KEYS;
		used[key] = true;
		snprintf(p->values[i], sizeof(p->values[i]), "v%d-%u", round, i);
		p->keys[i] = key;
		p->ops[i] = (struct store_op){ .del = !below(3), .key = o->keys[key] };
		if (!p->ops[i].del) {
			p->ops[i].value = p->values[i];
			p->ops[i].value_len = strlen(p->values[i]);
		}
	}
}

static int failed_compare(const struct oracle *o, const struct plan *p)
{
	for (unsigned int i = 0; i < p->n_compares; i++)
		for (int k = 0; k < N_KEYS; k++)
			if (!strcmp(o->keys[k], p->compares[i].key) &&
			    o->facts[k].modified != p->compares[i].mod_revision)
				return (int)i;
	return -1;
}

static void remember(struct oracle *o, int key, const char *value)
{
	struct event_seen *v = &o->events[o->n_events++];
	struct fact *f = &o->facts[key];

	*v = (struct event_seen){ .revision = o->revision + 1, .key = key, .del = !value };
	if (!value) {
		*f = (struct fact){};
		return;
	}
	strcpy(v->value, value);
	strcpy(f->value, value);
	f->created = f->modified ? f->created : o->revision + 1;
	f->modified = o->revision + 1;
}

static void apply_plan(struct oracle *o, const struct plan *p)
{
	unsigned int before = o->n_events;

	for (unsigned int i = 0; i < p->n_ops; i++)
		if (!p->ops[i].del)
			remember(o, p->keys[i], p->values[i]);
		else if (o->facts[p->keys[i]].modified)
			remember(o, p->keys[i], NULL);
	o->revision += o->n_events > before;
}

static void one_transaction(struct world *w, struct oracle *o, int round)
{
	struct plan p;
	struct seen s;
	int failed;

	make_plan(o, round, &p);
	failed = failed_compare(o, &p);
	s = txn(w, p.compares, p.n_compares, p.ops, p.n_ops);
	if (failed >= 0) {
		expect_int("refused", s.err, -ESTALE);
		expect_int("which", s.failed, failed);
		return;
	}
	expect_int("done", s.err, 0);
	apply_plan(o, &p);
	expect_int("revision", s.revision, o->revision);
}

/* ---- ranges ---- */

static void compare_range(struct world *w, const struct oracle *o)
{
	const char *prefix = prefixes[below(COUNT(prefixes))];
	const char *after = below(2) ? o->keys[below(N_KEYS)] : NULL;
	unsigned int limit = below(2) ? below(5) : 0, n = 0;
	struct seen s = range(w, prefix, after, limit);

	expect_int("range", s.err, 0);
	expect_int("as of", s.revision, o->revision);
	for (int k = 0; k < N_KEYS; k++) {
		if (!o->facts[k].modified || strncmp(o->keys[k], prefix, strlen(prefix)) ||
		    (after && strcmp(o->keys[k], after) <= 0) || (limit && n == limit))
			continue;
		assert_true(n < s.n);
		expect_text("key", s.kvs[n].key, o->keys[k]);
		expect_text("value", s.kvs[n].value, o->facts[k].value);
		expect_int("created", s.kvs[n].create_revision, o->facts[k].created);
		expect_int("modified", s.kvs[n].mod_revision, o->facts[k].modified);
		n++;
	}
	expect_int("no more", s.n, n);
	free(s.kvs);
}

/* ---- watches ---- */

static void begin_watch(struct world *w, const struct oracle *o, struct watched *t, int64_t base)
{
	t->prefix = prefixes[below(COUNT(prefixes))];
	t->from = base + 1 + below((unsigned int)(o->revision - base + 2));
	diary_open(&t->d, w, t->prefix, t->from);
}

static bool same_event(const struct event_seen *a, const struct event_seen *b, const struct oracle *o)
{
	return a->revision == b->revision && strcmp(o->keys[a->key], o->keys[b->key]) == 0;
}

/* Within one revision etcd orders events as it likes; the oracle's list is by op. Sorts by key. */
static void sort_revisions(struct oracle *o)
{
	for (unsigned int i = 1; i < o->n_events; i++)
		for (unsigned int j = i; j && o->events[j].revision == o->events[j - 1].revision &&
				 o->events[j].key < o->events[j - 1].key; j--) {
			struct event_seen v = o->events[j];

			assert_false(same_event(&v, &o->events[j - 1], o));
			o->events[j] = o->events[j - 1];
			o->events[j - 1] = v;
		}
}

static int by_text(const void *a, const void *b)
{
	int64_t ra = atoll(*(char *const *)a), rb = atoll(*(char *const *)b);

	return ra != rb ? (ra < rb ? -1 : 1) : strcmp(strchr(*(char *const *)a, '/'),
						      strchr(*(char *const *)b, '/'));
}

/* The diary's words, in the order of revision and key. */
static unsigned int words_of(struct diary *d, char **words)
{
	unsigned int n = 0;

	for (char *word = strtok(d->text, " "); word; word = strtok(NULL, " "))
		words[n++] = word;
	qsort(words, n, sizeof(*words), by_text);
	return n;
}

static void check_watch(struct world *w, struct oracle *o, struct watched *t)
{
	static char *words[N_EVENTS];
	unsigned int n = 0, n_words;
	char expected[64];

	for (unsigned int i = 0; i < o->n_events; i++)
		n += o->events[i].revision >= t->from &&
		     !strncmp(o->keys[o->events[i].key], t->prefix, strlen(t->prefix));
	diary_wait(&t->d, w, n);
	store_watch_cancel(t->d.watch);
	n_words = words_of(&t->d, words);
	expect_int("events", n_words, n);
	n = 0;
	for (unsigned int i = 0; i < o->n_events; i++) {
		const struct event_seen *v = &o->events[i];

		if (v->revision < t->from || strncmp(o->keys[v->key], t->prefix, strlen(t->prefix)))
			continue;
		snprintf(expected, sizeof(expected), "%lld:%c%s%s%s", (long long)v->revision,
			 v->del ? '-' : '+', o->keys[v->key], v->del ? "" : "=", v->value);
		expect_text("event", words[n++], expected);
	}
}

static void random_sequence(void **state)
{
	static struct watched watches[N_WATCHES];
	static struct oracle o;
	const char *kind = *state, *seed_text = getenv("STORE_SEED");
	unsigned int seed = seed_text ? (unsigned int)atoi(seed_text) : (unsigned int)time(NULL);
	struct world *w = world_new(kind, 0);
	int64_t base;
	int n = 0;

	if (!w)
		skip();
	print_message("# %s: STORE_SEED=%u\n", kind, seed);
	srandom(seed);
	base = put(w, "/begin", "1").revision;
	oracle_init(&o, base);
	for (int round = 0; round < N_ROUNDS; round++) {
		one_transaction(w, &o, round);
		if (!below(10))
			compare_range(w, &o);
		if (n < N_WATCHES && !below(N_ROUNDS / N_WATCHES / 2))
			begin_watch(w, &o, &watches[n++], base);
	}
	compare_range(w, &o);
	sort_revisions(&o);
	while (n)
		check_watch(w, &o, &watches[--n]);
	world_free(w);
}

int main(void)
{
	static char sqlite[] = "sqlite", etcd[] = "etcd";
	const struct CMUnitTest tests[] = {
		{ "sqlite: random_sequence", random_sequence, NULL, NULL, sqlite },
		{ "etcd: random_sequence", random_sequence, NULL, NULL, etcd },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
