#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# verifier.t - every program loads on every kernel of the matrix, at the usual cost
#
# matrix loads them and counts; baseline.txt says what is usual. Counts depend on
# the compiler, so with another clang than the baseline's only loading is tested.
# In the end 6.1 forwards packets: the bench's test run checks that every packet of
# an installed flow is encapsulated or decapsulated and redirected.
set -u
cd "$(dirname "$0")/../.." || exit 1
baseline=selftests/verifier/baseline.txt
running=$(uname -r | grep -oE '^[0-9]+\.[0-9]+')
n=0

ok() { n=$((n + 1)) && echo "ok $n - $1"; }
not_ok() { n=$((n + 1)) && echo "not ok $n - $1"; }
usual() { awk -v k="$1" -v p="$2" '$1 == k && $2 == p { print $3 }' "$baseline"; }

# shellcheck disable=SC2016 # make's variable
clang=$(make --no-print-directory --eval='cc:; @$(CLANG) -dumpversion' cc | cut -d. -f1)
comparable=$(grep -c "clang $clang\.\$" "$baseline")
code=0
rows=$(selftests/verifier/matrix) || code=$?

for kernel in $(printf '%s\n' "$running" 6.1 | sort -Vu); do
	if ! grep -q "^$kernel " <<<"$rows"; then
		if [[ $kernel != "$running" && $code == 0 ]]; then
			ok "$kernel: programs load # SKIP no such kernel to be had, see above"
		else
			not_ok "$kernel: programs load"
		fi
		continue
	fi
	while read -r _ program insns stack jited; do
		name="$kernel $program: $insns instructions, $stack bytes of stack, $jited bytes of code"
		base=$(usual "$kernel" "$program")
		if ((!comparable)); then
			ok "$name # SKIP baseline is of another clang than $clang"
		elif [[ -z $base ]]; then
			not_ok "$name; not in the baseline, 'make baseline' adds it"
		elif ((insns * 10 > base * 11)); then
			not_ok "$name; the baseline has $base, 'make baseline' accepts the growth"
		else
			ok "$name"
		fi
	done < <(grep "^$kernel " <<<"$rows")
	while read -r program; do
		grep -qE "^$kernel +$program " <<<"$rows" || not_ok "$kernel $program: loads"
	done < <(awk -v k="$kernel" '$1 == k { print $2 }' "$baseline")
done

code=0
what="6.1: packets of installed flows are forwarded"
output=$(selftests/verifier/vm -t 300 -f "${BUILD:-build}/selftests/bench/testrun" -- \
	'./testrun --rounds 1 --repeat 1000 --flows 1000 --only /ipv4-vxlan') || code=$?
case $code in
0) ok "$what" ;;
77) ok "$what # SKIP no such kernel to be had, see above" ;;
*)
	not_ok "$what"
	tail -n 15 <<<"$output" | sed 's/^/# /'
	;;
esac
echo "1..$n"
