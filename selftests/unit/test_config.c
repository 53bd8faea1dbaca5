// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_config.c - what a good configuration means, and how a bad one is reported
 *
 * Defaults, every field once, both spellings of the language, the examples of
 * docs/, and the form of reports. What is refused field by field is in
 * test_config_values.c, relations between fields in test_config_checks.c.
 */
#include <agent/config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <mirach/wire.h>
#include <selftests/unit/config_file.h>

static struct ip_addr addr(const char *text)
{
	struct ip_addr a = {};

	expect_int(text, ip_addr_parse(text, &a), 0);
	return a;
}

static void expect_addr(const struct ip_addr *seen, const char *expected)
{
	char buf[IP_ADDR_STRLEN];

	expect_text("address", ip_addr_format(seen, buf, sizeof(buf)), expected);
}

static void test_defaults(void **state)
{
	struct config *c = parse_good(&good);
	char mac[MAC_STRLEN];

	(void)state;
	expect_text("path", c->path, "t");
	expect_text("bpffs", c->bpffs, "/sys/fs/bpf/mirach");
	expect_text("socket", c->socket, "/run/mirach/mirachd.sock");
	assert_null(c->socket_group);
	expect_int("tunnel", c->tunnel, TUNNEL_VXLAN);
	expect_int("port", c->tunnel_port, 4789);
	expect_int("dscp", c->dscp, DSCP_UNIFORM);
	expect_int("tos", c->tos, 0);
	expect_int("flows", c->max_flows, 65536);
	expect_int("miss_rate", c->miss_rate, 20000);
	expect_int("miss_burst", c->miss_burst, 1000);
	expect_int("fabric_miss_rate", c->fabric_miss_rate, 50000);
	expect_int("fabric_miss_burst", c->fabric_miss_burst, 5000);
	expect_int("flow_idle", c->flow_idle_ms, 60000);
	expect_int("busy_poll", c->busy_poll, false);
	expect_text("gateway_mac", mac_format(c->networks[0].gateway_mac, mac, sizeof(mac)),
		    "02:00:5e:00:00:01");
	assert_null(c->vports[0].netns);
	assert_null(c->vports[0].guest_device);
	expect_int("hook", c->vports[0].hook, HOOK_AUTO);
	expect_int("xdp_mode", c->vports[0].xdp_mode, XDP_MODE_NATIVE);
	expect_int("vport miss_rate", c->vports[0].miss_rate, 20000);
	expect_int("vport miss_burst", c->vports[0].miss_burst, 1000);
	expect_int("samples", c->n_samples, 0);
	config_free(c);
}

static void test_what_is_said(void **state)
{
	struct config *c = parse_good(&good);

	(void)state;
	expect_text("host.name", c->host_name, "host-a");
	expect_addr(&c->underlay[0], "192.0.2.1");
	expect_addr(&c->underlay[1], "2001:db8::1");
	expect_int("uplinks", c->n_uplinks, 1);
	expect_text("uplink", c->uplinks[0].device, "up0");
	expect_int("uplink line", c->uplinks[0].line, 4);
	expect_int("networks", c->n_networks, 1);
	expect_text("network", c->networks[0].name, "red");
	expect_int("vni", c->networks[0].vni, 100);
	expect_int("network line", c->networks[0].line, 6);
	expect_int("subnets", c->networks[0].n_subnets, 2);
	expect_int("subnet 0", c->networks[0].subnets[0].prefix.len, 96 + 24);
	expect_addr(&c->networks[0].subnets[1].gateway, "fd00:1::1");
	expect_int("subnet line", c->networks[0].subnets[1].line, 9);
	expect_int("vports", c->n_vports, 1);
	expect_text("vport", c->vports[0].name, "web-1");
	expect_text("device", c->vports[0].device, "veth-web1");
	expect_int("network of the vport", c->vports[0].network, 0);
	expect_int("addresses", c->vports[0].n_addrs, 2);
	expect_addr(&c->vports[0].addrs[1], "fd00:1::11");
	expect_int("vport line", c->vports[0].line, 11);
	expect_int("remotes", c->n_remotes, 1);
	expect_addr(&c->remotes[0].prefix.addr, "10.0.0.12");
	expect_int("remote prefix", c->remotes[0].prefix.len, 128);
	expect_addr(&c->remotes[0].host, "192.0.2.2");
	expect_int("remote line", c->remotes[0].line, 18);
	config_free(c);
}

