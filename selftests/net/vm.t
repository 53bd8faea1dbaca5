#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vm.t - virtual machines as guests: virtio-net on a tap, offloads as they are born
#
#	vm-1 (0.11) --tap, one queue---+
#	vm-2 (0.12) --tap, two queues--+-- a ==== core ==== b --veth-- red-4 (0.14)
#	red-3 (0.13) --veth------------+
#
# A guest that has TSO hands the tap super-packets with unfinished checksums and
# expects the same. What is carried is compared by digest, both ways, both
# families; captures show how large the frames on the taps and on the wire were.
# In the end vm-1 comes again with a card that takes nothing unfinished: the kernel then
# completes every checksum before the tap, and a capture in the guest checks them all.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/guests.sh
. "$NET/guests.sh"

[[ -c /dev/net/tun ]] || skip_all "no /dev/net/tun here"
missing=$(vm_missing)
[[ -z $missing ]] || skip_all "no virtual machine: $missing"

BYTES=2000000
UPLINK_MORE=', hook: tcx'
hosts a b
network red 100
vm_instance vm-1 a red 11
vm_instance vm-2 a red 12 2
instance red-3 a red 13
instance red-4 b red 14

# whole on|off: whether the wire carries super-packets, as one does whose NICs have tunnel TSO.
whole() {
	on core ethtool -K to-a tx "$1" >/dev/null
	on core ethtool -K to-b tx "$1" >/dev/null
}
whole on
start
ok "two machines boot" vm_up vm-1 vm-2

# ---- what the agent makes of them ------------------------------------------

for i in vm-1 vm-2; do
	is "$i: auto chooses tcx" "$(ask a .hook vport show $i)" tcx
	has "$i: and says why" "$(ask a .why vport show $i)" 'vnet header'
	is "$i: nothing is wrong" "$(ask a .problem vport show $i)" ""
done
has "two queues are named" "$(ask a .why vport show vm-2)" 'each of its 2 queues'
has "doctor knows the tap" "$(on a "$BUILD/mirachctl" doctor --config "$TMP/a.yaml" || true)" \
	'vm-2.* several queues, 2 open'
has "and predicts the hook" "$(on a "$BUILD/mirachctl" doctor --config "$TMP/a.yaml" || true)" \
	'vm-2.* hook will be tcx'
is "the guest has two queues" "$(vm_sh vm-2 'ls -d /sys/class/net/eth0/queues/rx-* | wc -l')" 2
has "the guest has TSO" "$(vm_sh vm-1 'ethtool -k eth0')" 'tcp-segmentation-offload: on'

# ---- content ---------------------------------------------------------------

declare -A DIGEST
for i in vm-1 vm-2 red-3 red-4; do
	DIGEST[$i]=$(instance_file $i $BYTES)
done

carries() { # WHAT FROM TO FAMILY
	is "$1$2 to $3 over IPv$4: what was sent arrives" \
		"$(carry "$2" "$3" "$("ip$4" "$3")")" "${DIGEST[$2]}"
}

carries_all() { # WHAT PAIR...
	local what=$1 pair from to
	shift
	for pair in "$@"; do
		read -r from to <<<"$pair"
		carries "$what" "$from" "$to" 4
		carries "$what" "$from" "$to" 6
	done
}

carries_all '' 'vm-1 red-4' 'red-4 vm-1' 'vm-1 vm-2' 'vm-2 red-4' 'red-4 vm-2' 'red-3 vm-1'
is "vm-1 pings its gateway" "$(vm_sh vm-1 "ping -c 3 $(gateway4 vm-1) | grep -c ' 0% packet loss'")" 1

# ---- the frames in between -------------------------------------------------

# longest NAMESPACE DEVICE FILTER FROM TO ADDRESS: of the frames during a transfer.
longest() {
	local watcher
	background "$1" "$TMP/capture" tcpdump -n -i "$2" -s 128 -U --immediate-mode -w "$TMP/seen.pcap" "$3"
	watcher=$!
	soon 10 grep -q 'listening on' "$TMP/capture"
	carry "$4" "$5" "$6" >/dev/null
	end "$watcher" INT
	tcpdump -n -e -r "$TMP/seen.pcap" 2>/dev/null | sed -n 's/.* length \([0-9]*\): .*/\1/p' |
		sort -n | tail -n 1
}

