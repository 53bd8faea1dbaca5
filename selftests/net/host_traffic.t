#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# host_traffic.t - the host itself goes on: nobody loses ssh
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
#	                 |        |
#	   192.0.2.2, 192.0.2.3   c  a host that has nothing to do with Mirach
#
# Host a's uplink carries Mirach's program. TCP to its own address, ping, and UDP
# to the tunnel port of an address that is no tunnel endpoint are the host's.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
host c
network red 100
instance red-1 a red 11
instance red-3 b red 13
on a ip addr add 192.0.2.3/24 dev up0
stream before c a "$(host4 a)" 500
start
ok "traffic to the host goes on while the agent starts" soon 10 grep -q 'so far 3' "$TMP/before.recv"
ok "red-1 reaches red-3" reaches red-1 red-3

for family in 4 6; do
	address=$("host$family" a)
	ok "IPv$family: ping from elsewhere" pings c "$address"
	ok "IPv$family: ping to elsewhere" pings a "$("host$family" c)"
	ok "IPv$family: TCP from elsewhere" transfer c a "$address" 22
	ok "IPv$family: TCP to elsewhere" transfer a c "$("host$family" c)" 22
	ok "IPv$family: TCP from a host of the fabric" transfer b a "$address" 22
done

# udp_arrives ADDRESS: lines sent to the tunnel port come out of the host's own socket.
udp_arrives() {
	background a "$TMP/udp" socat -u "UDP4-RECV:4789,bind=$1" "CREATE:$TMP/line"
	local pid=$!
	soon 5 listening a --udp 4789
	echo "not a tunnel" | on c socat -u - "UDP4:$1:4789"
	soon 2 grep -q 'not a tunnel' "$TMP/line"
	end "$pid"
}
ok "UDP to the tunnel port of another address of the host passes" udp_arrives 192.0.2.3

fragments() { answered c "$(host4 a)" 3 -s 4000; }
ok "fragments to the host pass" fragments

before=$(dropped a up0 tunnel_header)
echo "this is no tunnel header" | on c socat -u - "UDP4:$(host4 a):4789"
soon 2 drops_more_than a up0 tunnel_header "$before" || true
is "what is no VXLAN on the endpoint itself is dropped as tunnel_header" \
	"$(($(dropped a up0 tunnel_header) - before))" 1

on a ip neigh flush dev up0
on core ip neigh flush dev to-a
ok "ARP and Neighbour Discovery of the underlay pass: red-1 reaches red-3" soon 5 reaches red-1 red-3
stream_moves before 500
stream_stop before
read -r _ _ _ lost _ < <(stream_result before)
number "packets that did not come through while the programs were attached" "$lost" -le 10
number "passed to the host's own stack" "$(used a up0 passed)" -gt 500
books_close
finish
