#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vlan_uplink.t - an underlay that is a VLAN of the uplink
#
#	red-1 (0.11) --- a ==== VLAN 100 ==== b --- red-3 (0.13)
#	                 up0                  up0
#
# Two hosts back to back on one wire, `vlan: 100` on both. Tags are in the frames on
# XDP and beside them on tcx; both hooks talk to each other. The wire is as one is: no
# tag travels beside a frame but between two ports on tcx. No VLAN device is needed: the way
# to the other host is a neighbour entry, as a host without an address in the VLAN would have it.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

PAYLOAD=3000000
hosts a b
# The two uplinks become the ends of one wire.
for h in a b; do on $h ip link del up0; done
on a ip link add up0 mtu 1700 address 02:aa:00:00:00:01 type veth \
	peer name up0 mtu 1700 address 02:aa:00:00:00:02 netns "${PREFIX}b"
for h in a b; do
	on $h ip link set up0 up
	on $h ip addr add "$(host4 $h)/32" dev lo
	on $h ip addr add "$(host6 $h)/128" dev lo
done
neighbour() { # HOST OTHER MAC
	on "$1" ip route add "$(host4 "$2")" dev up0
	on "$1" ip route add "$(host6 "$2")" dev up0
	on "$1" ip neigh add "$(host4 "$2")" dev up0 lladdr "$3" nud permanent
	on "$1" ip neigh add "$(host6 "$2")" dev up0 lladdr "$3" nud permanent
}
neighbour a b 02:aa:00:00:00:02
neighbour b a 02:aa:00:00:00:01
network red 100
instance red-1 a red 11
instance red-3 b red 13

hooks() { # A B: of the uplinks
	UPLINK_MORE=", vlan: 100, hook: $1"
	config a >"$TMP/a.yaml"
	UPLINK_MORE=", vlan: ${OTHER_VLAN:-100}, hook: $2"
	config b >"$TMP/b.yaml"
}
# What travels beside frames only a port on tcx understands, so a wire to XDP has it in them.
wire() { # A B
	local in_frames_a=on in_frames_b=on
	[[ $2 == tcx ]] || in_frames_a=off
	[[ $1 == tcx ]] || in_frames_b=off
	on a ethtool -K up0 txvlan $in_frames_a gro on >/dev/null
	on b ethtool -K up0 txvlan $in_frames_b gro on >/dev/null
}

hooks xdp xdp
wire xdp xdp
for h in a b; do agent_launch $h; done
for h in a b; do soon 20 agent_ready $h; done

for pair in 'xdp xdp' 'xdp tcx' 'tcx xdp' 'tcx tcx'; do
	read -r at_a at_b <<<"$pair"
	for UNDERLAY in 4 6; do
		what="a $at_a, b $at_b, IPv$UNDERLAY"
		hooks "$at_a" "$at_b"
		wire "$at_a" "$at_b"
		ok "$what: reloads" eval 'reload a && reload b'
		ok "$what: red-1 reaches red-3" reaches red-1 red-3
		ok "$what: TCP to red-3" transfer red-1 red-3 "$(ip4 red-3)"
		ok "$what: TCP to red-1" transfer red-3 red-1 "$(ip6 red-1)"
	done
done
for ENCAP in '{kind: geneve}' '{kind: gre}'; do
	hooks tcx tcx
	ok "$ENCAP: reloads" eval 'reload a && reload b'
	ok "$ENCAP: red-1 reaches red-3" reaches red-1 red-3
	ok "$ENCAP: TCP" transfer red-1 red-3 "$(ip4 red-3)"
done
ENCAP='{kind: vxlan}'

# On the wire: every frame is tagged, super-packets between tcx ports are whole, guests see no tag.
UNDERLAY=4
hooks tcx tcx
ok "VXLAN again" eval 'reload a && reload b'
capture b -e -i up0 -s 64 udp
capture_wire=$CAPTURE
transfer red-1 red-3 "$(ip4 red-3)" >/dev/null
CAPTURE=$capture_wire end_capture
has "frames are tagged" "$(cat "$TMP/seen")" 'vlan 100, .* 192\.0\.2\.2\.[0-9]+ > 198\.51\.100\.2\.4789'
is "all of them" "$(grep -c '4789' "$TMP/seen")" "$(grep -c 'vlan 100,.*4789' "$TMP/seen")"
number "the longest is a super-packet" \
	"$(sed -n 's/.* length \([0-9]*\): vlan.*/\1/p' "$TMP/seen" | sort -n | tail -1)" -gt 9000
capture red-3 -e -i eth0 -c 1 vlan
on red-1 ping -n -q -c 2 -i 0.1 "$(ip4 red-3)" >/dev/null
end "$CAPTURE" INT
is "the guest sees no tag" "$(grep 'vlan 100' "$TMP/seen" || true)" ""

# Another VLAN is not ours, by either hook.
for at_b in tcx xdp; do
	OTHER_VLAN=101 hooks tcx $at_b
	wire tcx $at_b
	ok "b in VLAN 101, $at_b: reloads" eval 'reload a && reload b'
	before=$(used b up0 passed)
	ok "b in VLAN 101, $at_b: nothing arrives" no_ping red-1 "$(ip4 red-3)"
	number "it passes to the host's own stack" "$(($(used b up0 passed) - before))" -ge 2
done
books_close
finish
