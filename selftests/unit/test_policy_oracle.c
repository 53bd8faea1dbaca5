// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_policy_oracle.c - the policy compiler against a deliberately stupid twin
 *
 * Random packets in random worlds, and of each what both make of it. Seeds are
 * printed; run with MIRACH_TEST_SEED=n to see one again.
 *
 * See also: policy_world.h (the worlds), policy_twin.h (the twin).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <agent/policy/prefix_table.h>
#include <selftests/unit/policy_twin.h>

#define ROUNDS 300
#define PACKETS 400

/* A packet that has a chance: scopes, sources and tags that exist, most of the time. */
static struct flow_key random_key(const struct universe *u)
{
	static const uint8_t protos[] = { PROTO_TCP, PROTO_UDP, PROTO_SCTP, PROTO_ICMP, PROTO_GRE };
	struct flow_key k = { .src = random_addr(), .dst = random_addr(), .tuple = FLOW_TUPLE_5 };
	const struct config_vport *v = NULL;

	k.proto = protos[roll(5)];
	k.sport = wire16(roll(4));
	k.dport = wire16(roll(4));
	if (roll(2)) {
		k.scope = SCOPE_FABRIC | (roll(8) ? u->networks[roll(u->config.n_networks)].vni : roll(300));
		k.outer = random_host();
	} else if (u->config.n_vports && roll(10)) {
		v = &u->vports[roll(u->config.n_vports)];
		k.scope = SCOPE_VPORT | u->slots[v - u->vports];
		if (v->n_addrs && roll(8))
			k.src = v->addrs[roll(v->n_addrs)];
	} else {
		k.scope = SCOPE_VPORT | roll(2 * PORT_MAX);
	}
	for (int i = 0; i < 2; i++)
		if (v && v->vlan[i])
			k.vlan[i] = v->vlan[i] | FLOW_VLAN_PRESENT;
	if (!roll(12))
		k.vlan[roll(2)] = roll(4) | FLOW_VLAN_PRESENT;
	return k;
}

static void compare(const struct decision *got, const struct decision *want)
{
	struct action stripped = got->action;

	stripped.rule = 0;		/* for people; named cases look at it */
	assert_memory_equal(&stripped, &want->action, sizeof(stripped));
	assert_int_equal(got->tuple, want->tuple);
	assert_int_equal(got->network, want->network);
}

struct tally {
	unsigned int verdict[4], reason[REASON_MAX];
};

static void try_universe(const struct universe *u, struct tally *tally)
{
	const struct policy_bindings b = {
		.vport_slots = u->slots,
		.vport_nexthops = u->nexthops,
		.remote_nexthops = u->remote_nexthops,
	};
	struct policy *p;

	assert_int_equal(policy_new(&u->config, &b, &p), 0);
	for (int i = 0; i < PACKETS; i++) {
		struct flow_key k = random_key(u);
		struct decision got, want;

		want = k.scope & SCOPE_VPORT ? twin_vport(u, &k) : twin_fabric(u, &k);
		policy_compile(p, &k, &got, NULL);
		compare(&got, &want);
		tally->verdict[got.action.verdict]++;
		tally->reason[got.action.reason]++;
	}
	policy_free(p);
}

/* The random packets must have come everywhere, or agreement means little. */
static void assert_covered(const struct tally *t)
{
	static const enum drop_reason reasons[] = {
		REASON_NO_PORT, REASON_UNKNOWN_VNI, REASON_VLAN_MISMATCH, REASON_IP_SOURCE,
		REASON_SPOOFED_SOURCE, REASON_SPOOFED_OUTER, REASON_MULTICAST, REASON_NO_ROUTE,
		REASON_NOT_LOCAL,
	};

	for (unsigned int i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		assert_true(t->reason[reasons[i]] > 20);
	assert_true(t->verdict[ACTION_FORWARD] > 1000);
	assert_true(t->verdict[ACTION_GATEWAY] > 20);
}

static void test_random_worlds(void **state)
{
	static struct universe u;
	struct tally tally = {};

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		random_universe(&u);
		try_universe(&u, &tally);
	}
	assert_covered(&tally);
}

/* The table alone, with every length of both families. */
static void test_random_prefixes(void **state)
{
	enum { N = 600 };
	static struct ip_prefix prefixes[N];
	struct prefix_table *t;

	(void)state;
	assert_int_equal(prefix_table_new(2, N, &t), 0);
	for (uint32_t i = 0; i < N; i++) {
		struct ip_addr a = plain_addr();
		uint8_t shortest = ip_addr_is_v4(&a) ? 96 : 0;

		prefixes[i] = (struct ip_prefix){ .addr = a, .len = shortest + roll(129 - shortest) };
		clear_bits(&prefixes[i].addr, prefixes[i].len);
		prefix_table_add(t, i % 2, &prefixes[i], i + 1);
	}
	for (int round = 0; round < 5000; round++) {
		struct ip_addr a = random_addr();
		uint32_t space = roll(2), best = 0;

		for (uint32_t i = space; i < N; i += 2)
			if (covers(&prefixes[i], &a) &&
			    (!best || prefixes[i].len > prefixes[best - 1].len))
				best = i + 1;
		assert_int_equal(prefix_table_find(t, space, &a), best);
		if (best && prefixes[best - 1].len < 128)
			best = 0;
		assert_int_equal(prefix_table_find_host(t, space, &a), best);
	}
	prefix_table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_worlds),
		cmocka_unit_test(test_random_prefixes),
	};
	const char *seed = getenv("MIRACH_TEST_SEED");

	rng = seed ? strtoul(seed, NULL, 0) : (uint32_t)time(NULL) ^ 0x5eed1234;
	if (!rng)
		rng = 1;
	printf("# seed %u\n", rng);
	return cmocka_run_group_tests_name("policy_oracle", tests, NULL, NULL);
}
