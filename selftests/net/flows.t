#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# flows.t - the life of a flow: opened in a burst, flushed under traffic, aged
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#
# A sample rule makes UDP ports count, so every source port is a flow.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

LIMITS='{flows: 65536, flow_idle: 3s}'
SAMPLES='[{network: red, protocol: udp, port: 9000, rate: 1000000}]'
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start
ok "red-1 reaches red-3" reaches red-1 red-3

count() { ask "$1" .total flow list "${@:2}"; }
one() { ask a "[.flows[] | select(.src == \"$(ip4 red-1)\")][0].$1" flow list --proto icmp; }
is "a ping is one flow out" "$(count a --vport red-1 --dst "$(ip4 red-3)")" 1
is "and one flow back" "$(count a --network red --src "$(ip4 red-3)")" 1
is "it counts packets" "$(one packets)" 3
is "and bytes of the inner frame" "$(one bytes)" $((3 * 98))
is "by the 3-tuple" "$(one tuple)" 3

# 800 flows at once: no first packet is lost.
N=800
background red-3 "$TMP/burst.recv" "$PYTHON" "$NET/stream.py" receive "$(ip4 red-3)" 7000 $N
soon 5 grep -q listening "$TMP/burst.recv"
burst() {
	on red-1 "$PYTHON" - "$(ip4 red-3)" "$N" <<-'EOF'
	import resource, socket, sys
	resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
	socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(sys.argv[2]))]
	for n, sock in enumerate(socks):
	    sock.sendto(n.to_bytes(4, "big") + bytes(60), (sys.argv[1], 7000))
	EOF
}
ok "red-1 opens $N flows at once" burst
result=$(stream_result burst)
has "not one first packet is lost ($result)" "$result" "^received $N lost 0 twice 0"
number "they are in the table" "$(count a --vport red-1 --proto udp)" -ge $N

# Flushed under traffic: the next packet is a miss again, and none is lost.
stream flushed red-2 red-3 "$(ip4 red-3)" 500
flush() { ctl a flow flush --all && ctl b flow flush --all; }
ok "a stream has begun" stream_moves flushed
for round in 1 2 3 4 5; do
	ok "round $round: flows of both hosts are flushed" flush
	ok "round $round: the stream goes on" stream_moves flushed 150
done
is "red-2's flow is there again" "$(count a --vport red-2 --proto udp)" 1
has "the stream" "$(stream_end flushed)" '^lost 0 twice 0'

# Idle flows go, busy ones stay.
stream busy red-2 red-3 "$(ip4 red-3)" 200
ok "red-1 reaches red-3" reaches red-1 red-3
is "four idle flows, out and back, two families" "$(($(count a --proto icmp) + $(count a --proto icmpv6)))" 4
alone() { [[ $(count a) == 1 && $(count a --vport red-2 --proto udp) == 1 ]]; }
ok "idle flows age, the busy one stays" soon 9 alone
number "flows aged" "$(ask a .flows.aged status)" -ge 4
is "the busy stream" "$(stream_end busy)" "lost 0 twice 0 late 0"
ok "red-1 reaches red-3 as ever" reaches red-1 red-3
books_close
finish
