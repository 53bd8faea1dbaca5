#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# generic.t - generic XDP, by name only, works and is said to be slow
#
#	red-1 (0.11, generic) --+-- a ==== core ==== b --- red-3 (0.13, native)
#	red-2 (0.12, native)  --+  uplink generic
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

VPORT_MORE['red-1']='xdp_mode: generic'
VPORT_MORE['red-2']='hook: xdp'
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start
sed -i 's/{device: up0}/{device: up0, xdp_mode: generic}/' "$TMP/a.yaml"
agent_stop a
on a "$BUILD/mirachd" --config "$TMP/a.yaml" --teardown
ok "the agent starts with a generic uplink and vport" agent_start a

is "red-1 is generic" "$(ask a .mode vport show red-1)" generic
has "and says why" "$(ask a .why vport show red-1)" generic
is "red-2 is not" "$(ask a .mode vport show red-2)" native
is "the kernel agrees about red-1" "$(on a ip -j link show dev red-1 | jq '.[].xdp.mode')" 2
is "and about red-2" "$(on a ip -j link show dev red-2 | jq '.[].xdp.mode')" 1
has "the log warns" "$(<"$TMP/a.log")" 'warn .*(generic|slow)'
for pair in 'red-1 red-2' 'red-2 red-1' 'red-1 red-3' 'red-3 red-1' 'red-2 red-3'; do
	read -r from to <<<"$pair"
	ok "$from reaches $to" reaches "$from" "$to"
	ok "$from to $to: TCP" transfer "$from" "$to" "$(ip4 "$to")"
done
books_close
finish