static void test_everything_said(void **state)
{
	struct config *c = parse_good(&(struct file){
		.host = "host: {name: A.b_c-9, underlay: [\"2001:db8::1\"], uplinks: [{device: a, "
			"vlan: 4094, xdp_mode: generic}, {device: b}]}\n",
		.networks = "networks:\n- {name: blue, vni: 16777215}\n"
			    "- {name: red, vni: 1, gateway_mac: 02-00-00-00-00-AA, mss_clamp: true, "
			    "subnets: [{prefix: 10.0.0.0/8}]}\n",
		.vports = "vports:\n- {name: x, network: red, device: tap0, netns: /proc/1/ns/net, "
			  "guest_device: eth0, mac: \"02:00:00:00:00:01\", addresses: [10.1.2.3], "
			  "vlan: [10, 20], mss_clamp: 1300, hook: xdp, xdp_mode: generic, miss_rate: 5, miss_burst: 6}\n"
			  "- {name: y, network: red, device: tap1, netns: guest, "
			  "mac: \"02:00:00:00:00:02\", addresses: [10.1.2.4], vlan: 7, mss_clamp: false}\n",
		.remotes = "remotes: [{network: blue, prefix: \"::/0\", host: \"2001:db8::2\"}]\n",
		.rest = "encapsulation: {kind: geneve, port: 1, dscp: pipe, tos: 184}\n"
			"agent: {bpffs: /b, socket: /s, socket_group: netadmin, busy_poll: true}\n"
			"limits: {flows: 16777216, miss_rate: 1, miss_burst: 2, "
			"fabric_miss_rate: 3, fabric_miss_burst: 4, flow_idle: 500ms}\n"
			"samples: [{network: blue, protocol: tcp, port: 443, rate: 100}, "
			"{network: red, protocol: 47, rate: 4294967295}, {network: red, rate: 1}]\n",
	});

	(void)state;
	expect_text("host.name", c->host_name, "A.b_c-9");
	assert_true(ip_addr_is_zero(&c->underlay[0]));
	expect_int("uplinks", c->n_uplinks, 2);
	expect_int("uplink vlan", c->uplinks[0].vlan, 4094);
	expect_int("uplink xdp_mode", c->uplinks[0].xdp_mode, XDP_MODE_GENERIC);
	expect_int("tunnel", c->tunnel, TUNNEL_GENEVE);
	expect_int("port", c->tunnel_port, 1);
	expect_int("dscp", c->dscp, DSCP_PIPE);
	expect_int("tos", c->tos, 184);
	expect_text("bpffs", c->bpffs, "/b");
	expect_text("socket", c->socket, "/s");
	expect_text("socket_group", c->socket_group, "netadmin");
	expect_int("busy_poll", c->busy_poll, true);
	expect_int("flows", c->max_flows, 16777216);
	expect_int("flow_idle", c->flow_idle_ms, 500);
	expect_int("gateway_mac", c->networks[1].gateway_mac[5], 0xaa);
	expect_int("network of x", c->vports[0].network, 1);
	expect_text("netns of x", c->vports[0].netns, "/proc/1/ns/net");
	expect_text("guest_device of x", c->vports[0].guest_device, "eth0");
	expect_int("mss_clamp of blue", c->networks[0].mss_clamp, MSS_CLAMP_UNSAID);
	expect_int("mss_clamp of red", c->networks[1].mss_clamp, MSS_CLAMP_MTU);
	expect_int("mss_clamp of x", c->vports[0].mss_clamp, 1300);
	expect_int("mss_clamp of y", c->vports[1].mss_clamp, MSS_CLAMP_OFF);
	expect_int("outer tag of x", c->vports[0].vlan[0], 10);
	expect_int("inner tag of x", c->vports[0].vlan[1], 20);
	expect_int("hook of x", c->vports[0].hook, HOOK_XDP);
	expect_int("xdp_mode of x", c->vports[0].xdp_mode, XDP_MODE_GENERIC);
	expect_int("miss_rate of x", c->vports[0].miss_rate, 5);
	expect_int("miss_burst of x", c->vports[0].miss_burst, 6);
	expect_text("netns of y", c->vports[1].netns, "guest");
	expect_int("outer tag of y", c->vports[1].vlan[0], 7);
	expect_int("inner tag of y", c->vports[1].vlan[1], 0);
	expect_int("miss_rate of y", c->vports[1].miss_rate, 1);
	expect_int("miss_burst of y", c->vports[1].miss_burst, 2);
	expect_int("remote", c->remotes[0].prefix.len, 0);
	assert_true(mac_is_zero(c->remotes[0].mac));
	expect_int("samples", c->n_samples, 3);
	expect_int("sample proto", c->samples[0].proto, PROTO_TCP);
	expect_int("sample port", c->samples[0].port, 443);
	expect_int("sample rate", c->samples[0].rate, 100);
	expect_int("sample number", c->samples[1].proto, 47);
	expect_int("sample any", c->samples[2].proto, 0);
	config_free(c);
}

