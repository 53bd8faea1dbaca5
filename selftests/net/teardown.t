#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# teardown.t - mirachd --teardown leaves nothing behind
#
#	red-1 (0.11) --- a ==== core ==== b --- red-3 (0.13)
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13

# What a host looks like: devices with their programs, sockets, pins.
portrait() {
	on a ip -j link show | jq -c 'map({ifname, xdp: .xdp.mode}) | sort'
	find "$TMP"/bpf/[ab] 2>/dev/null || true
	ls "$TMP"/*.sock 2>/dev/null || echo "no socket"
	on a ss -Hxlp | grep -c mirachd || true
}
before=$(portrait)
teardown() { on a "$BUILD/mirachd" --config "$TMP/a.yaml" --teardown; }

for signal in TERM KILL; do
	configure
	ok "the agents start" agent_start a
	ok "on both hosts" agent_start b
	ok "red-1 reaches red-3" reaches red-1 red-3
	fails "teardown is refused while the agent runs" teardown
	ok "which goes on" reaches red-1 red-3
	books_close
	ok "the agent ends by SIG$signal" agent_stop a $signal
	ok "traffic goes on without it" pings red-1 "$(ip4 red-3)"
	ok "teardown" teardown
	ok "teardown of b" agent_stop b
	on b "$BUILD/mirachd" --config "$TMP/b.yaml" --teardown
	is "after SIG$signal and teardown the host is as it was" "$(portrait)" "$before"
	ok "red-1 reaches nobody" no_ping red-1 "$(ip4 red-3)"
	ok "a second teardown finds nothing to do and is content" teardown
done
finish
