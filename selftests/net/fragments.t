#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fragments.t - pieces of a datagram go where its first piece goes, in whatever order they come
#
#	red-1 (0.11) --+-- a ==== core ==== b --- red-3 (0.13)
#	red-2 (0.12) --+
#
# A sample rule with a port makes UDP flows 5-tuples, so that only first fragments say
# which flow they are of. Datagrams of several sizes are cut by the kernel and by
# Scapy, sent forwards, backwards and shuffled, and must arrive whole. Then come the ones
# nobody should send; what they leave is a named drop, and nothing for the neighbours.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

SAMPLES='[{network: red, protocol: udp, port: 9, rate: 1}]'
UNDERLAY_MTU=1600
hosts a b
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
start

# pieces FROM TO ADDRESS COUNT ORDER...: Scapy sends so many datagrams of 4000 bytes in three
# pieces in each order; a socket of the other guest must get each of them whole.
pieces() {
	local receiver count=$(($4 * ($# - 4)))
	background "$2" "$TMP/whole" timeout 60 "$PYTHON" "$NET/datagrams.py" receive "$3" 7100 "$count"
	receiver=$!
	soon 10 grep -q listening "$TMP/whole"
	on "$1" "$PYTHON" "$NET/datagrams.py" send "$3" 7100 "${@:4}"
	wait "$receiver"
	cat "$TMP/whole"
	ask a '.ports[] | {name, drops} | select(.drops != {}) | tojson' drops
	ask b '.ports[] | {name, drops} | select(.drops != {}) | tojson' drops
	grep -q "^whole $count of $count" "$TMP/whole"
}

flush() { ctl a flow flush --all && ctl b flow flush --all; }

for hook in xdp tcx; do
	HOOK=$hook
	UPLINK_MORE=", hook: $hook"
	configure
	ok "$hook: host a reloads" reload a
	ok "$hook: host b reloads" reload b
	for address in "$(ip4 red-3)" "$(ip6 red-3)"; do
		ok "$hook: flows are flushed" flush
		ok "$hook: datagrams to $address, the last piece of the first one first" \
			pieces red-1 red-3 "$address" 5 backwards forwards middle
		number "$hook: 5-tuple flows" "$(ask a '[.flows[] | select(.dport == 7100)] | length' flow list)" -gt 0
		ok "$hook: to red-2 on the same host" pieces red-1 red-2 "${address/%13/12}" 5 backwards middle
	done
done

# What should not be sent, and a stream beside it that does not notice.
stream beside red-2 red-3 "$(ip4 red-3)" 1000
ok "overlapping, tiny, odd and lonely fragments are sent" \
	on red-1 "$PYTHON" "$NET/datagrams.py" bad "$(ip4 red-3)" 7100 1
for reason in fragment_overlap fragment_tiny fragment_form; do
	ok "$reason is counted" soon 5 drops_more_than a red-1 $reason 0
done
ok "lonely ones are given up" soon 10 drops_more_than a red-1 fragment_timeout 0
ok "a flood of lonely ones" on red-1 "$PYTHON" "$NET/datagrams.py" flood "$(ip4 red-3)" 7100 3000
ok "hits a limit" soon 5 drops_more_than a red-1 fragment_limit 0
is "no fragment of red-2 was dropped" "$(dropped a red-2 fragment_limit)" 0
is "the stream beside it" "$(stream_end beside)" "lost 0 twice 0 late 0"
ok "and pieces arrive again" soon 10 pieces red-1 red-3 "$(ip4 red-3)" 2 backwards
books_close
finish
