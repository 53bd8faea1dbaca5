#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# sample.t - sampled packets are the ones asked for, and no packet pays for it
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
#
# All of TCP port 5000 is sampled, and one in ten of UDP port 7000.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

SAMPLES='[{network: red, protocol: tcp, port: 5000, rate: 1}, {network: red, protocol: udp, port: 7000, rate: 10}]'
hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13
start
ok "before: red-1 reaches red-3" reaches red-1 red-3
is "pings are not sampled" "$(ask a '.samples | length' samples)" 0

stream udp red-1 red-3 "$(ip4 red-3)" 1000 1000
is "the sampled stream" "$(stream_result udp)" "received 1000 lost 0 twice 0 late 0"
sampled() { ask a '[.samples[] | select(.rate == 10)] | length' samples --max 256; }
number "one in ten of it was sampled, more or less" "$(sampled)" -gt 60
number "and not many more" "$(sampled)" -lt 150

ok "a file over TCP port 5000" transfer red-1 red-3 "$(ip4 red-3)"
one=$(ask a '[.samples[] | select(.port == "red-1" and .rate == 1)][-1] | .bytes' samples --max 256)
is "a sample is the frame as the guest sent it: IPv4" "${one:24:4}" 0800
is "its source" "${one:52:8}" "$(printf '%02x%02x%02x%02x' 10 0 0 11)"
is "its destination" "${one:60:8}" "$(printf '%02x%02x%02x%02x' 10 0 0 13)"
is "TCP" "${one:46:2}" 06
number "frames from the fabric are sampled on the other host" \
	"$(ask b '[.samples[] | select(.rate == 1)] | length' samples --max 256)" -gt 0
ok "TCP port 5002 works" transfer red-1 red-3 "$(ip4 red-3)" 5002
is "and is not sampled" "$(ask a '[.flows[] | select(.dport == 5002 or .sport == 5002)
	| select(.stages | index("sample"))] | length' flow list)" 0
books_close
finish
