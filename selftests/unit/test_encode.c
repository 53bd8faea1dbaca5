// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_encode.c - entries for loading by hand, read back by the agent's own code
 *
 * What `mirachctl encode` prints is put into arrays as bpftool would, and the
 * agent's flow table must find the flow there.
 */
#include <ctl/cli/encode.h>

#include <errno.h>

#include <agent/flow_table.h>
#include <agent/template.h>
#include <lib/addr.h>
#include <lib/names.h>
#include <mirach/wire.h>
#include <selftests/unit/expect.h>

#define BUCKETS 64
#define FLOWS 16
#define WORDS_MAX 48

static struct opts read_line(const struct opt *table, const char *line)
{
	static char buf[1024];
	static char *words[WORDS_MAX];
	struct opts o = {};
	struct error e = {};
	int n = 0;

	strcpy(buf, line);
	for (char *w = strtok(buf, " "); w; w = strtok(NULL, " "))
		words[n++] = w;
	if (opts_parse(table, NULL, n, words, &o, &e))
		fail_msg("%s: %s", line, e.text);
	return o;
}

#define VPORT_FLOW "--index 3 --port 4 --src 10.0.0.11 --dst 10.0.0.12 --proto tcp --buckets 64 "
#define FABRIC_FLOW "--index 1 --outer 192.0.2.2 --src fd00:1::12 --dst fd00:1::11 --proto icmpv6 --buckets 64 "
#define FORWARD "--nexthop 7 --vni 100 --dmac 02:00:00:00:01:02 --smac 02:00:00:00:01:01"

static void publish(const struct encode_flow *f, struct flow_bucket *index, struct flow *flows)
{
	uint64_t digest = flow_digest(&f->flow.key, f->table.secret);
	uint32_t b = flow_bucket_of(digest, 0, f->table.n_buckets - 1);

	flows[f->index] = f->flow;
	index[b].slot[f->slot] = FLOW_SLOT(flow_tag(digest), f->index);
}

static void test_flow_is_found(void **state)
{
	static const char *const lines[] = {
		VPORT_FLOW FORWARD,
		VPORT_FLOW FORWARD " --sport 40000 --dport 443 --slot 7",
		VPORT_FLOW FORWARD " --vlan 10,20 --ttl",
		VPORT_FLOW "--drop no_route",
		FABRIC_FLOW FORWARD,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct opts o = read_line(encode_flow_opts, lines[i]);
		struct flow_bucket index[BUCKETS] = {};
		struct flow flows[FLOWS] = {};
		struct flow_table_memory m = { index, flows, BUCKETS, FLOWS, NULL };
		struct encode_flow f;
		struct flow_table *t;
		struct error e = {};

		if (encode_flow_read(&o, &f, &e))
			fail_msg("%s: %s", lines[i], e.text);
		publish(&f, index, flows);
		m.secret = f.table.secret;
		assert_int_equal(flow_table_new(&m, 0, &t), 0);
		expect_int(lines[i], flow_table_find(t, &f.flow.key), f.index);
		flow_table_free(t);
	}
}

static void test_flow_content(void **state)
{
	struct opts o = read_line(encode_flow_opts, VPORT_FLOW FORWARD " --ttl");
	struct encode_flow f;

	(void)state;
	assert_int_equal(encode_flow_read(&o, &f, NULL), 0);
	expect_int("scope", f.flow.key.scope, SCOPE_VPORT | 4);
	expect_int("tuple", f.flow.key.tuple, FLOW_TUPLE_3);
	expect_int("verdict", f.flow.action.verdict, ACTION_FORWARD);
	expect_int("vni", host32(f.flow.action.vni), 100 << 8);
	expect_int("stages", f.flow.action.stages, STAGE_TTL);
	o = read_line(encode_flow_opts, VPORT_FLOW FORWARD " --tunnel gre");
	assert_int_equal(encode_flow_read(&o, &f, NULL), 0);
	expect_int("GRE key", host32(f.flow.action.vni), 100);
}

