#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# etcd.t - the store on a cluster of three: a member dies, then the majority, then all is well
#
#	           ┌── m1: etcd
#	c ── sw ───┼── m2: etcd       10.9.0.1 .. 3, mutual TLS for clients
#	10.9.0.9   └── m3: etcd
#
# c runs store_probe: readers, writers, a watch that must miss nothing and repeat
# nothing, and two candidates of which one leads. Members are killed with -9, and
# cut off at the switch, which swallows packets instead of refusing them.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

type etcd >/dev/null 2>&1 || skip_all "etcd is not installed"
PROBE=$BUILD/selftests/net/store_probe
[[ -x $PROBE ]] || { echo "Bail out! $PROBE is not there; run make tests first"; exit 2; }

declare -A MEMBER
WHERE=etcd:https://10.9.0.1:2379,https://10.9.0.2:2379,https://10.9.0.3:2379
CLUSTER=m1=http://10.9.0.1:2380,m2=http://10.9.0.2:2380,m3=http://10.9.0.3:2380

# ---- the ground ------------------------------------------------------------

wire() { # NAME ADDRESS
	namespace "$1"
	on sw ip link add "$1" type veth peer name eth0 netns "$PREFIX$1"
	on sw ip link set dev "$1" master br0 up
	on "$1" ip addr add "$2/24" dev eth0
	on "$1" ip link set dev eth0 up
}

