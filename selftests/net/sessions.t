#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# sessions.t - who is not let in, and what bad input costs: one session, nobody else's
#
#	ns ctl:	controller ═══ fleet: 3 good hosts
#		    ▲
#		    └── peer.py: foreign CA, expired, another's name, cut and replayed frames
# shellcheck source=selftests/net/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

patience=30

ask() { on ctl curl -s --max-time 60 --unix-socket "$TMP/api.sock" ${2:+-X POST --data-binary "@$2"} "http://x$1"; }
status() { ask /v1/status | jq -r "$1"; }

controller() {
	background ctl "$TMP/controller.log" "$BUILD/mirach-controller" --store "sqlite:$TMP/store.db" \
		--api-socket "$TMP/api.sock" --agents 127.0.0.1:6650 \
		--ca "$TMP/pki/ca.crt" --cert "$TMP/pki/controller-c1.crt" --key "$TMP/pki/controller-c1.key"
	pid=$!
}

# peer WHAT [CERTIFICATE [FOLDER]]: says what it got to hear, or why there was no session.
peer() {
	on ctl "$PYTHON" "$NET/session_peer.py" "$TMP/pki/ca.crt" "${3:-$TMP/pki}/${2:-host-h9}" "$1"
}

namespace ctl
for ca in pki other; do "$BUILD/mirachctl" ca init --dir "$TMP/$ca" >/dev/null; done
"$BUILD/mirachctl" ca controller c1 --dir "$TMP/pki" >/dev/null
"$BUILD/mirachctl" ca host h9 --dir "$TMP/pki" >/dev/null
"$BUILD/mirachctl" ca host h9 --dir "$TMP/other" >/dev/null
"$BUILD/mirachctl" ca tenant acme --dir "$TMP/pki" >/dev/null
"$BUILD/mirachctl" ca host old --days 0 --dir "$TMP/pki" >/dev/null
controller
ok "the controller is up" soon $patience status .hosts.ready
{
	echo '{"kind":"Host","name":"h9","spec":{"underlay":["192.0.2.9"]}}'
	for i in 0 1 2; do printf -- '---\n{"kind":"Host","name":"h%s","spec":{"underlay":["192.0.2.1%s"]}}\n' "$i" "$i"; done
} >"$TMP/all"
ask /v1/apply "$TMP/all" >/dev/null
printf 'h%s 1\n' 0 1 2 >"$TMP/hosts"
mkfifo "$TMP/commands"
exec 8<>"$TMP/commands"
setsid nsenter --net="/run/netns/${PREFIX}ctl" -- "$BUILD/selftests/bench/fleet" --pki "$TMP/pki" \
	--server 127.0.0.1:6650 --hosts "$TMP/hosts" <"$TMP/commands" >"$TMP/fleet.out" 2>&1 &
BACKGROUND+=($!)
echo up >&8
in_step() { [[ $(status .hosts.inStep) == 3 ]]; }
ok "three good hosts have what they should" soon $patience in_step

has "a good host is welcomed" "$(peer hello)" '"welcome"'
has "a certificate of a foreign CA is refused" "$(peer hello host-h9 "$TMP/other")" 'refused'
has "an expired certificate is refused" "$(peer hello host-old)" 'refused'
has "a tenant's certificate is refused" "$(peer hello tenant-acme)" 'refused'
has "a host that claims to be another is told so" "$(peer claim)" 'of another host than hello says'
has "and it is logged" "$(cat "$TMP/controller.log")" 'claims to be another.*claims=h1'
has "something else before hello is refused" "$(peer early)" 'first message must be hello'
has "a version nobody speaks is refused" "$(peer version)" 'no common version'
has "a frame of 16 MiB is refused" "$(peer huge)" 'the most is 1048576'
has "bytes that are no JSON are refused" "$(peer garbage)" 'not JSON'
has "deep nesting is refused" "$(peer deep)" 'nested deeper'
has "an acknowledgement nobody waits for is refused" "$(peer replay)" 'is not under way'
has "objects nobody asked for are refused" "$(peer objects)" 'nobody asked'
has "an unknown message is answered, the session goes on" "$(peer unknown)" 'not known.*"pong"'
has "a frame that is cut ends quietly" "$(peer cut)" 'closed'
is "the three good hosts noticed nothing of it" "$(status .hosts.inStep) $(jq -rs 'map(.failures // 0) | add' "$TMP/fleet.out")" "3 0"

accepted=$(status .sessions.accepted)
end "$pid" KILL
controller
ok "after kill -9 the hosts return" soon 60 in_step
is "to a store that lost nothing" "$(status .hosts.hosts)" 4
number "each connected again" "$(status .sessions.accepted)" -ge 3
is "and was sent nothing, because it had all" "$(status .hosts.updates)" 0
diag "sessions before: $accepted"
finish
