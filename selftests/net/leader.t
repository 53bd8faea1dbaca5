#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# leader.t - a shard's leader is killed: the next one programs its hosts, and no agent's session ends
#
#	ns ctl:	c1 ══ c2 ══ c3		one SQLite store, a channel between any two
#		 ║
#		fleet: 12 simulated hosts, all at the front end of c1
#
# Hosts are led by all three controllers, so most messages cross a channel. Each host's
# instance sends much to the next host's: as the hosts are a ring, there are pairs whose
# two hosts have different leaders. Then c2 is killed without a word, all come back, and at
# last c1 is stopped: its hosts lose the front end, but nothing of what they have, and
# no pair is sent by hoverboards again.
# shellcheck source=selftests/net/lib.sh
source "${BASH_SOURCE[0]%/*}/lib.sh"

hosts=12
# Generous on a busy machine; how fast a takeover is stands in docs/performance.md.
patience=30

ask() { # ask CONTROLLER PATH [BODY]
	on ctl curl -s --max-time 60 --unix-socket "$TMP/$1.sock" ${3:+-X POST --data-binary "@$3"} "http://x$2"
}

status() { ask "$1" /v1/status | jq -r "$2"; }

controller() { # controller NAME NUMBER
	background ctl "$TMP/$1.log" "$BUILD/mirach-controller" --store "sqlite:$TMP/store.db" \
		--api-socket "$TMP/$1.sock" --agents "127.0.0.1:665$2" --channel "127.0.0.1:666$2" \
		--ca "$TMP/pki/ca.crt" --cert "$TMP/pki/controller-$1.crt" --key "$TMP/pki/controller-$1.key"
	pids[$1]=$!
}

declare_all() {
	local i
	echo '{"kind":"Tenant","name":"acme","spec":{}}'
	echo '---'
	echo '{"kind":"Network","tenant":"acme","name":"front","spec":{}}'
	echo '---'
	echo '{"kind":"Subnet","tenant":"acme","name":"s","spec":{"network":"front","prefix":"10.0.0.0/24"}}'
	for ((i = 0; i < hosts; i++)); do
		echo '---'
		echo "{\"kind\":\"Host\",\"name\":\"h$i\",\"spec\":{\"underlay\":[\"192.0.2.$((i + 1))\"]}}"
	done
	echo '---'
	echo '{"kind":"Hoverboard","name":"b","spec":{"host":"h0"}}'
}

# An instance on every host, on another device each time: every host is concerned.
change() { # change NUMBER
	local i
	for ((i = 0; i < hosts; i++)); do
		((i == 0)) || echo '---'
		echo "{\"kind\":\"Instance\",\"tenant\":\"acme\",\"name\":\"i$i\",\"spec\":{\"network\":\"front\",\"host\":\"h$i\",\"device\":\"tap$1\"}}"
	done >"$TMP/change"
	ask c1 "/v1/apply?wait=$patience" "$TMP/change" | jq -r .programmed.programmed
}

all_connected() { [[ $(status c1 .sessions.up) == "$hosts" && $(status c1 .sessions.attached) == "$hosts" ]]; }
led() { # led CONTROLLER...: so many hosts are led by them
	local c n=0
	for c; do n=$((n + $(status "$c" .hosts.hosts))); done
	echo "$n"
}
all_led() { [[ $(led "$@") == "$hosts" ]]; }
# Each controller that is there leads some: all twelve names in one shard of eight is not to be expected.
shared() { [[ $(status c2 .hosts.hosts) -gt 0 ]] && all_led c1 c2 c3; }

declare -A pids
namespace ctl
"$BUILD/mirachctl" ca init --dir "$TMP/pki" >/dev/null
for i in 1 2 3; do "$BUILD/mirachctl" ca controller "c$i" --dir "$TMP/pki" >/dev/null; done
controller c1 1
ok "the first controller is up" soon $patience status c1 .hosts.ready
declare_all >"$TMP/all"
ok "objects are declared" grep -q '"revision"' <(ask c1 /v1/apply "$TMP/all")
ok "alone it leads all hosts" soon $patience all_led c1
controller c2 2
controller c3 3
ok "two more take their share, nothing is led twice or by nobody" soon 60 shared

for ((i = 0; i < hosts; i++)); do echo "h$i 1"; done >"$TMP/hosts"
mkfifo "$TMP/commands"
exec 8<>"$TMP/commands"
setsid nsenter --net="/run/netns/${PREFIX}ctl" -- "$BUILD/selftests/bench/fleet" --pki "$TMP/pki" \
	--server 127.0.0.1:6651 --hosts "$TMP/hosts" <"$TMP/commands" >"$TMP/fleet.out" 2>&1 &
BACKGROUND+=($!)
echo up >&8
ok "all hosts are connected to one front end and attached to their leaders" soon $patience all_connected
is "a change of every host is programmed, over channels too" "$(change 1)" true

# Pairs of all leaders leave the hoverboards, each told by the leader of its sender.
ask c1 "/v1/tenants/acme/instances" >"$TMP/instances"
address() { jq -r --arg name "i$1" 'first(.. | objects | select(.name? == $name) | .spec.addresses[0])' "$TMP/instances"; }
for ((i = 0; i < hosts; i++)); do
	echo "h$i acme.front $(address "$i") $(address $(((i + 1) % hosts))) 100000"
done >"$TMP/traffic"
pairs() { # "direct, returned" as the hosts have it
	local n
	n=$(grep -c pairs "$TMP/fleet.out")
	echo pairs >&8
	soon 10 said "$n"
	grep pairs "$TMP/fleet.out" | tail -n 1 | jq -r '"\(.direct), \(.returned)"'
}
said() { (($(grep -c pairs "$TMP/fleet.out") > $1)); }
all_direct() { [[ $(pairs) == "$hosts, 0" ]]; }
# Every pair is known to one of them, the leader of its sender.
known() { # known CONTROLLER...
	local c n=0
	for c; do n=$((n + $(ask "$c" /v1/offloads | jq .direct))); done
	((n == hosts))
}
echo "traffic $TMP/traffic 3600" >&8
ok "all pairs are sent straight, also those with two leaders" soon 60 all_direct
ok "each is known to one leader" soon $patience known c1 c2 c3

accepted=$(status c1 .sessions.accepted)
end "${pids[c2]}" KILL
is "with a leader killed, the next change is programmed by those who are left" "$(change 2)" true
ok "they lead all hosts" soon $patience all_led c1 c3
is "no agent's session ended" "$(status c1 .sessions.accepted)" "$accepted"
is "and all are up" "$(status c1 .sessions.up)" "$hosts"
ok "they know all pairs" soon $patience known c1 c3
is "none of which was sent by a hoverboard again" "$(pairs)" "$hosts, 0"

controller c2 2
ok "the killed one comes back and takes its share" soon 60 shared
is "a change is programmed again by all three" "$(change 3)" true
is "still nobody had to connect again" "$(status c1 .sessions.accepted)" "$accepted"
ok "and each pair is known to one leader" soon $patience known c1 c2 c3

updates() { echo $(($(status c2 .hosts.updates) + $(status c3 .hosts.updates))); }
before=$(updates)
end "${pids[c1]}" TERM
controller c1 1
ok "its front end stopped and started, all hosts return to it" soon 60 all_connected
is "nothing was sent to them: what they have is what they should have" \
	"$(updates) $(status c1 .hosts.updates)" "$before 0"
ok "pairs are known again" soon $patience known c1 c2 c3
is "and were sent straight all the while" "$(pairs)" "$hosts, 0"
is "and the next change is programmed" "$(change 4)" true
finish
