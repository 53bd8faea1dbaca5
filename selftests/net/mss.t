#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# mss.t - TCP agrees on segments that fit, where nobody listens to ICMP
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
#	        1500         1500                 1500
#
# Guests believe in 1500 bytes, the tunnel takes 1450, and nobody tells them, for they do
# without path MTU discovery. Connections hang, until mss_clamp is on at one end.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

UNDERLAY_MTU=1500
hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13

# IPv4 without path MTU discovery: no DF, and so no answer to what is too big.
for i in red-1 red-3; do
	on $i sysctl -qw net.ipv4.ip_no_pmtu_disc=1 net.ipv4.tcp_mtu_probing=0
done

# hangs FROM TO ADDRESS: the connection opens, and no full segment arrives.
hangs() {
	local receiver sender
	background "$2" "$TMP/socat" socat -u "TCP6-LISTEN:5001,reuseaddr,ipv6only=0" "CREATE:$TMP/arrived"
	receiver=$!
	payload
	background "$1" "$TMP/sender" socat -u "OPEN:$TMP/payload" "TCP:$3:5001,retry=100,interval=0.05"
	sender=$!
	soon 10 test -e "$TMP/arrived" && soon 10 sends_again "$1" && [[ ! -s $TMP/arrived ]] || return 1
	end "$sender" && end "$receiver"
}
sends_again() { on "$1" ss -Hti 'dport = 5001' | grep -q retrans:; }

# clamped: the MSS values in the SYNs that red-3 sees and sends, while red-1 connects.
segment_sizes() { # ADDRESS
	capture red-3 -i eth0 -v 'tcp[tcpflags] & tcp-syn != 0 or (ip6 and ip6[6] == 6)'
	transfer red-1 red-3 "$1" >"$TMP/output" 2>&1 || cat "$TMP/output"
	end_capture
	grep -oE 'mss [0-9]+' "$TMP/seen" | sort -u | tr '\n' ' '
}

for hook in xdp tcx; do
	HOOK=$hook UPLINK_MORE=", hook: $hook"
	VPORT_MORE=()
	if [[ $hook == xdp ]]; then
		start
		ok "without mss_clamp large segments vanish" hangs red-1 red-3 "$(ip4 red-3)"
	fi
	VPORT_MORE['red-1']='mss_clamp: true'
	configure
	ok "$hook: mss_clamp at red-1 alone: host a reloads" reload a
	ok "$hook: and host b" reload b
	has "$hook: red-3 sees a SYN that fits, IPv4" "$(segment_sizes "$(ip4 red-3)")" 'mss 1410'
	ok "$hook: TCP over IPv4, red-1 to red-3" transfer red-1 red-3 "$(ip4 red-3)"
	ok "$hook: TCP over IPv6, red-1 to red-3" transfer red-1 red-3 "$(ip6 red-3)"
	ok "$hook: TCP over IPv4, red-3 to red-1" transfer red-3 red-1 "$(ip4 red-1)"
	ok "$hook: TCP over IPv6, red-3 to red-1" transfer red-3 red-1 "$(ip6 red-1)"
	has "$hook: and IPv6" "$(segment_sizes "$(ip6 red-3)")" 'mss 1390'
	has "$hook: the flow has the stage" "$(ask a '.flows[] | select(.proto == "tcp") | .stages | join(" ")' flow list)" mss
	VPORT_MORE['red-1']='mss_clamp: 1000'
	configure
	ok "$hook: mss_clamp 1000: host a reloads" reload a
	has "$hook: red-3 sees 1000" "$(segment_sizes "$(ip4 red-3)")" 'mss 1000'
done
is "no checksum was wrong" "$(on red-3 nstat -asz TcpInCsumErrors | awk '/Csum/ { print $2 }')" 0
is "nowhere" "$(on red-1 nstat -asz TcpInCsumErrors | awk '/Csum/ { print $2 }')" 0
books_close
finish
