#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# bond.t - an uplink behind a bond, on the oldest kernel
#
#	   machine hv = host c, kernel 6.1                  core                a
#	+---------------------------------+          +----------------+   +-----------+
#	| red-5 --veth-- mirachd -- bond0 = eth0 --tap-- br0          +---+ up0  red-1|
#	|                                 = eth1 --tap--/ routes      |   +-----------+
#	+---------------------------------+          +----------------+
#
# This kernel may have no bonding driver, Debian's 6.1 has, so a whole host is a
# virtual machine: agent, guest, bond, two virtio cards. XDP on the bond runs in the drivers of
# its members. One member goes, traffic goes on by the other.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/guests.sh
. "$NET/guests.sh"

[[ -c /dev/net/tun ]] || skip_all "no /dev/net/tun here"
missing=$(vm_missing)
[[ -z $missing ]] || skip_all "no virtual machine: $missing"
hosts a
diag "a bond on this machine itself: $(on core ip link add bond0 type bond 2>&1 && echo works)"
network red 100
instance red-1 a red 11
declare_instance red-5 c red 15
VM_PROGRAMS='ip ethtool socat' VM_MEMORY=768

# The bridge between the machine's two cards and the router.
on core ip link add br0 type bridge
for n in 0 1; do
	on core ip tuntap add dev hv$n mode tap vnet_hdr
	on core ip link set hv$n mtu 1700 master br0 up
done
on core ip link set br0 mtu 1700 up
on core ip addr add "${SUBNET4[c]}.1/24" dev br0
on core ip addr add "2001:db8:c::1/64" dev br0 nodad

vm_initramfs
for file in mirachd mirachctl; do vm_put "$TMP/vm" "$BUILD/$file"; done
vm_modules "$TMP/vm" bonding veth sch_ingress cls_bpf
vm_pack "$TMP/vm" "$TMP/vm.cpio"
read -ra qemu < <(vm_qemu)
background core "$TMP/hv.qemu" timeout --foreground 600 "${qemu[@]}" -smp 1 -m "$VM_MEMORY" \
	-initrd "$TMP/vm.cpio" -append "console=ttyS0 quiet panic=-1" \
	-netdev tap,id=n0,ifname=hv0,script=no,downscript=no \
	-device virtio-net-pci,netdev=n0,mac=02:bb:00:00:00:01,romfile= \
	-netdev tap,id=n1,ifname=hv1,script=no,downscript=no \
	-device virtio-net-pci,netdev=n1,mac=02:bb:00:00:00:02,romfile= \
	-serial "file:$TMP/hv.console" -serial "unix:$TMP/hv.serial,server=on,wait=off"
MACHINE[hv]=$!
ok "the machine boots" vm_up hv

start
# The machine's shell takes busybox's ip for the real one.
in_hv() { vm_sh hv "ip() { /bin/ip \"\$@\"; }; $1"; }
setup="set -e; modprobe bonding max_bonds=0; for m in veth sch_ingress cls_bpf; do modprobe \$m; done; mkdir -p /run/netns;
ip link add bond0 mtu 1700 type bond mode active-backup miimon 100;
for d in eth0 eth1; do ip link set \$d down; ip link set \$d mtu 1700 master bond0; done;
ip link set bond0 up; ip addr add $(host4 c)/24 dev bond0; ip addr add $(host6 c)/64 dev bond0 nodad;
ip route add default via ${SUBNET4[c]}.1; ip route add default via 2001:db8:c::1;
ip netns add ${PREFIX}red-5;
ip link add red-5 type veth peer name eth0 address $(mac red-5) netns ${PREFIX}red-5;
sysctl -qw net.ipv6.conf.red-5.disable_ipv6=1; ip link set red-5 up;
g='/bin/ip -n ${PREFIX}red-5'; \$g link set lo up; \$g addr add $(ip4 red-5)/24 dev eth0;
\$g addr add $(ip6 red-5)/64 dev eth0 nodad; \$g link set eth0 up;
\$g route add default via $(gateway4 red-5); \$g route add default via $(gateway6 red-5)"
ok "a bond of two cards, and a guest" in_hv "$setup"
config=$(config c | sed "s|device: up0|device: bond0|; s|$TMP/bpf/c|/sys/fs/bpf/c|; s|$TMP/c.sock|/tmp/c.sock|")
in_hv "echo $(base64 -w0 <<<"$config") | base64 -d >/tmp/c.yaml"
in_hv "mount -t bpf none /sys/fs/bpf; (/check/mirachd --config /tmp/c.yaml >/tmp/c.log 2>&1 </dev/null &)"

uplink() { in_hv "/check/mirachctl --socket /tmp/c.sock --json vport show bond0" | jq -r ".$1"; }
uplink_ready() { [[ $(uplink state 2>/dev/null) == ready ]]; }
# An emulated CPU takes its time to verify the programs.
ok "the agent takes the bond" soon 180 uplink_ready
diag "$(in_hv 'tail -n 4 /tmp/c.log')"
is "XDP on it" "$(uplink hook)" xdp
is "in native mode" "$(uplink mode)" native
has "in the members' drivers" "$(uplink why)" "members"
is "nothing is wrong" "$(uplink problem)" ""
has "the bond carries the program" "$(in_hv 'ip link show bond0')" 'prog/xdp'

guest_pings() { in_hv "ip netns exec ${PREFIX}red-5 ping -c 3 -i 0.2 -W 5 $1" | grep -q ' 3 packets received'; }
ok "red-5 reaches red-1, IPv4" soon 20 guest_pings "$(ip4 red-1)"
ok "red-5 reaches red-1, IPv6" soon 20 guest_pings "$(ip6 red-1)"
ok "red-1 reaches red-5" reaches red-1 red-5

active() { in_hv 'cat /sys/class/net/bond0/bonding/active_slave'; }
first=$(active)
on core ip link set "hv${first#eth}" down
in_hv "ip link set $first down"		# a tap cannot take its carrier away
changed() { [[ $(active) != "$first" ]]; }
ok "the active member goes down" soon 20 changed
ok "red-1 reaches red-5 by the other" soon 20 pings red-1 "$(ip4 red-5)"
ok "red-5 reaches red-1" soon 20 guest_pings "$(ip4 red-1)"

in_hv "ip link set $(active) nomaster; ip link set $first up"
on core ip link set "hv${first#eth}" up
back() { [[ $(active) == "$first" ]]; }
ok "it comes back, the other leaves the bond" soon 20 back
ok "red-1 reaches red-5" soon 30 pings red-1 "$(ip4 red-5)"
is "the machine's counters close" \
	"$(in_hv '/check/mirachctl --socket /tmp/c.sock --json drops' | jq '[.ports[].closes] | all')" true
books_close
finish
