/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * test_underlay.c - the parts of the underlay that decide without the kernel
 *
 * The resolver is driven by a script of what the kernel might say and when; ids
 * are checked against their one promise: no number comes back too early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <agent/ids.h>
#include <agent/resolver.h>
#include <lib/clock.h>

#define START (1000 * NS_PER_S)

static uint64_t now;
static struct resolver r;
static struct resolver_facts facts;

static int set_up(void **state)
{
	(void)state;
	now = START;
	resolver_init(&r, now);
	facts = (struct resolver_facts){
		.routed = true,
		.path = { .ifindex = 7, .uplink = 3, .mtu = 1500, .smac = { 2, 0, 0, 0, 0, 1 } },
	};
	ip_addr_set_v4(&facts.path.hop, 0x010200c0);
	return 0;
}

/* The kernel says this now; true if it is asked to probe. */
static bool says(enum resolver_neighbour word, uint8_t mac)
{
	static const uint8_t zero[ETH_ADDR_LEN];

	facts.neighbour = word;
	memcpy(facts.mac, zero, sizeof(zero));
	facts.mac[5] = mac;
	return resolver_step(&r, &facts, now);
}

static void pass_ms(uint64_t ms)
{
	now += ms * NS_PER_MS;
}

static void pass_until_due(void)
{
	assert_true(r.due_ns >= now);
	now = r.due_ns;
}

static void assert_up(enum resolver_state state, uint8_t mac)
{
	assert_int_equal(r.state, state);
	assert_true(r.up);
	assert_int_equal(r.mac[5], mac);
}

static void assert_down(enum resolver_state state)
{
	assert_int_equal(r.state, state);
	assert_false(r.up);
}

static void resolve(uint8_t mac)
{
	says(NEIGHBOUR_NONE, 0);
	says(NEIGHBOUR_GOOD, mac);
	assert_up(RESOLVER_READY, mac);
}

static void test_first_answer(void **state)
{
	(void)state;
	assert_true(r.due_ns <= now);
	assert_false(r.settled);
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_down(RESOLVER_PROBING);
	assert_false(r.settled);
	assert_int_equal(r.due_ns, now + RESOLVER_LOOK_MS * NS_PER_MS);
	pass_ms(3);
	assert_false(says(NEIGHBOUR_ASKED, 0));
	assert_down(RESOLVER_PROBING);
	pass_ms(3);
	assert_false(says(NEIGHBOUR_GOOD, 9));
	assert_up(RESOLVER_READY, 9);
	assert_true(r.settled);
	assert_int_equal(r.path.uplink, 3);
	assert_int_equal(r.due_ns, now + RESOLVER_REFRESH_MS * NS_PER_MS);
}

/* Somebody else's traffic is asking already: Mirach's own probe makes sure. */
static void test_already_asked(void **state)
{
	(void)state;
	assert_true(says(NEIGHBOUR_ASKED, 0));
	assert_false(says(NEIGHBOUR_ASKED, 0));
}

static void test_known_at_once(void **state)
{
	(void)state;
	assert_false(says(NEIGHBOUR_GOOD, 9));
	assert_up(RESOLVER_READY, 9);
}

static void test_no_route(void **state)
{
	uint64_t due;

	(void)state;
	facts.routed = false;
	assert_false(says(NEIGHBOUR_NONE, 0));
	assert_down(RESOLVER_NO_ROUTE);
	assert_true(r.settled);
	due = r.due_ns;
	pass_ms(10);
	says(NEIGHBOUR_NONE, 0);
	assert_int_equal(r.due_ns, due);	/* news do not stretch the wait */
	facts.routed = true;
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_down(RESOLVER_PROBING);
	says(NEIGHBOUR_GOOD, 9);
	assert_up(RESOLVER_READY, 9);
	facts.routed = false;
	says(NEIGHBOUR_GOOD, 9);
	assert_down(RESOLVER_NO_ROUTE);
}

static void test_grows_old_and_is_verified(void **state)
{
	(void)state;
	resolve(9);
	pass_until_due();
	assert_true(says(NEIGHBOUR_OLD, 9));
	assert_up(RESOLVER_STALE, 9);
	pass_until_due();
	assert_false(says(NEIGHBOUR_VERIFYING, 9));
	assert_up(RESOLVER_STALE, 9);
	pass_until_due();
	says(NEIGHBOUR_GOOD, 9);
	assert_up(RESOLVER_READY, 9);
}

static void test_verified_in_vain(void **state)
{
	(void)state;
	resolve(9);
	says(NEIGHBOUR_OLD, 9);
	says(NEIGHBOUR_VERIFYING, 9);
	assert_true(says(NEIGHBOUR_DEAD, 0));	/* that MAC is dead; is there another? */
	assert_down(RESOLVER_PROBING);
	says(NEIGHBOUR_GOOD, 8);
	assert_up(RESOLVER_READY, 8);
	says(NEIGHBOUR_DEAD, 0);
	assert_false(says(NEIGHBOUR_DEAD, 0));
	assert_down(RESOLVER_FAILED);
}

