# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fabric.sh - hosts on a routed underlay, networks, instances, agents
#
#	hosts a b			two hosts and the router between them
#	network red 100			a tenant's network with its VNI
#	instance red-1 a red 11		10.0.0.11 and fd00::11 in red, on host a
#	instance red-3 b red 1.13	10.0.1.13 and fd00:0:0:1::13, second subnet
#	start				configuration and agent of every host
#
#	  red-1               a                core                b               red-2
#	 +------+     +--------------+     +------------+     +--------------+     +------+
#	 | eth0 +-----+ red-1    up0 +-----+ to-a  to-b +----+ up0    red-2 +-----+ eth0 |
#	 +------+     |    mirachd   |     |  forwards  |     |   mirachd    |     +------+
#	              +--------------+     +------------+     +--------------+
#	                192.0.2.2        .1                .1   198.51.100.2
#	                2001:db8:a::2   ::1               ::1   2001:db8:b::2
#
# All networks have the same two subnets, so tenants overlap unless a scenario
# says otherwise. Knobs, read by `configure`: ENCAP, UNDERLAY (4 or 6), LIMITS,
# SAMPLES, UPLINK_MORE, and VPORT_MORE[instance] for further fields of one vport.

declare -A HOST_OF NETWORK_OF ID_OF VNI_OF AGENT VPORT_MORE BEHIND_TAP
HOSTS=()
NETWORKS=()
INSTANCES=()
UPLINK_MORE=''				# further fields of every uplink, as ", hook: tcx"
declare -A UPLINK_OF			# host to such fields of its own, instead
ENCAP='{kind: vxlan}'
UNDERLAY=4
UNDERLAY_MTU=1700
LIMITS='{}'
HOOK=${HOOK:-}				# of every vport: xdp, tcx; empty: auto
SAMPLES='[]'
MORE_REMOTES=''				# lines of YAML for `remotes`

BOARDS=()				# hosts that are hoverboards, and know all instances; the others know their own
ROUTES='[]'				# of the hoverboards

declare -A SUBNET4=([a]=192.0.2 [b]=198.51.100 [c]=203.0.113 [d]=100.64.0 [e]=100.65.0 [f]=100.66.0)
host4() { echo "${SUBNET4[$1]}.2"; }
host6() { echo "2001:db8:$1::2"; }
host_ip() { "host$UNDERLAY" "$1"; }

subnet_of() { [[ $1 == *.* ]] && echo "${1%.*}" || echo 0; }
ip4() { echo "10.0.$(subnet_of "${ID_OF[$1]}").${ID_OF[$1]#*.}"; }
ip6() {
	local subnet
	subnet=$(subnet_of "${ID_OF[$1]}")
	[[ $subnet == 0 ]] && echo "fd00::${ID_OF[$1]#*.}" || echo "fd00:0:0:$subnet::${ID_OF[$1]#*.}"
}
mac() {
	printf '02:00:00:%02x:%02x:%02x\n' "${VNI_OF[${NETWORK_OF[$1]}]}" \
		"$(subnet_of "${ID_OF[$1]}")" "${ID_OF[$1]#*.}"
}
gateway4() { echo "10.0.$(subnet_of "${ID_OF[$1]}").1"; }
gateway6() { local a; a=$(ip6 "$1"); echo "${a%::*}::1"; }

# ---- devices ---------------------------------------------------------------

hosts() {
	local h
	namespace core
	on core sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
	for h in "$@"; do
		host "$h"
		HOSTS+=("$h")
	done
}

# host NAME: a host with its uplink to the router, and no agent. The router's end does
# what the far side of a wire does: it takes whatever comes (a veth accepts frames
# redirected from XDP only with NAPI, which GRO brings) and sends finished checksums.
host() {
	namespace "$1"
	on "$1" ip link add up0 mtu "$UNDERLAY_MTU" type veth \
		peer name "to-$1" mtu "$UNDERLAY_MTU" netns "$PREFIX"core
	on core ethtool -K "to-$1" gro on tx off >/dev/null
	on core ip addr add "${SUBNET4[$1]}.1/24" dev "to-$1"
	on core ip addr add "2001:db8:$1::1/64" dev "to-$1" nodad
	on core ip link set dev "to-$1" up
	on "$1" ip addr add "$(host4 "$1")/24" dev up0
	on "$1" ip addr add "$(host6 "$1")/64" dev up0 nodad
	on "$1" ip link set dev up0 up
	on "$1" ip route add default via "${SUBNET4[$1]}.1"
	on "$1" ip route add default via "2001:db8:$1::1"
}

