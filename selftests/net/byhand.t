#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# byhand.t - the fast path without any agent, loaded and fed by ip and bpftool
#
#	red-1 (0.11) --- a ==== core ==== b --- red-2 (0.12)
#
# Runs the commands of docs/by-hand.md themselves, on both hosts: every ```sh
# block of a section is taken out of the document. Each host has a mount
# namespace with a bpffs of its own, since one machine plays two.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-2 b red 12
for guest in red-1 red-2; do
	on "$guest" ethtool -K eth0 tx off gro on >/dev/null
done

# section TITLE...: the commands under these headings of the document.
section() {
	awk -v titles="$*" '
		/^## / { inside = index(titles, substr($0, 4)) }
		/^```/ { code = /^```sh/; next }
		inside && code' "$ROOT/docs/by-hand.md"
}

declare -A MOUNTS			# host to the process that holds its mount namespace
own_mounts() {
	background "$1" "$TMP/mounts-$1" unshare --mount sh -c \
		'mount -t sysfs sysfs /sys && mount -t bpf bpf /sys/fs/bpf && echo ready && exec sleep 300'
	MOUNTS[$1]=$!
	soon 5 grep -q ready "$TMP/mounts-$1"
}

router_mac() { on core ip -j link show dev "to-$1" | jq -r '.[].address'; }

# by_hand HOST GUEST OTHER-HOST OTHER-GUEST <<COMMANDS: runs them there, with the document's names.
by_hand() {
	{
		echo "PATH=$BUILD:\$PATH"
		echo "object=$BUILD/bpf/mirach_xdp.bpf.o guest_dev=$2 uplink=up0"
		echo "here=$(host4 "$1") there=$(host4 "$3") router_mac=$(router_mac "$1")"
		echo "my_ip=$(ip4 "$2") my_mac=$(mac "$2") their_ip=$(ip4 "$4") their_mac=$(mac "$4")"
		cat
	} | nsenter --target "${MOUNTS[$1]}" --mount --net -- bash -eu
}
on_a() { by_hand a red-1 b red-2; }
on_b() { by_hand b red-2 a red-1; }

# look MAP SLOT JQ-FILTER: a per-CPU entry on host a; the filter sees the copies of all CPUs.
look() {
	on_a <<<"bpftool --json map lookup pinned /sys/fs/bpf/xdp/globals/$1 key hex 0$2 00 00 00" |
		jq "[.formatted.values[].value] | $3"
}

for h in a b; do
	own_mounts $h
	ok "host $h: ip and bpftool load both programs" on_$h < <(section Load)
	ok "host $h: ports and neighbours" on_$h < <(echo 'pins=/sys/fs/bpf/xdp/globals'; section Ports)
	ok "host $h: next hops, flows, and a look at the counters" \
		on_$h < <(echo 'pins=/sys/fs/bpf/xdp/globals'; section Ports | grep '()'; section 'Next hops and flows')
done
has "host a: egress runs in native mode" "$(on a ip link show dev red-1)" 'xdp '
has "host a: ingress too" "$(on a ip link show dev up0)" 'xdp '

ok "red-1 pings red-2" pings red-1 "$(ip4 red-2)"
ok "red-2 pings red-1" pings red-2 "$(ip4 red-1)"
ok "TCP from red-1 to red-2" transfer red-1 red-2 "$(ip4 red-2)"
ok "TCP from red-2 to red-1" transfer red-2 red-1 "$(ip4 red-1)"
before=$(look drops 1 'map(.count[41]) | add')
on red-1 ip neigh replace "$(ip6 red-2)" dev eth0 lladdr "$(mac red-2)"
ok "no flow, no way: IPv6 does not pass" no_ping red-1 "$(ip6 red-2)"
is "both packets are dropped as no_hub (41)" \
	$(($(look drops 1 'map(.count[41]) | add') - before)) 2

for slot in 1 2; do
	number "slot $slot: frames came in" "$(look usage $slot 'map(.in) | add')" -gt 20
	is "slot $slot: the counters close" "$(look usage $slot 'map(.in - .out - .replied - .passed) | add')" \
		"$(look drops $slot 'map(.count | add) | add')"
done

for h in a b; do
	ok "host $h: takes it away" on_$h < <(echo 'pins=/sys/fs/bpf/xdp/globals'; section 'Take it away')
done
ok "and nobody is reached any more" no_ping red-1 "$(ip4 red-2)"
is "nothing is left on host a's devices" "$(on a ip -j link show | jq '[.[] | select(.xdp.prog)] | length')" 0
finish