static void test_mac_changes(void **state)
{
	(void)state;
	resolve(9);
	assert_true(says(NEIGHBOUR_OLD, 8));	/* a gratuitous ARP leaves it stale */
	assert_up(RESOLVER_STALE, 8);
	says(NEIGHBOUR_GOOD, 8);
	assert_up(RESOLVER_READY, 8);
}

/* `ip neigh flush`, or the kernel's own garbage collection. */
static void test_entry_flushed(void **state)
{
	(void)state;
	resolve(9);
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_up(RESOLVER_STALE, 9);
	says(NEIGHBOUR_ASKED, 0);
	assert_up(RESOLVER_STALE, 9);
	says(NEIGHBOUR_GOOD, 9);
	assert_up(RESOLVER_READY, 9);
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_false(says(NEIGHBOUR_DEAD, 0));
	assert_down(RESOLVER_FAILED);
}

/* An entry that was flushed long after its verification began has its full time again. */
static void test_flushed_while_verified(void **state)
{
	(void)state;
	resolve(9);
	says(NEIGHBOUR_OLD, 9);
	pass_ms(RESOLVER_GIVE_UP_MS + 1000);
	says(NEIGHBOUR_VERIFYING, 9);
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_up(RESOLVER_STALE, 9);
}

static void test_no_answer(void **state)
{
	unsigned int i, probes = 0;

	(void)state;
	for (i = 0; i < 20 && r.state != RESOLVER_FAILED; i++) {
		probes += says(i ? NEIGHBOUR_ASKED : NEIGHBOUR_NONE, 0);
		pass_until_due();
	}
	assert_int_equal(probes, 1);
	assert_true(r.settled);
	assert_down(RESOLVER_FAILED);
	assert_in_range(now - START, RESOLVER_GIVE_UP_MS * NS_PER_MS,
			(RESOLVER_GIVE_UP_MS + 2 * RESOLVER_LOOK_MS) * NS_PER_MS);
}

static void test_backs_off(void **state)
{
	uint64_t wait = 0, last = 0;
	unsigned int i;

	(void)state;
	assert_true(says(NEIGHBOUR_DEAD, 0));	/* an old failure: asked again */
	for (i = 0; i < 10; i++) {
		assert_false(says(NEIGHBOUR_DEAD, 0));
		assert_down(RESOLVER_FAILED);
		wait = r.due_ns - now;
		assert_true(wait >= last);
		last = wait;
		pass_ms(1);
		assert_false(says(NEIGHBOUR_DEAD, 0));	/* news of the failure itself */
		assert_false(says(NEIGHBOUR_NONE, 0));	/* and of its removal */
		pass_until_due();
		assert_true(says(NEIGHBOUR_NONE, 0));
		assert_down(RESOLVER_FAILED);
	}
	assert_int_equal(wait, RESOLVER_RETRY_MAX_MS * NS_PER_MS);
	says(NEIGHBOUR_GOOD, 9);		/* it comes back: at once, and forgiven */
	assert_up(RESOLVER_READY, 9);
	assert_int_equal(r.failures, 0);
}

static void test_answer_while_resting(void **state)
{
	(void)state;
	says(NEIGHBOUR_NONE, 0);
	says(NEIGHBOUR_DEAD, 0);
	pass_ms(1);
	says(NEIGHBOUR_OLD, 9);
	assert_up(RESOLVER_STALE, 9);
}

static void test_new_gateway(void **state)
{
	(void)state;
	resolve(9);
	ip_addr_set_v4(&facts.path.hop, 0x020200c0);
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_up(RESOLVER_PROBING, 9);		/* the old way, until the new one is known */
	says(NEIGHBOUR_ASKED, 0);
	assert_up(RESOLVER_PROBING, 9);
	says(NEIGHBOUR_GOOD, 8);
	assert_up(RESOLVER_READY, 8);
	assert_true(ip_addr_equal(&r.path.hop, &facts.path.hop));
}

/* The new gateway's entry may be a failure from long ago: it is asked before it is believed. */
static void test_new_gateway_failed_before(void **state)
{
	(void)state;
	resolve(9);
	facts.path.ifindex = 8;
	assert_true(says(NEIGHBOUR_DEAD, 0));
	assert_up(RESOLVER_PROBING, 9);
	assert_false(says(NEIGHBOUR_DEAD, 0));
	assert_down(RESOLVER_FAILED);
}