/* The record of a pinned map set, as bpftool dumps it. */
static void test_abi(void **state)
{
	struct abi_record record = { .seq = MIRACH_ABI_SEQ, .n_buckets = 256, .secret = { 1, 2, 3 } };
	char line[1024], hex[3 * sizeof(record) + 4];
	struct encode_flow f;
	struct error e = {};
	struct opts o;

	(void)state;
	hex_format(&record, sizeof(record), ':', hex, sizeof(hex));
	snprintf(line, sizeof(line), "--index 3 --port 4 --src 10.0.0.1 --dst 10.0.0.2 --proto udp "
		 "--drop no_route --abi %s", hex);
	o = read_line(encode_flow_opts, line);
	assert_int_equal(encode_flow_read(&o, &f, NULL), 0);
	expect_int("buckets", f.table.n_buckets, 256);
	assert_memory_equal(f.table.secret, record.secret, sizeof(record.secret));

	record.seq++;
	hex_format(&record, sizeof(record), ':', hex, sizeof(hex));
	snprintf(line, sizeof(line), "--index 3 --abi %s", hex);
	o = read_line(encode_flow_opts, line);
	assert_int_equal(encode_flow_read(&o, &f, &e), -EINVAL);
	expect_part("other layout", e.text, "layout");
}

static void test_flow_refused(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
		{ "--port 1", "--index is needed" },
		{ "--index 0", "--index: must be" },
		{ "--index 1", "where does it enter" },
		{ "--index 1 --port 4096", "--port: must be" },
		{ "--index 1 --port 1 --outer 1.2.3.4", "--outer" },
		{ "--index 1 --port 1 --src 10.0.0.1", "--dst is needed" },
		{ "--index 1 --port 1 --src 10.0.0.300", "--src: 10.0.0.300 is no address" },
		{ "--index 1 --buckets 100", "power of two" },
		{ "--index 1 --secret 00", "--secret" },
		{ VPORT_FLOW, "--nexthop is needed" },
		{ VPORT_FLOW "--nexthop 1", "--dmac is needed" },
		{ VPORT_FLOW "--drop bad_luck", "there is no reason bad_luck" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct opts o = read_line(encode_flow_opts, cases[i].line);
		struct encode_flow f;
		struct error e = {};

		expect_int(cases[i].line, encode_flow_read(&o, &f, &e), -EINVAL);
		expect_part(cases[i].line, e.text, cases[i].words);
	}
}

static void test_nexthop(void **state)
{
	struct opts o = read_line(encode_nexthop_opts, "--id 1 --port 3 --tunnel geneve "
				  "--local 192.0.2.1 --remote 192.0.2.2 --smac 02:00:00:00:00:01 "
				  "--dmac 02:00:00:00:00:02");
	struct encode_nexthop n;
	struct error e = {};

	(void)state;
	assert_int_equal(encode_nexthop_read(&o, &n, &e), 0);
	expect_int("kind", n.nexthop.body[0].kind, NEXTHOP_TUNNEL);
	expect_int("header", n.nexthop.body[0].header_len, 50);
	expect_int("mtu", n.nexthop.body[0].mtu, 1450);
	expect_int("active", n.nexthop.active, 0);

	o = read_line(encode_nexthop_opts, "--id 2 --port 4");
	assert_int_equal(encode_nexthop_read(&o, &n, &e), 0);
	expect_int("local", n.nexthop.body[0].kind, NEXTHOP_LOCAL);

	o = read_line(encode_nexthop_opts, "--id 1 --port 3 --tunnel gre --local 192.0.2.1 "
		      "--remote 2001:db8::1 --smac 02:00:00:00:00:01 --dmac 02:00:00:00:00:02");
	assert_int_equal(encode_nexthop_read(&o, &n, &e), -EINVAL);
	expect_part("families", e.text, "two address families");
}

static void test_port(void **state)
{
	struct opts o = read_line(encode_port_opts, "--slot 2 --kind uplink --ifindex 9 --tunnel vxlan "
				  "--underlay 192.0.2.1 --vlan 7");
	struct encode_port p;
	struct error e = {};

	(void)state;
	assert_int_equal(encode_port_read(&o, &p, &e), 0);
	expect_int("port", host16(p.port.tunnel_port), VXLAN_PORT);
	expect_int("vlan", p.port.vlan, 7 | FLOW_VLAN_PRESENT);
	assert_true(ip_addr_is_v4(&p.port.underlay[0]));
	o = read_line(encode_port_opts, "--slot 2 --kind vport --ifindex 9");
	assert_int_equal(encode_port_read(&o, &p, &e), -EINVAL);
	expect_part("vni", e.text, "--vni is needed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_is_found), cmocka_unit_test(test_flow_content),
		cmocka_unit_test(test_abi),	      cmocka_unit_test(test_flow_refused),
		cmocka_unit_test(test_nexthop),	      cmocka_unit_test(test_port),
	};

	return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
