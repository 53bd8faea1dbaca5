#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# restart.t - the agent dies and comes back; established traffic never notices
#
#	red-1 (0.11) --+-- a ==== core ==== b --+-- red-3 (0.13)
#	red-2 (0.12) --+                        +-- red-4 (0.14)
#
# Numbered UDP streams run both ways and on the same host while both agents are
# killed, restarted, ended in good order, restarted again. Packets lost: 0. The
# new agent adopts what the old one left, and revalidates it: a rule that went
# away meanwhile is enforced.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
instance red-4 b red 14
start
for pair in 'red-1 red-3' 'red-3 red-1' 'red-1 red-2' 'red-2 red-4'; do
	# shellcheck disable=SC2086
	ok "before: ${pair/ / reaches }" reaches $pair
done
is "the first agent made its own maps" "$(ask a .adopted status)" false

programs() { on a ip -j link show | jq -c '[.[] | select(.xdp) | {ifname, mode: .xdp.mode}] | sort'; }
before=$(programs)

stream there red-1 red-3 "$(ip4 red-3)" 500
stream back red-3 red-1 "$(ip6 red-1)" 500
stream near red-1 red-2 "$(ip4 red-2)" 500
for s in there back near; do
	ok "stream $s has begun" stream_moves $s
done

for signal in KILL TERM; do
	ok "flows of red-2 are flushed" ctl a flow flush --vport red-2
	for h in a b; do
		ok "agent $h is ended with SIG$signal" agent_stop $h $signal
	done
	is "SIG$signal: every program is still attached" "$(programs)" "$before"
	ok "SIG$signal: the streams go on" stream_moves near
	ok "SIG$signal: no agent, and a new flow is not served" no_ping red-2 "$(ip6 red-4)"
	for h in a b; do
		ok "agent $h is started again" agent_start $h
		is "agent $h adopted what was there" "$(ask $h .adopted status)" true
	done
	ok "SIG$signal: now it is" pings red-2 "$(ip6 red-4)"
done
number "packets without a flow and an agent are dropped as no_hub" "$(dropped a hub0-far no_hub)" -gt 0
is "the same programs are attached in the end" "$(programs)" "$before"

for s in there back near; do
	is "stream $s" "$(stream_end $s)" "lost 0 twice 0 late 0"
done

# While the agent is away, red-3 leaves its configuration.
agent_stop a KILL
cp "$TMP/a.yaml" "$TMP/a.good"
grep -v "$(ip4 red-3)/32" "$TMP/a.yaml" >"$TMP/a.new" && mv "$TMP/a.new" "$TMP/a.yaml"
ok "the agent starts with one remote less" agent_start a
before=$(dropped a red-1 no_route)
ok "the flow it adopted for that remote acts no more" no_ping red-1 "$(ip4 red-3)"
number "its packets are dropped as no_route" "$(dropped a red-1 no_route)" -gt "$before"
ok "the same instance's other address is served" pings red-1 "$(ip6 red-3)"

cp "$TMP/a.good" "$TMP/a.yaml"
ok "with it again: reloads" reload a
ok "red-1 reaches red-3" reaches red-1 red-3

# While the agent is away, red-2's device is replaced.
agent_stop a KILL
unplug red-2
plug red-2
ok "the agent starts" agent_start a
ok "red-2 reaches red-4" reaches red-2 red-4
ok "red-3 reaches red-2" reaches red-3 red-2

# Tables of another size cannot be adopted: that is refused, in words, and harms nothing.
agent_stop a
sed -i 's/^limits: .*/limits: {flows: 1024}/' "$TMP/a.yaml"
fails "with another table size the agent does not start" \
	on a timeout 60 "$BUILD/mirachd" --config "$TMP/a.yaml"
has "and says what to do" "$(<"$TMP/output")" '--teardown'
ok "traffic goes on" reaches red-1 red-3
cp "$TMP/a.good" "$TMP/a.yaml"
ok "with the old size it starts" agent_start a
ok "red-1 reaches red-3" reaches red-1 red-3

books_close
finish
