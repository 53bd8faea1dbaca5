#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# miss_flood.t - one guest's scan does not starve its neighbour
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#
# red-1 sends to a new random address with every packet. Beyond its rate of new
# flows that is miss_limit, and its own affair: red-2, on the same host and with
# the same agent, keeps opening connections to red-3 and moving data, and not a
# packet of it is dropped.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

LIMITS='{flows: 65536, miss_rate: 1000, miss_burst: 100}'
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start
ok "before: red-1 reaches red-3" reaches red-1 red-3
ok "before: red-2 reaches red-3" reaches red-2 red-3

cat >"$TMP/flood.py" <<'EOF'
"""Frames to random addresses for four seconds, at most 20,000 a second, over a raw socket."""
import random, socket, struct, sys, time

def packet(src):
    dst = random.randbytes(4)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 48, 0, 0, 64, 17, 0, src, b"\x0b" + dst[1:])
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    total = ~((total & 0xffff) + (total >> 16)) & 0xffff
    return head[:10] + struct.pack("!H", total) + head[12:] + struct.pack("!HHHH", 1, 9, 28, 0) + bytes(20)

sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sock.bind(("eth0", 0))
src, gateway, mine = socket.inet_aton(sys.argv[1]), bytes.fromhex("02005e000001"), bytes.fromhex(sys.argv[2])
sent, begin = 0, time.monotonic()
while (now := time.monotonic() - begin) < 4:
    for _ in range(20):
        sock.send(gateway + mine + b"\x08\x00" + packet(src))
        sent += 1
    time.sleep(max(0, sent / 20000 - now))
print(sent)
EOF

opens_connections() { # one after the other for three seconds; says how many worked and failed
	on red-2 "$PYTHON" - "$(ip4 red-3)" <<-'EOF'
	import socket, sys, time
	good = bad = 0
	slowest = 0.0
	end = time.monotonic() + 3
	while time.monotonic() < end:
	    begin = time.monotonic()
	    try:
	        with socket.create_connection((sys.argv[1], 5001), timeout=2) as c:
	            good += c.recv(10) == b"hello\n"
	    except OSError:
	        bad += 1
	    slowest = max(slowest, time.monotonic() - begin)
	    time.sleep(0.02)
	print(f"good {good} bad {bad} slowest_ms {slowest * 1000:.0f}")
	EOF
}

background red-3 "$TMP/hello" socat TCP-LISTEN:5001,fork,reuseaddr SYSTEM:'echo hello'
background red-1 "$TMP/flood" "$PYTHON" "$TMP/flood.py" "$(ip4 red-1)" "$(mac red-1 | tr -d :)"
flood=$!
ok "the flood has begun" soon 3 drops_more_than a red-1 miss_limit 0
opens_connections >"$TMP/connections" &
opener=$!
ok "red-2 transfers a file meanwhile" transfer red-2 red-3 "$(ip4 red-3)"
ok "red-2 opens flows of new protocols and families meanwhile" reaches red-2 red-3 10
wait $opener
result=$(<"$TMP/connections")
has "none of red-2's connections failed ($result)" "$result" ' bad 0 '
read -r _ good _ <<<"$result"
number "how many it opened" "$good" -gt 20
wait $flood || true

sent=$(<"$TMP/flood")
number "the flood sent" "$sent" -gt 5000
dropped=$(dropped a red-1 miss_limit)
number "most of it was dropped as miss_limit" "$dropped" -gt $((sent / 2))
number "the rest took no more misses than its rate allows" \
	"$(($(used a red-1 punted) - 20))" -lt $((4 * 1000 + 100 + 1000))
is "nothing of red-2 was, nor dropped for another reason" \
	"$(ask a '.ports[] | select(.name == "red-2") | .drops | tojson' drops)" "{}"
is "nor overflowed the hub" "$(ask a .hub.overflow drops)" 0
books_close
finish
