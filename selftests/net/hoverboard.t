#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# hoverboard.t - hosts that know only their own, and two hoverboards that know all
#
#	red-1 (0.11) blue-1 (0.11) --- a ===+          +=== c  hoverboard
#	red-3 (0.12)                        |== core ==|
#	red-2 (0.13) blue-2 (0.13) --- b ===+          +=== d  hoverboard
#	red-4 (1.14)
#
# Every packet between a and b goes by way of c or d, of which one has its uplink on
# XDP and the other on tcx. Then senders lie, an agent
# dies and its hoverboard does not, a hoverboard dies and nobody minds for long.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b c d
BOARDS=(c d)
UPLINK_OF=([c]=', hook: xdp' [d]=', hook: tcx')
ROUTES='[{network: red, prefix: 10.66.0.0/16, blackhole: true}]'
network red 100
network blue 200
instance red-1 a red 11
instance red-3 a red 12
instance red-2 b red 13
instance red-4 b red 1.14
instance blue-1 a blue 11
instance blue-2 b blue 13
start

boards_up() { # HOST N: so many answer
	[[ $(ask "$1" '[.hoverboards[] | select(.state == "up" and .answered > 0)] | length' \
		hoverboard list) == "$2" ]]
}
through() { used "$1" up0 out; }	# HOVERBOARD: packets it has sent on

for h in a b; do
	ok "host $h: both hoverboards answer" soon 20 boards_up $h 2
	is "host $h: each serves half of the slots" \
		"$(ask $h '[.hoverboards[] | .slots / .of_slots] | join(" ")' hoverboard list)" "0.5 0.5"
