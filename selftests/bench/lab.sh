# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lab.sh - Mirach's competitors, each on hosts of its own
#
#	two_hosts a b			two hosts joined by one link, 192.0.2.1 and .2
#	guest g1 a 10.0.0.11/24		a namespace behind a veth pair
#	bridged ba bb b1 b2		Linux bridge with a vxlan device
#	routed ra rb r1 r2		Linux routing into a vxlan device
#
# Sourced behind net/lib.sh. Hosts are next to each other, with no router between
# them that would cost everybody the same. Knobs: UNDERLAY_MTU, GUEST_MTU, and GRO, with
# which veth pairs are born.

QUEUES="numtxqueues 2 numrxqueues 2"
UNDERLAY_MTU=1700
GUEST_MTU=1500
GRO=on

# A veth pair between two namespaces: VETH_A DEVICE_A NS_B DEVICE_B MTU
pair() {
	# shellcheck disable=SC2086
	on "$1" ip link add "$2" mtu "$5" $QUEUES type veth \
		peer name "$4" mtu "$5" $QUEUES netns "$PREFIX$3"
	on "$1" sysctl -qw "net.ipv6.conf.$2.disable_ipv6=1"
	on "$3" sysctl -qw "net.ipv6.conf.$4.disable_ipv6=1"
	on "$1" ethtool -K "$2" gro "$GRO"
	on "$3" ethtool -K "$4" gro "$GRO"
	on "$1" ip link set dev "$2" up
	on "$3" ip link set dev "$4" up
}

mac_of() { on "$1" ip -br link show dev "$2" | awk '{ print $3 }'; }

two_hosts() { # A B
	namespace "$1"
	namespace "$2"
	pair "$1" up0 "$2" up0 "$UNDERLAY_MTU"
	on "$1" ip addr add 192.0.2.1/24 dev up0
	on "$2" ip addr add 192.0.2.2/24 dev up0
}

guest() { # NAME HOST ADDRESS
	namespace "$1"
	pair "$2" "$1" "$1" eth0 "$GUEST_MTU"
	on "$1" ip addr add "$3" dev eth0
}

# vxlan HOST LOCAL REMOTE: the kernel's tunnel device between the two.
vxlan() {
	on "$1" ip link add vx0 mtu "$GUEST_MTU" type vxlan id 100 dstport 4789 local "$2" remote "$3"
	on "$1" ip link set dev vx0 up
}

bridge_port() { on "$1" ip link set dev "$2" master br0; } # HOST DEVICE

bridge() { # HOST PORT...
	local host=$1 port
	shift
	on "$host" ip link add br0 type bridge
	on "$host" sysctl -qw net.bridge.bridge-nf-call-iptables=0 2>/dev/null || true # no filter, nowhere
	on "$host" ip link set dev br0 mtu "$GUEST_MTU" up
	for port in "$@"; do
		bridge_port "$host" "$port"
	done
}

bridged() { # HOST-A HOST-B GUEST-A GUEST-B: 10.0.0.11 and .12
	two_hosts "$1" "$2"
	guest "$3" "$1" 10.0.0.11/24
	guest "$4" "$2" 10.0.0.12/24
	vxlan "$1" 192.0.2.1 192.0.2.2
	vxlan "$2" 192.0.2.2 192.0.2.1
	bridge "$1" "$3" vx0
	bridge "$2" "$4" vx0
	on "$4" ping -qc1 -W2 10.0.0.11 >/dev/null		# the bridges learn where both are
}

routed() { # HOST-A HOST-B GUEST-A GUEST-B: 10.1.0.11 and 10.2.0.12
	two_hosts "$1" "$2"
	guest "$3" "$1" 10.1.0.11/24
	guest "$4" "$2" 10.2.0.12/24
	vxlan "$1" 192.0.2.1 192.0.2.2
	vxlan "$2" 192.0.2.2 192.0.2.1
	on "$1" ip addr add 10.1.0.1/24 dev "$3"
	on "$2" ip addr add 10.2.0.1/24 dev "$4"
	on "$1" ip addr add 172.16.0.1/30 dev vx0
	on "$2" ip addr add 172.16.0.2/30 dev vx0
	on "$1" ip route add 10.2.0.0/24 via 172.16.0.2
	on "$2" ip route add 10.1.0.0/24 via 172.16.0.1
	on "$1" sysctl -qw net.ipv4.ip_forward=1
	on "$2" sysctl -qw net.ipv4.ip_forward=1
	on "$3" ip route add default via 10.1.0.1
	on "$4" ip route add default via 10.2.0.1
	on "$4" ping -qc1 -W2 10.1.0.11 >/dev/null		# neighbours are resolved
}

# Words of fabric.sh, with the hosts next to each other: the first of a pair is .1.
host4() { [[ $1 == [acegimo] ]] && echo 192.0.2.1 || echo 192.0.2.2; }
host6() { printf '2001:db8:%x::2\n' "'$1"; }
plug() {
	pair "${HOST_OF[$1]}" "$1" "$1" eth0 "$GUEST_MTU"
	on "$1" ip link set dev eth0 address "$(mac "$1")"
	on "$1" ip addr add "$(ip4 "$1")/24" dev eth0
}