static void test_tunnel_ports(void **state)
{
	static const struct {
		const char *kind;
		int tunnel, port;
	} cases[] = {
		{"vxlan", TUNNEL_VXLAN, 4789}, {"geneve", TUNNEL_GENEVE, 6081},
		{"gre", TUNNEL_GRE, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char rest[64];
		struct config *c;

		snprintf(rest, sizeof(rest), "encapsulation: {kind: %s}\n", cases[i].kind);
		c = parse_good(&(struct file){.rest = rest});
		expect_int(cases[i].kind, c->tunnel, cases[i].tunnel);
		expect_int(cases[i].kind, c->tunnel_port, cases[i].port);
		config_free(c);
	}
}

static void test_durations(void **state)
{
	static const struct {
		const char *text;
		unsigned int ms;
	} cases[] = {
		{"100ms", 100}, {"60s", 60000}, {"\"60s\"", 60000}, {"5m", 300000},
		{"24h", 86400000}, {"86400s", 86400000},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char rest[64];
		struct config *c;

		snprintf(rest, sizeof(rest), "limits: {flow_idle: %s}\n", cases[i].text);
		c = parse_good(&(struct file){.rest = rest});
		expect_int(cases[i].text, c->flow_idle_ms, cases[i].ms);
		config_free(c);
	}
}

/* The order of sections, JSON instead of YAML, and lists whose entries are commented out. */
static void test_other_spellings(void **state)
{
	static const char json[] =
		"{\"vports\": [{\"name\": \"w\", \"network\": \"red\", \"device\": \"d\",\n"
		"  \"mac\": \"02:00:00:00:01:01\", \"addresses\": [\"10.0.0.2\"]}],\n"
		" \"networks\": [{\"vni\": 7, \"name\": \"red\",\n"
		"  \"subnets\": [{\"prefix\": \"10.0.0.0/24\"}]}],\n"
		" \"remotes\": null, \"limits\": null,\n"
		" \"host\": {\"name\": \"h\"}}\n";
	struct error e = {};
	struct config *c;

	(void)state;
	if (config_parse("t", json, sizeof(json) - 1, &c, &e))
		fail_msg("refused:\n%s", e.text);
	expect_int("network", c->vports[0].network, 0);
	expect_int("remotes", c->n_remotes, 0);
	config_free(c);
}

static void test_same_addresses_in_two_networks(void **state)
{
	struct config *c = parse_good(&(struct file){
		.networks = "networks:\n"
			    "- {name: red, vni: 1, subnets: [{prefix: 10.0.0.0/24, gateway: 10.0.0.1}]}\n"
			    "- {name: blue, vni: 2, subnets: [{prefix: 10.0.0.0/24, gateway: 10.0.0.1}]}\n",
		.vports = "vports:\n"
			  "- {name: r, network: red, device: a, mac: 02:00:00:00:00:01, addresses: [10.0.0.2]}\n"
			  "- {name: b, network: blue, device: b, mac: 02:00:00:00:00:01, addresses: [10.0.0.2]}\n",
		.remotes = "remotes:\n"
			   "- {network: red, prefix: 10.0.0.3/32, host: 192.0.2.2}\n"
			   "- {network: blue, prefix: 10.0.0.3/32, host: 192.0.2.3}\n",
	});

	(void)state;
	expect_int("vports", c->n_vports, 2);
	config_free(c);
}

/* Prefixes around and inside each other are routes, not mistakes. */
static void test_nested_remotes(void **state)
{
	struct config *c = parse_good(&(struct file){
		.remotes = "remotes:\n"
			   "- {network: red, prefix: 0.0.0.0/0, host: 192.0.2.2}\n"
			   "- {network: red, prefix: 10.0.0.0/24, host: 192.0.2.2}\n"
			   "- {network: red, prefix: 10.0.0.0/25, host: 192.0.2.3}\n"
			   "- {network: red, prefix: 10.0.0.12/32, host: 192.0.2.3}\n",
	});

	(void)state;
	expect_int("remotes", c->n_remotes, 4);
	config_free(c);
}

/* Prefixes that touch, two families, and the small subnets where every address is a host's. */
static void test_good_subnets(void **state)
{
	struct config *c = parse_good(&(struct file){
		.networks = "networks:\n- name: a\n  vni: 1\n  subnets:\n"
			    "  - {prefix: 10.0.0.0/25, gateway: 10.0.0.1}\n"
			    "  - {prefix: 10.0.0.128/25, gateway: 10.0.0.254}\n"
			    "  - {prefix: 10.0.1.0/31, gateway: 10.0.1.0}\n"
			    "  - {prefix: 10.0.1.2/32}\n"
			    "  - {prefix: \"::/0\", gateway: \"fd00::\"}\n",
		.vports = "vports:\n"
			  "- {name: v, network: a, device: d, mac: 02:00:00:00:00:01, addresses: "
			  "[10.0.1.1, 10.0.1.2, 10.0.0.126, 10.0.0.129, \"fd00::ffff\"]}\n",
		.remotes = "",
	});

	(void)state;
	expect_int("subnets", c->networks[0].n_subnets, 5);
	config_free(c);
}

/* Spelling and relations together, sorted by line, whichever was found first. */
static void test_all_mistakes_at_once(void **state)
{
	(void)state;
	expect_report(&(struct file){
		.host = "host:\n  nmae: a\n  underlay: [192.0.2.1]\n  uplinks: [{device: up0}]\n",
		.vports = "vports:\n"
			VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.300, 10.9.0.1]")
			VPORT("a", "red", "up0", "x", "[10.0.0.3]"),
		.rest = "limits: {flows: many}\n",
	},
		"t:1: host.name: is required and missing\n"
		"t:2: host.nmae: unknown field; did you mean \"name\"?\n"
		"t:11: vports[0].addresses: \"10.0.0.300\", but an address such as 192.0.2.1 or "
		"2001:db8::1 is wanted\n"
		"t:11: vports[0].addresses: 10.9.0.1 is in no subnet of network \"red\"\n"
		"t:12: vports[1].mac: \"x\", but a MAC address such as 02:00:00:00:01:01 is wanted\n"
		"t:12: vports[1].name: \"a\" is taken by vports[0], line 11\n"
		"t:12: vports[1].device: \"up0\" is taken by host.uplinks[0], line 4\n"
		"t:15: limits.flows: \"many\", but a whole number from 16 to 16777216 is wanted");
}

