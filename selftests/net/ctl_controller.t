#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ctl_controller.t - declared once, made so everywhere, and not unmade by a controller's death
#
#	red-1 (0.11) --+-- a ==+         +== c  hoverboard
#	red-2 (0.12) --+       |== core ==|
#	red-3 (0.13) ----- b ==+         +== d  hoverboard
#	                           |
#	                     mirach-controller
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/control.sh
. "$NET/control.sh"

hosts a b c d
BOARDS=(c d)
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
controlled
controller_start
for h in "${HOSTS[@]}"; do
	agent_launch "$h"
done
ok "objects are applied, and programmed when apply returns" declare_all
for h in "${HOSTS[@]}"; do
	ok "host $h is ready" soon 20 agent_ready "$h"
done
ok "red-1 reaches red-3 by way of a hoverboard" reaches red-1 red-3
ok "red-1 reaches red-2 on its own host" reaches red-1 red-2
known=$(ask c .endpoints.used hoverboard list)
is "a hoverboard knows every instance, by both addresses" "$known" 6
is "host a knows its own" "$(ask a '[.vports[] | select(.kind == "vport")] | length' vport list)" 2

# The controller dies under traffic, and comes back; a flood of nothing changes.
stream through red-1 red-3 "$(ip4 red-3)" 400
revision_before=$(revision a)
updates_before=$(ask d .controller.updates status)
controller_stop KILL
ok "the controller is killed: host a notices" soon 20 disconnected a
ok "new flows come up" reaches red-2 red-3
agent_stop a KILL
agent_start a
ok "an agent restarted meanwhile knows what it was" reaches red-3 red-2
controller_start
for h in "${HOSTS[@]}"; do
	ok "host $h is connected again" soon 40 connected "$h"
done
sleep 1
is "nothing was sent to a hoverboard" "$(ask d .controller.updates status)" "$updates_before"
is "its revision is what it was" "$(revision a)" "$revision_before"
is "apply again changes nothing" "$(declare_all 2>&1 | grep -cw 'created\|changed' || true)" 0

# Something is declared while a host is away; it is made so when the host is back.
agent_stop b
object Subnet t red-5 '{network: red, prefix: 10.0.5.0/24}' >"$TMP/more.yaml"
fails "apply --wait names a host that is away" mc apply -f "$TMP/more.yaml" --wait=2
has "it says which" "$(cat "$TMP/output")" 'host-b'
agent_start b
ok "the host is back: wait returns" mc wait
is "the stream lost nothing in all this" "$(stream_end through)" "lost 0 twice 0 late 0"

# A device that the host names.
object_instance red-2 without >"$TMP/open.yaml"
ok "red-2's device is left open" mc apply -f "$TMP/open.yaml" --wait
unbound() { [[ $(ask a ".vports[] | select(.name == \"t.red-2\").state" vport list) == unbound ]]; }
ok "host a waits for a name" soon 20 unbound
ok "the host names it" ctl a vport attach --instance t.red-2 --dev red-2 --netns "${PREFIX}red-2" --guest-device eth0
ok "host a is ready" soon 20 agent_ready a
ok "red-2 reaches red-3" reaches red-2 red-3
fails "an instance that is not there is refused" ctl a vport attach --instance t.red-9 --dev red-9
books_close
finish