network() { # network NAME VNI
	NETWORKS+=("$1")
	VNI_OF[$1]=$2
}

declare_instance() { # NAME HOST NETWORK [SUBNET.]ID
	INSTANCES+=("$1")
	HOST_OF[$1]=$2
	NETWORK_OF[$1]=$3
	ID_OF[$1]=$4
}

instance() {
	declare_instance "$@"
	namespace "$1"
	plug "$1"
}

# plug INSTANCE [DEVICE]: the veth pair between instance and host.
plug() {
	local name=$1 device=${2:-$1}
	on "${HOST_OF[$name]}" ip link add "$device" type veth \
		peer name eth0 address "$(mac "$name")" netns "$PREFIX$name"
	on "${HOST_OF[$name]}" sysctl -qw "net.ipv6.conf.$device.disable_ipv6=1"
	on "${HOST_OF[$name]}" ip link set dev "$device" up
	address_guest "$name" eth0
}

# tap_instance NAME HOST NETWORK [SUBNET.]ID: a guest behind a tap, as a VM is. A small
# program stands for the hypervisor: it holds the tap open and moves frames to the guest.
tap_instance() {
	declare_instance "$@"
	namespace "$1"
	BEHIND_TAP[$1]=yes
	background core "$TMP/wire-$1" "$PYTHON" "$NET/tap_wire.py" \
		"/run/netns/$PREFIX$2" "$1" "/run/netns/$PREFIX$1" eth0
	soon 5 grep -q ready "$TMP/wire-$1"
	on "$2" sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1"
	on "$2" ip link set dev "$1" up
	on "$1" ip link set dev eth0 address "$(mac "$1")"
	address_guest "$1" eth0
}

unplug() { on "${HOST_OF[$1]}" ip link del dev "${2:-$1}"; }

address_guest() { # INSTANCE DEVICE
	on "$1" ip addr add "$(ip4 "$1")/24" dev "$2"
	on "$1" ip addr add "$(ip6 "$1")/64" dev "$2" nodad
	on "$1" ip link set dev "$2" up
	on "$1" ip route add default via "$(gateway4 "$1")"
	on "$1" ip route add default via "$(gateway6 "$1")"
}

# ---- configuration ---------------------------------------------------------

is_board() { [[ " ${BOARDS[*]} " == *" $1 "* ]]; }
board_list() {
	local h list=''
	for h in "${BOARDS[@]}"; do
		list+=", \"$(host_ip "$h")\""
	done
	echo "${list#, }"
}

config_networks() {
	local n
	for n in "${NETWORKS[@]}"; do
		cat <<-EOF
		  - name: $n
		    vni: ${VNI_OF[$n]}
		    hoverboards: [$(board_list)]
		    subnets:
		      - {prefix: 10.0.0.0/24, gateway: 10.0.0.1}
		      - {prefix: 10.0.1.0/24, gateway: 10.0.1.1}
		      - {prefix: "fd00::/64", gateway: "fd00::1"}
		      - {prefix: "fd00:0:0:1::/64", gateway: "fd00:0:0:1::1"}
		EOF
	done
}

config_vport() { # INSTANCE
	cat <<-EOF
	  - name: $1
	    network: ${NETWORK_OF[$1]}
	    device: $1
	    mac: "$(mac "$1")"
	    addresses: [$(ip4 "$1"), "$(ip6 "$1")"]
	EOF
	[[ -z $HOOK || ${VPORT_MORE[$1]:-} == *hook:* ]] || printf '    %s\n' "hook: $HOOK"
	[[ -n ${BEHIND_TAP[$1]:-} ]] || printf '    %s\n' "netns: $PREFIX$1" "guest_device: eth0"
	if [[ -n ${VPORT_MORE[$1]:-} ]]; then
		printf '%s\n' "${VPORT_MORE[$1]}" | sed 's/^/    /'
	fi
}

