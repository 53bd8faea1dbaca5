#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# mtu.t - sizes: the last that fits, the first that does not, pieces, and giants
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
#	        1500         1500 or 9100         1500, then 9000
#
# On an underlay of 1500 bytes VXLAN over IPv4 leaves 1450 for the guest's packet.
# Of one byte more the virtual gateway says what would have fitted (ICMP
# "fragmentation needed", ICMPv6 "packet too big"), and TCP between guests that believe
# in 1500 goes on with that. Fragments pass, and so do frames of several buffers.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

UNDERLAY_MTU=1500
SAMPLES='[{network: red, protocol: udp, port: 9, rate: 1000000000}]'	# flows by port, for UDP
hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13
start

# whole FROM ADDRESS IP-LENGTH: two pings of that many bytes, not to be fragmented, are answered.
whole() {
	local headers=28
	[[ $2 == *:* ]] && headers=48
	answered "$1" "$2" 2 -M "do" -s $(($3 - headers))
}
# told FROM ADDRESS IP-LENGTH: the MTU that such a ping is told.
told() {
	whole "$@" &>/dev/null || true
	on "$1" ip route get "$2" | sed -nE 's/.* mtu ([0-9]+).*/\1/p'
}
forget() { on "$1" ip route flush cache && on "$1" ip -6 route flush cache; }
pieces() { answered "$1" "$2" 3 -M dont -s "$3"; }

is "the next hop knows its MTU" "$(ask a '.nexthops[] | select(.kind == "tunnel") | .mtu' nexthop list)" 1450
for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
	ok "1450 bytes to $address arrive" whole red-1 "$address" 1450
	fails "1451 bytes do not" whole red-1 "$address" 1451
	is "and the gateway says what would" "$(told red-1 "$address" 1451)" 1450
	forget red-1
	ok "TCP to $address with the guests' MTU at 1500" transfer red-1 red-3 "$address"
done

# datagrams SIZE ADDRESS WARM: one call sends 20 datagrams of that payload (UDP_SEGMENT), as QUIC
# does; WARM: after one that opens the flow. Says how many arrive.
datagrams() {
	background red-3 "$TMP/datagrams" "$PYTHON" -c '
import socket, sys
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 6000))
s.settimeout(2)
print("listening", flush=True)
n = 0
try:
    while n < 20:
        n += len(s.recv(2000)) == int(sys.argv[2])
except TimeoutError:
    pass
print("arrived", n, flush=True)' "$2" "$1"
	soon 10 grep -q listening "$TMP/datagrams"
	on red-1 "$PYTHON" -c '
import socket, sys, time
s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 6000))
if sys.argv[3]:
    s.send(b"first")
    time.sleep(0.5)
s.setsockopt(socket.IPPROTO_UDP, 103, int(sys.argv[2]))
s.send(bytes(20 * int(sys.argv[2])))' "$2" "$1" "${3:-}"
	soon 10 grep -q arrived "$TMP/datagrams" || true
	awk '/^arrived/ { print $2 }' "$TMP/datagrams"
}
is "20 datagrams in one super-packet, which opens a flow" "$(datagrams 1422 "$(ip4 red-3)")" 20
is "20 datagrams in one super-packet, each as long as fits" "$(datagrams 1422 "$(ip4 red-3)" warm)" 20
is "the same over IPv6" "$(datagrams 1402 "$(ip6 red-3)" warm)" 20
is "one byte more each, and the super-packet is too big" "$(datagrams 1423 "$(ip4 red-3)" warm)" 0
forget red-1

for i in red-1 red-3; do
	on $i ip link set dev eth0 mtu 1450
done
for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
	ok "4000 bytes in fragments to $address arrive" pieces red-1 "$address" 4000
	ok "TCP to $address with the guests' MTU at 1450" transfer red-1 red-3 "$address"
done

# Frames of more than a page: several buffers each.
for h in a b; do
	on core ip link set dev to-$h mtu 9100
	ok "host $h: an uplink with a program takes an MTU of 9100" on $h ip link set dev up0 mtu 9100
done
for i in red-1 red-3; do
	forget $i
	on $i ip link set dev eth0 mtu 9000
	ok "$i: a vport with a program takes an MTU of 9000" on "${HOST_OF[$i]}" ip link set dev $i mtu 9000
done
knows_mtu() { [[ $(ask "$1" '.nexthops[] | select(.kind == "tunnel") | .mtu' nexthop list) == 9050 ]]; }
ok "host a notices" soon 5 knows_mtu a
ok "host b notices" soon 5 knows_mtu b
flush() { ctl a flow flush --all && ctl b flow flush --all; }
# One buffer's worth always passes the hub; from Linux 6.6 on, chains of buffers do as well.
hub_takes=$(($(on a ip -j link show mirach0n | jq '.[0].mtu') - 96))
first_packets() { # HOOK
	local address before
	for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
		ok "$1: flows are flushed on both hosts" flush
		ok "$1: 3498 bytes to $address arrive as first packet of a flow" whole red-1 "$address" 3498
		ok "$1: flows are flushed on both hosts" flush
		if ((hub_takes >= 9000)); then
			ok "$1: 9000 bytes to $address arrive as first packet of a flow" whole red-1 "$address" 9000
		else
			before=$(dropped a red-1 too_big)
			fails "$1: 3499 bytes are more than the hub takes" whole red-1 "$address" 3499
			is "and are dropped as too_big" "$(($(dropped a red-1 too_big) - before))" 2
			ok "a smaller packet opens the flow" pings red-1 "$address"
		fi
		ok "$1: 9000 bytes to $address arrive" whole red-1 "$address" 9000
		ok "$1: flows are flushed on both hosts" flush
		ok "$1: TCP to $address with the guests' MTU at 9000" transfer red-1 red-3 "$address"
	done
}
first_packets tcx

# Each of them takes three of the hub's 4096 buffers for a moment, if it takes chains.
ok "3000 datagrams of 8900 bytes, each a flow of its own" on red-1 "$PYTHON" -c '
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(10000, 13000):
    try:
        s.sendto(bytes(8900), (sys.argv[1], port))
    except ConnectionRefusedError:
        pass
    time.sleep(0.0005)' "$(ip4 red-3)"
ok "flows are flushed on both hosts" flush
ok "the hub has its buffers back" whole red-1 "$(ip4 red-3)" "$((hub_takes < 9000 ? 3498 : 9000))"

HOOK=xdp UPLINK_MORE=', hook: xdp'
configure
ok "XDP everywhere: reloads" eval 'reload a && reload b'
first_packets xdp
is "no checksum error" "$(on red-3 nstat -asz TcpInCsumErrors | awk '/Csum/ { print $2 }')" 0
books_close
finish
