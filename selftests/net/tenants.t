#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tenants.t - two tenants with the same addresses know nothing of each other
#
#	red-1  (0.11) --+-- a ==== core ==== b --+-- red-2  (0.12), red-3 (0.13)
#	blue-1 (0.11) --+                        +-- blue-2 (0.12)
#
# Every instance answers TCP port 80 with its own name. Whoever asks 10.0.0.12
# must hear from the instance of its own network; 10.0.0.13 exists in red only.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
network blue 200
instance red-1 a red 11
instance blue-1 a blue 11
instance red-2 b red 12
instance blue-2 b blue 12
instance red-3 b red 13
start

for i in "${INSTANCES[@]}"; do
	background "$i" "$TMP/name-$i" socat TCP6-LISTEN:80,fork,reuseaddr,ipv6only=0 "SYSTEM:echo $i"
done
for i in "${INSTANCES[@]}"; do
	soon 5 listening "$i" --tcp 80
done

who() { # FROM ADDRESS: who answers
	local family=4 address=$2
	[[ $2 == *:* ]] && family=6 address="[$2]"
	on "$1" timeout 3 socat -u "TCP$family:$address:80,connect-timeout=2" - 2>/dev/null ||
		echo nobody
}

for tenant in red blue; do
	for family in 4 6; do
		there=$("ip$family" $tenant-2)
		back=$("ip$family" $tenant-1)
		is "$there is $tenant-2 for $tenant-1" "$(who $tenant-1 "$there")" $tenant-2
		is "$back is $tenant-1 for $tenant-2" "$(who $tenant-2 "$back")" $tenant-1
		ok "$tenant-1 pings $there" pings $tenant-1 "$there"
	done
done

# Ping one tenant, watch the other.
seen_by() { # INSTANCE COMMAND...: packets of tenants' addresses that reach it meanwhile
	local i=$1
	shift
	capture "$i" -i eth0 -Q in icmp or icmp6 and not ip6 multicast
	"$@" >"$TMP/command" 2>&1
	end_capture
	grep -c 'echo request' "$TMP/seen" || true
}
is "blue-2 sees nothing of red's pings" "$(seen_by blue-2 pings red-1 "$(ip4 red-2)" 5)" 0
is "red-2 sees all of red's pings" "$(seen_by red-2 pings red-1 "$(ip4 red-2)" 5)" 5

# What exists in red only.
ok "red-1 reaches red-3" reaches red-1 red-3
before=$(dropped a blue-1 arp_unknown)
ok "blue-1 does not reach red-3 over IPv4" no_ping blue-1 "$(ip4 red-3)"
number "its ARP is dropped as arp_unknown" "$(dropped a blue-1 arp_unknown)" -gt "$before"
before=$(dropped a blue-1 nd_unknown)
ok "blue-1 does not reach red-3 over IPv6" no_ping blue-1 "$(ip6 red-3)"
number "its Neighbour Solicitation is dropped as nd_unknown" "$(dropped a blue-1 nd_unknown)" -gt "$before"

# Knowing the MAC does not help.
on blue-1 ip neigh replace "$(ip4 red-3)" dev eth0 lladdr "$(mac red-3)"
on blue-1 ip neigh replace "$(ip6 red-3)" dev eth0 lladdr "$(mac red-3)"
before=$(dropped a blue-1 no_route)
is "red-3 sees nothing of a blue ping to its address and MAC" \
	"$(seen_by red-3 no_ping blue-1 "$(ip4 red-3)")" 0
ok "nor over IPv6" no_ping blue-1 "$(ip6 red-3)"
is "all four requests are dropped as no_route" "$(($(dropped a blue-1 no_route) - before))" 4

books_close
finish