/* A field that cannot be read brings no second mistake about what it might have said. */
static void test_no_mistakes_from_mistakes(void **state)
{
	(void)state;
	expect_report(&(struct file){
		.networks = "networks:\n- name: red\n  vni: 0\n  subnets: [{prefix: x, gateway: 10.0.0.1},"
			    " {prefix: 10.0.0.0/24}, {prefix: \"fd00:1::/64\"}]\n- {name: b, vni: 0}\n",
		.remotes = "remotes: [{network: none, prefix: y, host: z}, {network: none, "
			   "prefix: y, host: z}]\n",
	},
		"t:7: networks[0].vni: \"0\", but a whole number from 1 to 16777215 is wanted\n"
		"t:8: networks[0].subnets[0].prefix: \"x\", but a prefix such as 10.0.0.0/24 or "
		"fd00:1::/64, bits after its length zero, is wanted\n"
		"t:9: networks[1].vni: \"0\", but a whole number from 1 to 16777215 is wanted\n"
		"t:17: remotes[0].network: no network is named \"none\"; declare it under networks\n"
		"t:17: remotes[0].prefix: \"y\", but a prefix such as 10.0.0.0/24 or fd00:1::/64, bits "
		"after its length zero, is wanted\n"
		"t:17: remotes[0].host: \"z\", but an address such as 192.0.2.1 or 2001:db8::1 is "
		"wanted\n"
		"t:17: remotes[1].network: no network is named \"none\"; declare it under networks\n"
		"t:17: remotes[1].prefix: \"y\", but a prefix such as 10.0.0.0/24 or fd00:1::/64, bits "
		"after its length zero, is wanted\n"
		"t:17: remotes[1].host: \"z\", but an address such as 192.0.2.1 or 2001:db8::1 is "
		"wanted");
}

static void test_many_mistakes_are_counted(void **state)
{
	struct error e = {};
	char *rest = malloc(20000), *end = rest;

	(void)state;
	assert_non_null(rest);
	end += sprintf(end, "samples:\n");
	for (int i = 0; i < 500; i++)
		end += sprintf(end, "- {network: red, rate: 0}\n");
	assert_null(parse(&(struct file){.rest = rest}, &e));
	expect_part("first", e.text, "t:20: samples[0].rate: \"0\"");
	expect_part("last", e.text, "\nand 488 more");
	assert_true(strlen(e.text) < sizeof(e.text));
	free(rest);
}

