#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# icmp_errors.t - who is in the way says so, and whoever sent the packet hears it
#
#	red-1 (0.11) --+-- a ==== core ==== b --+-- red-3 (0.13)
#	red-2 (0.12) --+                        +-- red-4 (1.14)
#
# The virtual gateway shows up in a traceroute. A vport with a smaller MTU than the
# underlay has its senders told, though they are on another host. And what guests say
# themselves, about packets of others, is carried like any packet.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

UNDERLAY_MTU=1600
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
instance red-4 b red 1.14
start

# hop FROM ADDRESS TTL: who answers a ping with that TTL.
hop() {
	(on "$1" ping -n -c 1 -W 2 -t "$3" "$2" 2>&1 || true) |
		sed -nE 's/^From ([^ ]+) .*(Time to live exceeded|Time exceeded).*/\1/p;
			s/^[0-9]+ bytes from ([^ ]+): .*/\1/p'
}
told() { on "$1" ip route get "$2" | sed -nE 's/.* mtu ([0-9]+).*/\1/p'; }
is_told() { [[ $(told "$1" "$2") == "$3" ]]; }
ask_large() { on "$1" ping -n -q -c 1 -W 1 -M "do" -s 1400 "$2" >/dev/null 2>&1 || true; }
asks_and_is_told() {
	ask_large "$1" "$2"
	is_told "$@"
}
forget() { on "$1" ip route flush cache && on "$1" ip -6 route flush cache; }

for hook in xdp tcx; do
	HOOK=$hook
	UPLINK_MORE=", hook: $hook"
	configure
	ok "$hook: host a reloads" reload a
	ok "$hook: host b reloads" reload b
	is "$hook: the first hop to $(ip4 red-4)" "$(hop red-1 "$(ip4 red-4)" 1)" 10.0.0.1
	is "$hook: the second" "$(hop red-1 "$(ip4 red-4)" 2)" "$(ip4 red-4)"
	is "$hook: the first hop to $(ip6 red-4)" "$(hop red-1 "$(ip6 red-4)" 1)" fd00::1
	is "$hook: the second" "$(hop red-1 "$(ip6 red-4)" 2)" "$(ip6 red-4)"

	on b ip link set dev red-3 mtu 1300
	for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
		ok "$hook: a vport of 1300 behind the fabric: the sender to $address is told" \
			soon 10 asks_and_is_told red-1 "$address" 1300
		ok "$hook: and its TCP goes on with that" transfer red-1 red-3 "$address"
	done
	on b ip link set dev red-3 mtu 1500
	forget red-1
done

# A guest says that a packet was too big for what is behind it.
ok "red-1 reaches red-3" reaches red-1 red-3
background red-1 "$TMP/socket" "$PYTHON" -c '
import socket, sys, time
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 5555))
sock.connect((sys.argv[1], 6666))
time.sleep(60)' "$(ip4 red-3)"
ok "an error of red-3 about packets of red-1" scapy red-3 SRC="$(ip4 red-3)" \
	DST="$(ip4 red-1)" SRC6="$(ip6 red-3)" DST6="$(ip6 red-1)" <<-'EOF'
	sent = IP(src=DST, dst=SRC, flags="DF") / UDP(sport=5555, dport=6666) / bytes(1300)
	send(IP(dst=DST) / ICMP(type=3, code=4, nexthopmtu=1234) / bytes(sent)[:68])
	sent = IPv6(src=DST6, dst=SRC6) / ICMPv6EchoRequest(id=1, seq=1) / bytes(1300)
	send(IPv6(dst=DST6) / ICMPv6PacketTooBig(mtu=1345) / bytes(sent)[:600])
EOF
ok "is heard by red-1, IPv4" soon 5 is_told red-1 "$(ip4 red-3)" 1234
ok "is heard by red-1, IPv6" soon 5 is_told red-1 "$(ip6 red-3)" 1345
ok "an error of red-2, which stands for a router, about a packet to red-3" \
	scapy red-2 DST="$(ip4 red-1)" TO="$(ip4 red-3)" <<-'EOF'
	sent = IP(src=DST, dst=TO, flags="DF") / UDP(sport=5555, dport=6666) / bytes(1300)
	send(IP(dst=DST) / ICMP(type=3, code=4, nexthopmtu=1111) / bytes(sent)[:68])
EOF
ok "is heard, too" soon 5 is_told red-1 "$(ip4 red-3)" 1111
books_close
finish
