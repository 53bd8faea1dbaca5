// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_flow_filter.c - each criterion alone, and all of them together
 */
#include <agent/flow_filter.h>

#include <mirach/wire.h>
#include <selftests/unit/expect.h>

static struct flow_key sample_key(void)
{
	struct flow_key key = { .scope = SCOPE_VPORT | 4, .proto = PROTO_TCP, .tuple = FLOW_TUPLE_5,
				.sport = wire16(40000), .dport = wire16(443) };

	ip_addr_parse("10.0.0.11", &key.src);
	ip_addr_parse("10.0.0.12", &key.dst);
	return key;
}

static struct ip_prefix prefix(const char *text)
{
	struct ip_prefix p;

	assert_int_equal(ip_prefix_parse(text, &p), 0);
	return p;
}

static void test_criteria(void **state)
{
	const struct {
		const char *of;
		struct flow_filter filter;
		bool match;
	} cases[] = {
		{ "none", {}, true },
		{ "vport", { .by_vport = true, .vport = 4 }, true },
		{ "other vport", { .by_vport = true, .vport = 5 }, false },
		{ "network", { .by_network = true, .network = 100 }, true },
		{ "other network", { .by_network = true, .network = 101 }, false },
		{ "src", { .by_src = true, .src = prefix("10.0.0.0/24") }, true },
		{ "other src", { .by_src = true, .src = prefix("10.0.1.0/24") }, false },
		{ "dst", { .by_dst = true, .dst = prefix("10.0.0.12") }, true },
		{ "other dst", { .by_dst = true, .dst = prefix("10.0.0.13") }, false },
		{ "IPv6 for IPv4", { .by_dst = true, .dst = prefix("fd00::/8") }, false },
		{ "proto", { .by_proto = true, .proto = PROTO_TCP }, true },
		{ "other proto", { .by_proto = true, .proto = PROTO_UDP }, false },
		{ "source port", { .by_port = true, .port = 40000 }, true },
		{ "destination port", { .by_port = true, .port = 443 }, true },
		{ "other port", { .by_port = true, .port = 80 }, false },
		{ "all", { true, true, true, true, true, true, 4, 100, prefix("10.0.0.11"),
			   prefix("10.0.0.12"), PROTO_TCP, 443 }, true },
		{ "all but one", { true, true, true, true, true, true, 4, 100, prefix("10.0.0.11"),
				   prefix("10.0.0.12"), PROTO_TCP, 80 }, false },
	};
	struct flow_key key = sample_key();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_int(cases[i].of, flow_filter_match(&cases[i].filter, &key, 100),
			   cases[i].match);
}

/* A 3-tuple speaks for every port, and so for none. A fabric flow has no vport. */
static void test_other_flows(void **state)
{
	const struct flow_filter port = { .by_port = true, .port = 0 };
	const struct flow_filter vport = { .by_vport = true, .vport = 4 };
	struct flow_key key = sample_key();

	(void)state;
	key.tuple = FLOW_TUPLE_3;
	key.sport = key.dport = 0;
	assert_false(flow_filter_match(&port, &key, 100));
	key.scope = SCOPE_FABRIC | 4;
	assert_false(flow_filter_match(&vport, &key, 4));
}

static void test_empty(void **state)
{
	const struct flow_filter none = { .vport = 4 }, one = { .by_proto = true };

	(void)state;
	assert_true(flow_filter_is_empty(&none));
	assert_false(flow_filter_is_empty(&one));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_criteria),
		cmocka_unit_test(test_other_flows),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("flow_filter", tests, NULL, NULL);
}
