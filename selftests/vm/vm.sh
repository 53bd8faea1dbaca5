# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# vm.sh - the ground under every virtual machine: Debian's 6.1 kernel and a root of our own
#
#	vm_missing		why no machine can be had here; nothing: it can
#	vm_image		path of the kernel image
#	vm_root DIR		an empty root file system with busybox in it
#	vm_put DIR FILE		FILE into DIR/check, with the libraries it is linked with
#	vm_program DIR NAME...	programs of this system, with theirs, into DIR/bin
#	vm_modules DIR NAME...	kernel modules and what they depend on, for modprobe
#	vm_pack DIR FILE	the root as an initramfs
#	vm_qemu			the words of a qemu command that every machine begins with
#
# The kernel is Debian's own cloud image, downloaded once into the build
# directory and unpacked there; nothing is installed. The CPU is emulated, so
# that a machine is the same everywhere, inside other virtual machines too.
#
# See also: selftests/verifier/vm (one command on that kernel), selftests/net/guests.sh
# (guests of a network).

VM_CACHE=$(realpath -m "${BUILD:-build}")/kernels
VM_FOLDERS='drivers/virtio drivers/net net/core net/tls net/8021q net/802 net/llc net/sched'
VM_STAMP=$VM_CACHE/complete-$(cksum <<<"$VM_FOLDERS" | cut -d' ' -f1)

vm_missing() {
	[[ $(uname -m) == x86_64 ]] || { echo "only x86_64 is known here" && return; }
	command -v qemu-system-x86_64 >/dev/null || { echo "no qemu-system-x86_64" && return; }
	[[ -x /bin/busybox ]] || { echo "no /bin/busybox" && return; }
	vm_fetch
}

vm_image() { compgen -G "$VM_CACHE/boot/vmlinuz-6.1.*" | sort -V | tail -1; }
vm_release() { basename "$(vm_image)" | sed 's/^vmlinuz-//'; }

# Downloads and unpacks the kernel the first time. Says what went wrong. Several may ask at once.
vm_fetch() {
	local package
	mkdir -p "$VM_CACHE"
	exec {VM_LOCK}>"$VM_CACHE/lock"
	flock "$VM_LOCK"
	if [[ ! -e $VM_STAMP ]]; then
		package=$(apt-cache search --names-only '^linux-image-6\.1\.0-[0-9]+-cloud-amd64$' |
			cut -d' ' -f1 | sort -V | tail -1)
		if [[ -z $package ]]; then
			echo "apt knows no linux-image-6.1.0-*-cloud-amd64"
		elif ! (cd "$VM_CACHE" && apt-get download "$package" >/dev/null 2>&1); then
			echo "cannot download $package"
		else
			vm_unpack "$VM_CACHE/$package"_*.deb
		fi
	fi
	exec {VM_LOCK}>&-
}

vm_unpack() { # DEB
	local folder wanted=('./boot/vmlinuz-*')
	for folder in $VM_FOLDERS; do
		wanted+=("./lib/modules/*/kernel/$folder/*")
	done
	rm -rf "${VM_CACHE:?}"/{boot,lib,vmlinuz-*,complete*}
	dpkg-deb --fsys-tarfile "$1" | tar -x -C "$VM_CACHE" --wildcards "${wanted[@]}"
	busybox depmod -b "$VM_CACHE" "$(vm_release)"
	rm -f "$1"
	touch "$VM_STAMP"
}

vm_root() {
	mkdir -p "$1"/{bin,dev,proc,sys,tmp,check}
	cp /bin/busybox "$1/bin/"
}

vm_libraries() { # DIR PROGRAM: what the loader needs to run it
	local library
	while read -r library; do
		[[ -e $1$library ]] || install -D "$library" "$1$library"
	done < <(ldd "$2" 2>/dev/null | grep -oE '/[^ ]+')
}

vm_put() {
	cp "$2" "$1/check/"
	[[ ! -x $2 ]] || vm_libraries "$1" "$2"
}

vm_program() {
	local dir=$1 name path
	shift
	for name in "$@"; do
		path=$(PATH=$PATH:/usr/sbin:/sbin command -v "$name")
		install -D "$path" "$dir/bin/$name"
		vm_libraries "$dir" "$path"
	done
}

vm_modules() {
	local dir=$1 name line file tree
	tree=lib/modules/$(vm_release)
	shift
	install -D "$VM_CACHE/$tree/modules.dep" "$dir/$tree/modules.dep"
	for name in "$@"; do
		line=$(grep "/$name\.ko:" "$VM_CACHE/$tree/modules.dep")
		for file in ${line/:/}; do
			install -D -m 644 "$VM_CACHE/$tree/$file" "$dir/$tree/$file"
		done
	done
}

vm_pack() { (cd "$1" && find . | cpio --quiet -o -H newc) >"$2"; }

vm_qemu() {
	echo qemu-system-x86_64 -accel tcg -cpu max -kernel "$(vm_image)" -display none -nodefaults -no-reboot
}
