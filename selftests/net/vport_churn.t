#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vport_churn.t - devices come late, change names, go and come back
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#
# red-1's device does all of that while red-2 and red-3 keep a numbered stream in
# each direction, of which nothing may be lost. A slot belongs to the
# declaration: red-1 is itself again each time, with its counters.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
declare_instance red-1 a red 11
namespace red-1
instance red-2 a red 12
instance red-3 b red 13

state() { ask "$1" .state vport show "$2"; }
in_state() { [[ $(state a red-1) == "$1" ]]; }

configure
agent_launch a
agent_start b
ok "the agent starts without red-1's device" soon 20 agent_settled a
is "and says so" "$(state a red-1)" absent
slot=$(ask a .slot vport show red-1)
ok "red-2 reaches red-3" reaches red-2 red-3
ok "red-2 does not reach red-1" no_ping red-2 "$(ip4 red-1)"
number "its packets are dropped as port_down" "$(dropped a red-2 port_down)" -gt 0

stream there red-2 red-3 "$(ip4 red-3)" 400
stream back red-3 red-2 "$(ip6 red-2)" 400

plug red-1
ok "red-1's device appears: ready" soon 5 in_state ready
ok "red-1 reaches red-3" reaches red-1 red-3
ok "red-2 reaches red-1" reaches red-2 red-1

if on a ip link set dev red-1 name away 2>/dev/null ||
	on a sh -c 'ip link set dev red-1 down && ip link set dev red-1 name away'; then
	ok "renamed: absent" soon 5 in_state absent
	ok "nobody is reached there" no_ping red-2 "$(ip4 red-1)"
	on a ip link set dev away down
	on a ip link set dev away name red-1
	on a ip link set dev red-1 up
	ok "renamed back: ready" soon 5 in_state ready
	ok "red-1 reaches red-3" reaches red-1 red-3
fi

on a ip link set dev red-1 down
on a ip link set dev red-1 up
ok "down and up: ready" soon 5 in_state ready
ok "down and up: red-1 reaches red-3" soon 5 reaches red-1 red-3

for round in 1 2 3 4 5; do
	unplug red-1
	ok "round $round: deleted: absent" soon 5 in_state absent
	plug red-1
	ok "round $round: recreated: ready" soon 5 in_state ready
	ok "round $round: red-3 reaches red-1" reaches red-3 red-1
	ok "round $round: red-2 reaches red-1" reaches red-2 red-1
done
for round in 1 2 3 4 5 6 7 8 9 10; do
	unplug red-1
	plug red-1
done
ok "ten rounds at once: ready" soon 10 in_state ready
ok "ten rounds at once: red-1 reaches red-3" soon 5 reaches red-1 red-3
is "red-1 kept its slot" "$(ask a .slot vport show red-1)" "$slot"

for s in there back; do
	is "stream $s, of other vports" "$(stream_end $s)" "lost 0 twice 0 late 0"
done

# The uplink itself.
on a ip link set dev up0 down
ok "uplink down: red-1 does not reach red-3" no_ping red-1 "$(ip4 red-3)"
ok "uplink down: red-1 reaches red-2" reaches red-1 red-2
on a ip link set dev up0 up
on a ip addr replace "$(host6 a)/64" dev up0 nodad
on a ip route replace default via "${SUBNET4[a]}.1"
on a ip route replace default via 2001:db8:a::1
ok "uplink up: red-1 reaches red-3" soon 10 reaches red-1 red-3
books_close
finish