certificates() {
	local name
	cd "$TMP"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=test CA" \
		-keyout ca.key -out ca.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=other CA" \
		-keyout other.key -out other.pem
	for name in server client; do
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
			-keyout $name.key -out $name.csr
		openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out $name.pem \
			-extfile <(echo "subjectAltName=IP:10.9.0.1,IP:10.9.0.2,IP:10.9.0.3
				extendedKeyUsage=serverAuth,clientAuth")
	done
	cd "$ROOT"
}

member() { # NAME NUMBER
	background "$1" "$TMP/$1.log" etcd --name "$1" --data-dir "$TMP/$1" --logger zap --log-level error \
		--listen-client-urls "https://10.9.0.$2:2379" --advertise-client-urls "https://10.9.0.$2:2379" \
		--cert-file "$TMP/server.pem" --key-file "$TMP/server.key" \
		--client-cert-auth --trusted-ca-file "$TMP/ca.pem" \
		--listen-peer-urls "http://10.9.0.$2:2380" --initial-advertise-peer-urls "http://10.9.0.$2:2380" \
		--initial-cluster "$CLUSTER"
	MEMBER[$1]=$!
}

probe() { on c "$PROBE" "$WHERE" "$@"; }
puts() { probe put "$1" "$2" | grep -q ^done; }
cut_off() { on sw ip link set dev "$1" nomaster; }
join_again() { on sw ip link set dev "$1" master br0; }

kill_member() {
	disown "${MEMBER[$1]}" 2>/dev/null || true
	kill -9 "${MEMBER[$1]}"
}

# The cluster's leader, by etcdctl.
leader() {
	ETCDCTL_API=3 on c etcdctl --endpoints="${WHERE#etcd:}" --cacert "$STORE_CA" --cert "$STORE_CERT" \
		--key "$STORE_KEY" endpoint status 2>/dev/null |
		sed -n 's/.*10\.9\.0\.\([123]\):.*, true, .*/m\1/p' | head -1
}

namespace sw
on sw ip link add br0 type bridge
on sw ip link set dev br0 up
for i in 1 2 3; do wire "m$i" "10.9.0.$i"; done
wire c 10.9.0.9
certificates >/dev/null 2>&1
export STORE_CA=$TMP/ca.pem STORE_CERT=$TMP/client.pem STORE_KEY=$TMP/client.key STORE_TIMEOUT_MS=2500

# ---- three members ---------------------------------------------------------

for i in 1 2 3; do member "m$i" $i; done
ok "a cluster of three takes a write, over mutual TLS" soon 30 puts /t/a 1
is "and reads it" "$(probe get /t/a)" "value 1"
has "without a client certificate nothing goes" \
	"$(STORE_CERT='' STORE_KEY='' probe put /t/a 2 || true)" "^error (EAGAIN|ETIMEDOUT|EIO|EINVAL)"
has "an authority that did not sign the server is refused" \
	"$(STORE_CA=$TMP/other.pem probe put /t/a 2 || true)" "^error EAGAIN .*certificate"

from=$(($(probe put /t/a 3 | sed 's/done //') + 1))
background c "$TMP/watch" "$PROBE" "$WHERE" watch /t/ "$from"
background c "$TMP/lead-x" "$PROBE" "$WHERE" lead /lead x 2000
candidate_x=$!
ok "a candidate leads" soon 20 grep -q elected "$TMP/lead-x"
background c "$TMP/lead-y" "$PROBE" "$WHERE" lead /lead y 2000

wrote=0
write_some() { # N
	local i
	for ((i = 0; i < $1; i++)); do
		soon 20 puts /t/n $((wrote + 1)) || return 1
		wrote=$((wrote + 1))
	done
}
# Everything that was written was seen, in order, each once.
saw_all() { [[ $(sed -n 's/.*\/t\/n=//p' "$TMP/watch") == "$(seq 1 "$wrote")" ]]; }
ok "writes" write_some 3
ok "the watch sees them" soon 20 saw_all

# ---- one member gone -------------------------------------------------------

victim=$(leader)
diag "killing ${victim:-nobody}, which leads the cluster"
kill_member "$victim"
ok "a member dies: writes go on" write_some 5
is "reads go on" "$(probe get /t/n)" "value $wrote"
ok "the watch missed nothing and repeated nothing" soon 20 saw_all
kill -9 "$candidate_x"
ok "elections go on: the other candidate leads" soon 20 grep -q elected "$TMP/lead-y"
member "$victim" "${victim#m}"
ok "the member comes back" soon 30 puts /t/back 1

victim=$(soon 20 leader >/dev/null; leader)
diag "cutting off ${victim:-nobody}"
cut_off "$victim"
ok "a member behind a broken wire: writes go on" write_some 3
is "reads go on" "$(probe get /t/n)" "value $wrote"
ok "the watch goes on" soon 30 saw_all
join_again "$victim"
ok "the wire is repaired" soon 30 puts /t/back 2

# ---- the majority gone -----------------------------------------------------

leads_now() { [[ $(tail -n 1 "$TMP/lead-y") == elected* ]]; }
has_all() { # MEMBER
	[[ $(ETCDCTL_API=3 on c etcdctl --endpoints="https://10.9.0.${1#m}:2379" --cacert "$STORE_CA" \
		--cert "$STORE_CERT" --key "$STORE_KEY" get --consistency=s --print-value-only /t/n) == "$wrote" ]]
}
ok "one leads" soon 20 leads_now
case $victim in				# all go but one that was never cut off
m1) left=m2 gone=(m1 m3) ;;
*) left=m1 gone=(m2 m3) ;;
esac
ok "the one that will be left has all" soon 30 has_all $left
for name in "${gone[@]}"; do kill_member "$name"; done
is "the majority dies: reads go on, marked" "$(probe get /t/n)" "value $wrote stale"
said=$(probe put /t/n no || true)
has "writes fail and say why" "$said" "^error (EAGAIN|ETIMEDOUT) etcd"
ok "who led steps down" soon 20 grep -q lost "$TMP/lead-y"
for name in "${gone[@]}"; do member "$name" "${name#m}"; done
ok "the majority is back: writes go on" soon 30 write_some 2
is "what was not acknowledged did not happen, or is overwritten" "$(probe get /t/n)" "value $wrote"
ok "the watch goes on" soon 30 grep -q "/t/n=$wrote\$" "$TMP/watch"
ok "one leads again" soon 30 leads_now
finish
