#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# malformed.t - frames that lie, from a guest and from the underlay, beside good ones
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#	red-4 (0.14) --+   a tap, as of a virtual machine
#
# Red-1 and the router send frames whose lengths lie, that end before their headers do, that
# are larger than any MTU; then thousands with random bytes changed. Red-4 lies about the segment sizes
# and checksums of its super-packets. A counted stream from red-2
# to red-3 beside them must not notice, the counters must close, and the kernel have
# nothing to say.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

UNDERLAY_MTU=1600
SAMPLES='[{network: red, protocol: udp, port: 9, rate: 1}]'	# fragments are told apart by ports
LIMITS='{miss_rate: 2000}'
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13

# What the kernel says goes into one log for all of the machine: only warnings of its own count.
kernel_warnings() { dmesg 2>/dev/null | grep -cE 'WARNING: |BUG: |Oops|UBSAN|skbuff: ' || true; }
out_of_the_ordinary() { # HOST: reasons for drops
	ask "$1" '[.ports[].drops | to_entries[] | select(.value > 0).key] | unique | join(" ")' drops
}

warnings=$(kernel_warnings)
declare_instance red-4 a red 14
BEHIND_TAP['red-4']=yes
background a "$TMP/tap" "$PYTHON" "$NET/malformed.py" tap red-4 "$TMP/go" "$(mac red-4)" "$(mac red-3)" \
	"$(ip4 red-4)" "$(ip4 red-3)"
soon 10 grep -q ready "$TMP/tap"
on a sysctl -qw net.ipv6.conf.red-4.disable_ipv6=1
on a ip link set dev red-4 up
start
mac_of() { on "$1" ip -j link show dev "$2" | jq -r '.[0].address'; }

for hook in xdp tcx; do
	HOOK=$hook UPLINK_MORE=", hook: $hook"
	configure
	ok "$hook: host a reloads" reload a
	ok "$hook: host b reloads" reload b
	ok "$hook: red-2 reaches red-3" reaches red-2 red-3
	stream beside red-2 red-3 "$(ip4 red-3)" 800

	[[ $hook == xdp ]] || touch "$TMP/go"
	ok "$hook: lies of a guest" on red-1 "$PYTHON" "$NET/malformed.py" guest "$(mac red-1)" \
		"$(mac red-3)" "$(ip4 red-1)" "$(ip4 red-3)" "$(ip6 red-1)" "$(ip6 red-3)"
	diag "$(cat "$TMP/output")"
	ok "$hook: lies of the underlay" on core "$PYTHON" "$NET/malformed.py" fabric to-b \
		"$(mac_of b up0)" "$(host4 a)" "$(host4 b)" "$(mac red-3)" "$(ip4 red-1)" \
		"$(ip4 red-3)" "$(ip6 red-1)" "$(ip6 red-3)"
	diag "$(cat "$TMP/output")"

	[[ $hook == xdp ]] || ok "$hook: lies about super-packets" soon 10 grep sent "$TMP/tap"
	is "$hook: the stream beside them" "$(stream_end beside)" "lost 0 twice 0 late 0"
	for reason in ip_header l4_header ipv6_extensions fragment_tiny fragment_form ethertype vlan_depth; do
		number "$hook: $reason at red-1" "$(dropped a red-1 $reason)" -gt 0
	done
	for reason in ip_header l4_header outer_header tunnel_header unknown_vni; do
		number "$hook: $reason from the fabric" "$(dropped b up0 $reason)" -gt 0
	done
	ok "$hook: red-1 still reaches red-3" soon 10 reaches red-1 red-3
	books_close
done
diag "$(cat "$TMP/tap")"
diag "host a: $(out_of_the_ordinary a)"
diag "host b: $(out_of_the_ordinary b)"
is "the kernel had nothing to warn of" "$(kernel_warnings)" "$warnings"
finish
