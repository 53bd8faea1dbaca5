// SPDX-License-Identifier: BSD-2-Clause
/*
 * test_config_checks.c - fields of a configuration that contradict each other
 *
 * Each case replaces a section of the good file and says, word for word, what must
 * be reported, and with which line.
 */
#include <selftests/unit/config_file.h>

static void test_networks(void **state)
{
	static const struct refused cases[] = {
		{{.networks = "networks:\n- {name: a, vni: 0}\n", .vports = "", .remotes = ""},
		 "t:6: networks[0].vni: \"0\", but a whole number from 1 to 16777215 is wanted"},
		{{.networks = "networks:\n- {name: a, vni: 16777216}\n", .vports = "", .remotes = ""},
		 "t:6: networks[0].vni: \"16777216\", but a whole number from 1 to 16777215 is wanted"},
		{{.networks = "networks:\n- {name: a, vni: 1}\n- {name: a, vni: 2}\n", .vports = "",
		  .remotes = ""},
		 "t:7: networks[1].name: \"a\" is taken by networks[0], line 6"},
		{{.networks = "networks:\n- {name: a, vni: 7}\n- {name: b, vni: 7}\n", .vports = "",
		  .remotes = ""},
		 "t:7: networks[1].vni: 7 is taken by networks[0], line 6"},
		{{.networks = "networks:\n- {name: a, vni: 1, gateway_mac: 33:33:00:00:00:01}\n",
		  .vports = "", .remotes = ""},
		 "t:6: networks[0].gateway_mac: \"33:33:00:00:00:01\", but a unicast MAC address, the "
		 "last bit of its first byte zero, is wanted"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

#define SUBNETS(text)                                                                     \
	{.networks = "networks:\n- name: a\n  vni: 1\n  subnets:\n" text, .vports = "", .remotes = ""}

static void test_subnets(void **state)
{
	static const struct refused cases[] = {
		{SUBNETS("  - {prefix: 10.0.0.1/24}\n"),
		 "t:9: networks[0].subnets[0].prefix: \"10.0.0.1/24\", but a prefix such as 10.0.0.0/24 "
		 "or fd00:1::/64, bits after its length zero, is wanted"},
		{SUBNETS("  - {prefix: 224.0.0.0/4}\n"),
		 "t:9: networks[0].subnets[0].prefix: \"224.0.0.0/4\", but a unicast prefix is wanted"},
		{SUBNETS("  - {prefix: 10.0.0.0/24, gateway: 10.0.1.1}\n"),
		 "t:9: networks[0].subnets[0].gateway: 10.0.1.1 is not inside 10.0.0.0/24"},
		{SUBNETS("  - {prefix: 10.0.0.0/24, gateway: \"fd00::1\"}\n"),
		 "t:9: networks[0].subnets[0].gateway: fd00::1 is not inside 10.0.0.0/24"},
		{SUBNETS("  - {prefix: \"::/0\", gateway: 10.0.0.1}\n"),
		 "t:9: networks[0].subnets[0].gateway: 10.0.0.1 is not inside ::/0"},
		{SUBNETS("  - {prefix: 10.0.0.0/24, gateway: 10.0.0.255}\n"),
		 "t:9: networks[0].subnets[0].gateway: 10.0.0.255 is the subnet's broadcast address"},
		{SUBNETS("  - {prefix: 10.0.0.0/24}\n  - {prefix: 10.0.0.0/24}\n"),
		 "t:10: networks[0].subnets[1].prefix: 10.0.0.0/24 overlaps 10.0.0.0/24, line 9"},
		{SUBNETS("  - {prefix: 10.0.0.128/25}\n  - {prefix: 10.0.0.0/8}\n"),
		 "t:9: networks[0].subnets[0].prefix: 10.0.0.128/25 overlaps 10.0.0.0/8, line 10"},
		{SUBNETS("  - {prefix: 10.0.0.0/8}\n  - {prefix: 10.1.0.0/16}\n"
			 "  - {prefix: 10.9.0.0/16}\n  - {prefix: 11.0.0.0/8}\n"),
		 "t:10: networks[0].subnets[1].prefix: 10.1.0.0/16 overlaps 10.0.0.0/8, line 9\n"
		 "t:11: networks[0].subnets[2].prefix: 10.9.0.0/16 overlaps 10.0.0.0/8, line 9"},
		{SUBNETS("  - {prefix: \"fd00::/16\"}\n  - {prefix: \"fd00:1::/32\"}\n"),
		 "t:10: networks[0].subnets[1].prefix: fd00:1::/32 overlaps fd00::/16, line 9"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_taken_twice(void **state)
{
	static const struct refused cases[] = {
		{{.vports = "vports:\n"
			VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.2]")
			VPORT("a", "red", "e", "02:00:00:00:00:02", "[10.0.0.3]")},
		 "t:12: vports[1].name: \"a\" is taken by vports[0], line 11"},
		{{.vports = "vports:\n"
			VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.2]")
			VPORT("b", "red", "d", "02:00:00:00:00:02", "[10.0.0.3]")},
		 "t:12: vports[1].device: \"d\" is taken by vports[0], line 11"},
		{{.vports = "vports:\n"
			VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.2]")
			VPORT("b", "red", "e", "02:00:00:00:00:02", "[10.0.0.2]")},
		 "t:12: vports[1].addresses: 10.0.0.2 is held in network \"red\" by "
		 "vports[0].addresses, line 11"},
		{{.vports = "vports:\n"
			VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.2, 10.0.0.2]")},
		 "t:11: vports[0].addresses: 10.0.0.2 is held in network \"red\" by "
		 "vports[0].addresses, line 11"},
		{{.vports = "vports:\n"
			VPORT("a", "red", "d", "02:00:00:00:00:01", "[10.0.0.1]")},
		 "t:11: vports[0].addresses: 10.0.0.1 is held in network \"red\" by "
		 "networks[0].subnets[0].gateway, line 8"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.5.0.0/16, from: 10.0.0.11, host: 192.0.2.2}\n"},
		 "t:18: remotes[0].prefix: must be a single address with from"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.5.0.0/16, receive_only: true, host: 192.0.2.2}\n"},
		 "t:18: remotes[0].prefix: must be a single address with receive_only"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.5.0.1, receive_only: true, from: 10.0.0.11, "
			     "host: 192.0.2.2}\n"},
		 "t:18: remotes[0]: from and receive_only exclude each other"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.5.0.1, from: 10.0.0.11, host: 192.0.2.2}\n"
			     "- {network: red, prefix: 10.5.0.1, from: 10.0.0.12, host: 192.0.2.2}\n"
			     "- {network: red, prefix: 10.5.0.1, host: 192.0.2.2}\n"
			     "- {network: red, prefix: 10.5.0.1, from: 10.0.0.11, host: 192.0.2.3}\n"},
		 "t:21: remotes[3]: the same pair or permit again, as in line 18"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.0.0.11, host: 192.0.2.2}\n"},
		 "t:18: remotes[0].prefix: 10.0.0.11 is held in network \"red\" by "
		 "vports[0].addresses, line 11"},
		{{.remotes = "remotes:\n- {network: red, prefix: \"fd00:1::1\", host: 192.0.2.2}\n"},
		 "t:18: remotes[0].prefix: fd00:1::1 is held in network \"red\" by "
		 "networks[0].subnets[1].gateway, line 9"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.1.0.0/16, host: 192.0.2.2}\n"
			     "- {network: red, prefix: 10.1.0.0/16, host: 192.0.2.3}\n"},
		 "t:19: remotes[1].prefix: 10.1.0.0/16 is held in network \"red\" by "
		 "remotes[0].prefix, line 18"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_hooks(void **state)
{
	static const struct refused cases[] = {
		{{.vports = "vports:\n- {name: a, network: red, device: d, mac: \"02:00:00:00:00:01\", "
			"addresses: [10.0.0.2], vlan: 7, hook: tcx}\n"},
		 "t:11: vports[0].hook: tcx and vlan exclude each other, tags are held beside the frame "
		 "there; hook: xdp or auto is wanted"},
		{{.vports = "vports:\n- {name: a, network: red, device: d, mac: \"02:00:00:00:00:01\", "
			"addresses: [10.0.0.2], xdp_mode: generic, hook: tcx}\n"},
		 "t:11: vports[0].xdp_mode: has a meaning only with hook: xdp"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_remotes(void **state)
{
	static const struct refused cases[] = {
		{{.remotes = "remotes:\n- {network: red, prefix: 10.0.0.12, host: 192.0.2.1}\n"},
		 "t:18: remotes[0].host: 192.0.2.1 is this host itself; what lives here is a vport"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.0.0.12, host: \"2001:db8::1\"}\n"},
		 "t:18: remotes[0].host: 2001:db8::1 is this host itself; what lives here is a vport"},
		{{.host = "host:\n  name: a\n  underlay: [192.0.2.1]\n  uplinks: [{device: up0}]\n",
		  .remotes = "remotes:\n- {network: red, prefix: 10.0.0.12, host: \"2001:db8::2\"}\n"},
		 "t:18: remotes[0].host: 2001:db8::2 needs an IPv6 address of this host in "
		 "host.underlay"},
		{{.host = "host:\n  name: a\n  underlay: [\"2001:db8::1\"]\n"
			  "  uplinks: [{device: up0}]\n"},
		 "t:18: remotes[0].host: 192.0.2.2 needs an IPv4 address of this host in host.underlay"},
		{{.host = "host:\n  name: a\n  underlay: [192.0.2.1]\n\n"},
		 "t:18: remotes: need a device to leave by; declare it under host.uplinks"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.0.0.12, host: \"fe80::2\"}\n"},
		 "t:18: remotes[0].host: \"fe80::2\" is link-local and cannot be routed to; a global or "
		 "unique local address is wanted"},
		{{.remotes = "remotes:\n- {network: red, prefix: 10.0.0.12, host: 192.0.2.2, "
			     "mac: ff:ff:ff:ff:ff:ff}\n"},
		 "t:18: remotes[0].mac: \"ff:ff:ff:ff:ff:ff\", but a unicast MAC address, the last bit "
		 "of its first byte zero, is wanted"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

static void test_encapsulation_and_samples(void **state)
{
	static const struct refused cases[] = {
		{{.rest = "encapsulation:\n  kind: gre\n  port: 4789\n"},
		 "t:21: encapsulation: GRE has no ports; leave port out"},
		{{.rest = "encapsulation:\n  tos: 184\n"},
		 "t:20: encapsulation: tos has a meaning only with dscp: pipe"},
		{{.rest = "encapsulation: {dscp: pipe, tos: 185}\n"},
		 "t:19: encapsulation: tos 185 sets ECN bits, which follow RFC 6040; the DSCP times 4 "
		 "is wanted, a multiple of 4"},
		{{.rest = "encapsulation: {dscp: pipe, tos: 256}\n"},
		 "t:19: encapsulation.tos: \"256\", but a whole number from 0 to 252 is wanted"},
		{{.rest = "samples: [{network: red, port: 443, rate: 1}]\n"},
		 "t:19: samples[0].port: needs protocol: tcp, udp or sctp beside it"},
		{{.rest = "samples: [{network: red, protocol: icmp, port: 443, rate: 1}]\n"},
		 "t:19: samples[0].port: needs protocol: tcp, udp or sctp beside it"},
	};

	(void)state;
	expect_reports(cases, COUNT(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_taken_twice),
		cmocka_unit_test(test_hooks),
		cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_encapsulation_and_samples),
	};

	return cmocka_run_group_tests_name("config checks", tests, NULL, NULL);
}