static void test_new_gateway_while_resting(void **state)
{
	(void)state;
	says(NEIGHBOUR_NONE, 0);
	says(NEIGHBOUR_DEAD, 0);
	assert_down(RESOLVER_FAILED);
	facts.path.ifindex = 8;
	assert_true(says(NEIGHBOUR_NONE, 0));
	assert_down(RESOLVER_PROBING);
}

static void test_mtu_follows(void **state)
{
	(void)state;
	resolve(9);
	facts.path.mtu = 9000;
	says(NEIGHBOUR_NONE, 0);		/* even while the MAC is in doubt */
	assert_up(RESOLVER_STALE, 9);
	assert_int_equal(r.path.mtu, 9000);
}

static void test_uplink_gone(void **state)
{
	(void)state;
	resolve(9);
	resolver_uplink_gone(&r, 4, now);
	assert_up(RESOLVER_READY, 9);
	resolver_uplink_gone(&r, 3, now);
	assert_down(RESOLVER_PROBING);
	assert_int_equal(r.due_ns, now);
	says(NEIGHBOUR_GOOD, 9);
	assert_up(RESOLVER_READY, 9);
}

/* Whatever the kernel says in whatever order: used means a MAC, and there is always a next look. */
static void test_any_order(void **state)
{
	uint32_t seed = 12345, i;

	(void)state;
	print_message("# seed %u\n", seed);
	for (i = 0; i < 200000; i++) {
		enum resolver_neighbour word;

		seed = seed * 1664525 + 1013904223;
		word = seed >> 8 & 7;
		facts.routed = seed >> 16 & 15;
		facts.path.ifindex = 7 + (seed >> 20 & 31 ? 0 : 1);
		if (word > NEIGHBOUR_DEAD)
			word = NEIGHBOUR_GOOD;
		says(word, word == NEIGHBOUR_GOOD || word == NEIGHBOUR_OLD ||
			   word == NEIGHBOUR_VERIFYING ? 9 : 0);
		assert_true(!r.up || r.mac[5] == 9);
		assert_true(r.due_ns > now && r.due_ns - now <= RESOLVER_RETRY_MAX_MS * NS_PER_MS);
		assert_true(facts.routed || !r.up);
		assert_true(r.state != RESOLVER_READY || r.up);
		pass_ms(seed >> 24);
	}
}

static void test_ids(void **state)
{
	struct ids ids;

	(void)state;
	assert_int_equal(ids_init(&ids, 6), 0);
	ids_adopt(&ids, 4);
	assert_int_equal(ids_take(&ids, 1, now), 1);
	assert_int_equal(ids_take(&ids, 3, now), 3);
	assert_int_equal(ids_take(&ids, 3, now), 5);
	assert_int_equal(ids_take(&ids, 3, now), 0);
	assert_int_equal(ids_take(&ids, 0, now), 2);
	assert_false(ids_taken(&ids, 0));
	assert_true(ids_taken(&ids, 4));
	assert_false(ids_taken(&ids, 6));
	ids_done(&ids);
}

static void test_ids_rest(void **state)
{
	struct ids ids;

	(void)state;
	assert_int_equal(ids_init(&ids, 3), 0);
	assert_int_equal(ids_take(&ids, 1, now), 1);
	assert_int_equal(ids_take(&ids, 1, now), 2);
	ids_release(&ids, 1, now);
	assert_false(ids_taken(&ids, 1));
	assert_int_equal(ids_take(&ids, 1, now), 0);
	pass_ms(IDS_REST_MS - 1);
	assert_int_equal(ids_take(&ids, 1, now), 0);
	pass_ms(1);
	assert_int_equal(ids_take(&ids, 1, now), 1);
	ids_done(&ids);
}

#define RESOLVER_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RESOLVER_TEST(test_first_answer),
		RESOLVER_TEST(test_already_asked),
		RESOLVER_TEST(test_known_at_once),
		RESOLVER_TEST(test_no_route),
		RESOLVER_TEST(test_grows_old_and_is_verified),
		RESOLVER_TEST(test_verified_in_vain),
		RESOLVER_TEST(test_mac_changes),
		RESOLVER_TEST(test_entry_flushed),
		RESOLVER_TEST(test_flushed_while_verified),
		RESOLVER_TEST(test_no_answer),
		RESOLVER_TEST(test_backs_off),
		RESOLVER_TEST(test_answer_while_resting),
		RESOLVER_TEST(test_new_gateway),
		RESOLVER_TEST(test_new_gateway_failed_before),
		RESOLVER_TEST(test_new_gateway_while_resting),
		RESOLVER_TEST(test_mtu_follows),
		RESOLVER_TEST(test_uplink_gone),
		RESOLVER_TEST(test_any_order),
		RESOLVER_TEST(test_ids),
		RESOLVER_TEST(test_ids_rest),
	};

	return cmocka_run_group_tests_name("underlay", tests, NULL, NULL);
}
