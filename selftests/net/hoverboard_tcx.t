#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# hoverboard_tcx.t - super-packets go through a hoverboard whole
#
#	red-1 (0.11) --- a ====+
#	                       |== core ==== c  hoverboard
#	red-2 (1.12) --- b ====+
#
# All uplinks are on tcx. What the hoverboard takes out of one encapsulation and puts into
# another stays one frame, in every kind of tunnel; where its device carries no
# super-packets the kernel segments behind the new headers, with right sums. A
# way that got narrower behind the hoverboard is told to who sends.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

PAYLOAD=3000000
UPLINK_MORE=', hook: tcx'
hosts a b c
BOARDS=(c)
network red 100
instance red-1 a red 11
instance red-2 b red 1.12
start

# captured FILTER FROM TO ADDRESS: the frames of a transfer that arrive at b.
captured() {
	local watcher
	background core "$TMP/capture" tcpdump -n -i to-b -s 0 -U --immediate-mode -w "$TMP/wire.pcap" "$1"
	watcher=$!
	soon 5 grep -q 'listening on' "$TMP/capture"
	transfer "$2" "$3" "$4" >"$TMP/output" 2>&1 || echo "the transfer failed"
	end "$watcher" INT
}
longest() {
	captured "$@"
	tcpdump -n -e -r "$TMP/wire.pcap" 2>/dev/null | sed -n 's/.* length \([0-9]*\): .*/\1/p' |
		sort -n | tail -n 1
}
# segments on|off: the hoverboard's device carries no super-packets, and the router makes none of what it gets.
segments() {
	local reverse=off
	[[ $1 == on ]] || reverse=on
	on c ethtool -K up0 tx $reverse >/dev/null
	on core ethtool -K to-c gro $reverse >/dev/null
}
# whole on|off: whether the router's ports carry super-packets.
whole() {
	local h
	for h in "${HOSTS[@]}"; do
		on core ethtool -K "to-$h" tx "$1" >/dev/null
	done
}
sums() {
	tshark -r "$TMP/wire.pcap" -o tcp.check_checksum:TRUE -T fields -e tcp.checksum.status 2>/dev/null |
		awk '/^1/ { good++ } /^0/ { bad++ } END { printf "good %d bad %d\n", good, bad }'
}

whole on
is "the hoverboard's uplink is on tcx" "$(ask c .hook vport show up0)" tcx
for shape in '4 vxlan' '6 geneve' '4 gre'; do
	read -r UNDERLAY kind <<<"$shape"
	ENCAP="{kind: $kind}"
	configure
	for h in c a b; do
		ok "$kind over IPv$UNDERLAY: host $h reloads" reload $h
	done
	ok "$kind over IPv$UNDERLAY: red-1 reaches red-2" soon 20 reaches red-1 red-2
	filter="udp and src host $(host_ip c)"
	[[ $kind != gre ]] || filter="ip proto 47 and src host $(host_ip c)"
	number "$kind over IPv$UNDERLAY: the longest frame from the hoverboard, IPv4 inside" \
		"$(longest "$filter" red-1 red-2 "$(ip4 red-2)")" -gt 3000
	number "$kind over IPv$UNDERLAY: the longest frame from the hoverboard, IPv6 inside" \
		"$(longest "$filter" red-1 red-2 "$(ip6 red-2)")" -gt 3000
	segments on
	to=$(ip6 red-2)
	[[ $UNDERLAY == 4 ]] || to=$(ip4 red-2)
	number "$kind over IPv$UNDERLAY, segmented by the hoverboard's kernel: the longest frame to $to" \
		"$(longest "$filter" red-1 red-2 "$to")" -lt 1600
	has "and the inner checksums" "$(sums)" 'good [0-9]{3,} bad 0'
	segments off
done
number "the hoverboard has carried it" "$(used c up0 out)" -gt 100
is "and compiled no flow" "$(used c up0 punted)" 0

# ---- a narrow way behind the hoverboard ------------------------------------

whole off
ENCAP='{kind: vxlan}'
configure
for h in c a b; do reload $h; done
ok "VXLAN again: red-1 reaches red-2" soon 20 reaches red-1 red-2
told() { on "$1" ip route get "$2" | sed -nE 's/.* mtu ([0-9]+).*/\1/p'; }
asks_and_is_told() { # FROM ADDRESS MTU
	on "$1" ping -n -q -c 1 -W 1 -M "do" -s 1400 "$2" >/dev/null 2>&1 || true
	[[ $(told "$1" "$2") == "$3" ]]
}
for hook in tcx xdp; do
	UPLINK_OF=([c]=", hook: $hook")
	configure
	ok "$hook: the hoverboard reloads" reload c
	is "$hook: so it is" "$(ask c .hook vport show up0)" "$hook"
	on c ip route replace "$(host4 b)" via "$(on c ip -j route show default | jq -r '.[0].gateway')" mtu 1400
	for to in "$(ip4 red-2)" "$(ip6 red-2)"; do
		ok "$hook: too big behind the hoverboard: who sends to $to is told" \
			soon 20 asks_and_is_told red-1 "$to" 1350
		ok "$hook: and its TCP goes on with that" transfer red-1 red-2 "$to"
	done
	on c ip route del "$(host4 b)"
	on red-1 ip route flush cache
	on red-1 ip -6 route flush cache
done
number "the hoverboard counts what it has answered" "$(used c up0 replied)" -ge 4
books_close
finish
