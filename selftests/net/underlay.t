#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# underlay.t - the way to the other host changes, and flows follow
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
#	                 up0    .1 and, later, .9
#
# Next hops are shared and resolved by the kernel's routes and neighbours. When
# those change, the flow table does not: only the next hop is rewritten.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13
start
ok "red-1 reaches red-3" reaches red-1 red-3

tunnel() { ask "$1" ".nexthops[] | select(.kind == \"tunnel\" or .kind == \"down\") | .$2" nexthop list; }
tunnel_is() { [[ $(tunnel a "$1") == "$2" ]]; }
is "the next hop goes by the gateway" "$(tunnel a gateway)" 192.0.2.1
is "the flow table holds" "$(ask a .total flow list --vport red-1)" 2

# The router gets another MAC, and says so as routers do.
on core ip link set dev to-a address 02:aa:00:00:00:01
on core ip neigh flush dev to-a
on a ip neigh replace 192.0.2.1 dev up0 lladdr 02:aa:00:00:00:01 nud stale
ok "the router's new MAC is taken over" soon 5 tunnel_is mac 02:aa:00:00:00:01
ok "red-1 reaches red-3" soon 5 reaches red-1 red-3

# Another gateway.
on core ip addr add 192.0.2.9/24 dev to-a
on a ip route replace 198.51.100.0/24 via 192.0.2.9
ok "a better route is taken" soon 5 tunnel_is gateway 192.0.2.9
ok "red-1 reaches red-3" soon 5 reaches red-1 red-3

# No route at all.
on a ip route replace unreachable 198.51.100.0/24
ok "no route: the next hop says so" soon 5 tunnel_is state no_route
before=$(dropped a red-1 nexthop_down)
ok "no route: red-1 does not reach red-3" no_ping red-1 "$(ip4 red-3)"
is "its packets are dropped as nexthop_down" "$(($(dropped a red-1 nexthop_down) - before))" 2
on a ip route del unreachable 198.51.100.0/24
ok "the default route serves again" soon 5 tunnel_is gateway 192.0.2.1
ok "red-1 reaches red-3" soon 5 reaches red-1 red-3

# A route that narrows the path.
on a ip route replace 198.51.100.0/24 via 192.0.2.1 mtu lock 1400
ok "the route's MTU counts: 1400 less 50" soon 5 tunnel_is mtu 1350
fits() { answered red-1 "$(ip4 red-3)" 2 -M "do" -s $(($1 - 28)); }
ok "1350 bytes fit" fits 1350
fails "1351 do not" fits 1351
on a ip route del 198.51.100.0/24

# The neighbour does not answer.
on core ip link set dev to-a arp off
on core ip link set dev to-a address 02:aa:00:00:00:02
on a ip neigh flush dev up0
silent() { ! tunnel_is state ready; }
ok "a silent router: not ready" soon 15 silent
on core ip link set dev to-a arp on
ok "and ready when it speaks again" soon 15 tunnel_is mac 02:aa:00:00:00:02
ok "red-1 reaches red-3" soon 5 reaches red-1 red-3

is "through all of this the flows are the same" "$(ask a '.flows.deleted + .flows.evicted' status)" 0
books_close
finish