config_remote() { # INSTANCE
	local address
	for address in "$(ip4 "$1")/32" "$(ip6 "$1")/128"; do
		echo "  - {network: ${NETWORK_OF[$1]}, prefix: \"$address\"," \
			"mac: \"$(mac "$1")\", host: \"$(host_ip "${HOST_OF[$1]}")\"}"
	done
}

config_endpoint() { # INSTANCE
	local address
	for address in "$(ip4 "$1")" "$(ip6 "$1")"; do
		echo "  - {network: ${NETWORK_OF[$1]}, address: \"$address\"," \
			"mac: \"$(mac "$1")\", host: \"$(host_ip "${HOST_OF[$1]}")\"}"
	done
}

# config HOST: the configuration file of a host, on standard output.
config() {
	local i vports='' remotes=$MORE_REMOTES endpoints='' role=host routes='[]'
	is_board "$1" && role=hoverboard && routes=$ROUTES
	for i in "${INSTANCES[@]}"; do
		if [[ ${HOST_OF[$i]} == "$1" ]]; then
			vports+=$'\n'$(config_vport "$i")
		elif [[ $role == hoverboard ]]; then
			endpoints+=$'\n'$(config_endpoint "$i")
		elif ((${#BOARDS[@]} == 0)) || [[ " ${OFFLOADED:-} " == *" $i "* ]]; then
			remotes+=$'\n'$(config_remote "$i")
		fi
	done
	cat <<-EOF
	host:
	  name: host-$1
	  role: $role
	  underlay: [$(host4 "$1"), "$(host6 "$1")"]
	  uplinks:
	    - {device: up0${UPLINK_OF[$1]:-$UPLINK_MORE}}
	encapsulation: $ENCAP
	agent:
	  bpffs: $TMP/bpf/$1
	  socket: $TMP/$1.sock
	limits: $LIMITS
	networks:
	$(config_networks)
	vports:${vports:- []}
	remotes:${remotes:- []}
	routes: $routes
	endpoints:${endpoints:- []}
	samples: $SAMPLES
	EOF
}

configure() {
	local h
	for h in "${HOSTS[@]}"; do
		config "$h" >"$TMP/$h.yaml"
	done
}

# ---- agents ----------------------------------------------------------------

ctl() { # ctl HOST ARGUMENT...
	local h=$1
	shift
	timeout 60 "$BUILD/mirachctl" --socket "$TMP/$h.sock" "$@"
}

# ask HOST JQ-FILTER COMMAND...: one fact out of an answer in JSON.
ask() {
	local h=$1 filter=$2
	shift 2
	ctl "$h" --json "$@" | jq -r "$filter"
}

# With a controller (control.sh) what it is told, else its file.
agent_launch() {
	local options=(--config "$TMP/$1.yaml")
	[[ -z ${CONTROLLED:-} ]] || mapfile -t options < <(control_options "$1")
	background "$1" "$TMP/$1.log" "$BUILD/mirachd" "${options[@]}" \
		--log-level "${LOG_LEVEL:-info}"
	AGENT[$1]=$!
}

# Every device is in the state it will stay in, every next hop answered.
agent_settled() {
	local vports=1
	is_board "$1" && vports=0
	alive "${AGENT[$1]}" || {
		echo "the agent of host $1 ended"
		return 1
	}
	ctl "$1" --json status | jq -e --argjson n "$vports" '
		.vports.attaching == 0 and .vports.ready + .vports.absent + .vports.refused >= $n and
		.vports.refused == 0 and .uplinks.ready > 0 and
		.nexthops.probing == 0' >/dev/null
}

agent_ready() { agent_settled "$1" && [[ $(ask "$1" .vports.absent status) == 0 ]]; }

agent_start() {
	agent_launch "$1"
	soon 60 agent_ready "$1"
}

agent_stop() { # HOST [SIGNAL]
	end "${AGENT[$1]}" "${2:-TERM}"
}

reload() { ctl "$1" reload && soon 10 agent_ready "$1"; }

start() {
	local h
	configure
	for h in "${HOSTS[@]}"; do
		agent_launch "$h"
	done
	for h in "${HOSTS[@]}"; do
		soon 60 agent_ready "$h"
	done
}