done
for family in 4 6; do
	for pair in red-1:red-2 red-3:red-2 red-4:red-1 blue-1:blue-2; do
		ok "IPv$family: ${pair/:/ reaches }" pings "${pair%:*}" "$("ip$family" "${pair#*:}")"
	done
	ok "IPv$family: TCP" transfer red-1 red-2 "$("ip$family" red-2)"
	ok "IPv$family: TCP back, across subnets" transfer red-4 red-1 "$("ip$family" red-1)"
	ok "IPv$family: TCP between instances of one host" transfer red-1 red-3 "$("ip$family" red-3)"
done
last_hop() { answered "$1" "$2" 2 -t 1; }
ok "a TTL of 1 arrives in the same subnet" last_hop red-1 "$(ip4 red-2)"
for h in c d; do
	number "hoverboard $h has carried its part" "$(through $h)" -gt 20
	is "hoverboard $h has compiled no flow for it" "$(used $h up0 punted)" 0
done
sent() { ask a "[.hoverboards[].$1] | add" hoverboard list; }
number "host a: packets of its flows to hoverboards" "$(sent packets)" -gt 20
number "and their bytes" "$(sent bytes)" -gt 2000
has "the table says so, too" "$(ctl a hoverboard list)" 'PACKETS +BYTES'
before=$(through c)
number "a hoverboard: packets sent on" "$(ask c .forwarded.packets hoverboard list)" -ge "$before"
before=$(used c up0 out_bytes)
number "and bytes" "$(ask c .forwarded.bytes hoverboard list)" -ge "$before"
has "in words" "$(ctl c hoverboard list)" 'Sent on: [0-9,]+ packets, [0-9.]+ [KMG]?i?B'
stream counted red-1 red-2 "$(ip4 red-2)" 1000 1000
is "numbered packets arrive once and in order" "$(stream_result counted)" \
	"received 1000 lost 0 twice 0 late 0"

# ---- who lies, and what is nowhere -----------------------------------------

# tunnels FROM OUTER-SOURCE VNI SOURCE DESTINATION: five frames to hoverboard c.
tunnels() {
	scapy "$1" OSRC="$2" ODST="$(host4 c)" VNI="$3" SRC="$4" DST="$5" <<-'EOF'
	ip = lambda s, d: (IPv6 if ":" in s else IP)(src=s, dst=d)
	outer = ip(OSRC, ODST) / UDP(sport=50000, dport=4789, chksum=0) / VXLAN(vni=int(VNI), flags=8)
	for i in range(5):
	    send(outer / Ether(dst="02:00:5e:00:00:01", src="02:00:00:00:00:01") / ip(SRC, DST) /
	         UDP(sport=1, dport=9999) / b"spoof")
	EOF
}
dropped_at_c() { # WHAT REASON FROM VNI SOURCE DESTINATION
	local before
	before=$(dropped c up0 "$2")
	tunnels "$3" "$(host4 "$3")" "$4" "$5" "$6"
	soon 5 drops_more_than c up0 "$2" $((before + 4)) || true
	is "$1: dropped as $2" "$(($(dropped c up0 "$2") - before))" 5
}
for family in 4 6; do
	one=$("ip$family" red-1) other=$("ip$family" red-2)
	dropped_at_c "IPv$family: in the name of an instance elsewhere" spoofed_outer a 100 "$other" "$one"
	dropped_at_c "IPv$family: from one hoverboard to the other" spoofed_outer d 100 "$one" "$other"
	dropped_at_c "IPv$family: back to where it came from" goes_back a 100 "$one" "$("ip$family" red-3)"
done
dropped_at_c "a sender nobody has" spoofed_outer a 100 10.0.0.99 "$(ip4 red-2)"
dropped_at_c "a network nobody has" unknown_vni a 666 "$(ip4 red-1)" "$(ip4 red-2)"
dropped_at_c "a destination nobody has" no_route a 100 "$(ip4 red-1)" 10.0.0.99
dropped_at_c "a destination behind a route into nowhere" blackhole a 100 "$(ip4 red-1)" 10.66.1.1
before=$(dropped b up0 spoofed_outer)
scapy a OSRC="$(host4 a)" ODST="$(host4 b)" SRC="$(ip4 red-1)" DST="$(ip4 red-2)" <<-'EOF'
send(IP(src=OSRC, dst=ODST) / UDP(sport=50000, dport=4789, chksum=0) / VXLAN(vni=100, flags=8) /
     Ether() / IP(src=SRC, dst=DST) / UDP(sport=1, dport=9999))
EOF
is "past the hoverboards, without a way of its own: dropped as spoofed_outer" \
	"$(($(dropped b up0 spoofed_outer) - before))" 1

# ---- addresses the host does not know --------------------------------------

answers_arp() { # ADDRESS: a probe as before one takes an address
	scapy red-1 TARGET="$1" SMAC="$(mac red-1)" <<-'EOF'
	a = srp1(Ether(dst="ff:ff:ff:ff:ff:ff", src=SMAC) / ARP(hwsrc=SMAC, psrc="0.0.0.0", pdst=TARGET),
	         iface="eth0", timeout=0.7)
	raise SystemExit(a is None)
	EOF
}
ok "ARP is answered for an address of the subnet that only hoverboards know" answers_arp "$(ip4 red-2)"
ok "and for one that nobody has" answers_arp 10.0.0.99
fails "but not for the guest's own" answers_arp "$(ip4 red-1)"
fails "nor for one outside of the subnet" answers_arp 10.0.7.1

arp_frame() { # TARGET: as red-1 asks, in hex
	"$PYTHON" - "$(mac red-1)" "$(ip4 red-1)" "$1" <<-'EOF'
	import ipaddress, sys
	mac = sys.argv[1].replace(":", "")
	sender, target = (ipaddress.ip_address(a).packed.hex() for a in sys.argv[2:])
	print("ff" * 6 + mac + "0806" + "0001080006040001" + mac + sender + "00" * 6 + target)
	EOF
}
traced() { ctl a trace --from red-1 --hex "$(arp_frame "$1")"; }
has "trace says so, too" "$(traced "$(ip4 red-2)")" "only hoverboards may know"
has "and who answers" "$(traced 10.0.0.99)" "answered with 02:00:5e:00:00:01"
has "and that nobody does for the own one" "$(traced "$(ip4 red-1)")" "arp_unknown"
has "or outside" "$(traced 10.0.7.1)" "arp_unknown"

traced_at_c() { # FROM SOURCE DESTINATION
	ctl c trace --from-host "$(host4 "$1")" --vni 100 --src "$2" --dst "$3" 2>&1
}
for family in 4 6; do
	one=$("ip$family" red-1) other=$("ip$family" red-2)
	seen=$(traced_at_c a "$one" "$other")
	has "IPv$family: trace on a hoverboard looks the source up" "$seen" "source endpoint.*$(mac red-1) on host $(host4 a)"
	has "IPv$family: and the destination" "$seen" "destination endpoint.*$(mac red-2) on host $(host4 b)"
	has "IPv$family: and says where it goes" "$seen" "forwarded to $(host4 b) by up0"
	has "IPv$family: who lies" "$(traced_at_c b "$one" "$other")" "dropped as spoofed_outer"
	has "IPv$family: what would go back" "$(traced_at_c a "$one" "$("ip$family" red-3)")" "dropped as goes_back"
done
has "and what no endpoint is asks the rules" "$(traced_at_c a "$(ip4 red-1)" 10.66.1.1)" "dropped as blackhole"

# ---- the agent dies, then a hoverboard -------------------------------------

changes() { ask a '[.hoverboards[].changes] | join(" ")' hoverboard list; }
answers() { ask a ".hoverboards[] | select(.address == \"$(host_ip "$1")\") | .answered" hoverboard list; }
answers_more() { (($(answers "$1") >= $2)); }
agent_stop c KILL
before=$(changes)
ok "a hoverboard without agent forwards: IPv4" pings red-1 "$(ip4 red-2)" 20
ok "a hoverboard without agent forwards: IPv6" pings red-4 "$(ip6 red-1)" 20
ok "and answers its hosts" soon 20 answers_more c $(($(answers c) + 10))
is "none of which has noticed" "$(changes)" "$before"
ok "its agent comes back" agent_start c
is "and finds its endpoints" "$(ask c .endpoints.used hoverboard list)" 12

state_of() { ask "$1" ".hoverboards[] | select(.address == \"$(host_ip "$2")\") | .state" hoverboard list; }
is_state() { [[ $(state_of "$1" "$2") == "$3" ]]; }
serving() { ask a '.hoverboards[] | select(.slots > 0) | .address' hoverboard list; }
# Which one carries the stream: the one whose counter moves with it.
c0=$(through c) d0=$(through d)
stream probe red-1 red-2 "$(ip4 red-2)" 1000 200
stream_result probe >/dev/null
if (($(through c) - c0 > $(through d) - d0)); then victim=c other=d; else victim=d other=c; fi
stream counted red-1 red-2 "$(ip4 red-2)" 1000
stream_moves counted 500
on core sysctl -qw "net.ipv6.conf.to-$victim.keep_addr_on_down=1"
on core ip link set dev "to-$victim" down
ok "host a notices that hoverboard $victim is gone" soon 20 is_state a "$victim" down
ok "host b too" soon 20 is_state b "$victim" down
ok "the stream goes on by way of $other" stream_moves counted 500
stream_stop counted
result=$(stream_result counted)
lost=$(awk '{ print $4 }' <<<"$result")
diag "hoverboard $victim died under 1000 packets a second: $result, a gap of about $lost ms"
number "a hoverboard's death costs packets" "$lost" -gt 0
is "host a: all slots are with $other" "$(serving)" "$(host_ip "$other")"
ok "all pairs are reached by way of $other" reaches red-1 red-2
ok "and all other ones" reaches red-4 red-3
ok "and all tenants" reaches blue-1 blue-2
agent_stop a
ok "host a restarts meanwhile" agent_start a
is "and remembers who was dead" "$(serving)" "$(host_ip "$other")"
on core ip link set dev "to-$victim" up
ok "hoverboard $victim is back for host a" soon 30 is_state a "$victim" up
ok "and for host b" soon 30 is_state b "$victim" up
is "each serves half of the slots again" \
	"$(ask a '[.hoverboards[] | .slots / .of_slots] | join(" ")' hoverboard list)" "0.5 0.5"

# ---- another underlay ------------------------------------------------------

UNDERLAY=6 ENCAP='{kind: geneve}'
configure
for h in c d a b; do
	ok "Geneve over IPv6: host $h reloads" reload $h
done
for h in a b; do
	ok "host $h: both hoverboards answer over IPv6" soon 20 boards_up $h 2
done
ok "red-1 and red-2 reach each other" reaches red-1 red-2
ok "red-4 and red-3 reach each other" reaches red-4 red-3
ok "blue-1 and blue-2 reach each other" reaches blue-1 blue-2
ok "TCP arrives" transfer red-2 red-1 "$(ip6 red-1)"

books_close
finish
