#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# table_full.t - more flows than the table holds: no packet is lost without a name
#
#	red-1 (0.11) --+-- a ==== core ==== b --+-- red-3 (0.13)
#	red-2 (0.12) --+     512 flows each     +-- red-4 (0.14)
#
# red-1 opens 3,000 flows to red-3 (a sample rule makes ports count, so each
# source port is a flow) while red-2 keeps a steady stream to red-4. Who has the
# most flows makes room: red-2's flow stays the one it was.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

LIMITS='{flows: 512}'
SAMPLES='[{network: red, protocol: udp, port: 9000, rate: 1000000}]'
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
instance red-4 b red 14
start
ok "before: red-1 reaches red-3" reaches red-1 red-3
ok "before: red-2 reaches red-4" reaches red-2 red-4

steady_age() {
	ask a '[.flows[] | select(.proto == "udp")][0].age_s // 0 | floor' \
		flow list --vport red-2 --dst "$(ip4 red-4)"
}
stream steady red-2 red-4 "$(ip4 red-4)" 250
ok "the steady stream has begun" stream_moves steady 50

N=3000
opens_flows() { # one packet per source port, 1,000 a second
	on red-1 "$PYTHON" - "$(ip4 red-3)" "$N" <<-'EOF'
	import socket, sys, time
	begin = time.monotonic()
	for n in range(int(sys.argv[2])):
	    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	    sock.bind(("", 20000 + n))
	    sock.sendto(n.to_bytes(4, "big") + bytes(60), (sys.argv[1], 7000))
	    sock.close()
	    time.sleep(max(0, begin + n / 1000 - time.monotonic()))
	EOF
}
background red-3 "$TMP/many.recv" "$PYTHON" "$NET/stream.py" receive "$(ip4 red-3)" 7000 $N
soon 5 grep -q listening "$TMP/many.recv"
ok "red-1 opens $N flows" opens_flows
result=$(stream_result many)
read -r _ received _ <<<"$result"
named=$(($(dropped a red-1 table_full) + $(dropped b up0 table_full)))
is "each of red-1's packets arrived or was dropped as table_full ($result)" \
	"$((received + named))" "$N"
number "most of them arrived" "$received" -gt $((N * 9 / 10))
number "flows were evicted on host a" "$(ask a .flows.evicted status)" -gt 1000
number "flows were evicted on host b" "$(ask b .flows.evicted status)" -gt 1000
number "the table stays within its limit" "$(ask a .flows.published status)" -le 512
number "the steady flow was not evicted: age in seconds" "$(steady_age)" -ge 3
is "the steady stream" "$(stream_end steady)" "lost 0 twice 0 late 0"
books_close
finish
