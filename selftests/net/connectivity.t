#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# connectivity.t - everybody reaches everybody, however it is carried
#
#	red-1 (0.11) --+-- a ======== core ======== b --+-- red-3 (0.13)
#	red-2 (0.12) --+     VXLAN, Geneve, GRE         +-- red-4 (1.14, second subnet)
#	                     over IPv4 and IPv6
#
# One ping (all of its requests answered, the very first too) and one TCP
# transfer (content compared) per inner family, encapsulation, underlay family
# and place. The encapsulation changes by reload, so that is tested on the way.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
instance red-4 b red 1.14
start

carried() { # KIND UNDERLAY: what the router sees is what was asked for
	local filter
	case $1 in
	vxlan) filter='udp dst port 4789' ;;
	geneve) filter='udp dst port 6081' ;;
	gre) [[ $2 == 4 ]] && filter='ip proto 47' || filter='ip6 proto 47' ;;
	esac
	[[ $2 == 4 ]] && filter="ip and $filter" || filter="ip6 and $filter"
	background core "$TMP/tcpdump" timeout 60 tcpdump -n -i to-a -c 4 --immediate-mode "$filter"
	local pid=$!
	soon 5 grep -q 'listening on' "$TMP/tcpdump"
	reaches red-1 red-3 2
	wait "$pid"
}

both_families() { # WHAT FROM TO
	local family address
	for family in 4 6; do
		address=$("ip$family" "$3")
		ok "$1: ping over IPv$family" pings "$2" "$address"
		ok "$1: TCP over IPv$family" transfer "$2" "$3" "$address"
	done
}

for kind in vxlan geneve gre; do
	for UNDERLAY in 4 6; do
		ENCAP="{kind: $kind}"
		configure
		for h in "${HOSTS[@]}"; do
			ok "$kind over IPv$UNDERLAY: host $h reloads" reload "$h"
		done
		ok "$kind over IPv$UNDERLAY: is on the wire" carried "$kind" "$UNDERLAY"
		both_families "$kind over IPv$UNDERLAY, other host" red-1 red-3
		both_families "$kind over IPv$UNDERLAY, same host" red-2 red-1
		both_families "$kind over IPv$UNDERLAY, back, across subnets" red-4 red-2
	done
done

for i in red-1 red-4; do
	ok "$i reaches its gateway over IPv4" pings "$i" "$(gateway4 $i)"
	ok "$i reaches its gateway over IPv6" pings "$i" "$(gateway6 $i)"
done

# A neighbour that went stale is asked by unicast, from whatever source the guest likes.
confirmed() { [[ $(on red-1 ip neigh show "$1" dev eth0) == *REACHABLE* ]]; }
probe() {
	on red-1 ip neigh replace "$1" dev eth0 lladdr "$(on red-1 ip neigh show "$1" dev eth0 |
		sed 's/.*lladdr \([^ ]*\).*/\1/')" nud probe
	soon 4 confirmed "$1"
}
ok "a stale IPv4 neighbour is confirmed" probe "$(ip4 red-2)"
ok "a stale IPv6 neighbour is confirmed" probe "$(ip6 red-2)"
ok "a stale IPv6 gateway is confirmed" probe "$(gateway6 red-1)"

# A TTL of one is enough inside a subnet, and not across the gateway.
last_hop() { answered "$1" "$2" 2 -t 1; }
for family in 4 6; do
	ok "IPv$family with a TTL of 1 arrives in the same subnet" last_hop red-1 "$("ip$family" red-3)"
	before=$(used b red-4 replied)
	fails "IPv$family with a TTL of 1 does not cross the gateway" last_hop red-4 "$("ip$family" red-2)"
	number "and the gateway says so" $(($(used b red-4 replied) - before)) -ge 1
done

books_close
finish
