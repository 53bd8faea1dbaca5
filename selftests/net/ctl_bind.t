#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ctl_bind.t - devices named by the host; checkpoints that are refused, and a full disk
#
#	red-1 (0.11) --+-- a ==== core ==== b ----- red-3 (0.13)
#	red-2 (0.12) --+            |
#	                      controller, which leaves red-1's device open
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/control.sh
. "$NET/control.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
controlled
mkdir -p "$TMP/state/a"
mount -t tmpfs -o size=64k tmpfs "$TMP/state/a"
trap 'umount "$TMP/state/a"; cleanup' EXIT
peer_start
OPEN='/name: red-1/,/guest_device:/{/device: /d;/netns: /d}'
tell a "$OPEN"
tell b
agent_launch a
agent_launch b
ok "host a gets ready" soon 20 agent_ready a
ok "host b gets ready" soon 20 agent_ready b
is "red-1 waits for a device" "$(ask a '.vports[] | select(.name == "t.red-1").state' vport list)" unbound
has "the list says what to do" "$(ctl a vport list)" '^t.red-1: no device is named for it: mirachctl vport attach'
ok "red-1 reaches nobody" no_ping red-1 "$(ip4 red-3)"

# refused_attach WHAT TEXT ARGUMENT...
refused_attach() {
	local what=$1 text=$2
	shift 2
	fails "$what: refused" ctl a vport attach "$@"
	has "$what: says why" "$(cat "$TMP/output")" "$text"
}
refused_attach "a device that another has" 'red-2" is taken by' --instance t.red-1 --dev red-2
refused_attach "a name without tenant" 'TENANT.NAME' --instance red-1 --dev red-1
refused_attach "an instance that the controller does not know" 'there is no such instance' \
	--instance x.y --dev dummy0
ok "it can be taken back" ctl a vport detach --instance x.y
fails "but once" ctl a vport detach --instance x.y
ok "red-1 is attached" ctl a vport attach --instance t.red-1 --dev red-1 --netns "${PREFIX}red-1" --guest-device eth0
has "the controller was asked" "$(grep '^bind' "$TMP/peer.log" | tail -1)" '"device": "red-1".*"instance": "t.red-1"'
is_bound() { [[ $(ask a '.vports[] | select(.name == "t.red-1").state' vport list) == ready ]]; }
ok "it becomes ready" soon 20 is_bound
on red-1 ip neigh flush dev eth0		# what the guest asked for before, in vain
ok "red-1 reaches red-3" reaches red-1 red-3

# It is in the checkpoint.
binding_written() { grep -q '"binding"' "$TMP/state/a/checkpoint"; }
ok "the binding is on disk" soon 10 binding_written
peer_stop TERM
agent_stop a
agent_start a
ok "after a restart without a controller red-1 reaches red-3" reaches red-1 red-3
ok "the agent has a new flow for it" reaches red-1 red-2

# A disk without room is a warning.
head -c 1000000 /dev/zero >"$TMP/state/a/fill" 2>/dev/null || true
peer_start
soon 30 connected a
told a "$OPEN;s/prefix: 10.0.1.0/prefix: 10.0.2.0/;s/gateway: 10.0.1.1/gateway: 10.0.2.1/"
problem() { ask a .controller.checkpoint.problem status; }
no_room() { [[ $(problem) == *"No space left"* ]]; }
ok "a full disk is said in status" soon 10 no_room
ok "and nothing else happens" reaches red-1 red-3
rm "$TMP/state/a/fill"
room_again() { [[ -z $(problem) ]]; }
ok "with room it is written again" soon 20 room_again
ok "the host lets go of the device" ctl a vport detach --instance t.red-1
ok "red-1 reaches nobody again" soon 10 no_ping red-1 "$(ip4 red-3)"

# Checkpoints that are not ours: refused, set aside, the datapath stays.
peer_stop TERM
stream through red-2 red-3 "$(ip4 red-3)" 500
stream_moves through
agent_stop a
cp "$TMP/state/a/checkpoint" "$TMP/good"
bad_checkpoint() { # WHAT TEXT
	rm -f "$TMP/state/a/checkpoint.refused"
	agent_launch a
	ok "$1: the agent runs" soon 20 complains a refused
	has "$1: the log says why" "$(grep 'checkpoint refused' "$TMP/a.log")" "$2"
	ok "$1: it was set aside" test -f "$TMP/state/a/checkpoint.refused"
	agent_stop a
}
sed 's/02:00:00:64/02:00:00:65/' "$TMP/good" >"$TMP/state/a/checkpoint"
bad_checkpoint "changed" 'is damaged'
cp "$TMP/state/b/checkpoint" "$TMP/state/a/checkpoint"
bad_checkpoint "of another host" 'is of host host-b'
agent_launch a
is "known flows went on all the while" "$(stream_end through)" "lost 0 twice 0 late 0"
peer_start
ok "a controller comes: host a gets ready" soon 30 agent_ready a
ok "red-2 reaches red-3" reaches red-2 red-3
is "it still had the old datapath" "$(ask a .adopted status)" true
books_close
finish
