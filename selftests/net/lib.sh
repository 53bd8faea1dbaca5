# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lib.sh - the ground under every network scenario: TAP, namespaces, clean-up
#
# A scenario is a bash script NAME.t that sources this file, draws its topology
# in its first comment, builds it with the words of fabric.sh, and asks
# questions with ok, fails, is and has. Whatever it makes carries the prefix
# $PREFIX or lies below $TMP, and goes away on every exit: processes by their
# id, namespaces, the bpffs, the directory.
#
# Commands run in a namespace by `on`, which changes the network namespace and
# nothing else. (`ip netns exec` would also make a mount namespace of its own
# with another /sys, where pins of the agent would die with it.)
#
# See also: fabric.sh (hosts, networks, instances, agents), traffic.sh
# (pings, transfers, counted streams, books).
set -eEuo pipefail

ROOT=$(cd "${BASH_SOURCE[0]%/*}/../.." && pwd)
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD
NET=$ROOT/selftests/net
PYTHON=/usr/bin/python3
PATH=$PATH:/usr/sbin:/sbin
PREFIX=${PREFIX:-mirach-$$-}
TMP=${TMP:-/tmp/${PREFIX%-}}
PATIENCE=${PATIENCE:-4}			# how much slower than a quiet machine this one may be
KEEP=${KEEP:-}				# not empty: leave everything up (scripts/demo --keep)

N_CHECKS=0
N_FAILED=0
NAMESPACES=()
BACKGROUND=()				# ids of the processes started here

# ---- TAP -------------------------------------------------------------------

diag() {
	local text="$*"
	printf '# %s\n' "${text//$'\n'/$'\n'# }"
}

verdict() { # verdict "ok"|"not ok" WHAT
	N_CHECKS=$((N_CHECKS + 1))
	echo "$1 $N_CHECKS - $2"
	[[ $1 == ok ]] || N_FAILED=$((N_FAILED + 1))
}

# ok WHAT COMMAND...: the command succeeds.
ok() {
	local what=$1 status=0
	shift
	"$@" >"$TMP/output" 2>&1 || status=$?
	if ((status == 0)); then
		verdict ok "$what"
		return
	fi
	verdict "not ok" "$what"
	diag "command:  $*"
	diag "expected: success"
	diag "seen:     exit status $status"
	diag "$(tail -n 15 "$TMP/output")"
}

# fails WHAT COMMAND...: the command runs and fails.
fails() {
	local what=$1
	shift
	if ! "$@" >"$TMP/output" 2>&1; then
		verdict ok "$what"
		return
	fi
	verdict "not ok" "$what"
	diag "command:  $*"
	diag "expected: failure"
	diag "seen:     success"
	diag "$(tail -n 15 "$TMP/output")"
}

# is WHAT SEEN EXPECTED: the two are the same text.
is() {
	if [[ $2 == "$3" ]]; then
		verdict ok "$1"
		return
	fi
	verdict "not ok" "$1"
	diag "expected: $3"
	diag "seen:     $2"
}

# has WHAT TEXT PATTERN: the text has a line that matches the extended regular expression.
has() {
	if grep -Eq -- "$3" <<<"$2"; then
		verdict ok "$1"
		return
	fi
	verdict "not ok" "$1"
	diag "expected: a line like $3"
	diag "seen:     $2"
}

# number WHAT SEEN OPERATOR BOUND: an arithmetic comparison.
number() {
	if [[ $2 =~ ^-?[0-9]+$ ]] && test "$2" "$3" "$4"; then
		verdict ok "$1 ($2)"
		return
	fi
	verdict "not ok" "$1"
	diag "expected: $3 $4"
	diag "seen:     $2"
}

# skip WHAT WHY: said on both streams, so that nobody overlooks it.
skip() {
	N_CHECKS=$((N_CHECKS + 1))
	echo "ok $N_CHECKS - $1 # SKIP $2"
	echo "${0##*/}: SKIPPED: $1: $2" >&2
}

skip_all() {
	echo "1..0 # SKIP $1"
	echo "${0##*/}: SKIPPED: $1" >&2
	exit 0
}

finish() {
	echo "1..$N_CHECKS"
	exit $((N_FAILED > 0))
}

# ---- processes -------------------------------------------------------------

# on NAMESPACE COMMAND...
on() {
	local ns=$1
	shift
	nsenter --net="/run/netns/$PREFIX$ns" -- "$@"
}

