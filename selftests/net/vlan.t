#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vlan.t - guests that tag their frames, once or twice
#
#	red-1 (0.11, VLAN 20)     --+-- a ==== core ==== b --- red-3 (0.13, untagged)
#	red-2 (0.12, VLAN 10, 20) --+
#
# Tags belong to the vport: taken off behind it, put on in front of it, and a
# frame with other tags is vlan_mismatch. Frames are made and read by hand, so
# that the guests' kernels need no VLAN devices.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

VPORT_MORE['red-1']='vlan: 20'
VPORT_MORE['red-2']='vlan: [10, 20]'
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start

# sends FROM TAGS TO ADDRESS-FAMILY: five UDP packets with these tags.
sends() {
	scapy "$1" TAGS="$2" SRC="$("ip$4" "$1")" DST="$("ip$4" "$3")" \
		SMAC="$(mac "$1")" DMAC="$(mac "$3")" <<-'EOF'
	frame = Ether(dst=DMAC, src=SMAC)
	for tag in TAGS.split():
	    frame /= Dot1Q(vlan=int(tag))
	ip = IPv6 if ":" in SRC else IP
	sendp(frame / ip(src=SRC, dst=DST) / UDP(sport=1, dport=9999) / bytes(64), iface="eth0", count=5)
	EOF
}

# sees TO COMMAND...: the frames to UDP port 9999 that arrive meanwhile, "count tags".
sees() {
	local to=$1
	shift
	capture "$to" -e -i eth0 -Q in
	"$@" >"$TMP/command" 2>&1 || diag "$(cat "$TMP/command")"
	end_capture
	awk '/9999: / {
		tags = ""
		for (i = 1; i < NF; i++)
			if ($i == "vlan")
				tags = tags " vlan " $(i + 1) + 0
		count[tags]++
	}
	END { for (tags in count) print count[tags] tags }' "$TMP/seen"
}

for family in 4 6; do
	is "IPv$family: VLAN 20 to an untagged guest" "$(sees red-3 sends red-1 20 red-3 $family)" "5"
	is "IPv$family: untagged to VLAN 20" "$(sees red-1 sends red-3 '' red-1 $family)" "5 vlan 20"
	is "IPv$family: VLAN 10, 20 to an untagged guest" "$(sees red-3 sends red-2 '10 20' red-3 $family)" "5"
	is "IPv$family: untagged to VLAN 10, 20" "$(sees red-2 sends red-3 '' red-2 $family)" "5 vlan 10 vlan 20"
	is "IPv$family: VLAN 20 to VLAN 10, 20, same host" \
		"$(sees red-2 sends red-1 20 red-2 $family)" "5 vlan 10 vlan 20"
	is "IPv$family: VLAN 10, 20 to VLAN 20, same host" \
		"$(sees red-1 sends red-2 '10 20' red-1 $family)" "5 vlan 20"
done

mismatches() { # FROM TAGS
	local before
	before=$(dropped a "$1" vlan_mismatch)
	sends "$1" "$2" red-3 4
	echo $(($(dropped a "$1" vlan_mismatch) - before))
}
is "no tag where VLAN 20 is due is dropped as vlan_mismatch" "$(mismatches red-1 '')" 5
is "VLAN 21" "$(mismatches red-1 21)" 5
is "VLAN 20 twice" "$(mismatches red-1 '20 20')" 5
is "VLAN 10 alone where 10, 20 is due" "$(mismatches red-2 10)" 5
is "VLAN 20, 10 where 10, 20 is due" "$(mismatches red-2 '20 10')" 5
before=$(dropped b red-3 vlan_mismatch)
sends red-3 20 red-1 4
is "a tag where none is due" "$(($(dropped b red-3 vlan_mismatch) - before))" 5
before=$(dropped a red-1 vlan_depth)
sends red-1 '20 20 20' red-3 4
is "three tags are dropped as vlan_depth" "$(($(dropped a red-1 vlan_depth) - before))" 5

# ARP and Neighbour Discovery are answered with the tags they were asked with.
asks() { # FROM TAGS KIND: the answer's MAC and tags
	scapy "$1" TAGS="$2" KIND="$3" SMAC="$(mac "$1")" SRC4="$(ip4 "$1")" SRC6="$(ip6 "$1")" <<-'EOF'
	frame = Ether(dst="ff:ff:ff:ff:ff:ff" if KIND == "arp" else "33:33:ff:00:00:01", src=SMAC)
	for tag in TAGS.split():
	    frame /= Dot1Q(vlan=int(tag))
	if KIND == "arp":
	    frame /= ARP(hwsrc=SMAC, psrc=SRC4, pdst="10.0.0.1")
	else:
	    frame /= IPv6(src=SRC6, dst="ff02::1:ff00:1", hlim=255) / ICMPv6ND_NS(tgt="fd00::1") / \
	             ICMPv6NDOptSrcLLAddr(lladdr=SMAC)
	answers = AsyncSniffer(iface="eth0", lfilter=lambda p: p.src != SMAC, count=1, timeout=2,
	                       started_callback=lambda: sendp(frame, iface="eth0"))
	answers.start(); answers.join()
	for p in answers.results:
	    tags = []
	    layer = p
	    while layer.haslayer(Dot1Q):
	        layer = layer[Dot1Q]; tags.append(layer.vlan); layer = layer.payload
	    mac = p[ARP].hwsrc if ARP in p else p[ICMPv6NDOptDstLLAddr].lladdr
	    print(mac, *tags)
	EOF
}
is "tagged ARP for the gateway" "$(asks red-1 20 arp)" "02:00:5e:00:00:01 20"
is "ARP with two tags" "$(asks red-2 '10 20' arp)" "02:00:5e:00:00:01 10 20"
is "tagged Neighbour Solicitation" "$(asks red-1 20 nd)" "02:00:5e:00:00:01 20"
is "Neighbour Solicitation with two tags" "$(asks red-2 '10 20' nd)" "02:00:5e:00:00:01 10 20"
books_close
finish
