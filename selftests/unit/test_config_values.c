// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_config_values.c - fields of a configuration that cannot be read
 *
 * Each case replaces a section of the good file and says, word for word, what must
 * be reported. The words are part of the test because they are what a person gets.
 */
#include <stdio.h>
#include <stdlib.h>

#include <selftests/unit/config_file.h>

static void test_unknown_fields(void **state)
{
	static const struct refused cases[] = {
		{{.rest = "vport: []\n"}, "t:19: vport: unknown field; did you mean \"vports\"?"},
		{{.rest = "x: 1\n"}, "t:19: x: unknown field; known here are host, encapsulation, "
		  "agent, limits, networks, vports, remotes, "
		  "routes, endpoints, samples"},
		{{.rest = "limits: {folws: 1000}\n"},
		 "t:19: limits.folws: unknown field; did you mean \"flows\"?"},
		{{.rest = "limits:\n  flows: 1000\n  Flow_idle: 1s\n"},
		 "t:21: limits.Flow_idle: unknown field; did you mean \"flow_idle\"?"},
		{{.remotes = "remotes: [{network: red, prefix: 10.0.0.12/32, hsot: 192.0.2.2}]\n"},
		 "t:17: remotes[0].host: is required and missing\n"
		 "t:17: remotes[0].hsot: unknown field; did you mean \"host\"?"},
		{{.rest = "\"a\\nb\": 1\n"}, "t:19: a?b: unknown field; known here are host, "
		  "encapsulation, agent, limits, networks, vports, remotes, "
		  "routes, endpoints, samples"},
		{{.rest = "<<: {a: 1}\n"}, "t:19: <<: unknown field; known here are host, "
		  "encapsulation, agent, limits, networks, vports, remotes, "
		  "routes, endpoints, samples"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_missing_fields(void **state)
{
	static const struct refused cases[] = {
		{{.host = "\n\n\n\n", .remotes = ""}, "t:5: host: is required and missing"},
		{{.host = "host: {}\n\n\n\n", .remotes = ""},
		 "t:1: host.name: is required and missing"},
		{{.networks = "networks: [{}]\n", .vports = "", .remotes = ""},
		 "t:5: networks[0].name: is required and missing\n"
		 "t:5: networks[0].vni: is required and missing"},
		{{.networks = "networks: [{name: a, vni: 1, subnets: [{}]}]\n", .vports = "",
		  .remotes = ""}, "t:5: networks[0].subnets[0].prefix: is required and missing"},
		{{.vports = "vports: [{}]\n"},
		 "t:10: vports[0].name: is required and missing\n"
		 "t:10: vports[0].network: is required and missing\n"
		 "t:10: vports[0].device: is required and missing\n"
		 "t:10: vports[0].mac: is required and missing\n"
		 "t:10: vports[0].addresses: is required and missing"},
		{{.remotes = "remotes: [{}]\n"},
		 "t:17: remotes[0].network: is required and missing\n"
		 "t:17: remotes[0].prefix: is required and missing\n"
		 "t:17: remotes[0].host: is required and missing"},
		{{.rest = "samples: [{}]\n"},
		 "t:19: samples[0].network: is required and missing\n"
		 "t:19: samples[0].rate: is required and missing"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_wrong_kinds(void **state)
{
	static const struct refused cases[] = {
		{{.host = "host: x\n\n\n\n", .remotes = ""},
		 "t:1: host: a single value, but a map of fields is wanted"},
		{{.host = "host:\n\n\n\n", .remotes = ""},
		 "t:1: host: nothing, but a map of fields is wanted"},
		{{.rest = "limits: []\n"}, "t:19: limits: a list, but a map of fields is wanted"},
		{{.rest = "limits: {flows: []}\n"},
		 "t:19: limits.flows: a list, but a whole number is wanted"},
		{{.rest = "limits: {flows: }\n"},
		 "t:19: limits.flows: has no value; give a whole number, or leave the field out"},
		{{.rest = "limits: {flow_idle: {}}\n"},
		 "t:19: limits.flow_idle: a map, but a duration such as 60s is wanted"},
		{{.rest = "agent: {socket: ~}\n"},
		 "t:19: agent.socket: has no value; give an absolute path, or leave the field out"},
		{{.rest = "samples: {}\n"}, "t:19: samples: a map, but a list of maps is wanted"},
		{{.rest = "samples: [x]\n"},
		 "t:19: samples[0]: a single value, but a map of fields is wanted"},
		{{.remotes = "remotes: 5\n"},
		 "t:17: remotes: a single value, but a list of maps is wanted"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

#define NUMBER(field, value, shown, range)                                                \
	{{.rest = field value "}\n"}, "t:19: " shown ", but a whole number from " range " is wanted"}

static void test_numbers(void **state)
{
	static const struct refused cases[] = {
		NUMBER("limits: {flows: ", "15", "limits.flows: \"15\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "16777217", "limits.flows: \"16777217\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "-1", "limits.flows: \"-1\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "+100", "limits.flows: \"+100\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "0100", "limits.flows: \"0100\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "0x100", "limits.flows: \"0x100\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "1e3", "limits.flows: \"1e3\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "100.0", "limits.flows: \"100.0\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "1_000", "limits.flows: \"1_000\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "true", "limits.flows: \"true\"", "16 to 16777216"),
		NUMBER("limits: {flows: ", "4294967312", "limits.flows: \"4294967312\"",
		       "16 to 16777216"),
		NUMBER("limits: {flows: ", "18446744073709551632",
		       "limits.flows: \"18446744073709551632\"", "16 to 16777216"),
		NUMBER("limits: {miss_rate: ", "0", "limits.miss_rate: \"0\"", "1 to 10000000"),
		NUMBER("limits: {miss_burst: ", "1000001", "limits.miss_burst: \"1000001\"",
		       "1 to 1000000"),
		NUMBER("limits: {fabric_miss_rate: ", "10000001",
		       "limits.fabric_miss_rate: \"10000001\"", "1 to 10000000"),
		NUMBER("encapsulation: {port: ", "65536", "encapsulation.port: \"65536\"",
		       "1 to 65535"),
		NUMBER("encapsulation: {port: ", "0", "encapsulation.port: \"0\"", "1 to 65535"),
		{{.rest = "limits: {flows: \"1000\"}\n"}, "t:19: limits.flows: \"1000\", but a whole "
		 "number from 16 to 16777216 without quotes is wanted"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_bad_durations(void **state)
{
	static const char *const values[] = {
		"60", "0s", "99ms", "25h", "1d", "1.5s", "-1s", "s", "60 s", "60S", "1m30s", "060s",
		"4294967296ms", "99999999999999999999s", "never",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(values); i++) {
		char rest[80], report[200];

		snprintf(rest, sizeof(rest), "limits: {flow_idle: %s}\n", values[i]);
		snprintf(report, sizeof(report), "t:19: limits.flow_idle: \"%s\", but a duration "
			 "from 100ms to 86400s is wanted, such as 60s, 500ms or 5m", values[i]);
		expect_report(&(struct file){.rest = rest}, report);
	}
}

static void test_words(void **state)
{
	static const struct refused cases[] = {
		{{.rest = "agent: {busy_poll: yes}\n"},
		 "t:19: agent.busy_poll: \"yes\", but true or false without quotes is wanted"},
		{{.rest = "agent: {busy_poll: \"true\"}\n"},
		 "t:19: agent.busy_poll: \"true\", but true or false without quotes is wanted"},
		{{.rest = "agent: {busy_poll: 1}\n"},
		 "t:19: agent.busy_poll: \"1\", but true or false without quotes is wanted"},
		{{.rest = "encapsulation: {kind: VXLAN}\n"},
		 "t:19: encapsulation.kind: \"VXLAN\", but vxlan, geneve or gre is wanted"},
		{{.rest = "encapsulation: {dscp: copy}\n"},
		 "t:19: encapsulation.dscp: \"copy\", but uniform or pipe is wanted"},
		{{.rest = "samples: [{network: red, protocol: TCP, rate: 1}]\n"},
		 "t:19: samples[0].protocol: \"TCP\", but any, tcp, udp, sctp, icmp or icmpv6 is "
		 "wanted"},
		{{.rest = "samples: [{network: red, protocol: 256, rate: 1}]\n"},
		 "t:19: samples[0].protocol: \"256\", but a whole number from 0 to 255 is wanted"},
		{{.rest = "samples: [{network: red, rate: 0}]\n"},
		 "t:19: samples[0].rate: \"0\", but a whole number from 1 to 4294967295 is wanted"},
		{{.rest = "agent: {bpffs: sys/fs/bpf}\n"},
		 "t:19: agent.bpffs: \"sys/fs/bpf\", but an absolute path of at most 255 bytes is "
		 "wanted"},
		{{.rest = "agent: {socket: \"/a\\nb\"}\n"},
		 "t:19: agent.socket: \"/a?b\", but an absolute path of at most 107 bytes is wanted"},
		{{.rest = "agent: {socket_group: \"\"}\n"},
		 "t:19: agent.socket_group: \"\", but 1 to 31 printable characters without blanks are "
		 "wanted"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_socket_path_length(void **state)
{
	char rest[200];
	struct config *c;
	int n = snprintf(rest, sizeof(rest), "agent: {socket: /");

	(void)state;
	memset(rest + n, 's', 106);
	strcpy(rest + n + 106, "}\n");
	c = parse_good(&(struct file){.rest = rest});
	expect_int("longest", strlen(c->socket), 107);
	config_free(c);
	strcpy(rest + n + 106, "s}\n");
	expect_report(&(struct file){.rest = rest},
		      "t:19: agent.socket: \"/ssssssssssssssssssssssssssssssssssssssssssssssssssssss"
		      "\"..., but an absolute path of at most 107 bytes is wanted");
}

/* One vport with the field under test in line 16. */
static void expect_vport_report(const char *field, const char *report)
{
	struct error e = {};
	char *vports;
	struct config *c;

	if (asprintf(&vports, "vports:\n  - name: web-1\n    network: red\n    device: d\n"
		     "    mac: 02:00:00:00:01:01\n    addresses: [10.0.0.11]\n    %s\n", field) < 0)
		fail_msg("no memory");
	c = parse(&(struct file){.vports = vports}, &e);
	free(vports);
	if (c) {
		config_free(c);
		fail_msg("%s: taken, expected \"%s\"", field, report);
	}
	expect_text(field, e.text, report);
}

static void test_vport_fields(void **state)
{
	static const char *const cases[][2] = {
		{"vlan: 4095", "t:16: vports[0].vlan: \"4095\", but a whole number from 0 to 4094 is "
		 "wanted"},
		{"vlan: [0]", "t:16: vports[0].vlan: \"0\", but a whole number from 1 to 4094 is "
		 "wanted"},
		{"vlan: []", "t:16: vports[0].vlan: 0 tags, but 0, one VID or [outer, inner] is "
		 "wanted"},
		{"vlan: [1, 2, 3]", "t:16: vports[0].vlan: 3 tags, but 0, one VID or [outer, inner] "
		 "is wanted"},
		{"vlan: [1, x]", "t:16: vports[0].vlan: \"x\", but a whole number from 1 to 4094 is "
		 "wanted"},
		{"hook: tc", "t:16: vports[0].hook: \"tc\", but auto, xdp or tcx is wanted"},
		{"xdp_mode: offload", "t:16: vports[0].xdp_mode: \"offload\", but native or generic is "
		 "wanted"},
		{"miss_rate: 0", "t:16: vports[0].miss_rate: \"0\", but a whole number from 1 to "
		 "10000000 is wanted"},
		{"netns: a/b", "t:16: vports[0].netns: \"a/b\", but a name under /run/netns or an "
		 "absolute path is wanted"},
		{"netns: ..", "t:16: vports[0].netns: \"..\", but a name under /run/netns or an "
		 "absolute path is wanted"},
		{"guest_device: a/b", "t:16: vports[0].guest_device: \"a/b\", but the name of an "
		 "interface, 1 to 15 characters without '/', ':' and blanks, is wanted"},
		{"name: twice", "t:16: key \"name\" is given twice, first in line 11"},
		{"adress: x", "t:16: vports[0].adress: unknown field; known here are name, network, "
		 "device, netns, guest_device, mac, addresses, vlan, mss_clamp, hook, xdp_mode, "
		 "miss_rate, miss_burst"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		expect_vport_report(cases[i][0], cases[i][1]);
}

static void test_vport_values(void **state)
{
	static const struct refused cases[] = {
		{{.vports = "vports:\n" VPORT("Web", "red", "d", "02:00:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].name: \"Web\", but a name of 1 to 47 characters a-z, 0-9, '-', '_', "
		 "'.', first and last a letter or digit, is wanted"},
		{{.vports = "vports:\n" VPORT("a-", "red", "d", "02:00:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].name: \"a-\", but a name of 1 to 47 characters a-z, 0-9, '-', '_', "
		 "'.', first and last a letter or digit, is wanted"},
		{{.vports = "vports:\n" VPORT("abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl", "red", "d",
					      "02:00:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].name: \"abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl\", but a name of 1 to 47 "
		 "characters a-z, 0-9, '-', '_', '.', first and last a letter or digit, is wanted"},
		{{.vports = "vports:\n" VPORT("a", "rde", "d", "02:00:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].network: no network is named \"rde\"; did you mean \"red\"?"},
		{{.vports = "vports:\n" VPORT("a", "green", "d", "02:00:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].network: no network is named \"green\"; declare it under networks"},
		{{.vports = "vports:\n" VPORT("a", "red", "sixteen-letters-", "02:00:00:00:00:01",
					      "[10.0.0.2]")},
		 "t:11: vports[0].device: \"sixteen-letters-\", but the name of an interface, 1 to 15 "
		 "characters without '/', ':' and blanks, is wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "01:00:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].mac: \"01:00:00:00:00:01\", but a unicast MAC address, the last bit "
		 "of its first byte zero, is wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "\"00:00:00:00:00:00\"",
					      "[10.0.0.2]")},
		 "t:11: vports[0].mac: \"00:00:00:00:00:00\", but a MAC address that is not zero is "
		 "wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].mac: \"02:00:00:00:01\", but a MAC address such as "
		 "02:00:00:00:01:01 is wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:5e:00:00:01", "[10.0.0.2]")},
		 "t:11: vports[0].mac: is the gateway_mac of network \"red\"; a guest needs its own"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "[]")},
		 "t:11: vports[0].addresses: is empty; a vport needs at least one address"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "10.0.0.2")},
		 "t:11: vports[0].addresses: a single value, but a list such as [10.0.0.11, "
		 "\"fd00:1::11\"] is wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.2/24]")},
		 "t:11: vports[0].addresses: \"10.0.0.2/24\", but an address such as 192.0.2.1 or "
		 "2001:db8::1 is wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "[224.0.0.1]")},
		 "t:11: vports[0].addresses: \"224.0.0.1\", but a unicast address, not multicast, "
		 "loopback or unspecified, is wanted"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.1.2]")},
		 "t:11: vports[0].addresses: 10.0.1.2 is in no subnet of network \"red\""},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.255]")},
		 "t:11: vports[0].addresses: 10.0.0.255 is the subnet's broadcast address"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.0]")},
		 "t:11: vports[0].addresses: 10.0.0.0 is the address of the subnet itself"},
		{{.vports = "vports:\n" VPORT("a", "red", "d", "02:00:00:00:00:01",
			"[10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7, 10.0.0.8, "
			"10.0.0.9, 10.0.0.10, 10.0.0.11, 10.0.0.13, 10.0.0.14, 10.0.0.15, 10.0.0.16, "
			"10.0.0.17, 10.0.0.18, 10.0.0.19]")},
		 "t:11: vports[0].addresses: 17 entries; at most 16 are possible"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_host_values(void **state)
{
	static const struct refused cases[] = {
		{{.host = "host: {name: \"a b\"}\n\n\n\n", .remotes = ""},
		 "t:1: host.name: \"a b\", but 1 to 63 printable characters without blanks are wanted"},
		{{.host = "host: {name: a, underlay: 192.0.2.1}\n\n\n\n", .remotes = ""},
		 "t:1: host.underlay: a single value, but a list such as [192.0.2.1, "
		 "\"2001:db8::1\"] is wanted"},
		{{.host = "host: {name: a, underlay: [192.0.2.1, 192.0.2.2]}\n\n\n\n", .remotes = ""},
		 "t:1: host.underlay: a second IPv4 address; one per family is possible"},
		{{.host = "host: {name: a, underlay: [\"fe80::1\"]}\n\n\n\n", .remotes = ""},
		 "t:1: host.underlay: \"fe80::1\" is link-local and cannot be routed to; a global or "
		 "unique local address is wanted"},
		{{.host = "host: {name: a, underlay: [127.0.0.1]}\n\n\n\n", .remotes = ""},
		 "t:1: host.underlay: \"127.0.0.1\", but a unicast address, not multicast, loopback or "
		 "unspecified, is wanted"},
		{{.host = "host: {name: a, uplinks: [{device: a}, {device: b}, {device: c}, {device: d}, "
		  "{device: e}]}\n\n\n\n", .remotes = ""},
		 "t:1: host.uplinks: 5 entries; at most 4 are possible"},
		{{.host = "host: {name: a, uplinks: [{vlan: 1}]}\n\n\n\n", .remotes = ""},
		 "t:1: host.uplinks[0].device: is required and missing"},
		{{.host = "host: {name: a, uplinks: [{device: u}, {device: u}]}\n\n\n\n",
		  .remotes = ""},
		 "t:1: host.uplinks[1].device: \"u\" is taken by host.uplinks[0], line 1"},
		{{.host = "host:\n  name: a\n  uplinks:\n  - {device: veth-web1}\n", .remotes = ""},
		 "t:11: vports[0].device: \"veth-web1\" is taken by host.uplinks[0], line 4"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_fields),
		cmocka_unit_test(test_missing_fields),
		cmocka_unit_test(test_wrong_kinds),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bad_durations),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_socket_path_length),
		cmocka_unit_test(test_vport_fields),
		cmocka_unit_test(test_vport_values),
		cmocka_unit_test(test_host_values),
	};

	return cmocka_run_group_tests_name("config values", tests, NULL, NULL);
}
