# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# control.sh - hosts that are told what to do by a controller
#
#	controlled		agents are started with --controller; makes CA and certificates
#	peer_start		the scripted controller, on the router
#	tell HOST [SED]		what the configuration of fabric.sh says, changed by the sed
#				script, is what the scripted controller wants of the host
#
# The controller sits on the router between the hosts, outside the network it rules.

CONTROL_IP=192.0.2.1			# of the router, as host a sees it; b gets there by its default route
CONTROL_PORT=8443
CONTROL=$CONTROL_IP:$CONTROL_PORT
CA=$TMP/ca
PEER=

ca() { "$BUILD/mirachctl" ca "$@" --dir "$CA" >>"$TMP/ca.log" 2>&1; }

# The file that is left to a host with a controller.
config_bootstrap() {
	cat <<-YAML
	agent:
	  bpffs: $TMP/bpf/$1
	  socket: $TMP/$1.sock
	limits: $LIMITS
	YAML
}

controlled() {
	local h
	CONTROLLED=yes
	mkdir -p "$CA" "$TMP/want"
	ca init
	ca controller c1 --address "$CONTROL_IP"
	for h in "${HOSTS[@]}"; do
		ca host "host-$h"
		config_bootstrap "$h" >"$TMP/$h.boot.yaml"
	done
}

# Options of an agent with a controller; for agent_launch.
control_options() {
	local cert=${CERT_OF[$1]:-host-host-$1}
	printf '%s\n' --controller "$CONTROL" --name "host-$1" --ca "$CA/ca.crt" \
		--cert "$CA/$cert.crt" --key "$CA/$cert.key" --state "$TMP/state/$1" \
		--config "$TMP/$1.boot.yaml"
}
declare -A CERT_OF=()

peer_start() {
	background core "$TMP/peer.log" "$PYTHON" "$NET/control_peer.py" serve "$CONTROL_IP" "$CONTROL_PORT" \
		"$CA/ca.crt" "$CA/controller-c1.crt" "$CA/controller-c1.key" "$TMP/want"
	PEER=$!
	soon 10 grep -q listening "$TMP/peer.log"
	hurry
}

# Hosts that wait for their next attempt make it now.
hurry() {
	local h
	for h in "${!AGENT[@]}"; do
		ctl "$h" reload >/dev/null 2>&1 || true
	done
}

peer_stop() { end "$PEER" "${1:-TERM}"; }

tell() {
	config "$1" | sed "${2:-}" >"$TMP/$1.want.yaml"
	"$PYTHON" "$NET/control_peer.py" objects <"$TMP/$1.want.yaml" >"$TMP/want/host-$1.json.new"
	mv "$TMP/want/host-$1.json.new" "$TMP/want/host-$1.json"
}

# How many lines of the peer's log match.
peer_said() { grep -Ec -- "$1" "$TMP/peer.log" || true; }
peer_says() { # PATTERN MORE-THAN
	(($(peer_said "$1") > $2))
}

connected() { [[ $(ask "$1" .controller.session status) == connected ]]; }
disconnected() { [[ $(ask "$1" .controller.session status) =~ ^(waiting|connecting)$ ]]; }
complains() { ask "$1" .controller.last_error status | grep -q "$2"; } # HOST PATTERN
revision() { ask "$1" .controller.revision status; }

# told HOST [SED]: tell, and wait until the host says that it is so.
told() {
	local before
	before=$(peer_said "^ack host-$1 ")
	tell "$@"
	soon 20 peer_says "^ack host-$1 " "$before"
}

# ---- the real controller ---------------------------------------------------
#
#	BOARDS=(c d)		in front of it all: which hosts are hoverboards
#	controller_start	starts mirach-controller where the scripted one would be
#	declare			what fabric.sh was told, as objects: networks and instances of
#				tenant `t`, hosts, hoverboards; applied, and waited for
#
# Objects of a scenario of its own are applied by `mc apply -f FILE --wait`.

CONTROLLER_PID=
OFFLOAD_COLD=${OFFLOAD_COLD:-30}

controller_start() {
	mkdir -p "$TMP/controller"
	background core "$TMP/controller.log" "$BUILD/mirach-controller" \
		--store "${STORE:-sqlite:$TMP/controller/store.db}" --api-socket "$TMP/api.sock" \
		--agents "$CONTROL" --ping-ms 1000 --offload-cold "$OFFLOAD_COLD" \
		--ca "$CA/ca.crt" --cert "$CA/controller-c1.crt" --key "$CA/controller-c1.key"
	CONTROLLER_PID=$!
	soon 20 test -S "$TMP/api.sock"
	soon 20 mc get hosts
	hurry
}

controller_stop() { end "$CONTROLLER_PID" "${1:-TERM}"; }

# mc ARGUMENT...: mirachctl for the controller.
mc() { timeout 90 "$BUILD/mirachctl" "$@" --server "unix:$TMP/api.sock"; }

# tenant_of NETWORK: networks may belong to different tenants.
declare -A TENANT_OF=()
tenant_of() { echo "${TENANT_OF[$1]:-t}"; }

object() { # KIND TENANT NAME SPEC
	printf -- '---\n{kind: %s, %sname: %s, spec: %s}\n' "$1" "${2:+tenant: $2, }" "$3" "$4"
}

objects_of_fabric() {
	local h b i
	for h in "${HOSTS[@]}"; do
		object Host '' "host-$h" "{underlay: [$(host4 "$h"), \"$(host6 "$h")\"], uplinks: [{device: up0}]}"
		is_board "$h" && object Hoverboard '' "board-$h" "{host: host-$h}"
	done
	for i in $(for b in "${NETWORKS[@]}"; do tenant_of "$b"; done | sort -u); do
		object Tenant '' "$i" '{}'
	done
}

objects_of_networks() {
	local n t
	for n in "${NETWORKS[@]}"; do
		t=$(tenant_of "$n")
		object Network "$t" "$n" "{vni: ${VNI_OF[$n]}}"
		object Subnet "$t" "$n-4" "{network: $n, prefix: 10.0.0.0/24}"
		object Subnet "$t" "$n-6" "{network: $n, prefix: \"fd00::/64\"}"
	done
}

object_instance() { # INSTANCE [WITHOUT-DEVICE]
	local n=${NETWORK_OF[$1]} place=''
	[[ -n ${2:-} ]] || place=", device: $1, netns: $PREFIX$1, guestDevice: eth0"
	object Instance "$(tenant_of "$n")" "$1" "{network: $n, mac: \"$(mac "$1")\", \
addresses: [$(ip4 "$1"), \"$(ip6 "$1")\"], host: host-${HOST_OF[$1]}$place}"
}

objects() {
	local i
	objects_of_fabric
	objects_of_networks
	for i in "${INSTANCES[@]}"; do
		object_instance "$i"
	done
}

declare_all() {
	objects >"$TMP/objects.yaml"
	mc apply -f "$TMP/objects.yaml" --wait
}
