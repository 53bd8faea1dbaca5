#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# tap.t - guests behind taps, as virtual machines are
#
#	red-1 (0.11) --tap--+-- a ==== core ==== b --+--tap-- red-3 (0.13)
#	red-2 (0.12) --veth-+                        +--veth- red-4 (0.14)
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

[[ -c /dev/net/tun ]] || skip_all "no /dev/net/tun here"
hosts a b
network red 100
tap_instance red-1 a red 11
instance red-2 a red 12
tap_instance red-3 b red 13
instance red-4 b red 14
start

is "the driver is known" "$(ask a .driver vport show red-1)" tun
is "the program runs in native mode" "$(ask a .mode vport show red-1)" native
for pair in 'red-1 red-2' 'red-2 red-1' 'red-1 red-3' 'red-1 red-4' 'red-4 red-1'; do
	read -r from to <<<"$pair"
	for family in 4 6; do
		ok "$from pings $to over IPv$family" pings "$from" "$("ip$family" "$to")"
		ok "$from to $to: TCP over IPv$family" transfer "$from" "$to" "$("ip$family" "$to")"
	done
done
ok "red-1 reaches its gateway" pings red-1 "$(gateway4 red-1)"
for i in red-1 red-2 red-3 red-4; do
	is "$i: no checksum error" "$(on "$i" nstat -asz TcpInCsumErrors | awk '/Csum/ { print $2 }')" 0
done

# The hypervisor ends and the tap with it; another one makes it again.
unplugged() { [[ $(ask a .state vport show red-1) == absent ]]; }
end "${BACKGROUND[0]}"
ok "the tap is gone: absent" soon 5 unplugged
background core "$TMP/wire" "$PYTHON" "$NET/tap_wire.py" \
	"/run/netns/${PREFIX}a" red-1 "/run/netns/${PREFIX}red-1" eth0
soon 5 grep -q ready "$TMP/wire"
on a ip link set dev red-1 up
on red-1 ip link set dev eth0 address "$(mac red-1)"
address_guest red-1 eth0
ok "the tap is back: ready" soon 5 agent_ready a
ok "red-1 reaches red-3" reaches red-1 red-3
books_close
finish
