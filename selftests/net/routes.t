#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# routes.t - where declared routes lead: an instance, a gateway, nowhere, a peer, another region
#
#	red-1 (0.11) ----- a ==+          +== c  hoverboard
#	red-2 (0.12) --+-- b ==|== core ==|
#	blue-1 (2.11) -+       |          +== e  gateway: Linux, vxlan devices, no Mirach
#	    mirach-controller -+          +== f  likewise, and it answers S-BFD
#
#	172.20/16  behind red-2		172.22/16  a black hole		10.0.2/24  blue, a peer
#	172.21/16  behind e		172.23/16  by priority		172.30/16  another region: e and f
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/control.sh
. "$NET/control.sh"

hosts a b c
host e
host f
# shellcheck disable=SC2034 # for fabric.sh
BOARDS=(c)
network red 100
network blue 200
instance red-1 a red 11
instance red-2 b red 12
instance blue-1 b blue 2.11
on red-2 sysctl -qw net.ipv4.conf.all.arp_announce=2	# asks in its own name also when it answers for others
on red-2 ip addr add 172.20.0.1/32 dev lo
on red-2 ip addr add 172.23.0.1/32 dev lo

# A gateway has what is behind it itself, and sends to the hoverboard.
gateway() { # HOST
	local h=$1 vni
	on "$h" sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
	for vni in 100 7777; do
		on "$h" ip link add "vx$vni" address 02:00:5e:00:00:02 mtu 1500 type vxlan id "$vni" \
			dstport 4789 nolearning local "$(host4 "$h")" remote "$(host4 c)"
		on "$h" ip link set dev "vx$vni" up
	done
	on "$h" ip route add local 172.16.0.0/12 dev lo
	on "$h" ip route add 10.0.0.0/24 dev vx100
	on "$h" ip neigh replace "$(ip4 red-1)" lladdr "$(mac red-1)" dev vx100
}
gateway e
gateway f
reflector() {
	background f "$TMP/reflector" "$PYTHON" -u -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7784))
print("listening")
while True:
    q, asker = s.recvfrom(64)
    s.sendto(q[:1] + b"\xc0" + q[2:4] + q[8:12] + q[4:8] + q[12:], asker)
'
	soon 10 grep -q listening "$TMP/reflector"
}
reflector

route() { object Route t "$1" "{network: $2, prefix: $3, priority: ${5:-1000}, nextHop: {$4}}"; }
declared() {
	local n
	objects_of_fabric
	for n in red:10.0.0.0/24 blue:10.0.2.0/24; do
		object Network t "${n%:*}" "{vni: ${VNI_OF[${n%:*}]}}"
		object Subnet t "${n%:*}-4" "{network: ${n%:*}, prefix: ${n#*:}}"
	done
	for n in red-1 red-2 blue-1; do
		object_instance "$n" | sed 's/, "fd00[^]]*]/]/'
	done
	object Instance t nowhere '{network: red}'
	route by-instance red 172.20.0.0/16 'instance: red-2'
	route by-gateway red 172.21.0.0/16 "gateway: $(host4 e)"
	route to-nobody red 172.22.0.0/16 'blackhole: true'
	route unplaced red 172.23.0.0/16 'instance: nowhere' 5
	route first red 172.23.0.0/16 'instance: red-2' 10
	route second red 172.23.0.0/16 'blackhole: true' 20
	object Peering t red-blue '{network: red, peer: t/blue}'
	object Peering t blue-red '{network: blue, peer: t/red}'
	route to-blue red 10.0.2.0/24 'peering: red-blue'
	route to-red blue 10.0.0.0/24 'peering: blue-red'
}
announce() { # NAME SPEC
	printf '{kind: RemoteNetwork, region: west, name: %s, spec: {network: t/red, vni: 7777, %s}}\n' "$@" \
		>"$TMP/west.yaml"
	mc apply -f "$TMP/west.yaml" --wait
}

controlled
controller_start
for h in "${HOSTS[@]}"; do
	agent_launch "$h"
done
declared >"$TMP/objects.yaml"
ok "routes are declared, and programmed when apply returns" mc apply -f "$TMP/objects.yaml" --wait
for h in "${HOSTS[@]}"; do
	ok "host $h is ready" soon 20 agent_ready "$h"
done

ok "next hop instance: answers come from behind it" pings red-1 172.20.0.1
ok "and TCP" transfer red-1 red-2 172.20.0.1
ok "nobody else speaks for what is behind it" on red-1 ip addr add 172.20.0.2/32 dev lo
before=$(dropped a t.red-1 spoofed_source)
on red-1 ping -n -q -c 2 -i 0.05 -W 0.5 -I 172.20.0.2 172.21.0.1 >/dev/null || true
is "it is dropped as spoofed_source" "$(($(dropped a t.red-1 spoofed_source) - before))" 2
ok "next hop gateway: it answers by way of the hoverboard" pings red-1 172.21.0.1
ok "and TCP" transfer red-1 e 172.21.0.1
ok "peering: red-1 reaches blue-1" pings red-1 "$(ip4 blue-1)"
ok "and blue-1 red-1, by TCP" transfer blue-1 red-1 "$(ip4 red-1)"
before=$(dropped c up0 blackhole)
ok "next hop nowhere: no answer" no_ping red-1 172.22.0.1
is "it is dropped as blackhole" "$(($(dropped c up0 blackhole) - before))" 2
ok "of one prefix the lowest priority wins that leads anywhere" pings red-1 172.23.0.1
ok "it goes" mc delete route first --tenant t --wait
before=$(dropped c up0 blackhole)
ok "the next one takes over" no_ping red-1 172.23.0.1
is "which is a black hole" "$(($(dropped c up0 blackhole) - before))" 2

# ---- another region, by two gateways ---------------------------------------

carried() { on "$1" ip -s -j link show dev vx7777 | jq .[0].stats64.rx.packets; }
all_answer() { # AT...: each of sixteen destinations, and each of the gateways has a part in it
	local i h
	declare -A before
	for h in "$@"; do
		before[$h]=$(carried "$h")
	done
	for i in {1..16}; do
		pings red-1 "172.30.0.$i" 1 || return 1
	done
	for h in "$@"; do
		(($(carried "$h") > before[$h])) || return 1
	done
}
state_is() { # GATEWAY STATE
	[[ $(ask c ".gateways[] | select(.address == \"$(host4 "$1")\").state" hoverboard list) == "$2" ]]
}
west="prefixes: [172.30.0.0/16], gateways: [$(host4 e), $(host4 f)]"
ok "another region announces a prefix" announce good "$west"
ok "what is there answers, under that region's VNI and by both gateways" all_answer e f
ok "the gateway that answers is up" soon 20 state_is f up
ok "the one that is no Mirach is taken for up" soon 20 state_is e silent
on core ip link set dev to-f down
ok "one dies, and the hoverboard notices" soon 20 state_is f down
ok "the other one carries all" all_answer e
on core ip link set dev to-f up
ok "it is back" soon 30 state_is f up
ok "and has its part again" all_answer e f

# ---- what another region should not have said ------------------------------

ok "another region claims a part of red" announce thief "prefixes: [10.0.0.0/28], gateways: [$(host4 e)]"
announce liar "prefixes: [172.31.0.0/16], gateways: [$(host4 a)]" >/dev/null || true
has "one that names a host of ours is in quarantine" "$(mc controller status)" 'a gateway that is a host of this region'
ok "red-1 reaches red-2 as before" pings red-1 "$(ip4 red-2)"
ok "and what the region has announced well" all_answer e f
books_close
finish
