#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vxlan_interop.t - the other end is the Linux kernel's own VXLAN device
#
#	red-1 (0.11) --- a (Mirach) ==== core ==== b (no Mirach): vx100, 10.0.0.12
#
# Nothing of Mirach runs on host b: a vxlan device with VNI 100 carries the
# addresses of red-2 itself. Both underlays, both families, both directions.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a
host b
network red 100
instance red-1 a red 11
declare_instance red-2 b red 12

# linux_vxlan: host b's device; it learns nothing and is told its one neighbour.
linux_vxlan() {
	on b ip link del vx100 2>/dev/null || true
	on b ip link add vx100 address "$(mac red-2)" type vxlan id 100 dstport 4789 nolearning \
		local "$(host_ip b)" remote "$(host_ip a)" udp6zerocsumrx
	on b ip addr add "$(ip4 red-2)/24" dev vx100
	on b ip addr add "$(ip6 red-2)/64" dev vx100 nodad
	on b ip link set dev vx100 mtu 1500 up
	on b ip neigh replace "$(ip4 red-1)" lladdr "$(mac red-1)" dev vx100
	on b ip neigh replace "$(ip6 red-1)" lladdr "$(mac red-1)" dev vx100
}

linux_vxlan
start
for UNDERLAY in 4 6; do
	linux_vxlan
	configure
	ok "underlay IPv$UNDERLAY: host a reloads" reload a
	for family in 4 6; do
		what="IPv$family over IPv$UNDERLAY"
		here=$("ip$family" red-1) there=$("ip$family" red-2)
		ok "$what: Mirach pings Linux" pings red-1 "$there"
		ok "$what: Linux pings Mirach" pings b "$here"
		ok "$what: TCP from Mirach to Linux" transfer red-1 b "$there"
		ok "$what: TCP from Linux to Mirach" transfer b red-1 "$here"
	done
done
books_close
finish
