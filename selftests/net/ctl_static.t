#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ctl_static.t - fail static: controllers and agents come and go, traffic does not notice
#
#	red-1 (0.11) --+-- a ==== core ==== b --+-- red-3 (0.13)
#	red-2 (0.12) --+            |            +-- red-4 (0.14)
#	                      controller
#
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/control.sh
. "$NET/control.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
instance red-4 b red 14
controlled

# Nothing is known and nobody there.
for h in a b; do
	agent_launch "$h"
done
ok "without a controller the agent runs and says why it has none" soon 20 complains a refused
is "it knows nothing yet" "$(ask a .controller.known status)" false
peer_start
tell a
tell b
ok "a controller comes: host a gets ready" soon 20 agent_ready a
ok "host b gets ready" soon 20 agent_ready b
ok "red-1 reaches red-3" reaches red-1 red-3
ok "red-2 reaches red-4" reaches red-2 red-4
ok "red-1 reaches red-2" reaches red-1 red-2

# The controller dies; new flows come up all the same. Then the agents die, too.
stream there red-1 red-3 "$(ip4 red-3)" 400
stream back red-4 red-2 "$(ip4 red-2)" 400
peer_stop KILL
ok "the controller is killed: the agent notices" soon 20 disconnected a
ok "a new flow comes up without it" reaches red-1 red-4
written() { [[ $(ask a '.controller.checkpoint.age_s // "no"' status) != no ]]; }
ok "the state is on disk" soon 10 written
for h in a b; do
	agent_stop "$h" KILL
	agent_start "$h"
done
is "host a comes up from its checkpoint" "$(ask a .controller.known status)" true
is "and has adopted the datapath" "$(ask a .adopted status)" true
ok "a new flow comes up" reaches red-2 red-3
before=$(ask a .flows.added status)

# The controller is back: digests only, nothing changes.
peer_start
ok "the controller is back: host a is connected" soon 30 connected a
ok "host b is connected" soon 30 connected b
ok "nothing differs" soon 10 peer_says '^same host-a' 0
is "nothing was sent" "$(peer_said '^sent')" 0
is "the stream there lost nothing" "$(stream_end there)" "lost 0 twice 0 late 0"
is "the stream back lost nothing" "$(stream_end back)" "lost 0 twice 0 late 0"
number "flows stayed" "$(ask a .flows.added status)" -le "$((before + 2))"
books_close
finish
