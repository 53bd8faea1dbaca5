#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ecmp.t - two uplinks with equal-cost next hops
#
#	            up0 ==== core ===== up0
#	red-1 --- a                        b --- red-3
#	            up1 ==== second === up1
#
# Each host has its tunnel endpoint on lo, and to the other's a route with two next
# hops, as a routing daemon would install it. Connections share the two ways; when
# one router dies, those that used it go on by the other, and the rest stay where they are.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

declare -A SECOND=([a]=10.1.1 [b]=10.1.2) END=([a]=1 [b]=2)
hosts a b
namespace second
on second sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
host4() { echo "10.9.0.${END[$1]}"; }
host6() { echo "2001:db8:9::${END[$1]}"; }

# The second uplink of a host, its endpoint, and the routers' way to that.
second_uplink() { # HOST
	local net6="2001:db8:1:${END[$1]}"
	on "$1" ip link add up1 mtu 1700 type veth peer name "to-$1" mtu 1700 netns "${PREFIX}second"
	on second ethtool -K "to-$1" gro on tx off >/dev/null
	on second ip addr add "${SECOND[$1]}.1/24" dev "to-$1"
	on second ip addr add "$net6::1/64" dev "to-$1" nodad
	on second ip link set dev "to-$1" up
	on "$1" ip addr add "${SECOND[$1]}.2/24" dev up1
	on "$1" ip addr add "$net6::2/64" dev up1 nodad
	on "$1" ip link set dev up1 up
	on "$1" ip addr add "$(host4 "$1")/32" dev lo
	on "$1" ip addr add "$(host6 "$1")/128" dev lo
	on core ip route add "$(host4 "$1")" via "${SUBNET4[$1]}.2"
	on core ip route add "$(host6 "$1")" via "2001:db8:$1::2"
	on second ip route add "$(host4 "$1")" via "${SECOND[$1]}.2"
	on second ip route add "$(host6 "$1")" via "$net6::2"
}

routes() { # HOST OTHER
	on "$1" ip route replace "$(host4 "$2")" nexthop via "${SUBNET4[$1]}.1" nexthop via "${SECOND[$1]}.1"
	on "$1" ip -6 route del "$(host6 "$2")" 2>/dev/null || true
	on "$1" ip -6 route add "$(host6 "$2")" nexthop via "2001:db8:$1::1" \
		nexthop via "2001:db8:1:${END[$1]}::1"
}

network red 100
instance red-1 a red 11
instance red-3 b red 13
for h in a b; do second_uplink $h; done
routes a b
routes b a
UPLINK_MORE='}
    - {device: up1'
start

ways_up() { # HOST N
	[[ $(ask "$1" '[.nexthops[] | select(.way_of and .state == "ready" and .kind == "tunnel")] | length' nexthop list) == "$2" ]]
}
left_by() { used a "$1" delivered; }

# Which uplinks take the datagrams of many sockets: "A B", of 200.
spread() { # FAMILY
	local before0 before1
	before0=$(left_by up0) before1=$(left_by up1)
	on red-1 "$PYTHON" - "$("ip$1" red-3)" <<-'EOF'
	import socket, sys
	for _ in range(200):
	    family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
	    with socket.socket(family, socket.SOCK_DGRAM) as s:
	        s.sendto(b"x", (sys.argv[1], 9))
	EOF
	echo "$(($(left_by up0) - before0)) $(($(left_by up1) - before1))"
}

shared() { # WHAT FAMILY
	local n0 n1
	read -r n0 n1 < <(spread "$2")
	number "$1: up0 takes its share" "$n0" -ge 50
	number "$1: up1 takes its share" "$n1" -ge 50
}

for UNDERLAY in 4 6; do
	configure
	ok "endpoints of IPv$UNDERLAY: reloads" eval 'reload a && reload b'
	ok "two ways" soon 10 ways_up a 2
	soon 10 ways_up b 2
	ok "red-1 reaches red-3" reaches red-1 red-3
	shared "over IPv$UNDERLAY" 4
	shared "over IPv$UNDERLAY, IPv6 inside" 6
	has "trace says which way a connection goes" \
		"$(ctl a trace --from red-1 --src "$(ip4 red-1)" --dst "$(ip4 red-3)" --proto udp --sport 7 --dport 9)" \
		"forward.* by up[01]"
	ok "TCP, IPv4" transfer red-1 red-3 "$(ip4 red-3)"
	ok "TCP, IPv6" transfer red-3 red-1 "$(ip6 red-1)"
done
UNDERLAY=4
configure
ok "endpoints of IPv4: reloads" eval 'reload a && reload b'
soon 10 ways_up a 2
soon 10 ways_up b 2

# A restart with two ways loses nothing.
stream calm red-1 red-3 "$(ip4 red-3)" 500
stream_moves calm 200
agent_stop a
agent_start a
ok "after a restart: two ways" soon 10 ways_up a 2
is "a restart loses no packet" "$(stream_end calm)" "lost 0 twice 0 late 0"

# The router that a stream goes by dies, under it.
stream hit red-1 red-3 "$(ip4 red-3)" 500
stream_moves hit 300
before=$(left_by up0)
stream_moves hit 200
router=core
(($(left_by up0) - before > 50)) || router=second
for h in a b; do on $router ip link set dev to-$h down; done
ok "$router dies: one way is left" soon 10 ways_up a 1
soon 10 ways_up b 1
ok "the stream goes on by the other" stream_moves hit 200
read -r n0 n1 < <(spread 4)
is "all else, too" "$([[ $router == core ]] && echo "$n0" || echo "$n1")" 0
has "the next hop counts its ways" "$(ask a '.nexthops[] | select(.kind == "spread") | .ways' nexthop list)" '^1$'

# And comes back.
for h in a b; do
	on $router ip link set dev to-$h up
	if [[ $router == core ]]; then
		on core ip -6 addr replace "2001:db8:$h::1/64" dev to-$h nodad
		on core ip route replace "$(host6 $h)" via "2001:db8:$h::2"
		on core ip route replace "$(host4 $h)" via "${SUBNET4[$h]}.2"
	else
		on second ip -6 addr replace "2001:db8:1:${END[$h]}::1/64" dev to-$h nodad
		on second ip route replace "$(host6 $h)" via "2001:db8:1:${END[$h]}::2"
		on second ip route replace "$(host4 $h)" via "${SECOND[$h]}.2"
	fi
done
routes a b
routes b a
ok "it is back: two ways" soon 30 ways_up a 2
soon 30 ways_up b 2
shared "again" 4
stream_stop hit
read -r _ _ _ lost _ twice _ < <(stream_result hit)
is "nothing came twice" "$twice" 0
number "of 500 packets a second little was lost" "$lost" -lt 1500
is "no flow was touched" "$(ask a '.flows.deleted + .flows.evicted' status)" 0

# One next hop is taken from the route, as when a daemon withdraws it.
on a ip route replace "$(host4 b)" via "${SECOND[a]}.1"
ok "a route with one next hop: one way" soon 10 ways_up a 1
read -r n0 n1 < <(spread 4)
is "all go by it" "$n0" 0
ok "red-1 reaches red-3" reaches red-1 red-3
books_close
finish
