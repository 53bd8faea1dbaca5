// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_too_big.c - the gateway says which size would have fitted
 *
 *	web-1 ──1500 bytes──► gateway: "fragmentation needed, MTU 1450" ──► web-1
 *
 * RFC 1191, RFC 1812, RFC 4443, RFC 8201. The answer quotes the packet, so that the
 * sender's stack finds its connection.
 */
#include "fixture.h"

#include <string.h>

#include <selftests/bpf/sandbox.h>

#define MTU (UNDERLAY_MTU - 20 - 8 - 8 - 14)	/* VXLAN over IPv4 */

static struct packet_spec large(bool v6)
{
	struct packet_spec s = {
		.src = v6 ? "fd00:1::11" : "10.0.0.11",
		.dst = v6 ? "fd00:1::12" : "10.0.0.12",
		.proto = PROTO_TCP,
		.sport = 1234,
		.dport = 443,
		.fragment = v6 ? 0 : IPV4_DF,
		.payload = 1600,
	};

	world_mac(s.smac, 1, WEB_1);
	return s;
}

/* The gateways of web-1's subnets, as the agent tells the fast path. */
static void tell_gateways(void)
{
	struct port *port = &fixture.ports[WORLD_SLOT(WEB_1)];

	port->gateway[0] = packet_addr("10.0.0.1");
	port->gateway[1] = packet_addr("fd00:1::1");
}

static void assert_error(const struct shot *shot, const struct packet_spec *s)
{
	bool v6 = strchr(s->src, ':') != NULL;
	const uint8_t *l3 = shot->bytes + 14;
	const uint8_t *icmp = l3 + (v6 ? 40 : 20);
	const uint8_t *quote = icmp + 8;
	const uint8_t gateway4[] = { 10, 0, 0, 1 };
	uint8_t sent[FRAME_MAX_BYTES];

	assert_fate(shot, FATE_REPLIED);
	assert_sums(l3, shot->len - 14);
	assert_memory_equal(shot->bytes, s->smac, ETH_ADDR_LEN);
	assert_int_equal(icmp[0], v6 ? 2 : 3);
	assert_int_equal(icmp[1], v6 ? 0 : 4);
	assert_int_equal(icmp[6] << 8 | icmp[7], MTU);
	packet_build(s, sent);
	assert_memory_equal(quote, sent + 14, shot->len - (quote - shot->bytes));
	if (v6) {
		assert_memory_equal(l3 + 8, &fixture.ports[WORLD_SLOT(WEB_1)].gateway[1], 16);
		assert_memory_equal(l3 + 24, sent + 14 + 8, 16);
	} else {
		assert_memory_equal(l3 + 12, gateway4, 4);
		assert_memory_equal(l3 + 16, sent + 14 + 12, 4);
	}
}

static void test_answer(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = large(v6);

		tell_gateways();
		learn_vport(WEB_1, &s);
		assert_error(fire_spec(WEB_1, &s), &s);
	}
}

/* Exactly the size that was named passes. */
static void test_named_size_fits(void **state)
{
	(void)state;
	sandbox_need();
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec s = large(v6);

		tell_gateways();
		s.payload = MTU - (v6 ? 40 : 20) - 20;
		learn_vport(WEB_1, &s);
		assert_fate(fire_spec(WEB_1, &s), FATE_OUT);
		s.payload++;
		assert_fate(fire_spec(WEB_1, &s), FATE_REPLIED);
	}
}

/* Without DF nobody asked for an answer; without a gateway nobody can give one. */
static void test_dropped(void **state)
{
	struct packet_spec s = large(false);

	(void)state;
	sandbox_need();
	learn_vport(WEB_1, &s);
	assert_dropped(fire_spec(WEB_1, &s), REASON_TOO_BIG);
	tell_gateways();
	assert_fate(fire_spec(WEB_1, &s), FATE_REPLIED);
	s.fragment = 0;
	assert_dropped(fire_spec(WEB_1, &s), REASON_TOO_BIG);
}

/* A guest that does not listen is not shouted at. */
static void test_rate(void **state)
{
	struct packet_spec s = large(true);
	unsigned int n_replied = 0;

	(void)state;
	sandbox_need();
	tell_gateways();
	learn_vport(WEB_1, &s);
	for (int i = 0; i < 200; i++)
		n_replied += fire_spec(WEB_1, &s)->fate == FATE_REPLIED;
	print_message("%u of 200 answered\n", n_replied);
	assert_in_range(n_replied, 1, 150);
	assert_int_equal(drops_of(WORLD_SLOT(WEB_1), REASON_TOO_BIG), 200 - n_replied);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, fixture_reset)
	const struct CMUnitTest tests[] = {
		TEST(test_answer),
		TEST(test_named_size_fits),
		TEST(test_dropped),
		TEST(test_rate),
	};

	return cmocka_run_group_tests_name("too_big", tests, fixture_load, fixture_unload);
}
