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

ca_make() {
	mkdir -p "$CA" "$TMP/want"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
		-subj /CN=mirach-test-ca -keyout "$CA/ca.key" -out "$CA/ca.crt" 2>/dev/null
}

# ca_issue NAME COMMON-NAME [DAYS]
ca_issue() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
		-keyout "$CA/$1.key" -out "$CA/$1.csr" 2>/dev/null
	openssl x509 -req -in "$CA/$1.csr" -CA "$CA/ca.crt" -CAkey "$CA/ca.key" -CAcreateserial \
		-days "${3:-2}" -out "$CA/$1.crt" 2>/dev/null
}

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
	[[ -f $CA/ca.crt ]] || ca_make
	ca_issue controller controller:c1
	for h in "${HOSTS[@]}"; do
		ca_issue "host-$h" "host:host-$h"
		config_bootstrap "$h" >"$TMP/$h.boot.yaml"
	done
}

# Options of an agent with a controller; for agent_launch.
control_options() {
	local cert=${CERT_OF[$1]:-host-$1}
	printf '%s\n' --controller "$CONTROL" --name "host-$1" --ca "$CA/ca.crt" \
		--cert "$CA/$cert.crt" --key "$CA/$cert.key" --state "$TMP/state/$1" \
		--config "$TMP/$1.boot.yaml"
}
declare -A CERT_OF=()

peer_start() {
	background core "$TMP/peer.log" "$PYTHON" "$NET/control_peer.py" serve "$CONTROL_IP" "$CONTROL_PORT" \
		"$CA/ca.crt" "$CA/controller.crt" "$CA/controller.key" "$TMP/want"
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
