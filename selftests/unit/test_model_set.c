// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_model_set.c - the indexed set against a plain list of objects
 *
 * After every random put or delete each question is asked of both. Changes come in
 * any order, so references to what is not there are part of it.
 */
#include <ctl/controller/model_set.h>

#include <selftests/unit/expect.h>
#include <selftests/unit/model_random.h>

#define MANY 128

struct plain {
	struct object *v[MANY];
	unsigned int n;
};

static int plain_find(const struct plain *l, enum kind kind, const char *tenant, const char *name)
{
	for (unsigned int i = 0; i < l->n; i++)
		if (l->v[i]->kind == kind && !strcmp(l->v[i]->tenant, tenant) &&
		    !strcmp(l->v[i]->name, name))
			return i;
	return -1;
}

/* Counts those of @kind for which relation @r leads to @to. */
static unsigned int plain_referrers(const struct plain *l, const struct relation *r,
				    const struct object *to)
{
	bool fabric = kinds[r->to].scope == SCOPE_FABRIC;
	unsigned int n = 0;

	for (unsigned int i = 0; i < l->n; i++)
		n += l->v[i]->kind == r->from && !strcmp(relation_name(r, l->v[i]), to->name) &&
		     (fabric || !strcmp(l->v[i]->tenant, to->tenant));
	return n;
}

static void check_lists(const struct model_set *s, const struct plain *l, const struct object *o)
{
	struct object *here = model_set_find(s, o->kind, o->tenant, o->name);

	assert_non_null(here);
	for (const struct relation *r = relations; r->path; r++) {
		unsigned int n = 0;

		if (r->to != o->kind)
			continue;
		for (struct ref *ref = *(struct ref **)((char *)here + r->list); ref; ref = ref->next) {
			assert_ptr_equal(ref->to, here);
			assert_true(ref->from->present);
			n++;
		}
		assert_int_equal(n, plain_referrers(l, r, o));
	}
}

static void check_instance(const struct model_set *s, const struct plain *l,
			   const struct instance *i)
{
	const struct network *net = (struct network *)model_set_find(s, KIND_NETWORK, i->o.tenant,
								     i->spec.network);
	unsigned int n = 0;

	if (!net)
		return;
	for (unsigned int k = 0; k < l->n; k++) {
		const struct instance *other = (struct instance *)l->v[k];

		if (other->o.kind == KIND_INSTANCE && !strcmp(other->o.tenant, i->o.tenant) &&
		    !strcmp(other->spec.network, i->spec.network))
			n += ip_addr_equal(&other->spec.addresses.v[0].ip, &i->spec.addresses.v[0].ip);
	}
	assert_non_null(model_set_by_address(s, net, &i->spec.addresses.v[0].ip, NULL));
	i = (struct instance *)model_set_find(s, KIND_INSTANCE, i->o.tenant, i->o.name);
	assert_int_equal(model_set_by_address(s, net, &i->spec.addresses.v[0].ip, i) != NULL, n > 1);
	if (!mac_is_zero(i->spec.mac))
		assert_non_null(model_set_by_mac(s, net, i->spec.mac, NULL));
}

/* How many of its network are on its host. */
static void check_presence(const struct model_set *s, const struct plain *l,
			   const struct instance *i)
{
	const struct instance *here = (struct instance *)model_set_find(s, KIND_INSTANCE, i->o.tenant,
									i->o.name);
	unsigned int n = 0;

	if (!*i->spec.host)
		return;
	for (unsigned int k = 0; k < l->n; k++) {
		const struct instance *other = (struct instance *)l->v[k];

		n += other->o.kind == KIND_INSTANCE && !strcmp(other->o.tenant, i->o.tenant) &&
		     !strcmp(other->spec.network, i->spec.network) &&
		     !strcmp(other->spec.host, i->spec.host);
	}
	assert_int_equal(model_set_on_host(s, (struct network *)here->network.to,
					   (struct host *)here->host.to), n);
}

