# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# guests.sh - instances that are virtual machines, and talking to them
#
#	vm_instance red-1 a red 11 [QUEUES [WISHES]]	a machine on tap red-1 of host a
#	vm_up red-1 ...					they have booted
#	vm_sh red-1 'uname -r'				a command line in the guest
#	instance_sh NAME 'COMMAND'			the same, machine or container
#
#	   tap red-1 ── /dev/net/tun ── qemu (in the host's namespace) ── virtio-net ── eth0
#	   $TMP/red-1.serial ────────────────────────────────────────────── a shell
#
# The machine is a process of the host's namespace, as in life; its network card
# keeps the offloads it is born with unless WISHES (",csum=off") say otherwise.
#
# See also: selftests/vm/vm.sh (kernel and root), docs/guests.md (the lines for people).
# shellcheck source=selftests/vm/vm.sh
. "$ROOT/selftests/vm/vm.sh"

declare -A MACHINE				# instance to id of its qemu
VM_PROGRAMS='socat ethtool tcpdump'		# beside busybox
VM_MEMORY=256

# What the guest's init does with its command line: the kernel makes variables of it.
vm_init() {
	cat <<-'EOF'
	#!/bin/busybox sh
	export PATH=/bin
	/bin/busybox --install -s /bin
	mount -t proc none /proc
	mount -t sysfs none /sys
	mount -t devtmpfs none /dev
	mount -t tmpfs none /tmp
	for module in virtio_pci virtio_net $modules; do modprobe $module; done
	sysctl -qw net.ipv6.conf.eth0.accept_dad=0
	# TCP sends bursts of a millisecond's bytes; by an emulated CPU's rate that can be two segments.
	sysctl -qw net.ipv4.tcp_min_tso_segs=16
	ip link set lo up
	ip addr add $ip4 dev eth0
	ip -6 addr add $ip6 dev eth0
	ip link set eth0 up
	ip route add default via $gw4
	ip -6 route add default via $gw6
	stty -F /dev/ttyS1 raw -echo
	echo vm-ready >/dev/console
	# In a shell of its own: the first process is told of every orphan that
	# ends, and busybox's read then begins anew, without what it had of the line.
	(while read -r line; do
		(eval "$line") 2>&1 </dev/null
		printf '\nvm-exit %s\n' $?
	done) </dev/ttyS1 >/dev/ttyS1
	poweroff -f
	EOF
}

# The root of all machines of a scenario, made once.
vm_initramfs() {
	[[ ! -s $TMP/vm.cpio ]] || return 0
	vm_root "$TMP/vm"
	# shellcheck disable=SC2086 # a list
	vm_program "$TMP/vm" $VM_PROGRAMS
	vm_modules "$TMP/vm" virtio_pci virtio_net
	vm_init >"$TMP/vm/init"
	install -D -m 644 <(echo root:x:0:0::/:/bin/sh) "$TMP/vm/etc/passwd"
	chmod +x "$TMP/vm/init"
	vm_pack "$TMP/vm" "$TMP/vm.cpio"
}

vm_tap() { # NAME QUEUES
	local many=''
	(($2 == 1)) || many=multi_queue
	# shellcheck disable=SC2086 # a word or none
	on "${HOST_OF[$1]}" ip tuntap add dev "$1" mode tap vnet_hdr $many
	on "${HOST_OF[$1]}" sysctl -qw "net.ipv6.conf.$1.disable_ipv6=1"
	on "${HOST_OF[$1]}" ip link set dev "$1" up
}

vm_boot() { # NAME QUEUES [WISHES]
	local name=$1 queues=$2 card qemu
	card="virtio-net-pci,netdev=n0,mac=$(mac "$name"),romfile=${3:-}"
	((queues == 1)) || card+=",mq=on,vectors=$((2 * queues + 2))"
	read -ra qemu < <(vm_qemu)
	rm -f "$TMP/$name.console"
	background "${HOST_OF[$name]}" "$TMP/$name.qemu" timeout --foreground 600 \
		"${qemu[@]}" -smp "$queues" -m "$VM_MEMORY" -initrd "$TMP/vm.cpio" \
		-append "console=ttyS0 quiet panic=-1 ip4=$(ip4 "$name")/24 ip6=$(ip6 "$name")/64 \
			gw4=$(gateway4 "$name") gw6=$(gateway6 "$name")" \
		-netdev "tap,id=n0,ifname=$name,script=no,downscript=no,queues=$queues" -device "$card" \
		-serial "file:$TMP/$name.console" \
		-serial "unix:$TMP/$name.serial,server=on,wait=off"
	MACHINE[$name]=$!
}

vm_instance() { # NAME HOST NETWORK [SUBNET.]ID [QUEUES [WISHES]]
	declare_instance "$1" "$2" "$3" "$4"
	BEHIND_TAP[$1]=yes
	vm_initramfs
	vm_tap "$1" "${5:-1}"
	vm_boot "$1" "${5:-1}" "${6:-}"
}

vm_up() {
	local name
	for name in "$@"; do
		soon 120 grep -qs vm-ready "$TMP/$name.console" || {
			diag "$name has not booted: $(tail -n 5 "$TMP/$name.console" "$TMP/$name.qemu")"
			return 1
		}
	done
}

# vm_sh NAME COMMAND: its output and its exit code, within a minute.
vm_sh() { "$PYTHON" "$NET/serial.py" "$TMP/$1.serial" 60 "$2"; }

is_machine() { [[ -n ${MACHINE[$1]:-} ]]; }

# In $D a guest may leave files: each has its own.
instance_sh() {
	if is_machine "$1"; then
		vm_sh "$1" "D=/tmp; $2"
	else
		mkdir -p "$TMP/of-$1"
		on "$1" sh -c "D=$TMP/of-$1; $2" </dev/null
	fi
}

# instance_file NAME BYTES: random bytes in $D/payload; prints their digest.
instance_file() {
	instance_sh "$1" "head -c $2 /dev/urandom >\$D/payload; sha256sum <\$D/payload" | tr -d ' \n-'
}

# carry FROM TO ADDRESS: FROM's payload over TCP; prints the digest of what arrived, or what went wrong.
# It is written in large pieces, so that TCP has something to make super-packets of however fast the answers come.
carry() {
	local family=4 address=$3
	[[ $3 != *:* ]] || family=6 address="[$3]"
	trap - ERR
	instance_sh "$2" "rm -f \$D/arrived \$D/done; (timeout 30 socat -u \
		TCP$family-LISTEN:5000,reuseaddr OPEN:\$D/arrived,creat,trunc \
		>\$D/socat 2>&1; touch \$D/done) >/dev/null 2>&1 &"
	instance_sh "$1" "timeout 30 socat -u -b 131072 OPEN:\$D/payload \
		TCP$family:$address:5000,retry=100,interval=0.1" || echo "cannot send"
	instance_sh "$2" "n=0; until [ -e \$D/done ] || [ \$n -gt 200 ]; do sleep 0.1; n=\$((n + 1)); done; \
		sha256sum <\$D/arrived" 2>&1 | tr -d ' \n-' || echo "nothing received"
}
