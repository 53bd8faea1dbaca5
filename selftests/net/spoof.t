#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# spoof.t - nobody speaks in another's name, neither guest nor host
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+           |
#	                           c   a host of the underlay, not of the fabric
#
# Frames are made by hand: from inside red-1 with sources it does not own, and
# from host c with good tunnel headers but outer sources that do not own the
# sender. A counter-check sends the very same frames truthfully, and they arrive.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
host c
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start
ok "before: red-1 reaches red-3" reaches red-1 red-3
ok "before: red-1 reaches red-2" reaches red-1 red-2

# arrives INSTANCE COMMAND...: how many UDP packets to port 9999 come in meanwhile.
arrives() {
	local i=$1
	shift
	capture "$i" -i eth0 -Q in udp dst port 9999
	"$@" >"$TMP/command" 2>&1 || diag "$(cat "$TMP/command")"
	end_capture
	grep -c '9999: UDP' "$TMP/seen" || true
}

# guest_sends SOURCE DESTINATION: five UDP packets out of red-1.
guest_sends() {
	scapy red-1 SRC="$1" DST="$2" DMAC="$(mac red-3)" SMAC="$(mac red-1)" <<-'EOF'
	ip = IPv6 if ":" in SRC else IP
	sendp(Ether(dst=DMAC, src=SMAC) / ip(src=SRC, dst=DST) / UDP(sport=1, dport=9999) / b"spoof",
	      iface="eth0", count=5)
	EOF
}

for family in 4 6; do
	own=$("ip$family" red-1) neighbour=$("ip$family" red-2) to=$("ip$family" red-3)
	is "IPv$family: red-1 sends as itself: all five arrive" "$(arrives red-3 guest_sends "$own" "$to")" 5
	before=$(dropped a red-1 spoofed_source)
	is "IPv$family: red-1 sends as red-2: none arrives" "$(arrives red-3 guest_sends "$neighbour" "$to")" 0
	is "IPv$family: all five are dropped as spoofed_source" \
		"$(($(dropped a red-1 spoofed_source) - before))" 5
	is "IPv$family: red-1 sends as itself from its neighbour's port to its neighbour: arrives" \
		"$(arrives red-2 guest_sends "$own" "$neighbour")" 5
done
before=$(dropped a red-1 spoofed_source)
guest_sends 10.0.0.99 "$(ip4 red-3)"
is "an address nobody has is dropped as spoofed_source" "$(($(dropped a red-1 spoofed_source) - before))" 5

guest_arp() { # SENDER-IP
	scapy red-1 PSRC="$1" TARGET="$(ip4 red-2)" SMAC="$(mac red-1)" <<-'EOF'
	sendp(Ether(dst="ff:ff:ff:ff:ff:ff", src=SMAC) /
	      ARP(hwsrc=SMAC, psrc=PSRC, pdst=TARGET), iface="eth0", count=2)
	EOF
}
before=$(dropped a red-1 arp)
guest_arp "$(ip4 red-3)"
is "ARP in another's name is dropped as arp" "$(($(dropped a red-1 arp) - before))" 2

# host_sends FROM OUTER-SOURCE OUTER-DESTINATION VNI INNER-SOURCE INNER-DESTINATION: five frames.
host_sends() {
	scapy "$1" OSRC="$2" ODST="$3" VNI="$4" SRC="$5" DST="$6" <<-'EOF'
	ip = lambda s, d: (IPv6 if ":" in s else IP)(src=s, dst=d)
	outer = ip(OSRC, ODST) / UDP(sport=50000, dport=4789, chksum=0) / VXLAN(vni=int(VNI), flags=8)
	frame = outer / Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / ip(SRC, DST) / \
	        UDP(sport=1, dport=9999) / b"spoof"
	for i in range(5):
	    send(frame)
	EOF
}

for family in 4 6; do
	from=$("ip$family" red-1) to=$("ip$family" red-3) there=$(host4 b)
	is "IPv$family: tunnelled by the sender's own host: all five arrive" \
		"$(arrives red-3 host_sends a "$(host4 a)" "$there" 100 "$from" "$to")" 5
	before=$(dropped b up0 spoofed_outer)
	is "IPv$family: tunnelled by host c: none arrives" \
		"$(arrives red-3 host_sends c "$(host4 c)" "$there" 100 "$from" "$to")" 0
	is "IPv$family: all five are dropped as spoofed_outer" "$(($(dropped b up0 spoofed_outer) - before))" 5
done
before=$(dropped b up0 spoofed_outer)
is "over an IPv6 underlay, tunnelled by host c: none arrives" \
	"$(arrives red-3 host_sends c "$(host6 c)" "$(host6 b)" 100 "$(ip4 red-1)" "$(ip4 red-3)")" 0
is "all five are dropped as spoofed_outer" "$(($(dropped b up0 spoofed_outer) - before))" 5
before=$(dropped b up0 spoofed_outer)
host_sends a "$(host4 a)" "$(host4 b)" 100 10.0.0.99 "$(ip4 red-3)"
is "a sender nobody has, from a good host: spoofed_outer" "$(($(dropped b up0 spoofed_outer) - before))" 5
before=$(dropped b up0 unknown_vni)
host_sends a "$(host4 a)" "$(host4 b)" 666 "$(ip4 red-1)" "$(ip4 red-3)"
is "a VNI nobody has is dropped as unknown_vni" "$(($(dropped b up0 unknown_vni) - before))" 5
before=$(dropped b up0 not_local)
host_sends a "$(host4 a)" "$(host4 b)" 100 "$(ip4 red-1)" "$(ip4 red-2)"
is "a destination that is not here is dropped as not_local" "$(($(dropped b up0 not_local) - before))" 5

ok "after: red-1 still reaches red-3" reaches red-1 red-3
books_close
finish
