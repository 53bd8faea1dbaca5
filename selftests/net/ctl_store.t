#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ctl_store.t - the store of a running controller is lost and comes back, under traffic
#
#	red-1 (0.11) --+-- a ==+
#	red-2 (0.12) --+       |== core ==== c  hoverboard
#	red-3 (0.13) ----- b ==+     |
#	                       mirach-controller
#	                             |
#	                  SQLite on a disk that fills; then
#	                  three members of etcd, of which two die
#
# While nothing can be declared, everything declared goes on: flows, new flows, sessions,
# an agent that restarts, reads. When the store is back so are changes.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/control.sh
. "$NET/control.sh"

type etcd >/dev/null 2>&1 || skip_all "etcd is not installed"

hosts a b c
BOARDS=(c)
network red 100
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
controlled

# ---- what must hold while the store is gone ----------------------------------

subnet() { object Subnet t "s-$1" "{network: red, prefix: 10.0.$1.0/24}" >"$TMP/subnet.yaml"; }
declare_subnet() { # NUMBER
	subnet "$1"
	mc apply -f "$TMP/subnet.yaml" --wait
}
accepted() { on core curl -s --unix-socket "$TMP/api.sock" http://x/v1/status | jq .sessions.accepted; }
has_prefix() { mc get subnets -o json | jq -e "map(select(.spec.prefix == \"10.0.$1.0/24\")) | length == 1" >/dev/null; }

goes_on() { # WITHOUT: what is gone
	ok "$1: reads are answered" has_prefix 0
	is "$1: hosts stay connected" "$(accepted)" "$sessions"
	ok "$1: new flows come up" reaches red-2 red-3
	agent_stop a KILL
	agent_start a
	ok "$1: an agent that restarts is connected again" soon 30 connected a
	ok "$1: and has all it had" reaches red-1 red-3
}
comes_back() { # WITH NUMBER: a subnet that was refused before
	ok "$1: it can be declared, and is programmed" soon 30 declare_subnet "$2"
	ok "$1: the controller was not restarted" kill -0 "$CONTROLLER_PID"
}

# ---- SQLite on a full disk -----------------------------------------------------

mkdir -p "$TMP/controller"
mount -t tmpfs -o size=8m tmpfs "$TMP/controller"
trap 'umount -l "$TMP/controller"; cleanup' EXIT
controller_start
for h in "${HOSTS[@]}"; do agent_launch "$h"; done
ok "objects are declared and programmed" declare_all
for h in "${HOSTS[@]}"; do ok "host $h is ready" soon 40 agent_ready "$h"; done
ok "red-1 reaches red-3" reaches red-1 red-3
stream through red-1 red-3 "$(ip4 red-3)" 300

sessions=$(accepted)
head -c 100000000 /dev/zero >"$TMP/controller/fill" 2>/dev/null || true
{
	subnet 7
	cat "$TMP/subnet.yaml"
	text=$(printf 'x%.0s' {1..250})
	for ((i = 0; i < 4000; i++)); do object Tenant '' "t-$i" "{description: $text}"; done
} >"$TMP/large.yaml"
fails "a full disk: what has no room is refused" mc apply -f "$TMP/large.yaml"
has "a full disk: and why" "$(head -3 "$TMP/output")" 'store is full'
goes_on "a full disk"
rm "$TMP/controller/fill"
fails "a full disk: nothing of it has happened" has_prefix 7
comes_back "room again" 7

# ---- etcd without its majority ---------------------------------------------------

CLUSTER=m1=http://127.0.0.1:2380,m2=http://127.0.0.2:2380,m3=http://127.0.0.3:2380
declare -A MEMBER
member() { # NUMBER
	background core "$TMP/m$1.log" etcd --name "m$1" --data-dir "$TMP/m$1" --logger zap --log-level error \
		--listen-client-urls "http://127.0.0.$1:2379" --advertise-client-urls "http://127.0.0.$1:2379" \
		--listen-peer-urls "http://127.0.0.$1:2380" --initial-advertise-peer-urls "http://127.0.0.$1:2380" \
		--initial-cluster "$CLUSTER"
	MEMBER[$1]=$!
}

for i in 1 2 3; do member $i; done
controller_stop TERM
STORE=etcd:http://127.0.0.1:2379,http://127.0.0.2:2379,http://127.0.0.3:2379
controller_start
ok "another store that is empty: hosts nobody declared keep what they have" reaches red-1 red-3
ok "it is declared again" declare_all
for h in "${HOSTS[@]}"; do ok "host $h is connected" soon 40 connected "$h"; done

sessions=$(accepted)
for i in 2 3; do end "${MEMBER[$i]}" KILL; done
subnet 8
fails "the majority is gone: what is declared is refused" mc apply -f "$TMP/subnet.yaml"
has "the majority is gone: and why" "$(cat "$TMP/output")" 'etcd|store'
goes_on "the majority is gone"
for i in 2 3; do member $i; done
comes_back "the majority is back" 8

is "the stream lost nothing in all this" "$(stream_end through)" "lost 0 twice 0 late 0"
books_close
finish
