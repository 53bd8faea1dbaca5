#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tcp.t - TCP runs, does not crawl, and no checksum is ever wrong
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#
# A veth whose other end carries XDP delivers frames as their sender left them:
# had the guest left checksums to the "hardware", ping would work and TCP would
# crawl. So: iperf3 in both directions, both families, same and other host, and
# not one checksum error anywhere. The bounds on speed only tell walking from crawling.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start

# iperf FROM TO ADDRESS [OPTION...]: Mbit/s that arrived.
iperf() {
	local from=$1 to=$2 address=$3
	shift 3
	background "$to" "$TMP/iperf3" timeout 60 iperf3 --server --one-off --port 5201
	soon 5 listening "$to" --tcp 5201
	on "$from" timeout 60 iperf3 --client "$address" --port 5201 --time 2 --json "$@" |
		jq '.end.sum_received.bits_per_second / 1e6 | floor'
}

for family in 4 6; do
	there=$("ip$family" red-3) near=$("ip$family" red-2)
	number "IPv$family to the other host, Mbit/s" "$(iperf red-1 red-3 "$there")" -gt 100
	number "IPv$family from the other host, Mbit/s" "$(iperf red-1 red-3 "$there" --reverse)" -gt 100
	number "IPv$family on the same host, Mbit/s" "$(iperf red-1 red-2 "$near")" -gt 100
	number "IPv$family, four connections both ways, Mbit/s" \
		"$(iperf red-1 red-3 "$there" --bidir --parallel 2)" -gt 50
done

counter() { on "$1" nstat -asz "$2" | awk -v name="$2" '$1 == name { print $2 }'; }
for i in "${INSTANCES[@]}"; do
	for name in TcpInCsumErrors UdpInCsumErrors IpInHdrErrors Ip6InHdrErrors TcpExtTCPAbortOnTimeout; do
		is "$i: $name" "$(counter "$i" $name)" 0
	done
done
books_close
finish
