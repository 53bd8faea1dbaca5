#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tcx.t - super-packets cross the fabric whole, and every hook talks to every other
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#
# Guests keep the offloads they were born with. With tcx on vports and uplinks, and a
# router that keeps super-packets whole, frames of many times the MTU carry the
# outer headers once: captures in the middle and at the receiver show them. On a wire that
# carries MTU-sized frames the kernel segments behind the encapsulation, with sums that
# a dissector finds right, and GRO puts the segments together at the other end. Then
# hooks are mixed, and change under traffic.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

PAYLOAD=20000000
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13

# hooks UPLINK-A UPLINK-B VPORTS: written into both configurations.
hooks() {
	configure
	sed -i "s/{device: up0}/{device: up0, hook: $1}/" "$TMP/a.yaml"
	sed -i "s/{device: up0}/{device: up0, hook: $2}/" "$TMP/b.yaml"
	sed -i "s/^    guest_device: eth0/&\n    hook: $3/" "$TMP/a.yaml" "$TMP/b.yaml"
}

# whole on|off: whether the router's ports carry super-packets, as a NIC with tunnel TSO does.
whole() {
	on core ethtool -K to-a tx "$1" >/dev/null
	on core ethtool -K to-b tx "$1" >/dev/null
}

reload_both() { reload a && reload b; }
counter() { on "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'; }
errors() {
	local i name
	for i in "${INSTANCES[@]}"; do
		for name in TcpInCsumErrors UdpInCsumErrors Icmp6InCsumErrors IpInHdrErrors Ip6InHdrErrors; do
			[[ $(counter "$i" $name) == 0 ]] || echo "$i: $name $(counter "$i" $name)"
		done
	done
}

# works WHAT: pings and transfers between all, both families, both ways.
works() {
	local pair from to
	for pair in 'red-1 red-3' 'red-3 red-1' 'red-1 red-2'; do
		read -r from to <<<"$pair"
		ok "$1: $from reaches $to" reaches "$from" "$to"
		ok "$1: $from to $to, TCP over IPv4" transfer "$from" "$to" "$(ip4 "$to")"
		ok "$1: $from to $to, TCP over IPv6" transfer "$from" "$to" "$(ip6 "$to")"
	done
}

# watched NAMESPACE DEVICE BYTES FILTER FROM TO ADDRESS: captures a transfer, so many bytes of each frame.
watched() {
	local watcher
	background "$1" "$TMP/capture" tcpdump -n -i "$2" -s "$3" -U --immediate-mode -w "$TMP/wire.pcap" "$4"
	watcher=$!
	soon 5 grep -q 'listening on' "$TMP/capture"
	transfer "$5" "$6" "$7" >"$TMP/output" 2>&1 || echo "the transfer failed"
	end "$watcher" INT
}

# biggest as above, without BYTES: the longest frame during a transfer.
biggest() {
	watched "$1" "$2" 128 "${@:3}"
	tcpdump -n -e -r "$TMP/wire.pcap" 2>/dev/null | sed -n 's/.* length \([0-9]*\): .*/\1/p' |
		sort -n | tail -n 1
}

# sums: what a dissector says of the inner checksums in the last capture, "good N bad N".
sums() {
	tshark -r "$TMP/wire.pcap" -o tcp.check_checksum:TRUE -T fields -e tcp.checksum.status 2>/dev/null |
		awk '/^1/ { good++ } /^0/ { bad++ } END { printf "good %d bad %d\n", good, bad }'
}

# ---- tcx everywhere --------------------------------------------------------

hooks tcx tcx auto
whole on
for h in a b; do agent_launch $h; done
for h in a b; do soon 20 agent_ready $h; done
is "auto chooses tcx for a veth" "$(ask a .hook vport show red-1)" tcx
has "and says why" "$(ask a .why vport show red-1)" 'super-packets'
is "the uplink is tcx by name" "$(ask a .hook vport show up0)" tcx
is "the guest keeps its checksum offload" \
	"$(on red-1 ethtool -k eth0 | awk '/tx-checksum-ip-generic/ { print $2 }')" on
gro_is_on() { on b ethtool -k up0 | grep -q '^generic-receive-offload: on'; }
on b ethtool -K up0 gro off
ok "the uplink's NAPI, which first packets need, is kept" soon 10 gro_is_on
works "tcx and tcx"

for ENCAP in '{kind: vxlan}' '{kind: geneve}' '{kind: gre}'; do
	for UNDERLAY in 4 6; do
		hooks tcx tcx auto
		ok "$ENCAP over IPv$UNDERLAY: reloads" reload_both
		ok "$ENCAP over IPv$UNDERLAY: red-1 reaches red-3" reaches red-1 red-3
		filter=udp
		[[ $ENCAP != *gre* ]] || filter='ip proto 47 or ip6 proto 47'
		number "$ENCAP over IPv$UNDERLAY: the longest frame on the wire, IPv4 inside" \
			"$(biggest core to-b "$filter" red-1 red-3 "$(ip4 red-3)")" -gt 9000
		number "$ENCAP over IPv$UNDERLAY: the longest frame on the wire, IPv6 inside" \
			"$(biggest core to-b "$filter" red-3 red-1 "$(ip6 red-1)")" -gt 9000
	done
done
ENCAP='{kind: vxlan}' UNDERLAY=4
hooks tcx tcx auto
ok "VXLAN again" reload_both
number "the longest frame at the receiver, IPv4" \
	"$(biggest red-3 eth0 tcp red-1 red-3 "$(ip4 red-3)")" -gt 9000
number "the longest frame at the receiver, IPv6" \
	"$(biggest red-3 eth0 tcp red-1 red-3 "$(ip6 red-3)")" -gt 9000
is "no checksum was wrong" "$(errors)" ""

# ---- the wire carries MTU-sized frames only --------------------------------

whole off
number "segmented before the wire: the longest frame" \
	"$(biggest core to-b udp red-1 red-3 "$(ip4 red-3)")" -le 1564
for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
	watched core to-b 0 "udp and dst host $(host4 b)" red-1 red-3 "$address"
	has "the inner checksums of each segment, to $address" "$(sums)" 'good [0-9]{4,} bad 0'
done
works "segmented before the wire"
has "b has a tunnel's socket, for GRO" "$(on b ss -Hlnu)" ':4789'
number "put together again behind the tunnel: the longest frame at the receiver, IPv4" \
	"$(biggest red-3 eth0 tcp red-1 red-3 "$(ip4 red-3)")" -gt 3000
number "put together again behind the tunnel: the longest frame at the receiver, IPv6" \
	"$(biggest red-3 eth0 tcp red-1 red-3 "$(ip6 red-3)")" -gt 3000
is "no checksum was wrong" "$(errors)" ""

# ---- mixed -----------------------------------------------------------------

hooks tcx xdp auto
ok "an XDP uplink at b: reloads" reload_both
is "b's uplink is xdp now" "$(ask b .hook vport show up0)" xdp
works "tcx vports, one XDP uplink"
hooks xdp xdp auto
ok "XDP uplinks: reloads" reload_both
works "tcx vports, XDP uplinks"
hooks tcx tcx xdp
ok "XDP vports: reloads" reload_both
is "red-1 is xdp now" "$(ask a .hook vport show red-1)" xdp
is "the guest finishes its checksums" \
	"$(on red-1 ethtool -k eth0 | awk '/tx-checksum-ip-generic/ { print $2 }')" off
works "XDP vports, tcx uplinks"
is "no checksum was wrong" "$(errors)" ""

# ---- a change under traffic ------------------------------------------------

hooks xdp xdp xdp
ok "XDP everywhere: reloads" reload_both
stream there red-1 red-3 "$(ip4 red-3)" 500
stream_moves there
for to in tcx xdp tcx; do
	hooks $to $to $to
	ok "under traffic, all hooks become $to" reload_both
	is "they have" "$(ask a .hook vport show red-1) $(ask b .hook vport show up0)" "$to $to"
	ok "the stream goes on" stream_moves there 200
done
is "not a packet was lost" "$(stream_end there)" "lost 0 twice 0 late 0"
is "the guest has its checksum offload back" \
	"$(on red-1 ethtool -k eth0 | awk '/tx-checksum-ip-generic/ { print $2 }')" on
is "and its TSO" \
	"$(on red-1 ethtool -k eth0 | awk '/tx-tcp-segmentation/ { print $2 }')" on
is "no checksum was wrong" "$(errors)" ""
books_close

# ---- the end ---------------------------------------------------------------

agent_stop a
agent_start a
ok "after a restart: red-1 reaches red-3" reaches red-1 red-3
agent_stop a
ok "teardown" on a "$BUILD/mirachd" --config "$TMP/a.yaml" --teardown
is "no device is left" "$(on a ip -br link | grep -c mirach || true)" 0
is "no program is left on the vport's device" "$(on a bpftool net show dev red-1 | grep -c mirach || true)" 0
finish
