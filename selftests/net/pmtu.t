#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# pmtu.t - the underlay shrinks while traffic flows, and traffic follows
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
#	        1500        1600    1400
#
# A router in the middle cannot forward what this host sends, and says so about outer
# packets that no socket of the kernel sent. The agent takes the report, the next
# hop shrinks, and the virtual gateway tells guests, whose TCP goes on.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

UNDERLAY_MTU=1600
PAYLOAD=4000000
hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13

mtu_of() { ask "$1" '.nexthops[] | select(.kind == "tunnel") | .mtu' nexthop list; }
mtu_is() { [[ $(mtu_of "$1") == "$2" ]]; }
# The router's port towards b takes so much; b itself could take more.
narrow() { on core ip link set dev to-b mtu "$1"; }
agent_restart() { agent_stop "$1" && agent_start "$1"; }

start
for UNDERLAY in 4 6; do
	overhead=$((UNDERLAY == 4 ? 50 : 70))
	configure
	ok "IPv$UNDERLAY underlay: host a restarts, and knows nothing" agent_restart a
	ok "IPv$UNDERLAY underlay: host b reloads" reload b
	ok "IPv$UNDERLAY underlay: red-1 reaches red-3" reaches red-1 red-3
	is "IPv$UNDERLAY underlay: the next hop's MTU" "$(mtu_of a)" $((1600 - overhead))
	for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
		ok "IPv$UNDERLAY underlay: TCP to $address" transfer red-1 red-3 "$address"
	done
	narrow 1400
	ok "the router's MTU becomes 1400: TCP to $(ip4 red-3) goes on" \
		transfer red-1 red-3 "$(ip4 red-3)"
	ok "IPv$UNDERLAY underlay: the next hop shrank" soon 5 mtu_is a $((1400 - overhead))
	has "and the agent says so" "$(cat "$TMP/a.log")" 'the path has a smaller MTU.*mtu=1400'
	ok "TCP to $(ip6 red-3) as well" transfer red-1 red-3 "$(ip6 red-3)"
	narrow 1600
done

# A report about what this host never sent changes nothing.
ok "a forged report from the underlay" scapy core "host=$(host4 a)" "other=$(host4 b)" <<-'EOF'
	quote = IP(src=other, dst=host, flags="DF") / UDP(sport=50000, dport=4789) / b"12345678"
	send(IP(dst=host) / ICMP(type=3, code=4, nexthopmtu=600) / quote)
	quote = IP(src=host, dst=other, flags="DF") / UDP(sport=50000, dport=53) / b"12345678"
	send(IP(dst=host) / ICMP(type=3, code=4, nexthopmtu=600) / quote)
EOF
sleep 0.2
is "is not believed" "$(mtu_of a)" $((1400 - 70))

# The host's own device and routes. The kernel may have learned the path's MTU as well.
UNDERLAY=4
configure
on a ip route flush cache
ok "the underlay is IPv4 again" agent_restart a
ok "on host b, too" reload b
on a ip link set dev up0 mtu 1500
ok "the device shrinks: the next hop follows" soon 5 mtu_is a 1450
ok "TCP with the guests' MTU at 1500" transfer red-1 red-3 "$(ip4 red-3)"
on a ip route replace "$(host4 b)" via 192.0.2.1 mtu lock 1450
ok "the route shrinks: the next hop follows" soon 5 mtu_is a 1400
ok "TCP with the guests' MTU at 1500" transfer red-1 red-3 "$(ip6 red-3)"
on a ip route del "$(host4 b)"
on a ip link set dev up0 mtu 1600
ok "both grow again" soon 5 mtu_is a 1550
books_close
finish