/* A long file name leaves no room: the first mistake is cut, the count is there. */
static void test_long_file_name(void **state)
{
	char name[1200];
	struct error e = {};
	struct config *c;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	expect_int("refused", config_parse(name, "{a: 1}", 6, &c, &e), -EINVAL);
	expect_part("counted", e.text, "nnn\nand 1 more");
}

static void test_documents_that_are_none(void **state)
{
	static const char *const cases[][2] = {
		{"", "t:1: the file is empty"},
		{"host", "t:1: top level: a single value, but a map of fields is wanted"},
		{"[]", "t:1: top level: a list, but a map of fields is wanted"},
		{"{}", "t:1: host: is required and missing"},
		{"host: [", "t:2: not YAML: did not find expected node content while parsing a flow node"},
		{"host: *h", "t:1: aliases (*name) are not supported; write the value out"},
	};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct error e = {};

		assert_true(config_parse("t", cases[i][0], strlen(cases[i][0]), &c, &e) < 0);
		expect_text(cases[i][0], e.text, cases[i][1]);
	}
}

static void test_error_may_be_null(void **state)
{
	struct config *c;

	(void)state;
	expect_int("refused", config_parse("t", "{}", 2, &c, NULL), -EINVAL);
	expect_int("not YAML", config_parse("t", "[", 1, &c, NULL), -EBADMSG);
	config_free(NULL);
}

static void test_load(void **state)
{
	struct error e = {};
	struct config *c;

	(void)state;
	expect_int("absent", config_load("/nonexistent/mirach.yaml", &c, &e), -ENOENT);
	expect_part("absent", e.text, "/nonexistent/mirach.yaml: cannot open");
}

static struct config *load_example(const char *path)
{
	struct error e = {};
	struct config *c = NULL;

	if (config_load(path, &c, &e))
		fail_msg("refused (tests run from the top of the tree):\n%s", e.text);
	return c;
}

/* The examples of docs/, which are each other's mirror image. */
static void test_examples(void **state)
{
	struct config *a = load_example("docs/examples/host-a.yaml");
	struct config *b = load_example("docs/examples/host-b.yaml");

	(void)state;
	expect_int("networks", a->n_networks, b->n_networks);
	for (unsigned int i = 0; i < b->n_remotes; i++) {
		const struct config_remote *remote = &b->remotes[i];
		bool found = false;

		for (unsigned int j = 0; j < a->n_vports; j++) {
			const struct config_vport *v = &a->vports[j];

			for (unsigned int k = 0; k < v->n_addrs; k++)
				found |= v->network == remote->network &&
					 ip_addr_equal(&v->addrs[k], &remote->prefix.addr) &&
					 !memcmp(v->mac, remote->mac, sizeof(v->mac));
		}
		if (!found)
			fail_msg("host-b.yaml:%d: host-a.yaml has no such vport", remote->line);
	}
	config_free(a);
	config_free(b);
}

/* A hundred thousand remotes are read and checked in a moment: nothing compares all with all. */
static void test_many_remotes(void **state)
{
	enum { N = 100000 };
	char *remotes = malloc(N * 72), *end = remotes;
	struct config *c;
	struct ip_addr last = addr("10.129.134.159");

	(void)state;
	assert_non_null(remotes);
	end += sprintf(end, "remotes:\n");
	for (int i = 0; i < N; i++)
		end += sprintf(end, "- {network: red, prefix: 10.%d.%d.%d, host: 192.0.2.2}\n",
			       128 + (i >> 16), i >> 8 & 255, i & 255);
	c = parse_good(&(struct file){.remotes = remotes});
	expect_int("remotes", c->n_remotes, N);
	assert_true(ip_addr_equal(&c->remotes[N - 1].prefix.addr, &last));
	config_free(c);
	free(remotes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_what_is_said),
		cmocka_unit_test(test_everything_said),
		cmocka_unit_test(test_tunnel_ports),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_other_spellings),
		cmocka_unit_test(test_same_addresses_in_two_networks),
		cmocka_unit_test(test_nested_remotes),
		cmocka_unit_test(test_good_subnets),
		cmocka_unit_test(test_all_mistakes_at_once),
		cmocka_unit_test(test_no_mistakes_from_mistakes),
		cmocka_unit_test(test_many_mistakes_are_counted),
		cmocka_unit_test(test_long_file_name),
		cmocka_unit_test(test_documents_that_are_none),
		cmocka_unit_test(test_error_may_be_null),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_many_remotes),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
