#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# pmtu.t - guests that know nothing of the encapsulation find the size that fits
#
#	red-1 (MTU 1500) ---- a ==== core, MTU 1500 ==== b ---- red-2 (MTU 1500)
#
# The overlay carries 1450 bytes over IPv4. The virtual gateway tells senders so
# (ICMP "fragmentation needed", ICMPv6 "packet too big"), and TCP goes on with that size.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

# shellcheck disable=SC2034 # read by the fabric
UNDERLAY_MTU=1500
hosts a b
network red 100
instance red-1 a red 11
instance red-2 b red 12
start

too_big() { # INSTANCE ADDRESS SIZE: what a ping that may not be fragmented is told
	on "$1" ping -M do -c 2 -i 0.3 -W 1 -s "$3" "$2" >"$TMP/ping" 2>&1 || true
	sed -nE 's/.*mtu ?[=:] ?([0-9]+).*/\1/p' "$TMP/ping" | tail -n 1
}

is "IPv4 packet of 1500 bytes: the size that fits" "$(too_big red-1 "$(ip4 red-2)" 1472)" 1450
is "IPv6 packet of 1500 bytes: the size that fits" "$(too_big red-1 "$(ip6 red-2)" 1452)" 1450
ok "IPv4 packet of 1450 bytes arrives" on red-1 ping -q -M do -c 1 -W 2 -s 1422 "$(ip4 red-2)"
ok "IPv6 packet of 1450 bytes arrives" on red-1 ping -q -M do -c 1 -W 2 -s 1402 "$(ip6 red-2)"

for family in 4 6; do
	ok "IPv$family transfer between guests that believe in 1500" transfer red-1 red-2 "$("ip$family" red-2)"
done
books_close
finish