# background NAMESPACE FILE COMMAND...: starts it, output to FILE; its id is then $!. FILE is emptied
# here and not by the process, or who waits for a word in it may read what an earlier one said.
background() {
	local ns=$1 file=$2
	shift 2
	: >"$file"
	setsid nsenter --net="/run/netns/$PREFIX$ns" -- "$@" >"$file" 2>&1 </dev/null &
	BACKGROUND+=($!)
	echo $! >>"$TMP/pids"			# for who comes to clean up after a kill -9
}

alive() { kill -0 "$1" 2>/dev/null; }

# soon SECONDS COMMAND...: the command succeeds within so many seconds of a quiet machine; a busy
# one is given PATIENCE times as many, which costs nothing where things are well.
soon() {
	local deadline=$((${EPOCHREALTIME/[.,]/} + $1 * PATIENCE * 1000000))
	shift
	until "$@" >"$TMP/soon" 2>&1; do
		if ((${EPOCHREALTIME/[.,]/} > deadline)); then
			cat "$TMP/soon"
			return 1
		fi
		sleep 0.05
	done
}

# end PID [SIGNAL]: sends the signal and waits; a process that does not listen is killed.
end() {
	local pid=$1 i
	disown "$pid" 2>/dev/null || true	# or the shell reports its end in the middle of the TAP
	kill -"${2:-TERM}" "$pid" 2>/dev/null || return 0
	for ((i = 0; i < 100 * PATIENCE; i++)); do
		alive "$pid" || return 0
		sleep 0.05
	done
	diag "process $pid did not end on SIG${2:-TERM} within $((5 * PATIENCE)) s"
	kill -KILL "$pid" 2>/dev/null || true
	return 1
}

# scapy NAMESPACE [NAME=VALUE...] <<EOF: a Scapy program, with names set as strings. Only the
# layers it needs are loaded: scapy.all takes a second longer.
scapy() {
	local ns=$1
	shift
	{
		printf 'from scapy.%s import *\n' config layers.l2 layers.inet layers.inet6 layers.vxlan sendrecv
		echo 'conf.verb = 0'
		printf '%s\n' "$@" | sed "s/=\(.*\)/ = '\1'/"
		cat
	} | on "$ns" "$PYTHON" -
}

# ---- beginning and end -----------------------------------------------------

namespace() {
	ip netns add "$PREFIX$1"
	NAMESPACES+=("$1")
	on "$1" sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0
	on "$1" ip link set lo up
}

logs() {
	local log
	for log in "$TMP"/*.log; do
		[[ -s $log ]] || continue
		diag "--- ${log##*/}, last lines ---"
		diag "$(tail -n "${LOG_LINES:-15}" "$log")"
	done
}

cleanup() {
	local status=$? pid ns
	trap - EXIT ERR
	trap '' INT TERM HUP
	set +eu
	((N_FAILED == 0 && status == 0)) || ((status > 128)) || logs
	[[ -n $KEEP && $status == 0 ]] && exit 0
	for pid in "${BACKGROUND[@]}"; do
		alive "$pid" && end "$pid"
	done
	for ns in "${NAMESPACES[@]}"; do
		ip netns del "$PREFIX$ns"
	done
	remove_tmp
	exit "$status"
}

remove_tmp() {
	if mountpoint -q "$TMP/bpf"; then
		rm -rf "${TMP:?}"/bpf/* 2>/dev/null || true	# not the two files that are always there
		umount "$TMP/bpf" || umount --lazy "$TMP/bpf"
	fi
	rm -rf "${TMP:?}"
}

fault() {
	echo "# ${0##*/}: stopped: line $1: $2"
}

prepare() {
	((EUID == 0)) || skip_all "needs root for network namespaces"
	[[ -x $BUILD/mirachd && -x $BUILD/mirachctl ]] || {
		echo "Bail out! $BUILD/mirachd and mirachctl are not there; run make first"
		exit 2
	}
	trap cleanup EXIT
	trap 'fault "$LINENO" "$BASH_COMMAND"' ERR
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir -p "$TMP/bpf"
	mount -t bpf bpf "$TMP/bpf"
}

# shellcheck source=selftests/net/fabric.sh
. "$NET/fabric.sh"
# shellcheck source=selftests/net/traffic.sh
. "$NET/traffic.sh"
[[ -n ${UNPREPARED:-} ]] || prepare