static void check(const struct model_set *s, const struct plain *l)
{
	unsigned int n[KIND_COUNT] = {};

	for (unsigned int i = 0; i < l->n; i++) {
		char *mine = model_text(l->v[i]), *seen;
		const struct object *o = model_set_find(s, l->v[i]->kind, l->v[i]->tenant,
							l->v[i]->name);

		assert_non_null(o);
		seen = model_text(o);
		assert_string_equal(seen, mine);
		free(mine);
		free(seen);
		check_lists(s, l, l->v[i]);
		if (o->kind == KIND_INSTANCE) {
			check_instance(s, l, (struct instance *)l->v[i]);
			check_presence(s, l, (struct instance *)l->v[i]);
		}
		n[o->kind]++;
	}
	for (enum kind k = 0; k < KIND_COUNT; k++)
		assert_int_equal(s->n_present[k], n[k]);
}

static void random_step(struct model_set *s, struct plain *l)
{
	struct object *o = random_object(), *old, *now;
	int at = plain_find(l, o->kind, o->tenant, o->name);

	if (dice(3) == 0) {
		old = model_set_del(s, o->kind, o->tenant, o->name);
		model_free(o);
		assert_int_equal(old != NULL, at >= 0);
		if (at >= 0) {
			model_free(l->v[at]);
			l->v[at] = l->v[--l->n];
		}
	} else {
		old = model_set_put(s, model_copy(o), &now);
		assert_int_equal(old != NULL, at >= 0);
		if (at < 0)
			at = l->n++;
		else
			model_free(l->v[at]);
		l->v[at] = o;
	}
	model_free(old);
}

static void test_against_list(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= 20; seed++) {
		struct plain l = {};
		struct model_set s;

		srandom(seed);
		model_set_init(&s);
		for (int step = 0; step < 300; step++) {
			random_step(&s, &l);
			if (step % 10 == 0)
				check(&s, &l);
		}
		check(&s, &l);
		while (l.n) {
			struct object *o = l.v[--l.n];

			model_free(model_set_del(&s, o->kind, o->tenant, o->name));
			model_free(o);
		}
		for (enum kind k = 0; k < KIND_COUNT; k++)	/* no placeholder outlives its referrers */
			assert_int_equal(s.objects[k].n, 0);
		assert_int_equal(s.addresses.n + s.macs.n + s.vnis.n + s.underlay.n, 0);
		model_set_done(&s);
	}
}

static void test_stays_where_it_is(void **state)
{
	struct object *net, *again, *inst, *old;
	struct model_set s;

	(void)state;
	model_set_init(&s);
	assert_null(model_set_put(&s, object_of("{kind: Instance, tenant: a, name: i,"
						" spec: {network: n}}"), &inst));
	assert_null(model_set_find(&s, KIND_NETWORK, "a", "n"));
	assert_null(model_set_put(&s, object_of("{kind: Network, tenant: a, name: n}"), &net));
	assert_ptr_equal(((struct instance *)inst)->network.to, net);
	old = model_set_put(&s, object_of("{kind: Network, tenant: a, name: n, spec: {vni: 5}}"), &again);
	assert_ptr_equal(again, net);
	assert_int_equal(((struct network *)old)->spec.vni, 0);
	assert_int_equal(((struct network *)net)->spec.vni, 5);
	assert_ptr_equal(model_set_by_vni(&s, 5, NULL), net);
	model_free(old);
	model_free(model_set_del(&s, KIND_NETWORK, "a", "n"));
	assert_null(model_set_find(&s, KIND_NETWORK, "a", "n"));
	assert_false(((struct instance *)inst)->network.to->present);
	model_set_done(&s);
}

static void test_peers(void **state)
{
	struct object *p, *q;
	struct model_set s;

	(void)state;
	model_set_init(&s);
	model_set_put(&s, object_of("{kind: Network, tenant: a, name: n}"), NULL);
	model_set_put(&s, object_of("{kind: Network, tenant: b, name: m}"), NULL);
	model_set_put(&s, object_of("{kind: Peering, tenant: a, name: p, spec: {network: n, peer: b/m}}"),
		      &p);
	assert_null(model_set_peer(&s, (struct peering *)p));
	model_set_put(&s, object_of("{kind: Peering, tenant: b, name: q, spec: {network: m, peer: a/n}}"),
		      &q);
	assert_ptr_equal(model_set_peer(&s, (struct peering *)p), q);
	assert_ptr_equal(model_set_peer(&s, (struct peering *)q), p);
	model_set_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_list), cmocka_unit_test(test_stays_where_it_is),
		cmocka_unit_test(test_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