data='dst port 5000'
number "a super-packet leaves vm-1" "$(longest a vm-1 "$data" vm-1 red-4 "$(ip4 red-4)")" -gt 9000
number "and crosses the wire whole, encapsulated" "$(longest core to-b udp vm-1 red-4 "$(ip6 red-4)")" -gt 9000
number "another reaches vm-2 as it left vm-1" "$(longest a vm-2 "$data" vm-1 vm-2 "$(ip6 vm-2)")" -gt 9000
number "and one comes to vm-1 from a container" "$(longest a vm-1 "$data" red-3 vm-1 "$(ip4 vm-1)")" -gt 9000
number "one from another host, without its tunnel" "$(longest a vm-1 "$data" red-4 vm-1 "$(ip4 vm-1)")" -gt 9000

# ---- two queues ------------------------------------------------------------

# queue NAME: packets that the guest has sent by it.
queue() { vm_sh vm-2 'ethtool -S eth0' | awk -v name="$1:" '$1 == name { print $2 }'; }
from_cpu() { # CPU ADDRESS: a flow of pings, sent from one CPU and so by its queue
	vm_sh vm-2 "taskset $((1 << $1)) ping -c 20 -i 0.05 $2 | grep -c ' 20 packets received'"
}
for cpu in 0 1; do
	before=$(queue tx_queue_${cpu}_packets)
	is "queue $cpu: every packet is answered" "$(from_cpu $cpu "$(ip4 red-4)")" 1
	number "queue $cpu sent them" "$(($(queue tx_queue_${cpu}_packets) - before))" -ge 20
done

# ---- checksums -------------------------------------------------------------

# Of what a guest has received: the last column of Tcp and Udp. (The first line of each names them.)
bad_sums() {
	instance_sh "$1" "grep -hE '^(Tcp|Udp): [0-9]' /proc/net/snmp" | awk '{ bad += $NF } END { print bad + 0 }'
}

for i in vm-1 vm-2 red-3 red-4; do
	is "$i: no checksum was wrong" "$(bad_sums $i)" 0
done

# ---- frames from the wire by XDP, straight into the tap --------------------

whole off
UPLINK_MORE=''
configure
ok "XDP on a's and b's uplinks" eval 'reload a && reload b'
carries_all 'XDP uplinks: ' 'vm-1 red-4' 'red-4 vm-1' 'red-4 vm-2'
is "vm-1: no checksum was wrong" "$(bad_sums vm-1)" 0

# ---- the machine ends and comes again --------------------------------------

carrier() { [[ $(ask a .state vport show vm-1) == "$1" ]]; }
end "${MACHINE[vm-1]}"
ok "vm-1 is off: its port waits" soon 10 carrier attaching
has "and says for what" "$(ask a .problem vport show vm-1)" 'no virtual machine has the tap open'
vm_boot vm-1 1 ,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off
ok "vm-1 boots again" vm_up vm-1
ok "its port is ready" soon 10 carrier ready
vm_sh vm-1 'ethtool -K eth0 gro off' >/dev/null	# or the capture shows what GRO has merged
DIGEST[vm-1]=$(instance_file vm-1 $BYTES)
carries_all 'again: ' 'vm-1 red-4'

# The guest's view of what it was sent, checksums reckoned up by tcpdump.
sums() { # FROM TO FAMILY
	vm_sh "$2" "(tcpdump -n -Z root -i eth0 -w /tmp/seen -U '$data' >/tmp/tcpdump 2>&1 & echo \$! >/tmp/pid)"
	soon 20 vm_sh "$2" 'grep -q listening /tmp/tcpdump'
	carry "$1" "$2" "$("ip$3" "$2")" >/dev/null
	vm_sh "$2" "kill -INT \$(cat /tmp/pid); while kill -0 \$(cat /tmp/pid) 2>/dev/null; do sleep 0.1; done; tcpdump -n -Z root -vv -r /tmp/seen 2>/dev/null |
		grep -oE 'cksum 0x[0-9a-f]+ \((correct|incorrect)' | sed 's/.*(//' | sort | uniq -c"
}

for from in vm-2 red-4; do
	for family in 4 6; do
		seen=$(sums $from vm-1 $family)
		number "$from to vm-1 over IPv$family: finished checksums" \
			"$(awk '$2 == "correct" { print $1 }' <<<"$seen")" -gt 1000
		is "and not a wrong one" "$(awk '$2 == "incorrect" { print $1 }' <<<"$seen")" ""
	done
done
is "vm-1: no checksum was wrong" "$(bad_sums vm-1)" 0
books_close
finish
