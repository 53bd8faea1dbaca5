// SPDX-License-Identifier: BSD-2-Clause
/*
 * fuzz_model.c - documents of any text, as a transaction into a small world
 *
 * What is refused must say why, in one line. What is read must print, be read again
 * from that as a store would hold it, and print the same. Whatever the transaction
 * is, judging it leaves the world as it was; what is accepted must be unchanged when
 * it is applied once more.
 */
#include <errno.h>

#include <ctl/controller/validate.h>
#include <selftests/fuzz/fuzz.h>

static const char world[] =
	"{kind: Tenant, name: a}\n---\n{kind: Tenant, name: b, spec: {maxInstances: 2}}\n---\n"
	"{kind: Host, name: h, spec: {underlay: [192.0.2.1]}}\n---\n{kind: Hoverboard, name: hb, spec: {host: h}}\n---\n"
	"{kind: Network, tenant: a, name: n, spec: {vni: 7}}\n---\n"
	"{kind: Subnet, tenant: a, name: s, spec: {network: n, prefix: 10.0.0.0/24, gateway: 10.0.0.1}}\n---\n"
	"{kind: Instance, tenant: a, name: i, spec: {network: n, host: h, addresses: [10.0.0.5]}}\n---\n"
	"{kind: Network, tenant: b, name: m, spec: {vni: 8}}\n---\n"
	"{kind: Peering, tenant: a, name: p, spec: {network: n, peer: b/m}}\n---\n"
	"{kind: Peering, tenant: b, name: q, spec: {network: m, peer: a/n}}\n---\n"
	"{kind: Route, tenant: a, name: r, spec: {network: n, prefix: 10.0.0.0/8, nextHop: {peering: p}}}\n";

struct reading {
	struct changes changes;
	struct problems problems;
	int n;
};

/* An object that was read is the same after it lay in the store. */
static void check_text(const struct object *o)
{
	char key[MODEL_KEY_LEN], *text = model_text(o), *again;
	struct object *loaded;
	struct error e = {};

	model_key(o, key);
	FUZZ_CHECK(!model_load(key, text, strlen(text), 1, &loaded, &e));
	again = model_text(loaded);
	FUZZ_CHECK(!strcmp(text, again));
	free(text);
	free(again);
	model_free(loaded);
}

static int read_document(void *arg, const struct doc *d)
{
	struct reading *r = arg;
	struct object *o;
	bool del;

	problems_document(&r->problems, r->n++, d->line);
	if (model_read_change(d, "a", &r->problems, &o, &del))
		return 0;
	if (!del)
		check_text(o);
	return changes_add(&r->changes, o, del, r->n - 1, d->line);
}

static void check_problems(const struct problems *p)
{
	for (unsigned int i = 0; i < p->n_kept; i++) {
		FUZZ_CHECK(*p->kept[i].text);
		FUZZ_CHECK(!strchr(p->kept[i].text, '\n'));
		FUZZ_CHECK(!strchr(p->kept[i].field, '\n'));
	}
}

static void read_text(struct reading *r, const char *text, size_t len)
{
	struct error e = {};

	*r = (struct reading){};
	problems_init(&r->problems);
	if (doc_parse_each("t", text, len, read_document, r, &e))
		FUZZ_CHECK(e.text[0]);
	check_problems(&r->problems);
}

static void commit(struct model_set *s, struct changes *c)
{
	for (unsigned int i = 0; i < c->n; i++) {
		struct change *one = &c->v[i];

		if (one->outcome == OUTCOME_DELETED)
			model_free(model_set_del(s, one->object->kind, one->object->tenant, one->object->name));
		if (one->outcome > OUTCOME_UPDATED)
			continue;
		model_free(model_set_put(s, one->object, NULL));
		one->object = NULL;
	}
}

static void reading_done(struct reading *r)
{
	problems_done(&r->problems);
	changes_free(&r->changes);
}

static size_t weigh(const struct model_set *s)
{
	size_t n = s->addresses.n + 100 * s->macs.n + 10000 * s->vnis.n + 1000000 * s->routes.n;

	for (enum kind k = 0; k < KIND_COUNT; k++)
		n = n * 31 + s->n_present[k] * 7 + s->objects[k].n;
	return n;
}

static const struct validate_options options = { .vni_min = 1, .vni_max = 16777215 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = exact_copy(data, size);
	struct model_set s;
	struct reading r;
	size_t before;
	int err;

	model_set_init(&s);
	read_text(&r, world, strlen(world));
	FUZZ_CHECK(!validate(&s, &r.changes, &options, &r.problems));
	commit(&s, &r.changes);
	reading_done(&r);
	before = weigh(&s);
	read_text(&r, text, size);
	if (!r.problems.n) {
		err = validate(&s, &r.changes, &options, &r.problems);
		FUZZ_CHECK(!err == !r.problems.n);
		check_problems(&r.problems);
		FUZZ_CHECK(weigh(&s) == before);
		if (!err)
			commit(&s, &r.changes);
	}
	reading_done(&r);
	free(text);
	model_set_done(&s);
	return 0;
}
